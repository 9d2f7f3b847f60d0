"""Formats: which one is chosen, and that all of them say the same."""

import csv
import io
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import orjson
import ormsgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.errors import NotAcceptable
from guildhouse.kernel.formats import (
    CSV,
    JSON,
    LIST_FORMATS,
    MSGPACK,
    NDJSON,
    ROW_FORMATS,
    RUN,
    cell,
    choose_format,
    encode_page,
    encode_row,
)

AT = datetime(2026, 11, 20, 8, 30, tzinfo=UTC)
ROW = {"id": "1", "title": "Egg timer", "weight": 120, "sold": False, "at": AT, "tags": ["brass", "old"], "note": None}
PAGE = {"next": None, "prev": None, "has_more": False, "limit": 50}


@pytest.mark.parametrize(
    ("accept", "format_"),
    [
        (None, JSON),
        ("*/*", JSON),
        ("text/html, */*;q=0.1", JSON),
        ("text/csv", CSV),
        ("Text/CSV; charset=utf-8", CSV),
        ("application/json;q=0.5, text/csv", CSV),
        ("application/jsonl", NDJSON),
        ("application/vnd.msgpack;q=0.9, application/json;q=0.8", MSGPACK),
        ("text/*", CSV),
        ("application/json;q=nonsense, text/csv;q=0.1", CSV),
        ("application/json;q=0, */*", NDJSON),
        ("*/*, application/json;q=0, application/x-ndjson;q=0", CSV),
        ("application/json;q=0, application/*;q=0.5, text/csv;q=0.1", NDJSON),
        ("text/html, image/gif, *; q=.2, */*; q=.2", JSON),
        ("*", JSON),
        ("image/*, application/*;q=0.1", JSON),
    ],
)
def test_the_most_wanted_of_the_offered_formats_is_chosen(accept: str | None, format_: str) -> None:
    assert choose_format(accept, None, LIST_FORMATS) == format_


MEDIA = st.sampled_from(["*/*", "*", "application/*", "text/*", "image/png", "text/csv", "application/json", "a b", ""])
TERMS = st.lists(st.tuples(MEDIA, st.sampled_from(["", ";q=0", ";q=0.5", ";q=1;x=y", "; q=x"])), max_size=5)


@given(TERMS, st.sampled_from([LIST_FORMATS, ROW_FORMATS]))
def test_no_format_is_chosen_that_was_refused_by_its_own_name(
    terms: list[tuple[str, str]], offered: tuple[str, ...]
) -> None:
    accept = ", ".join(media + weight for media, weight in terms)
    with suppress(NotAcceptable):
        chosen = choose_format(accept, None, offered)
        assert chosen in offered
        names = {JSON: "application/json", CSV: "text/csv"}
        assert (names.get(chosen), ";q=0") not in terms


@pytest.mark.parametrize("accept", ["image/png", "application/json;q=0", "text/html", "", "image/*", "*/*;q=0", "*x"])
def test_where_nothing_fits_it_is_said_what_there_is(accept: str) -> None:
    with pytest.raises(NotAcceptable) as caught:
        choose_format(accept, None, LIST_FORMATS)
    assert "text/csv" in caught.value.detail()


def test_the_parameter_overrides_the_header() -> None:
    assert choose_format("application/json", "csv", LIST_FORMATS) == CSV
    with pytest.raises(NotAcceptable):
        choose_format(None, "csv", ROW_FORMATS)
    with pytest.raises(NotAcceptable):
        choose_format(None, "", LIST_FORMATS)


@given(st.text() | st.from_regex(r"[a-z*/;=.q0-9, ]{0,60}", fullmatch=True))
def test_any_header_gives_an_offered_format_or_a_406(accept: str) -> None:
    with suppress(NotAcceptable):
        assert choose_format(accept, None, LIST_FORMATS) in LIST_FORMATS


def decoded(format_: str) -> list[dict[str, Any]]:
    """The rows of a page that was written in a format."""
    raw = encode_page([ROW, ROW], PAGE, tuple(ROW), format_)
    if format_ == CSV:
        return list(csv.DictReader(io.StringIO(raw.decode())))
    if format_ == NDJSON:
        return [orjson.loads(line) for line in raw.splitlines()]
    body = orjson.loads(raw) if format_ == JSON else ormsgpack.unpackb(raw)
    assert body["page"] == PAGE
    return list(body["data"])


PLAIN = {**ROW, "at": "2026-11-20T08:30:00Z"}
AS_CELLS = {**PLAIN, "weight": "120", "sold": "false", "tags": "brass;old", "note": ""}


@pytest.mark.parametrize("format_", LIST_FORMATS)
def test_every_format_carries_the_same_rows(format_: str) -> None:
    assert decoded(format_) == [AS_CELLS if format_ == CSV else PLAIN] * 2


@pytest.mark.parametrize("format_", ROW_FORMATS)
def test_a_row_is_written_like_the_rows_of_a_page(format_: str) -> None:
    raw = encode_row(ROW, format_)
    assert (orjson.loads(raw) if format_ == JSON else ormsgpack.unpackb(raw)) == PLAIN


@given(st.text())
def test_no_cell_is_run_by_a_spreadsheet(text: str) -> None:
    assert not cell(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20"))


def unescaped(text: str) -> str:
    return text[1:] if text.startswith("'") and RUN.match(text) else text


@given(st.text() | st.from_regex(r"\A'{0,3}[=+\-@a]{0,2}\Z"))
def test_what_was_escaped_can_be_read_back(text: str) -> None:
    assert unescaped(cell(text)) == text


@given(st.lists(st.text(';[]ab",=', max_size=4)))
def test_lists_can_be_read_back(words: list[str]) -> None:
    text = unescaped(cell(words))
    read = orjson.loads(text) if text.startswith("[") else text.split(";") if text else []
    assert read == words


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]))))
def test_text_comes_out_of_csv_as_it_went_in(texts: list[str]) -> None:
    rows = [{"title": text} for text in texts]
    read = list(csv.reader(io.StringIO(encode_page(rows, PAGE, ("title",), CSV).decode(), newline="")))
    assert [row[0] if row else "" for row in read[1:]] == [cell(text) for text in texts]


def test_a_number_is_no_formula_and_a_document_is_json() -> None:
    assert cell({"id": "1"}) == '{"id": "1"}' and cell(-5) == "-5" and cell(None) == "" and cell(60000.0) == "60000"


def test_an_expansion_in_csv_is_columns() -> None:
    rows: list[dict[str, Any]] = [{"title": "A", "maker": {"name": "=Ada"}}, {"title": "B", "maker": None}]
    assert encode_page(rows, PAGE, ("title", "maker.name"), CSV) == b"title,maker.name\nA,'=Ada\nB,\n"
