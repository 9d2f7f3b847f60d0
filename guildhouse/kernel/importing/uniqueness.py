"""Uniqueness: what the database takes once only, beside the declared key. A dry run tells it before an apply is refused.

Of a unique index only that counts which a row says itself, or which is the actor's own id: what the server makes up for a
row, such as a slug, it makes up anew when the row is written.
"""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import Any

from guildhouse.kernel.context import Context
from guildhouse.kernel.db import DIALECT
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.select import listed, numbered, visible

Group = tuple[str, ...]
Said = Iterable[tuple[Group, list[str]]]


@cache
def once_only(resource: Resource[Any]) -> tuple[Group, ...]:
    """The columns of each unique index, but for those that nobody reads and the key, by which rows are found anyway."""
    found = [tuple(column.name for column in index.columns) for index in resource.sql_table.indexes if index.unique]
    return tuple(each for each in found if set(each) <= set(resource.readable) and set(each) != set(resource.carry.key))


def said_once(ctx: Context, resource: Resource[Any], data: Mapping[str, Any], after: Any) -> Said:
    """What a new row says that no other may say."""
    for group in once_only(resource):
        values = {name: after.__dict__[name] for name in group}
        if all(each is not None and (name in data or each == ctx.actor.id) for name, each in values.items()):
            yield group, [str(each) for each in values.values()]


async def taken(ctx: Context, resource: Resource[Any], rows: Mapping[int, Said]) -> dict[int, tuple[str, Group]]:
    """Of these rows those whose place another has that the actor sees: the id of that, and the columns that say so."""
    by_group: dict[Group, dict[tuple[str, ...], list[int]]] = {}
    for n, said in rows.items():
        for group, values in said:
            by_group.setdefault(group, {}).setdefault(tuple(values), []).append(n)
    found: dict[int, tuple[str, Group]] = {}
    for group, places in by_group.items():
        columns = [list(each) for each in zip(*places, strict=True)]
        seen = visible(resource, ctx.actor)
        for record in await ctx.connection.fetch(taken_sql(resource, group, seen), *columns, *seen.values):
            for n in places[tuple(str(record[name]) for name in group)]:
                found.setdefault(n, (record["id"], group))
    return found


def taken_sql(resource: Resource[Any], group: Sequence[str], seen: Condition) -> str:
    """Live rows in sight that say one of these."""
    names = listed(tuple(group))
    values = ", ".join(f"unnest(?::text[])::{resource.columns[name].type.compile(DIALECT)}" for name in group)
    return numbered(
        f'SELECT id, {names} FROM "{resource.name}" WHERE ({names}) IN (SELECT {values}) '
        f"AND deleted_at IS NULL AND {seen.sql}"
    )
