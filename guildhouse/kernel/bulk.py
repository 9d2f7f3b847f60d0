"""Bulk: many writes of one resource, judged one by one as the store judges, written in a few statements.

A batch is the same as its single writes: the same permissions, rules, stages and scopes, one change in the log per row.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing
from functools import cache
from typing import Any

import asyncpg
from pydantic import BaseModel, ValidationError, create_model

from guildhouse.kernel import store
from guildhouse.kernel.bulk_writing import WRITES, Judged, Line, Op, Outcome, Verdict, WritingBehind
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import DIALECT
from guildhouse.kernel.errors import Denied, Invalid, NotFound, Problem, invalid
from guildhouse.kernel.etag import check_match
from guildhouse.kernel.may import Predicate
from guildhouse.kernel.merge_patch import patched
from guildhouse.kernel.request import conform, values_of
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import Row
from guildhouse.kernel.shapes import Shape
from guildhouse.kernel.writing import check_nulls

# Rows that are judged before others have a turn: other requests, and the rows before these, which are being written.
A_TURN = 10
LONGEST_KEY = 200  # characters of a part of a key that an outcome repeats
# What an upsert meets that somebody else's batch overtook: the row that it was to make is there now.
OVERTAKEN = (asyncpg.UniqueViolationError, asyncpg.DeadlockDetectedError)


class NoUpsert(Invalid):
    """{resource} have no key of their own to find a row by; use create and change."""


class TooManyAffected(Invalid):
    """This would write more rows than `Prefer: max-affected={most}` allows. Nothing of it was written."""


class BatchRefused(Invalid):
    """{failed} of {total} writes were refused, and as the mode is atomic, nothing was written. `results` names them."""

    def __init__(self, failed: int, total: int, outcomes: Sequence[Outcome] = ()) -> None:
        self.outcomes = outcomes
        super().__init__(failed=failed, total=total)


class ShownOnce(Invalid):
    """New {resource} show a secret once, which no stored report may hold. Send them as a JSON batch, or one by one."""


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
    left = len(wave) if most is None else most - sum(each.status in WRITES for each in outcomes)
    async with (
        WritingBehind(ctx, resource, outcomes) as writing,
        aclosing(judge(ctx, resource, wave, outcomes)) as allowed,
    ):
        async for judged in allowed:
            if not left:
                raise TooManyAffected(most=most)
            left -= 1
            await writing.add(judged)
    refused = [(each.line, error) for each, error in writing.refused]
    return [line for line, error in refused if line.op.op == "upsert" and isinstance(error, OVERTAKEN)]


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


async def judge(
    ctx: Context, resource: Resource[Any], wave: list[Line], outcomes: list[Outcome]
) -> AsyncGenerator[Judged]:
    """The ops that are allowed and would write something; the outcome of the others is noted."""
    by_id, by_key = await existing(ctx, resource, wave)
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
        yield found


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
    if op.op == "create" or (op.op == "upsert" and before is None and op.id is None):
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
    if op.id is not None:
        raise invalid("/id", "given-by-server", "a new row gets its id from the server: leave this out")
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
