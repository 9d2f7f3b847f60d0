"""The whole list: `GET /v1/jobs:export?format=csv&status=open`, streamed out of one snapshot of the database."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.answer import Answer, Stream
from guildhouse.kernel.etag import list_etag, matches
from guildhouse.kernel.exporting.encoding import ENCODERS, MOST_ROWS, Telling, TooManyRows
from guildhouse.kernel.exporting.snapshot import Snapshot, snapshot
from guildhouse.kernel.exporting.wanted import Wanted, refuse_unseen, wanted_of
from guildhouse.kernel.formats import EXPORT_FORMATS, MEDIA_TYPES, OWN, choose_format
from guildhouse.kernel.reading import VARY, wait_for_position
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.select import fetch_count

COST = 100  # units of the quota of reading: thirty whole lists in a minute


async def export_rows(call: Call, resource: Resource[Any]) -> Answer:
    """All rows of a list that the actor sees, as they are at one moment."""
    form = choose_format(call.header("accept"), call.param("format"), EXPORT_FORMATS)
    wanted = wanted_of(call.server.house, resource, call.query, form)
    refuse_unseen(call.actor, wanted)
    await wait_for_position(call)
    etag = etag_of_export(call, wanted)
    if matches(call.header("if-none-match"), etag):
        return Answer(304, headers={"ETag": etag, "Vary": VARY})
    async with AsyncExitStack() as stack:
        view = await stack.enter_async_context(snapshot(call.server.database))
        headers = {"ETag": etag, "Vary": VARY, "Cache-Control": "private, no-cache", **await about(call, view, wanted)}
        telling = Telling(call.actor, call.language, call.server.config.name)
        chunks = ENCODERS[form](view, wanted, telling)
        held = stack.pop_all()
    return Stream(200, b"", MEDIA_TYPES[form], headers, chunks=chunks, receive=call.receive, held=held)


async def about(call: Call, view: Snapshot, wanted: Wanted) -> dict[str, str]:
    """What the headers tell of an export: its moment in the log, its name as a file, and its size where it is asked for."""
    found = {"Log-Position": str(view.position), "Content-Disposition": f'attachment; filename="{file_name(wanted)}"'}
    limited = wanted.form in MOST_ROWS
    if limited or call.prefer.get("count") in ("exact", "planned"):
        rows = await count_rows(view, call.actor, wanted, exact=limited or call.prefer.get("count") == "exact")
        found["Total-Count"] = str(rows)
        refuse_too_many(wanted, rows)
    return found


async def count_rows(view: Snapshot, actor: Actor, wanted: Wanted, *, exact: bool = True) -> int:
    """How many rows there are, counted in the same snapshot, or as the planner guesses."""
    return await fetch_count(view.connection, wanted.resource, actor, wanted.where, exact)


def refuse_too_many(wanted: Wanted, rows: int) -> None:
    """Raise `TooManyRows` where the format does not take so many."""
    most = MOST_ROWS.get(wanted.form)
    if most is not None and rows > most:
        raise TooManyRows(rows=rows, format=wanted.form, most=most)


def file_name(wanted: Wanted) -> str:
    """The name of the file: `jobs-2026-11-21.csv`."""
    ending = "guildhouse.ndjson" if wanted.form == OWN else wanted.form
    return f"{wanted.resource.path}-{datetime.now(UTC):%Y-%m-%d}.{ending}"


def etag_of_export(call: Call, wanted: Wanted) -> str:
    """The log's position, as far as this actor sees, over the resources that the export shows."""
    shown = [wanted.resource.name, *(target.name for target in wanted.targets.values())]
    position = max(call.server.tail.last(name, call.actor.scopes) for name in shown)
    query = call.scope["query_string"].decode("latin-1")
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M}" if "within" in query else ""
    scopes = ",".join(sorted(call.actor.scopes))
    return list_etag(position, call.server.tail.epoch, "export", query, wanted.form, scopes, moment, call.language)
