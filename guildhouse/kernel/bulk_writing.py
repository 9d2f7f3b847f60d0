"""Bulk writing: rows that their declaration allows are written many in one statement, each with its change in the log.

A batch writes some while it judges the next (`WritingBehind`), so that the database and the server work at the same time.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType, TracebackType
from typing import Any, Literal, NamedTuple

import asyncpg
import orjson
from pydantic import Field

from guildhouse.kernel import problems, store
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import savepoint
from guildhouse.kernel.errors import Problem
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import Row
from guildhouse.kernel.shapes import Id, Shape

Verdict = Literal["created", "changed", "unchanged", "removed", "restored", "failed", "kept", "not-written"]
WRITES: tuple[Verdict, ...] = ("created", "changed", "removed", "restored")
SOME = 200  # rows, of which one statement makes good use
NOTHING: Mapping[str, Any] = MappingProxyType({})


class Op(Shape):
    """One write of a batch. `upsert` finds the row by the resource's key, and creates it where there is none."""

    op: Literal["create", "change", "upsert", "remove", "restore"]
    id: Id | None = None
    if_match: str | None = Field(default=None, max_length=100)
    data: dict[str, Any] | None = None


@dataclass(slots=True)
class Outcome:
    """What became of one op. `revealed` is what only this one answer shows: a new key's secret.

    One that failed repeats the `key` that its data named the row by, as far as it did.
    """

    status: Verdict
    id: str | None = None
    version: int | None = None
    problem: Problem | None = None
    revealed: Mapping[str, Any] = field(default_factory=lambda: NOTHING)
    key: Mapping[str, str] = field(default_factory=lambda: NOTHING)


class Line(NamedTuple):
    """An op at its place in the batch, with the resource's key in its data where that finds a row."""

    place: int
    op: Op
    key: tuple[str, ...] | None


@dataclass(slots=True)
class Judged:
    """A line that its declaration allows: the row before (None for a new one) and after."""

    line: Line
    status: Verdict
    before: Any
    after: Any
    revealed: Mapping[str, Any] = field(default_factory=lambda: NOTHING)


class Refused(NamedTuple):
    """A row that the database did not take."""

    judged: Judged
    error: asyncpg.PostgresError


class WritingBehind:
    """The rows that a piece of work has judged: written some at a time, while it judges the next ones.

    As its context's `behind` it writes all that was judged before anything is asked of the database: a row is judged as
    if it came alone, after those before it. What the database refuses is noted as failed, and kept in `refused`.
    """

    def __init__(self, ctx: Context, resource: Resource[Any], outcomes: list[Outcome], verb: str | None = None) -> None:
        self.refused: list[Refused] = []
        self._ctx, self._resource, self._outcomes, self._verb = ctx, resource, outcomes, verb
        self._judged: list[Judged] = []
        self._writing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> "WritingBehind":
        self._ctx.behind = self
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None
    ) -> None:
        try:
            if kind is None:
                await self.settle()
        finally:
            self._ctx.behind = None
            if self._writing:  # the transaction is given up: nothing may be under way on its connection
                self._writing.cancel()
                await asyncio.gather(self._writing, return_exceptions=True)

    async def add(self, judged: Judged) -> None:
        """One more row to be written."""
        self._judged.append(judged)
        if len(self._judged) >= SOME and (self._writing is None or self._writing.done()):
            await self.begin()

    async def begin(self) -> None:
        """Begin to write what was judged so far, once those before are written."""
        await self.free()
        some, self._judged = self._judged, []
        if some:
            self._writing = asyncio.create_task(self.write(some))

    async def free(self) -> None:
        """Until nothing is being written. Raises what went wrong with that."""
        if self._writing:
            writing, self._writing = self._writing, None
            await writing

    async def settle(self) -> None:
        """Until all that was judged so far is written."""
        await self.begin()
        await self.free()

    async def write(self, some: Sequence[Judged]) -> None:
        """Write some rows."""
        self.refused += await write_judged(self._ctx, self._resource, some, self._outcomes, self._verb)


class Rehearsal(WritingBehind):
    """Rows that are judged and not to be written: they are, as soon as a rule asks for them, and all of it is undone."""

    async def __aenter__(self) -> "Rehearsal":
        await self._ctx.connection.execute("SAVEPOINT rehearsal")
        await super().__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._judged.clear()
        await super().__aexit__(kind, error, trace)
        if kind is None:
            await self._ctx.connection.execute("ROLLBACK TO SAVEPOINT rehearsal; RELEASE SAVEPOINT rehearsal")
        self._ctx.written.clear()
        self._ctx.xid = None

    async def add(self, judged: Judged) -> None:
        """One more row, which nobody has asked for yet."""
        self._judged.append(judged)


async def write_judged(
    ctx: Context, resource: Resource[Any], judged: Sequence[Judged], outcomes: list[Outcome], verb: str | None = None
) -> list[Refused]:
    """Write rows, the new ones first. What the database refuses is returned, and noted as a failure of its row alone."""
    new = [each for each in judged if each.before is None]
    others = [each for each in judged if each.before is not None]
    refused = await write_stretch(ctx, resource, insert_many_sql(resource), new, outcomes, verb)
    refused += await write_stretch(ctx, resource, update_many_sql(resource), others, outcomes, verb)
    for each, error in refused:
        row_id = each.before.id if each.before else None
        outcomes[each.line.place] = Outcome("failed", row_id, problem=problems.from_driver(error))
    return refused


async def write_stretch(
    ctx: Context, resource: Resource[Any], sql: str, judged: list[Judged], outcomes: list[Outcome],
    verb: str | None = None,
) -> list[Refused]:  # fmt: skip
    """Write rows in one statement; if the database refuses one, halve until it is alone, so that the others go in."""
    if not judged:
        return []
    rows = orjson.dumps([stored(resource, each.after) for each in judged]).decode()
    try:
        async with savepoint(ctx.connection):
            ctx.xid = await ctx.connection.fetchval(sql, ctx.saying(verb), rows, ctx.now)
    except asyncpg.PostgresError as error:
        half = len(judged) // 2
        if half == 0:
            return [Refused(judged[0], error)]
        refused = await write_stretch(ctx, resource, sql, judged[:half], outcomes, verb)
        return refused + await write_stretch(ctx, resource, sql, judged[half:], outcomes, verb)
    for each in judged:
        ctx.memo.pop((resource.name, each.after.id), None)
        ctx.written.append((resource.name, each.after.scopes))
        version = each.before.version + 1 if each.before else 1
        outcomes[each.line.place] = Outcome(each.status, each.after.id, version, revealed=each.revealed)
    return []


def stored(resource: Resource[Any], row: Row) -> dict[str, Any]:
    """The row's columns, without what `derive` was given besides."""
    values = row.__dict__
    return values if values.keys() == resource.columns.keys() else {name: values[name] for name in resource.columns}


@cache
def insert_many_sql(resource: Resource[Any]) -> str:
    """INSERT of rows that come as one JSON array; PostgreSQL reads each value as its column's type."""
    columns = ", ".join(f'"{name}"' for name in resource.columns)
    return (
        f'{store.NOTED}, made AS (INSERT INTO "{resource.name}" ({columns}) SELECT {columns} '
        f'FROM noted, json_populate_recordset(NULL::"{resource.name}", $2::json)) '
        "SELECT pg_current_xact_id()::text WHERE $3::timestamptz IS NOT NULL"
    )


@cache
def update_many_sql(resource: Resource[Any]) -> str:
    """UPDATE of rows that come as one JSON array; the trigger of the log tells which columns really differ."""
    names = [name for name in resource.columns if name not in ("id", "version", "created_at", "updated_at")]
    sets = ", ".join(f'"{name}" = r."{name}"' for name in names)
    return (
        f'{store.NOTED}, made AS (UPDATE "{resource.name}" t SET version = t.version + 1, updated_at = $3, {sets} '
        f'FROM noted, json_populate_recordset(NULL::"{resource.name}", $2::json) r '
        "WHERE t.id = r.id AND t.version = r.version) SELECT pg_current_xact_id()::text"
    )
