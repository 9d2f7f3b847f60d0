"""Measures: amounts in a unit of the reader's choice, against rows that keep them in one."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.asked_rows import asked_rows
from guildhouse.kernel.errors import BadRequest, UnknownParameter
from guildhouse.kernel.filters import Condition, WrongFilterValue
from guildhouse.kernel.measures import HalfMeasure, measured, parameters
from guildhouse.kernel.resource import Measure, Resource
from tests.kernel.gadget import gadgets, house

UNITS = {"gram": 1.0, "pound": 453.59237}


class NoUnit(BadRequest):
    """This is no unit of weight."""


def grams(unit: str) -> float:
    if unit not in UNITS:
        raise NoUnit
    return UNITS[unit]


def weighed() -> Resource[Any]:
    measure = Measure("weight", "views", grams, "pound")
    return replace(gadgets, find=replace(gadgets.find, measures={"mass": measure}))


WEIGHED = weighed()


def found(*query: tuple[str, str]) -> list[Condition]:
    return list(measured(WEIGHED, query))


def at_least(value: float) -> Condition:
    return Condition('"views" >= ?', (value,), ("views", "gte"))


def at_most(value: float) -> Condition:
    return Condition('"weight" <= ?', (value,), ("weight", "lte"))


def test_an_amount_is_turned_into_the_unit_of_the_rows() -> None:
    assert found(("mass[gte]", "2"), ("mass_in", "pound")) == [at_least(907.18)]
    assert found(("mass[lte]", "2.5"), ("mass_in", "gram")) == [at_most(2.5)]
    assert found(("mass[gte]", "1"), ("mass[lte]", "2"), ("mass_in", "gram")) == [at_least(1.0), at_most(2.0)]
    assert found(("mass[between]", "1,2"), ("mass_in", "gram")) == [at_least(1.0), at_most(2.0)]
    assert found() == found(("title", "x")) == []


@pytest.mark.parametrize("query", [[("mass[gte]", "1")], [("mass[between]", "1,2")], [("mass_in", "gram")]])
def test_an_amount_without_a_unit_and_a_unit_without_an_amount_are_asked_back(query: list[tuple[str, str]]) -> None:
    with pytest.raises(HalfMeasure) as caught:
        found(*query)
    assert "mass_in=pound" in caught.value.detail()


@pytest.mark.parametrize("text", ["", "-1", "nan", "inf", "1e13", "a", "1,2"])
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(WrongFilterValue):
        found(("mass[gte]", text), ("mass_in", "gram"))


def test_between_takes_two() -> None:
    for text in ("1", "1,2,3", ""):
        with pytest.raises(WrongFilterValue):
            found(("mass[between]", text), ("mass_in", "gram"))


def test_the_declaration_judges_units() -> None:
    with pytest.raises(NoUnit):
        found(("mass[gte]", "1"), ("mass_in", "stone"))


def test_measures_stand_beside_filters_and_other_names_are_unknown() -> None:
    assert parameters(gadgets) == ()
    assert parameters(WEIGHED) == ("mass[gte]", "mass[lte]", "mass[between]", "mass_in")
    query = [("status", "draft"), ("mass[gte]", "1"), ("mass_in", "gram")]
    around, conditions = asked_rows(house, WEIGHED, query, frozenset())
    assert around is None and [each.sql for each in conditions] == ['"status" = ?', '"views" >= ?']
    for name in ("mass", "mass[eq]", "mass[in]", "massive_in"):
        with pytest.raises(UnknownParameter) as caught:
            asked_rows(house, WEIGHED, [(name, "1")], frozenset())
        assert "mass[gte]" in caught.value.detail()
    with pytest.raises(UnknownParameter):
        asked_rows(house, gadgets, query, frozenset())


@given(st.text(max_size=20), st.sampled_from(["mass[gte]", "mass[lte]", "mass[between]"]))
def test_any_text_is_an_amount_or_a_400(text: str, name: str) -> None:
    try:
        conditions = found((name, text), ("mass_in", "pound"))
    except BadRequest:
        return
    assert all(0 <= value <= 1e15 for each in conditions for value in each.values)
