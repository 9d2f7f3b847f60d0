"""The rows behind the matches of a saved search, as its list shows them: what a person wants to look at.

They are read with the person's scopes as of now, so that a row that went out of sight a moment ago is not among them.
"""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from guildhouse.kernel.answer import Answer
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Denied, NotFound, UnknownParameter
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.formats import encode_page
from guildhouse.kernel.reading import LIST_PARAMETERS, link_header, links_of, listing_of
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.sought import PARAMETERS
from guildhouse.kernel.select import fetch_one, fetch_page, rendered
from guildhouse.kernel.shapes import Shape
from guildhouse.searches.saved_search import saved_searches
from guildhouse.searches.search_match import search_matches

MATCHED = f'id IN (SELECT row_id FROM "{search_matches.name}" WHERE saved_search_id = ? AND deleted_at IS NULL'
NOT_HERE = PARAMETERS | {"format", "trash"}


class MatchedRows(Shape):
    """A page of the list that the search asks; its rows have the fields of that list."""

    data: list[dict[str, Any]]
    page: dict[str, Any]


def reading(clause: str) -> Callable[[Call], Awaitable[Answer]]:
    """The handler for the rows of some of the matches."""

    async def read_rows(call: Call) -> Answer:
        async with call.server.database.reading() as connection:
            search = await fetch_one(connection, saved_searches, call.actor, call.row_id, "resource")
            if search is None:
                raise NotFound
            resource = readable(call, search["resource"])
            refuse_others(call, resource)
            asked = listing_of(call, resource, call.param("sort"))
            asked = replace(asked, where=(*asked.where, Condition(f"{MATCHED}{clause})", (call.row_id,))))
            page = await fetch_page(connection, resource, call.actor, asked)
            rows = await rendered(call.server.house, connection, resource, call.actor, page.rows, asked.selection)
        links = links_of(call, resource, page)
        about = {**links, "has_more": page.next is not None, "limit": asked.limit}
        headers = {"Cache-Control": "private, no-store", **link_header(call, links)}
        return Answer(200, encode_page(rows, about, asked.selection.paths, "json"), headers=headers)

    return read_rows


def readable(call: Call, name: str) -> Resource[Any]:
    """The list of a saved search, if it is there and the actor may read it."""
    resource = call.server.house.resources.get(name)
    if resource is None:
        raise NotFound
    if not resource.is_open_to(call.actor):
        raise Denied
    return resource


def refuse_others(call: Call, resource: Resource[Any]) -> None:
    """Raise for what the list itself takes, and this does not: the search has said for which words."""
    for name, _ in call.query:
        if name in NOT_HERE:
            known = {*resource.find.filter, *(LIST_PARAMETERS - NOT_HERE)}
            raise UnknownParameter(name=name, known=", ".join(sorted(known)))


doors = (
    Door("GET", "/v1/saved-searches/{id}/rows", "saved_searches.read", "The rows that matched a saved search",
         reading(""), saved_searches, kind="read", cost=3, gives=MatchedRows),
    Door("GET", "/v1/saved-searches/{id}/unseen-rows", "saved_searches.read", "Those that are not marked as seen",
         reading(" AND seen_at IS NULL"), saved_searches, kind="read", cost=3, gives=MatchedRows),
)  # fmt: skip
