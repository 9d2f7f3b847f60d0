"""Those who wait for a row, or for a person: woken by what concerns them, at most so many, and forgotten when they go."""

import asyncio

import pytest
from spine import add, added, touch

from guildhouse.kernel.db import Database, Note
from guildhouse.kernel.errors import Unavailable
from guildhouse.kernel.log.readers import watchers
from guildhouse.kernel.log.readers.tail import Tail
from guildhouse.kernel.log.readers.watchers import TooManyStreams, Watchers
from guildhouse.kernel.log.sequencer import new_epoch, stamp
from guildhouse.kernel.log.wake import Wake

pytestmark = pytest.mark.anyio


@pytest.fixture
async def tail(things: Database) -> Tail:
    made = Tail(things, Wake(things), poll=0.05)
    await made.begin()
    return made


async def heard(tail: Tail, database: Database) -> None:
    """Stamp what was written and let the tail hear of it."""
    async with database.reading() as connection:
        await stamp(connection)
    await tail.catch_up()


async def touched(database: Database, row_id: str) -> None:
    async with database.writing(Note()) as connection:
        await touch(connection, row_id, title="touched")
        await touch(connection, row_id, title="touched again")


def woken(*events: asyncio.Event) -> list[bool]:
    """Which were woken; they wait again."""
    found = [event.is_set() for event in events]
    for event in events:
        event.clear()
    return found


async def test_a_change_wakes_those_who_wait_for_its_row_and_no_others(things: Database, tail: Tail) -> None:
    mine, other = await added(things, "mine", "other")
    await heard(tail, things)
    waiting = Watchers(tail)
    with waiting.watching("ada", [mine]) as first, waiting.watching("ben", [mine]) as second:
        with waiting.watching("ada", [other]) as third:
            await touched(things, mine)
            await heard(tail, things)
            assert woken(first, second, third) == [True, True, False]
            await touched(things, other)
            await heard(tail, things)
            assert woken(first, second, third) == [False, False, True]
        await touched(things, other)
        await heard(tail, things)
        assert woken(first, second, third) == [False, False, False], "who has left hears nothing"


async def test_a_change_wakes_those_who_wait_for_one_of_its_scopes(things: Database, tail: Tail) -> None:
    waiting = Watchers(tail)
    with waiting.watching("ada", ["person:ada"]) as ada, waiting.watching("ben", ["person:ben"]) as ben:
        async with things.writing(Note()) as connection:
            row_id = await add(connection, scopes=["person:ada"])
        await heard(tail, things)
        assert woken(ada, ben) == [True, False]
        async with things.writing(Note()) as connection:
            await connection.execute(
                "UPDATE things SET version = 2, scopes = '{person:ben}', title = 'moved' WHERE id = $1", row_id
            )
        await heard(tail, things)
        assert woken(ada, ben) == [True, True], "it left the sight of one, and came into the other's"


async def test_a_log_that_starts_over_wakes_everybody(things: Database, tail: Tail) -> None:
    waiting = Watchers(tail)
    with waiting.watching("ada", ["a"]) as first, waiting.watching("ben", ["b"]) as second:
        async with things.reading() as connection:
            await new_epoch(connection)
        await tail.catch_up()
        assert woken(first, second) == [True, True]


async def test_one_waits_for_so_many_and_all_for_so_many(tail: Tail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "MOST_OF_ONE", 2)
    monkeypatch.setattr(watchers, "MOST", 3)
    waiting = Watchers(tail)
    with waiting.watching("ada", ["a"]), waiting.watching("ada", ["a"]):
        with pytest.raises(TooManyStreams), waiting.watching("ada", ["b"]):
            pass
        with waiting.watching("ben", ["b"]), pytest.raises(Unavailable), waiting.watching("cleo", ["c"]):
            pass
        with waiting.watching("cleo", ["c"]):
            pass
    with waiting.watching("ada", ["a"]):
        pass


async def test_nothing_is_left_of_those_who_went_also_when_they_fell(tail: Tail) -> None:
    waiting = Watchers(tail)
    with pytest.raises(ValueError, match="fell"), waiting.watching("ada", ["a", "b"]):
        raise ValueError("fell")
    assert (waiting._waiting, dict(waiting._of)) == ({}, {})
