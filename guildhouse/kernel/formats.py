"""Formats: rows as JSON, NDJSON, CSV or MessagePack, and the names of the others. Chosen by `Accept`, or by `?format=`."""

import csv
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import orjson
import ormsgpack

from guildhouse.kernel.errors import NotAcceptable

if TYPE_CHECKING:
    from guildhouse.kernel.row import Values

JSON, NDJSON, CSV, MSGPACK = "json", "ndjson", "csv", "msgpack"
XLSX, PDF, OWN = "xlsx", "pdf", "guildhouse"
EVENT_STREAM = "text/event-stream"  # not a format of rows: a row that goes on, see `following.py`
OWN_VERSION = 1  # of the house's own format
MEDIA_TYPES = {
    JSON: "application/json",
    NDJSON: "application/x-ndjson",
    CSV: "text/csv; charset=utf-8",
    MSGPACK: "application/vnd.msgpack",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    PDF: "application/pdf",
    OWN: "application/vnd.guildhouse+ndjson",
}
ACCEPTED = {
    "application/json": JSON,
    "application/x-ndjson": NDJSON,
    "application/jsonl": NDJSON,
    "text/csv": CSV,
    "application/vnd.msgpack": MSGPACK,
    "application/msgpack": MSGPACK,
    MEDIA_TYPES[XLSX]: XLSX,
    MEDIA_TYPES[PDF]: PDF,
    MEDIA_TYPES[OWN]: OWN,
    "application/*": JSON,
    "text/*": CSV,
    "*/*": JSON,
}
ROW_FORMATS = (JSON, MSGPACK)
LIST_FORMATS = (JSON, NDJSON, CSV, MSGPACK)
EXPORT_FORMATS = (JSON, NDJSON, CSV, XLSX, PDF, OWN)
# What a spreadsheet takes for a formula, and what escapes it: apostrophes before it, one more each time.
RUN_SIGNS = "=+\\-@\t\r\n\uff1d\uff0b\uff0d\uff20"
RUN = re.compile(f"'*[{RUN_SIGNS}]")


def choose_format(accept: str | None, wanted: str | None, offered: Sequence[str]) -> str:
    """The format to answer in; raises `NotAcceptable` where none of those asked for is offered."""
    if wanted is not None:
        if wanted not in offered:
            raise NotAcceptable(formats=", ".join(offered))
        return wanted
    if accept is None or accept in ("*/*", "application/json"):
        return JSON
    weighted = weights(accept)
    refused = {ACCEPTED.get(media) for weight, media in weighted if not weight and "*" not in media}
    possible = [each for each in offered if each not in refused]
    for media in by_weight(accept):
        if found := next((each for each in possible if is_meant(media, each)), None):
            return found
    raise NotAcceptable(formats=", ".join(MEDIA_TYPES[each] for each in offered))


def is_meant(media: str, form: str) -> bool:
    """Whether a media type, or a range such as `text/*`, asks for a format."""
    if media.endswith("*"):
        return media in ("*", "*/*") or MEDIA_TYPES[form].startswith(media.removesuffix("*"))
    return ACCEPTED.get(media) == form


def weights(accept: str) -> list[tuple[float, str]]:
    """The media types and ranges of an Accept header with their weights, in its order."""
    weighted = []
    for term in accept[:1000].split(","):
        media, *parameters = (part.strip().lower() for part in term.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weighted.append((float(weight) if weight.replace(".", "", 1).isdecimal() else 0.0, media))
    return weighted


def by_weight(accept: str) -> list[str]:
    """The media types of an Accept header, the most wanted first; one with weight 0 is not wanted."""
    return [media for weight, media in sorted(weights(accept), key=lambda each: -each[0]) if weight > 0]


def dumps(value: Any) -> bytes:
    """JSON bytes; a driver's record is written as the object it is, times end in Z."""
    return orjson.dumps(value, default=dict, option=orjson.OPT_UTC_Z)


def encode_row(row: "Values", format_: str) -> bytes:
    """One row."""
    if format_ == MSGPACK:
        return ormsgpack.packb(dict(row), option=ormsgpack.OPT_UTC_Z)
    return dumps(row)


def encode_page(
    rows: Sequence["Values"],
    page: Mapping[str, Any],
    paths: Sequence[str],
    format_: str,
    beside: Mapping[str, Any] | None = None,
) -> bytes:
    """A page. NDJSON and CSV carry rows only; the way to the next page is in the Link header.

    `paths` are the columns of a CSV: `title`, `organization.name`; `beside` is what else a page of JSON has.
    """
    if format_ == JSON:
        more = b"," + dumps(beside)[1:] if beside else b"}"
        return b'{"data":' + dumps(rows) + b',"page":' + dumps(page) + more
    if format_ == NDJSON:
        return encode_lines(rows)
    if format_ == CSV:
        return csv_line(paths) + encode_csv(rows, paths)
    whole = {"data": [dict(row) for row in rows], "page": page, **(beside or {})}
    return ormsgpack.packb(whole, option=ormsgpack.OPT_UTC_Z)


def encode_lines(rows: Iterable["Values"]) -> bytes:
    """A row in every line."""
    return b"".join([dumps(row) + b"\n" for row in rows])


def csv_line(cells: Sequence[str]) -> bytes:
    """One line of a CSV."""
    return csv_lines([cells])


def csv_lines(rows: Iterable[Sequence[str]]) -> bytes:
    """Lines of a CSV, ended by LF as PostgreSQL ends them. A lone CR in a cell is quoted, too, because the writer itself
    ends its lines by CR and LF."""
    lines: list[str] = []
    csv.writer(SimpleNamespace(write=lambda line: lines.append(line[:-2] + "\n"))).writerows(rows)
    return "".join(lines).encode()


def encode_csv(rows: Iterable["Values"], paths: Sequence[str]) -> bytes:
    """The lines of a CSV (RFC 4180) without its header. What is not there is an empty cell."""
    return csv_lines([cell(each) for each in flat(row, paths)] for row in rows)


def flat(row: "Values", paths: Sequence[str]) -> list[Any]:
    """The values of a row in the order of the paths; those of a row that is not there, or not seen, are None."""
    found = []
    for path in paths:
        name, dot, field = path.partition(".")
        value = row[name]
        found.append((value[field] if value is not None else None) if dot else value)
    return found


def cell(value: Any) -> str:
    """A value as a cell. Words of a list are joined by semicolons; what that cannot hold, and documents, are JSON.

    A text that a spreadsheet would run as a formula gets an apostrophe before it, and so does one that begins like such
    an escaped text: whoever reads it back takes one apostrophe away where `RUN` matches.
    """
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if RUN.match(value) else value
    if isinstance(value, list):
        return cell(joined(value))
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)  # with blanks, as PostgreSQL writes a document
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return dumps(value).decode().strip('"')


def joined(words: Sequence[Any]) -> str:
    """A list as one text: `a;b`, or JSON where a word would be torn by that, or is none."""
    if all(isinstance(each, str) and each and ";" not in each for each in words):
        text = ";".join(words)
        if not text.startswith("["):
            return text
    return dumps(words).decode()
