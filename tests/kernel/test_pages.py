"""Pages: cursors that only this server makes, and keysets that walk a list in just the order it is sorted in."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from guildhouse.kernel.actor import ANONYMOUS
from guildhouse.kernel.db import Connection, Database
from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.fields import Selection
from guildhouse.kernel.pages import (
    MOST,
    Cursor,
    CursorMismatch,
    Order,
    UnknownSort,
    WrongLimit,
    after,
    parse_limit,
    parse_sort,
    seal,
    stretches,
    unseal,
)
from guildhouse.kernel.select import LIVE, Listing, fetch_page, numbered
from tests.kernel.gadget import gadgets, lay_gadgets, row_of

SECRET = b"0" * 32
BINDING = b"gadgets?limit=5"
BY_WEIGHT = parse_sort(gadgets, "-weight,title")
CURSOR = Cursor((120, "Egg timer", "019a9f3c-7c00-7000-8000-000000000001"))


def opened(text: str, order: Sequence[Order] = BY_WEIGHT, binding: bytes = BINDING) -> Cursor:
    return unseal(SECRET, binding, text, (order, gadgets))


def test_the_limit_is_coerced_down_and_has_a_default() -> None:
    assert [parse_limit(text) for text in (None, "1", "200", "201", "9" * 99, "007")] == [50, 1, MOST, MOST, MOST, 7]


@given(st.text().filter(lambda text: not (text.isascii() and text.isdigit() and len(text) <= 100 and int(text) > 0)))
@example("0" * 9)
@example("0" * 100 + "1")
@example("+1")
@example("1_000")
def test_any_other_limit_is_refused(text: str) -> None:
    with pytest.raises(WrongLimit):
        parse_limit(text)


def test_an_order_is_total_because_the_id_comes_last() -> None:
    assert [(each.column, each.descending) for each in parse_sort(gadgets, "-weight,title")] == [
        ("weight", True),
        ("title", False),
        ("id", False),
    ]
    assert [each.column for each in parse_sort(gadgets, "id")] == ["id"]


def test_without_a_wish_the_declared_order_holds() -> None:
    assert [(each.column, each.descending) for each in parse_sort(gadgets, None)] == [
        ("created_at", True),
        ("id", True),
    ]


@pytest.mark.parametrize("text", ["secret", "note", "views", "-", "title,,weight", "title desc", "--title", "+title"])
def test_an_order_that_is_not_declared_is_refused(text: str) -> None:
    with pytest.raises(UnknownSort):
        parse_sort(gadgets, text)


@given(st.text())
def test_any_text_is_an_order_or_a_400(text: str) -> None:
    try:
        found = parse_sort(gadgets, text)
    except BadRequest:
        return
    assert found[-1].column == "id" or "id" in {each.column for each in found}


@given(
    st.none() | st.integers(-(2**31), 2**31 - 1),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.datetimes(timezones=st.just(UTC)),
    st.booleans(),
)
def test_a_sealed_cursor_opens_to_what_it_was(weight: int | None, title: str, at: datetime, backwards: bool) -> None:
    order = parse_sort(gadgets, "weight,title,created_at")
    cursor = Cursor((weight, title, at, "019a9f3c-7c00-7000-8000-000000000001"), backwards)
    assert opened(seal(SECRET, BINDING, cursor), order) == cursor


def test_a_date_comes_out_of_a_cursor_as_a_date() -> None:
    order = (Order("made_on", False, True),)
    assert opened(seal(SECRET, BINDING, Cursor((date(2026, 11, 20),))), order).values == (date(2026, 11, 20),)


@given(st.data())
def test_a_cursor_with_any_character_changed_is_refused(data: st.DataObject) -> None:
    text = seal(SECRET, BINDING, CURSOR)
    place = data.draw(st.integers(0, len(text) - 2))  # the last character holds padding bits, which say nothing
    other = data.draw(st.sampled_from([c for c in "ABCabc012-_=.\u00e4" if c != text[place]]))
    with pytest.raises(CursorMismatch):
        opened(text[:place] + other + text[place + 1 :])


@given(st.text())
def test_any_text_that_we_did_not_seal_is_refused(text: str) -> None:
    with pytest.raises(CursorMismatch):
        opened(text)


def test_a_cursor_is_bound_to_its_query_and_to_the_server() -> None:
    text = seal(SECRET, BINDING, CURSOR)
    with pytest.raises(CursorMismatch):
        opened(text, binding=b"gadgets?limit=6")
    with pytest.raises(CursorMismatch):
        unseal(b"1" * 32, BINDING, text, (BY_WEIGHT, gadgets))


ORDERS = st.lists(st.sampled_from(["weight", "title", "created_at"]), unique=True, min_size=1).flatmap(
    lambda names: st.tuples(*(st.sampled_from([name, f"-{name}"]) for name in names)).map(",".join)
)
TIMES = [datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2, 3)]
SOME_ROWS = st.lists(
    st.builds(
        lambda weight, title, at: row_of(weight=weight, title=title, created_at=at),
        st.sampled_from([None, 1, 2, 3]),
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(TIMES),
    ),
    min_size=1,
    max_size=12,
)


def in_order(rows: Sequence[dict[str, Any]], order: Sequence[Order]) -> list[dict[str, Any]]:
    """The rows as Python sorts them: column by column from the last to the first, rows without a value at the end."""
    found = list(rows)
    for each in reversed(order):
        valued = sorted(
            (row for row in found if row[each.column] is not None),
            key=lambda row: row[each.column],
            reverse=each.descending,
        )
        found = valued + [row for row in found if row[each.column] is None]
    return found


@pytest.mark.anyio
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=SOME_ROWS, sort=ORDERS, place=st.integers(0, 11), backwards=st.booleans())
async def test_behind_a_cursor_are_just_the_rows_that_sort_behind_it(
    keyset: Connection, rows: list[dict[str, Any]], sort: str, place: int, backwards: bool
) -> None:
    order = parse_sort(gadgets, sort)
    sorted_rows = in_order(rows, order)
    place %= len(rows)
    cursor = Cursor(tuple(sorted_rows[place][each.column] for each in order), backwards)
    expected = sorted_rows[:place][::-1] if backwards else sorted_rows[place + 1 :]
    assert await ids_behind(keyset, rows, order, cursor) == [row["id"] for row in expected]


async def ids_behind(
    connection: Connection, rows: Sequence[dict[str, Any]], order: Sequence[Order], cursor: Cursor
) -> list[str]:
    """The ids that PostgreSQL finds behind a cursor, in their order."""
    found = after(order, cursor)
    terms = ", ".join(each.sql(cursor.backwards) for each in order)
    names = ("id", "weight", "title", "created_at")
    values = [{name: str(row[name]) if row[name] is not None else None for name in names} for row in rows]
    table = "jsonb_to_recordset(?) AS r(id uuid, weight integer, title text, created_at timestamptz)"
    sql = numbered(f"SELECT id FROM {table} WHERE {found.sql} ORDER BY {terms}")
    return [record["id"] for record in await connection.fetch(sql, values, *found.values)]


def told(order: tuple[Order, ...], cursor: Cursor | None) -> list[tuple[list[str], str]]:
    """The stretches of a list: what their rows fulfil, and how they are sorted."""
    backwards = cursor is not None and cursor.backwards
    found = stretches(order, cursor)
    return [([each.sql for each in where], ", ".join(each.sql(backwards) for each in by)) for where, by in found]


@pytest.mark.parametrize("backwards", [False, True])
def test_rows_with_a_value_and_those_without_are_read_apart_as_an_index_has_them(backwards: bool) -> None:
    order = parse_sort(gadgets, "-weight")
    sorting = '"weight" ASC, "id" ASC' if backwards else '"weight" DESC, "id" DESC'
    sign = ">" if backwards else "<"
    valued, empty = '"weight" IS NOT NULL', '"weight" IS NULL'
    assert told(order, None) == [([valued], '"weight" DESC, "id" DESC'), ([empty], '"weight" DESC, "id" DESC')]
    among_valued = ([valued, f'("weight", "id") {sign} (?, ?)'], sorting)
    among_empty = ([empty, f'("id") {sign} (?)'], sorting)
    assert told(order, Cursor((3, "x"), backwards)) == [among_valued] + [([empty], sorting)] * (not backwards)
    assert told(order, Cursor((None, "x"), backwards)) == [among_empty] + [([valued], sorting)] * backwards


def test_a_column_that_is_never_empty_is_read_in_one_go() -> None:
    order = parse_sort(gadgets, "title,-weight")
    assert told(order, None) == [([], '"title" ASC, "weight" DESC NULLS LAST, "id" DESC')]


@pytest.fixture
async def keyset(database: Database) -> Any:
    async with database.reading() as connection:
        yield connection


MANY = [row_of(weight=n % 4 or None, title="abcde"[n % 5], created_at=TIMES[n % 3]) for n in range(40)]


@pytest.mark.anyio
@pytest.mark.parametrize(
    "sort",
    ["-created_at", "weight", "-weight", "title,-weight", "-weight,title", "-title,weight,created_at", "id"],
)
@pytest.mark.parametrize("limit", [1, 7, 39])
async def test_pages_walk_the_whole_list_there_and_back(database: Database, sort: str, limit: int) -> None:
    order = parse_sort(gadgets, sort)
    expected = [row["id"] for row in in_order(MANY, order)]
    async with database.reading() as connection:
        await lay_gadgets(connection, MANY)
        there, last = await walk(connection, order, limit, backwards=False)
        assert there == expected
        back, _ = await walk(connection, order, limit, backwards=True, start=last)
    assert back == expected[: len(back)] and len(back) == len(expected) - (len(expected) % limit or limit)


async def walk(
    connection: Connection, order: tuple[Order, ...], limit: int, *, backwards: bool, start: Cursor | None = None
) -> tuple[list[str], Cursor | None]:
    """All ids of the pages in one direction, in the list's order, and the cursor back from the last page."""
    found: list[str] = []
    cursor = start
    while True:
        page = await fetch_page(
            connection, gadgets, ANONYMOUS, Listing(Selection(("id",)), (LIVE,), order, limit, cursor)
        )
        ids = [record["id"] for record in page.rows]
        found = ids + found if backwards else found + ids
        onward = page.previous if backwards else page.next
        if onward is None:
            return found, page.previous
        cursor = onward
