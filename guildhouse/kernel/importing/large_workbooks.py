"""Large workbooks: read row by row, in memory that does not grow with the sheet, and several times slower than others.

The quick reader holds a whole sheet, 1.6 bytes for each byte that the workbook unpacks to. Cells come out as it gives
them; only a column that is blank from top to bottom stays, where it is the first.
"""

import zipfile
from collections.abc import Iterator
from datetime import datetime, time
from functools import lru_cache
from pathlib import Path
from typing import Any

LARGE = 128 << 20  # bytes of sheets and texts, unpacked


def is_large(path: Path) -> bool:
    """Whether the sheets and texts of a workbook are too much to be held at once; of older kinds none is."""
    if not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        parts = [
            each for each in archive.infolist() if each.filename.startswith(("xl/worksheets/", "xl/sharedStrings"))
        ]
    return sum(each.file_size for each in parts) > LARGE


@lru_cache(1)  # its texts are read when it is opened
def opened_large(path: Path) -> Any:
    """The workbook, opened to be read from beginning to end. It resolves no entities and runs no formulas."""
    import openpyxl  # noqa: PLC0415 - only files of this size pay for it

    return openpyxl.load_workbook(path, read_only=True, data_only=True, keep_links=False)


def large_rows(path: Path, sheet: str | None) -> Iterator[list[Any]]:
    """The rows of a sheet, from the first on, blank ones too, each at least as wide as those before it."""
    from openpyxl.cell.cell import ERROR_CODES  # noqa: PLC0415

    found, width = opened_large(path)[sheet], 0
    found.reset_dimensions()  # what a file says of its size need not be so
    for values in found.iter_rows(values_only=True):
        width = max(width, len(values))
        yield [as_quick_reader(each, ERROR_CODES) for each in values] + [""] * (width - len(values))


def as_quick_reader(cell: Any, errors: tuple[str, ...]) -> Any:
    """A cell as the quick reader gives it: nothing and errors as no text, a moment without a time as a day."""
    if cell is None or (isinstance(cell, str) and cell in errors):
        return ""
    return cell.date() if isinstance(cell, datetime) and cell.time() == time() else cell
