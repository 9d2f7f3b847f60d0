"""A list that is searched: its rows by `q`, its `facets`, or both. A list that is neither is read as it always is."""

from dataclasses import replace
from time import perf_counter
from typing import Any

from guildhouse.kernel.answer import Answer
from guildhouse.kernel.formats import LIST_FORMATS, choose_format
from guildhouse.kernel.reading import (
    LIST_PARAMETERS,
    list_rows,
    listing_of,
    nouns_shown,
    page_answer,
    total_of,
)
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.counting import Counting
from guildhouse.kernel.searching.finding import Finding
from guildhouse.kernel.searching.heard import hear_search
from guildhouse.kernel.searching.search_answer import about_search
from guildhouse.kernel.searching.search_answering import etag_of_search, kept_or_made, wait_for_index
from guildhouse.kernel.searching.sought import PARAMETERS, Sought, sought_of
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
    etag = etag_of_search(call, nouns_shown(resource, asked), form)
    answer = await kept_or_made(call, etag, lambda: found_answer(call, resource, asked, sought, form, etag))
    hear_search(call, resource.name, begun, answer)
    return answer


async def found_answer(
    call: Call, resource: Resource[Any], asked: Listing, sought: Sought, form: str, etag: str
) -> Answer:
    """The page that a search finds, with what is told about it."""
    async with call.server.database.reading() as connection:
        finding = Finding(call.server.search, connection, resource, call.actor, asked, sought)
        counts = Counting(finding, sought.facets).beside_hits() if sought.facets else None
        found = await replace(finding, counts=counts).find() if sought.asked else None
        page = found.page if found else await fetch_page(connection, resource, call.actor, asked)
        rows = await rendered(call.server.house, connection, resource, call.actor, page.rows, asked.selection)
        beside = {"search": await about_search(finding, found, rows, call.language)}
        total = found.total if found else None
        if total is None:
            total = await total_of(call, connection, resource, asked)
    return page_answer(call, resource, asked, form, etag, page, rows, total, beside)
