"""Tables in pages: what old systems call a workbook, what is merged and nested in it, and what is broken or hostile."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.importing.converting import convert
from guildhouse.kernel.importing.page_tables import Tables, look_at_page, page_rows
from guildhouse.kernel.importing.sources import Found, SourceRow, Unreadable
from tests.cast import Cast
from tests.kernel.importing.intake import judged, rows, told

EXPORT = """<html xmlns:x="urn:schemas-microsoft-com:office:excel">
<head><meta charset="{charset}"><style>td {{ }}</style></head><body>
<table><tr><td>選單 <table><tr><td>登出</td></tr></table></td></tr></table>
<table border=1>
<thead><tr><th>職稱<th>公司<th>地點</tr></thead>
<tr><td>護理師</td><td rowspan=2>長庚</td><td>桃園<br>龜山</td></tr>
<tr><td>藥師 &amp; 顧問</td><td>臺北</td></tr>
<tr><td colspan="2">工程師</td><td>新竹<script>alert(1)</script></td></tr>
</table></body></html>"""
SHEET = """<?xml version="1.0"?><?mso-application progid="Excel.Sheet"?>
<!DOCTYPE Workbook [<!ENTITY x SYSTEM "file:///etc/passwd"><!ENTITY y "&x;&x;">]>
<Workbook xmlns="urn:schemas-microsoft-com:office:spreadsheet" xmlns:ss="urn:schemas-microsoft-com:office:spreadsheet">
<Worksheet ss:Name="A"><Table><Row><Cell><Data ss:Type="String">text</Data></Cell><Cell><Data>due_at</Data></Cell></Row>
<Row><Cell><Data ss:Type="String">Call &y;Ben</Data></Cell>
<Cell ss:StyleID="s1"><Data>2031-01-01T08:00:00Z</Data></Cell></Row>
<Row><Cell/><Cell ss:Index="3"><Data>aside</Data></Cell></Row></Table></Worksheet></Workbook>"""


def read(place: Path, page: str | bytes, **said: Any) -> list[list[str]]:
    """The rows of a page's table."""
    path = place / "page.xls"
    path.write_bytes(page.encode() if isinstance(page, str) else page)
    return [row.cells for row in page_rows(path, look_at_page(path, said))]


@pytest.mark.parametrize(
    ("charset", "encoding"), [("utf-8", "utf-8"), ("big5", "big5"), ("no-such", "big5"), ("gb2312", "big5")]
)
def test_the_largest_table_is_read_in_what_it_is_written_in(tmp_path: Path, charset: str, encoding: str) -> None:
    assert read(tmp_path, EXPORT.format(charset=charset).encode(encoding)) == [
        ["職稱", "公司", "地點"],
        ["護理師", "長庚", "桃園\n龜山"],
        ["藥師 & 顧問", "長庚", "臺北"],
        ["工程師", "", "新竹"],
    ]


def test_what_is_merged_over_rows_says_the_same_in_each_also_at_the_end_of_a_row(tmp_path: Path) -> None:
    page = "<table><tr><td>a<td rowspan=3>b<tr><td>c<tr><td rowspan=2>d<tr><td>e</table>"
    assert read(tmp_path, page) == [["a", "b"], ["c", "b"], ["d", "b"], ["d", "e"]]
    assert read(tmp_path, "<table><tr><td rowspan=99999999>a<td colspan=99999999>b</table>")[0][:2] == ["a", "b"]


def test_a_page_that_was_cut_off_says_what_it_has_and_one_without_tables_nothing(tmp_path: Path) -> None:
    assert read(tmp_path, "<table><tr><td>a<td>b<tr><td>c</td><td>d") == [["a", "b"], ["c", "d"]]
    for page in ("<html></html>", "<table></table>", "<p>a</p>", "<html><td>a"):
        with pytest.raises(Unreadable, match="no-table"):
            read(tmp_path, page)


def test_a_page_of_more_than_a_page_has_is_refused(tmp_path: Path) -> None:
    with (tmp_path / "page.xls").open("wb") as file:
        file.truncate((64 << 20) + 1)
    with pytest.raises(Unreadable, match="page-too-large"):
        look_at_page(tmp_path / "page.xls", {})


def test_a_workbook_in_xml_is_read_and_its_entities_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "list.xls").write_text(SHEET)
    found: list[SourceRow] = []
    summary = convert(tmp_path / "list.xls", "list.xls", {}, list, found.append)
    assert (summary["found"]["format"], [each["name"] for each in summary["columns"]][:2]) == (
        "html",
        ["text", "due_at"],
    )
    assert [row.cells for row in found] == [["Call &y;Ben", "2031-01-01T08:00:00Z"], ["", "", "aside"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_such_a_workbook_is_known_by_how_it_begins(tmp_path: Path, encoding: str) -> None:
    plain = "".join(line for line in SHEET.splitlines(keepends=True) if not line.startswith("<!DOCTYPE"))
    (tmp_path / "list.xls").write_bytes(plain.replace("Call &y;Ben", "打電話").encode(encoding))
    found: list[SourceRow] = []
    summary = convert(tmp_path / "list.xls", "list.xls", {}, list, found.append)
    assert (summary["found"]["format"], found[0].cells[0]) == ("html", "打電話")


@given(st.text(alphabet="<>/=\"' atrdhcelbowsnp0123456789&;!-", max_size=300))
def test_no_page_breaks_its_reader(text: str) -> None:
    reader = Tables()
    reader.feed(f"<table><tr>{text}")
    reader.close()
    for grid in reader.found:
        grid.end_row()
        assert all(isinstance(cell, str) for row in grid.rows for cell in row)


@pytest.mark.anyio
async def test_a_page_that_is_called_a_workbook_is_judged_like_any_table(idle: Cast) -> None:
    row = await judged(idle, idle.ada, EXPORT.format(charset="utf-8"), "jobs", "export.xls")
    assert (row["found"]["format"], row["found"]["header_line"], row["judged"]) == ("html", 1, {"create": 3})
    found = told(await rows(idle.ada, row), "line", "read")
    assert found[1] == (3, {"title": "藥師 & 顧問", "organization_name": "長庚", "city": "臺北"})


def test_what_was_found_can_be_said(tmp_path: Path) -> None:
    (tmp_path / "page").write_bytes("<table><tr><td>é</table>".encode("cp1252"))
    assert look_at_page(tmp_path / "page", {"encoding": "latin-1"}) == Found("html", "latin-1")
