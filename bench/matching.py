"""Matching: what it costs to judge rows that are written by a thousand kept searches, half of them with words.

    python -m bench.matching [--rows 2000] [--searches 1000]

Jobs are written in batches of as many as 200 writes a second bring in a tenth of a second; the reader's own function judges
them, with PostgreSQL. The ratios are to a single kept search, which is what it costs to hear of a row at all.
"""

import argparse
import asyncio
import random
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.prepare import CITIES, prepare
from bench.searching import WORDS, job
from guildhouse.accounts.identity import Accounts
from guildhouse.app import HOUSE
from guildhouse.kernel.bulk import Op, write_many
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


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=2_000)
    parser.add_argument("--searches", type=int, default=1_000)
    asked = parser.parse_args()
    place = Path(tempfile.mkdtemp(prefix="guildhouse-bench-"))
    place.chmod(0o711)
    asyncio.run(compare(place, asked.rows, asked.searches))
