"""Tables as people make them: titles over the header, totals below, one cell for several rows, many sheets."""

import io
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.importing.sources import Found, SourceRow, Unreadable
from guildhouse.kernel.importing.table_rows import header_place, names_columns, table_of, without_totals
from tests.kernel.importing.test_sources import cells, converted

HEADER = ["Company", "Job title", "City", "Deadline"]
words = st.text(alphabet="abcdefghij職缺", min_size=1, max_size=6)


def rows(*lines: list[Any]) -> list[SourceRow]:
    return [SourceRow(n, list(line)) for n, line in enumerate(lines, 1)]


def read(*lines: list[Any], form: str = "csv", **said: Any) -> tuple[Found, list[str], list[SourceRow]]:
    found = Found(form)
    names, below = table_of(iter(rows(*lines)), found, said)
    return found, names, list(below)


@pytest.mark.parametrize("above", [
    [], [["2026 Autumn Job Fair"]], [["115年度徵才博覽會", "", "", ""], ["製表日期:115/11/22"]],
    [["Report"], [""], ["Made by", "Ada"]], [["a"], ["b"], ["c"], ["d"], ["e"]],
])  # fmt: skip
def test_the_header_is_found_below_titles_and_they_are_told(above: list[list[Any]]) -> None:
    table = [["Acme", "Clerk", "Taipei", "2026-12-01", "x"] for _ in range(12)]
    found, names, below = read(*above, [*HEADER, "Note"], *table)
    filled = [each for each in above if any(each)]
    assert (names, len(below), found.header) == ([*HEADER, "Note"], 12, True)
    assert found.header_line == len(above) + 1
    assert found.above == [" ".join(cell for cell in each if cell) for each in filled]


@pytest.mark.parametrize("table", [
    [["name"], ["Ada"]], [["a", "b"], ["1", "2"]], [["name", ""], ["Ada", "x"]], [["a", "b", "c"], ["1"], ["2"]],
    [["a", "b", "c"], ["1", "2", "3", "4", "5", "6", "7"], ["1", "2", "3", "4", "5", "6", "7"]],
    [["Title"], ["1", "2", "3", "4"], ["5", "6", "7", "8"]],
])  # fmt: skip
def test_a_first_row_that_may_be_the_header_is_it(table: list[list[str]]) -> None:
    assert header_place(rows(*table)) == 0


def test_what_was_found_can_be_corrected_by_the_line_of_the_header() -> None:
    lines = [["x", "y", "z"], ["1", "2", "3"], ["Name", "2024", "2025"], ["Ada", "4", "5"]]
    found, names, below = read(*lines, header_line=3)
    assert (names, cells(below)) == (["Name", "2024", "2025"], [["Ada", "4", "5"]])
    assert (found.header_line, found.above) == (3, [])
    assert read(*lines, header_line=9)[1:] == ([], [])
    found, names, below = read(["Title"], ["a", "b", "c"], ["d", "e", "f"], header=False)
    assert (names, len(below), found.header, found.header_line) == ([], 3, False, None)


def test_a_table_without_names_is_one_in_a_csv_and_never_in_a_workbook() -> None:
    assert read(["1", "ada@example.org"], ["2", "ben@example.org"])[0].header is False
    assert read(["2023", "2024"], ["x", "y"], form="xlsx")[1] == ["2023", "2024"]
    assert read(form="csv")[1:] == ([], [])


@pytest.mark.parametrize("cell", ["12", "1.5", "2026-11-22", "$5", "50%", "ada@example.org", "https://x.org", "TRUE"])
def test_a_row_with_a_value_names_no_columns(cell: str) -> None:
    assert not names_columns(SourceRow(1, ["name", cell]))
    assert names_columns(SourceRow(1, ["name", f"{cell} what"]))


@pytest.mark.parametrize(("line", "fault"), [
    (["Total", "", "120"], "totals"), (["合計", None, 36000, "NT$ 3,600", "85%"], "totals"),
    (["", "小計：", "300 人"], "totals"),
    (["Total", "", ""], "totals"), (["TOTAL:", "$1,200.50", ""], "totals"),
    (["Total", "Refinery clerk", "Paris"], None), (["Totally", "", "3"], None), (["Total"], None), (["", "", ""], None),
    (["合計", "台北", "3"], None),
])  # fmt: skip
def test_a_row_that_only_adds_up_the_others_is_a_fault(line: list[Any], fault: str | None) -> None:
    assert without_totals(SourceRow(9, line)) == SourceRow(9, line, fault)


def test_what_is_wrong_with_a_row_already_is_not_said_anew() -> None:
    assert without_totals(SourceRow(1, ["Total", "3"], "broken-quotes")).fault == "broken-quotes"


@given(st.lists(st.lists(words, min_size=3, max_size=3), min_size=1, max_size=60), st.integers(0, 3))
def test_no_row_of_a_table_is_lost_whatever_stands_above_it(table: list[list[str]], above: int) -> None:
    titles = [[f"title {n}", "", ""] for n in range(above)]
    found, names, below = read(*titles, ["one", "two", "three"], *table)
    assert cells(below) == table
    assert (names, len(found.above)) == (["one", "two", "three"], above)


@given(st.lists(st.lists(st.none() | st.text(max_size=5) | st.integers() | st.booleans(), max_size=6), max_size=12))
def test_any_cells_become_a_header_and_rows_or_rows_alone(table: list[list[Any]]) -> None:
    found, names, below = read(*table)
    filled = sum(any(cell not in ("", None) for cell in row) for row in table)
    assert len(below) == filled - len(found.above) - (found.header and filled > 0)
    assert all(isinstance(each, str) for each in names)


def made(**sheets: list[list[Any]]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    book.remove(book.active)
    for name, lines in sheets.items():
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(line)
    return book


def saved(book: openpyxl.Workbook) -> bytes:
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


TABLE = [["title", "city"], ["Clerk", "Taipei"], ["Cook", "Tainan"]]


@pytest.mark.parametrize(("first", "read_sheet"), [
    ([], "Data"), ([["How to fill in"], ["See the other sheet"]], "Data"), (TABLE, "First"),
])  # fmt: skip
def test_of_several_sheets_the_first_with_a_table_is_read(
    tmp_path: Path, first: list[list[Any]], read_sheet: str
) -> None:
    book = saved(made(First=first, Data=TABLE))
    summary, found = converted(tmp_path, book, "x.xlsx")
    assert (summary["found"]["sheet"], summary["found"]["sheets"]) == (read_sheet, ["First", "Data"])
    assert cells(found) == TABLE[1:]
    assert converted(tmp_path, book, "x.xlsx", sheet="First")[0]["found"]["sheet"] == "First"
    with pytest.raises(Unreadable, match="no-such-sheet"):
        converted(tmp_path, book, "x.xlsx", sheet="none")


def test_a_hidden_sheet_is_read_only_when_it_is_named(tmp_path: Path) -> None:
    book = made(Lists=[["a", "b"], ["1", "2"]], Data=TABLE)
    book["Lists"].sheet_state = "hidden"
    assert converted(tmp_path, saved(book), "x.xlsx")[0]["found"]["sheet"] == "Data"
    assert cells(converted(tmp_path, saved(book), "x.xlsx", sheet="Lists")[1]) == [["1", "2"]]


def test_one_cell_for_several_rows_says_the_same_in_each(tmp_path: Path) -> None:
    book = made(Fair=[["115年度徵才"], ["公司", "職缺", "電話"], ["台積電", "工程師",
    "0912345678"], [None, "助理", None],
                      [None, "司機", None], ["鼎泰豐", "外場", None]])  # fmt: skip
    sheet = book["Fair"]
    for merged in ("A1:C1", "A3:A5", "C3:C4"):
        sheet.merge_cells(merged)
    summary, found = converted(tmp_path, saved(book), "x.xlsx")
    assert summary["found"]["above"] == ["115年度徵才"]
    assert cells(found) == [
        ["台積電", "工程師", "0912345678"], ["台積電", "助理", "0912345678"], ["台積電",
        "司機", ""], ["鼎泰豐", "外場", ""],
    ]  # fmt: skip


def test_a_table_that_begins_in_the_middle_of_a_sheet_keeps_its_lines_and_merged_cells(tmp_path: Path) -> None:
    book = made(Data=[])
    for place, value in {"C5": "title", "D5": "city", "C6": "Clerk", "D6": "Taipei", "D7": "Tainan"}.items():
        book["Data"][place] = value
    book["Data"].merge_cells("C6:C7")
    _, found = converted(tmp_path, saved(book), "x.xlsx")
    assert [(row.line, row.cells) for row in found] == [(6, ["Clerk", "Taipei"]), (7, ["Clerk", "Tainan"])]
