"""Selecting: statements out of declared names, pages out of records, and fields for the eyes that they are for."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.actor import ANONYMOUS, Actor
from guildhouse.kernel.fields import Selection
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.pages import Cursor, Order
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.select import (
    LIVE,
    Listing,
    columns_for,
    hidden_fields,
    numbered,
    page_of,
    planned_rows,
    projected,
    statement,
    visible,
)
from tests.kernel.gadget import gadgets, makers, row_of

BY_TITLE = (Order("title", False, False), Order("id", False, False))


def asked(limit: int = 2, cursor: Cursor | None = None) -> Listing:
    return Listing(Selection(("title",)), (LIVE,), BY_TITLE, limit, cursor)


@given(st.lists(st.text("ab ()", max_size=5), min_size=1, max_size=15))
def test_places_are_numbered_from_one_in_their_order(parts: list[str]) -> None:
    found = numbered("?".join(parts))
    assert found == "".join(part + (f"${n}" if n < len(parts) else "") for n, part in enumerate(parts, 1))


def test_a_statement_binds_every_value_and_holds_every_condition() -> None:
    where = (visible(gadgets, ANONYMOUS), LIVE, Condition('"title" = ?', ("'; DROP TABLE gadgets; --",)))
    sql, values = statement(gadgets, '"title"', where)
    assert sql == 'SELECT "title" FROM "gadgets" WHERE scopes && ? AND deleted_at IS NULL AND "title" = ?'
    assert values == [["public"], "'; DROP TABLE gadgets; --"]


def test_what_is_not_asked_for_is_not_fetched_but_for_what_leads_to_more() -> None:
    assert columns_for(makers, Selection(("name",)), (Order("name", False, False), Order("id", True, False))) == (
        '"name", "id"'
    )
    assert columns_for(makers, Selection(("name",), {"boss": Selection(("name",))})) == '"name", "boss_id"'
    assert columns_for(gadgets, Selection(("title",))) == "*"  # an audience has to be judged


RECORDS: list[Any] = [{"title": title, "id": n} for n, title in enumerate("abc")]


@pytest.mark.parametrize(
    ("cursor", "more", "backwards", "onward", "backward"),
    [
        (None, False, False, False, False),
        (None, True, False, True, False),
        (Cursor(("0", 0)), False, False, False, True),
        (Cursor(("0", 0)), True, False, True, True),
        (Cursor(("9", 9), True), True, True, True, True),
        (Cursor(("9", 9), True), False, True, True, False),
    ],
)
def test_a_page_leads_on_and_back_exactly_where_there_is_something(
    cursor: Cursor | None, more: bool, backwards: bool, onward: bool, backward: bool
) -> None:
    page = page_of(RECORDS, asked(3, cursor), more, backwards)
    assert page.next == (Cursor(("c", 2)) if onward else None)
    assert page.previous == (Cursor(("a", 0), True) if backward else None)


def test_an_empty_page_leads_nowhere() -> None:
    for backwards in (False, True):
        page = page_of([], asked(cursor=Cursor(("x", 1), backwards)), False, backwards)
        assert (page.rows, page.next, page.previous) == ([], None, None)


def test_a_field_is_for_those_whom_its_row_names_and_null_to_others() -> None:
    row = row_of(maker_id="ada", note="for Ada", title="Timer")
    ada = Actor("ada", frozenset({scope("person", "ada")}), frozenset())
    assert (hidden_fields(gadgets, ada, row), hidden_fields(gadgets, ANONYMOUS, row)) == (set(), {"note"})
    assert projected(gadgets, ada, row, ("title", "note")) == {"title": "Timer", "note": "for Ada"}
    assert projected(gadgets, ANONYMOUS, row, ("note", "title")) == {"note": None, "title": "Timer"}
    assert hidden_fields(makers, ANONYMOUS, {"name": "x"}) == set()


def test_the_planners_guess_is_read_out_of_its_plan() -> None:
    assert planned_rows('[{"Plan": {"Node Type": "Seq Scan", "Plan Rows": 4711, "Plans": []}}]') == 4711


def test_records_are_told_as_they_are_where_nothing_is_hidden() -> None:
    row = row_of(title="Timer", created_at=datetime(2026, 11, 20, tzinfo=UTC))
    assert projected(makers, ANONYMOUS, {"name": "Ada", "id": "1"}, ("name",)) == {"name": "Ada"}
    assert projected(gadgets, ANONYMOUS, row, ("created_at",)) == {"created_at": row["created_at"]}
