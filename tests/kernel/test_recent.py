"""What was just stamped in this process is heard without a query; anything else is asked of the database as before."""

from collections.abc import Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from spine import added, running, until

from guildhouse.kernel.db import Connection, Database, Note
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change, Head
from guildhouse.kernel.log.readers.reader import Reader, ReaderLoop
from guildhouse.kernel.log.readers.tail import Tail
from guildhouse.kernel.log.recent import Recent
from guildhouse.kernel.log.sequencer import HANDED_ON, Sequencer, stamp
from guildhouse.kernel.log.wake import Wake

pytestmark = pytest.mark.anyio


def some(first: int, last: int) -> list[Change]:
    """Changes of these positions."""
    now = datetime.now(UTC)
    one = Change(None, 0, now, None, None, None, None, "things", "", 1, "created", None, None, None, None, 1)
    return [replace(one, pos=pos, seq=pos) for pos in range(first, last + 1)]


def head(pos: int, epoch: str = "e") -> Head:
    return Head(epoch, pos, (1, 1, ()))


def positions(found: Sequence[Change]) -> list[int | None]:
    return [change.pos for change in found]


def test_it_answers_only_where_it_has_everything_from_there_on() -> None:
    recent = Recent()
    assert recent.after(0) == ()
    recent.add(head(12), some(11, 12))
    recent.add(head(14), some(13, 14))
    assert positions(recent.after(10)) == [11, 12, 13, 14]
    assert positions(recent.after(13)) == [14]
    assert [list(recent.after(pos)) for pos in (9, 14, 99)] == [[], [], []]


def test_a_gap_another_epoch_or_too_many_at_once_make_it_forget() -> None:
    recent = Recent()
    recent.add(head(2), some(1, 2))
    recent.add(head(5), some(4, 5))
    assert (list(recent.after(1)), positions(recent.after(3))) == ([], [4, 5])
    recent.add(head(6, "other"), some(6, 6))
    assert (list(recent.after(4)), positions(recent.after(5))) == ([], [6])
    recent.add(head(9, "other"), some(7, 8))
    assert list(recent.after(6)) == []
    recent.clear()
    assert recent.head is None


def test_it_keeps_so_many_and_no_more() -> None:
    recent = Recent(most=3)
    for pos in range(1, 10):
        recent.add(head(pos), some(pos, pos))
    assert positions(recent.after(5)) == [6, 7, 8, 9]
    assert list(recent.after(4)) == []


async def test_a_tick_hands_on_what_the_log_says_of_it(things: Database) -> None:
    await added(things, "a", "b")
    async with things.reading() as connection:
        stamped = await stamp(connection)
        read = await changes.thin_between(connection, 0, 2, 10)
        assert stamped.head == await changes.head(connection)
    assert (list(stamped.changes), stamped.total) == (read.changes, 2)


async def test_of_a_flood_a_tick_hands_on_the_beginning_and_counts_the_rest(things: Database) -> None:
    async with things.reading() as connection:
        many = HANDED_ON + 10
        await connection.execute(f"INSERT INTO things (id) SELECT gen_random_uuid() FROM generate_series(1, {many})")
        stamped = await stamp(connection)
    assert (len(stamped.changes), stamped.total) == (HANDED_ON, many)


async def hear(*_: Any) -> None:
    """A reader that does nothing."""


async def test_who_follows_in_the_sequencers_process_asks_the_database_for_nothing(
    things: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    wake = Wake(things)
    tail, seen = Tail(things, wake, poll=30), list[Change]()
    # Its lease is long: to renew it, it would ask, however slow the machine is.
    uninterested = ReaderLoop(Reader("others", hear, resources=["jobs"]), things, wake, poll=30, lease=600)
    await tail.begin()
    tail.subscribe(seen.extend)
    async with running(Sequencer(things, wake).run, tail.run, uninterested.run):
        await added(things, "a")
        await until(lambda: uninterested._seen == 1 and tail.pos == 1)
        await refuse_reading(things, monkeypatch)
        ids = await added(things, "b", "c")
        await until(lambda: tail.pos == 3 and uninterested._seen == 3)
        monkeypatch.undo()
    assert [change.row_id for change in seen][1:] == ids
    assert uninterested.handled == 0


async def refuse_reading(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    @asynccontextmanager
    async def refused() -> Any:
        raise AssertionError("the database was asked")
        yield

    monkeypatch.setattr(database, "reading", refused)


async def test_a_reader_that_is_meant_reads_the_values_from_the_log(things: Database) -> None:
    wake, taken = Wake(things), list[Change]()

    async def take(_: Connection, batch: Sequence[Change]) -> None:
        taken.extend(batch)

    loop = ReaderLoop(Reader("things", take, resources=["things"]), things, wake, poll=30)
    async with running(Sequencer(things, wake).run, loop.run):
        await added(things, "a", "b")
        await until(lambda: len(taken) == 2)
    assert [(change.after or {})["title"] for change in taken] == ["a", "b"]


async def test_what_another_process_stamped_is_still_read(things: Database) -> None:
    wake = Wake(things)
    tail = Tail(things, wake)
    await tail.begin()
    await added(things, "a")
    async with things.reading() as connection:
        stamped = await stamp(connection)
    assert stamped.head
    wake.recent.add(stamped.head, stamped.changes)
    async with things.writing(Note()) as connection:
        await connection.execute("INSERT INTO things (id) SELECT gen_random_uuid()")
    async with things.reading() as connection:
        await stamp(connection)
    await tail.catch_up()
    await tail.catch_up()
    assert tail.pos == 2
