"""The sequencer: everything committed gets one position, in an order that loses nothing; elected, tough, restorable."""

import asyncio
import shutil
import subprocess
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack, asynccontextmanager
from pathlib import Path

import asyncpg
import pytest
from spine import add, added, hears, lay_things, process, running, until

from guildhouse.kernel.db import Connection, Database, Note
from guildhouse.kernel.embedded import Embedded, binary
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.audit import verify
from guildhouse.kernel.log.log_tables import INSTALL
from guildhouse.kernel.log.sequencer import STAMP_NEW, TUNING, Sequencer, has_moved, new_epoch, stamp
from guildhouse.kernel.log.wake import Wake

pytestmark = pytest.mark.anyio


async def stamped(connection: Connection) -> list[int]:
    """The numbers of the changes in the order of their positions, which must be dense."""
    records = await connection.fetch("SELECT pos, seq FROM change_pos ORDER BY pos")
    assert [record["pos"] for record in records] == list(range(1, len(records) + 1))
    return [record["seq"] for record in records]


async def test_a_tick_stamps_what_is_new_once_and_an_idle_tick_writes_nothing(things: Database) -> None:
    await added(things, "a", "b")
    async with things.reading() as connection:
        assert (await stamp(connection))[0] == 2
        assert (await stamp(connection))[0] == 0
        assert await stamped(connection) == [1, 2]
        async with connection.transaction():
            await connection.fetchrow(STAMP_NEW)
            assert await connection.fetchval("SELECT pg_current_xact_id_if_assigned() IS NULL")


async def test_an_open_transaction_delays_only_its_own_changes(things: Database) -> None:
    async with things.writing(Note()) as slow, things.reading() as connection:
        await add(slow, "early number, late commit")
        await added(things, "b", "c")
        await stamp(connection)
        assert await stamped(connection) == [2, 3]
        await added(things, "d")
        await stamp(connection)
        assert await stamped(connection) == [2, 3, 4]
        await slow.execute("COMMIT; BEGIN")
        await added(things, "e")
        await stamp(connection)
        assert await stamped(connection) == [2, 3, 4, 1, 5]


async def test_rolled_back_changes_and_savepoints_leave_no_hole(things: Database) -> None:
    async with things.reading() as connection:
        await connection.execute("BEGIN")
        await add(connection, "kept")
        await connection.execute("SAVEPOINT s")
        await add(connection, "undone")
        await connection.execute("ROLLBACK TO s")
        await add(connection, "kept too")
        await connection.execute("COMMIT; BEGIN")
        await add(connection, "undone as well")
        await connection.execute("ROLLBACK")
        await stamp(connection)
        assert await stamped(connection) == [1, 3]


async def test_two_who_stamp_at_once_cannot_give_a_position_twice(things: Database) -> None:
    async with things.reading() as one, things.reading() as other:
        await added(things, "a")
        await one.execute("BEGIN")
        await one.fetchrow(STAMP_NEW)
        rival = asyncio.create_task(stamp(other))
        await asyncio.sleep(0.1)
        await one.execute("COMMIT")
        with pytest.raises(asyncpg.UniqueViolationError):
            await rival
        assert (await stamp(other))[0] == 0
        assert await stamped(one) == [1]


@pytest.mark.parametrize("work", [stamp, new_epoch])
async def test_stamping_is_a_transaction_of_its_own(
    things: Database, work: Callable[[Connection], Awaitable[object]]
) -> None:
    async with things.writing(Note()) as connection:
        await add(connection)
        with pytest.raises(RuntimeError, match="commit first"):
            await work(connection)


async def test_a_tick_planned_while_the_log_was_empty_stays_cheap_when_it_has_grown(things: Database) -> None:
    sequencer = await things.dedicated()
    await sequencer.execute(f"{TUNING}; PREPARE tick AS {STAMP_NEW}; EXECUTE tick")
    async with things.reading() as connection:
        await connection.execute("INSERT INTO things (id) SELECT gen_random_uuid() FROM generate_series(1, 3000)")
    await sequencer.execute("EXECUTE tick")
    plan = [record[0] for record in await sequencer.fetch("EXPLAIN (ANALYZE, COSTS OFF) EXECUTE tick")]
    await sequencer.close()
    assert not [line for line in plan if "Rows Removed" in line or "Seq Scan" in line or "_pkey on changes" in line]


@pytest.mark.parametrize("is_analyzed", [False, True])
async def test_a_tick_looks_changes_up_by_their_transaction_and_by_nothing_else(
    things: Database, is_analyzed: bool
) -> None:
    """By their numbers, too, it would read through all that the epoch has written, again with every tick."""
    async with things.reading() as connection:
        await connection.execute(
            "INSERT INTO things (id, title) SELECT gen_random_uuid(), n::text FROM generate_series(1, 5000) n"
        )
        await stamp(connection)
        if is_analyzed:
            await connection.execute("ANALYZE changes, change_pos")
        await connection.execute(TUNING)
        plan = "\n".join(row[0] for row in await connection.fetch(f"EXPLAIN {STAMP_NEW}"))
    assert "Index Cond: ((xid >=" in plan
    assert "seq > " not in "\n".join(line for line in plan.splitlines() if "Index Cond" in line), plan


async def test_running_it_stamps_on_the_bell_and_reports_what_it_does(things: Database) -> None:
    wake = Wake(things)
    sequencer = Sequencer(things, wake, poll=30)
    heard = wake.stamped.event()
    async with running(sequencer.run):
        await until(lambda: sequencer.leading)
        await asyncio.sleep(0.1)
        await added(things, "a")
        await asyncio.wait_for(heard.wait(), 2)
        assert (sequencer.stamped, sequencer.failures) == (1, 0)
        assert 0 < sequencer.last_latency < 2
    assert not sequencer.leading


async def test_without_a_bell_it_stamps_by_polling(things: Database, empty_dsn: str) -> None:
    sequencer = Sequencer(things, Wake(things), poll=0.05)
    async with running(sequencer.run):
        await until(lambda: sequencer.leading)
        stranger = await asyncpg.connect(empty_dsn)
        await stranger.execute("INSERT INTO things (id) VALUES (gen_random_uuid())")
        await stranger.close()
        await until(lambda: sequencer.stamped == 1)


async def test_it_survives_faults_and_the_loss_of_its_connection(things: Database) -> None:
    sequencer = Sequencer(things, Wake(things), poll=0.05)
    async with running(sequencer.run), things.reading() as connection:
        await until(lambda: sequencer.leading)
        await connection.execute("ALTER TABLE change_pos RENAME TO elsewhere")
        await until(lambda: sequencer.failures >= 2)
        await connection.execute("ALTER TABLE elsewhere RENAME TO change_pos")
        await until(lambda: sequencer.leading)
        holder = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND database ="
        await connection.execute(f"{holder} (SELECT oid FROM pg_database WHERE datname = current_database())")
        await added(things, "a")
        await until(lambda: sequencer.stamped == 1)


async def test_of_two_nodes_one_leads_and_the_other_takes_over(things: Database) -> None:
    one, other = (Sequencer(things, Wake(things), poll=0.05) for _ in range(2))
    async with running(one.run):
        await until(lambda: one.leading)
        async with running(other.run):
            await asyncio.sleep(0.3)
            assert not other.leading
    async with running(other.run):
        await until(lambda: other.leading)


async def test_killed_in_the_middle_the_leader_is_replaced_and_nothing_is_lost(
    things: Database, empty_dsn: str
) -> None:
    written = 0
    async with AsyncExitStack() as stack, things.reading() as connection:
        nodes = [await stack.enter_async_context(process("sequence", empty_dsn))]
        await hears(nodes[0], "leading")
        nodes.append(await stack.enter_async_context(process("sequence", empty_dsn)))
        nodes.append(await stack.enter_async_context(process("sequence", empty_dsn)))
        leader = nodes.pop(0)
        while leader is not None:
            killing = asyncio.get_running_loop().call_later(0.4, leader.kill)
            while leader.returncode is None:
                await added(things, "a", "b")
                written += 2
            killing.cancel()
            leader = await successor(nodes)
        await stamp(connection)
        assert sorted(await stamped(connection)) == list(range(1, written + 1))
        assert (await verify(connection)).whole


async def successor(nodes: list[asyncio.subprocess.Process]) -> asyncio.subprocess.Process | None:
    """The node that leads next."""
    if not nodes:
        return None
    hearing = {asyncio.create_task(hears(node, "leading")): node for node in nodes}
    done, waiting = await asyncio.wait(hearing, return_when=asyncio.FIRST_COMPLETED)
    for task in waiting:
        task.cancel()
    leader = hearing[done.pop()]
    nodes.remove(leader)
    return leader


async def test_a_fresh_log_has_not_moved(things: Database) -> None:
    async with things.reading() as connection:
        assert not await has_moved(connection)


@pytest.fixture(scope="module")
def clusters() -> Iterator[tuple[str, str]]:
    """Two servers of their own, so that the transaction numbers of the second are lower than those of the first."""
    with ExitStack() as stack:
        yield fresh_server(stack), fresh_server(stack)


def fresh_server(stack: ExitStack) -> str:
    place = Path(tempfile.mkdtemp(prefix="guildhouse-"))
    stack.callback(shutil.rmtree, place)
    place.chmod(0o755)
    return stack.enter_context(Embedded(place, settings={"fsync": "off", "shared_buffers": "16MB"}))


async def restored(source: str, target: str) -> None:
    """What a night's backup and a restore on another machine do; the target's database is made anew."""
    dump, load = [str(binary("pg_dump")), "-Fc", source], [str(binary("pg_restore")), "--exit-on-error", "-d", target]
    backup = await asyncio.to_thread(subprocess.run, dump, check=True, capture_output=True)
    async with connected(target) as connection:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    await asyncio.to_thread(subprocess.run, load, input=backup.stdout, check=True)


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[Connection]:
    database = await Database.open(dsn)
    async with database.reading() as connection:
        yield connection
    await database.close()


async def burn_transactions(connection: Connection, beyond: int) -> None:
    """Use up transaction numbers, up to this one."""
    await connection.execute("CREATE TEMP TABLE IF NOT EXISTS ash (n int)")
    await connection.execute(f"""DO $$ BEGIN
        WHILE coalesce((SELECT max(xmin::text::bigint) FROM ash), 0) < {beyond} LOOP
            DELETE FROM ash;
            BEGIN INSERT INTO ash VALUES (1); EXCEPTION WHEN division_by_zero THEN END;
        END LOOP;
    END $$""")


@pytest.fixture
async def backed_up(clusters: tuple[str, str]) -> AsyncIterator[str]:
    """A database restored from a backup in which three changes were stamped and two not; then two were lost."""
    source, target = clusters
    database = await Database.open(source)
    async with database.reading() as connection:
        await connection.execute("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        for statement in INSTALL:
            await connection.execute(statement)
        await lay_things(database)
        await burn_transactions(connection, 5000)
        await added(database, "a", "b", "c")
        await stamp(connection)
        await added(database, "d", "e")
        await restored(source, target)
        await added(database, "lost", "lost")
    await database.close()
    yield target


async def test_a_restored_log_goes_on_with_nothing_lost_and_nothing_twice(backed_up: str) -> None:
    async with connected(backed_up) as connection:
        before = await changes.head(connection)
        old = await connection.fetchval("SELECT max(xid::text::bigint) FROM changes")
        assert await connection.fetchval("SELECT pg_current_xact_id()::text::bigint") < old - 1000
        await new_epoch(connection)
        assert await stamped(connection) == [1, 2, 3, 4, 5]
        await add(connection, "f")
        await stamp(connection)
        assert await stamped(connection) == [1, 2, 3, 4, 5, 6]
        await connection.execute(TUNING)
        plan = [record[0] for record in await connection.fetch("EXPLAIN (ANALYZE) " + STAMP_NEW)]
        assert not [line for line in plan if "Rows Removed" in line], "changes of an earlier epoch are looked at"
        await burn_transactions(connection, old - 3)
        for n in range(12):
            await add(connection, "passing the old numbers")
            await stamp(connection)
            assert await stamped(connection) == list(range(1, n + 8))
        assert await changes.position_of(connection, old) in (None, *range(7, 19))
        assert (await changes.head(connection)).epoch != before.epoch
        assert (await verify(connection)).whole


async def test_the_elected_one_finds_by_itself_that_the_log_was_restored(backed_up: str) -> None:
    database = await Database.open(backed_up)
    async with database.reading() as connection:
        before = await changes.head(connection)
        sequencer = Sequencer(database, Wake(database), poll=0.05)
        async with running(sequencer.run):
            await until(lambda: sequencer.ticks > 1)
            await added(database, "f")
            await until(lambda: sequencer.stamped == 1)
        assert await stamped(connection) == [1, 2, 3, 4, 5, 6]
        assert (await changes.head(connection)).epoch != before.epoch
        assert not await has_moved(connection)
    await database.close()


async def test_after_a_tick_of_many_changes_more_are_left_to_gather_and_after_one_of_few_none(
    things: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("guildhouse.kernel.log.sequencer.LONGER_GAP", 0.5)
    sequencer = Sequencer(things, Wake(things))
    async with running(sequencer.run):
        for n in range(1, 4):
            await added(things, "one of few")
            await until(lambda n=n: sequencer.stamped == n, seconds=0.45)
        async with things.writing(Note()) as connection:
            for title in "abcd":
                await add(connection, title)
        await until(lambda: sequencer.stamped == 7)
        since = time.monotonic()
        await added(things, "one more")
        await until(lambda: sequencer.stamped == 8)
    assert time.monotonic() - since >= 0.4
