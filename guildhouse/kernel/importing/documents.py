"""Documents: JSON, NDJSON, and what carries JSON or tables inside (HTML, ZIP), as rows. Runs in a process of its own.

A document of a shape that a resource knows by name is read by that shape's own function; any other is flattened:
`{"salary": {"min": 1}}` has a column `salary.min`.
"""

import csv
import io
import json
import re
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from typing import Any, TextIO

import orjson

from guildhouse.kernel.formats import OWN_VERSION
from guildhouse.kernel.importing.sources import (
    LARGEST_JSON,
    LONGEST_CELL,
    LONGEST_LINE,
    MOST_COLUMNS,
    SourceRow,
    Unreadable,
    check_unpacked,
    in_utf8,
)

DEEPEST = 6
# What others call that which only holds the records: {"data": {"jobs": [...]}}.
WRAPPERS = frozenset(
    (
        "data",
        "result",
        "results",
        "response",
        "payload",
        "body",
        "content",
        "d",
        "_embedded",
        "export",
    )
)
ABSENT = ""  # a cell of a column that this record does not have, in contrast to null
SCRIPT = re.compile(r"<script[^>]*application/ld\+json[^>]*>(.*?)</script>", re.IGNORECASE | re.DOTALL)
ONE_AFTER_ANOTHER = json.JSONDecoder()
BETWEEN = re.compile(r"[\s\x1e]*")  # what stands between documents that follow each other

Claims = Callable[[Any], bool]
Reads = Callable[[Any], Iterable[Mapping[str, Any]]]


@dataclass(frozen=True)
class ForeignShape:
    """A file format of another program, by name: whether a document is one, and its rows by our fields.

    Both functions know nothing but the document: parsed JSON, or of an archive `{"Profile.csv": [rows], ...}`.
    """

    name: str
    claims: Claims
    rows: Reads


def said(**fields: Any) -> dict[str, Any]:
    """The fields that have a value."""
    return {name: value for name, value in fields.items() if value not in (None, "", [], {})}


def within(document: Any, *path: str | int) -> Any:
    """What stands at a path of a document, or None."""
    for step in path:
        if isinstance(step, int):
            document = document[step] if isinstance(document, list) and len(document) > step else None
        else:
            document = document.get(step) if isinstance(document, Mapping) else None
    return document


def load_document(path: Path, format_: str) -> Any:
    """The document of a file that is one."""
    if format_ == "zip":
        return archive_of(path)
    if path.stat().st_size > LARGEST_JSON:
        raise Unreadable("json-too-large")
    raw = path.read_bytes()
    return page_of(raw) if format_ == "html" else one_or_several(raw)


def one_or_several(raw: bytes) -> Any:
    """A JSON document, or several one after the other, each over as many lines as it likes."""
    try:
        return parsed(raw)
    except Unreadable as error:
        if found := several(raw):
            return found
        raise error from None


def several(raw: bytes) -> list[Any]:
    """The objects of a file that has nothing else, at least two of them; none where one is broken."""
    found: list[Any] = []
    try:
        text = recoded(raw).decode()
        at = past(text, 0)
        while at < len(text):
            one, end = ONE_AFTER_ANOTHER.raw_decode(text, at)
            found.append(one)
            at = past(text, end)
    except (ValueError, RecursionError):
        return []
    return found if len(found) > 1 and all(map(is_record, found)) else []


def past(text: str, place: int) -> int:
    """The place behind what stands between two documents."""
    found = BETWEEN.match(text, place)
    return found.end() if found else place


def speaks_in_scripts(path: Path) -> bool:
    """Whether a page has scripts that are data; one that has none may have tables."""
    with path.open("rb") as file:
        return bool(SCRIPT.search(in_utf8(file.read(LARGEST_JSON)).decode("utf-8", "replace")))


def page_of(raw: bytes) -> Any:
    """What a page says in its scripts; a script that is broken is passed over where others say something."""
    text = in_utf8(raw).decode("utf-8", "replace")
    found, broken = [], None
    for script in SCRIPT.findall(text):
        try:
            found.append(script_of(script))
        except Unreadable as error:
            broken = error
    if broken and not found:
        raise broken
    return found[0] if len(found) == 1 else found


def script_of(script: str) -> Any:
    """The JSON of a script, which some pages put in a comment, and some escape as if it were text."""
    bare = re.sub(r"\A\s*(?:<!--|//\s*<!\[CDATA\[|<!\[CDATA\[)|(?:-->|//\s*\]\]>|\]\]>)\s*\Z", "", script).strip()
    try:
        return parsed(unescape(bare).encode())
    except Unreadable:
        return parsed(bare.encode())


def parsed(raw: bytes) -> Any:
    """JSON of any encoding that JSON may have."""
    try:
        return orjson.loads(raw if raw[:1] in b"{[" and 0 not in raw[:4] else recoded(raw))
    except (orjson.JSONDecodeError, UnicodeError) as error:
        raise Unreadable("broken-json") from error


def recoded(raw: bytes) -> bytes:
    """The document in UTF-8, without a byte order mark."""
    for mark, encoding in ((b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"), (b"\xef\xbb\xbf", "utf-8")):
        if raw.startswith(mark):
            return raw[len(mark) :].decode(encoding).encode()
    return raw


class Archive(Mapping[str, Any]):
    """The tables and documents of an archive by name: CSV as lists of rows, JSON as it is; others are left out.

    Each is read when it is first asked for: what nobody asks for may be broken.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.read: dict[str, Any] = {}
        with opened_archive(path) as archive:
            self.names = [each.filename for each in archive.infolist()[:1000] if is_told(each)]

    def __getitem__(self, name: str) -> Any:
        if name not in self.names:
            raise KeyError(name)
        if name not in self.read:
            with opened_archive(self.path) as archive:
                raw = archive.read(name)
            self.read[name] = table_in(raw) if name.lower().endswith(".csv") else parsed(raw)
        return self.read[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def is_told(entry: zipfile.ZipInfo) -> bool:
    """Whether a file of an archive is read at all; what systems add for themselves, as `__MACOSX/._Jobs.csv`, is not."""
    hidden = entry.filename.rpartition("/")[2].startswith(".")
    kind = entry.filename.lower().rpartition(".")[2]
    return not hidden and kind in ("csv", "json") and entry.file_size <= LARGEST_JSON


@contextmanager
def opened_archive(path: Path) -> Iterator[zipfile.ZipFile]:
    """The archive; whatever is wrong with it, it is broken."""
    try:
        with zipfile.ZipFile(path) as archive:
            yield archive
    except (zipfile.BadZipFile, OSError, ValueError, RuntimeError, EOFError, zlib.error) as error:
        raise Unreadable("broken-archive") from error


def archive_of(path: Path) -> Archive:
    """The archive, unless it unpacks to too much."""
    check_unpacked(path)
    return Archive(path)


def table_in(raw: bytes) -> list[dict[str, str]]:
    """The rows of a CSV inside an archive; notes that some programs put above the header are passed over."""
    lines = raw.decode("utf-8-sig", "replace").splitlines(keepends=True)
    if lines and lines[0].startswith("Notes:"):
        lines = lines[next((n for n, line in enumerate(lines) if not line.strip()), -1) + 1 :]
    csv.field_size_limit(LONGEST_LINE)
    reader = csv.DictReader(io.StringIO("".join(lines)))
    try:
        return [{name: value or "" for name, value in row.items() if isinstance(name, str)} for row in reader]
    except csv.Error as error:
        raise Unreadable("broken-archive") from error


def shape_of(document: Any, shapes: Sequence[ForeignShape], said: str | None) -> ForeignShape | None:
    """The shape that somebody named, or the first that claims the document; `plain` is none of them."""
    if said:
        return next((each for each in shapes if each.name == said), None)
    return next((each for each in shapes if claims(each, document)), None)


def claims(shape: ForeignShape, document: Any) -> bool:
    """Whether a document is of this shape; one that confuses the test is not."""
    try:
        return bool(shape.claims(document))
    except (TypeError, KeyError, ValueError, AttributeError, IndexError):
        return False


def records_in(document: Any) -> list[Any]:
    """The records of a document of no known shape: its longest list of them, however it is wrapped."""
    if isinstance(document, list):
        return document
    if isinstance(document, dict):
        lists = [each for each in document.values() if isinstance(each, list) and any(map(is_record, each))]
        if lists and not is_wide(document):
            return max(lists, key=len)
        for name, inside in document.items():
            if name.lower() in WRAPPERS and isinstance(inside, dict) and (found := records_in(inside)) != [inside]:
                return found
    return [document]


def is_record(value: Any) -> bool:
    """Whether this could be a row."""
    return isinstance(value, Mapping)


def is_wide(document: Mapping[str, Any]) -> bool:
    """Whether a document with lists is a record itself: it has more to say than how many there are."""
    return sum(not isinstance(each, list | Mapping) for each in document.values()) > 8


def record_rows(records: Iterable[Any], columns: list[str]) -> Iterator[SourceRow]:
    """The records as rows; a column that is met for the first time is added to `columns`."""
    places: dict[str, int] = {}
    for number, record in enumerate(records, 1):
        yield record_row(number, record, columns, places)


def record_row(number: int, record: Any, columns: list[str], places: dict[str, int]) -> SourceRow:
    """One record."""
    if isinstance(record, Unreadable):
        return SourceRow(number, [], record.why)
    if not isinstance(record, Mapping):
        return SourceRow(number, [], "no-object")
    cells: list[Any] = [ABSENT] * len(columns)
    fault = None
    for name, value in flat(record):
        if name not in places:
            if len(columns) == MOST_COLUMNS:
                fault = "too-many-columns"
                continue
            places[name] = len(columns)
            columns.append(name)
            cells.append(ABSENT)
        if isinstance(value, str) and len(value) > LONGEST_CELL:
            fault, value = "cell-too-long", value[:LONGEST_CELL]  # noqa: PLW2901 - the rest is not kept
        cells[places[name]] = value
    return SourceRow(number, cells, fault)


def flat(record: Mapping[str, Any], before: str = "", depth: int = 1) -> Iterator[tuple[str, Any]]:
    """The values of a record by their dotted names."""
    for name, value in record.items():
        if isinstance(value, Mapping) and value and depth < DEEPEST:
            yield from flat(value, f"{before}{name}.", depth + 1)
        else:
            yield f"{before}{name}"[:200], value


def line_records(file: TextIO) -> Iterator[Any]:
    """The records of NDJSON; a line that is none is what is wrong with it."""
    while line := file.readline(LONGEST_LINE):
        if len(line) == LONGEST_LINE and not line.endswith("\n"):
            while len(rest := file.readline(LONGEST_LINE)) == LONGEST_LINE and not rest.endswith("\n"):
                pass
            yield Unreadable("cell-too-long")
        elif line.strip():
            yield one_record(line)


def own_header(file: TextIO) -> tuple[str, list[str]]:
    """The noun and the fields that the first line of a file in the house's own format names."""
    about = one_record(file.readline(LONGEST_LINE))
    if not isinstance(about, Mapping) or about.get("guildhouse") != OWN_VERSION:
        raise Unreadable("another-version")
    noun, fields = about.get("resource"), about.get("fields")
    if not isinstance(noun, str) or not isinstance(fields, list) or len(fields) > MOST_COLUMNS:
        raise Unreadable("broken-first-line")
    return noun, [str(each)[:200] for each in fields]


def own_rows(records: Iterable[Any], columns: Sequence[str]) -> Iterator[SourceRow]:
    """The rows of a file in the house's own format: of each line all fields, as they are."""
    known = set(columns)
    for number, record in enumerate(records, 2):
        if isinstance(record, Unreadable):
            yield SourceRow(number, [], record.why)
        elif not isinstance(record, Mapping):
            yield SourceRow(number, [], "no-object")
        else:
            fault = None if record.keys() <= known else "other-fields"
            yield SourceRow(number, [record.get(name) for name in columns], fault)


def one_record(line: str) -> Any:
    """The record of a line."""
    try:
        return orjson.loads(line.encode("utf-8", "surrogateescape"))
    except (orjson.JSONDecodeError, UnicodeError):
        return Unreadable("broken-json")
