"""Converting: a file as rows of JSON, one on each line, and a summary. The program of a process that may die of its input.

It is started by `unpacking.py` with limits on memory and time. Rows go to standard output as `[line, fault, cells]`; the
summary, or why the file cannot be read, is the last line of standard error.
"""

import re
import resource
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import orjson

import guildhouse
from guildhouse.kernel.importing import documents, page_tables, sources
from guildhouse.kernel.importing.documents import ForeignShape
from guildhouse.kernel.importing.sources import Found, SourceRow, Unreadable
from guildhouse.kernel.importing.table_rows import table_of

PROFILED = 5000  # rows whose cells are looked at for the suggestions
SAMPLES = 5
MEMORY = 1 << 30  # bytes of address space, most of them never touched
SECONDS = 1200
MOST_ROWS = 5_000_000
PACKAGE = Path(guildhouse.__file__).parent

Rows = Iterator[SourceRow]
# The shapes that the resource knows: they are imported for a document only.
Shapes = Callable[[], Sequence[ForeignShape]]


def main() -> None:
    """Convert the file of the arguments: its path, its name, and as JSON what was said of it and the shapes to know."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    path, name, asked = Path(sys.argv[1]), sys.argv[2], orjson.loads(sys.argv[3])
    try:
        summary = convert(path, name, asked["said"], lambda: [imported(each) for each in asked["shapes"]], write)
    except Unreadable as error:
        summary = {"why": error.why, "known": error.known}
    except MemoryError:
        summary = {"why": "too-large-for-its-kind"}
    sys.stdout.flush()
    sys.stderr.buffer.write(b"\n" + orjson.dumps(summary))


def imported(place: str) -> ForeignShape:
    """A shape by the place of its declaration: `guildhouse.jobs.boards:GREENHOUSE`.

    The file is loaded alone, without the domain that it is in: that takes longer than most files take to read.
    """
    module, _, name = place.partition(":")
    if module not in sys.modules:
        path = PACKAGE.parent.joinpath(*module.split(".")).with_suffix(".py")
        spec = spec_from_file_location(module, path)
        if spec is None or spec.loader is None:
            raise ImportError(module)
        sys.modules[module] = module_from_spec(spec)
        spec.loader.exec_module(sys.modules[module])
    found: ForeignShape = getattr(sys.modules[module], name)
    return found


def write(row: SourceRow) -> None:
    """One row to standard output."""
    line = orjson.dumps([row.line, row.fault, row.cells], default=str, option=orjson.OPT_APPEND_NEWLINE)
    sys.stdout.buffer.write(line)


def convert(
    path: Path, name: str, said: Mapping[str, Any], shapes: Shapes, emit: Callable[[SourceRow], None]
) -> dict[str, Any]:
    """Emit every row of a file; the summary says what it was found to be, and what is in its columns."""
    with path.open("rb") as file:
        head = file.read(sources.SAMPLE)
    format_ = said.get("format") or sources.format_of(head, name)
    found, columns, rows = opened(path, format_, said, shapes)
    profile, total = Profile(columns), 0
    for row in rows:
        if total < PROFILED:
            profile.look_at(row)
        total += 1
        if total > MOST_ROWS:
            raise Unreadable("too-many-rows")
        emit(mended(row))
    return {"found": asdict(found), "columns": profile.told(), "total": total}


def mended(row: SourceRow) -> SourceRow:
    """The row as JSON can hold it: what was no character in the file's encoding is shown as such, and is a fault."""
    if not row.fault and not any(isinstance(cell, str) and not cell.isascii() for cell in row.cells):
        return row
    cells = [shown(cell) for cell in row.cells]
    fault = row.fault or ("wrong-encoding" if cells != row.cells else None)
    return SourceRow(row.line, cells, fault)


def shown(cell: Any) -> Any:
    """A cell without lone surrogates."""
    return cell.encode("utf-8", "surrogateescape").decode("utf-8", "replace") if isinstance(cell, str) else cell


def opened(path: Path, format_: str, said: Mapping[str, Any], shapes: Shapes) -> tuple[Found, list[str], Rows]:
    """What the file is, its columns (a list that may grow), and its rows."""
    if format_ == "csv":
        found = sources.look_at_csv(path, said)
        return found, *table_of(csv_of(path, found), found, said)
    if format_ in sources.WORKBOOKS:
        found = sources.look_at_workbook(path, format_, said)
        return found, *table_of(sources.workbook_rows(path, found), found, said)
    columns: list[str] = []
    if format_ == "ndjson":
        encoding, bom = sources.encoding_of(path)
        found = Found("ndjson", said.get("encoding") or encoding, bom)
        return found, columns, documents.record_rows(lines_of(path, found), columns)
    if format_ == "guildhouse":
        with sources.opened_text(path, "utf-8") as file:
            noun, columns = documents.own_header(file)
        return Found("guildhouse", "utf-8", holds=noun), columns, documents.own_rows(own_lines(path), columns)
    if format_ == "html" and not documents.speaks_in_scripts(path):
        found = page_tables.look_at_page(path, said)
        return found, *table_of(page_tables.page_rows(path, found), found, said)
    return opened_document(path, format_, said, shapes)


def opened_document(path: Path, format_: str, said: Mapping[str, Any], shapes: Shapes) -> tuple[Found, list[str], Rows]:
    """The same of a file that is one document: of a shape that is known, or JSON of any other."""
    if format_ not in ("json", "html", "zip"):
        raise Unreadable("unknown-format")
    columns: list[str] = []
    document = documents.load_document(path, format_)
    shape = documents.shape_of(document, shapes(), said.get("shape"))
    if format_ in ("html", "zip") and shape is None:
        raise Unreadable("unknown-shape")
    records = shape.rows(document) if shape else documents.records_in(document)
    found = Found(format_, shape=shape.name if shape else None)
    return found, columns, documents.record_rows(guarded(records), columns)


def guarded(records: Any) -> Iterator[Any]:
    """The records; a document that is not as its shape promised is one that cannot be read."""
    try:
        yield from records
    except (TypeError, KeyError, ValueError, AttributeError, IndexError) as error:
        raise Unreadable("wrong-shape") from error


def csv_of(path: Path, found: Found) -> Rows:
    """The rows of a CSV, without the line that Excel puts before them."""
    with sources.opened_text(path, str(found.encoding)) as file:
        start = file.tell()
        if not re.match(r"sep=.\r?\n?$", file.readline(8)):
            file.seek(start)
        yield from sources.csv_rows(file, found)


def lines_of(path: Path, found: Found) -> Iterator[Any]:
    """The records of NDJSON."""
    with sources.opened_text(path, str(found.encoding)) as file:
        yield from documents.line_records(file)


def own_lines(path: Path) -> Iterator[Any]:
    """The records behind the first line."""
    with sources.opened_text(path, "utf-8") as file:
        file.readline()
        yield from documents.line_records(file)


def holds_nul(cell: Any) -> bool:
    """Whether a NUL is in a cell: the database keeps none, not even as an example of what is in a column."""
    return "\0" in cell if isinstance(cell, str) else b"\\u0000" in orjson.dumps(cell, default=str)


class Profile:
    """What is in each column of the first rows: how many cells are filled, and some of them."""

    def __init__(self, columns: list[str]) -> None:
        self.columns = columns
        self.filled: list[int] = []
        self.seen: list[dict[str, Any]] = []

    def look_at(self, row: SourceRow) -> None:
        """Count a row."""
        if row.fault:
            return
        for _ in range(len(row.cells) - len(self.filled)):
            self.filled.append(0)
            self.seen.append({})
        for place, cell in enumerate(row.cells):
            if cell not in ("", None, []) and not holds_nul(cell):
                self.filled[place] += 1
                if len(self.seen[place]) < 200:
                    self.seen[place].setdefault(str(cell)[:200], cell if not isinstance(cell, str) else cell[:200])

    def told(self) -> list[dict[str, Any]]:
        """Each column: its place, its name, how many of the first rows fill it, and up to 200 of their values."""
        width = max(len(self.columns), len(self.filled))
        names = [*self.columns, *[""] * (width - len(self.columns))]
        return [
            {
                "column": place,
                "name": shown(name).replace("\0", "\ufffd"),
                "filled": self.filled[place] if place < len(self.filled) else 0,
                "values": [shown(each) for each in self.seen[place].values()] if place < len(self.seen) else [],
            }
            for place, name in enumerate(names)
        ]


if __name__ == "__main__":
    main()
