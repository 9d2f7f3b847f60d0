"""What an export is to hold: which rows a query string asks for, in which order, and which columns of them."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import sqlalchemy as sa

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.asked_rows import asked_rows
from guildhouse.kernel.db import Connection
from guildhouse.kernel.errors import Denied
from guildhouse.kernel.fields import Selection, select_fields
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.formats import OWN
from guildhouse.kernel.manifest import House
from guildhouse.kernel.nearby import KIND, Around
from guildhouse.kernel.pages import Cursor, Order, after, ordered_by, parse_sort, plain, revived
from guildhouse.kernel.reading import live_or_trash
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import BASE_COLUMNS
from guildhouse.kernel.searching.called import parse_asked
from guildhouse.kernel.searching.engine import Engine
from guildhouse.kernel.searching.search_condition import search_conditions
from guildhouse.kernel.select import LIVE, TRASH, in_sight, listed, numbered, statement, visible

PARAMETERS = frozenset({"sort", "fields", "expand", "format", "trash"})
OWN_PARAMETERS = frozenset({"format"})
ROW = "row_"  # what the rows of the list are called where others are joined to them


@dataclass(frozen=True)
class Wanted:
    """A list to be exported. `after` and `most` cut a part out of it: the rows behind a cursor, so many of them."""

    house: House
    resource: Resource[Any]
    selection: Selection
    where: tuple[Condition, ...]
    order: tuple[Order, ...]
    form: str
    around: Around | None = None
    after: Cursor | None = None
    most: int | None = None

    @property
    def paths(self) -> tuple[str, ...]:
        """Its columns by their names: `title`, `organization.name`."""
        return self.selection.paths

    @property
    def targets(self) -> dict[str, Resource[Any]]:
        """The resources whose rows are joined, by the name of the expansion."""
        expand = self.resource.find.expand
        return {name: self.house.resources[expand[name]] for name in self.selection.expand}

    @property
    def is_judged(self) -> bool:
        """Whether a field of it has an audience of its own, which only Python can tell, row by row."""
        judged = [(self.resource, self.selection), *((t, self.selection.expand[n]) for n, t in self.targets.items())]
        return any(not set(each.fields).isdisjoint(of.shapes.audience) for of, each in judged)


@dataclass(frozen=True)
class Column:
    """One column of an export: its SQL, its type, and whether it may be empty."""

    path: str
    sql: str
    type: sa.types.TypeEngine[Any]
    nullable: bool


def wanted_of(house: House, resource: Resource[Any], query: Sequence[tuple[str, str]], form: str) -> Wanted:
    """What a query string asks for; raises as a list does for what is unknown. `limit` and `cursor` are unknown here.

    What `q` finds is for `searched` to say, later.
    """
    query = without_words(resource, query)
    asked = dict(query)
    if form == OWN:
        around, where = asked_rows(house, resource, query, OWN_PARAMETERS)
        own, order = Selection(own_fields(resource)), parse_sort(resource, "id")
        return Wanted(house, resource, own, (LIVE, *where), order, form, around)
    around, where = asked_rows(house, resource, query, PARAMETERS)
    selection = select_fields(
        house, resource, asked.get("fields"), asked.get("expand"), around.fields if around else ()
    )
    order = parse_sort(resource, asked.get("sort"), around.orders if around else None)
    return Wanted(house, resource, selection, (live_or_trash(asked.get("trash")), *where), order, form, around)


def without_words(resource: Resource[Any], query: Sequence[tuple[str, str]]) -> Sequence[tuple[str, str]]:
    """The query string but for `q`; raises for words that cannot be searched for."""
    text = dict(query).get("q")
    if text is None or not resource.find.text:
        return query
    parse_asked(resource, text)
    return [(name, value) for name, value in query if name != "q"]


async def searched(
    wanted: Wanted, engine: Engine, connection: Connection, actor: Actor, query: Mapping[str, str]
) -> Wanted:
    """The same, of the rows that `q` finds for somebody, where the query string has it."""
    state = TRASH if TRASH in wanted.where else LIVE
    found = await search_conditions(engine, connection, actor, wanted.resource, query, state)
    return replace(wanted, where=(*wanted.where, *found))


def own_fields(resource: Resource[Any]) -> tuple[str, ...]:
    """What the house's own format has of a row: its id, when it was made, and all that is not the kernel's to set anew."""
    return ("id", "created_at", *(name for name in resource.readable if name not in BASE_COLUMNS))


def refuse_unseen(actor: Actor, wanted: Wanted) -> None:
    """Raise `Denied` where the actor may not read a resource that is expanded."""
    if not all(actor.can(f"{target.name}.read") for target in wanted.targets.values()):
        raise Denied


def columns_of(wanted: Wanted) -> Iterator[Column]:
    """Every column, in the order of the paths."""
    for name in wanted.selection.fields:
        column = wanted.resource.columns.get(name)
        kind, nullable = (KIND, True) if column is None else (column.type, bool(column.nullable))
        yield Column(name, f'{ROW}."{name}"', kind, nullable)
    for name, target in wanted.targets.items():
        for field in wanted.selection.expand[name].fields:
            yield Column(f"{name}.{field}", f'"{name}"."{field}"', target.columns[field].type, nullable=True)


def shown(actor: Actor, wanted: Wanted) -> list[Condition]:
    """What a row fulfils that the export shows: the actor sees it, it was asked for, and it is behind the cursor."""
    behind = [after(wanted.order, wanted.after)] if wanted.after else []
    return [visible(wanted.resource, actor), *wanted.where, *behind]


def in_order(wanted: Wanted) -> str:
    """SQL of the order, and of how many rows at most."""
    return ordered_by(wanted.order) + (f" LIMIT {wanted.most}" if wanted.most else "")


def rows_sql(actor: Actor, wanted: Wanted, columns: str) -> tuple[str, list[Any]]:
    """SELECT of these columns over the rows that the actor sees, each beside the rows it leads to; with its values."""
    rows, values = statement(wanted.resource, "*", shown(actor, wanted), wanted.around)
    # The order stands within: else PostgreSQL may write all lines first and sort them then, on the disk. Outside it
    # costs something only where rows are joined in another order.
    sql = f"SELECT {columns} FROM ({rows}{in_order(wanted)}) {ROW}"
    for name, target in wanted.targets.items():
        seen = in_sight(target, actor.scopes, name)
        sql += f' LEFT JOIN "{target.name}" "{name}" ON "{name}".id = {ROW}."{name}_id" AND "{name}".deleted_at IS NULL'
        sql += f" AND {seen.sql}"
        values.extend(seen.values)
    return numbered(sql + ordered_by(wanted.order, of=f"{ROW}.")), values


async def boundary(connection: Connection, actor: Actor, part: Wanted) -> tuple[int, list[Any] | None]:
    """How many rows a part has, and the values that the next one begins behind; None where this is the last one."""
    assert part.most
    where = shown(actor, part)
    columns = listed(tuple(each.column for each in part.order))
    sql, values = statement(part.resource, columns, where, part.around)
    ends = in_order(replace(part, most=2))
    found = await connection.fetch(numbered(f"{sql}{ends} OFFSET {part.most - 1}"), *values)
    if len(found) == 2:
        return part.most, [plain(value) for value in found[0]]
    rows, values = statement(part.resource, "count(*)", where, part.around)
    return int(await connection.fetchval(numbered(rows), *values)), None


def keys_of(wanted: Wanted, values: Sequence[Any] | None) -> Cursor | None:
    """The cursor behind a row, from the values that `boundary` told."""
    if values is None:
        return None
    return Cursor(revived(wanted.resource, wanted.order, values))
