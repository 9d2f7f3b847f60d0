"""The demonstration: believable, made once, and made by nobody who could not have done it."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from httpx2 import ASGITransport, AsyncClient

from guildhouse import app
from guildhouse.applications.progress import STAGES
from guildhouse.commands import demo
from guildhouse.config import load
from guildhouse.jobs.job import STAGES as JOB_STAGES
from guildhouse.kernel.log.audit import verify, versions
from guildhouse.kernel.log.sequencer import stamp
from tests.conftest import dsn_of, fresh

ADDRESS = "http://guildhouse.test"


@pytest.fixture(scope="module")
def told(server_dsn: str, template: str) -> Iterator[tuple[str, str]]:
    """A database that was filled once, to be copied, and what was said of it."""
    with fresh(server_dsn, template) as name:
        _, said = asyncio.run(fill(dsn_of(server_dsn, name)))
        yield name, said


@pytest.fixture
def filled(server_dsn: str, told: tuple[str, str]) -> Iterator[str]:
    """The DSN of a database with the community in it."""
    with fresh(server_dsn, told[0]) as name:
        yield dsn_of(server_dsn, name)


async def fill(dsn: str, **options: Any) -> tuple[Counter[str], str]:
    """What was made, and what was said."""
    said: list[str] = []
    made = await demo.fill(dsn, ADDRESS, options.pop("seed", 7), "small", said.append, **options)
    return made, "\n".join(said)


def fetch(dsn: str, statement: str) -> list[Any]:
    async def run() -> list[Any]:
        connection = await asyncpg.connect(dsn)
        try:
            return [tuple(record) for record in await connection.fetch(statement)]
        finally:
            await connection.close()

    return asyncio.run(run())


def values(dsn: str, statement: str) -> set[Any]:
    return {each[0] for each in fetch(dsn, statement)}


def test_twice_is_the_same_as_once(dsn: str) -> None:
    made, said = asyncio.run(fill(dsn))
    assert made["people"] == 36 and made["organizations"] == 8 and made["applications"] > 100
    assert "export KEY=gh_" in said and f"{ADDRESS}/first-admin?token=" in said
    before = fetch(dsn, "SELECT count(*), max(seq) FROM changes")
    made, said = asyncio.run(fill(dsn))
    assert not made and "nothing was added" in said and "gh_" not in said
    assert fetch(dsn, "SELECT count(*), max(seq) FROM changes") == before


def test_another_key_is_made_on_demand_only(filled: str) -> None:
    made, said = asyncio.run(fill(filled, new_key=True))
    assert dict(made) == {"api_keys": 1} and "export KEY=gh_" in said


def test_there_is_something_of_everything(filled: str) -> None:
    assert values(filled, "SELECT stage FROM applications") == set(STAGES.names())
    assert values(filled, "SELECT status FROM jobs") == set(JOB_STAGES.names())
    assert values(filled, "SELECT kind FROM organizations") == {"employer", "school", "guild", "union", "city"}
    assert values(filled, "SELECT status FROM organizations") == {"approved", "pending"}
    assert values(filled, "SELECT audience FROM notes") == {"private", "team", "shared"}
    assert values(filled, "SELECT role FROM people") == {"member", "coach", "moderator"}
    assert values(filled, "SELECT done_at IS NULL FROM reminders") == {True, False}
    assert fetch(filled, "SELECT count(*) FROM jobs WHERE person_id IS NOT NULL")[0][0] >= 4
    assert fetch(filled, "SELECT count(*) FROM jobs WHERE title ~ '[一-龥]'")[0][0] >= 10
    assert fetch(filled, "SELECT count(*) FROM jobs WHERE title ~ '^[A-Za-z ,]+$'")[0][0] >= 10


def test_nobody_has_a_password_and_nobody_is_admin(filled: str) -> None:
    assert values(filled, "SELECT password_hash FROM people") == {None}
    assert "admin" not in values(filled, "SELECT role FROM people")


def test_times_are_spread_over_months_and_none_is_in_the_future(filled: str) -> None:
    ((first, last),) = fetch(
        filled, "SELECT min(created_at), max(greatest(updated_at, submitted_at)) FROM applications"
    )
    assert first < datetime.now(UTC) - timedelta(days=60)
    assert last <= datetime.now(UTC)
    assert fetch(filled, "SELECT count(*) FROM jobs WHERE updated_at > now() OR posted_at > now()") == [(0,)]


def test_the_log_knows_all_of_it(filled: str) -> None:
    async def audit() -> tuple[bool, list[str]]:
        connection = await asyncpg.connect(filled)
        try:
            await stamp(connection)
            tables = [each.sql_table for each in app.HOUSE.resources.values()]
            return (await verify(connection)).whole, await versions(connection, tables)
        finally:
            await connection.close()

    assert asyncio.run(audit()) == (True, [])
    assert values(filled, "SELECT reason FROM changes") == {"Demonstration"}


@pytest.mark.anyio
async def test_the_commands_that_are_shown_show_something(filled: str, told: tuple[str, str]) -> None:
    said = told[1]
    key = said.partition("export KEY=")[2].split()[0]
    addresses = [line.split("'")[1] for line in said.splitlines() if "curl" in line]
    assert len(addresses) == 3
    async with app.running(load(limits=0, pool=3), filled) as running:
        transport = ASGITransport(app=running.asgi)
        async with AsyncClient(transport=transport, headers={"Authorization": f"Bearer {key}"}) as client:
            for address in addresses:
                answer = await client.get(address)
                assert answer.status_code == 200 and answer.json()["data"], address


def test_with_an_admin_no_link_is_given(filled: str) -> None:
    fetch(filled, "UPDATE people SET role = 'admin', version = version + 1 WHERE role = 'moderator'")
    assert "first-admin" not in asyncio.run(fill(filled))[1]
