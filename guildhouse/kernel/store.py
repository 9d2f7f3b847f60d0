"""The store: the one writer. Every row of every resource is written here, judged by its declaration.

A write says who and why through the context's note; the triggers of the log do the rest. A write that is called with a
`verb` was already permitted by that verb's own predicate; a plain write is judged by the resource's `May`.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from itertools import count
from typing import Any, TypeVar

from guildhouse.kernel.context import Context
from guildhouse.kernel.db import DIALECT
from guildhouse.kernel.errors import Conflict, Denied, PreconditionFailed, Problem
from guildhouse.kernel.ids import new_id
from guildhouse.kernel.log import changes
from guildhouse.kernel.may import Predicate
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import MEMBERS, PUBLIC

R = TypeVar("R", bound=Row)
# A statement says its own note: the log's triggers run when it ends, after `noted` was read.
NOTED = "WITH noted AS (SELECT set_config('guildhouse.note', $1, true))"
ERASED = """SELECT resource, array_agg(DISTINCT row_id) AS row_ids FROM changes
    WHERE xid = pg_current_xact_id() AND verb = 'erased' GROUP BY resource"""


class FieldNotYours(Denied):
    """Here it is not for you to change: {fields}."""


class NotInTrash(Conflict):
    """Only a removed row can be restored or purged; this one is not in the trash."""


async def create(ctx: Context, resource: Resource[R], values: Mapping[str, Any], *, verb: str | None = None) -> R:
    """Write a new row. Raises what its declaration refuses: `Denied`, `MoveNotAllowed`, or a rule's problem.

    Where it was judged by remembered rows and is refused, or those are not the same any more, it is judged once more.
    """
    try:
        return await created(ctx, resource, values, verb)
    except Problem:
        if not ctx.read_afresh():
            raise
    return await created(ctx, resource, values, verb)


async def created(ctx: Context, resource: Resource[R], values: Mapping[str, Any], verb: str | None) -> R:
    """Judge a new row and write it."""
    after = await judge_new(ctx, resource, values, verb)
    row = [after.__dict__[name] for name in resource.columns]
    sql = insert_sql(resource, tuple(name for name, _ in ctx.relied))
    relied = [each for (_, row_id), xmin in ctx.relied.items() for each in (row_id, xmin)]
    return await written(ctx, resource, sql, [ctx.saying(verb), *row, *relied])


async def change(
    ctx: Context, resource: Resource[R], before: R, values: Mapping[str, Any], *, verb: str | None = None
) -> R:
    """Write what differs; a row that would stay the same is not written and keeps its version."""
    after = await judge_change(ctx, resource, before, values, resource.may.change, verb)
    return before if after is None else await update(ctx, resource, before, after, verb)


async def remove(ctx: Context, resource: Resource[R], before: R, *, verb: str | None = None) -> R:
    """Move a row to the trash, from where `restore` brings it back and `purge`, or its days, take it away."""
    after = await judge_change(ctx, resource, before, {"deleted_at": ctx.now}, resource.may.remove, verb)
    return before if after is None else await update(ctx, resource, before, after, verb)


async def restore(ctx: Context, resource: Resource[R], before: R, *, verb: str | None = None) -> R:
    """Bring a row back from the trash, if its rules allow it as it is now."""
    if before.deleted_at is None:
        raise NotInTrash
    after = await judge_change(ctx, resource, before, {"deleted_at": None}, resource.may.remove, verb)
    return before if after is None else await update(ctx, resource, before, after, verb)


async def purge(ctx: Context, resource: Resource[R], before: R, *, verb: str | None = None) -> None:
    """Delete a row of the trash for good; its history stays in the log."""
    if before.deleted_at is None:
        raise NotInTrash
    permit(ctx, resource.may.remove, before, verb)
    await delete(ctx, resource, [before], verb)


async def erase(ctx: Context, rows: Mapping[Resource[Any], Sequence[Row]]) -> None:
    """Delete rows with all that lives by them, and every value of theirs from the log.

    All at once: what a transaction has erased before would be looked for in the log again.
    """
    for resource, some in rows.items():
        if some:
            await delete(ctx, resource, some, "erased")
    for each in await ctx.connection.fetch(ERASED):
        columns = ctx.house.resources[each["resource"]].columns
        await changes.forget(ctx.connection, each["resource"], each["row_ids"], columns)


async def delete(ctx: Context, resource: Resource[R], rows: Sequence[R], verb: str | None) -> None:
    """Delete rows, and by their foreign keys the rows that live by them; each is a change with this verb."""
    xid = await ctx.connection.fetchval(
        f'{NOTED} DELETE FROM "{resource.name}" USING noted WHERE id = ANY($2) RETURNING pg_current_xact_id()::text',
        ctx.saying(verb),
        [each.id for each in rows],
    )
    ctx.xid = xid or ctx.xid  # none, where all of them went with others before


def permit(ctx: Context, may: Predicate, row: Row, verb: str | None) -> None:
    """Raise `Denied` when a plain write is not the actor's to make."""
    if verb is None and not may(ctx.actor, row):
        raise Denied


async def judge_new(ctx: Context, resource: Resource[R], values: Mapping[str, Any], verb: str | None) -> R:
    """The row that these values would make, allowed by its declaration; nothing is written."""
    fresh = {"id": new_id(), "version": 1, "created_at": ctx.now, "updated_at": ctx.now}
    after = resource.table.of({**blank(resource), **fresh, **values})
    if resource.shapes.derive:
        after.__dict__.update(await resource.shapes.derive(ctx, None, after))
    permit(ctx, resource.may.create, after, verb)
    return await judged(ctx, resource, None, after)


async def judge_change(
    ctx: Context, resource: Resource[R], before: R, values: Mapping[str, Any], may: Predicate, verb: str | None
) -> R | None:
    """The row that a change would make, allowed by its declaration, or None where nothing would differ."""
    permit(ctx, may, before, verb)
    if verb is None and resource.shapes.audience:
        refuse_guesses(ctx, resource, before, values)
    was = before.__dict__
    if all(was[name] == value for name, value in values.items()):
        return None
    after = resource.table.of({**was, **values})
    if resource.shapes.derive:
        after.__dict__.update(await resource.shapes.derive(ctx, before, after))
    await judged(ctx, resource, before, after)
    return after if any(after.__dict__[name] != was[name] for name in resource.columns) else None


def refuse_guesses(ctx: Context, resource: Resource[R], row: R, values: Mapping[str, Any]) -> None:
    """Raise where a plain write sets a field that is for other eyes, also to what it has: else one could guess that.

    A field that is for nobody's eyes has nothing to guess.
    """
    audiences = {name: set(resource.shapes.audience[name](row)) for name in values if name in resource.shapes.audience}
    if foreign := [name for name, eyes in audiences.items() if eyes and not ctx.actor.sees(eyes)]:
        raise FieldNotYours(fields=", ".join(foreign))


async def judged(ctx: Context, resource: Resource[R], before: R | None, after: R) -> R:
    """The row with its scopes, once stages and rules have passed it. It is still the store's own to fill in."""
    if resource.stages:
        resource.stages.check(ctx.actor, before, after)
    for rule in resource.rules:
        if (verdict := rule(ctx, before, after)) is not None:
            await verdict
    after.__dict__["scopes"] = scopes_of(resource, after)
    return after


def scopes_of(resource: Resource[R], row: R) -> list[str]:
    """The scopes of a row, as declared; those of a removed one without the wide ones, because the trash is not public."""
    scopes = set(resource.scopes(row))
    return sorted(scopes - {PUBLIC, MEMBERS} if row.deleted_at is not None else scopes)


async def update(ctx: Context, resource: Resource[R], before: R, after: R, verb: str | None) -> R:
    """Write the columns in which two rows differ, if the row is still at the version of `before`."""
    was, now = before.__dict__, after.__dict__
    changed = tuple(name for name in resource.columns if now[name] != was[name])
    arguments = [ctx.saying(verb), before.id, before.version, ctx.now, *(now[name] for name in changed)]
    return await written(ctx, resource, update_sql(resource, changed), arguments)


async def written(ctx: Context, resource: Resource[R], sql: str, arguments: list[Any]) -> R:
    """Run a statement that writes one row and returns it."""
    record = await ctx.connection.fetchrow(sql, *arguments)
    if record is None:
        raise PreconditionFailed(version="another")
    values = dict(record)
    ctx.xid = values.pop("current_xid")
    ctx.written.append((resource.name, values["scopes"]))
    ctx.memo.pop((resource.name, values["id"]), None)
    return resource.table.of(values)


@cache
def blank(resource: Resource[Any]) -> dict[str, Any]:
    """Every column of a table with the default its declaration gives it; None where it gives none."""
    return {name: scalar_default(column.default) for name, column in resource.columns.items()}


def scalar_default(default: Any) -> Any:
    """The value of a column's Python-side default."""
    return default.arg if default is not None and default.is_scalar else None


@cache
def insert_sql(resource: Resource[Any], relied: tuple[str, ...] = ()) -> str:
    """INSERT of a whole row: the note, then the values in the order of the columns.

    Then, for each table `relied` on, the id of a row and the transaction that must still be the last to have written it.
    """
    columns = ", ".join(f'"{name}"' for name in resource.columns)
    values = ", ".join(f"${n}::{kind(column)}" for n, column in enumerate(resource.columns.values(), 2))
    places = count(len(resource.columns) + 2)
    same = [f'(SELECT xmin FROM "{name}" WHERE id = ${next(places)}) = ${next(places)}::xid' for name in relied]
    where = f"WHERE {' AND '.join(same)} " if same else ""
    return (
        f'{NOTED} INSERT INTO "{resource.name}" ({columns}) SELECT {values} FROM noted {where}'
        "RETURNING *, pg_current_xact_id()::text AS current_xid"
    )


def kind(column: Any) -> str:
    """A column's type, as a cast names it."""
    return str(column.type.compile(dialect=DIALECT))


@cache
def update_sql(resource: Resource[Any], changed: tuple[str, ...]) -> str:
    """UPDATE of some columns: the note, the id, the version it must have, the time, then the values."""
    sets = "".join(f', "{name}" = ${n}' for n, name in enumerate(changed, 5))
    returned = ", ".join(f't."{name}"' for name in resource.columns)
    return (
        f'{NOTED} UPDATE "{resource.name}" t SET version = version + 1, updated_at = $4{sets} FROM noted '
        f"WHERE id = $2 AND version = $3 RETURNING {returned}, pg_current_xact_id()::text AS current_xid"
    )
