"""Encoding: an export's bytes in each of its formats, in pieces, with memory that does not grow with the list."""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.errors import Invalid
from guildhouse.kernel.exporting import spreadsheet, typeset
from guildhouse.kernel.exporting.copying import copied_lines
from guildhouse.kernel.exporting.fetching import fetched_lines
from guildhouse.kernel.exporting.snapshot import Snapshot
from guildhouse.kernel.exporting.telling import Telling
from guildhouse.kernel.exporting.wanted import Wanted, wanted_of
from guildhouse.kernel.formats import CSV, JSON, NDJSON, OWN, OWN_VERSION, PDF, XLSX, csv_line, dumps
from guildhouse.kernel.manifest import House
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.select import fetch_count


class TooManyRows(Invalid):
    """This list has {rows} rows, and as {format} it takes {most} here. Filter it, take `csv`, or ask `POST /v1/exports`."""


Encode = Callable[[Snapshot, Wanted, Telling], AsyncIterator[bytes]]
# Rows of what is made as a whole: in one answer, and in the background. Lines of text may be as many as there are.
MOST_ROWS: Mapping[str, int] = {XLSX: 20_000, PDF: 2_000}
MOST_ROWS_LATER: Mapping[str, int] = {XLSX: spreadsheet.MOST_ROWS, PDF: typeset.MOST_ROWS}


def prepared(house: House, resource: Resource[Any], query: Sequence[tuple[str, str]], form: str) -> Wanted:
    """What a query string asks for, as the format can show it; raises for what it cannot, and for what is unknown."""
    wanted = wanted_of(house, resource, query, form)
    if form != PDF:
        return wanted
    return replace(wanted, selection=typeset.fit_for_paper(wanted, dict(query).get("fields")))


async def count_rows(view: Snapshot, actor: Actor, wanted: Wanted, most: Mapping[str, int]) -> int:
    """How many rows there are in the snapshot. Raises `TooManyRows` where the format takes no more than this `most`."""
    rows = await fetch_count(view.connection, wanted.resource, actor, wanted.where, exact=True)
    if rows > most.get(wanted.form, rows):
        raise TooManyRows(rows=rows, format=wanted.form, most=most[wanted.form])
    return rows


def opening(wanted: Wanted) -> bytes:
    """What stands before the rows."""
    if wanted.form == CSV:
        return csv_line(wanted.paths)
    if wanted.form == OWN:
        about = {"guildhouse": OWN_VERSION, "resource": wanted.resource.name, "fields": wanted.selection.fields}
        return dumps(about) + b"\n"
    return b'{"data":[\n' if wanted.form == JSON else b""


def closing(wanted: Wanted) -> bytes:
    """What stands behind the rows."""
    return b"\n]}\n" if wanted.form == JSON else b""


def between(wanted: Wanted) -> bytes:
    """What stands between the rows of two parts."""
    return b",\n" if wanted.form == JSON else b""


async def encode_text(view: Snapshot, wanted: Wanted, telling: Telling) -> AsyncIterator[bytes]:
    """The whole list as text."""
    yield opening(wanted)
    async for piece in text_rows(view, wanted, telling.actor):
        yield piece
    yield closing(wanted)


def text_rows(view: Snapshot, wanted: Wanted, actor: Actor) -> AsyncIterator[bytes]:
    """The rows alone: lines; for JSON with commas between them."""
    lines = fetched_lines if wanted.is_judged else copied_lines
    found = lines(view.connection, actor, wanted)
    return with_commas(found) if wanted.form == JSON else found


async def with_commas(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """Lines of JSON, which hold no newline themselves, as the items of a list."""
    ended = b""
    async for piece in pieces:
        text = ended + piece
        ended = b"\n" if text.endswith(b"\n") else b""
        yield text[: len(text) - len(ended)].replace(b"\n", b",\n")


ENCODERS: Mapping[str, Encode] = {
    JSON: encode_text,
    NDJSON: encode_text,
    CSV: encode_text,
    OWN: encode_text,
    XLSX: spreadsheet.encode_workbook,
    PDF: typeset.encode_document,
}
