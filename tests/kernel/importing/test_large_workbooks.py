"""Large workbooks: row by row, and to the letter what the quick reader makes of the same file."""

import gc
from collections.abc import Iterator
from datetime import datetime, time
from pathlib import Path
from typing import Any

import pytest
import xlsxwriter

from guildhouse.kernel.importing import large_workbooks, sources
from guildhouse.kernel.importing.sources import Found, Unreadable, look_at_workbook, workbook_rows
from tests.kernel.importing.test_sources import SHEET, workbook

TEXT = "  a & b <c>\n臺北"


# The library leaves a file open that it stumbles over; the reading process ends with it.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every workbook is a large one."""
    monkeypatch.setattr(large_workbooks, "LARGE", 0)
    yield
    large_workbooks.opened_large.cache_clear()
    gc.collect()


def told(path: Path, **said: Any) -> list[tuple[int, list[Any], str | None]]:
    return [(row.line, row.cells, row.fault) for row in workbook_rows(path, look_at_workbook(path, "xlsx", said))]


def every_kind(path: Path) -> Path:
    """A workbook with every kind of cell, a blank row, rows of different widths, and a second sheet."""
    book = xlsxwriter.Workbook(str(path))
    sheet, other = book.add_worksheet("One"), book.add_worksheet("另一張")
    day, moment, hour, hours, share = [
        book.add_format({"num_format": each}) for each in ("yyyy-mm-dd", "d/m/yy hh:mm", "hh:mm", "[h]:mm", "0%")
    ]
    sheet.write_row(0, 0, ["text", "number", "day"])
    for line in (1, 3):
        sheet.write_row(line, 0, [TEXT, 7, 1.25, True, "00123", 1e20, -3])
        sheet.write_datetime(line, 7, datetime(2030, 1, 2), day)
        sheet.write_datetime(line, 8, datetime(2030, 1, 2, 3, 4, 5), moment)
        sheet.write_datetime(line, 9, time(8, 30), hour)
        sheet.write_number(line, 10, 1.5, hours)
        sheet.write_number(line, 11, 0.25, share)
        sheet.write_formula(line, 12, "=1/0", None, "#DIV/0!")
        sheet.write_formula(line, 13, "=1+1", None, 2)
        sheet.write_rich_string(line, 14, "a", book.add_format({"bold": True}), "b", "c")
    sheet.write_string(4, 0, "short")
    other.write_string(2, 0, "only this")
    book.close()
    return path


@pytest.mark.parametrize("sheet", ["One", "另一張"])
def test_the_rows_are_those_that_the_quick_reader_gives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sheet: str
) -> None:
    path = every_kind(tmp_path / "kinds.xlsx")
    large = [row for row in told(path, sheet=sheet) if any(cell != "" for cell in row[1])]
    monkeypatch.setattr(large_workbooks, "LARGE", 1 << 30)
    quick = [row for row in told(path, sheet=sheet) if any(cell != "" for cell in row[1])]
    width = len(large[0][1])
    quick = [(line, cells if line > 1 else cells[:width], fault) for line, cells, fault in quick]
    assert large == quick
    if sheet == "One":
        assert large[1][1] == [TEXT, 7, 1.25, True, "00123", 1e20, -3, "2030-01-02", "2030-01-02T03:04:05", "08:30:00",
                               "1 day, 12:00:00", 0.25, "", 2, "abc"]  # fmt: skip
        assert [line for line, _, _ in large] == [1, 2, 4, 5]


def test_it_tells_the_sheets_and_refuses_what_is_none(tmp_path: Path) -> None:
    path = every_kind(tmp_path / "kinds.xlsx")
    found = look_at_workbook(path, "xlsx", {})
    assert (found.sheet, found.sheets) == ("One", ["One", "另一張"])
    with pytest.raises(Unreadable, match="no-such-sheet"):
        look_at_workbook(path, "xlsx", {"sheet": "Two"})


def test_it_reads_no_files_of_the_server_and_unfolds_no_entities(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret")
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10 if n else "lol"}">' for n in range(10))
    for n, declared in enumerate((f'<!ENTITY e SYSTEM "file://{tmp_path}/secret">', f'{bomb}<!ENTITY e "&e9;">')):
        path = tmp_path / f"{n}.xlsx"
        path.write_bytes(workbook(SHEET.format(before=f'<?xml version="1.0"?><!DOCTYPE x [{declared}]>', text="&e;")))
        try:
            rows = told(path)
        except Unreadable:
            continue
        assert "the secret" not in str(rows) and len(str(rows)) < 10_000


def test_what_is_broken_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "MOST_LINES", 1000)
    path = tmp_path / "x.xlsx"
    far = SHEET.format(before="", text="Clerk").replace('r="3"', 'r="9999999"').replace("A3", "A9999999")
    for sheet in ("<no><xml", "", far):
        path.write_bytes(workbook(sheet))
        large_workbooks.opened_large.cache_clear()
        with pytest.raises(Unreadable, match="broken-spreadsheet"):
            told(path)
    monkeypatch.setattr(large_workbooks, "large_rows", lambda *_: iter([["a"]] * 3))
    monkeypatch.setattr(sources, "MOST_LINES", 2)
    path.write_bytes(workbook(SHEET.format(before="", text="Clerk")))
    with pytest.raises(Unreadable, match="broken-spreadsheet"):
        list(workbook_rows(path, Found("xlsx", sheet="Jobs")))
