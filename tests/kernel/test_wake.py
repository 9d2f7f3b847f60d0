"""The wake-up between processes: a hint that arrives without polling, and again after its connections were lost."""

import asyncio

import asyncpg
import pytest
from spine import added, running, until

from guildhouse.kernel.db import Database
from guildhouse.kernel.log.readers.tail import Tail
from guildhouse.kernel.log.sequencer import Sequencer
from guildhouse.kernel.log.wake import Bell, Wake, backoff, first, tied

pytestmark = pytest.mark.anyio

NEVER = 60.0  # a poll that does not come in time: only the bell can


async def test_a_bell_rings_for_all_who_hold_an_event_and_waits_for_who_is_busy() -> None:
    bell = Bell()
    one, busy = bell.event(), bell.event()
    bell.ring()
    assert one.is_set() and busy.is_set()
    one.clear()
    assert busy.is_set()


async def test_first_returns_with_the_first_event_or_when_the_time_is_over() -> None:
    ringing, silent = asyncio.Event(), asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, ringing.set)
    await asyncio.wait_for(first(silent, ringing, within=5), 1)
    await first(silent, within=0.01)
    assert not silent.is_set()


async def test_who_waits_for_an_event_that_is_tied_hears_of_the_stop() -> None:
    news, stop = asyncio.Event(), asyncio.Event()
    with tied(news, stop):
        asyncio.get_running_loop().call_later(0.01, stop.set)
        await asyncio.wait_for(first(news, within=30), 5)
        assert news.is_set()
    news, stop = asyncio.Event(), asyncio.Event()
    with tied(news, stop):
        pass
    stop.set()
    await first(news, within=0.01)
    assert not news.is_set()


def test_waiting_after_failures_grows_up_to_a_limit() -> None:
    assert 0.05 <= backoff(1) <= 0.1
    assert 5 <= backoff(1000) <= 10


async def test_a_commit_on_one_node_reaches_a_reader_on_another_without_polling(
    things: Database, empty_dsn: str
) -> None:
    other = await Database.open(empty_dsn)
    here, there = Wake(things), Wake(other)
    sequencer, tail = Sequencer(things, here, poll=NEVER), Tail(other, there, poll=NEVER)
    async with running(here.run, there.run, sequencer.run, tail.run):
        await until(lambda: sequencer.ticks > 0)
        await asyncio.sleep(0.3)
        await added(other, "there")
        await until(lambda: tail.pos == 1, 5)
        await added(things, "here")
        await until(lambda: tail.pos == 2, 5)
    await other.close()


async def test_it_listens_and_speaks_again_after_its_connections_were_lost(things: Database, empty_dsn: str) -> None:
    other = await Database.open(empty_dsn)
    here, there = Wake(things), Wake(other)
    sequencer, tail = Sequencer(things, here, poll=NEVER), Tail(other, there, poll=NEVER)
    async with running(here.run, there.run, sequencer.run, tail.run):
        await until(lambda: sequencer.ticks > 0)
        await asyncio.sleep(0.3)
        assert await cut(empty_dsn) >= 2
        await asyncio.sleep(0.5)
        await added(other, "there")
        await until(lambda: tail.pos == 1, 5)
    await other.close()


async def cut(dsn: str) -> int:
    """End the connections that listen or notify; says how many there were."""
    stranger = await asyncpg.connect(dsn)
    ended = await stranger.fetchval(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database()"
        " AND pid <> pg_backend_pid() AND (query = 'SELECT 1' OR query LIKE '%NOTIFY%' OR query LIKE 'LISTEN%'"
        " OR query LIKE 'SET synchronous_commit%')"
    )
    await stranger.close()
    return int(ended)


async def test_rings_while_nobody_reads_them_are_one_notification(things: Database, empty_dsn: str) -> None:
    wake, heard = Wake(things), []
    stranger = await asyncpg.connect(empty_dsn)
    await stranger.add_listener("guildhouse_committed", lambda *arguments: heard.append(arguments[3]))
    for _ in range(50):
        wake.has_committed()
    async with running(wake.run):
        await until(lambda: bool(heard))
        await asyncio.sleep(0.1)
    await stranger.close()
    assert heard == [""]


async def test_a_process_does_not_hear_its_own_notifications(things: Database, empty_dsn: str) -> None:
    wake = Wake(things)
    heard = wake.committed.event()
    stranger = await asyncpg.connect(empty_dsn)
    async with running(wake.run):
        await until(lambda: rings(stranger, heard))
        heard.clear()
        wake.has_committed()
        assert heard.is_set()
        heard.clear()
        await asyncio.sleep(0.2)
        assert not heard.is_set()
    await stranger.close()


async def rings(stranger: "asyncpg.Connection[asyncpg.Record]", heard: asyncio.Event) -> bool:
    """Whether a stranger's notification is heard."""
    await stranger.execute("NOTIFY guildhouse_committed")
    await asyncio.sleep(0.05)
    return heard.is_set()


async def test_where_the_sequencer_is_commits_are_not_told_to_others(things: Database, empty_dsn: str) -> None:
    wake, heard = Wake(things), []
    stranger = await asyncpg.connect(empty_dsn)
    for channel in ("guildhouse_committed", "guildhouse_stamped"):
        await stranger.add_listener(channel, lambda *arguments: heard.append(arguments[2]))
    sequencer = Sequencer(things, wake, poll=NEVER)
    async with running(wake.run, sequencer.run):
        await until(lambda: sequencer.ticks > 0)
        await added(things, "a")
        await until(lambda: bool(heard))
    await stranger.close()
    assert set(heard) == {"guildhouse_stamped"}
