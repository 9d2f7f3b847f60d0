"""Encoding: an export's bytes in each of its formats, in pieces, with memory that does not grow with the list."""

from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.errors import Invalid
from guildhouse.kernel.exporting.copying import copied_lines
from guildhouse.kernel.exporting.fetching import fetched_lines
from guildhouse.kernel.exporting.snapshot import Snapshot
from guildhouse.kernel.exporting.wanted import Wanted
from guildhouse.kernel.formats import CSV, JSON, NDJSON, OWN, csv_line, dumps

OWN_VERSION = 1


class TooManyRows(Invalid):
    """This list has {rows} rows, and as {format} it is made of {most} at most. Filter it, or take `csv` or `ndjson`."""


@dataclass(frozen=True)
class Telling:
    """To whom an export is told, and in which language its headings are."""

    actor: Actor
    language: str
    name: str  # of this server, for a title


Encode = Callable[[Snapshot, Wanted, Telling], AsyncIterator[bytes]]


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


ENCODERS: Mapping[str, Encode] = {JSON: encode_text, NDJSON: encode_text, CSV: encode_text, OWN: encode_text}
# Rows of the formats that are made as a whole, and of all others in one answer: as many as there are.
MOST_ROWS: Mapping[str, int] = {}
