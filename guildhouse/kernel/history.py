"""History: what happened to a row, the row as it was, and taking a change back. All of it is read from the log."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from typing import Any

import asyncpg
from pydantic import Field

from guildhouse.kernel import store
from guildhouse.kernel.actor import Actor
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Connection
from guildhouse.kernel.errors import BadRequest, Conflict, Denied, NotFound
from guildhouse.kernel.etag import matches, row_etag
from guildhouse.kernel.filters import moment
from guildhouse.kernel.formats import MEDIA_TYPES, ROW_FORMATS, choose_format, dumps, encode_row
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change, Position, WrongPosition
from guildhouse.kernel.pages import Cursor, parse_limit, seal, unseal
from guildhouse.kernel.reading import (
    VARY,
    PositionNotReached,
    binding_of,
    cursor_key,
    link_header,
    read_row,
    row_selection,
    variant_of,
    wait_for_position,
)
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import BASE_COLUMNS
from guildhouse.kernel.select import fetch_one, hidden_fields, projected
from guildhouse.kernel.shapes import Shape
from guildhouse.kernel.writing import held, perform, row_answer

MOST = 200
HISTORY_PARAMETERS = ("cursor", "limit")
WHOLE_LIFE = 100_000
FORGOTTEN = "forgotten"  # no write of the row, but the erasure of what the log held of it


class NothingToUndo(Conflict):
    """This row has no change of version {version} that could be taken back."""


class ChangedSince(Conflict):
    """These fields were changed again later: {fields}. Take the later change back first, or edit the row."""


class WrongAsOf(BadRequest):
    """`as_of` takes a version (`3`), a time (`2026-11-20T08:00:00Z`) or a position of the log."""


class NotThen(BadRequest):
    """`expand` shows rows as they are now, and `as_of` one as it was: ask for the others by themselves."""


class VersionNotReached(NotFound):
    """There is no version {version} of this row: it is at version {newest}."""


class Undo(Shape):
    """Which change to take back: the one that made this version; without it the last one."""

    version: int | None = Field(default=None, ge=1)


async def read_history(call: Call, resource: Resource[Any]) -> Answer:
    """The changes of a row, newest first: who, when, what from what to what, why. Page after page to the first."""
    call.refuse_others(HISTORY_PARAMETERS)
    limit = parse_limit(call.param("limit"), usual=MOST)
    key, binding = cursor_key(call), binding_of(call, resource) + f"\0history\0{call.row_id}".encode()
    text = call.param("cursor")
    before = unseal(key, binding, text, None).values[0] if text else None
    await wait_for_position(call)
    async with call.server.database.reading() as connection:
        record = await open_past(call, connection, resource)
        told = await told_before(call, connection, resource, record, before, limit + 1)
    more, told = len(told) > limit, told[:limit]
    onward = seal(key, binding, Cursor((told[-1][0].seq,))) if more else None
    data = [entry_of(resource, call.server.tail.epoch, *each) for each in told]
    body = {"data": data, "page": {"next": onward, "has_more": more, "limit": limit}}
    headers = {"Cache-Control": "private, no-cache", **link_header(call, {"next": onward})}
    return Answer(200, dumps(body), headers=headers)


async def told_before(
    call: Call, connection: Connection, resource: Resource[Any], record: asyncpg.Record, before: int | None, wanted: int
) -> list[tuple[Change, set[str]]]:
    """The newest changes that the actor is told, of those before a place in the log, with what is hidden in each.

    What was hidden then follows from the row as it is now, through all changes since: so it begins with the newest.
    """
    most = MOST
    while True:
        entries = await changes.of_row(connection, resource.name, call.row_id, limit=most)
        each_with_hidden = with_hidden(resource, call.actor, record, entries)
        told = [each for each in each_with_hidden if is_told(call.actor, *each)]
        found = [each for each in told if before is None or each[0].seq < before]
        if len(found) >= wanted or len(entries) < most:
            return found[:wanted]
        most *= 10


def with_hidden(
    resource: Resource[Any], actor: Actor, record: asyncpg.Record, entries: Sequence[Change]
) -> Iterator[tuple[Change, set[str]]]:
    """Each change, newest first, with the fields whose audience the actor is not of now, or was not before or after it."""
    row: dict[str, Any] = dict(record)
    now = after = hidden_fields(resource, actor, row)
    for change in entries:
        before = hidden_fields(resource, actor, row) if rewound(row, resource, [change]) else after
        yield change, now | after | before
        after = before


async def open_past(call: Call, connection: Connection, resource: Resource[Any]) -> asyncpg.Record:
    """The row as it is now, if the actor sees it and may look into its past."""
    record = await fetch_one(connection, resource, call.actor, call.row_id, "*")
    if record is None:
        raise NotFound
    if not resource.may.history(call.actor, resource.table.of(record)):
        raise Denied
    return record


def is_told(actor: Actor, change: Change, hidden: set[str]) -> bool:
    """Whether the actor saw the row then, and anything of what changed; else not even that it happened is told."""
    touched = {*(change.before or ()), *(change.after or ())}
    saw = actor.sees(change.scopes_before or ()) or actor.sees(change.scopes_after or ())
    return saw and not (touched and touched <= hidden)


def entry_of(resource: Resource[Any], epoch: str, change: Change, hidden: set[str]) -> dict[str, Any]:
    """One change as the actor is told it."""
    before, after = typed(resource, change.before or {}), typed(resource, change.after or {})
    fields = [name for name in resource.readable if name in {**before, **after} and name not in hidden]
    return {
        "version": change.version,
        "event": f"{resource.singular}.{change.verb}",
        "at": change.at,
        "actor_id": change.actor,
        "reason": change.reason,
        "request_id": change.request_id,
        "position": str(Position(epoch, change.pos)) if change.pos else None,
        "changes": {name: {"from": before.get(name), "to": after.get(name)} for name in fields},
    }


async def read_now_or_then(call: Call, resource: Resource[Any]) -> Answer:
    """One row, as it is, or with `as_of` as it was."""
    wanted = call.param("as_of")
    return await read_row(call, resource) if wanted is None else await read_as_of(call, resource, wanted)


async def read_as_of(call: Call, resource: Resource[Any], wanted: str) -> Answer:
    """The row as it was at a version, a time or a position, if the actor sees it now and saw it then."""
    form = choose_format(call.header("accept"), call.param("format"), ROW_FORMATS)
    selection = row_selection(call, resource)
    if selection.expand:
        raise NotThen
    point = point_of(call, wanted)
    await wait_for_position(call)
    if isinstance(point, Position) and not await call.server.tail.wait_for(point):
        raise PositionNotReached
    async with call.server.database.reading() as connection:
        record = await open_past(call, connection, resource)
        is_later = await later_than(connection, point, record["version"])
        entries = await changes.of_row(connection, resource.name, call.row_id, limit=WHOLE_LIFE)
    later = [each for each in entries if is_later(each)]
    row = rewound(dict(record), resource, later)
    if row is None or row["deleted_at"] is not None or not call.actor.sees(row["scopes"]):
        raise NotFound
    row["updated_at"] = next((each.at for each in entries if each.version == row["version"]), row["updated_at"])
    hidden_now = hidden_fields(resource, call.actor, record)
    shown = projected(resource, call.actor, row, selection.fields)
    shown |= {name: None for name in hidden_now if name in shown}
    etag = row_etag(row["version"], variant_of(call, resource, form))
    headers = {"ETag": etag, "Vary": VARY, "Cache-Control": "private, no-cache"}
    if matches(call.header("if-none-match"), etag):
        return Answer(304, headers=headers)
    return Answer(200, encode_row(shown, form), MEDIA_TYPES[form], headers)


def point_of(call: Call, wanted: str) -> int | datetime | Position:
    """What `as_of` means: a version, a time, or a position of the log."""
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 10:
        return int(wanted)
    if "T" in wanted or wanted.count("-") == 2:
        return moment("as_of", wanted)
    try:
        return Position.parse(wanted, call.server.tail.epoch)
    except WrongPosition as error:
        raise WrongAsOf from error


async def later_than(connection: Connection, point: int | datetime | Position, newest: int) -> Callable[[Change], bool]:
    """The test whether a change came after the moment asked for. Raises `VersionNotReached` for one to come."""
    if isinstance(point, int):
        if point > newest:
            raise VersionNotReached(version=point, newest=newest)
        return lambda change: change.version > point
    if isinstance(point, datetime):
        return lambda change: change.at > point
    pos = point.pos if point.xid is None else await changes.position_of(connection, point.xid)
    return lambda change: pos is None or change.pos is None or change.pos > pos


def rewound(values: dict[str, Any], resource: Resource[Any], later: Sequence[Change]) -> dict[str, Any] | None:
    """The row's values with the later changes (newest first) taken off; None before it was created."""
    for change in later:
        if change.before is None:
            return None
        if change.verb != FORGOTTEN:
            values |= typed(resource, change.before)
            values |= {"version": change.version - 1, "scopes": change.scopes_before}
    return values


def typed(resource: Resource[Any], values: dict[str, Any]) -> dict[str, Any]:
    """Values of the log as the columns' own types."""
    return {name: revive(resource.columns[name], value) for name, value in values.items() if name in resource.columns}


def revive(column: Any, value: Any) -> Any:
    """A value as JSON holds it, as its column's type."""
    if not isinstance(value, str):
        return value
    kind = column.type.python_type
    return kind.fromisoformat(value) if hasattr(kind, "fromisoformat") else value


async def undo_change(call: Call, resource: Resource[Any]) -> Answer:
    """Take a change of the row back by a new change, where rules and stages allow it."""
    wanted = (await call.shaped(Undo, optional=True)).version

    async def act(ctx: Context) -> Answer:
        before = await held(call, ctx, resource, None)  # a removal can be taken back, too
        entries = await changes.of_row(ctx.connection, resource.name, call.row_id, limit=WHOLE_LIFE)
        row = await taken_back(ctx, resource, before, entries, wanted or before.version)
        return row_answer(call, ctx, resource, row)

    return await perform(call, act)


async def taken_back(
    ctx: Context, resource: Resource[Any], before: Any, entries: Sequence[Change], version: int
) -> Any:
    """Write the values from before the change that made this version."""
    hidden = hidden_fields(resource, ctx.actor, before.values())
    told = (each for each in entries if each.verb != FORGOTTEN and is_told(ctx.actor, each, hidden))
    target = next((each for each in told if each.version == version), None)
    removal = (target.after or {}).get("deleted_at") if target else None
    if target is None or (before.deleted_at is not None and removal is None):
        raise NothingToUndo(version=version)
    restoration = (target.before or {}).get("deleted_at")
    if target.before is None or restoration is not None:
        return await store.remove(ctx, resource, before)
    restored = typed(resource, {**dict.fromkeys(target.after or {}), **target.before})
    restored = {name: value for name, value in restored.items() if name not in resource.shapes.found}
    if target.before and not restored:  # all of it was found, and would be found again
        raise NothingToUndo(version=version)
    if not restored.keys().isdisjoint(resource.log.hidden):  # the log does not have their values
        raise NothingToUndo(version=version)
    later = {name for each in entries if each.seq > target.seq for name in each.before or {}}
    if touched := sorted(later & restored.keys()):
        raise ChangedSince(fields=", ".join(touched))
    if removal is not None:
        return await store.restore(ctx, resource, before)
    values = {name: value for name, value in restored.items() if name not in BASE_COLUMNS}
    return await store.change(ctx, resource, before, values)
