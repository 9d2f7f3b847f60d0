"""The trace: one change, what every reader did with it, the tasks it set off, and the changes it caused, as a tree."""

import json
from collections.abc import AsyncIterator, Mapping
from typing import Any

import asyncpg

from guildhouse.app import HOUSE
from guildhouse.kernel.db import SESSION, Connection, speak
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import STAMPED_OR_NOT, Change, Position, StaleEpoch, WrongPosition

WIDTH = 100  # a value longer than this is cut in the output
DEEPEST = 20


async def trace(dsn: str, text: str) -> str:
    """The trace of a position (`epoch.pos`, or `epoch.x<xid>` for a transaction), or of a `seq`."""
    connection = await asyncpg.connect(dsn, server_settings=SESSION)
    try:
        await speak(connection)
        head = await changes.head(connection)
        roots = await changes_at(connection, text, head.epoch)
        lines = [line for root in roots async for line in tree(connection, root, head.epoch, 0)]
        return "\n".join(lines)
    finally:
        await connection.close()


async def changes_at(connection: Connection, text: str, epoch: str) -> list[Change]:
    """The changes that are meant. Raises `NotDone` where there is none."""
    try:
        place = None if text.isdecimal() else Position.parse(text, epoch)
    except StaleEpoch as error:
        raise NotDone(f"{text} was given before the database was restored; the epoch is {epoch} now.") from error
    except WrongPosition as error:
        raise NotDone(f"{text} is no position. Give one like {epoch}.42, as in Log-Position, or a seq.") from error
    if place is None:
        found = await select(connection, "c.seq = $1", int(text))
    elif place.xid is None:
        found = await select(connection, "p.pos = $1", place.pos)
    else:
        found = await select(connection, "c.xid = $1::text::xid8", str(place.xid))
    if not found:
        raise NotDone(f"The log has no change at {text}; it ends at {(await changes.head(connection)).position}.")
    return found


async def select(connection: Connection, where: str, value: int | str | None) -> list[Change]:
    """Changes by one condition, in order."""
    return changes.made(await connection.fetch(f"{STAMPED_OR_NOT} WHERE {where} ORDER BY c.seq", value))


async def tree(connection: Connection, change: Change, epoch: str, depth: int) -> AsyncIterator[str]:
    """A change and all that came of it, each level further to the right."""
    space = "    " * depth
    for line in [*header(change, epoch, await name_of(connection, change.actor)), *values(change)]:
        yield space + line
    if depth == 0:
        async for line in reactions(connection, change):
            yield space + line
    async for line in tasks(connection, change):
        yield space + line
    caused = await changes.caused_by(connection, change.seq)
    for each in caused if depth < DEEPEST else []:
        yield f"{space}  caused:"
        async for line in tree(connection, each, epoch, depth + 1):
            yield line


def header(change: Change, epoch: str, name: str) -> list[str]:
    """What happened to which row, when, by whom, in which request, and why."""
    where = f"{epoch}.{change.pos}" if change.pos else "no position yet"
    lines = [
        f"{event(change)}  {change.resource}/{change.row_id}  version {change.version}",
        f"  at {change.at:%Y-%m-%d %H:%M:%S.%f} UTC  {where}  seq {change.seq}  transaction {change.xid}",
        f"  by {name}" + (f", request {change.request_id}" if change.request_id else ""),
    ]
    return [*lines, f"  because: {change.reason}"] if change.reason else lines


def event(change: Change) -> str:
    """The event's name: `application.submitted`."""
    resource = HOUSE.resources.get(change.resource)
    return f"{resource.singular if resource else change.resource}.{change.verb}"


async def name_of(connection: Connection, actor: str | None) -> str:
    """Who it was."""
    if actor is None:
        return "the house itself"
    name = await connection.fetchval("SELECT name FROM people WHERE id::text = $1", actor)
    return f"{name} ({actor})" if name else actor


def values(change: Change) -> list[str]:
    """The columns that differ, and who came to see the row or sees it no more."""
    was, became = change.before or {}, change.after or {}
    lines = [f"  {name}: {shown(was, name)} -> {shown(became, name)}" for name in {**was, **became}]
    before, after = set(change.scopes_before or ()), set(change.scopes_after or ())
    lines += [f"  seen by {scope} from now on" for scope in sorted(after - before)]
    return lines + [f"  seen by {scope} no more" for scope in sorted(before - after)]


def shown(side: Mapping[str, Any], name: str) -> str:
    """A value in one line."""
    text = json.dumps(side[name], ensure_ascii=False) if name in side else "nothing"
    return text if len(text) <= WIDTH else f"{text[:WIDTH]}..."


async def reactions(connection: Connection, change: Change) -> AsyncIterator[str]:
    """What each reader of the log did with it."""
    for name, cursor, error in await connection.fetch(
        """SELECT r.name, r.cursor, d.error FROM readers r LEFT JOIN dead_letters d
           ON d.reader = r.name AND d.pos = $1 AND d.resolved_at IS NULL ORDER BY r.name""",
        change.pos,
    ):
        if error:
            yield f"  reader {name}: could not take it: {error}. See `guildhouse replay {name} {change.pos}`"
        elif change.pos and cursor >= change.pos:
            yield f"  reader {name}: is past it"
        else:
            yield f"  reader {name}: has not come to it yet (its cursor is {cursor})"


async def tasks(connection: Connection, change: Change) -> AsyncIterator[str]:
    """The tasks that it set off: those still in the queue, and those that have left it, done."""
    for task in HOUSE.tasks.values():
        if event(change) in task.on:
            key = f"{task.name}:{change.seq}"
            status = await connection.fetchval("SELECT status::text FROM pgqueuer WHERE dedupe_key = $1", key)
            yield f"  task {task.name}: {status or 'not in the queue (any more)'}"
