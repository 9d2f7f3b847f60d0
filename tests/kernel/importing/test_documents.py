"""Documents: JSON in all its encodings, archives, records of any depth, and the house's own format, line by line."""

import io
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.importing import documents
from guildhouse.kernel.importing.documents import (
    ABSENT,
    ForeignShape,
    archive_of,
    flat,
    line_records,
    load_document,
    own_header,
    own_rows,
    parsed,
    record_rows,
    records_in,
    shape_of,
    table_in,
    within,
)
from guildhouse.kernel.importing.sources import LONGEST_CELL, MOST_COLUMNS, Unreadable

ROW = {"title": "會計", "pay": {"from": 1}}
JSON = orjson.dumps(ROW).decode()
any_json = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


def rows(records: Any) -> tuple[list[str], list[tuple[int, list[Any], str | None]]]:
    columns: list[str] = []
    found = [(row.line, list(row.cells), row.fault) for row in record_rows(records, columns)]
    return columns, found


def zipped(tmp_path: Path, files: Mapping[str, bytes]) -> Path:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


@pytest.mark.parametrize("raw", [
    JSON.encode(), JSON.encode("utf-8-sig"), b"\xff\xfe" + JSON.encode("utf-16-le"),
    b"\xfe\xff" + JSON.encode("utf-16-be"), b"  \n" + JSON.encode(),
])  # fmt: skip
def test_json_is_read_in_every_encoding_that_it_may_have(raw: bytes) -> None:
    assert parsed(raw) == ROW


@pytest.mark.parametrize("raw", [
    b"", b"{", b"nope", JSON.encode("utf-16-le"), b"\xff\xfe" + JSON.encode("utf-16-le")[:-1], b"\xef\xbb\xbf{]",
    b'{"a": NaN}', b"\xc3\x28", b"[" * 2000,
])  # fmt: skip
def test_what_is_no_json_is_said_to_be_broken(raw: bytes) -> None:
    with pytest.raises(Unreadable, match="broken-json"):
        parsed(raw)


def test_a_document_beyond_what_fits_is_refused_before_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(documents, "LARGEST_JSON", 4)
    (tmp_path / "x.json").write_bytes(b"[1,2]")
    with pytest.raises(Unreadable, match="json-too-large"):
        load_document(tmp_path / "x.json", "json")
    (tmp_path / "x.json").write_bytes(b"[12]")
    assert load_document(tmp_path / "x.json", "json") == [12]


def test_what_a_page_says_to_search_engines_is_its_document(tmp_path: Path) -> None:
    one, two = '{"@type": "JobPosting", "title": "A &amp; B"}', '{"@type": "Thing"}'
    script = '<script type="application/ld+json">{}</script>'
    page = tmp_path / "x.html"
    page.write_text(f"<html>{script.format(one)}<script>var x = 1</script></html>")
    assert load_document(page, "html") == {"@type": "JobPosting", "title": "A & B"}
    page.write_text(script.format(one) + script.format(two))
    assert [each["@type"] for each in load_document(page, "html")] == ["JobPosting", "Thing"]
    page.write_text("<html>nothing</html>")
    assert load_document(page, "html") == []


def test_an_archive_is_its_tables_and_documents_by_name(tmp_path: Path) -> None:
    path = zipped(tmp_path, {
        "Profile.csv": "﻿Name,City\r\nAda,Zürich\r\n".encode(), "data/More.JSON": b'{"a": 1}', "photo.jpg": b"\xff\xd8",
        "notes.txt": b"left out",
    })  # fmt: skip
    assert archive_of(path) == {"Profile.csv": [{"Name": "Ada", "City": "Zürich"}], "data/More.JSON": {"a": 1}}


def test_notes_above_the_header_of_a_table_are_passed_over() -> None:
    assert table_in(b'Notes:\n"some words, and a comma"\n\nName,Mail\nAda,a@x.org\n') == [
        {"Name": "Ada", "Mail": "a@x.org"}
    ]
    assert table_in(b"Name,Mail\nAda\nBen,b@x.org,more\n") == [
        {"Name": "Ada", "Mail": ""}, {"Name": "Ben", "Mail": "b@x.org"},
    ]  # fmt: skip
    assert table_in(b"") == [] and table_in(b"Notes:\nno empty line") == [{"Notes:": "no empty line"}]


def test_only_what_is_asked_of_an_archive_has_to_be_whole(tmp_path: Path) -> None:
    found = archive_of(zipped(tmp_path, {
        "good.csv": b"a\n1\n", "broken.json": b"{", "__MACOSX/._good.csv": b"\0\5\x16", ".hidden.json": b"{",
    }))  # fmt: skip
    assert (list(found), len(found), found["good.csv"]) == (["good.csv", "broken.json"], 2, [{"a": "1"}])
    with pytest.raises(Unreadable, match="broken-json"):
        found["broken.json"]
    with pytest.raises(KeyError):
        found["__MACOSX/._good.csv"]


def test_a_long_message_in_an_archive_is_read_and_one_without_end_breaks_its_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = zipped(tmp_path, {"x.csv": b'a\n"' + b"x" * 200_000 + b'"\n'})
    assert len(archive_of(path)["x.csv"][0]["a"]) == 200_000
    monkeypatch.setattr(documents, "LONGEST_LINE", 1000)
    with pytest.raises(Unreadable, match="broken-archive"):
        archive_of(path)["x.csv"]


def test_an_archive_that_was_cut_off_is_broken(tmp_path: Path) -> None:
    cut = zipped(tmp_path, {"x.csv": b"a,b\n1,2\n" * 100}).read_bytes()
    for end in (10, 40, len(cut) // 2, len(cut) - 5):
        (tmp_path / "cut.zip").write_bytes(cut[:end])
        with pytest.raises(Unreadable, match="broken-archive"):
            archive_of(tmp_path / "cut.zip")
    spoiled = bytearray(cut)
    spoiled[40] ^= 0xFF
    (tmp_path / "cut.zip").write_bytes(spoiled)
    with pytest.raises(Unreadable, match="broken-archive"):
        archive_of(tmp_path / "cut.zip")["x.csv"]


def test_a_page_says_what_its_whole_scripts_say(tmp_path: Path) -> None:
    page = tmp_path / "x.html"
    thing = '{"title": "Clerk", "text": "5 &lt; 6"}'
    for script in (thing, f"<!--\n{thing}\n-->", f"//<![CDATA[\n{thing}\n//]]>", f"  {thing}\n"):
        page.write_text(
            f'<script id=x type=application/ld+json>{script}</script><script type="application/ld+json">{{</script>'
        )
        assert load_document(page, "html") == {"title": "Clerk", "text": "5 < 6"}
    page.write_text('<script type="application/ld+json">{"text": "<p>say &quot;hi&quot;</p>"}</script>')
    assert load_document(page, "html") == {"text": "<p>say &quot;hi&quot;</p>"}
    page.write_text('<script type="application/ld+json">{</script>')
    with pytest.raises(Unreadable, match="broken-json"):
        load_document(page, "html")


@pytest.mark.parametrize("document", [
    {"data": {"jobs": [ROW]}}, {"status": "ok", "count": 1, "result": {"items": [ROW]}},
    {"data": {"response": {"x": [ROW]}}},
    {"DATA": {"other": [], "list": [ROW]}, "page": {"next": ""}},
])  # fmt: skip
def test_records_are_found_however_they_are_wrapped(document: Any) -> None:
    assert records_in(document) == [ROW]


@pytest.mark.parametrize("document", [
    {"title": "Clerk", "company": {"offices": [{"a": 1}]}}, {"data": {"title": "Clerk"}}, {"data": {}},
    {"result": {"ids": [1]}},
])  # fmt: skip
def test_a_record_with_things_inside_of_it_is_not_taken_apart(document: Any) -> None:
    assert records_in(document) == [document]


def test_a_shape_is_the_named_one_or_the_first_that_claims_and_confusion_is_no_claim() -> None:
    def shape(name: str, claims: Any) -> ForeignShape:
        return ForeignShape(name=name, claims=claims, rows=lambda document: [document])

    confused = [shape(each.__name__, lambda document: document["a"]["b"][0].c) for each in (KeyError, TypeError)]
    never, always = shape("never", lambda _: False), shape("always", lambda _: True)
    for document in ({}, [], None, 3, {"a": None}, {"a": {"b": []}}, {"a": {"b": [1]}}):
        assert shape_of(document, [*confused, never, always], None) is always
        assert shape_of(document, [*confused, never], None) is None
    assert shape_of({}, [always, never], "never") is never
    assert shape_of({}, [always], "plain") is None


@pytest.mark.parametrize(("document", "records"), [
    ([1, 2], [1, 2]),
    ({"meta": [1], "jobs": [{"a": 1}, {"a": 2}]}, [{"a": 1}, {"a": 2}]),
    ({"few": [{"a": 1}], "many": [{"b": 1}, {"b": 2}]}, [{"b": 1}, {"b": 2}]),
    ({"a": 1}, [{"a": 1}]),
    ({**{f"f{n}": n for n in range(9)}, "jobs": [{"a": 1}]}, [{**{f"f{n}": n for n in range(9)}, "jobs": [{"a": 1}]}]),
    ("text", ["text"]), (None, [None]),
])  # fmt: skip
def test_the_records_of_a_document_are_its_longest_list_unless_it_is_one_itself(document: Any, records: Any) -> None:
    assert records_in(document) == records


def test_columns_grow_with_the_records_and_what_a_record_lacks_is_absent() -> None:
    columns, found = rows([{"a": 1}, {"b": {"c": 2, "d": {}}}, {"a": None}])
    assert columns == ["a", "b.c", "b.d"]
    assert found == [(1, [1], None), (2, [ABSENT, 2, {}], None), (3, [None, ABSENT, ABSENT], None)]


def test_what_is_no_record_too_wide_or_too_long_is_a_fault_of_its_row_alone() -> None:
    wide = {f"c{n}": n for n in range(MOST_COLUMNS + 1)}
    columns, found = rows([3, "x", Unreadable("broken-json"), wide, {"c0": "x" * (LONGEST_CELL + 1)}, {"c1": "fine"}])
    assert [fault for _, _, fault in found] == [
        "no-object", "no-object", "broken-json", "too-many-columns", "cell-too-long", None,
    ]  # fmt: skip
    assert len(columns) == MOST_COLUMNS == len(found[3][1])
    assert len(found[4][1][0]) == LONGEST_CELL


@given(any_json)
def test_every_value_of_a_record_stands_under_one_dotted_name(value: Any) -> None:
    names = dict(flat({"x": value}))
    assert all(name.split(".")[0][:1] == "x" for name in names) and names
    assert within({"x": value}, "x") == value


@given(st.lists(any_json, max_size=5))
def test_any_records_become_rows_of_one_width_in_their_order(records: list[Any]) -> None:
    columns, found = rows(records)
    assert [line for line, _, _ in found] == list(range(1, len(records) + 1))
    widths = [len(cells) for _, cells, fault in found if fault is None]
    assert widths == sorted(widths) and (not widths or widths[-1] <= len(columns))


@given(any_json, st.lists(st.text(max_size=5) | st.integers(0, 3), max_size=4))
def test_no_path_into_a_document_breaks(document: Any, path: list[str | int]) -> None:
    within(document, *path)


def test_lines_are_records_or_what_is_wrong_with_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(documents, "LONGEST_LINE", 20)
    long = '{"a": "' + "x" * 90 + '"}'
    file = io.StringIO('{"a": 1}\n\n  \nnope\n' + long + '\n{"a": 2}')
    found = [each.why if isinstance(each, Unreadable) else each for each in line_records(file)]
    assert found == [{"a": 1}, "broken-json", "cell-too-long", {"a": 2}]


TOO_WIDE = orjson.dumps({"guildhouse": 1, "resource": "jobs", "fields": ["x"] * (MOST_COLUMNS + 1)}).decode()


@pytest.mark.parametrize(("line", "why"), [
    ('{"guildhouse": 2, "resource": "jobs", "fields": []}', "another-version"), ("nope", "another-version"),
    ("", "another-version"), ("[1]", "another-version"), ('{"guildhouse": 1, "fields": []}', "broken-first-line"),
    ('{"guildhouse": 1, "resource": "jobs"}', "broken-first-line"),
    ('{"guildhouse": 1, "resource": 7, "fields": []}', "broken-first-line"),
    (TOO_WIDE, "broken-first-line"),
])  # fmt: skip
def test_a_first_line_that_is_not_ours_is_refused(line: str, why: str) -> None:
    with pytest.raises(Unreadable, match=why):
        own_header(io.StringIO(line))


def test_lines_of_our_own_format_have_the_fields_of_the_first_line_and_no_others() -> None:
    file = io.StringIO('{"guildhouse": 1, "resource": "jobs", "fields": ["id", "title"]}\n'
                       '{"id": 1, "title": "A"}\n{"title": "B"}\n{"id": 2, "pay": 3}\n7\nnope\n')  # fmt: skip
    noun, columns = own_header(file)
    found = [(row.line, list(row.cells), row.fault) for row in own_rows(line_records(file), columns)]
    assert (noun, columns) == ("jobs", ["id", "title"])
    assert found == [
        (2, [1, "A"], None), (3, [None, "B"], None), (4, [2, None], "other-fields"), (5, [], "no-object"),
        (6, [], "broken-json"),
    ]  # fmt: skip


@pytest.mark.parametrize("between", ["\n", "\n\n", "", "\x1e", "\r\n\t"])
def test_documents_that_follow_each_other_are_records_however_many_lines_each_takes(
    tmp_path: Path, between: str
) -> None:
    pretty = orjson.dumps({"text": "Call Ben", "n": 1}, option=orjson.OPT_INDENT_2).decode()
    path = tmp_path / "calls.json"
    path.write_text(between.join(["", pretty, pretty.replace("1", "2"), ""]))
    assert load_document(path, "json") == [{"text": "Call Ben", "n": 1}, {"text": "Call Ben", "n": 2}]


@pytest.mark.parametrize(
    "text", ['{"a": 1}\n{"a": ', '{"a": 1}, {"a": 2}', "{} 1", '{"a": 1} rest', "[1]\n[2]", "[" * 200_000]
)
def test_documents_that_follow_each_other_are_all_whole_objects(tmp_path: Path, text: str) -> None:
    (tmp_path / "calls.json").write_text(text)
    with pytest.raises(Unreadable, match="broken-json"):
        load_document(tmp_path / "calls.json", "json")
