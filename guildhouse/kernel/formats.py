"""Formats: one page of rows as JSON, NDJSON, CSV or MessagePack. Chosen by `Accept`, or by `?format=`."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import ormsgpack

from guildhouse.kernel.errors import NotAcceptable
from guildhouse.kernel.row import Values

JSON, NDJSON, CSV, MSGPACK = "json", "ndjson", "csv", "msgpack"
MEDIA_TYPES = {
    JSON: "application/json",
    NDJSON: "application/x-ndjson",
    CSV: "text/csv; charset=utf-8",
    MSGPACK: "application/vnd.msgpack",
}
ACCEPTED = {
    "application/json": JSON,
    "application/x-ndjson": NDJSON,
    "application/jsonl": NDJSON,
    "text/csv": CSV,
    "application/vnd.msgpack": MSGPACK,
    "application/msgpack": MSGPACK,
    "application/*": JSON,
    "text/*": CSV,
    "*/*": JSON,
}
ROW_FORMATS = (JSON, MSGPACK)
LIST_FORMATS = (JSON, NDJSON, CSV, MSGPACK)


def choose_format(accept: str | None, wanted: str | None, offered: Sequence[str]) -> str:
    """The format to answer in; raises `NotAcceptable` where none of those asked for is offered."""
    if wanted is not None:
        if wanted not in offered:
            raise NotAcceptable(formats=", ".join(offered))
        return wanted
    if accept is None or accept in ("*/*", "application/json"):
        return JSON
    for media in by_weight(accept):
        found = ACCEPTED.get(media)
        if found in offered:
            return str(found)
    raise NotAcceptable(formats=", ".join(MEDIA_TYPES[each] for each in offered))


def by_weight(accept: str) -> list[str]:
    """The media types of an Accept header, the most wanted first; one with weight 0 is not wanted."""
    weighted = []
    for term in accept[:1000].split(","):
        media, *parameters = (part.strip().lower() for part in term.split(";"))
        weight = next((part[2:] for part in parameters if part.startswith("q=")), "1")
        weighted.append((float(weight) if weight.replace(".", "", 1).isdecimal() else 0.0, media))
    return [media for weight, media in sorted(weighted, key=lambda each: -each[0]) if weight > 0]


def dumps(value: Any) -> bytes:
    """JSON bytes; a driver's record is written as the object it is, times end in Z."""
    return orjson.dumps(value, default=dict, option=orjson.OPT_UTC_Z)


def encode_row(row: Values, format_: str) -> bytes:
    """One row."""
    if format_ == MSGPACK:
        return ormsgpack.packb(dict(row), option=ormsgpack.OPT_UTC_Z)
    return dumps(row)


def encode_page(rows: Sequence[Values], page: Mapping[str, Any], fields: Sequence[str], format_: str) -> bytes:
    """A page. NDJSON and CSV carry rows only; the way to the next page is in the Link header."""
    if format_ == JSON:
        return b'{"data":' + dumps(rows) + b',"page":' + dumps(page) + b"}"
    if format_ == NDJSON:
        return b"".join(dumps(row) + b"\n" for row in rows)
    if format_ == CSV:
        return encode_csv(rows, fields)
    return ormsgpack.packb({"data": [dict(row) for row in rows], "page": page}, option=ormsgpack.OPT_UTC_Z)


def encode_csv(rows: Iterable[Values], fields: Sequence[str]) -> bytes:
    """RFC 4180 with a header line. Lists of words are joined by semicolons; what is nested is written as JSON."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(fields)
    for row in rows:
        writer.writerow([cell(row[name]) for name in fields])
    return text.getvalue().encode()


def cell(value: Any) -> str:
    """A value as a cell. One that a spreadsheet would run as a formula gets an apostrophe before it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(("=", "+", "-", "@", "\t", "\r")) else value
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return cell(";".join(value))
    return dumps(value).decode().strip('"')
