"""Page tables: the tables of an HTML page, which many systems call `.xls`, and of a workbook of Excel 2003 in XML.

Read by the tags alone, however well they are nested; entities of a file's own are never resolved. The largest table counts.
"""

import re
from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from guildhouse.kernel.importing.sources import (
    LARGEST_JSON,
    MOST_COLUMNS,
    Found,
    SourceRow,
    Unreadable,
    decodes,
    encoding_of,
    made_row,
    opened_text,
)

MOST_SPANNED = 10_000  # rows of one merged cell
PIECE = 1 << 16
BREAKS = frozenset(("br", "p", "div", "li"))
SILENT = frozenset(("script", "style"))
CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?([A-Za-z0-9_-]{1,40})", re.IGNORECASE)
Attributes = Mapping[str, str | None]


class Grid:
    """One table while it is read: its rows so far, the one that is open, and the cells that reach down into it."""

    def __init__(self) -> None:
        self.rows: list[list[str]] = []
        self.row: list[str] | None = None
        self.text: list[str] | None = None
        self.below: dict[int, tuple[int, str]] = {}
        self.down = self.wide = 1

    def begin_row(self) -> None:
        """A row; the one before it ends where nobody has said so."""
        self.end_row()
        self.row = []

    def begin_cell(self, said: Attributes) -> None:
        """A cell, merged over so many rows and columns; `ss:Index` is the column where a workbook goes on."""
        self.end_cell()
        if self.row is None:
            self.row = []
        self.row += [""] * (min(number(said, "ss:index", 0), MOST_COLUMNS) - 1 - len(self.row))
        self.reach_down(self.row)
        self.text = []
        self.wide = min(max(number(said, "colspan", 1), number(said, "ss:mergeacross", 0) + 1, 1), MOST_COLUMNS)
        self.down = min(max(number(said, "rowspan", 1), number(said, "ss:mergedown", 0) + 1, 1), MOST_SPANNED)

    def reach_down(self, row: list[str]) -> None:
        """Say in this row what the merged cells say that reach down into it next."""
        while len(row) in self.below:
            left, text = self.below.pop(len(row))
            if left > 1:
                self.below[len(row)] = (left - 1, text)
            row.append(text)

    def end_cell(self) -> None:
        """The text of the open cell, in its first column."""
        if self.text is None or self.row is None:
            return
        lines = [" ".join(line.split()) for line in "".join(self.text).split("\n")]
        text, self.text = "\n".join(lines).strip(), None
        if self.down > 1:
            self.below[len(self.row)] = (self.down - 1, text)
        self.row += [text, *[""] * (self.wide - 1)]

    def end_row(self) -> None:
        """The open row is whole."""
        self.end_cell()
        if self.row is not None:
            self.reach_down(self.row)
            self.rows.append(self.row)
            self.row = None

    def size(self) -> int:
        """How many cells are filled."""
        return sum(cell != "" for row in self.rows for cell in row)


def number(said: Attributes, name: str, otherwise: int) -> int:
    """A number in a tag."""
    text = (said.get(name) or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else otherwise


class Tables(HTMLParser):
    """Collects the tables of a page; one inside of another is a table of its own."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[Grid] = []
        self.found: list[Grid] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A table, a row, a cell, or a new line in one."""
        if tag in SILENT:
            self.silent += 1
        elif tag == "table":
            self.open.append(Grid())
            self.found.append(self.open[-1])
        elif self.open and tag in ("tr", "row"):
            self.open[-1].begin_row()
        elif self.open and tag in ("td", "th", "cell"):
            self.open[-1].begin_cell(dict(attrs))
        elif tag in BREAKS:
            self.handle_data("\n")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An empty cell, as XML has it."""
        self.handle_starttag(tag, attrs)
        self.handle_endtag(tag)

    def handle_endtag(self, tag: str) -> None:
        """The end of what is open."""
        if tag in SILENT:
            self.silent = max(0, self.silent - 1)
        elif self.open and tag == "table":
            self.open.pop().end_row()
        elif self.open and tag in ("tr", "row"):
            self.open[-1].end_row()
        elif self.open and tag in ("td", "th", "cell"):
            self.open[-1].end_cell()

    def handle_data(self, data: str) -> None:
        """What a cell says."""
        if self.open and not self.silent and self.open[-1].text is not None:
            self.open[-1].text.append(data)


def look_at_page(path: Path, said: Mapping[str, Any]) -> Found:
    """The encoding of a page: what it is written in, if that can be told, else what it says itself."""
    if path.stat().st_size > LARGEST_JSON:
        raise Unreadable("page-too-large")
    encoding, bom = encoding_of(path)
    raw = path.read_bytes()
    if encoding != "utf-8" and (told := CHARSET.search(raw[: 1 << 16])) and is_written_in(raw, told[1].decode()):
        encoding = told[1].decode().lower()
    return Found("html", said.get("encoding") or encoding, bom)


def is_written_in(raw: bytes, encoding: str) -> bool:
    """Whether a page can be read in the encoding that it names."""
    try:
        return decodes(raw, encoding)
    except LookupError:
        return False


def page_rows(path: Path, found: Found) -> Iterator[SourceRow]:
    """The rows of the page's largest table. Raises `Unreadable` for a page without any."""
    reader = Tables()
    with opened_text(path, str(found.encoding)) as file:
        while piece := file.read(PIECE):
            reader.feed(piece)
    reader.close()
    for grid in reader.open:  # cut off in the middle
        grid.end_row()
    if not any(grid.size() for grid in reader.found):
        raise Unreadable("no-table")
    largest = max(reader.found, key=Grid.size)
    yield from (made_row(line, cells) for line, cells in enumerate(largest.rows, 1))
