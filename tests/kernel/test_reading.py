"""Reading: what a cursor and an ETag are bound to, the way from page to page, and what tells answers apart."""

import re
from types import SimpleNamespace
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.pages import CursorMismatch, UnknownSort, WrongLimit
from guildhouse.kernel.reading import (
    WrongTrash,
    binding_of,
    cursor_key,
    etag_of_list,
    link_header,
    links_of,
    listing_of,
    live_or_trash,
    variant_of,
)
from guildhouse.kernel.request import Call
from guildhouse.kernel.select import LIVE, TRASH, Page
from tests.kernel.gadget import gadgets, makers, server_of

NAMES = st.sampled_from(["status", "title", "sort", "limit", "fields"])
VALUES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=6)
QUERY = st.dictionaries(NAMES, VALUES, max_size=4)
SERVER = server_of()
SERVER.tail = SimpleNamespace(epoch="abc", last=lambda _name, _scopes: 7)  # type: ignore[assignment]


async def nothing() -> Any:
    raise AssertionError("no body is read")


def call(query: dict[str, str] | str = "", actor: Actor | None = None, **headers: str) -> Call:
    text = query if isinstance(query, str) else urlencode(query)
    raw = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "GET", "path": "/v1/gadgets", "query_string": text.encode(), "headers": raw}
    found = Call(SERVER, scope, nothing)
    found.actor = actor or found.actor
    return found


def seeing(*scopes: str) -> Actor:
    return Actor("ada", frozenset(scopes), frozenset())


@given(QUERY, QUERY)
def test_a_cursor_is_bound_to_all_parameters_whatever_their_order_and_to_nothing_else(
    one: dict[str, str], other: dict[str, str]
) -> None:
    turned = dict(reversed(one.items()))
    assert binding_of(call(one), gadgets) == binding_of(call({**turned, "cursor": "x"}), gadgets)
    assert (binding_of(call(one), gadgets) == binding_of(call(other), gadgets)) == (one == other)
    assert binding_of(call(one), gadgets) != binding_of(call(one), makers)


@given(QUERY)
def test_the_way_to_the_next_page_repeats_the_query_and_adds_the_cursor(query: dict[str, str]) -> None:
    asked = call({**query, "cursor": "spent"})
    header = link_header(asked, {"next": "abc", "prev": None})["Link"]
    match = re.fullmatch(r'</v1/gadgets\?(.*)>; rel="next"', header)
    assert match and header.isascii()
    assert parse_qsl(match[1], keep_blank_values=True) == [*query.items(), ("cursor", "abc")]


def test_a_page_alone_has_no_links() -> None:
    assert link_header(call(), {"next": None, "prev": None}) == {}
    assert links_of(call(), gadgets, Page([], None, None)) == {"next": None, "prev": None}


@pytest.mark.parametrize(
    "other",
    [
        call("status=draft", seeing("public")),
        call("", seeing("public", "members")),
        call("", seeing("public"), prefer="count=exact"),
    ],
)
def test_lists_that_differ_in_query_in_eyes_or_in_their_total_have_other_etags(other: Call) -> None:
    one = call("", seeing("public"))
    assert etag_of_list(one, "json", 7) == etag_of_list(call("", seeing("public")), "json", 7)
    assert etag_of_list(one, "json", 7) != etag_of_list(other, "json", 7)
    assert etag_of_list(one, "json", 7) not in (etag_of_list(one, "json", 8), etag_of_list(one, "csv", 7))


def test_a_list_within_a_span_is_new_every_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    found = []
    for now in (6000.0, 6059.0, 6061.0):
        monkeypatch.setattr("guildhouse.kernel.reading.time", lambda now=now: now)
        found.append((etag_of_list(call("made_on[within]=7d"), "json", 7), etag_of_list(call("q=1"), "json", 7)))
    assert found[0] == found[1] and found[1][0] != found[2][0] and found[1][1] == found[2][1]


def test_a_plain_row_has_its_version_alone_as_etag_and_any_other_form_of_it_another() -> None:
    assert variant_of(call(), makers, "json") == ""
    forms = {
        variant_of(call(), makers, "msgpack"),
        variant_of(call("fields=id"), makers, "json"),
        variant_of(call("fields=id"), makers, "msgpack"),
        variant_of(call("", seeing("a")), gadgets, "json"),  # a gadget has a note, which not all see
        variant_of(call("", seeing("b")), gadgets, "json"),
    }
    assert len(forms) == 5 and "" not in forms
    assert variant_of(call("", seeing("a")), makers, "json") == ""


def test_the_trash_is_asked_for_by_its_one_word() -> None:
    assert (live_or_trash(None), live_or_trash("only")) == (LIVE, TRASH)
    for wrong in ("", "true", "Only"):
        with pytest.raises(WrongTrash):
            live_or_trash(wrong)


@pytest.mark.parametrize(
    ("query", "problem"),
    [("sort=scopes", UnknownSort), ("limit=0", WrongLimit), ("trash=all", WrongTrash), ("cursor=abcd", CursorMismatch)],
)
def test_what_a_list_cannot_be_asked_is_refused_before_anything_is_read(query: str, problem: type[Exception]) -> None:
    with pytest.raises(problem):
        listing_of(call(query), gadgets, call(query).param("sort"))


def test_a_list_is_asked_for_in_its_usual_order_and_of_live_rows() -> None:
    asked = listing_of(call("status=shown&limit=999"), gadgets, None)
    assert [(each.column, each.descending) for each in asked.order] == [("created_at", True), ("id", True)]
    assert (asked.limit, asked.where[0], asked.where[1].values) == (200, LIVE, ("shown",))
    assert cursor_key(call()) == SERVER.key("cursor") != SERVER.key("other")
