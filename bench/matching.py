"""Matching: what it costs to judge rows that are written by a thousand kept searches, half of them with words.

    python -m bench.matching [--rows 2000] [--searches 1000]

Jobs are written in batches of as many as 200 writes a second bring in a tenth of a second; the reader's own function judges
them, with PostgreSQL. The ratios are to a single kept search, which is what it costs to hear of a row at all.

Then the same with a whole server: 200 jobs are posted a second, and the log tells how long after each its matches were made.
"""

import argparse
import asyncio
import http.client
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import orjson

from bench.__main__ import GUILDHOUSE, server
from bench.prepare import CITIES, Prepared, prepare
from bench.searching import WORDS, Asking, at, job
from guildhouse.accounts.identity import Accounts
from guildhouse.app import HOUSE
from guildhouse.kernel.bulk import write_many
from guildhouse.kernel.bulk_writing import Op
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Database, Note
from guildhouse.kernel.embedded import Embedded
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.log.sequencer import stamp
from guildhouse.kernel.scopes import scope
from guildhouse.searches.asking import address_of
from guildhouse.searches.matching import Matcher

BATCH = 20
KEEP = """
INSERT INTO saved_searches (id, person_id, name, resource, query, address, alert, status, scopes, version)
SELECT gen_random_uuid(), $1, 'Mine', 'jobs', query, address, 'none', 'active', $4, 1
FROM unnest($2::jsonb[], $3::text[]) AS s (query, address)
"""


@dataclass(frozen=True)
class Cost:
    """What some rows cost: seconds, seconds of this process's CPU, and how many matches they made."""

    rows: int
    seconds: float
    cpu: float
    matches: int

    def __str__(self) -> str:
        per_row = f"{self.cpu / self.rows * 1000:.2f} ms CPU, {self.seconds / self.rows * 1000:.2f} ms a row"
        return f"{self.rows / self.seconds:8,.0f} rows/s   {per_row}, {self.matches} matches"

    def times(self, other: "Cost") -> float:
        """How many times the CPU of another a row costs."""
        return (self.cpu / self.rows) / (other.cpu / other.rows)


def query(n: int, words: bool) -> dict[str, str]:
    """The n-th search: two filters, or one and two words."""
    chance = random.Random(n)
    if words:
        said = " ".join(chance.choices(WORDS[60:2_000], k=chance.choice((1, 2, 2, 3))))
        return {"city": chance.choice(CITIES), "q": said}
    return {"city": chance.choice(CITIES), "salary_max[gte]": str(60_000 + n % 1_000 * 10), "workplace": "remote"}


async def keep_searches(database: Database, person: str, many: int, words: float) -> None:
    """Keep so many searches of one person, such a part of them with words; those of before go."""
    queries = [query(n, n < many * words) for n in range(many)]
    addresses = [address_of(HOUSE.resources["jobs"], each) for each in queries]
    async with database.writing(Note()) as connection:
        await connection.execute("DELETE FROM saved_searches")
        await connection.execute(KEEP, person, queries, addresses, [scope("person", person)])


async def written(database: Database, organization: str, person: str, first: int) -> Sequence[Change]:
    """A batch of new jobs, as the reader gets it."""
    async with database.writing(Note()) as connection:
        actor = await Accounts(HOUSE).actor_of(connection, person)
        ops = [Op(op="create", data={**job(n, organization), "external_id": None}) for n in range(first, first + BATCH)]
        outcomes = await write_many(Context(HOUSE, connection, actor, Note()), HOUSE.resources["jobs"], ops)
        assert all(each.status == "created" for each in outcomes), outcomes[0]
    async with database.reading() as connection:
        before = (await changes.head(connection)).pos
        await stamp(connection)
        stretch = await changes.between(connection, before, (await changes.head(connection)).pos)
    return [each for each in stretch.changes if each.resource == "jobs"]


async def judged(database: Database, organization: str, person: str, rows: int) -> Cost:
    """What the reader costs for so many rows, all that PostgreSQL does for it included in the seconds."""
    matcher = Matcher(HOUSE)
    async with database.reading() as connection:
        await matcher.begin(connection)
    seconds = cpu = 0.0
    for first in range(0, rows, BATCH):
        batch = await written(database, organization, person, first)
        begun, used = time.perf_counter(), time.process_time()
        async with database.writing(Note()) as connection:
            await matcher.handle(connection, batch)
        if first:  # the first one loads the vocabulary
            seconds, cpu = seconds + time.perf_counter() - begun, cpu + time.process_time() - used
    async with database.reading() as connection:
        matches = await connection.fetchval("SELECT count(*) FROM search_matches")
    return Cost(rows - BATCH, seconds, cpu, matches)


async def compare(place: Path, rows: int, searches: int) -> None:
    """One table."""
    with Embedded(place) as dsn:
        prepared = await prepare(dsn, 1, bare=False)
        database = await Database.open(dsn, 2)
        async with database.reading() as connection:
            person = await connection.fetchval("SELECT id FROM people")
        first: Cost | None = None
        for name, many, words in (
            ("one, with filters", 1, 0.0),
            (f"{searches:,}, with filters", searches, 0.0),
            (f"{searches:,}, half with words", searches, 0.5),
            (f"{searches:,}, all with words", searches, 1.0),
        ):
            await keep_searches(database, person, many, words)
            cost = await judged(database, prepared.organization_id, person, rows)
            first = first or cost
            print(f"{name:26}{cost}, {cost.times(first):.0f} x", flush=True)
        await database.close()


LATENCY = """
SELECT extract(epoch FROM m.at - j.at)::float FROM changes m
JOIN changes j ON j.resource = 'jobs' AND j.row_id = (m.after ->> 'row_id')::uuid AND j.version = 1
WHERE m.resource = 'search_matches' AND j.seq > $1 ORDER BY 1
"""


async def live(place: Path, searches: int, seconds: int = 15, rate: int = 200) -> None:
    """How long it takes from a job to its matches, on a server that has much to do."""
    with Embedded(place) as dsn:
        prepared = await prepare(dsn, 5_000, job, bare=False)
        database = await Database.open(dsn, 2)
        async with database.reading() as connection:
            person = await connection.fetchval("SELECT id FROM people")
        settings = {"DATABASE_URL": dsn, "GUILDHOUSE_DATA": str(place), "GUILDHOUSE_LIMITS": "0"}
        up = ["-m", "guildhouse", "up", "--port", str(GUILDHOUSE[1])]
        for name, words in (("with filters", 0.0), ("half with words", 0.5), ("all with words", 1.0)):
            await keep_searches(database, person, searches, words)
            with server(up, GUILDHOUSE[1], GUILDHOUSE_LOG_LEVEL="error", **settings):
                await asyncio.to_thread(until_ready, prepared.token)
                async with database.reading() as connection:
                    since = await connection.fetchval("SELECT max(seq) FROM changes")
                written = await asyncio.to_thread(post, prepared, rate, seconds)
                await asyncio.sleep(5)
                took = [record[0] for record in await database.pool.fetch(LATENCY, since)]
            told = f"p50 {at(took, 0.5):.0f} ms, p99 {at(took, 0.99):.0f} ms (aim 1,000)"
            print(f"{searches:,} {name}: {written:.0f} jobs a second, {len(took)} matches, {told}", flush=True)
        await database.close()


def until_ready(token: str) -> None:
    """Wait until the index is built, the readers have read everything, and what is to be at hand is."""
    asking = Asking(GUILDHOUSE, token)
    while asking.get("/ready")["status"] != "pass":
        time.sleep(0.5)
    time.sleep(10)


def post(prepared: Prepared, rate: int, seconds: int) -> float:
    """Post jobs, so many a second; says how many they were a second."""
    connection, start = http.client.HTTPConnection(*GUILDHOUSE), time.perf_counter()
    headers = {"Authorization": f"Bearer {prepared.token}", "Content-Type": "application/json"}
    for n in range(rate * seconds):
        time.sleep(max(0.0, start + n / rate - time.perf_counter()))
        body = {**job(n + 1_000_000, prepared.organization_id), "external_id": None}
        connection.request("POST", "/v1/jobs", orjson.dumps(body), headers)
        answer = connection.getresponse()
        assert answer.status == 201, answer.read()
        answer.read()
    return rate * seconds / (time.perf_counter() - start)


def fresh() -> Path:
    """A place for a server."""
    place = Path(tempfile.mkdtemp(prefix="guildhouse-bench-"))
    place.chmod(0o711)
    return place


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--searches", type=int, default=1_000)
    asked = parser.parse_args()
    asyncio.run(compare(fresh(), asked.rows, asked.searches))
    asyncio.run(live(fresh(), asked.searches))
