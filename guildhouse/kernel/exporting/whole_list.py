"""The whole list: `GET /v1/jobs:export?format=csv&status=open`, streamed out of one snapshot of the database."""

from contextlib import AsyncExitStack
from datetime import UTC, datetime
from typing import Any

from guildhouse.kernel.answer import Answer, Stream
from guildhouse.kernel.etag import list_etag, matches
from guildhouse.kernel.exporting.encoding import ENCODERS, MOST_ROWS, count_rows, prepared
from guildhouse.kernel.exporting.snapshot import Snapshot, snapshot
from guildhouse.kernel.exporting.telling import Telling
from guildhouse.kernel.exporting.wanted import Wanted, refuse_unseen, searched
from guildhouse.kernel.formats import EXPORT_FORMATS, MEDIA_TYPES, OWN, choose_format
from guildhouse.kernel.reading import VARY, wait_for_position
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.search_answering import wait_for_index
from guildhouse.kernel.select import fetch_count

COST = 100  # units of the quota of reading: thirty whole lists in a minute


async def export_rows(call: Call, resource: Resource[Any]) -> Answer:
    """All rows of a list that the actor sees, as they are at one moment."""
    form = choose_format(call.header("accept"), call.param("format"), EXPORT_FORMATS)
    wanted = prepared(call.server.house, resource, call.query, form)
    refuse_unseen(call.actor, wanted)
    await (wait_for_position(call) if call.param("q") is None else wait_for_index(call))
    etag = etag_of_export(call, wanted)
    if matches(call.header("if-none-match"), etag):
        return Answer(304, headers={"ETag": etag, "Vary": VARY})
    async with AsyncExitStack() as stack:
        view = await stack.enter_async_context(snapshot(call.server.database))
        wanted = await searched(wanted, call.server.search, view.connection, call.actor, call.params)
        headers = {"ETag": etag, "Vary": VARY, "Cache-Control": "private, no-cache", **await about(call, view, wanted)}
        telling = Telling(call.actor, call.language, call.server.config.name, call.query, datetime.now(UTC))
        chunks = ENCODERS[form](view, wanted, telling)
        held = stack.pop_all()
    return Stream(200, b"", MEDIA_TYPES[form], headers, chunks=chunks, receive=call.receive, held=held)


async def about(call: Call, view: Snapshot, wanted: Wanted) -> dict[str, str]:
    """What the headers tell of an export: its moment in the log, its name as a file, and its rows where it is asked for."""
    name = named(wanted.resource, wanted.form, datetime.now(UTC))
    found = {"Log-Position": str(view.position), "Content-Disposition": f'attachment; filename="{name}"'}
    counted = call.prefer.get("count")
    if counted == "exact" or wanted.form in MOST_ROWS:
        found["Total-Count"] = str(await count_rows(view, call.actor, wanted, MOST_ROWS))
    elif counted == "planned":
        guess = await fetch_count(view.connection, wanted.resource, call.actor, wanted.where, exact=False)
        found["Total-Count"] = str(guess)
    return found


def named(resource: Resource[Any], form: str, at: datetime) -> str:
    """The name of the file: `jobs-2026-11-21.csv`."""
    ending = "guildhouse.ndjson" if form == OWN else form
    return f"{resource.path}-{at:%Y-%m-%d}.{ending}"


def etag_of_export(call: Call, wanted: Wanted) -> str:
    """The log's position, as far as this actor sees, over the resources that the export shows."""
    shown = [wanted.resource.name, *(target.name for target in wanted.targets.values())]
    position = max(call.server.tail.last(name, call.actor.scopes) for name in shown)
    if call.param("q") is not None:  # what is searched for shows no more than the index has
        position = min(position, call.server.search.pos)
    query = call.scope["query_string"].decode("latin-1")
    moment = f"{datetime.now(UTC):%Y-%m-%dT%H:%M}" if "within" in query else ""
    scopes = ",".join(sorted(call.actor.scopes))
    return list_etag(position, call.server.tail.epoch, "export", query, wanted.form, scopes, moment, call.language)
