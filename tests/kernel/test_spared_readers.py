"""Readers that look for rows which lack something: spared the others, they look less often while there is nothing."""

import time

import pytest
from spine import added, effects, note_effects, running, until, value

from guildhouse.kernel.db import Connection, Database, Note
from guildhouse.kernel.log.changes import Stretch
from guildhouse.kernel.log.readers.reader import BREATH, LONGEST_BREATH, Reader, ReaderLoop
from guildhouse.kernel.log.sequencer import Sequencer, stamp
from guildhouse.kernel.log.wake import Wake

pytestmark = pytest.mark.anyio

SEARCHING = Reader("effects", note_effects, resources=["things"], lacking="title", batch=2)


async def write_some_that_lack_a_title(database: Database) -> None:
    """Changes 1 to 7: new rows, of which the third and the sixth lack a title, and a title that is taken away."""
    async with database.writing(Note()) as connection:
        for title in ("a", "b", None, "d", "e", None):
            await connection.execute("INSERT INTO things (id, title) VALUES (gen_random_uuid(), $1)", title)
        await connection.execute("UPDATE things SET title = NULL, version = 2 WHERE title = 'b'")


async def test_who_looks_for_rows_that_lack_a_value_is_spared_the_new_ones_that_have_it(things: Database) -> None:
    await write_some_that_lack_a_title(things)
    async with things.reading() as connection:
        await stamp(connection)
    loop = ReaderLoop(SEARCHING, things, Wake(things), poll=0.05)
    assert await loop.drain() == 3
    assert (await effects(things), loop.behind) == ([3, 6, 7], 0)
    await added(things, "h")
    async with things.reading() as connection:
        await stamp(connection)
    assert await loop.drain() == 0
    assert await value(things, "SELECT cursor FROM readers") == 8


async def test_it_is_spared_them_as_well_where_its_own_process_has_stamped_them(things: Database) -> None:
    wake = Wake(things)
    loop = ReaderLoop(SEARCHING, things, wake, poll=5)
    async with running(Sequencer(things, wake).run, loop.run):
        await until(lambda: loop._holding)
        await write_some_that_lack_a_title(things)
        await until(lambda: loop.handled == 3)
        await added(things, *"hijkl")
        await until(lambda: loop._cursor == 12)
        assert await value(things, "SELECT cursor FROM readers") == 12
    assert await effects(things) == [3, 6, 7]


async def test_who_is_spared_again_and_again_looks_less_often_until_there_is_something_for_it(things: Database) -> None:
    looks: list[float] = []

    class Looking(ReaderLoop):
        async def _look(self, connection: Connection) -> tuple[int, Stretch]:
            looks.append(time.monotonic())
            return await super()._look(connection)

    wake = Wake(things)
    loop = Looking(SEARCHING, things, wake, poll=5)
    async with running(Sequencer(things, wake).run, loop.run):
        await until(lambda: loop._holding)
        while loop._breath < LONGEST_BREATH:
            await added(things, "has a title")
        often = len(looks)
        while len(looks) < often + 2:
            await added(things, "has a title")
        assert looks[-1] - looks[-2] >= LONGEST_BREATH
        async with things.writing(Note()) as connection:
            await connection.execute("INSERT INTO things (id) VALUES (gen_random_uuid())")
        await until(lambda: loop.handled == 1)
    assert loop._breath == BREATH


async def test_who_was_spared_takes_in_at_once_what_comes_after_a_while(things: Database) -> None:
    wake = Wake(things)
    loop = ReaderLoop(SEARCHING, things, wake, poll=5)
    async with running(Sequencer(things, wake).run, loop.run):
        await until(lambda: loop._holding)
        loop._breath = LONGEST_BREATH  # it was spared many, and then it was quiet
        loop._moved_at = 0.0
        await added(things, "has a title")
        await until(lambda: loop._cursor == 1)
        assert loop._breath < LONGEST_BREATH
