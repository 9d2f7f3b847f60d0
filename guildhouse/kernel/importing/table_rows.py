"""Table rows: which row of a table names its columns, what stands above it, and which row only adds up the others.

Tables are made for people's eyes: with a title over them, a line of totals below, one cell for several rows.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, islice
from typing import Any

from guildhouse.kernel.importing.sources import Found, SourceRow

AHEAD = 40  # filled rows that are looked at to find the header
MOST_ABOVE = 10  # of them that may stand above it
VALUE = re.compile(r"[\d\s.,:/+$€%-]*\d[\d\s.,:/+$€%-]*|\S+@\S+\.\S+|https?://\S+|true|false", re.IGNORECASE)
TOTALS = frozenset(
    (
        "total",
        "totals",
        "grand total",
        "subtotal",
        "sum",
        "average",
        "summe",
        "gesamt",
        "合計",
        "合计",
        "總計",
        "总计",
        "小計",
        "小计",
        "總和",
        "平均",
    )
)
# What stands behind a sum: 120, NT$ 3,600, 85%, 300 人.
SUM = re.compile(r"[^\w]*(?:nt|us)?[^\w]*\d[\d\s.,%]*\s*\w{0,3}", re.IGNORECASE)


def table_of(rows: Iterator[SourceRow], found: Found, said: Mapping[str, Any]) -> tuple[list[str], Iterator[SourceRow]]:
    """The names of the columns, and the rows under them without the blank ones. `found` tells which row it was."""
    filled = (row for row in rows if row.fault or count(row))
    if line := said.get("header_line"):
        filled = (row for row in filled if row.line >= line)
    first = list(islice(filled, AHEAD))
    place = 0 if line else header_place(first)
    header = said.get("header")
    if header is None:
        header = bool(line) or found.format != "csv" or not first or names_columns(first[place])
    found.header = bool(header)
    if not header or not first:
        return [], chain(first, filled)
    found.header_line = first[place].line
    found.above = [" ".join(texts(row))[:200] for row in first[:place]]
    names = [str(cell).strip()[:200] if cell is not None else "" for cell in first[place].cells]
    return names, map(without_totals, chain(first[place + 1 :], filled))


def texts(row: SourceRow) -> list[str]:
    """What stands in the cells of a row that are filled."""
    return [said for cell in row.cells if cell is not None and (said := str(cell).strip())]


def count(row: SourceRow) -> int:
    """How many cells of a row are filled."""
    return sum(cell not in ("", None) for cell in row.cells)


def names_columns(row: SourceRow) -> bool:
    """Whether a row has words in its cells, no values."""
    return not any(VALUE.fullmatch(said) for said in texts(row))


def header_place(rows: Sequence[SourceRow]) -> int:
    """Where among the first rows the header is: the first, unless that has a cell or two over a table of many columns."""
    widths = sorted(len(texts(row)) for row in rows[1:] if not row.fault)
    usual = widths[int(len(widths) * 0.75)] if widths else 0
    for place, row in enumerate(rows[: MOST_ABOVE + 1]):
        if not is_above(row, usual):
            return place if len(texts(row)) * 2 > usual and (place == 0 or names_columns(row)) else 0
    return 0


def is_above(row: SourceRow, usual: int) -> bool:
    """Whether a row is a title, a day or a note, and no row of a table that is usually so wide."""
    width = len(texts(row))
    return not row.fault and ((width == 1 and usual >= 3) or (width == 2 and usual >= 5))


def without_totals(row: SourceRow) -> SourceRow:
    """The row; one that only adds up the others is a fault."""
    if row.fault or not row.cells:
        return row
    first, *rest = texts(row) or [""]
    sums = first.rstrip(" :：").lower() in TOTALS and all(SUM.fullmatch(each) for each in rest)
    return replace(row, fault="totals") if sums and len(row.cells) > 1 else row
