"""Files as they come: any delimiter, encoding and quoting; broken, cut off, hostile. Nothing is dropped silently."""

import io
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from guildhouse.app import HOUSE
from guildhouse.kernel.importing.converting import convert
from guildhouse.kernel.importing.sources import (
    FEW_BROKEN,
    LONGEST_CELL,
    OPEN_DOCUMENT,
    SourceRow,
    Unreadable,
    broken_in_utf8,
    format_of,
)

TABLE = [["title", "city"], ["Engine programmer", "臺北"], ['say "hi", all', "Košice"]]


def converted(path: Path, content: bytes, name: str = "x.csv", **said: Any) -> tuple[dict[str, Any], list[SourceRow]]:
    """The summary and the rows of a file."""
    (path / "file").write_bytes(content)
    rows: list[SourceRow] = []
    return convert(path / "file", name, said, list, rows.append), rows


def cells(rows: list[SourceRow]) -> list[list[Any]]:
    return [row.cells for row in rows]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_delimiters_and_newlines(tmp_path: Path, delimiter: str, newline: str) -> None:
    lines = ["title", "Clerk", '"a;b,c|d\te"']
    text = newline.join(delimiter.join([line, "x", "y"]) for line in lines) + newline
    summary, rows = converted(tmp_path, text.encode())
    assert summary["found"]["delimiter"] == delimiter
    assert [row.cells[0] for row in rows] == ["Clerk", "a;b,c|d\te"]
    assert summary["found"]["newline"] == {"\n": "LF", "\r\n": "CRLF", "\r": "CR"}[newline]


@pytest.mark.parametrize(
    ("encoding", "found", "bom"),
    [("utf-8", "utf-8", False), ("utf-8-sig", "utf-8", True), ("utf-16", "utf-16-le", True), ("big5", "cp950", False),
     ("utf-16-le", "utf-16-le", False), ("utf-16-be", "utf-16-be", False), ("gb18030", "gb18030", False)],
)  # fmt: skip
def test_encodings(tmp_path: Path, encoding: str, found: str, bom: bool) -> None:
    text = "職稱,地點\n軟體工程師,臺北市\n會計人員,高雄市\n"
    if encoding == "gb18030":
        text = "职位,地点\n软件工程师,上海市\n会计人员,北京市\n"
    summary, rows = converted(tmp_path, text.encode(encoding))
    assert (summary["found"]["encoding"], summary["found"]["bom"]) == (found, bom)
    header, *lines = [line.split(",") for line in text.splitlines()]
    assert ([each["name"] for each in summary["columns"]], cells(rows)) == (header, lines)


def test_western_european_text(tmp_path: Path) -> None:
    summary, rows = converted(
        tmp_path, "name,town\nJosé Muñoz,Málaga\nZoë Brown,Kraków\n".replace("ó", "o").encode("cp1252")
    )
    assert (summary["found"]["encoding"], cells(rows)[0]) == ("cp1252", ["José Muñoz", "Málaga"])


def test_what_is_no_character_is_a_fault_of_its_row(tmp_path: Path) -> None:
    body = b"text\ngood\n" + b"b\xffad\n" + b"fine\n"
    _, rows = converted(tmp_path, body, encoding="utf-8")
    assert [(row.fault, row.cells) for row in rows] == [
        (None, ["good"]), ("wrong-encoding", ["b\ufffdad"]), (None, ["fine"]),
    ]  # fmt: skip
    with pytest.raises(Unreadable):
        converted(tmp_path, body, encoding="no-such-encoding")


@pytest.mark.parametrize("stray", ["會計,高雄\n".encode("cp950"), "José,Málaga\n".encode("cp1252"), b"\xff\xfe,x\n"])
def test_a_line_pasted_in_from_elsewhere_spoils_itself_and_not_the_whole_file(tmp_path: Path, stray: bytes) -> None:
    whole = "工程師,臺北\n廚師,臺南\n".encode()
    summary, rows = converted(tmp_path, "職稱,地點\n".encode() + whole + stray + whole)
    assert summary["found"]["encoding"] == "utf-8"
    assert [row.fault for row in rows] == [None, None, "wrong-encoding", None, None]
    assert cells(rows)[3:] == [["工程師", "臺北"], ["廚師", "臺南"]]


@pytest.mark.parametrize(("text", "encoding"), [
    ("職稱,地點\n軟體工程師,臺北市\n會計人員,高雄市\n" * 9, "cp950"),
    ("名前,住所\n田中さん,とうきょう\nサトウ,オオサカ\n" * 9, "cp932"),
    ("职位,地点\n软件工程师,上海市\n" * 9, "gb18030"), ("nom,ville\nZoé,Orléans\nJosé,Besançon\n" * 9, "cp1252"),
])  # fmt: skip
def test_a_text_from_before_unicode_never_passes_for_utf8(tmp_path: Path, text: str, encoding: str) -> None:
    assert broken_in_utf8(text.encode(encoding)) > FEW_BROKEN
    assert broken_in_utf8(text.encode()) == 0
    assert converted(tmp_path, text.encode(encoding))[0]["found"]["encoding"] == encoding


@pytest.mark.parametrize(("head", "name", "form"), [
    (b"PK\x03\x04....xl/workbook.xml", "x", "xlsx"), (b"PK\x03\x04....xl/worksheets/sheet1.xml", "x.zip", "xlsx"),
    (b"PK\x03\x04..\x99xl/\x01..Profile.csv", "export.zip", "zip"), (b"PK\x03\x04", "x.XLSX", "xlsx"),
    (b"\xd0\xcf\x11\xe0", "x.xls", "xls"), (b"PK\x03\x04" + bytes(26) + b"mimetype" + OPEN_DOCUMENT, "x", "ods"),
    (b"%PDF-1.7", "x.csv", "unknown"), (b"\x89PNG", "x", "unknown"), (b"\x1f\x8b", "x.csv.gz", "unknown"),
    (b"title,city\n", "x.xlsx", "csv"), (b"title,city\n", "x.json", "csv"),
    (b'[{"a": 1}]', "x.csv", "json"), (b'{"a": 1}\r\n{"a": 2}', "x", "ndjson"), (b'{"a": 1}', "x.jsonl", "ndjson"),
    (b'{"a":\n1}', "x.ndjson", "json"), (b'\xef\xbb\xbf {"guildhouse":1', "x", "guildhouse"),
    ('[{"a": 1}]'.encode("utf-16"), "x.txt", "json"), (b"\xfe\xff" + '{"a": 1}'.encode("utf-16-be"), "x", "json"),
    (b"<!DOCTYPE html>", "x", "html"), (b"\xef\xbb\xbf\n<!-- saved -->\n<html>", "x", "html"),
    (b"<table><tr>", "x.xls", "html"),
    (b'<?xml version="1.0"?><!DOCTYPE html>', "x", "html"), (b"<b>a</b>,c\n", "x.csv", "csv"), (b"", "x", "csv"),
])  # fmt: skip
def test_a_file_is_what_is_in_it_whatever_it_is_called(head: bytes, name: str, form: str) -> None:
    assert format_of(head, name) == form


def test_quoting_styles(tmp_path: Path) -> None:
    assert cells(converted(tmp_path, b"a,b\n'x, y','z'\n'1','2'\n'3','4'\n")[1])[0] == ["x, y", "z"]
    assert cells(converted(tmp_path, b'a,b\n"say \\"hi\\"",z\n')[1]) == [['say "hi"', "z"]]
    assert cells(converted(tmp_path, b'a,b\n"say ""hi""\nthere",z\n')[1]) == [['say "hi"\nthere', "z"]]
    assert cells(converted(tmp_path, b"sep=;\r\na;b\r\n1;2\r\n")[1]) == [["1", "2"]]


def test_a_quotation_mark_that_nothing_closes_spoils_its_own_line_only(tmp_path: Path) -> None:
    _, rows = converted(tmp_path, b'a,b\n1,2\n"3,4\n5,6\n7,8\n')
    assert [(row.line, row.fault, row.cells) for row in rows] == [
        (2, None, ["1", "2"]), (3, "broken-quotes", ['"3,4']), (4, None, ["5", "6"]), (5, None, ["7", "8"]),
    ]  # fmt: skip
    _, rows = converted(tmp_path, b'a,b\n"1"x,2\n3,4\n')
    assert [row.fault for row in rows] == ["broken-quotes", None]


def test_lines_are_counted_as_a_spreadsheet_counts_them(tmp_path: Path) -> None:
    _, rows = converted(tmp_path, b'a,b\r\n\r\n"1\r\n1",2\r\n,\n3,4\r')
    assert [(row.line, row.cells) for row in rows] == [(3, ["1\r\n1", "2"]), (6, ["3", "4"])]


def test_headers_that_are_missing_double_or_empty(tmp_path: Path) -> None:
    summary, rows = converted(tmp_path, b"a,a,,b\n1,2,3,4,5\n6\n")
    assert [each["name"] for each in summary["columns"]] == ["a", "a", "", "b", ""]
    assert cells(rows) == [["1", "2", "3", "4", "5"], ["6"]]
    summary, rows = converted(tmp_path, b"1,ada@example.org\n2,ben@example.org\n")
    assert (summary["found"]["header"], len(rows), len(summary["columns"])) == (False, 2, 2)
    assert converted(tmp_path, b"")[1] == []


def test_wide_rows_and_endless_cells(tmp_path: Path) -> None:
    wide = ",".join(f"c{n}" for n in range(200))
    summary, rows = converted(tmp_path, f"{wide}\n{wide}\n".encode())
    assert (len(summary["columns"]), len(rows[0].cells)) == (200, 200)
    assert converted(tmp_path, b"a\n" + b"," * 5000 + b"x\n")[1][0].fault == "too-many-columns"
    _, rows = converted(tmp_path, b"a,b\n" + b"x" * 10_000_000 + b",y\n1,2\n")
    assert [(row.fault, len(row.cells[0])) for row in rows] == [("cell-too-long", LONGEST_CELL), (None, 1)]
    _, rows = converted(tmp_path, b"a,b\n" + b"x" * 40_000_000 + b"\n1,2\n", delimiter=",", header=True)
    assert [row.fault for row in rows] == ["broken-quotes", None]


def test_nul_bytes_come_through_to_be_told(tmp_path: Path) -> None:
    assert cells(converted(tmp_path, b"text\na\0b\n" + b"good\n" * 20)[1])[0] == ["a\0b"]


def test_json_of_any_layout(tmp_path: Path) -> None:
    record = {"title": "Clerk", "salary": {"min": 1}, "tags": ["a, b"], "none": None}
    for name, document in (
        ("x.json", [record]),
        ("x.json", {"data": [record], "page": {"next": ""}}),
        ("x.json", record),
    ):
        summary, rows = converted(tmp_path, orjson.dumps(document), name)
        assert [each["name"] for each in summary["columns"]] == ["title", "salary.min", "tags", "none"]
        assert cells(rows) == [["Clerk", 1, ["a, b"], None]]
    text = orjson.dumps([record]).decode()
    for encoding in ("utf-8-sig", "utf-16"):
        assert cells(converted(tmp_path, text.encode(encoding), "x.json", format="json")[1])[0][0] == "Clerk"


def test_lines_of_json_with_columns_that_come_later(tmp_path: Path) -> None:
    body = b'{"a": 1}\n\n{"b": 2, "a": 3}\nbroken\n[1]\n{"a": 4'
    summary, rows = converted(tmp_path, body, "x.ndjson")
    assert [each["name"] for each in summary["columns"]] == ["a", "b"]
    assert [(row.fault, row.cells) for row in rows] == [
        (None, [1]), (None, [3, 2]), ("broken-json", []), ("no-object", []), ("broken-json", []),
    ]  # fmt: skip


def workbook(sheet: str, more: dict[str, str] | None = None) -> bytes:
    """A workbook of one sheet, by hand: so that anything can be in it."""
    files = {
        "[Content_Types].xml": '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
        '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'  # noqa: E501
        '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/></Types>',  # noqa: E501
        "_rels/.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="xl/workbook.xml"/></Relationships>',  # noqa: E501
        "xl/workbook.xml": '<workbook xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main" '
        'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
        '<sheets><sheet name="Jobs" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
        '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/worksheet" Target="worksheets/sheet1.xml"/></Relationships>',  # noqa: E501
        "xl/worksheets/sheet1.xml": sheet,
        **(more or {}),
    }
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return made.getvalue()


SHEET = """{before}<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
<row r="1"><c r="A1" t="inlineStr"><is><t>title</t></is></c><c r="B1" t="inlineStr"><is><t>pay</t></is></c></row>
<row r="3"><c r="A3" t="inlineStr"><is><t>{text}</t></is></c><c r="B3"><f>30000*2</f><v>60000</v></c></row>
</sheetData></worksheet>"""


def test_spreadsheets(tmp_path: Path) -> None:
    body = workbook(SHEET.format(before="", text="Clerk"))
    summary, rows = converted(tmp_path, body, "x.xlsx")
    assert (summary["found"]["sheet"], summary["found"]["sheets"]) == ("Jobs", ["Jobs"])
    assert [(row.line, row.cells) for row in rows] == [(3, ["Clerk", 60000])]
    with pytest.raises(Unreadable, match="no-such-sheet"):
        converted(tmp_path, body, "x.xlsx", sheet="Other")


def test_a_spreadsheet_reads_no_files_of_the_server(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret")
    entity = f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file://{tmp_path}/secret">]>'
    try:
        _, rows = converted(tmp_path, workbook(SHEET.format(before=entity, text="&amp;e; &e;")), "x.xlsx")
    except Unreadable:
        return
    assert "the secret" not in str(rows)


def test_archives_that_unpack_to_too_much_are_refused(tmp_path: Path) -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as archive:
        for n in range(6):
            archive.writestr(f"xl/{n}.xml", bytes(100 << 20))
    for name in ("x.xlsx", "x.zip"):
        with pytest.raises(Unreadable, match="unpacks-too-large"):
            converted(tmp_path, made.getvalue(), name)


def test_what_cannot_be_read_says_why(tmp_path: Path) -> None:
    for content, name, why in (
        (b"PK\x03\x04 and no more", "x.xlsx", "broken-archive"),
        (workbook("<no><xml"), "x.xlsx", "broken-spreadsheet"),
        (workbook(SHEET.format(before="", text="Clerk"))[:900], "x.xlsx", "broken-archive"),
        (b'{"a": ', "x.json", "broken-json"),
        (b"\xd0\xcf\x11\xe0 old Excel", "x.xls", "broken-spreadsheet"),
        (b"%PDF-1.7", "x.csv", "unknown-format"),
        (b"<html><p>no jobs here</p></html>", "x.html", "no-table"),
    ):
        with pytest.raises(Unreadable, match=why):
            converted(tmp_path, content, name)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150, deadline=None)
@given(
    content=st.one_of(
        st.binary(max_size=300),
        st.text(alphabet="a1\",;\n\r'\\\t|{}[]:\0é職", max_size=200).map(str.encode),
        st.binary(max_size=60).map(lambda tail: workbook(SHEET.format(before="", text="x"))[:-60] + tail),
    )
)
@example(b'{"guildhouse":')
def test_any_bytes_become_rows_or_a_reason(tmp_path: Path, content: bytes) -> None:
    """Nothing but `Unreadable` comes out, and every row can be written as JSON."""
    try:
        summary, rows = converted(tmp_path, content)
    except Unreadable:
        return
    assert summary["total"] == len(rows)
    orjson.dumps([row.cells for row in rows])
    orjson.dumps(summary)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100, deadline=None)
@given(table=st.lists(st.lists(st.text(alphabet='ab ",;\n職', max_size=6), min_size=2, max_size=4), max_size=6))
def test_a_csv_comes_back_as_it_was_written(tmp_path: Path, table: list[list[str]]) -> None:
    import csv  # noqa: PLC0415

    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL).writerows([["x", "y"], *table])
    _, rows = converted(tmp_path, text.getvalue().encode(), delimiter=",", quote='"', escape=None, header=True)
    assert cells(rows) == [row for row in table if any(row)]


def test_the_reading_process_loads_no_domain_and_no_database() -> None:
    """Each upload starts one: what it imports, everybody waits for."""
    shapes = [shape for each in HOUSE.resources.values() for shape in each.carry.shapes]
    program = (
        "import sys, guildhouse.kernel.importing.converting as c\n"
        f"found = [c.imported(each).name for each in {shapes!r}]\n"
        "heavy = {'sqlalchemy', 'asyncpg', 'fastapi', 'guildhouse.app', 'guildhouse.jobs'} & sys.modules.keys()\n"
        "print(len(found), sorted(heavy))"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert said == f"{len(shapes)} []\n"
