"""The workbook: a list as XLSX, written row by row into a temporary file and sent from there.

Texts are texts, never formulas or links; times are Excel's own, in UTC; the first line stays in sight.
"""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from guildhouse.kernel.exporting.fetching import fetched_rows
from guildhouse.kernel.exporting.snapshot import Snapshot
from guildhouse.kernel.exporting.telling import Telling
from guildhouse.kernel.exporting.wanted import Wanted
from guildhouse.kernel.exporting.words import headings, noun_of
from guildhouse.kernel.formats import dumps, flat, joined

MOST_ROWS = 1_048_575  # and the line of headings: no worksheet has more
LONGEST_TEXT = 32_767
CUT = " […]"
EXACT = 2**53  # larger whole numbers are no numbers of a workbook
FIRST_YEAR = 1900
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
PIECE = 1 << 18
SETTINGS = {
    "constant_memory": True,
    "strings_to_formulas": False,
    "strings_to_urls": False,
    "strings_to_numbers": False,
    "nan_inf_to_errors": False,
}


class Book:
    """A workbook that is being written, one row after the other."""

    def __init__(self, path: Path, title: str, names: Sequence[str]) -> None:
        import xlsxwriter  # type: ignore[import-untyped]  # noqa: PLC0415 - only workbooks pay for it

        self.book = xlsxwriter.Workbook(str(path), {**SETTINGS, "tmpdir": str(path.parent)})
        self.book.set_properties({"title": title})
        self.sheet = self.book.add_worksheet(sheet_name(title))
        self.moment = self.book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
        self.day = self.book.add_format({"num_format": "yyyy-mm-dd"})
        self.columns, self.written = len(names), 0
        self.sheet.freeze_panes(1, 0)
        for n, name in enumerate(names):
            self.sheet.set_column(n, n, min(40, max(12, 2 * len(name))))
            self.sheet.write_string(0, n, name, self.book.add_format({"bold": True, "bottom": 1}))

    def add(self, rows: Sequence[Sequence[Any]]) -> None:
        """Write some more rows."""
        for row in rows:
            self.written += 1
            for n, value in enumerate(row):
                if value is not None:
                    self.put(self.written, n, value)

    def put(self, row: int, column: int, value: Any) -> None:
        """Write one cell as what it is."""
        if isinstance(value, bool):
            self.sheet.write_boolean(row, column, value)
        elif isinstance(value, int | float) and abs(value) < EXACT:
            self.sheet.write_number(row, column, value)
        elif isinstance(value, datetime) and value.year >= FIRST_YEAR:
            self.sheet.write_datetime(row, column, value.astimezone(UTC).replace(tzinfo=None), self.moment)
        elif isinstance(value, date) and not isinstance(value, datetime) and value.year >= FIRST_YEAR:
            self.sheet.write_datetime(row, column, value, self.day)
        else:
            self.sheet.write_string(row, column, as_text(value))

    def close(self) -> None:
        """Finish the file."""
        self.sheet.autofilter(0, 0, self.written, max(self.columns - 1, 0))
        self.book.close()


def sheet_name(title: str) -> str:
    """A title as the name of a worksheet: without the signs that Excel refuses, and not long."""
    return re.sub(r"[\[\]:*?/\\']", " ", title)[:31].strip() or "1"


def as_text(value: Any) -> str:
    """A value as the text of a cell, without what XML cannot hold, and cut where a cell ends."""
    if isinstance(value, list):
        value = joined(value)
    text = NOT_XML.sub("", value if isinstance(value, str) else dumps(value).decode().strip('"'))
    return text if units(text) <= LONGEST_TEXT else text[: (LONGEST_TEXT - len(CUT)) // 2] + CUT


def units(text: str) -> int:
    """The length of a text as Excel counts it: letters outside the first plane are two."""
    return len(text.encode("utf-16-le")) // 2


async def encode_workbook(view: Snapshot, wanted: Wanted, telling: Telling) -> AsyncIterator[bytes]:
    """The whole list as a workbook. Threads write it, so that other requests go on."""
    with TemporaryDirectory(prefix="guildhouse-export-") as place:
        path = Path(place) / "book.xlsx"
        names = headings(wanted, telling.language)
        book = await asyncio.to_thread(Book, path, noun_of(wanted.resource.name, telling.language), names)
        async for rows in fetched_rows(view.connection, telling.actor, wanted):
            await asyncio.to_thread(book.add, [flat(row, wanted.paths) for row in rows])
            await telling.heard(len(rows))
        await asyncio.to_thread(book.close)
        with path.open("rb") as file:
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece
