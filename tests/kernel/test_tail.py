"""The tail: a process hears of every change, in order; it answers what changed last in whose sight."""

import asyncio
from collections.abc import Sequence

import pytest
from spine import add, added, running, touch, until

from guildhouse.kernel.db import Database, Note
from guildhouse.kernel.log.changes import Change, Position, StaleEpoch, WrongPosition
from guildhouse.kernel.log.readers.tail import Tail
from guildhouse.kernel.log.sequencer import Sequencer, new_epoch, stamp
from guildhouse.kernel.log.wake import Wake

pytestmark = pytest.mark.anyio


async def tail_of(database: Database, remembered: int = 100) -> Tail:
    tail = Tail(database, Wake(database), poll=0.05, remembered=remembered)
    await tail.begin()
    return tail


async def heard(tail: Tail, database: Database) -> None:
    """Stamp what was written and let the tail hear of it."""
    async with database.reading() as connection:
        await stamp(connection)
    await tail.catch_up()


async def test_it_begins_at_the_present_and_hears_everything_after_in_order(things: Database) -> None:
    await added(things, "past")
    async with things.reading() as connection:
        await stamp(connection)
    tail = await tail_of(things)
    seen: list[Change] = []
    tail.subscribe(seen.extend)
    ids = await added(things, "a", "b", "c")
    await heard(tail, things)
    await tail.catch_up()
    assert [change.row_id for change in seen] == ids
    assert (tail.pos, str(tail.position)) == (4, f"{tail.epoch}.4")


async def test_before_it_began_it_answers_nothing(things: Database) -> None:
    with pytest.raises(RuntimeError, match="await `begin`"):
        _ = Tail(things, Wake(things)).pos


async def test_one_subscribers_fault_is_not_anothers_and_one_may_leave(things: Database) -> None:
    tail = await tail_of(things)
    seen: list[str] = []

    def broken(batch: Sequence[Change]) -> None:
        raise ValueError("a fault of this subscriber")

    leave = tail.subscribe(lambda batch: seen.append("leaving"))
    tail.subscribe(broken)
    tail.subscribe(lambda batch: seen.append("staying"))
    await added(things, "a")
    await heard(tail, things)
    leave()
    await added(things, "b")
    await heard(tail, things)
    assert seen == ["leaving", "staying", "staying"]


async def test_last_is_the_position_of_the_last_change_in_sight(things: Database) -> None:
    tail = await tail_of(things)
    async with things.writing(Note()) as connection:
        public = await add(connection, scopes=["public"])
        await add(connection, scopes=["members", "person:1"])
    await heard(tail, things)
    assert tail.last("things", {"public"}) == 1
    assert tail.last("things", {"person:1"}) == 2
    assert tail.last("things", {"public", "members"}) == 2
    assert (tail.last("things", {"person:2"}), tail.last("jobs", {"public"}), tail.last("things", ())) == (0, 0, 0)
    async with things.writing(Note()) as connection:
        await touch(connection, public, scopes=["person:2"])
    await heard(tail, things)
    assert (tail.last("things", {"public"}), tail.last("things", {"person:2"})) == (3, 3)


async def test_what_it_forgets_to_save_memory_counts_as_changed_later(things: Database) -> None:
    tail = await tail_of(things, remembered=2)
    async with things.writing(Note()) as connection:
        for n in range(4):
            await add(connection, scopes=[f"person:{n}"])
    await heard(tail, things)
    assert [tail.last("things", [f"person:{n}"]) for n in range(4)] == [2, 2, 3, 4]
    assert tail.last("things", ["person:never"]) == 2


async def test_it_waits_for_a_position_in_both_forms(things: Database) -> None:
    wake = Wake(things)
    tail = Tail(things, wake, poll=0.05)
    await tail.begin()
    sequencer = Sequencer(things, wake)
    async with running(sequencer.run, tail.run):
        for _ in range(5):
            async with things.writing(Note()) as connection:
                await add(connection)
                xid = int(await connection.fetchval("SELECT pg_current_xact_id()::text"))
            assert await tail.wait_for(str(Position(tail.epoch, xid=xid)))
            assert tail.head.has(xid)
        assert tail.pos == 5
        assert await tail.wait_for(Position(tail.epoch, pos=5), timeout=0)
        assert not await tail.wait_for(Position(tail.epoch, pos=6), timeout=0.05)


async def test_it_does_not_wait_for_nonsense(things: Database) -> None:
    tail = await tail_of(things)
    with pytest.raises(WrongPosition):
        await tail.wait_for("soon")
    with pytest.raises(StaleEpoch):
        await tail.wait_for("00000000.1")


async def test_after_a_restore_it_starts_over_and_says_so(things: Database) -> None:
    tail = await tail_of(things)
    restarts: list[int] = []
    tail.subscribe(lambda batch: None, lambda: restarts.append(tail.pos))
    await added(things, "a")
    await heard(tail, things)
    waiting = asyncio.create_task(tail.wait_for(Position(tail.epoch, pos=99)))
    await asyncio.sleep(0)
    await added(things, "b")
    async with things.reading() as connection:
        await new_epoch(connection)
    await tail.catch_up()
    assert restarts == [2]
    assert tail.last("things", {"public"}) == 2
    with pytest.raises(StaleEpoch):
        await waiting


async def test_it_goes_on_after_a_fault(things: Database) -> None:
    tail = await tail_of(things)
    async with running(tail.run), things.reading() as connection:
        await connection.execute("ALTER TABLE change_pos RENAME TO elsewhere")
        await asyncio.sleep(0.3)
        await connection.execute("ALTER TABLE elsewhere RENAME TO change_pos")
        await added(things, "a")
        await stamp(connection)
        await until(lambda: tail.pos == 1)
