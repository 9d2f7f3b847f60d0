"""The workbook: texts are texts, dates are dates, and what Excel cannot hold does not break the file."""

import io
import re
import zipfile
from datetime import date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guildhouse.kernel.exporting.spreadsheet import LONGEST_TEXT, Book, as_text, sheet_name, units
from guildhouse.kernel.importing.sources import Found, workbook_rows
from tests.cast import Cast

NS = {"x": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}


def read(content: bytes) -> tuple[list[list[tuple[str, str]]], str]:
    """The cells of the first sheet as (type, text), and the sheet's XML."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        xml = archive.read("xl/worksheets/sheet1.xml").decode()
    rows = [
        [(cell.get("t", "n"), "".join(cell.itertext())) for cell in row.findall("x:c", NS)]
        for row in ET.fromstring(xml).iterfind(".//x:row", NS)
    ]
    return rows, xml


def made(place: Path, rows: list[list[Any]], names: list[str]) -> tuple[list[list[tuple[str, str]]], str]:
    book = Book(place / "b.xlsx", "Jobs", names)
    book.add(rows)
    book.close()
    return read((place / "b.xlsx").read_bytes())


def test_each_value_is_what_it_is(tmp_path: Path) -> None:
    row = ["=1+1", "https://example.org", 5, 2.5, True, datetime.fromisoformat("2026-11-21T08:00:00+00:00"),
           date(2026, 11, 21), None, ["a", "b"], {"k": 1}, 2**60, "012"]  # fmt: skip
    (_, cells), xml = made(tmp_path, [row], [f"c{n}" for n in range(12)])
    texts = ["=1+1", "https://example.org", "a;b", '{"k":1}', str(2**60), "012"]
    assert [text for kind, text in cells if kind == "inlineStr"] == texts
    assert [round(float(text), 6) for kind, text in cells if kind == "n"] == [5, 2.5, 46347.333333, 46347]
    assert [text for kind, text in cells if kind == "b"] == ["1"]
    assert "<f>" not in xml and "hyperlink" not in xml


def test_the_headings_stay_in_sight(tmp_path: Path) -> None:
    _, xml = made(tmp_path, [["x"]], ["Title"])
    assert 'state="frozen"' in xml and 'topLeftCell="A2"' in xml
    assert '<autoFilter ref="A1:A2"/>' in xml


def test_what_a_cell_cannot_hold_is_left_out_or_cut(tmp_path: Path) -> None:
    long = "👩" * 20_000
    (_, cells), _ = made(tmp_path, [["a\x00b\x0bc\ufffe", long, datetime(1, 1, 1)]], ["a", "b", "c"])
    assert cells[0][1] == "abc" and cells[1][1].endswith("[…]") and cells[2][1].startswith("0001-01-01")
    assert units(as_text(long)) <= LONGEST_TEXT and as_text("x" * LONGEST_TEXT) == "x" * LONGEST_TEXT


def test_two_hundred_columns_and_an_empty_list(tmp_path: Path) -> None:
    names = [f"column {n}" for n in range(200)]
    rows, _ = made(tmp_path, [list(range(200))] * 3, names)
    assert [len(row) for row in rows] == [200] * 4
    (tmp_path / "b.xlsx").unlink()
    rows, _ = made(tmp_path, [], names)
    assert len(rows) == 1


@pytest.mark.parametrize("title", ["a/b:c*[d]?", "x" * 50, "''", "職缺"])
def test_a_sheet_has_a_name_that_excel_takes(title: str) -> None:
    name = sheet_name(title)
    assert 1 <= len(name) <= 31 and not re.search(r"[\[\]:*?/\\']", name)


@pytest.mark.anyio
async def test_a_list_as_a_workbook_in_the_readers_language(cast: Cast) -> None:
    await cast.ada.made("/v1/jobs", {"title": "=cmd|' /C calc'!A0", "closes_on": "2030-01-31", "city": "臺北"})
    response = await cast.ada.get("/v1/jobs:export?format=xlsx&fields=title,city,closes_on", accept_language="zh-TW")
    assert response.status_code == 200 and response.headers["total-count"] == "1"
    assert response.headers["content-type"].endswith("spreadsheetml.sheet")
    (heads, cells), _ = read(response.content)
    assert [text for _, text in heads] == ["職稱", "城市", "截止日期"]
    assert cells == [("inlineStr", "=cmd|' /C calc'!A0"), ("inlineStr", "臺北"), ("n", "47514")]


@pytest.mark.anyio
async def test_a_list_that_is_too_long_is_refused_with_advice(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guildhouse.kernel.exporting.encoding.MOST_ROWS", {"xlsx": 1, "pdf": 1})
    monkeypatch.setattr("guildhouse.kernel.exporting.whole_list.MOST_ROWS", {"xlsx": 1, "pdf": 1})
    for title in ("a", "b"):
        await cast.ada.made("/v1/jobs", {"title": title})
    for form in ("xlsx", "pdf"):
        refused = await cast.ada.get(f"/v1/jobs:export?format={form}")
        assert (refused.status_code, refused.json()["code"]) == (422, "too-many-rows")
        assert (await cast.ada.get(f"/v1/jobs:export?format={form}&title=a")).status_code == 200


texts = st.text(st.characters(exclude_categories=("Cc", "Cs", "Cn", "Co")), max_size=12)
cells = st.one_of(
    texts, st.integers(-(2**40), 2**40), st.booleans(), st.dates(date(1900, 3, 1), date(2200, 1, 1)),
    st.floats(-1e12, 1e12).map(lambda number: round(number, 3)), st.none(),
)  # fmt: skip


@settings(max_examples=25, deadline=None)
@given(st.lists(st.lists(cells, min_size=3, max_size=3), min_size=1, max_size=4))
def test_what_a_workbook_was_given_an_import_reads(rows: list[list[Any]]) -> None:
    with TemporaryDirectory() as place:
        path = Path(place) / "book.xlsx"
        book = Book(path, "Jobs", ["a", "b", "c"])
        book.add(rows)
        book.close()
        read = [(row.line, row.cells) for row in workbook_rows(path, Found("xlsx", sheet="Jobs"))][1:]
    told = [
        [("" if each is None else each.isoformat() if isinstance(each, date) else each) for each in row] for row in rows
    ]
    told_of = {n: row for n, row in enumerate(told, 2) if any(each != "" for each in row)}
    assert {n: row[:3] for n, row in read if any(each != "" for each in row)} == told_of
