"""Durable readers: each change takes effect exactly once, a poison change is parked, nobody reads twice at a time."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress

import asyncpg
import pytest
from spine import add, added, effects, hears, note_effects, process, running, until, value

from guildhouse.kernel.db import Connection, Database, Note
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.log.readers.reader import NoDeadLetter, Reader, ReaderLoop, because
from guildhouse.kernel.log.sequencer import Sequencer, stamp
from guildhouse.kernel.log.wake import Wake

pytestmark = pytest.mark.anyio

NOTING = Reader("effects", note_effects)


def at_work(database: Database, reader: Reader = NOTING, lease: float = 15) -> ReaderLoop:
    return ReaderLoop(reader, database, Wake(database), poll=0.05, lease=lease)


async def stamped(database: Database, *titles: str) -> None:
    """New things, with positions."""
    await added(database, *titles)
    async with database.reading() as connection:
        await stamp(connection)


async def test_drained_twice_equals_once(things: Database) -> None:
    await stamped(things, *"abcde")
    loop = at_work(things, Reader("effects", note_effects, batch=2))
    assert await loop.drain() == 5
    assert await loop.drain() == 0
    assert await effects(things) == [1, 2, 3, 4, 5]
    assert await value(things, "SELECT cursor FROM readers") == 5


async def test_another_process_goes_on_where_the_last_one_left(things: Database) -> None:
    first = at_work(things)
    await stamped(things, "a", "b")
    async with running(first.run):
        await until(lambda: first.handled == 2)
    await stamped(things, "c")
    assert await at_work(things).drain() == 1
    assert await effects(things) == [1, 2, 3]


async def test_a_reader_can_begin_at_the_present(things: Database) -> None:
    await stamped(things, "past")
    loop = at_work(things, Reader("effects", note_effects, start="now"))
    assert await loop.drain() == 0
    await stamped(things, "present")
    assert await loop.drain() == 1
    assert await effects(things) == [2]


async def test_a_reader_of_other_resources_passes_by_without_a_write_for_each(things: Database) -> None:
    loop = at_work(things, Reader("effects", note_effects, resources=["jobs"]))
    await stamped(things, *"abc")
    assert await loop.drain() == 0
    assert (loop.behind, await value(things, "SELECT cursor FROM readers")) == (0, 0)
    await loop.release()
    assert await value(things, "SELECT cursor FROM readers") == 3


async def test_effects_know_their_cause(things: Database) -> None:
    async def answer(connection: Connection, batch: Sequence[Change]) -> None:
        for change in batch:
            if (change.after or {}).get("title") == "question":
                await connection.execute(because(change, "answered").sql())
                await add(connection, "answer")

    async with things.writing(Note(request_id="r1")) as connection:
        await add(connection, "question")
    await stamped(things)
    assert await at_work(things, Reader("answers", answer)).drain() == 1
    async with things.reading() as connection:
        (effect,) = await changes.caused_by(connection, 1)
    assert (effect.verb, effect.request_id, effect.actor) == ("answered", "r1", None)


async def test_only_one_holds_the_lease_until_it_runs_out(things: Database) -> None:
    await stamped(things, "a")
    one, other = at_work(things, lease=0.4), at_work(things, lease=0.4)
    assert await one.drain() == 1
    await stamped(things, "b")
    assert await other.drain() == 0
    await asyncio.sleep(0.5)
    assert await other.drain() == 1
    assert await effects(things) == [1, 2]


async def test_who_lost_the_lease_in_the_middle_of_a_batch_has_done_nothing(things: Database) -> None:
    await stamped(things, "a")
    entered = asyncio.Event()

    async def dawdle(connection: Connection, batch: Sequence[Change]) -> None:
        await note_effects(connection, batch)
        entered.set()
        await asyncio.sleep(0.6)

    slow = at_work(things, Reader("effects", dawdle), lease=0.2)
    async with running(slow.run):
        await entered.wait()
        await asyncio.sleep(0.3)
        assert await at_work(things, lease=30).drain() == 1
        await asyncio.sleep(0.5)
        assert slow.handled == 0
    assert await effects(things) == [1]


async def refuse_poison(connection: Connection, batch: Sequence[Change]) -> None:
    await note_effects(connection, batch)
    if any((change.after or {}).get("title") == "poison" for change in batch):
        raise ValueError("I cannot swallow this")


async def test_a_poison_change_is_parked_and_all_others_take_effect_once_in_order(things: Database) -> None:
    titles = ["fine"] * 30
    titles[17] = "poison"
    await stamped(things, *titles)
    loop = at_work(things, Reader("effects", refuse_poison, attempts=2))
    assert await loop.drain() == 29
    assert await effects(things) == [seq for seq in range(1, 31) if seq != 18]
    assert loop.parked == 1
    async with things.reading() as connection:
        letter = await connection.fetchrow("SELECT reader, pos, seq, error, attempts, resolved_at FROM dead_letters")
    assert tuple(letter or ()) == ("effects", 18, 18, "ValueError('I cannot swallow this')", 2, None)
    await stamped(things, "later")
    assert await loop.drain() == 1


async def test_a_change_that_the_database_refuses_is_parked_too(things: Database) -> None:
    async def divide(connection: Connection, batch: Sequence[Change]) -> None:
        await connection.fetchval("SELECT 1 / 0")

    await stamped(things, "a")
    loop = at_work(things, Reader("effects", divide, attempts=1))
    await loop.drain()
    assert loop.parked == 1


async def test_a_fault_of_the_moment_parks_nothing(things: Database) -> None:
    failures = [asyncpg.DeadlockDetectedError("deadlock"), asyncpg.DiskFullError("full")]

    async def stumble(connection: Connection, batch: Sequence[Change]) -> None:
        if failures:
            raise failures.pop()
        await note_effects(connection, batch)

    await stamped(things, "a", "b")
    loop = at_work(things, Reader("effects", stumble, attempts=1))
    async with running(loop.run):
        await until(lambda: loop.handled == 2)
    assert (loop.parked, loop.failures) == (0, 0)


async def test_a_reader_survives_the_loss_of_its_connection(things: Database) -> None:
    deaths = [True]

    async def die_once(connection: Connection, batch: Sequence[Change]) -> None:
        await note_effects(connection, batch)
        if deaths:
            deaths.clear()
            await value(things, f"SELECT pg_terminate_backend({await connection.fetchval('SELECT pg_backend_pid()')})")

    await stamped(things, "a", "b")
    loop = at_work(things, Reader("effects", die_once))
    async with running(loop.run):
        await until(lambda: loop.handled == 2)
    assert (loop.parked, await effects(things)) == (0, [1, 2])


async def test_a_change_that_always_costs_the_connection_is_parked_in_the_end(things: Database) -> None:
    async def hang_up(connection: Connection, batch: Sequence[Change]) -> None:
        if any((change.after or {}).get("title") == "poison" for change in batch):
            await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
        await note_effects(connection, batch)

    await stamped(things, "a", "poison", "b")
    loop = at_work(things, Reader("effects", hang_up, attempts=2))
    async with running(loop.run):
        await until(lambda: loop.handled == 2)
    assert loop.parked == 1
    assert await effects(things) == [1, 3]


async def test_wrong_arguments_are_a_fault_of_the_change(things: Database) -> None:
    async def mistake(connection: Connection, batch: Sequence[Change]) -> None:
        await connection.execute("INSERT INTO effects (seq) VALUES ($1)", "no number")

    await stamped(things, "a")
    loop = at_work(things, Reader("effects", mistake, attempts=1))
    await loop.drain()
    assert loop.parked == 1


async def test_a_refusal_at_the_commit_is_a_fault_of_the_change(things: Database) -> None:
    async with things.reading() as connection:
        await connection.execute("ALTER TABLE effects ADD UNIQUE (seq) DEFERRABLE INITIALLY DEFERRED")

    async def twice(connection: Connection, batch: Sequence[Change]) -> None:
        await note_effects(connection, batch)
        await note_effects(connection, batch)

    await stamped(things, "a")
    loop = at_work(things, Reader("effects", twice, attempts=1))
    await loop.drain()
    assert loop.parked == 1


async def test_a_failure_that_was_hidden_is_a_fault_of_the_change(things: Database) -> None:
    async def hide(connection: Connection, batch: Sequence[Change]) -> None:
        with suppress(asyncpg.DivisionByZeroError):
            await connection.fetchval("SELECT 1 / 0")

    await stamped(things, "a")
    loop = at_work(things, Reader("effects", hide, attempts=1))
    await loop.drain()
    assert loop.parked == 1


async def test_a_dead_letter_can_be_replayed_once(things: Database) -> None:
    await stamped(things, "poison")
    await at_work(things, Reader("effects", refuse_poison, attempts=1)).drain()
    repaired = at_work(things)
    await repaired.replay(1)
    assert await effects(things) == [1]
    with pytest.raises(NoDeadLetter):
        await repaired.replay(1)
    assert await effects(things) == [1]


async def test_a_replay_that_fails_leaves_the_dead_letter_open(things: Database) -> None:
    await stamped(things, "poison")
    loop = at_work(things, Reader("effects", refuse_poison, attempts=1))
    await loop.drain()
    with pytest.raises(ValueError, match="swallow"):
        await loop.replay(1)
    assert await effects(things) == []
    assert await value(things, "SELECT resolved_at IS NULL FROM dead_letters")


async def test_a_change_that_kills_its_reader_is_parked_in_the_end(things: Database) -> None:
    class Killed(BaseException):
        """Ends the reader as a kill does: nothing is cleaned up."""

    async def die(connection: Connection, batch: Sequence[Change]) -> None:
        await note_effects(connection, batch)
        if any((change.after or {}).get("title") == "poison" for change in batch):
            raise Killed

    await stamped(things, "a", "b", "poison", "c")
    deaths = 0
    while await value(things, "SELECT count(*) = 0 FROM dead_letters"):
        loop = at_work(things, Reader("effects", die, attempts=2), lease=0.01)
        await asyncio.sleep(0.02)
        try:
            await loop.drain()
        except Killed:
            deaths += 1
        assert deaths < 10
    assert await effects(things) == [1, 2, 4]
    assert await value(things, "SELECT pos FROM dead_letters") == 3


async def test_killed_between_effect_and_commit_each_change_still_takes_effect_once(
    things: Database, empty_dsn: str
) -> None:
    await stamped(things, *["a"] * 60)
    for pause in ("0.05", "0", "0.02"):
        async with process("read", empty_dsn, pause) as node:
            for _ in range(2):
                await hears(node, "between")
            node.kill()
    await asyncio.sleep(0.4)
    before = len(await effects(things))
    assert 0 < before < 60
    assert await at_work(things).drain() == 60 - before
    assert await effects(things) == list(range(1, 61))


async def test_woken_by_the_bell_it_reads_at_once_and_reports_its_lag(things: Database) -> None:
    wake = Wake(things)
    sequencer = Sequencer(things, wake, poll=30)
    loop = ReaderLoop(NOTING, things, wake, poll=30)
    async with running(sequencer.run, loop.run):
        await until(lambda: sequencer.ticks > 0)
        await asyncio.sleep(0.1)
        await added(things, "a")
        await until(lambda: loop.handled == 1, 5)
    assert (loop.behind, loop.behind_seconds) == (0, 0)


async def test_who_remembers_something_begins_anew_with_each_lease(things: Database) -> None:
    begun: list[object] = []

    async def begin(connection: Connection) -> None:
        begun.append(await connection.fetchval("SELECT cursor FROM readers"))

    await stamped(things, "a", "b")
    first, second = (at_work(things, Reader("effects", note_effects, begin=begin)) for _ in range(2))
    await first.drain()
    await first.drain()
    assert begun == [0]
    assert await second.drain() == 0
    assert begun == [0]
    await first.release()
    await second.drain()
    assert begun == [0, 2]


async def test_a_reader_that_cannot_begin_does_not_read(things: Database) -> None:
    async def begin(connection: Connection) -> None:
        await connection.execute("SELECT 1 / 0")

    await stamped(things, "a")
    loop = at_work(things, Reader("effects", note_effects, begin=begin))
    with pytest.raises(asyncpg.DivisionByZeroError):
        await loop.drain()
    assert await effects(things) == []
    assert loop.handled == 0


async def test_a_dead_letter_is_replayed_by_one_who_has_begun(things: Database) -> None:
    known: list[str] = []

    async def begin(_connection: Connection) -> None:
        known.append("what it needs to know")

    async def handle(connection: Connection, batch: Sequence[Change]) -> None:
        assert known
        await note_effects(connection, batch)

    await stamped(things, "a")
    async with things.writing(Note()) as connection:
        await connection.execute("INSERT INTO readers (name, cursor) VALUES ('effects', 1)")
        await connection.execute(
            "INSERT INTO dead_letters (reader, pos, seq, error, attempts) VALUES ('effects', 1, 1, '', 5)"
        )
    await at_work(things, Reader("effects", handle, begin=begin)).replay(1)
    assert await effects(things) == [1]


async def test_what_a_reader_follows_may_grow_while_it_reads(things: Database) -> None:
    followed = {"jobs"}
    loop = at_work(things, Reader("effects", note_effects, resources=followed))
    await stamped(things, "a")
    assert await loop.drain() == 0
    followed.add("things")
    await stamped(things, "b")
    assert await loop.drain() == 1
    assert await effects(things) == [2]


async def test_a_reader_that_lingers_takes_in_what_gathers_meanwhile(things: Database) -> None:
    sizes: list[int] = []

    async def count(_connection: Connection, batch: Sequence[Change]) -> None:
        sizes.append(len(batch))

    wake = Wake(things)
    loop = ReaderLoop(Reader("effects", count, linger=0.3), things, wake, poll=5)
    async with running(loop.run, Sequencer(things, wake).run):
        await until(lambda: loop._holding)
        for title in "abcde":
            await added(things, title)
            await asyncio.sleep(0.01)
        await until(lambda: sum(sizes) == 5)
    assert len(sizes) <= 2


async def test_a_reader_takes_in_the_first_of_many_changes_at_once_and_lets_the_others_gather(
    things: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guildhouse.kernel.log.readers.reader.BREATH", 0.5)
    sizes: list[int] = []

    async def count(_connection: Connection, batch: Sequence[Change]) -> None:
        sizes.append(len(batch))

    wake = Wake(things)
    loop = ReaderLoop(Reader("effects", count), things, wake, poll=5)
    async with running(loop.run, Sequencer(things, wake).run):
        await until(lambda: loop._holding)
        loop._moved_at = 0.0  # it has rested since it took the lease
        await added(things, "first")
        await until(lambda: sizes == [1], seconds=0.45)
        for title in "abcd":
            await added(things, title)
            await asyncio.sleep(0.01)
        await until(lambda: sum(sizes) == 5)
    assert sizes == [1, 4]
