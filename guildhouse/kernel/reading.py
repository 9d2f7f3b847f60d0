"""The doors that read: a list, a row, a row as it was. Where nothing changed since, no list is queried."""

from collections.abc import Iterable, Mapping, Sequence
from time import time
from typing import Any
from urllib.parse import urlencode

from guildhouse.kernel import pages
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.asked_rows import asked_rows
from guildhouse.kernel.db import Connection
from guildhouse.kernel.errors import BadRequest, NotFound, Unavailable
from guildhouse.kernel.etag import list_etag, matches, row_etag
from guildhouse.kernel.fields import Selection, select_fields
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.formats import LIST_FORMATS, MEDIA_TYPES, ROW_FORMATS, choose_format, encode_page, encode_row
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import Values
from guildhouse.kernel.searching.sought import parameters_of
from guildhouse.kernel.select import (
    LIVE,
    TRASH,
    Listing,
    Page,
    columns_for,
    fetch_count,
    fetch_one,
    fetch_page,
    rendered,
)

LIST_PARAMETERS = frozenset({"cursor", "limit", "sort", "fields", "expand", "format", "trash"})
ROW_PARAMETERS = frozenset({"fields", "expand", "format", "as_of"})
VARY = "Accept, Accept-Language, Authorization"


class WrongTrash(BadRequest):
    """`trash` takes `only`: the list of removed rows."""


class PositionNotReached(Unavailable):
    """The log has not come to the position of `Wait-For` yet, and nothing was read. Try again in a moment."""

    def __init__(self) -> None:
        super().__init__(why="behind")


async def list_rows(call: Call, resource: Resource[Any]) -> Answer:
    """One page of the rows that the actor sees."""
    form = choose_format(call.header("accept"), call.param("format"), LIST_FORMATS)
    asked = listing_of(call, resource, call.param("sort"), LIST_PARAMETERS | parameters_of(resource))
    await wait_for_position(call)
    etag = etag_of_list(call, form, position_of(call, nouns_shown(resource, asked)))
    if matches(call.header("if-none-match"), etag):
        return Answer(304, headers={"ETag": etag, "Vary": VARY})
    async with call.server.database.reading() as connection:
        page = await fetch_page(connection, resource, call.actor, asked)
        rows = await rendered(call.server.house, connection, resource, call.actor, page.rows, asked.selection)
        total = await total_of(call, connection, resource, asked)
    return page_answer(call, resource, asked, form, etag, page, rows, total)


def page_answer(
    call: Call,
    resource: Resource[Any],
    asked: Listing,
    form: str,
    etag: str,
    page: Page,
    rows: Sequence[Values],
    total: int | None,
    beside: Mapping[str, Any] | None = None,
) -> Answer:
    """A page as an answer; `beside` is what else it tells where it is JSON."""
    links = links_of(call, resource, page)
    about: dict[str, Any] = {**links, "has_more": page.next is not None, "limit": asked.limit}
    headers = {"ETag": etag, "Vary": VARY, "Cache-Control": "private, no-cache", **link_header(call, links)}
    if total is not None:
        about["total"] = total
        headers["Total-Count"] = str(total)  # for the formats that carry rows only
    body = encode_page(rows, about, asked.selection.paths, form, beside)
    return Answer(200, body, MEDIA_TYPES[form], headers, len(rows))


def listing_of(
    call: Call,
    resource: Resource[Any],
    sort: str | None,
    known: frozenset[str] = LIST_PARAMETERS,
    *,
    ranked: bool = False,
) -> Listing:
    """What the query string asks for, of which some parameters are `known` to be about something else.

    Cursors hold the values that are sorted by; those of a list that is `ranked` hold a place in it.
    """
    house = call.server.house
    around, where = asked_rows(house, resource, call.query, known) if call.query else (None, [])
    computed = around.fields if around else ()
    selection = select_fields(house, resource, call.param("fields"), call.param("expand"), computed)
    order = pages.parse_sort(resource, sort, around.orders if around else None)
    text, kinds = call.param("cursor"), None if ranked else (order, resource)
    cursor = pages.unseal(cursor_key(call), binding_of(call, resource), text, kinds) if text else None
    shown = (live_or_trash(call.param("trash")), *where)
    return Listing(selection, shown, order, pages.parse_limit(call.param("limit")), cursor, around)


def live_or_trash(wanted: str | None) -> Condition:
    """Live rows, or with `only` the removed ones."""
    if wanted not in (None, "only"):
        raise WrongTrash
    return LIVE if wanted is None else TRASH


def cursor_key(call: Call) -> bytes:
    """The key that cursors are sealed with."""
    return call.server.key("cursor")


def binding_of(call: Call, resource: Resource[Any]) -> bytes:
    """All of the query that a cursor is bound to. No name and no value has a NUL in it, so that none runs into another."""
    rest = sorted(f"{name}\0{value}" for name, value in call.query if name != "cursor")
    return "\0\0".join([resource.name, *rest]).encode()


def nouns_shown(resource: Resource[Any], asked: Listing) -> list[str]:
    """The nouns of which a list's answer shows rows."""
    return [resource.name, *(resource.find.expand[name] for name in asked.selection.expand)]


def position_of(call: Call, nouns: Iterable[str]) -> int:
    """The log's position, as far as this actor sees, over the nouns that an answer shows."""
    return max((call.server.tail.last(name, call.actor.scopes) for name in nouns), default=0)


def etag_of_list(call: Call, form: str, position: int, *others: str) -> str:
    """A list's ETag: where what it shows stands in the log, who sees it, and what was asked for."""
    scopes = ",".join(sorted(call.actor.scopes))
    query = call.scope["query_string"].decode("latin-1")
    # What is `within` the last week changes while nothing else does: such a list is new every minute.
    minute = str(int(time() // 60)) if "within" in query else ""
    wanted = call.prefer.get("count", "")
    return list_etag(position, call.server.tail.epoch, query, form, scopes, minute, wanted, *others)


async def total_of(call: Call, connection: Connection, resource: Resource[Any], asked: Listing) -> int | None:
    """The total, when `Prefer: count=exact|planned` asks for it."""
    wanted = call.prefer.get("count")
    if wanted not in ("exact", "planned"):
        return None
    return await fetch_count(connection, resource, call.actor, asked.where, wanted == "exact")


def links_of(call: Call, resource: Resource[Any], page: Page) -> dict[str, str | None]:
    """The sealed cursors of the pages around this one; no `next` is the only end."""
    binding = binding_of(call, resource)

    def sealed(cursor: pages.Cursor | None) -> str | None:
        return pages.seal(cursor_key(call), binding, cursor) if cursor else None

    return {"next": sealed(page.next), "prev": sealed(page.previous)}


def link_header(call: Call, links: dict[str, str | None]) -> dict[str, str]:
    """RFC 8288 links to the pages around."""
    rest = urlencode([(name, value) for name, value in call.query if name != "cursor"])
    start = f"<{call.scope['path']}?{rest}{'&' if rest else ''}cursor="  # a cursor is of characters that need no escape
    found = [f'{start}{cursor}>; rel="{rel}"' for rel, cursor in links.items() if cursor]
    return {"Link": ", ".join(found)} if found else {}


async def read_row(call: Call, resource: Resource[Any]) -> Answer:
    """One row that the actor sees."""
    form = choose_format(call.header("accept"), call.param("format"), ROW_FORMATS)
    selection = row_selection(call, resource)
    await wait_for_position(call)
    columns = columns_for(resource, Selection((*selection.fields, "version"), selection.expand))
    async with call.server.database.reading() as connection:
        record = await fetch_one(connection, resource, call.actor, call.row_id, columns)
        if record is None:
            raise NotFound
        rows = await rendered(call.server.house, connection, resource, call.actor, [record], selection)
    headers = {"Vary": VARY, "Cache-Control": "private, no-cache"}
    if not selection.expand:
        headers["ETag"] = row_etag(record["version"], variant_of(call, resource, form))
        if matches(call.header("if-none-match"), headers["ETag"]):
            return Answer(304, headers=headers)
    return Answer(200, encode_row(rows[0], form), MEDIA_TYPES[form], headers)


def row_selection(call: Call, resource: Resource[Any]) -> Selection:
    """The fields that a read of one row asks for; refuses other parameters."""
    call.refuse_others(sorted(ROW_PARAMETERS))
    return select_fields(call.server.house, resource, call.param("fields"), call.param("expand"))


def variant_of(call: Call, resource: Resource[Any], form: str) -> str:
    """What tells this representation of the row from others of the same version."""
    query = call.scope["query_string"].decode("latin-1")
    eyes = ",".join(sorted(call.actor.scopes)) if resource.shapes.audience else ""
    return f"{form}?{query}#{eyes}" if query or eyes or form != "json" else ""


async def wait_for_position(call: Call) -> None:
    """`Wait-For`: answer only once this process has seen the log up to there, so that one reads one's own writes."""
    wanted = call.header("wait-for")
    if wanted is not None and not await call.server.tail.wait_for(wanted):
        raise PositionNotReached
