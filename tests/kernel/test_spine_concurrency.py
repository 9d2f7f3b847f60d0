"""The claim of the log: with many writers and a long transaction nothing is lost, doubled, turned around, or stalled."""

import asyncio
import statistics
import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import AsyncExitStack
from itertools import pairwise

import pytest
from spine import add, added, hears, process, running, say, touch, until

from guildhouse.kernel.db import Connection, Database, Note
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.audit import verify
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.log.readers.reader import Reader, ReaderLoop
from guildhouse.kernel.log.readers.tail import Tail
from guildhouse.kernel.log.sequencer import Sequencer
from guildhouse.kernel.log.wake import Wake

pytestmark = pytest.mark.anyio

WRITING = 6.0  # seconds
LONG = 4.0  # seconds that one transaction stays open in the middle
STALL = 1.5  # seconds without news that nobody would put up with; the writers commit some hundred times in each


class Witness:
    """Notes what a reader hears, and when."""

    def __init__(self) -> None:
        self.seen: list[Change] = []
        self.times: list[float] = []

    def hear(self, batch: Sequence[Change]) -> None:
        self.seen += batch
        self.times.append(time.monotonic())

    async def handle(self, _: Connection, batch: Sequence[Change]) -> None:
        self.hear(batch)

    def longest_silence(self, begin: float, end: float) -> float:
        moments = [begin, *(moment for moment in self.times if begin < moment < end), end]
        return max(after - before for before, after in pairwise(moments))


async def test_nothing_is_lost_doubled_turned_around_or_stalled(things: Database, empty_dsn: str) -> None:
    wake = Wake(things)
    following, reading = Witness(), Witness()
    tail, loop = Tail(things, wake), ReaderLoop(Reader("all", reading.handle), things, wake)
    await tail.begin()
    tail.subscribe(following.hear)
    await added(things, *["shared"] * 20)
    async with running(wake.run, Sequencer(things, wake).run, tail.run, loop.run), AsyncExitStack() as stack:
        writers = [await stack.enter_async_context(process("write", empty_dsn, str(WRITING))) for _ in range(4)]
        await until(lambda: tail.pos > 200)
        begin, ended, long_one = await long_transaction(things)
        written = sum([int((await hears(writer, "wrote")).split()[1]) for writer in writers])
        total = written + 20 + 2
        await until(lambda: tail.pos == loop.handled == total)

    for witness in (following, reading):
        assert_everything_once_and_in_order(witness.seen, total)
        assert witness.longest_silence(begin, ended) < STALL
        assert [change.verb for change in witness.seen if change.row_id == long_one] == ["created", "changed"]
    async with things.reading() as connection:
        assert await connection.fetchval("SELECT array_agg(seq ORDER BY seq) FROM change_pos") == sorted(
            change.seq for change in following.seen
        )
        assert (await verify(connection)).whole
    say(f"{written} changes by 8 writers; longest silence {following.longest_silence(begin, ended) * 1000:.0f} ms")


async def long_transaction(database: Database) -> tuple[float, float, str]:
    """Holds a change back from early on; says from when to when, and of which row."""
    async with database.writing(Note()) as connection:
        row_id = await add(connection)
        begin = time.monotonic()
        await asyncio.sleep(LONG)
        await touch(connection, row_id, order=1)
        return begin, time.monotonic(), row_id


def assert_everything_once_and_in_order(seen: list[Change], total: int) -> None:
    """Every position once and in order; every row's versions one after the other."""
    assert [change.pos for change in seen] == list(range(1, total + 1))
    assert len({change.seq for change in seen}) == total
    assert [change.seq for change in seen] != sorted(change.seq for change in seen), "the test had nothing to prove"
    versions: dict[str, list[int]] = defaultdict(list)
    for change in seen:
        versions[change.row_id].append(change.version)
    assert all(of_row == list(range(1, len(of_row) + 1)) for of_row in versions.values())
    assert max(len(of_row) for of_row in versions.values()) > 10


async def test_from_commit_to_reader_in_one_process(things: Database) -> None:
    wake = Wake(things)
    tail, committed, latencies = Tail(things, wake), {}, []
    await tail.begin()
    heard = asyncio.Event()

    def hear(batch: Sequence[Change]) -> None:
        latencies.extend(time.perf_counter() - committed[change.row_id] for change in batch)
        heard.set()

    tail.subscribe(hear)
    async with running(Sequencer(things, wake).run, tail.run):
        await asyncio.sleep(0.2)
        for _ in range(300):
            async with things.writing(Note()) as connection:
                row_id = await add(connection)
                committed[row_id] = time.perf_counter()
            heard.clear()
            await asyncio.wait_for(heard.wait(), 5)
    percentiles = statistics.quantiles(latencies, n=100)
    say(f"commit to reader: p50 {percentiles[49] * 1000:.1f} ms, p99 {percentiles[98] * 1000:.1f} ms")
    assert percentiles[49] < 0.25


async def test_a_page_of_the_log_is_found_without_reading_the_log(things: Database) -> None:
    async with things.reading() as connection:
        await connection.execute(
            "INSERT INTO things (id, title) SELECT gen_random_uuid(), 'one of many' FROM generate_series(1, 3000)"
        )
        await connection.execute("INSERT INTO change_pos SELECT seq, seq, at, '', '' FROM changes ORDER BY seq")
        plan = await connection.fetch(
            "EXPLAIN (ANALYZE, BUFFERS OFF) "
            + changes.BETWEEN_ALL.replace("$1", "5").replace("$2", "9").replace("$3", "4")
        )
    text = "\n".join(record[0] for record in plan)
    assert "Seq Scan" not in text
    assert "(never executed)" in text, "the partitions of other months were read"
