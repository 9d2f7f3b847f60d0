"""Facets: how many of the rows found have which value, for the columns that a noun counts.

Each respects all other filters, but not those on its own column: who looks at remote jobs still sees how many there are
on site. A number is counted in bands, a time by how long ago it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from itertools import accumulate
from typing import Any

import sqlalchemy as sa
from tantivy import Query

from guildhouse.kernel.filters import Condition
from guildhouse.kernel.searching.finding import Finding, Found, within_budget
from guildhouse.kernel.searching.index_schema import as_indexed
from guildhouse.kernel.searching.plain_search import words_condition
from guildhouse.kernel.searching.query_building import QueryBuilder
from guildhouse.kernel.searching.ranking import DEEPEST
from guildhouse.kernel.searching.search_filters import filters_of
from guildhouse.kernel.searching.search_index import SearchIndex
from guildhouse.kernel.select import numbered, statement, visible

MOST_VALUES = 20
SPANS = ("1d", "3d", "7d", "14d", "30d", "90d")

Bucket = Mapping[str, Any]


@dataclass(frozen=True)
class Counting:
    """The facets of one search."""

    of: Finding
    names: Sequence[str]
    found: Found | None = None  # None where there are no words to find by

    async def count(self) -> dict[str, list[Bucket]]:
        """The values of each column with their counts, the most frequent first."""
        found = await self.in_index()
        if found is None:
            found = {name: await self.in_database(name) for name in self.names}
        return {name: await self.labelled(name, found[name]) for name in self.names}

    def where(self, name: str) -> list[Condition]:
        """The conditions but for those on this column."""
        return [each for each in self.of.listing.where if each.on is None or each.on[0] != name]

    async def in_index(self) -> dict[str, list[Bucket]] | None:
        """The counts as the index has them; None where it cannot judge all conditions, or counts a row twice."""
        if not self.of.is_in_index or (self.of.noun.split and self.found):
            return None
        filters = {name: filters_of(self.of.schema, self.where(name)) for name in self.names}
        if not all(known for _, known in filters.values()):
            return None
        judged = {name: queries for name, (queries, _) in filters.items()}
        return await self.of.engine.run(self.of.resource.name, lambda index: self.look_up(index, judged))

    def look_up(self, index: SearchIndex, filters: Mapping[str, Sequence[Query]]) -> dict[str, list[Bucket]]:
        """Count in the index; columns that have the same conditions together."""
        filtered = {each.on[0] for each in self.of.listing.where if each.on}
        together: dict[str, list[str]] = {}
        for name in self.names:
            together.setdefault(name if name in filtered else "", []).append(name)
        found: dict[str, list[Bucket]] = {}
        for names in together.values():
            builder = QueryBuilder(index, self.of.engine.house.synonyms_of)
            query = builder.counted(
                self.of.sought.asked, self.of.actor.scopes, filters[names[0]], any_word=self.any_word
            )
            answer = index.searcher.aggregate(query, {name: self.aggregation(name) for name in names})
            found |= {name: self.read(name, answer[name]["buckets"]) for name in names}
        return found

    def aggregation(self, name: str) -> dict[str, Any]:
        """What tantivy is asked to count."""
        field = f"{self.of.noun.name}={name}"
        if self.is_time(name):
            starts = [as_indexed(self.since(name, span)) for span in SPANS]
            spans = zip(SPANS, starts, [None, *starts], strict=False)
            return {"range": {"field": field, "ranges": [{"key": key, **band(low, high)} for key, low, high in spans]}}
        if bands := self.of.resource.find.facets[name]:
            return {"range": {"field": field, "ranges": [band(low, high) for low, high in ends(bands)]}}
        return {"terms": {"field": field, "size": MOST_VALUES}}

    def read(self, name: str, buckets: Sequence[Mapping[str, Any]]) -> list[Bucket]:
        """tantivy's answer as ours."""
        if self.is_time(name):
            counts = {each["key"]: each["doc_count"] for each in buckets}
            sums = accumulate(counts.get(span, 0) for span in SPANS)
            return [{"value": span, "count": count} for span, count in zip(SPANS, sums, strict=True)]
        if bands := self.of.resource.find.facets[name]:
            counts = {(each.get("from"), each.get("to")): each["doc_count"] for each in buckets}
            return [{"from": low, "to": high, "count": counts.get((low, high), 0)} for low, high in ends(bands)]
        return [{"value": each["key"], "count": each["doc_count"]} for each in buckets]

    @property
    def any_word(self) -> bool:
        """Whether rows were found by any of the words, because none has enough of them."""
        return bool(self.found and self.found.ranking and self.found.ranking.any_word)

    def is_time(self, name: str) -> bool:
        """Whether a column holds times, or days."""
        return isinstance(self.of.resource.columns[name].type, sa.DateTime | sa.Date)

    def since(self, name: str, span: str) -> date:
        """The time so many days ago, or the day."""
        then = datetime.now(UTC) - timedelta(days=int(span[:-1]))
        return then if isinstance(self.of.resource.columns[name].type, sa.DateTime) else then.date()

    async def in_database(self, name: str) -> list[Bucket]:
        """The counts of one column as the database has them."""
        where = [visible(self.of.actor), *self.where(name), *await self.found_rows(name)]
        values, counted = self.grouping(name)
        sql, arguments = statement(self.of.resource, values, where)
        fetch = self.of.connection.fetch(numbered(f"SELECT {counted} FROM ({sql}) r{self.grouped(name)}"), *arguments)
        records = await within_budget(fetch)
        if self.is_time(name):
            return [{"value": span, "count": records[0][n]} for n, span in enumerate(SPANS)]
        if bands := self.of.resource.find.facets[name]:
            return [{"from": low, "to": high, "count": records[0][n]} for n, (low, high) in enumerate(ends(bands))]
        return [{"value": as_text(each["value"]), "count": each["count"]} for each in records]

    async def found_rows(self, name: str) -> list[Condition]:
        """The condition of having been found: by a ranking without the filters on this column, or by the words."""
        if self.found is None:
            return []
        listing = replace(self.of.listing, where=tuple(self.where(name)))
        if ranking := await replace(self.of, listing=listing).rank(DEEPEST):
            return [Condition("id = ANY(?)", ([hit.row_id for hit in ranking.hits],))]
        return [words_condition(self.of.resource, self.of.asked, self.of.actor.scopes)]

    def grouping(self, name: str) -> tuple[str, str]:
        """SQL of the values of the rows, and of what is told of them."""
        is_list = isinstance(self.of.resource.columns[name].type, sa.ARRAY)
        values = f'unnest("{name}") AS value' if is_list else f'"{name}" AS value'
        if self.is_time(name):
            told = [f"count(*) FILTER (WHERE value >= '{self.since(name, span).isoformat()}')" for span in SPANS]
        elif bands := self.of.resource.find.facets[name]:
            told = [f"count(*) FILTER (WHERE {in_band(low, high)})" for low, high in ends(bands)]
        else:
            told = ["value", "count(*) AS count"]
        return values, ", ".join(told)

    def grouped(self, name: str) -> str:
        """SQL of the groups of values; none where the counts are of ranges."""
        if self.is_time(name) or self.of.resource.find.facets[name]:
            return ""
        return f" WHERE value IS NOT NULL GROUP BY value ORDER BY count(*) DESC, value LIMIT {MOST_VALUES}"

    async def labelled(self, name: str, buckets: list[Bucket]) -> list[Bucket]:
        """Values that are ids with the titles of their rows, where the actor sees these."""
        target = self.of.engine.house.resources.get(self.of.resource.find.expand.get(name.removesuffix("_id"), ""))
        if not name.endswith("_id") or target is None or not target.find.text:
            return buckets
        title = next(iter(target.find.text))
        where = (Condition("id = ANY(?)", ([each["value"] for each in buckets],)), visible(self.of.actor))
        sql, values = statement(target, f'id, "{title}" AS title', where)
        titles = {each["id"]: each["title"] for each in await self.of.connection.fetch(numbered(sql), *values)}
        return [{**each, "label": titles.get(each["value"])} for each in buckets]


def ends(bands: Sequence[float]) -> list[tuple[float | None, float | None]]:
    """The bands between these numbers, with the open ones at both ends."""
    return list(zip((None, *bands), (*bands, None), strict=True))


def band(low: float | None, high: float | None) -> dict[str, float]:
    """A band as tantivy takes it: the lower end is in it, the upper one is not."""
    return {name: end for name, end in (("from", low), ("to", high)) if end is not None}


def in_band(low: float | None, high: float | None) -> str:
    """SQL of the same."""
    parts = [f"value >= {low}" if low is not None else "", f"value < {high}" if high is not None else ""]
    return " AND ".join(filter(None, parts))


def as_text(value: Any) -> Any:
    """A value as a filter takes it."""
    return ("true" if value else "false") if isinstance(value, bool) else value
