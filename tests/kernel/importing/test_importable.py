"""What may be imported: the fields of a resource by their types, and how a cell is read into each."""

from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.app import HOUSE
from guildhouse.kernel.importing.amounts import Pay
from guildhouse.kernel.importing.importable import (
    Assigned,
    ImportField,
    field_of,
    fields_of,
    read_currency,
    read_flag,
    read_line,
    read_list,
    read_number,
    read_object,
    read_pay,
    read_text,
    read_whole,
    without_none,
)
from guildhouse.kernel.importing.values import Hints, Unclear

JOBS = HOUSE.resources["jobs"]
HINTS = Hints()
cells = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=40)


def test_every_importable_resource_has_fields_of_known_kinds_and_its_id() -> None:
    kinds = {"id", "line", "text", "number", "whole", "money", "day", "moment", "flag", "choice", "list", "object",
             "country", "currency", "url", "pay"}  # fmt: skip
    for resource in HOUSE.resources.values():
        found = fields_of(resource)
        assert found["id"].kind == "id"
        assert {each.kind for each in found.values()} <= kinds, resource.name
        assert all(name == each.name for name, each in found.items())
        assert all(each.known for each in found.values() if each.kind == "choice")


@pytest.mark.parametrize(("name", "kind"), [
    ("title", "line"), ("description", "text"), ("employment_type", "choice"), ("salary_min", "money"),
    ("country", "country"), ("salary_currency", "currency"), ("closes_on", "day"), ("skills", "list"), ("pay", "pay"),
    ("url", "url"),
])  # fmt: skip
def test_a_job_has_its_columns_by_their_types(name: str, kind: str) -> None:
    assert fields_of(JOBS)[name].kind == kind


@pytest.mark.parametrize(("hint", "rest"), [
    (str | None, str), (int | None, int), (str, str), (int | float | None, str), (list[str] | None, list[str]),
])  # fmt: skip
def test_a_type_is_read_without_its_none(hint: Any, rest: Any) -> None:
    assert without_none(hint) == rest


def test_a_type_that_is_not_known_has_parts_of_its_own() -> None:
    assert field_of(JOBS, "anything", dict[str, int]).kind == "object"
    choice = field_of(JOBS, "size", Annotated[Literal["small", "large"], "why"] | None)
    assert (choice.kind, choice.known) == ("choice", ("small", "large"))
    assert choice.read("LARGE", HINTS) == "large"
    with pytest.raises(Unclear):
        choice.read("huge", HINTS)


@pytest.mark.parametrize(("cell", "text"), [
    ("  a ", "a"), (7, "7"), (1.5, "1.5"), (["a", 1], '["a",1]'), ({"a": None}, '{"a":null}'), ("", ""),
])  # fmt: skip
def test_any_cell_is_text(cell: Any, text: str) -> None:
    assert read_text(cell, HINTS) == text


def test_a_line_has_no_breaks() -> None:
    assert read_line(" Senior\n\t Clerk \r\n", HINTS) == "Senior Clerk"


@pytest.mark.parametrize(("cell", "number"), [
    (7, 7.0), (0.5, 0.5), ("12", 12.0), ("1,200.5", 1200.5), (" 7 ", 7.0), ("-3", -3.0), ("1 200", 1200.0),
])  # fmt: skip
def test_numbers_are_read_as_people_write_them(cell: Any, number: float) -> None:
    assert read_number(cell, HINTS) == number


@pytest.mark.parametrize("cell", ["seven", "", "1/2", True, [1], "٣٣٣x"])
def test_what_is_no_number_is_unclear(cell: Any) -> None:
    with pytest.raises(Unclear):
        read_number(cell, HINTS)


@pytest.mark.parametrize("cell", ["$60,000", "US$ 60,000", "60,000 USD", "NT$60,000", "60,000元", "60000"])
def test_money_is_read_without_the_sign_of_its_currency(cell: str) -> None:
    assert read_number(cell, HINTS, money=True) == 60_000


def test_a_whole_number_is_one_and_a_broken_one_stays_for_its_shape_to_refuse() -> None:
    assert read_whole("7", HINTS) == 7 and isinstance(read_whole("7", HINTS), int)
    assert read_whole("7.5", HINTS) == 7.5


@pytest.mark.parametrize(("cell", "flag"), [
    (True, True), (False, False), ("yes", True), ("N", False), ("是", True), ("否", False), ("1", True), ("0", False),
])  # fmt: skip
def test_yes_and_no_are_read_in_both_languages(cell: Any, flag: bool) -> None:
    assert read_flag(cell, HINTS) is flag


@pytest.mark.parametrize(("cell", "parts"), [
    (["a", 1], ["a", 1]), ('["a", "b, c"]', ["a", "b, c"]), ("Python; SQL", ["Python", "SQL"]),
    ("[draft] Python, SQL", ["[draft] Python", "SQL"]), ("", []), ("會計、統計", ["會計", "統計"]),
])  # fmt: skip
def test_lists_are_json_or_words_with_something_between(cell: Any, parts: list[Any]) -> None:
    assert read_list(cell, HINTS) == parts


def test_what_has_parts_of_its_own_is_json() -> None:
    assert read_object({"a": 1}, HINTS) == {"a": 1} == read_object('{"a": 1}', HINTS)
    with pytest.raises(Unclear, match="no-json"):
        read_object("a: 1", HINTS)


def test_pay_is_a_number_or_all_that_people_say_of_it() -> None:
    assert read_pay(60_000, HINTS) == Pay(60_000.0, 60_000.0)
    said = read_pay("NT$40,000 - 60,000 per month", HINTS)
    assert (said.low, said.high, said.currency, said.period) == (40_000, 60_000, "TWD", "month")
    assert read_currency("NT$", HINTS) == "TWD"


@given(cells)
def test_no_cell_breaks_a_field_it_is_read_or_unclear(cell: Any) -> None:
    for field in fields_of(JOBS).values():
        try:
            field.read(cell, HINTS)
        except Unclear:
            continue


def test_the_same_words_are_read_once_and_what_was_read_is_not_kept_without_end() -> None:
    asked: list[Any] = []

    def read(cell: Any, _hints: Hints) -> Any:
        asked.append(cell)
        return cell

    column = Assigned(0, ImportField("title", "line", read), HINTS)
    assert [column.value_of("a"), column.value_of("a"), column.value_of("b")] == ["a", "a", "b"]
    assert asked == ["a", "b"]
    assert column.value_of(["x"]) == ["x"] == column.value_of(["x"])
    assert asked == ["a", "b", ["x"], ["x"]]
    for n in range(20_000):
        column.value_of(str(n))
    assert len(column.met) < 20_000


def test_of_a_list_where_one_is_wanted_the_one_is_taken_and_of_several_addresses_the_first() -> None:
    url, title, tags = (Assigned(n, fields_of(JOBS)[name], Hints()) for n, name in enumerate(("url", "title", "tags")))
    assert url.value_of(["https://a.example", "https://b.example"]) == "https://a.example"
    assert (url.value_of(["a.example"]), url.value_of([])) == ("https://a.example", None)
    assert (title.value_of(["Clerk"]), title.value_of(["a", "b"]), title.value_of([["a"]])) == (
        "Clerk",
        '["a","b"]',
        '[["a"]]',
    )
    assert tags.value_of([]) == []
