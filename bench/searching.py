"""Searching: the server's searches against the bare engine on the same index, and against PostgreSQL's own text search.

    python -m bench.searching [--jobs 500000] [--at DIRECTORY] [--only suggest mixed lag]

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
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import accumulate
from pathlib import Path
from statistics import median
from typing import Any
from urllib.parse import quote

import asyncpg
import orjson
from tantivy import Occur, Query

from bench import meter
from bench.__main__ import GUILDHOUSE, Cost, server, wait_for_index
from bench.load import Request, apart, found_after, request, run
from bench.prepare import Prepared, example, prepare
from guildhouse.app import HOUSE
from guildhouse.kernel.embedded import Embedded
from guildhouse.kernel.searching.index_schema import schema_of
from guildhouse.kernel.searching.search_index import SearchIndex
from guildhouse.kernel.searching.tokens import stems

VOCABULARY = 50_000
SYLLABLES = [c + v for c in "bcdfghjklmnprstvz" for v in ("a", "e", "i", "o", "u", "ar", "en", "ol")]
TIMES = 15
SETTLED = 15  # seconds after its start, in which a server loads what its domains want at hand
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

    def __init__(self, address: tuple[str, int], token: str) -> None:
        self.connection, self.token = http.client.HTTPConnection(*address), token

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


@dataclass(frozen=True)
class Served:
    """A server with many jobs, and the processes whose CPU time counts."""

    place: Path
    dsn: str
    prepared: Prepared
    jobs: int
    address: tuple[str, int]
    pid: int
    postmaster: int

    @property
    def key(self) -> str:
        """The header of who asks."""
        return f"Authorization: Bearer {self.prepared.token}\r\n"

    def request(self, path: str) -> bytes:
        """A question as bytes."""
        return request("GET", path, headers=self.key)

    def asking(self) -> Asking:
        """Somebody who asks one question after the other."""
        return Asking(self.address, self.prepared.token)

    def cpu(self) -> tuple[float, float]:
        """CPU seconds so far of the server, and of PostgreSQL."""
        return meter.seconds(self.pid), meter.cpu(self.pid, self.postmaster) - meter.seconds(self.pid)

    def cost(self, before: tuple[float, float], count: int) -> Cost:
        """CPU of each of so many requests since then."""
        own, database = ((now - then) / count * 1000 for now, then in zip(self.cpu(), before, strict=True))
        return Cost(own, database)

    def measured(self, make: Request, count: int, connections: int) -> tuple[list[float], str]:
        """How long each request took, and what is to be told of their cost."""
        before = self.cpu()
        result = run(self.address, make, count, connections)
        load = result.cpu / count * 1000
        return result.took, (
            f"{result.per_second:.0f} a second, each {self.cost(before, count)} ms of CPU, and {load:.2f} of the load"
        )

    def answered(self, path: Callable[[int], str]) -> float:
        """The median of some whole answers in milliseconds, one after the other, each to a question of its own."""
        run(self.address, lambda n: self.request(path(n + TIMES)), TIMES, 1)  # plans, files, types
        return median(run(self.address, lambda n: self.request(path(n)), TIMES, 1).took) * 1000


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


def compare(served: Served, index: SearchIndex, ranked: Callable[[str], Any]) -> None:
    """The table of ratios."""
    print(f"{'top 20 by relevance':<24}{'bare':>9}{'ours':>9}{'ratio':>8} {'aim':<6}{'ts_rank':>10}{'ahead':>8}")
    for name, make, aim in (
        ("frequent word", frequent, "<= 3"),
        ("two usual words", usual, "<= 3"),
        ("rare word", rare, ""),
    ):
        bare = milliseconds(lambda n, make=make: bare_search(index, make(n)))
        ours = served.answered(lambda n, make=make: f"/v1/jobs?limit=20&q={quote(make(n))}")
        theirs = milliseconds(lambda n, make=make: ranked(make(n)))
        print(
            f"{name:<24}{bare:>9.2f}{ours:>9.2f}{ours / bare:>8.1f} {aim:<6}{theirs:>10.1f}{theirs / ours:>8.0f}",
            flush=True,
        )
    bare = milliseconds(lambda n: bare_facets(index, frequent(n)))
    path = f"/v1/jobs?limit=1&fields=id&facets={','.join(FACETS)}&q="
    ours = served.answered(lambda n: path + frequent(n))
    print(f"{'five facets':<24}{bare:>9.2f}{ours:>9.2f}{ours / bare:>8.1f} {'<= 3':<6}", flush=True)


def until_quiet(asking: Asking) -> None:
    """Wait until the readers and the index have read all that was loaded."""
    while (told := asking.get("/ready"))["status"] != "pass" or told["checks"]["search"]["detail"]["changes_behind"]:
        time.sleep(1)


def suggestions(served: Served) -> None:
    """Completions, eight at the same time."""

    def completing(n: int) -> bytes:
        return served.request(f"/v1/search/suggest?q={WORDS[n * 7 % 3_000][:3]}")

    run(served.address, lambda n: completing(n + 800), 200, 8)
    took, cost = served.measured(completing, 800, 8)
    print(
        f"suggest, 8 at once: p50 {at(took, 0.5):.1f} ms, p95 {at(took, 0.95):.1f} ms (aim p95 20); {cost}", flush=True
    )


KINDS: Mapping[str, Callable[[int], str]] = {
    "two words": lambda n: f"/v1/jobs?limit=20&q={quote(usual(n + 500))}",
    "newest": lambda n: f"/v1/jobs?limit=20&q={frequent(n)}&city=Taipei&sort=-posted_at",
    "suggest": lambda n: f"/v1/search/suggest?q={WORDS[n * 11 % 3_000][:3]}",
    "facets": lambda n: f"/v1/jobs?limit=20&fields=id,title&facets=city&q={quote(usual(n + 9_000))}",
    "everything": lambda n: f"/v1/search?q={WORDS[2_000 + n % 40_000]}",
}


def mixture(served: Served) -> None:
    """Searches of all kinds, 32 at the same time; and how long each kind takes among the others."""
    kinds = list(KINDS.values())

    def mixed(n: int) -> bytes:
        return served.request(kinds[n % len(kinds)](n))

    run(served.address, lambda n: mixed(n + 100_000), 1_000, 32)  # to warm up: connections are made, plans are laid
    took, cost = served.measured(mixed, 3_000, 32)
    print(
        f"mixed, 32 at once: p50 {at(took, 0.5):.0f} ms, p99 {at(took, 0.99):.0f} ms (aim p99 100); {cost}", flush=True
    )
    for n, kind in enumerate(KINDS):
        print(f"  {kind:<12}p50 {at(took[n :: len(KINDS)], 0.5):.0f} ms, p99 {at(took[n :: len(KINDS)], 0.99):.0f} ms")


def at(took: Sequence[float], share: float) -> float:
    """A percentile in milliseconds."""
    return sorted(took)[int(len(took) * share)] * 1000


def lag(served: Served, seconds: int = 15, rate: int = 200, writers: int = 4) -> None:
    """From the answer to a write until a search finds it, while so many a second are written."""
    run_of_its_own = int(time.time())

    def word(n: int) -> str:
        return f"zq{n}qz{run_of_its_own}"

    def write(n: int) -> bytes:
        body = orjson.dumps({"title": word(n)})
        path = f"/v1/jobs/{served.prepared.ids[n % len(served.prepared.ids)]}"
        return request("PATCH", path, body, served.key + "Prefer: return=minimal\r\n")

    def look(n: int) -> bytes:
        return served.request(f"/v1/jobs?limit=1&fields=id&q=title:{word(n)}")

    before = served.cpu()
    took, wrote = apart(lambda: found_after(served.address, write, look, seconds * rate, rate, writers))
    print(
        f"{wrote:.0f} writes a second: commit to found p50 {at(took, 0.5):.0f} ms, p99 {at(took, 0.99):.0f} ms "
        f"(aim 100 and 500); {served.cost(before, seconds * rate)} a write",
        flush=True,
    )


def rebuild(served: Served) -> None:
    """A new index while the old one answers."""
    search = served.place / "search"
    old = next(search.glob("*-*-*"))
    (search / "rebuild").touch()
    asking, start, took = served.asking(), time.perf_counter(), list[float]()
    while old.exists():
        begun = time.perf_counter()
        query = quote(usual(50_000 + len(took)))
        assert asking.get(f"/v1/jobs?limit=20&q={query}")["search"]["engine"] == "index"
        took.append(time.perf_counter() - begun)
        time.sleep(0.05)
    seconds = time.perf_counter() - start
    took.sort()
    print(
        f"built anew while serving: {served.jobs / seconds:.0f} jobs a second; "
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


def compared(served: Served) -> None:
    """The table of ratios, with PostgreSQL's own search beside ours."""
    directory = next((served.place / "search").glob("*-*-*"))
    size = int(subprocess.run(["du", "-sk", directory], capture_output=True, text=True, check=True).stdout.split()[0])
    print(f"index: {size / 1024:.0f} MB, {size * 1024 / served.jobs:.0f} bytes a job", flush=True)
    loop = asyncio.new_event_loop()
    connection = loop.run_until_complete(asyncpg.connect(served.dsn))

    def ranked(text: str) -> Any:
        return loop.run_until_complete(connection.fetch(RANKED, text.replace(" ", " & ")))

    compare(served, SearchIndex(schema_of(HOUSE).schemas["jobs"], directory / "jobs"), ranked)
    loop.run_until_complete(connection.close())


PARTS: Mapping[str, Callable[[Served], None]] = {
    "compare": compared,
    "suggest": suggestions,
    "mixed": mixture,
    "lag": lag,
    "rebuild": rebuild,
}


def prepared_at(place: Path, dsn: str, jobs: int) -> Prepared:
    """The jobs of before, where they are kept, else new ones."""
    kept = place / "prepared.json"
    if not kept.exists():
        prepared = asyncio.run(prepare(dsn, jobs, job, bare=False))
        asyncio.run(with_text(dsn))
        kept.write_bytes(orjson.dumps(asdict(prepared)))
    return Prepared(**orjson.loads(kept.read_bytes()))


def main() -> None:
    """Prepare, then compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=500_000)
    parser.add_argument("--at", type=Path, help="keep the jobs in this directory, and take those that are there")
    parser.add_argument("--only", nargs="*", choices=PARTS, default=list(PARTS))
    parser.add_argument("--port", type=int, default=GUILDHOUSE[1])
    options = parser.parse_args()
    place = options.at or Path(tempfile.mkdtemp(prefix="guildhouse-bench-"))
    place.mkdir(exist_ok=True)
    place.chmod(0o711)
    with Embedded(place) as dsn:
        prepared = prepared_at(place, dsn, options.jobs)
        postmaster = int(next(place.glob("postgres-*/postmaster.pid")).read_text().split()[0])
        settings = {"DATABASE_URL": dsn, "GUILDHOUSE_DATA": str(place), "GUILDHOUSE_LIMITS": "0"}
        up = ["-m", "guildhouse", "up", "--port", str(options.port)]
        with server(up, options.port, GUILDHOUSE_LOG_LEVEL="error", **settings) as pid:
            address = (GUILDHOUSE[0], options.port)
            served = Served(place, dsn, prepared, options.jobs, address, pid, postmaster)
            asking, start = served.asking(), time.perf_counter()
            wait_for_index(address, prepared.token)
            if (took := time.perf_counter() - start) > 1:
                print(f"first index: {options.jobs / took:.0f} jobs a second", flush=True)
            until_quiet(asking)
            time.sleep(max(0.0, start + SETTLED - time.perf_counter()))
            for part in options.only:
                PARTS[part](served)


if __name__ == "__main__":
    main()
