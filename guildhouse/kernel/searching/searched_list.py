"""A list that is searched: its rows by `q`, its `facets`, or both. A list that is neither is read as it always is."""

from time import perf_counter, time
from typing import Any

from guildhouse.kernel.answer import Answer
from guildhouse.kernel.db import Connection
from guildhouse.kernel.etag import matches
from guildhouse.kernel.formats import LIST_FORMATS, choose_format
from guildhouse.kernel.reading import (
    LIST_PARAMETERS,
    VARY,
    PositionNotReached,
    etag_of_list,
    list_rows,
    listing_of,
    page_answer,
    position_of,
    total_of,
    wait_for_position,
)
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.finding import Finding
from guildhouse.kernel.searching.heard import hear_search
from guildhouse.kernel.searching.search_answer import about_search
from guildhouse.kernel.searching.sought import PARAMETERS, sought_of
from guildhouse.kernel.select import Listing, fetch_page, rendered


async def list_or_search(call: Call, resource: Resource[Any]) -> Answer:
    """One page of the rows that the actor sees, or of those that are searched for."""
    sought = sought_of(call, resource)
    if sought is None:
        return await list_rows(call, resource)
    begun = perf_counter()
    form = choose_format(call.header("accept"), call.param("format"), LIST_FORMATS)
    ranked = bool(sought.asked and call.server.search.indexes and call.param("trash") is None)
    sort = None if sought.by_relevance else call.param("sort")
    asked = listing_of(call, resource, sort, LIST_PARAMETERS | PARAMETERS, ranked=ranked)
    await wait_for_index(call)
    etag = etag_of_search(call, resource, asked, form)
    if matches(call.header("if-none-match"), etag):
        return Answer(304, headers={"ETag": etag, "Vary": VARY})
    answer = call.server.search.answers.get(call.scope["path"], etag)
    if answer is None:
        async with call.server.database.reading() as connection:
            finding = Finding(call.server.search, connection, resource, call.actor, asked, sought)
            answer = await found_answer(call, connection, finding, form, etag)
        call.server.search.answers.keep(call.scope["path"], etag, answer)
    total = answer.headers.get("Total-Count")
    hear_search(call, resource.name, begun, int(total) if total else None, answer.rows)
    return answer


async def found_answer(call: Call, connection: Connection, finding: Finding, form: str, etag: str) -> Answer:
    """The page that a search finds, with what is told about it."""
    resource, asked = finding.resource, finding.listing
    found = await finding.find() if finding.sought.asked else None
    page = found.page if found else await fetch_page(connection, resource, call.actor, asked)
    rows = await rendered(call.server.house, connection, resource, call.actor, page.rows, asked.selection)
    beside = {"search": await about_search(finding, found, rows, call.language)}
    total = found.total if found else None
    if total is None:
        total = await total_of(call, connection, resource, asked)
    return page_answer(call, resource, asked, form, etag, page, rows, total, beside)


def etag_of_search(call: Call, resource: Resource[Any], asked: Listing, form: str) -> str:
    """The ETag of a search. It shows no more than the index has: where that is behind, its position stands for it."""
    position, engine = position_of(call, resource, asked), call.server.search
    position = min(position, engine.pos) if engine.indexes else -position
    minute = str(int(time() // 60))  # facets count by how long ago something is
    return etag_of_list(call, form, position, minute, call.language)


async def wait_for_index(call: Call) -> None:
    """`Wait-For`, of a search: answer only once the index has all that this process has seen of the log."""
    await wait_for_position(call)
    if call.header("wait-for") is None:
        return
    if not await call.server.search.has_reached(call.server.tail.epoch, call.server.tail.pos):
        raise PositionNotReached
