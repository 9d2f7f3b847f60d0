"""The kinds of facets: values, bands of numbers, and how long ago. Each is asked of the index and of the database alike."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any, Protocol

import sqlalchemy as sa

from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.index_schema import as_indexed

MOST_VALUES = 20
SPANS = ("1d", "3d", "7d", "14d", "30d", "90d")

Bucket = Mapping[str, Any]
Facets = dict[str, list[Bucket]]  # by column
Ends = tuple[float | None, float | None]


class FacetKind(Protocol):
    """How the values of a column are counted."""

    def aggregation(self, field: str) -> dict[str, Any]:
        """What tantivy is asked to count."""

    def of_index(self, buckets: Sequence[Mapping[str, Any]]) -> list[Bucket]:
        """tantivy's answer as ours."""

    def sql(self, rows: str) -> str:
        """The statement that counts the column `value` of some rows."""

    def of_database(self, records: Sequence[Any]) -> list[Bucket]:
        """What it found as ours."""


def facet_kind(resource: Resource[Any], name: str) -> FacetKind:
    """How a column is counted, by its type and its declaration."""
    kind = resource.columns[name].type
    if isinstance(kind, sa.DateTime | sa.Date):
        return Ages(isinstance(kind, sa.DateTime))
    bands = resource.find.facets[name]
    return Bands(bands) if bands else Values()


class Values:
    """The most frequent values."""

    def aggregation(self, field: str) -> dict[str, Any]:
        """What tantivy is asked to count."""
        return {"terms": {"field": field, "size": MOST_VALUES}}

    def of_index(self, buckets: Sequence[Mapping[str, Any]]) -> list[Bucket]:
        """tantivy's answer as ours."""
        return [{"value": each["key"], "count": each["doc_count"]} for each in buckets]

    def sql(self, rows: str) -> str:
        """The statement that counts the column `value` of some rows."""
        counted = f"SELECT value, count(*) AS count FROM ({rows}) r WHERE value IS NOT NULL"
        return f"{counted} GROUP BY value ORDER BY count(*) DESC, value LIMIT {MOST_VALUES}"

    def of_database(self, records: Sequence[Any]) -> list[Bucket]:
        """What it found as ours; a truth as a filter takes it."""
        return [{"value": as_text(each["value"]), "count": each["count"]} for each in records]


class Bands:
    """Numbers by the band that they are in: its lower end is in it, its upper one is not."""

    def __init__(self, bands: Sequence[float]) -> None:
        self.ends: list[Ends] = list(zip((None, *bands), (*bands, None), strict=True))

    def aggregation(self, field: str) -> dict[str, Any]:
        """What tantivy is asked to count."""
        return {"range": {"field": field, "ranges": [band(low, high) for low, high in self.ends]}}

    def of_index(self, buckets: Sequence[Mapping[str, Any]]) -> list[Bucket]:
        """tantivy's answer as ours."""
        counts = {(each.get("from"), each.get("to")): each["doc_count"] for each in buckets}
        return [{"from": low, "to": high, "count": counts.get((low, high), 0)} for low, high in self.ends]

    def sql(self, rows: str) -> str:
        """The statement that counts the column `value` of some rows."""
        return counting([in_band(low, high) for low, high in self.ends], rows)

    def of_database(self, records: Sequence[Any]) -> list[Bucket]:
        """What it found as ours."""
        return [{"from": low, "to": high, "count": records[0][n]} for n, (low, high) in enumerate(self.ends)]


class Ages:
    """Times, or days, by how long ago they are: each span has the shorter ones in it."""

    def __init__(self, is_moment: bool) -> None:
        now = datetime.now(UTC)
        starts = [now - timedelta(days=int(span[:-1])) for span in SPANS]
        self.starts: list[date] = [*starts] if is_moment else [each.date() for each in starts]

    def aggregation(self, field: str) -> dict[str, Any]:
        """What tantivy is asked to count: the spans side by side, for it knows none that overlap."""
        lows = [as_indexed(each) for each in self.starts]
        spans = zip(SPANS, lows, [None, *lows], strict=False)
        return {"range": {"field": field, "ranges": [{"key": key, **band(low, high)} for key, low, high in spans]}}

    def of_index(self, buckets: Sequence[Mapping[str, Any]]) -> list[Bucket]:
        """tantivy's answer as ours."""
        counts = {each["key"]: each["doc_count"] for each in buckets}
        sums = accumulate(counts.get(span, 0) for span in SPANS)
        return [{"value": span, "count": count} for span, count in zip(SPANS, sums, strict=True)]

    def sql(self, rows: str) -> str:
        """The statement that counts the column `value` of some rows."""
        return counting([f"value >= '{each.isoformat()}'" for each in self.starts], rows)

    def of_database(self, records: Sequence[Any]) -> list[Bucket]:
        """What it found as ours."""
        return [{"value": span, "count": records[0][n]} for n, span in enumerate(SPANS)]


def counting(tests: Sequence[str], rows: str) -> str:
    """The statement that counts the rows of each test."""
    counts = ", ".join(f"count(*) FILTER (WHERE {test})" for test in tests)
    return f"SELECT {counts} FROM ({rows}) r"


def band(low: float | None, high: float | None) -> dict[str, float]:
    """A band as tantivy takes it."""
    return {name: end for name, end in (("from", low), ("to", high)) if end is not None}


def in_band(low: float | None, high: float | None) -> str:
    """SQL of the same."""
    parts = [f"value >= {low}" if low is not None else "", f"value < {high}" if high is not None else ""]
    return " AND ".join(filter(None, parts))


def as_text(value: Any) -> Any:
    """A value as a filter takes it."""
    return ("true" if value else "false") if isinstance(value, bool) else value
