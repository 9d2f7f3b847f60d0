"""The log as it is read: by position, by row, by transaction; erased from, and guarded against all other rewriting."""

import asyncpg
import pytest
from spine import add, added, touch

from guildhouse.kernel.db import Database, Note
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Position, StaleEpoch, WrongPosition
from guildhouse.kernel.log.log_tables import UNINSTALL, ensure_partitions
from guildhouse.kernel.log.sequencer import new_epoch, stamp

pytestmark = pytest.mark.anyio


async def test_positions_are_dense_and_a_page_goes_on_where_the_last_one_ended(things: Database) -> None:
    ids = await added(things, *"abcdefg")
    async with things.reading() as connection:
        await stamp(connection)
        first = await changes.after(connection, 0, 3)
        rest = await changes.after(connection, first.upto, 100)
        past_the_end = await changes.after(connection, 99)
    assert [change.row_id for change in first.changes + rest.changes] == ids
    assert [change.pos for change in first.changes + rest.changes] == [1, 2, 3, 4, 5, 6, 7]
    assert (first.upto, rest.upto, past_the_end) == (3, 7, changes.Stretch([], 99))


async def test_a_search_for_some_resources_goes_on_past_all_others(things: Database) -> None:
    await added(things, "a", "b")
    async with things.reading() as connection:
        await stamp(connection)
        assert await changes.after(connection, 0, 10, ["jobs"]) == changes.Stretch([], 2)
        found = await changes.after(connection, 0, 1, ["jobs", "things"])
    assert (len(found.changes), found.upto) == (1, 1)


async def test_a_row_is_read_both_ways_in_pages_before_it_is_stamped(things: Database) -> None:
    async with things.writing(Note()) as connection:
        row_id = await add(connection)
        for n in range(4):
            await touch(connection, row_id, order=n)
    async with things.reading() as connection:
        newest = await changes.of_row(connection, "things", row_id, limit=2)
        older = await changes.of_row(connection, "things", row_id, limit=9, beyond=newest[-1].seq)
        oldest = await changes.of_row(connection, "things", row_id, limit=1, newest_first=False)
    assert [change.version for change in newest + older] == [5, 4, 3, 2, 1]
    assert oldest == older[-1:]
    assert newest[0].pos is None


async def test_a_transaction_sees_its_own_changes_only_and_they_can_be_rolled_back(things: Database) -> None:
    await added(things, "before")
    async with things.reading() as connection:
        transaction = connection.transaction()
        await transaction.start()
        row_id = await add(connection)
        await touch(connection, row_id, title="other")
        seen = await changes.of_transaction(connection)
        await transaction.rollback()
        assert [(change.row_id, change.verb) for change in seen] == [(row_id, "created"), (row_id, "changed")]
        assert await changes.of_row(connection, "things", row_id) == []
        assert await changes.of_transaction(connection) == []


async def test_the_position_of_a_transaction_is_its_last_once_stamped(things: Database) -> None:
    async with things.writing(Note()) as connection:
        await add(connection)
        await add(connection)
        xid = await connection.fetchval("SELECT pg_current_xact_id()::text::bigint")
    async with things.reading() as connection:
        assert await changes.position_of(connection, xid) is None
        await stamp(connection)
        assert await changes.position_of(connection, xid) == 2
        assert (await changes.head(connection)).has(xid)


async def test_effects_are_found_by_their_cause(things: Database) -> None:
    async with things.writing(Note()) as connection:
        await add(connection)
        (cause,) = await changes.of_transaction(connection)
    async with things.writing(Note(caused_by=cause.seq)) as connection:
        row_id = await add(connection)
    async with things.reading() as connection:
        assert [change.row_id for change in await changes.caused_by(connection, cause.seq)] == [row_id]


def test_a_position_is_read_back_as_it_was_written() -> None:
    for position in (Position("0a1b2c3d", pos=12), Position("0a1b2c3d", xid=9_000_000_000)):
        assert Position.parse(str(position), "0a1b2c3d") == position


@pytest.mark.parametrize(
    "text", ["", "12", ".12", "ab.", "ab.x", "ab.-1", "ab.1x", "ab.xx1", "ab.\u0661", "a b.1", "ab." + "9" * 19]
)
def test_what_is_no_position_is_refused(text: str) -> None:
    with pytest.raises(WrongPosition):
        Position.parse(text, "ab")


def test_a_position_of_another_epoch_is_stale() -> None:
    with pytest.raises(StaleEpoch):
        Position.parse("old.12", "new")


async def test_a_new_epoch_makes_old_positions_stale_and_goes_on_counting(things: Database) -> None:
    await added(things, "a")
    async with things.reading() as connection:
        before = await changes.current_position(connection)
        assert await new_epoch(connection) != before.epoch
        now = await changes.current_position(connection)
    assert (before.pos, now.pos) == (0, 1)
    with pytest.raises(StaleEpoch):
        Position.parse(str(before), now.epoch)


async def test_what_is_forgotten_is_null_in_every_change_of_the_row_and_told_to_the_readers(things: Database) -> None:
    async with things.writing(Note()) as connection:
        row_id = await add(connection, "Ada Lovelace", ["members"])
        other = await add(connection, "Ada Lovelace")
        await touch(connection, row_id, title="Countess", order=1)
        await touch(connection, row_id, order=2)
    async with things.writing(Note(actor="otto")) as connection:
        assert await changes.forget(connection, "things", [row_id], ["title"]) == 2
        assert await changes.forget(connection, "things", [row_id], ["title"]) == 0
        log = await connection.fetchval(
            "SELECT string_agg(concat(before, after), '') FROM changes WHERE row_id = $1", row_id
        )
        past = await changes.of_row(connection, "things", row_id, newest_first=False)
        (untouched,) = await changes.of_row(connection, "things", other)
    assert "Ada" not in log and "Countess" not in log
    assert past[1].before == {"title": None, "order": None}
    assert past[1].after == {"title": None, "order": 1}
    assert past[2].after == {"order": 2}
    told = past[-1]
    assert (told.verb, told.actor, told.after, told.scopes_after) == ("forgotten", "otto", {"title": None}, ["members"])
    assert (untouched.after or {})["title"] == "Ada Lovelace"


async def test_what_is_forgotten_loses_its_salt_and_nothing_else_does(things: Database) -> None:
    async with things.writing(Note()) as connection:
        row_id = await add(connection, "Ada")
        await touch(connection, row_id, order=2)
        await changes.forget(connection, "things", [row_id], ["title"])
        salts = await connection.fetch("SELECT salt FROM changes ORDER BY seq")
    assert [record["salt"] is None for record in salts] == [True, False, False]
    assert len(salts[1]["salt"]) == 16


async def test_what_was_purged_can_still_be_forgotten_in_the_sight_of_those_who_saw_it(things: Database) -> None:
    async with things.writing(Note()) as connection:
        row_id = await add(connection, "Ada", ["members"])
        await connection.execute("DELETE FROM things")
        assert await changes.forget(connection, "things", [row_id], ["title"]) == 2
        told = (await changes.of_row(connection, "things", row_id))[0]
    assert (told.verb, told.scopes_after) == ("forgotten", ["members"])


ERASE = "SET LOCAL guildhouse.upkeep = 'erase'; UPDATE changes SET salt = NULL, "


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE changes SET actor = 'eve'",
        "UPDATE changes SET after = '{}', salt = NULL",
        "DELETE FROM changes",
        "TRUNCATE changes",
        "DELETE FROM change_pos",
        "UPDATE change_pos SET seq = seq + 1",
        "TRUNCATE change_pos",
        ERASE + "actor = 'eve'",
        ERASE + "at = at + interval '1 second'",
        ERASE + 'after = after || \'{"title": "better"}\'',
        ERASE + "after = '{}'",
        ERASE + "after = NULL",
        ERASE + "after = after || '{\"new\": null}'",
        ERASE + "before = '{}'",
        "SET LOCAL guildhouse.upkeep = 'erase'; UPDATE changes SET after = after || '{\"title\": null}'",
        "SET LOCAL guildhouse.upkeep = 'erase'; DELETE FROM changes",
        "SET LOCAL guildhouse.upkeep = 'move'; UPDATE changes SET actor = 'eve'",
    ],
)
async def test_the_log_refuses_to_be_rewritten(things: Database, statement: str) -> None:
    await added(things, "a")
    async with things.reading() as connection:
        await stamp(connection)
        with pytest.raises(asyncpg.RaiseError, match="the log only grows"):
            await connection.execute(f"BEGIN; {statement}")
        await connection.execute("ROLLBACK")


async def test_partitions_are_made_ahead_and_take_over_what_came_too_early(things: Database) -> None:
    async with things.reading() as connection:
        assert await ensure_partitions(connection, 3) == 0
        early = "now() + interval '5 months'"
        await connection.execute(
            f"INSERT INTO changes (at, resource, row_id, version, verb) VALUES ({early}, 'r', gen_random_uuid(), 1, 'v')"
        )
        assert await connection.fetchval("SELECT tableoid::regclass::text FROM changes") == "changes_default"
        await stamp(connection)
        assert await ensure_partitions(connection, 6) == 3
        kept = await connection.fetchval(
            f"SELECT tableoid::regclass::text = to_char({early}, '\"changes_\"YYYY_MM') FROM changes"
        )
        assert kept
        assert len((await changes.after(connection, 0)).changes) == 1


async def test_each_change_is_in_the_partition_of_its_month(things: Database) -> None:
    await added(things, "a")
    async with things.reading() as connection:
        found = await connection.fetchval(
            "SELECT tableoid::regclass::text = to_char(at, '\"changes_\"YYYY_MM') FROM changes"
        )
    assert found


async def test_uninstalled_nothing_is_left(bare: Database) -> None:
    async with bare.reading() as connection:
        for statement in UNINSTALL:
            await connection.execute(statement)
        left = await connection.fetchval(
            "SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace)"
            " + (SELECT count(*) FROM pg_proc WHERE pronamespace = 'public'::regnamespace)"
        )
    assert left == 0


@pytest.mark.parametrize(("length", "is_kept"), [(3_000, True), (6_000, False)])
async def test_what_a_change_of_up_to_half_a_page_says_is_kept_as_it_is(
    things: Database, length: int, is_kept: bool
) -> None:
    await added(things, "word " * (length // 5))
    async with things.reading() as connection:
        compressed = await connection.fetchval("SELECT pg_column_compression(after) FROM changes")
    assert (compressed is None) == is_kept
