"""Selecting: one thing is done to all rows of a filter. Which rows those are is fixed at the moment of the request."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import asyncpg
from pydantic import BaseModel, Field

from guildhouse.kernel import bulk, problems
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.asked_rows import asked_rows
from guildhouse.kernel.bulk import TooManyAffected, write_many
from guildhouse.kernel.bulk_writing import Op, Outcome
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import savepoint
from guildhouse.kernel.errors import BadRequest, Denied, NotFound, PreconditionRequired, Problem
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.manifest import House
from guildhouse.kernel.may import nobody
from guildhouse.kernel.operating.beginning import accepted, begin, max_affected, refuse_secrets
from guildhouse.kernel.operating.chunks import CHUNK_LINES, Chunk, Lines, count_lines, lines_of, told
from guildhouse.kernel.operation import Operation
from guildhouse.kernel.request import Call, conform
from guildhouse.kernel.resource import Resource, Verb
from guildhouse.kernel.searching.search_condition import search_conditions
from guildhouse.kernel.select import LIVE, TRASH, numbered, statement, visible
from guildhouse.kernel.shapes import Shape
from guildhouse.kernel.writing import is_dry, perform

FEW = 100  # rows that need no `max-affected`
TRIED = 1000  # rows that a dry run tries, the first ones; of verbs, which run one by one, a tenth
SHOWN = 20  # of these are told of one by one
PLAIN = ("change", "remove", "restore")
Name = Annotated[str, Field(max_length=100)]
Value = Annotated[str, Field(max_length=2000)]


class Tried(Exception):
    """Carries what became of some rows out of the savepoint that undoes it."""

    def __init__(self, outcomes: list[Outcome]) -> None:
        self.outcomes = outcomes


class NotDoneToMany(BadRequest):
    """`{op}` is nothing that can be done to all rows of a filter here. These can: {known}."""


class NoDataTaken(BadRequest):
    """`{op}` takes no `data`."""


class HowManyAreMeant(PreconditionRequired):
    """This filter finds {count} rows. Look first with `Prefer: tx=rollback`, then say `Prefer: max-affected={count}`."""


class Selection(Shape):
    """One thing to do to all rows that a filter finds. `op` is `change`, `remove`, `restore`, or the name of a verb."""

    filter: dict[Name, Value] = Field(
        max_length=100,
        examples=[{"status": "done"}],
        description="As the list's query string has it. `{}` is every row that you see; `restore` looks in the trash.",
    )
    op: Name = Field(examples=["remove"])
    data: dict[str, Any] | None = Field(default=None, description="The merge patch of a change, or the verb's body.")
    mode: Literal["each", "atomic"] = "each"


@dataclass(frozen=True)
class Deed:
    """What is done to each row: a plain write, or a verb with its body."""

    op: str
    data: dict[str, Any] | None
    verb: Verb | None = None
    body: BaseModel | None = None


def deed_of(house: House, resource: Resource[Any], op: str, data: dict[str, Any] | None) -> Deed:
    """What an `op` means here; raises for what cannot be done, and for data that do not fit."""
    verb = house.verbs.get((resource.name, op))
    shape = verb.body if verb else resource.shapes.update if op == "change" else None
    if verb is None and op not in PLAIN:
        verbs = [name for table, name in house.verbs if table == resource.name]
        raise NotDoneToMany(op=op, known=", ".join([*PLAIN, *verbs]))
    if verb is None and (resource.may.change if op == "change" else resource.may.remove) is nobody:
        raise Denied
    refuse_secrets(shape)
    if shape is None and data:
        raise NoDataTaken(op=op)
    body = conform(shape, data or {}) if shape else None
    return Deed(op, data, verb, body)


async def write_selection(call: Call, resource: Resource[Any], asked: Selection) -> Answer:
    """The operation that does it; in a dry run, how many rows there are, and what would become of up to 1,000 of them."""
    deed = deed_of(call.server.house, resource, asked.op, asked.data)
    searched = frozenset({"q"}) if resource.find.text else frozenset()
    _, where = asked_rows(call.server.house, resource, list(asked.filter.items()), searched)
    most = max_affected(call)

    async def act(ctx: Context) -> Answer:
        state = TRASH if deed.op == "restore" else LIVE
        found = await search_conditions(call.server.search, ctx.connection, ctx.actor, resource, asked.filter, state)
        chunks = await chosen(ctx, resource, state, [*where, *found])
        total = count_lines(chunks)
        if is_dry(call):
            return await tried(call, ctx, resource, deed, chunks[:1], total)
        refuse_many(total, most)
        said = asked.model_dump(include={"filter", "op", "data"})
        row = await begin(
            call, ctx, chunks, kind="selection", resource=resource.name, mode=asked.mode, total=total, asked=said
        )
        return accepted(call, ctx, row)

    return await perform(call, act)


def refuse_many(total: int, most: int | None) -> None:
    """Nobody changes many rows by a slip: how many are meant has to be said."""
    if most is None and total > FEW:
        raise HowManyAreMeant(count=total)
    if most is not None and total > most:
        raise TooManyAffected(most=most)


async def chosen(ctx: Context, resource: Resource[Any], state: Condition, where: Sequence[Condition]) -> list[Chunk]:
    """The ids of the rows that the actor sees and the filter finds now, in chunks."""
    columns = f"id, (row_number() OVER (ORDER BY id) - 1) / {CHUNK_LINES} AS number"
    sql, values = statement(resource, columns, (visible(resource, ctx.actor), state, *where))
    chunks = f"SELECT number, string_agg(id::text, ',' ORDER BY id) AS ids FROM ({sql}) c GROUP BY 1 ORDER BY 1"
    records = await ctx.connection.fetch(numbered(chunks), *values)
    return [(record["number"], record["ids"].replace(",", "\n").encode()) for record in records]


async def tried(
    call: Call, ctx: Context, resource: Resource[Any], deed: Deed, chunks: Sequence[Chunk], total: int
) -> Answer:
    """How many rows, and what becomes of those that are tried, `judged` of them, in a transaction that is rolled back.

    The changes of the first are told with the answer; those behind them are undone at once, and counted.
    """
    most = TRIED if deed.verb is None else TRIED // 10
    ids = [line.decode() for chunk in chunks for _, line in lines_of(*chunk)][:most]
    first = await done_to(ctx, resource, deed, ids[:SHOWN])
    others = await undone(ctx, resource, deed, ids[SHOWN:])
    failures = [each for each in others if each.status == "failed"][:SHOWN]
    sample, failed = ([told(each, call.language, call.request_id) for each in part] for part in (first, failures))
    counts = Counter(each.status for each in [*first, *others])
    found = {"total": total, "judged": len(ids), "would": counts, "sample": sample, "more_failures": failed}
    return Answer(202, dumps(found))


async def undone(ctx: Context, resource: Resource[Any], deed: Deed, ids: Sequence[str]) -> list[Outcome]:
    """What would become of these rows: it is done, and undone."""
    try:
        async with savepoint(ctx.connection):
            raise Tried(await done_to(ctx, resource, deed, ids) if ids else [])
    except Tried as found:
        return found.outcomes


async def write_rows(
    ctx: Context, resource: Resource[Any], operation: Operation, lines: Lines, _most: int | None
) -> list[Outcome]:
    """Do to the rows of these lines what the operation was asked for."""
    asked = operation.asked or {}
    deed = deed_of(ctx.house, resource, asked["op"], asked["data"])
    return await done_to(ctx, resource, deed, [line.decode() for _, line in lines])


async def done_to(ctx: Context, resource: Resource[Any], deed: Deed, ids: Sequence[str]) -> list[Outcome]:
    """Do it to each of these rows that the actor still sees, and may do it to."""
    if deed.verb is None:
        return await write_many(
            ctx, resource, [Op.model_validate({"op": deed.op, "id": i, "data": deed.data}) for i in ids]
        )
    records = await ctx.connection.fetch(bulk.ids_sql(resource), list(ids))
    rows = {record["id"]: resource.table.of(record) for record in records}
    return [await act_on(ctx, deed, deed.verb, row_id, rows.get(row_id)) for row_id in ids]


async def act_on(ctx: Context, deed: Deed, verb: Verb, row_id: str, row: Any) -> Outcome:
    """Run a verb on a row, as its door would."""
    try:
        if row is None or row.deleted_at is not None or not ctx.actor.sees(row.scopes):
            raise NotFound
        if not verb.may(ctx.actor, row):
            raise Denied
        async with savepoint(ctx.connection):
            after = await verb.act(ctx, row, **({"body": deed.body} if deed.body is not None else {}))
    except (Problem, asyncpg.PostgresError) as error:
        problem = error if isinstance(error, Problem) else problems.from_driver(error)
        return Outcome("failed", row_id, problem=problem)
    revealed, ctx.revealed = ctx.revealed, {}
    if after.version == row.version:
        return Outcome("unchanged", row_id, row.version)
    return Outcome("removed" if after.deleted_at else "changed", row_id, after.version, revealed=revealed)
