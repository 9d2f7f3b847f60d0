"""A durable reader: "and then". Its effects are committed with its cursor, so each change takes effect exactly once.

Of all processes one holds a reader's lease. After a batch that fails the reader goes on in steps of 1, 2, 4, ... changes,
until the one at fault is alone; after some attempts that one is parked among the dead letters, and the reader goes on.
"""

import asyncio
import os
import socket
import time
from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import asyncpg
import structlog

from guildhouse.kernel.db import Connection, Database, Note
from guildhouse.kernel.ids import new_id
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.log.wake import LOST, Wake, backoff, first, tied

log = structlog.get_logger(__name__)

# Seconds between two batches where one change follows another: each costs a transaction, however few its changes. Who
# looks for rows that lack something, and finds none again and again, looks less and less often.
BREATH, LONGEST_BREATH = 0.025, 0.2

Handle: TypeAlias = Callable[[Connection, Sequence[Change]], Awaitable[None]]


@dataclass(frozen=True)
class Reader:
    """What a reader is: its name, which is the key of its cursor; what it does with changes; of which tables.

    `handle` does its effects on the connection it is given, and no others: they are committed with the cursor. Each call
    gets changes in order, at most `batch`. A new reader begins at the `first` change or `now`.

    One that keeps something in memory is told to `begin` anew when this process takes the lease, because another one may
    have read since; its `resources` may be a set that grows and shrinks with what it handles. For `linger` seconds it
    lets news gather, where a batch costs more than its changes.
    """

    name: str
    handle: Handle
    resources: Collection[str] | None = None
    batch: int = 200
    start: Literal["first", "now"] = "first"
    attempts: int = 5
    begin: Callable[[Connection], Awaitable[None]] | None = None
    linger: float = 0.0
    lacking: str | None = None


class LeaseLost(Exception):
    """Another process reads now: this one was too slow, and what it did in this batch is rolled back."""


class Refused(Exception):
    """A reader's `handle` raised `error`, and that is not a fault of the moment."""

    def __init__(self, error: Exception) -> None:
        self.error = error


class NoDeadLetter(LookupError):
    """This reader has no unresolved dead letter at this position."""


def because(change: Change, verb: str | None = None) -> Note:
    """The note for effects of one change, so that `trace` finds them: `await connection.execute(because(c).sql())`."""
    return Note(verb=verb, request_id=change.request_id, caused_by=change.seq)


ENROL = "INSERT INTO readers (name, cursor) VALUES ($1, $2) ON CONFLICT DO NOTHING"
TAKE = """
UPDATE readers r SET lease_owner = $2, lease_until = now() + make_interval(secs => $3), updated_at = now()
FROM readers was WHERE r.name = $1 AND was.name = $1
    AND (r.lease_owner IS NULL OR r.lease_owner = $2 OR r.lease_until < now())
RETURNING r.cursor, was.lease_owner <> $2 AS abandoned
"""
MOVE = """
UPDATE readers SET cursor = $4, attempts = 0, last_error = NULL, updated_at = now(),
    lease_until = now() + make_interval(secs => $3)
WHERE name = $1 AND lease_owner = $2 AND cursor = $5 RETURNING cursor
"""
RENEW = MOVE.replace("attempts = 0, last_error = NULL, ", "")
RELEASE = """
UPDATE readers SET lease_owner = NULL, lease_until = NULL, cursor = $3
WHERE name = $1 AND lease_owner = $2 AND cursor = $4
"""
COUNT = """
UPDATE readers SET attempts = attempts + 1, last_error = $3, updated_at = now()
WHERE name = $1 AND lease_owner = $2 RETURNING attempts
"""
PARK = "INSERT INTO dead_letters (reader, pos, seq, error, attempts) VALUES ($1, $2, $3, $4, $5)"
RESOLVE = """
UPDATE dead_letters SET resolved_at = now() WHERE reader = $1 AND pos = $2 AND resolved_at IS NULL RETURNING pos
"""


class ReaderLoop:
    """A reader at work in this process, or in waiting while another one holds its lease. Its numbers are for metrics."""

    def __init__(
        self, reader: Reader, database: Database, wake: Wake, *, poll: float = 0.25, lease: float = 15.0
    ) -> None:
        self.reader = reader
        self.handled = self.parked = self.failures = 0
        self.behind = 0  # positions between the log's end and what was looked through
        self.behind_seconds = 0.0  # the age of the first change that was not yet handled
        self._database, self._wake, self._poll, self._lease = database, wake, poll, lease
        self._me = f"{socket.gethostname()}:{os.getpid()}:{new_id()[-8:]}"
        self._enrolled = self._holding = False
        self._renew_at = self._moved_at = 0.0
        self._cursor = self._seen = 0  # as stored; and as looked through, stored with the next effect or renewal
        self._size = reader.batch
        self._breath = BREATH
        self._wary = False  # the last holder died or hung, perhaps of the next change: count attempts beforehand

    async def run(self, stop: asyncio.Event) -> None:
        """Read until stopped. Nothing else ends it: after a fault it tries again, waiting longer each time."""
        news, in_a_row = self._wake.stamped.event(), 0
        with tied(news, stop):
            while not stop.is_set():
                news.clear()
                try:
                    await self.drain(stop)
                    in_a_row = 0
                except Exception as error:  # a fault of the moment; those of a change were dealt with
                    in_a_row += 1
                    self._holding = False
                    log.warning("reader.interrupted", reader=self.reader.name, error=repr(error), in_a_row=in_a_row)
                    await first(stop, within=backoff(in_a_row))
                if self._holding:
                    await first(news, within=self._poll)
                    await self._let_gather(news, stop)
                else:
                    await first(stop, within=min(self._poll * 4, self._lease / 3))
        with suppress(*LOST):
            await self.release()

    async def _let_gather(self, news: asyncio.Event, stop: asyncio.Event) -> None:
        seconds = self.reader.linger or self._moved_at + self._breath - time.monotonic()
        if seconds <= 0:  # it was quiet
            self._breath = BREATH
        elif news.is_set():
            await first(stop, within=seconds)

    async def drain(self, stop: asyncio.Event | None = None) -> int:
        """Handle all that the log has now, if the lease is free or held here; says how many changes were handled."""
        before = self.handled
        while await self._holds_lease() and not (stop and stop.is_set()) and not self._passes_by():
            async with self._database.reading() as connection:
                end, batch = await self._look(connection)
            self._measure(end, batch.changes)
            if self._wary and batch.changes:
                await self._take_in_warily(batch.changes[0], stop)
            elif batch.changes:
                await self._take_in(batch, stop)
            elif batch.upto > self._seen:
                self._seen = batch.upto
                await self._keep_what_it_was_spared()
            if self._seen >= end:  # of what came meanwhile, the bell tells
                self._measure(end, ())
                break
        return self.handled - before

    async def _keep_what_it_was_spared(self) -> None:
        """Store how far it has come past changes of its own resources: who waits for it looks at the stored cursor."""
        if self.reader.lacking:
            self._breath = min(self._breath * 1.5, LONGEST_BREATH)
            async with self._database.reading() as connection:
                await self._renew(connection)

    def _wanted(self) -> tuple[int, list[int]] | None:
        """Up to where this process itself has stamped the log, and where it has what is for this reader; None: unknown."""
        news, resources = self._wake.recent.after(self._seen), self.reader.resources
        if not news or resources is None:
            return None
        return news[-1].pos or 0, [change.pos or 0 for change in news if change.resource in resources]

    def _passes_by(self) -> bool:
        """Whether all that was just stamped is nothing to this reader: then no query is needed."""
        match self._wanted():
            case upto, []:
                self._seen = upto
                self._measure(upto, [])
                return True
        return False

    async def _look(self, connection: Connection) -> tuple[int, changes.Stretch]:
        """The end of the log, and the next changes."""
        if wanted := self._wanted():
            end, positions = wanted
            found = await changes.at(connection, positions, self._size, self.reader.lacking)
            return end, found if found.upto < positions[-1] else replace(found, upto=end)
        end = (await changes.head(connection)).pos
        reader = self.reader
        return end, await changes.between(connection, self._seen, end, self._size, reader.resources, reader.lacking)

    def _measure(self, end: int, batch: Sequence[Change]) -> None:
        self.behind = max(0, end - self._seen)
        self.behind_seconds = (datetime.now(UTC) - batch[0].at).total_seconds() if batch else 0.0

    async def _take_in(self, batch: changes.Stretch, stop: asyncio.Event | None) -> None:
        try:
            async with self._database.writing(Note()) as connection:
                await self._effect(connection, batch.changes)
                await self._move(connection, batch.upto)
        except Refused as refused:
            await self._face(refused.error, batch.changes, stop)
        except asyncpg.PostgresError as error:  # of the commit: a deferred constraint, a failure that `handle` hid
            if is_passing(error):
                raise
            await self._face(error, batch.changes, stop)
        else:
            self._went_to(batch.upto)
            self._breath = BREATH
            self.handled += len(batch.changes)
            self._size = min(self.reader.batch, self._size * 2)

    async def _effect(self, connection: Connection, batch: Sequence[Change]) -> None:
        try:
            await self.reader.handle(connection, batch)
        except Exception as error:
            if is_passing(error) and not is_lost(connection):
                raise
            raise Refused(error) from error  # a lost connection too: this change may be what costs it

    async def _take_in_warily(self, change: Change, stop: asyncio.Event | None) -> None:
        """One change alone, counted before it is read: one that kills its reader is parked in the end."""
        assert change.pos is not None
        error = RuntimeError("the process that read this change died or hung")
        attempts = await self._count(error)
        self._wary, self._size = False, 1
        if attempts > self.reader.attempts:
            await self._park(change, error, attempts - 1)
        else:
            await self._take_in(changes.Stretch([change], change.pos), stop)

    async def _face(self, error: Exception, batch: Sequence[Change], stop: asyncio.Event | None) -> None:
        """One change after the other, until one fails alone; that again, later each time; and park it in the end."""
        self.failures += 1
        self._size = 1
        if len(batch) > 1:
            return
        attempts = await self._count(error)
        log.warning("reader.failed", reader=self.reader.name, pos=batch[0].pos, attempts=attempts, error=repr(error))
        if attempts >= self.reader.attempts:
            await self._park(batch[0], error, attempts)
        else:
            await first(stop or asyncio.Event(), within=backoff(attempts))

    async def _count(self, error: Exception) -> int:
        async with self._database.reading() as connection:
            attempts: int | None = await connection.fetchval(COUNT, self.reader.name, self._me, repr(error)[:2000])
        if attempts is None:
            raise LeaseLost
        return attempts

    async def _park(self, change: Change, error: Exception, attempts: int) -> None:
        assert change.pos is not None
        async with self._database.writing(Note()) as connection:
            said = repr(error)[:2000]
            await connection.execute(PARK, self.reader.name, change.pos, change.seq, said, attempts)
            await self._move(connection, change.pos)
        self._went_to(change.pos)
        self.parked += 1

    async def replay(self, pos: int) -> None:
        """Handle a dead letter once more, whatever came after it; raises `NoDeadLetter`, or what `handle` raises."""
        async with self._database.writing(Note()) as connection:
            if await connection.fetchval(RESOLVE, self.reader.name, pos) is None:
                raise NoDeadLetter(f"{self.reader.name} at {pos}")
            if self.reader.begin:
                await self.reader.begin(connection)
            await self.reader.handle(connection, (await changes.between(connection, pos - 1, pos)).changes)

    async def _move(self, connection: Connection, upto: int) -> None:
        """Move the stored cursor, if the lease is still held and nobody else moved it: the fence of every effect."""
        if await connection.fetchval(MOVE, self.reader.name, self._me, self._lease, upto, self._cursor) is None:
            raise LeaseLost

    def _went_to(self, upto: int) -> None:
        self._cursor = self._seen = upto
        self._moved_at = time.monotonic()
        self._renew_at = self._moved_at + self._lease / 3

    async def _holds_lease(self) -> bool:
        if self._holding and time.monotonic() < self._renew_at:
            return True
        async with self._database.reading() as connection:
            await (self._renew(connection) if self._holding else self._take(connection))
        return self._holding

    async def _renew(self, connection: Connection) -> None:
        arguments = (self.reader.name, self._me, self._lease, self._seen, self._cursor)
        self._holding = await connection.fetchval(RENEW, *arguments) is not None
        self._went_to(self._seen)

    async def _take(self, connection: Connection) -> None:
        if not self._enrolled:
            start = 0 if self.reader.start == "first" else (await changes.head(connection)).pos
            await connection.execute(ENROL, self.reader.name, start)
            self._enrolled = True
        taken = await connection.fetchrow(TAKE, self.reader.name, self._me, self._lease)
        if taken and self.reader.begin:
            await self.reader.begin(connection)
        self._holding = taken is not None
        if taken:
            self._went_to(taken["cursor"])
            self._wary = bool(taken["abandoned"])

    async def release(self) -> None:
        """Let go of the lease, so that another process need not wait until it runs out."""
        if self._holding:
            self._holding = False
            async with self._database.reading() as connection:
                await connection.execute(RELEASE, self.reader.name, self._me, self._seen, self._cursor)


# By SQLSTATE: connection, rollback, resources, shutdown, system.
PASSING = ("08", "40", "53", "57P", "58")


def is_lost(connection: Connection) -> bool:
    """Whether the connection ended while it was in use."""
    try:
        return connection.is_closed()
    except asyncpg.InterfaceError:  # the pool has already taken it back
        return True


def is_passing(error: Exception) -> bool:
    """Whether it is a fault of the moment, and not of the change that was read: trying again later may help."""
    return isinstance(error, asyncpg.PostgresError) and (error.sqlstate or "").startswith(PASSING)
