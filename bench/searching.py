"""Searching: the server's searches against the bare engine on the same index, and against PostgreSQL's own text search.

    python -m bench.searching [--jobs 500000]

Ours are whole answers over HTTP (sight and rendering included); the bare engine's are ids; PostgreSQL's are ids, ranked by
`ts_rank` over a stored `tsvector` with a GIN index. Each query is asked once of each, so that nothing is kept from before.
"""

import argparse
import asyncio
import http.client
import random
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from itertools import accumulate
from pathlib import Path
from statistics import median
from threading import Thread
from typing import Any
from urllib.parse import quote

import asyncpg
import orjson
from tantivy import Occur, Query

from bench.__main__ import GUILDHOUSE, server
from bench.load import request, run
from bench.prepare import example, prepare
from guildhouse.app import HOUSE
from guildhouse.kernel.embedded import Embedded
from guildhouse.kernel.searching.index_schema import schema_of
from guildhouse.kernel.searching.search_index import SearchIndex
from guildhouse.kernel.searching.tokens import stems

VOCABULARY = 50_000
SYLLABLES = [c + v for c in "bcdfghjklmnprstvz" for v in ("a", "e", "i", "o", "u", "ar", "en", "ol")]
TIMES = 15
FACETS = ("employment_type", "workplace", "city", "skills", "organization_id")


def words() -> list[str]:
    """Made-up words, the short ones first, as in a language."""
    chance = random.Random(7)
    found: dict[str, None] = {}
    while len(found) < VOCABULARY:
        found["".join(chance.choices(SYLLABLES, k=2 + len(found) // 9_000 % 3))] = None
    return list(found)


WORDS = words()
# How often each word comes is as in English text: the n-th by 1/n (Zipf).
WEIGHTS = list(accumulate(1 / (n + 10) for n in range(VOCABULARY)))


def job(n: int, organization_id: str) -> dict[str, Any]:
    """The n-th job, of about 1.5 kB."""
    chance = random.Random(n)
    said = chance.choices(WORDS, cum_weights=WEIGHTS, k=195)
    title = " ".join(chance.choices(WORDS[:3_000], k=3)).title()
    return {**example(n, organization_id), "title": title, "description": " ".join(said[:190]), "skills": said[190:]}


def frequent(n: int) -> str:
    """A word that a fifth of all jobs have, or more."""
    return WORDS[n % 60]


def usual(n: int) -> str:
    """Two words as people search for them."""
    chance = random.Random(n)
    return f"{chance.choice(WORDS[60:2_000])} {chance.choice(WORDS[60:2_000])}"


def rare(n: int) -> str:
    """A word that a few jobs have."""
    return WORDS[20_000 + n]


class Asking:
    """Asks the server, one question after the other."""

    def __init__(self, token: str) -> None:
        self.connection, self.token = http.client.HTTPConnection(*GUILDHOUSE), token

    def get(self, path: str, **headers: str) -> dict[str, Any]:
        """An answer."""
        try:
            self.connection.request("GET", path, headers={"Authorization": f"Bearer {self.token}", **headers})
            answer = self.connection.getresponse()
        except (http.client.RemoteDisconnected, ConnectionResetError):  # it was idle for too long
            self.connection.close()
            return self.get(path, **headers)
        body = answer.read()
        assert answer.status == 200, body
        found: dict[str, Any] = orjson.loads(body)
        return found


def answered(token: str, path: Callable[[int], str]) -> float:
    """The median of some whole answers in milliseconds, one after the other, each to a question of its own."""
    key = f"Authorization: Bearer {token}\r\n"
    run(GUILDHOUSE, lambda n: request("GET", path(n + TIMES), headers=key), TIMES, 1)  # plans, files, types
    return median(run(GUILDHOUSE, lambda n: request("GET", path(n), headers=key), TIMES, 1).latencies) * 1000


def milliseconds(act: Callable[[int], Any], first: int = 0) -> float:
    """The median of some runs, each with a question of its own."""
    took = []
    for n in range(TIMES):
        start = time.perf_counter()
        act(first + n)
        took.append(time.perf_counter() - start)
    return median(took) * 1000


def bare_search(index: SearchIndex, text: str) -> int:
    """The best twenty by the engine alone."""
    schema = index.schema.built
    terms = [(Occur.Should, Query.term_query(schema, "jobs", word)) for word in stems(text)]
    query = Query.boolean_query(terms, minimum_number_should_match=len(terms))
    hits = index.searcher.search(query, 20, count=True).hits
    return len(index.searcher.fast_field_values("low", [address for _, address in hits])) if hits else 0


def bare_facets(index: SearchIndex, text: str) -> object:
    """The same facets by the engine alone."""
    query = Query.term_query(index.schema.built, "jobs", stems(text)[0])
    return index.searcher.aggregate(query, {name: {"terms": {"field": f"jobs={name}", "size": 20}} for name in FACETS})


RANKED = """SELECT id FROM bench_text, to_tsquery('english', $1) q
    WHERE tsv @@ q ORDER BY ts_rank(tsv, q) DESC LIMIT 20"""


def compare(token: str, index: SearchIndex, ranked: Callable[[str], Any]) -> None:
    """The table of ratios."""
    print(f"{'top 20 by relevance':<24}{'bare':>9}{'ours':>9}{'ratio':>8} {'aim':<6}{'ts_rank':>10}{'ahead':>8}")
    for name, make, aim in (
        ("frequent word", frequent, "<= 3"),
        ("two usual words", usual, "<= 3"),
        ("rare word", rare, ""),
    ):
        bare = milliseconds(lambda n, make=make: bare_search(index, make(n)))
        ours = answered(token, lambda n, make=make: f"/v1/jobs?limit=20&q={quote(make(n))}")
        theirs = milliseconds(lambda n, make=make: ranked(make(n)))
        print(
            f"{name:<24}{bare:>9.2f}{ours:>9.2f}{ours / bare:>8.1f} {aim:<6}{theirs:>10.1f}{theirs / ours:>8.0f}",
            flush=True,
        )
    bare = milliseconds(lambda n: bare_facets(index, frequent(n)))
    path = f"/v1/jobs?limit=1&fields=id&facets={','.join(FACETS)}&q="
    ours = answered(token, lambda n: path + frequent(n))
    print(f"{'five facets':<24}{bare:>9.2f}{ours:>9.2f}{ours / bare:>8.1f} {'<= 3':<6}", flush=True)


def until_quiet(asking: Asking) -> None:
    """Wait until the readers and the index have read all that was loaded."""
    while (told := asking.get("/ready"))["status"] != "pass" or told["checks"]["search"]["detail"]["changes_behind"]:
        time.sleep(1)


def at_once(token: str) -> None:
    """Many at the same time."""
    key = f"Authorization: Bearer {token}\r\n"

    def completing(n: int) -> bytes:
        return request("GET", f"/v1/search/suggest?q={WORDS[n * 7 % 3_000][:3]}", headers=key)

    def mixed(n: int) -> bytes:
        paths = (
            f"/v1/jobs?limit=20&q={quote(usual(n + 500))}",
            f"/v1/jobs?limit=20&q={frequent(n)}&city=Taipei&sort=-posted_at",
            f"/v1/search/suggest?q={WORDS[n * 11 % 3_000][:3]}",
            f"/v1/jobs?limit=20&fields=id,title&facets=city&q={quote(usual(n + 9_000))}",
            f"/v1/search?q={WORDS[2_000 + n % 40_000]}",
        )
        return request("GET", paths[n % 5], headers=key)

    took = run(GUILDHOUSE, completing, 800, 8).latencies
    print(f"suggest, 8 at once: p50 {at(took, 0.5):.1f} ms, p95 {at(took, 0.95):.1f} ms (aim p95 20)", flush=True)
    run(GUILDHOUSE, lambda n: mixed(n + 100_000), 300, 32)  # to warm up: connections are made, plans are laid
    found = run(GUILDHOUSE, mixed, 3_000, 32)
    told = f"p50 {at(found.latencies, 0.5):.0f} ms, p99 {at(found.latencies, 0.99):.0f} ms (aim p99 100)"
    print(f"mixed, 32 at once: {told}, {found.per_second:.0f} a second", flush=True)


def at(took: Sequence[float], share: float) -> float:
    """A percentile in milliseconds."""
    return took[int(len(took) * share)] * 1000


def lag(token: str, ids: Sequence[str], seconds: int = 15, rate: int = 200) -> list[float]:
    """Seconds from the answer to a write until a search finds it, while so many a second are written."""
    committed: list[tuple[str, float]] = []
    start = time.perf_counter()

    def write() -> None:
        connection = http.client.HTTPConnection(*GUILDHOUSE)
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Prefer": "return=minimal"}
        for n in range(seconds * rate):
            time.sleep(max(0.0, start + n / rate - time.perf_counter()))
            word = f"zq{n}qz{start:.0f}"
            connection.request("PATCH", f"/v1/jobs/{ids[n]}", orjson.dumps({"title": word}), headers)
            answer = connection.getresponse()
            assert answer.read() == b"" and answer.status == 204
            committed.append((word, time.perf_counter()))

    writer, asking, took = Thread(target=write), Asking(token), list[float]()
    writer.start()
    while writer.is_alive():
        time.sleep(0.1)
        if not committed:
            continue
        word, since = committed[-1]
        while not asking.get(f"/v1/jobs?limit=1&fields=id&q=title:{word}")["data"]:
            time.sleep(0.005)
        took.append(time.perf_counter() - since)
    print(f"{len(committed) / (time.perf_counter() - start):.0f} writes a second: ", end="")
    return sorted(took)


def rebuild(asking: Asking, place: Path, jobs: int) -> None:
    """A new index while the old one answers."""
    search = place / "search"
    old = next(search.glob("*-*-*"))
    (search / "rebuild").touch()
    start, took = time.perf_counter(), []
    n = 0
    while old.exists():
        begun = time.perf_counter()
        assert asking.get(f"/v1/jobs?limit=20&q={quote(usual(50_000 + n))}")["search"]["engine"] == "index"
        took.append(time.perf_counter() - begun)
        n += 1
        time.sleep(0.05)
    seconds = time.perf_counter() - start
    took.sort()
    print(
        f"built anew while serving: {jobs / seconds:.0f} jobs a second; "
        f"searches meanwhile p50 {at(took, 0.5):.0f}, p99 {at(took, 0.99):.0f} ms"
    )


async def with_text(dsn: str) -> None:
    """PostgreSQL's own: a stored tsvector of title and description, with its index."""
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "CREATE TABLE bench_text AS SELECT id, setweight(to_tsvector('english', title), 'A') || "
        "to_tsvector('english', coalesce(description, '')) AS tsv FROM jobs"
    )
    await connection.execute("CREATE INDEX ON bench_text USING gin (tsv)")
    await connection.execute("VACUUM ANALYZE bench_text")
    await connection.close()


def main() -> None:
    """Prepare, then compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500_000)
    jobs = parser.parse_args().jobs
    place = Path(tempfile.mkdtemp(prefix="guildhouse-bench-"))
    place.chmod(0o711)
    with Embedded(place) as dsn:
        prepared = asyncio.run(prepare(dsn, jobs, job, bare=False))
        asyncio.run(with_text(dsn))
        settings = {"DATABASE_URL": dsn, "GUILDHOUSE_DATA": str(place), "GUILDHOUSE_LIMITS": "0"}
        up = ["-m", "guildhouse", "up", "--port", str(GUILDHOUSE[1])]
        with server(up, GUILDHOUSE[1], GUILDHOUSE_LOG_LEVEL="error", **settings):
            asking, start = Asking(prepared.token), time.perf_counter()
            while asking.get("/ready")["checks"]["search"]["detail"]["engine"] != "index":
                time.sleep(0.5)
            print(f"first index: {jobs / (time.perf_counter() - start):.0f} jobs a second", flush=True)
            directory = next((place / "search").glob("*-*-*"))
            size = int(
                subprocess.run(["du", "-sk", directory], capture_output=True, text=True, check=True).stdout.split()[0]
            )
            until_quiet(asking)
            print(f"index: {size / 1024:.0f} MB, {size * 1024 / jobs:.0f} bytes a job", flush=True)
            loop = asyncio.new_event_loop()
            connection = loop.run_until_complete(asyncpg.connect(dsn))

            def ranked(text: str) -> Any:
                return loop.run_until_complete(connection.fetch(RANKED, text.replace(" ", " & ")))

            compare(prepared.token, SearchIndex(schema_of(HOUSE).schemas["jobs"], directory / "jobs"), ranked)
            at_once(prepared.token)
            took = lag(prepared.token, prepared.ids)
            print(f"commit to found p50 {at(took, 0.5):.0f} ms, p99 {at(took, 0.99):.0f} ms (aim 100 and 500)")
            rebuild(asking, place, jobs)
            loop.run_until_complete(connection.close())


if __name__ == "__main__":
    main()
