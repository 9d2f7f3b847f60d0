"""What is said of a file on the command line becomes the options and the plan of its import."""

from typing import Any

import pytest

from guildhouse.commands.planning import columns_of, options_of, place_of
from guildhouse.kernel.errors import NotDone, Problem
from guildhouse.kernel.importing.import_ import Import

NAMES = ["Job title", "Closing date", "", "Colour"]


def row(*plan: dict[str, Any]) -> Import:
    return Import(columns=[{"column": n, "name": name} for n, name in enumerate(NAMES)], plan={"columns": list(plan)})


TITLE, CLOSES = {"column": 0, "field": "title"}, {"column": 1, "field": "closes_on", "why": "name"}


@pytest.mark.parametrize(("said", "columns"), [
    ([], [TITLE, CLOSES]),
    (["Closing date=closes_on:dmy"], [TITLE, {"column": 1, "field": "closes_on", "order": "dmy"}]),
    (["Colour=tags:;"], [TITLE, CLOSES, {"column": 3, "field": "tags", "separator": ";"}]),
    (["CLOSING-DATE="], [TITLE]), (["column 3=city"], [TITLE, CLOSES, {"column": 2, "field": "city"}]),
    (["3=latitude:,"], [TITLE, CLOSES, {"column": 2, "field": "latitude", "decimal": ","}]),
    (["Colour=title"], [CLOSES, {"column": 3, "field": "title"}]),
    (["Colour=title", "Job title=unit"], [{"column": 0, "field": "unit"}, CLOSES, {"column": 3, "field": "title"}]),
])  # fmt: skip
def test_a_column_is_planned_by_its_name_or_number_and_each_field_once(said: list[str], columns: list[Any]) -> None:
    assert columns_of(row(TITLE, CLOSES), said) == columns


def test_a_name_goes_before_a_number_and_may_hold_the_sign_between() -> None:
    assert [place_of(["2", "b", "1"], name) for name in ("1", "2", "B", "3")] == [2, 0, 1, 2]
    held = Import(columns=[{"column": 0, "name": "a=b"}], plan={"columns": []})
    assert columns_of(held, ["a=b=title"]) == [{"column": 0, "field": "title"}]


@pytest.mark.parametrize("said", ["title", "=title", "5=title", "0=title", "Color=tags"])
def test_a_column_that_is_not_there_is_refused_with_those_that_are(said: str) -> None:
    with pytest.raises(NotDone, match=r"Closing date, column 3, Colour|takes name=value"):
        columns_of(row(), [said])


@pytest.mark.parametrize(("said", "options"), [
    ([], {}), (["encoding=big5", "delimiter=;"], {"encoding": "big5", "delimiter": ";"}),
    (["header_line=3"], {"header_line": 3}),
    (["header=false", "sheet=2026=new"], {"header": False, "sheet": "2026=new"}), (["sheet=3"], {"sheet": "3"}),
])  # fmt: skip
def test_options_are_those_of_an_import(said: list[str], options: dict[str, Any]) -> None:
    assert options_of(said) == options


@pytest.mark.parametrize(
    "said", ["colour=red", "format=docx", "header=maybe", "header_line=x", "delimiter=ab", "quote"]
)
def test_an_option_that_is_none_is_refused(said: str) -> None:
    with pytest.raises((NotDone, Problem)):
        options_of([said])
