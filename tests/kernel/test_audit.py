"""The audit: an untouched log verifies, an erased one too; every kind of tampering is found and told in words."""

import pytest
from spine import THINGS, add, added, touch

from guildhouse.kernel.db import Database, Note
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.audit import verify, versions
from guildhouse.kernel.log.sequencer import stamp

pytestmark = pytest.mark.anyio


async def a_log(database: Database) -> str:
    """A log of twelve positions; returns the id of the row of which the last one speaks."""
    await added(database, *"abcdefghij")
    async with database.writing(Note()) as connection:
        row_id = await add(connection, "Ada")
        await touch(connection, row_id, order=1)
    async with database.reading() as connection:
        await stamp(connection)
    return row_id


async def test_an_untouched_log_verifies_and_is_summed_up(things: Database) -> None:
    await a_log(things)
    told: list[int] = []
    async with things.reading() as connection:
        report = await verify(connection, told.append)
        assert (report.whole, report.positions, report.erased, told) == (True, 12, [], [12])
        assert report.link == await connection.fetchval("SELECT link FROM change_pos WHERE pos = 12")


async def test_the_digest_does_not_depend_on_the_session(things: Database) -> None:
    await a_log(things)
    async with things.reading() as connection:
        await connection.execute("SET timezone = 'Asia/Taipei'; SET datestyle = 'German'; SET extra_float_digits = 0")
        assert (await verify(connection)).whole
        await connection.execute("RESET ALL")


async def test_an_erased_log_still_verifies_and_says_where(things: Database) -> None:
    row_id = await a_log(things)
    async with things.writing(Note()) as connection:
        assert await changes.forget(connection, "things", [row_id], ["title"]) == 1
    async with things.reading() as connection:
        await stamp(connection)
        report = await verify(connection)
    assert (report.whole, report.positions, report.erased) == (True, 13, [11])


async def test_what_was_forgotten_before_it_was_stamped_verifies(things: Database) -> None:
    async with things.writing(Note()) as connection:
        await changes.forget(connection, "things", [await add(connection, "Ada")], ["title"])
    async with things.reading() as connection:
        await stamp(connection)
        assert (await verify(connection)).erased == [1]


@pytest.mark.parametrize(
    ("tampering", "fault"),
    [
        ("UPDATE changes SET actor = 'eve' WHERE seq = 5", "position 5: its change (seq 5) was altered"),
        (
            'UPDATE changes SET after = \'{"title": "z"}\' WHERE seq = 12',
            "position 12: its change (seq 12) was altered",
        ),
        ("UPDATE changes SET at = at + interval '1 us' WHERE seq = 5", "position 5: its change (seq 5) is missing"),
        (
            "UPDATE changes SET salt = NULL, after = '{}' WHERE seq = 5",
            "position 5: its change (seq 5) has lost its salt",
        ),
        ("DELETE FROM changes WHERE seq = 7", "position 7: its change (seq 7) is missing"),
        ("DELETE FROM change_pos WHERE pos = 7", "after position 6 comes 8"),
        ("UPDATE change_pos SET digest = sha256('x') WHERE pos = 3", "position 3: its change (seq 3) was altered"),
        ("UPDATE change_pos SET link = sha256('x') WHERE pos = 3", "position 3: the chain is broken"),
    ],
)
async def test_tampering_is_found(things: Database, tampering: str, fault: str) -> None:
    await a_log(things)
    async with things.reading() as connection:
        await connection.execute("ALTER TABLE changes DISABLE TRIGGER ALL; ALTER TABLE change_pos DISABLE TRIGGER ALL")
        await connection.execute(tampering)
        found = (await verify(connection)).fault
    assert found is not None
    assert found.startswith(fault)


async def test_a_change_rewritten_with_its_digest_breaks_the_chain(things: Database) -> None:
    await a_log(things)
    async with things.reading() as connection:
        await connection.execute("ALTER TABLE changes DISABLE TRIGGER ALL; ALTER TABLE change_pos DISABLE TRIGGER ALL")
        await connection.execute("""
            DELETE FROM change_pos WHERE pos = 4;
            UPDATE change_pos SET pos = pos - 1 WHERE pos > 4""")
        found = (await verify(connection)).fault
    assert found == "position 4: the chain is broken, here or in what came before it"


async def test_a_change_that_waits_too_long_for_its_position_is_reported(things: Database) -> None:
    await a_log(things)
    await added(things, "young")
    async with things.reading() as connection:
        assert (await verify(connection)).whole
        await connection.execute(
            "INSERT INTO changes (at, resource, row_id, version, verb)"
            " VALUES (now() - interval '2 minutes', 'things', gen_random_uuid(), 1, 'created')"
        )
        report = await verify(connection)
    assert report.unstamped == [14]
    assert report.fault == "change seq 14 has had no position for more than a minute: does the server run?"


async def test_rows_are_at_the_version_of_their_last_change(things: Database) -> None:
    row_id = await a_log(things)
    async with things.reading() as connection:
        assert await versions(connection, [THINGS]) == []
        await connection.execute("ALTER TABLE things DISABLE TRIGGER ALL")
        await touch(connection, row_id, title="behind the log's back")
        unknown = await add(connection)
        faults = await versions(connection, [THINGS])
    assert sorted(faults) == sorted(
        [
            f"things {row_id} is at version 3, its last change at 2",
            f"things {unknown} is at version 1, but the log knows no change of it",
        ]
    )
