"""Following: a row as it is, and again each time that it changes, as server-sent events. For progress, and for live pages.

`Accept: text/event-stream` on the address of a row. What is sent is always the whole row as it is now, so nothing is
missed by who was away: changes in quick succession come as one. No connection to the database is held while it rests.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

from guildhouse.kernel import problems
from guildhouse.kernel.answer import Answer, Stream
from guildhouse.kernel.errors import Denied, NotFound, Problem, Unauthenticated
from guildhouse.kernel.fields import Selection
from guildhouse.kernel.formats import EVENT_STREAM, JSON, by_weight, dumps, encode_row
from guildhouse.kernel.history import read_now_or_then
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Position, StaleEpoch
from guildhouse.kernel.log.wake import first
from guildhouse.kernel.may import nobody
from guildhouse.kernel.reading import row_selection
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.select import columns_for, fetch_one, rendered

HEARTBEAT = 15.0  # seconds of silence, after which proxies might close the connection; who may see is asked anew, too
PAUSE = 0.1  # seconds between two events
RETRY = b"retry: 2000\n\n"  # milliseconds after which a browser comes back
HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}  # no proxy is to collect what it should pass on


@dataclass(frozen=True)
class View:
    """What the caller sees of the row: its body, a position of the log that is in it, and whether it changes no more.

    That is so where nobody changes rows by hand, and the row's stage leads nowhere: the work is done.
    """

    position: str
    data: bytes
    is_over: bool


async def read_or_follow(call: Call, resource: Resource[Any]) -> Answer:
    """One row, as it is or was; or live, for those who ask for events."""
    wanted = by_weight(call.header("accept") or "")
    if wanted[:1] == [EVENT_STREAM] and call.param("as_of") is None and call.param("format") is None:
        return await follow(call, resource)
    return await read_now_or_then(call, resource)


async def follow(call: Call, resource: Resource[Any]) -> Answer:
    """The stream. Who has seen all of a row that changes no more is told not to come back: 204."""
    selection = row_selection(call, resource)
    who = call.actor.id or call.client_network
    marks = [call.row_id, *([scope("person", call.actor.id)] if call.actor.id else [])]
    async with AsyncExitStack() as stack:
        news = stack.enter_context(call.server.watchers.watching(who, marks))
        is_known = await has_seen(call, resource)
        view = await look(call, resource, selection)
        if is_known and view.is_over:
            return Answer(204)
        held = stack.pop_all()
    chunks = events(call, resource, selection, news, view, is_known=is_known)
    return Stream(200, b"", EVENT_STREAM, dict(HEADERS), chunks=chunks, receive=call.receive, held=held)


async def has_seen(call: Call, resource: Resource[Any]) -> bool:
    """Whether the caller, who comes back with `Last-Event-ID`, has seen the row's last change."""
    said = call.header("last-event-id")
    if not said or call.param("expand"):
        return False
    try:
        position = Position.parse(said, call.server.tail.epoch)
    except StaleEpoch:  # the row as it is now starts over
        return False
    async with call.server.database.reading() as connection:
        last = await changes.of_row(connection, resource.name, call.row_id, limit=1)
    return position.pos is not None and all(each.pos is not None and each.pos <= position.pos for each in last)


async def look(call: Call, resource: Resource[Any], selection: Selection) -> View:
    """The row as the caller sees it now. Raises `NotFound`."""
    position = str(call.server.tail.position)  # before the row is read: then all up to it is in the row
    stage = resource.stages
    wanted = (*selection.fields, stage.column) if stage else selection.fields
    columns = columns_for(resource, Selection(tuple(dict.fromkeys(wanted)), selection.expand))
    async with call.server.database.reading() as connection:
        record = await fetch_one(connection, resource, call.actor, call.row_id, columns)
        if record is None:
            raise NotFound
        rows = await rendered(call.server.house, connection, resource, call.actor, [record], selection)
    is_at_end = stage is not None and not stage.moves.get(record[stage.column])
    return View(position, encode_row(rows[0], JSON), is_at_end and resource.may.change is nobody)


async def events(
    call: Call, resource: Resource[Any], selection: Selection, news: asyncio.Event, view: View, *, is_known: bool
) -> AsyncIterator[bytes]:
    """The row, and the row again, until it changes no more, is out of sight, or the server stops."""
    draining: asyncio.Event = call.scope["draining"]
    shown = view.data if is_known else b""
    yield RETRY
    while True:
        if view.data != shown:
            yield event("row", view.data, view.position)
            shown = view.data
        if view.is_over:
            yield event("end", dumps({"why": "over"}), await position_of_end(call, resource))
            return
        await asyncio.sleep(PAUSE)
        await first(news, draining, within=HEARTBEAT)
        if draining.is_set():
            return
        if not news.is_set():
            yield b": still here\n\n"
        news.clear()
        try:
            await identify_again(call, resource)
            view = await look(call, resource, selection)
        except Exception as error:
            if told := farewell(call, error):
                yield told
            return


async def position_of_end(call: Call, resource: Resource[Any]) -> str:
    """A position that has the row's last change in it, so that who comes back with it has seen all."""
    async with call.server.database.reading() as connection:
        last = await changes.of_row(connection, resource.name, call.row_id, limit=1)
    for each in last:
        await call.server.tail.wait_for(Position(call.server.tail.epoch, xid=each.xid), timeout=1)
    return str(call.server.tail.position)


async def identify_again(call: Call, resource: Resource[Any]) -> None:
    """The caller as they are now: a session may be over, a key removed, a role taken."""
    call.actor = await call.server.identity.identify(call)
    if not (resource.may.read(call.actor, None) and call.actor.can(f"{resource.name}.read")):
        raise Denied


def farewell(call: Call, error: Exception) -> bytes | None:
    """Why the stream ends; nothing where it is worth coming back. What nobody foresaw is raised."""
    problem = error if isinstance(error, Problem) else problems.from_driver(error)
    if problem.retryable:
        return None
    if not isinstance(problem, NotFound | Denied | Unauthenticated):
        raise error
    body = problems.body_of(problem, call.language, call.request_id, call.scope["path"])
    return event("end", dumps({"why": "out-of-sight", "problem": body}))


def event(name: str, data: bytes, position: str | None = None) -> bytes:
    """One event, as browsers read it."""
    place = b"id: %s\n" % position.encode() if position else b""
    return b"event: %s\n%sdata: %s\n\n" % (name.encode(), place, data)
