"""The wake-up: who waits for the log hears within milliseconds that there is news. Only a hint; polling is the promise.

Two bells: `committed` (the sequencer waits for it) and `stamped` (the readers do). Inside a process they are plain
events. Between processes they are PostgreSQL notifications: sent after the commit, on a connection of their own, many
rings as one, empty; a NOTIFY inside a writing transaction would make all commits of the server queue up.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import Any, TypeAlias
from weakref import WeakSet

import asyncpg
import structlog

from guildhouse.kernel.db import Database
from guildhouse.kernel.log.recent import Recent

Session: TypeAlias = "asyncpg.Connection[asyncpg.Record]"

log = structlog.get_logger(__name__)

COMMITTED, STAMPED = "guildhouse_committed", "guildhouse_stamped"
HEARTBEAT = 30.0  # seconds between two looks whether a silent connection still lives
PATIENCE = 5.0  # seconds for an answer to such a look
LOST = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class Bell:
    """Rings for everyone who holds an event of it. Clear your event, then look, then wait: no ring is missed so."""

    def __init__(self) -> None:
        self._held: WeakSet[asyncio.Event] = WeakSet()

    def event(self) -> asyncio.Event:
        """An event that every ring sets; let go of it and it is forgotten."""
        event = asyncio.Event()
        self._held.add(event)
        return event

    def ring(self) -> None:
        """Set everyone's event."""
        for event in self._held:
            event.set()


class Wake:
    """The two bells of a process, tied to the commits of its database and to the bells of other processes."""

    def __init__(self, database: Database) -> None:
        self.committed, self.stamped = Bell(), Bell()
        self.recent = Recent()  # what the sequencer of this process has stamped last
        self.leading = False  # the sequencer is in this process: nobody else needs to hear of its commits
        self._database = database
        self._untold: set[str] = set()
        self._news = asyncio.Event()
        self._own_backend = 0
        database.on_commit = self.has_committed

    def has_committed(self) -> None:
        """A transaction of this process was committed: tell the sequencer, here or elsewhere."""
        self.committed.ring()
        if not self.leading:
            self._tell(COMMITTED)

    def has_stamped(self) -> None:
        """The sequencer of this process has given positions: tell the readers, here and elsewhere."""
        self.stamped.ring()
        self._tell(STAMPED)

    def _tell(self, channel: str) -> None:
        self._untold.add(channel)
        self._news.set()

    async def run(self, stop: asyncio.Event) -> None:
        """Carry the rings between processes until stopped; a lost connection is made again."""
        await asyncio.gather(self._keep(self._speak, stop), self._keep(self._listen, stop))

    async def _keep(self, work: Callable[[Session, asyncio.Event], Awaitable[None]], stop: asyncio.Event) -> None:
        failures = 0
        while not stop.is_set():
            try:
                async with session(self._database) as connection:
                    failures = 0
                    await work(connection, stop)
            except LOST as error:
                failures += 1
                log.warning("wake.connection_lost", error=repr(error))
                await first(stop, within=backoff(failures))

    async def _speak(self, connection: Session, stop: asyncio.Event) -> None:
        self._own_backend = connection.get_server_pid()
        await connection.execute("SET synchronous_commit = off")
        with tied(self._news, stop):
            while not stop.is_set():
                await first(self._news, within=HEARTBEAT)
                self._news.clear()
                await self._say(connection)

    async def _say(self, connection: Session) -> None:
        channels, self._untold = self._untold, set()
        said = "; ".join(f"NOTIFY {channel}" for channel in channels)
        try:
            await connection.execute(said or "SELECT 1", timeout=PATIENCE)
        except LOST:
            for channel in channels:
                self._tell(channel)
            raise

    async def _listen(self, connection: Session, stop: asyncio.Event) -> None:
        lost = asyncio.Event()
        connection.add_termination_listener(lambda _: lost.set())
        await connection.add_listener(COMMITTED, self._hear)
        await connection.add_listener(STAMPED, self._hear)
        while not stop.is_set() and not lost.is_set():
            await first(stop, lost, within=HEARTBEAT)
            await connection.execute("SELECT 1", timeout=PATIENCE)

    def _hear(self, _connection: Any, backend: int, channel: str, _payload: object) -> None:
        if backend != self._own_backend:
            (self.committed if channel == COMMITTED else self.stamped).ring()


@asynccontextmanager
async def session(database: Database) -> AsyncIterator[Session]:
    """A connection outside the pool, closed at the end in any case."""
    connection = await database.dedicated()
    try:
        yield connection
    finally:
        with suppress(*LOST):
            await connection.close(timeout=PATIENCE)


@contextmanager
def tied(event: asyncio.Event, stop: asyncio.Event) -> Iterator[None]:
    """As long as the block runs, `stop` sets the event as well: who waits has only one thing to wait for."""

    async def pass_on() -> None:
        await stop.wait()
        event.set()

    task = asyncio.ensure_future(pass_on())
    try:
        yield
    finally:
        task.cancel()


async def first(*events: asyncio.Event, within: float) -> None:
    """Wait until one of the events is set, or the seconds are over. One event alone costs no task."""
    if any(event.is_set() for event in events):
        return
    if len(events) == 1:
        with suppress(TimeoutError):
            async with asyncio.timeout(within):
                await events[0].wait()
        return
    waits = [asyncio.ensure_future(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, timeout=within, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()


async def keep_up(
    wake: Wake,
    stop: asyncio.Event,
    poll: float,
    catch_up: Callable[[], Awaitable[None]],
    failed: Callable[[Exception, int], Awaitable[None]],
) -> None:
    """Catch up whenever the log has news, and at least every `poll` seconds, until stopped. Nothing else ends it.

    After a fault, `failed` is told of it and the how-many-eth in a row it is; then it is tried again, later each time.
    """
    news, in_a_row = wake.stamped.event(), 0
    with tied(news, stop):
        while not stop.is_set():
            news.clear()
            try:
                await catch_up()
                in_a_row = 0
                await first(news, within=poll)
            except Exception as error:
                in_a_row += 1
                await failed(error, in_a_row)
                await first(stop, within=backoff(in_a_row))


def backoff(failures: int, longest: float = 10.0) -> float:
    """Seconds to wait after so many failures in a row: doubling from 0.1, a random part of it off."""
    return min(longest, 0.05 * 2.0 ** min(failures, 16)) * random.uniform(0.5, 1)  # noqa: S311 - not a secret
