"""Bulk: many writes of one resource, judged one by one as the store judges, written in a few statements.

A batch is the same as its single writes: the same permissions, rules, stages and scopes, one change in the log per row.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

import asyncpg
import orjson
from pydantic import BaseModel, Field, ValidationError, create_model

from guildhouse.kernel import problems, store
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import DIALECT, savepoint
from guildhouse.kernel.errors import Denied, Invalid, NotFound, Problem
from guildhouse.kernel.etag import check_match
from guildhouse.kernel.may import Predicate
from guildhouse.kernel.merge_patch import patched
from guildhouse.kernel.request import conform, values_of
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import Row
from guildhouse.kernel.shapes import Id, Shape
from guildhouse.kernel.writing import check_nulls

Verdict = Literal["created", "changed", "unchanged", "removed", "restored", "failed", "kept", "not-written"]
WRITES: tuple[Verdict, ...] = ("created", "changed", "removed", "restored")
A_TURN = 50  # rows that are judged before other requests of the process have a turn
NOTHING: Mapping[str, Any] = MappingProxyType({})
LONGEST_KEY = 200  # characters of a part of a key that an outcome repeats
# What an upsert meets that somebody else's batch overtook: the row that it was to make is there now.
OVERTAKEN = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError)


class NoUpsert(Invalid):
    """{resource} have no key of their own to find a row by; use create and change."""


class TooManyAffected(Invalid):
    """This would write more rows than `Prefer: max-affected={most}` allows. Nothing of it was written."""


class BatchRefused(Invalid):
    """{failed} of {total} writes were refused, and as the mode is atomic, nothing was written. `results` names them."""

    def __init__(self, failed: int, total: int, outcomes: Sequence["Outcome"] = ()) -> None:
        self.outcomes = outcomes
        super().__init__(failed=failed, total=total)


class ShownOnce(Invalid):
    """New {resource} show a secret once, which no stored report may hold. Send them as a JSON batch, or one by one."""


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


def refuse_if_atomic(mode: str, outcomes: Sequence[Outcome]) -> None:
    """In an atomic batch one failure undoes all."""
    failed = sum(each.status == "failed" for each in outcomes)
    if mode == "atomic" and failed:
        raise BatchRefused(failed, len(outcomes), outcomes)


async def write_many(
    ctx: Context, resource: Resource[Any], ops: Sequence[Op | Problem], most: int | None = None
) -> list[Outcome]:
    """Write what can be written, in order; each outcome is at the place of its op.

    An op that is already a problem (a line that could not be read) fails with it. Raises `TooManyAffected`.
    """
    outcomes = [Outcome("failed", problem=op if isinstance(op, Problem) else None) for op in ops]
    for wave in waves(resource, ops):
        overtaken = await write_wave(ctx, resource, wave, outcomes, most)
        if overtaken:
            await write_wave(ctx, resource, overtaken, outcomes, most)
    for op, outcome in zip(ops, outcomes, strict=True):
        if outcome.status == "failed" and isinstance(op, Op):
            outcome.key = said_key(resource, op.data or {})
    return outcomes


def waves(resource: Resource[Any], ops: Sequence[Op | Problem]) -> Iterator[list[Line]]:
    """The ops in stretches in which no row comes twice, so that a later op finds what an earlier one wrote."""
    keyed = any(isinstance(op, Op) and op.op == "upsert" for op in ops)
    wave: list[Line] = []
    met: set[Any] = set()
    for place, op in enumerate(ops):
        if isinstance(op, Problem):
            continue
        key = key_of(resource, op.data or {}) if keyed and op.id is None else None
        mark = op.id or key
        if mark is not None and mark in met:
            yield wave
            wave, met = [], set()
        met.add(mark)
        wave.append(Line(place, op, key))
    if wave:
        yield wave


async def write_wave(
    ctx: Context, resource: Resource[Any], wave: list[Line], outcomes: list[Outcome], most: int | None
) -> list[Line]:
    """Judge and write one stretch; the upserts that were overtaken are returned, to be judged by the row that is there."""
    judged = await judge(ctx, resource, wave, outcomes)
    if most is not None and sum(o.status in WRITES for o in outcomes) + len(judged) > most:
        raise TooManyAffected(most=most)
    new = [each for each in judged if each.before is None]
    changed = [each for each in judged if each.before is not None]
    refused = await write_stretch(ctx, resource, insert_many_sql(resource), new, outcomes)
    refused += await write_stretch(ctx, resource, update_many_sql(resource), changed, outcomes)
    for each, error in refused:
        outcomes[each.line.place] = Outcome("failed", problem=problems.from_driver(error))
    return [each.line for each, error in refused if each.line.op.op == "upsert" and isinstance(error, OVERTAKEN)]


def said_key(resource: Resource[Any], data: Mapping[str, Any]) -> dict[str, str]:
    """The parts of the resource's key that some data names, for whoever looks for a line that failed."""
    named = {name: data.get(name) for name in resource.carry.key}
    return {name: str(value)[:LONGEST_KEY] for name, value in named.items() if isinstance(value, str | int)}


def key_of(resource: Resource[Any], data: dict[str, Any]) -> tuple[str, ...] | None:
    """The resource's key in some data, as text in its canonical form; None where a part of it is missing or wrong."""
    names = resource.carry.key
    try:
        found = key_shape(resource).model_validate({name: data[name] for name in names if name in data})
    except ValidationError:  # the shape of the whole row says what is wrong with it
        return None
    values = [getattr(found, name) for name in names]
    return tuple(map(str, values)) if values and all(value is not None for value in values) else None


@cache
def key_shape(resource: Resource[Any]) -> type[BaseModel]:
    """The part of the create shape that is the key."""
    fields = resource.shapes.create.model_fields if resource.shapes.create else {}
    parts: dict[str, Any] = {name: (fields[name].annotation, fields[name]) for name in resource.carry.key}
    return create_model("Key", __base__=Shape, **parts)


async def judge(ctx: Context, resource: Resource[Any], wave: list[Line], outcomes: list[Outcome]) -> list[Judged]:
    """The ops that are allowed and would write something; the outcome of the others is noted."""
    by_id, by_key = await existing(ctx, resource, wave)
    allowed = []
    for n, line in enumerate(wave, 1):
        if n % A_TURN == 0:
            await asyncio.sleep(0)
        place, op, key = line
        try:
            before = by_id.get(op.id) if op.id else by_key.get(key or ())
            found = await judge_one(ctx, resource, line, before)
        except Problem as problem:
            outcomes[place], ctx.revealed = Outcome("failed", op.id, problem=problem), {}
            continue
        if found.after is None:
            outcomes[place] = Outcome("unchanged", found.before.id, found.before.version)
            continue
        if ctx.revealed:
            found.revealed, ctx.revealed = ctx.revealed, {}
        allowed.append(found)
    return allowed


async def existing(
    ctx: Context, resource: Resource[Any], wave: list[Line]
) -> tuple[dict[str, Row], dict[tuple[str, ...], Row]]:
    """The rows that the ops speak of, by id and by key, locked in the order of their ids so that batches never deadlock."""
    ids = [op.id for _, op, _ in wave if op.id]
    keys = [key for _, op, key in wave if op.op == "upsert" and key]
    found = await ctx.connection.fetch(ids_sql(resource), ids) if ids else []
    by_id = {record["id"]: resource.table.of(record) for record in found}
    if not keys:
        return by_id, {}
    columns = [list(values) for values in zip(*keys, strict=True)]
    rows = [resource.table.of(record) for record in await ctx.connection.fetch(keys_sql(resource), *columns)]
    return by_id, {tuple(str(row.__dict__[name]) for name in resource.carry.key): row for row in rows}


async def judge_one(ctx: Context, resource: Resource[Any], line: Line, before: Row | None) -> Judged:
    """One op as the store judges it. Raises what it refuses."""
    op = line.op
    if op.op == "create" or (op.op == "upsert" and before is None):
        after = await store.judge_new(ctx, resource, created_values(resource, op), None)
        return Judged(line, "created", None, after)
    if before is None or not ctx.actor.sees(before.scopes) or (before.deleted_at is None) == (op.op == "restore"):
        raise NotFound
    check_match(op.if_match, before.version)
    status, may, values = meant(ctx, resource, op)
    after = await store.judge_change(ctx, resource, before, patched(before.__dict__, values), may, None)
    return Judged(line, status, before, after)


def meant(ctx: Context, resource: Resource[Any], op: Op) -> tuple[Verdict, Predicate, dict[str, Any]]:
    """What an op on an existing row would be called, who may do it, and the values it sets."""
    if op.op == "remove":
        return "removed", resource.may.remove, {"deleted_at": ctx.now}
    if op.op == "restore":
        return "restored", resource.may.remove, {"deleted_at": None}
    return "changed", resource.may.change, changed_values(resource, op)


def created_values(resource: Resource[Any], op: Op) -> dict[str, Any]:
    """The data of a create, by its shape."""
    if resource.shapes.create is None:
        raise Denied
    if op.op == "upsert" and not resource.carry.key:
        raise NoUpsert(resource=resource.name)
    return values_of(conform(resource.shapes.create, op.data or {}))


def changed_values(resource: Resource[Any], op: Op) -> dict[str, Any]:
    """The data of a change, by its shape; an upsert may repeat what only a new row takes: its key, its first status."""
    if resource.shapes.update is None:
        raise Denied
    data = dict(op.data or {})
    if op.op == "upsert" and resource.shapes.create:
        only_new = resource.shapes.create.model_fields.keys() - resource.shapes.update.model_fields.keys()
        data = {name: value for name, value in data.items() if name not in only_new}
    values = values_of(conform(resource.shapes.update, data), only_set=True)
    check_nulls(resource, values)
    return values


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
def ids_sql(resource: Resource[Any]) -> str:
    """Rows by id, locked."""
    return f'SELECT * FROM "{resource.name}" WHERE id = ANY($1::uuid[]) ORDER BY id FOR NO KEY UPDATE'


@cache
def keys_sql(resource: Resource[Any]) -> str:
    """Live rows by their key, locked; one text array for each column of the key."""
    names = ", ".join(f'"{name}"' for name in resource.carry.key)
    kinds = [resource.columns[name].type.compile(DIALECT) for name in resource.carry.key]
    values = ", ".join(f"unnest(${n}::text[])::{kind}" for n, kind in enumerate(kinds, 1))
    return (
        f'SELECT * FROM "{resource.name}" WHERE ({names}) IN (SELECT {values}) AND deleted_at IS NULL '
        "ORDER BY id FOR NO KEY UPDATE"
    )


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
