"""What the bench works on: an organization, its recruiter, and many jobs of about 1.5 kB, made up from a fixed seed."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from guildhouse import app
from guildhouse.accounts.api_key import api_keys
from guildhouse.accounts.person import people
from guildhouse.kernel import migrate, store
from guildhouse.kernel.actor import HOUSE
from guildhouse.kernel.bulk import write_many
from guildhouse.kernel.bulk_writing import Op
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Database, Note
from guildhouse.kernel.log.sequencer import stamp
from guildhouse.organizations.membership import memberships
from guildhouse.organizations.organization import organizations

WORDS = [
    "analysis",
    "build",
    "care",
    "data",
    "engine",
    "field",
    "growth",
    "health",
    "ink",
    "join",
    "keep",
    "learn",
    "make",
    "north",
    "open",
    "plan",
    "quiet",
    "road",
]
CITIES = ["Taipei", "Tainan", "Kaohsiung", "Hsinchu", "Taichung", "Hualien", "Keelung", "Chiayi"]
DEEP = 50_000  # the row behind which the deep page starts
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Prepared:
    """What the cases need to know."""

    token: str
    organization_id: str
    ids: list[str]
    position: str


def example(n: int, organization_id: str) -> dict[str, Any]:
    """The n-th job."""
    chance = random.Random(n)
    text = " ".join(chance.choices(WORDS, k=190))
    return {
        "title": f"{chance.choice(WORDS).title()} {chance.choice(WORDS)} {n}",
        "organization_id": organization_id,
        "status": "open",
        "description": text,
        "city": chance.choice(CITIES),
        "country": "TW",
        "employment_type": chance.choice(["full_time", "part_time", "internship"]),
        "workplace": chance.choice(["on_site", "hybrid", "remote"]),
        "salary_min": 40_000 + n % 100 * 100,
        "salary_max": 60_000 + n % 100 * 100,
        "salary_currency": "TWD",
        "salary_period": "month",
        "skills": chance.sample(WORDS, 4),
        "posted_at": (START + timedelta(minutes=n % 400_000)).isoformat(),
        "external_id": f"bench-{n}-{chance.random()}",
        "source": "bench",
    }


async def prepare(
    dsn: str, jobs: int, make: Callable[[int, str], dict[str, Any]] = example, *, bare: bool = True
) -> Prepared:
    """A migrated database with everything in it; `bare` with a copy of the table for the limit to write to."""
    await migrate.migrate(dsn, app.HOUSE)
    database = await Database.open(dsn, 2)
    async with database.writing(Note()) as connection:
        ctx = Context(app.HOUSE, connection, HOUSE, Note())
        person = await store.create(ctx, people, {"email": "r@example.org", "name": "R"}, verb="created")
        organization = await store.create(ctx, organizations, {
            "name": "Bench", "slug": "bench", "kind": "employer", "founder_id": person.id,
        }, verb="created")  # fmt: skip
        organization = await store.change(ctx, organizations, organization, {"status": "approved"}, verb="approved")
        values = {"person_id": person.id, "organization_id": organization.id, "role": "owner"}
        await store.create(ctx, memberships, values, verb="created")
        actor = await app.Accounts(app.HOUSE).actor_of(connection, person.id)
        key_ctx = Context(app.HOUSE, connection, actor, Note())
        await store.create(key_ctx, api_keys, {"name": "bench", "permissions": ["*"]}, verb="created")
    for first in range(0, jobs, 1000):
        async with database.writing(Note()) as connection:
            ctx = Context(app.HOUSE, connection, actor, Note())
            ops = [Op(op="create", data=make(n, organization.id)) for n in range(first, min(first + 1000, jobs))]
            outcomes = await write_many(ctx, app.HOUSE.resources["jobs"], ops)
            assert all(each.status == "created" for each in outcomes), outcomes[0]
    async with database.reading() as connection:
        # As a server would have done meanwhile: one that finds so long a log without positions has other things to do.
        while (await stamp(connection)).total:
            pass
        # The limit writes to a table of the same size: an index that is empty costs less to grow.
        if bare:
            await connection.execute("CREATE TABLE bare_jobs (LIKE jobs INCLUDING ALL)")
            await connection.execute("INSERT INTO bare_jobs SELECT * FROM jobs")
        await connection.execute("VACUUM ANALYZE")
        place = await connection.fetchrow(
            "SELECT posted_at, id FROM jobs ORDER BY posted_at DESC, id DESC OFFSET $1 LIMIT 1",
            max(0, min(DEEP, jobs // 2) - 1),
        )
        ids = [r["id"] for r in await connection.fetch("SELECT id FROM jobs ORDER BY md5(id::text) LIMIT 5000")]
    await database.close()
    position = f"{place['posted_at'].isoformat().replace('+00:00', 'Z')},{place['id']}" if place else ""
    return Prepared(key_ctx.revealed["key"], organization.id, ids, position)
