"""Completion of what is mistyped: what was meant, behind what begins as it was typed, and only what one sees."""

from typing import Any

import pytest

from guildhouse.kernel.scopes import PUBLIC
from guildhouse.kernel.searching.forgiving import Forgiving, complete_forgiving, with_forgiven
from guildhouse.kernel.searching.in_sight import rows_in_sight
from guildhouse.kernel.searching.search_index import SearchIndex
from tests.cast import Cast
from tests.kernel.searching.scenes import opened
from tests.kernel.searching.test_completing import titled
from tests.kernel.searching.test_in_sight import indexed

TITLES = {"Software engineer": 3, "Registered nurse": 2, "Engine driver": 5, "Program manager": 2, "Programmer": 1}


@pytest.fixture(scope="module")
def index() -> SearchIndex:
    """An index of jobs, some of them of one team alone."""
    seen = [{**row, "city": "Tacoma", "skills": ["Python"]} for row in titled(TITLES, [PUBLIC])]
    return indexed([*seen, *titled({"Enginseer": 40, "護理師": 3}, ["team:1"])])


def meant(index: SearchIndex, text: str, *scopes: str) -> set[str]:
    return {each["text"] for each in complete_forgiving(index, {PUBLIC, *scopes}, text, 5)}


@pytest.mark.parametrize(
    ("typed", "wanted"),
    [
        ("enginer", {"Software engineer"}), ("enigneer", {"Software engineer"}), ("engineeer", {"Software engineer"}),
        ("nruse", {"Registered nurse"}), ("programer", {"Programmer"}), ("Porgram", {"Program manager", "Programmer"}),
        ("rregistered", {"Registered nurse"}), ("softwre enginer", {"Software engineer"}),
        ("registred nur", {"Registered nurse"}), ("takoma", {"Tacoma"}), ("pyhton", {"Python"}),
    ],
)  # fmt: skip
def test_a_typing_error_is_put_right(index: SearchIndex, typed: str, wanted: set[str]) -> None:
    assert meant(index, typed) == wanted


@pytest.mark.parametrize("typed", ["", " ", "e", "rn", "nur", "zzzzzz", "護裡師", "++++", "🙂🙂🙂🙂"])
def test_what_is_too_short_or_like_nothing_leads_nowhere(index: SearchIndex, typed: str) -> None:
    assert meant(index, typed) == set()


def test_what_is_hidden_is_not_suggested(index: SearchIndex) -> None:
    assert meant(index, "enginsser") == set()
    assert meant(index, "enginsser", "team:1") == {"Enginseer"}


def test_the_longest_beginnings_that_come_near_count() -> None:
    index = indexed(titled({"engine": 1, "engineer": 1, "engineering": 1, "English": 1}, [PUBLIC]))
    forgiving = Forgiving(index, rows_in_sight(index, {PUBLIC}), "")
    for typed, wanted in (
        ("enginer", ["engineer"]),
        ("enginee", ["engineer"]),
        ("ennglis", ["englis"]),
        ("nurse", []),
    ):
        assert forgiving.begin_nearly("jobs~title", typed, typed[:2]) == wanted


def told(text: str, count: int) -> dict[str, Any]:
    return {"kind": "jobs", "field": "title", "text": text, "count": count}


def test_what_begins_as_it_was_typed_comes_first_and_what_is_not_much_more_frequent_not_at_all() -> None:
    manger, manager, manor = told("Manger maker", 2), told("Manager", 30), told("Manor guide", 3)
    assert with_forgiven([manger], [manager, manor, manger]) == [manger, manager]
    assert with_forgiven([], [manor]) == [manor]


@pytest.mark.anyio
async def test_who_mistypes_is_told_what_others_wrote(cast: Cast) -> None:
    await opened(cast, [{"title": "Registered nurse", "city": "Tacoma"}, {"title": "Night nurse"}])
    for typed, wanted in (("registred", ["Registered nurse"]), ("takoma", ["Tacoma"]), ("nurse", None), ("nuse", None)):
        body = (await cast.nobody.get(f"/v1/search/suggest?q={typed}&kinds=jobs")).json()["data"]
        assert [each["text"] for each in body] == (wanted or ["Night nurse", "Registered nurse"]), typed
