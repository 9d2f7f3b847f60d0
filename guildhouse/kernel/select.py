"""Select: rows that the actor's scopes see, from the driver's records straight to plain values; no object between.

Every read of every door goes through `visible`: lists, single rows, expansions. SQL is composed from declared names
only; values are always bound.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import count
from typing import Any

import asyncpg
import orjson

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.db import Connection
from guildhouse.kernel.errors import Denied
from guildhouse.kernel.fields import Selection
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.manifest import House
from guildhouse.kernel.nearby import Around
from guildhouse.kernel.pages import Cursor, Order, ordered_by, stretches
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import Values
from guildhouse.kernel.scopes import exceptions

LIVE = Condition("deleted_at IS NULL", ())
TRASH = Condition("deleted_at IS NOT NULL", ())


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows of a list, and the cursors of the pages around them."""

    rows: Sequence[Values]
    next: Cursor | None
    previous: Cursor | None


@dataclass(frozen=True)
class Listing:
    """What a list is asked for."""

    selection: Selection
    where: tuple[Condition, ...]
    order: tuple[Order, ...]
    limit: int
    cursor: Cursor | None = None
    around: Around | None = None

    @property
    def backwards(self) -> bool:
        """Whether it is read towards its beginning."""
        return self.cursor is not None and self.cursor.backwards


def numbered(sql: str) -> str:
    """The statement with its `?` places numbered as PostgreSQL wants them."""
    numbers = count(1)
    head, *rest = sql.split("?")
    return head + "".join(f"${next(numbers)}{piece}" for piece in rest)


def visible(resource: Resource[Any], actor: Actor) -> Condition:
    """The rows that the actor sees."""
    return in_sight(resource, actor.scopes)


def in_sight(resource: Resource[Any], held: Collection[str], table: str = "") -> Condition:
    """The one test of sight, in SQL; the table may go by a name. Where a noun makes no exceptions, none are asked for."""
    column = f'"{table}".scopes' if table else "scopes"
    if not resource.makes_exceptions:
        return Condition(f"{column} && ?", (list(held),))
    return Condition(f"{column} && ? AND NOT {column} && ?", (list(held), exceptions(held)))


def columns_for(resource: Resource[Any], selection: Selection, order: Sequence[Order] = ()) -> str:
    """The columns to fetch: those asked for, those to sort and to follow by, and all where an audience must be judged."""
    if resource.shapes.audience:
        return "*"
    keys = [f"{name}_id" for name in selection.expand]
    return listed(tuple(dict.fromkeys([*selection.fields, *keys, *(each.column for each in order)])))


@lru_cache(1000)  # nearly always all that there are
def listed(names: tuple[str, ...]) -> str:
    """Columns as a SELECT names them."""
    return ", ".join(f'"{name}"' for name in names)


def statement(
    resource: Resource[Any], columns: str, where: Sequence[Condition], around: Around | None = None
) -> tuple[str, list[Any]]:
    """SELECT with all conditions; parameters still unnumbered. `around` a point, rows have their distance, too."""
    source = around.source if around else Condition(f'"{resource.name}"', ())
    clause = " AND ".join(each.sql for each in where)
    return f"SELECT {columns} FROM {source.sql} WHERE {clause}", [v for each in (source, *where) for v in each.values]


async def fetch_one(
    connection: Connection,
    resource: Resource[Any],
    actor: Actor,
    row_id: str,
    columns: str,
    state: Condition = LIVE,
) -> asyncpg.Record | None:
    """The record of one row that the actor sees, or None."""
    sql, values = statement(resource, columns, (Condition("id = ?", (row_id,)), visible(resource, actor), state))
    return await connection.fetchrow(numbered(sql), *values)


async def fetch_page(connection: Connection, resource: Resource[Any], actor: Actor, asked: Listing) -> Page:
    """One page of a list. Where the nearest come first, it is looked for in rings until it is full."""
    if asked.around is None:
        return await fetch_keyset(connection, resource, actor, asked)
    for ring in asked.around.rings(asked.order, asked.cursor):
        page = await fetch_keyset(connection, resource, actor, replace(asked, where=(*asked.where, *ring)))
        if page.next and page.next.values[0] is not None:
            break
    return page


async def fetch_keyset(connection: Connection, resource: Resource[Any], actor: Actor, asked: Listing) -> Page:
    """The rows behind a cursor: page 1,000 costs what page 1 costs."""
    sql, values = page_statement(resource, actor, asked)
    records = await connection.fetch(sql, *values)
    more = len(records) > asked.limit
    records = records[: asked.limit]
    if asked.backwards:
        records.reverse()
    return page_of(records, asked, more, asked.backwards)


def page_statement(resource: Resource[Any], actor: Actor, asked: Listing) -> tuple[str, list[Any]]:
    """SELECT of a page, and one row more, which tells whether rows go on; in the order that it is read in."""
    columns = columns_for(resource, asked.selection, asked.order)

    def ends(order: Sequence[Order]) -> str:
        return f"{ordered_by(order, backwards=asked.backwards)} LIMIT {asked.limit + 1}"

    texts: list[str] = []
    values: list[Any] = []
    for where, order in stretches(asked.order, asked.cursor):
        sql, bound = statement(resource, columns, [visible(resource, actor), *asked.where, *where], asked.around)
        texts.append(sql + ends(order))
        values.extend(bound)
    return numbered(texts[0] if len(texts) == 1 else f"({') UNION ALL ('.join(texts)}){ends(asked.order)}"), values


def page_of(records: list[asyncpg.Record], asked: Listing, more: bool, backwards: bool) -> Page:
    """The page with its cursors: `more` says whether rows go on in the direction that was read."""

    def at(record: asyncpg.Record, back: bool) -> Cursor:
        return Cursor(tuple(record[each.column] for each in asked.order), back)

    onward = bool(records) and (more or backwards)
    backward = bool(records) and (more if backwards else asked.cursor is not None)
    return Page(records, at(records[-1], False) if onward else None, at(records[0], True) if backward else None)


async def fetch_count(
    connection: Connection, resource: Resource[Any], actor: Actor, where: Sequence[Condition], exact: bool
) -> int:
    """How many rows a list has: counted, or as the planner guesses."""
    sql, values = statement(resource, "count(*)" if exact else "1", (visible(resource, actor), *where))
    if exact:
        return int(await connection.fetchval(numbered(sql), *values))
    plan = await connection.fetchval(numbered(f"EXPLAIN (FORMAT JSON) {sql}"), *values)
    return planned_rows(plan)


def planned_rows(plan: str) -> int:
    """The planner's guess out of EXPLAIN's JSON."""
    return int(orjson.loads(plan)[0]["Plan"]["Plan Rows"])


async def rendered(
    house: House,
    connection: Connection,
    resource: Resource[Any],
    actor: Actor,
    records: Sequence[Values],
    selection: Selection,
) -> Sequence[Values]:
    """The records as the actor is answered: asked fields only, fields of other audiences blank, expansions filled."""
    exact = records and not resource.shapes.audience and tuple(records[0].keys()) == selection.fields
    if exact and not selection.expand:
        return records
    rows = [projected(resource, actor, record, selection.fields) for record in records]
    for name, child in selection.expand.items():
        target = house.resources[resource.find.expand[name]]
        if not actor.can(f"{target.name}.read"):
            raise Denied
        found = await fetch_many(connection, target, actor, [r[f"{name}_id"] for r in records], child)
        for row, record in zip(rows, records, strict=True):
            row[name] = found.get(record[f"{name}_id"])
    return rows


def projected(resource: Resource[Any], actor: Actor, record: Values, fields: Sequence[str]) -> dict[str, Any]:
    """The fields of one record; those whose audience the actor is not of are null."""
    hidden = hidden_fields(resource, actor, record)
    return {name: None if name in hidden else record[name] for name in fields}


def hidden_fields(resource: Resource[Any], actor: Actor, record: Values) -> set[str]:
    """The fields of a row that this actor does not see."""
    if not resource.shapes.audience:
        return set()
    row = resource.table.of(record)
    return {name for name, scopes in resource.shapes.audience.items() if not actor.sees(scopes(row))}


async def fetch_many(
    connection: Connection,
    resource: Resource[Any],
    actor: Actor,
    ids: Sequence[str | None],
    selection: Selection,
) -> dict[str, dict[str, Any]]:
    """Rows by id that the actor sees, for an expansion: one statement for the whole list."""
    wanted = Selection(tuple(dict.fromkeys(["id", *selection.fields])))
    where = (Condition("id = ANY(?)", ([each for each in set(ids) if each],)), visible(resource, actor), LIVE)
    sql, values = statement(resource, columns_for(resource, wanted), where)
    records = await connection.fetch(numbered(sql), *values)
    return {record["id"]: projected(resource, actor, record, selection.fields) for record in records}
