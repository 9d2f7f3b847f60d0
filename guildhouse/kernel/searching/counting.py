"""Facets: how many of the rows found have which value, for the columns that a noun counts.

Each respects all other filters, but not those on its own column: who looks at remote jobs still sees how many there are
on site. So columns that are filtered by are counted one by one, and all others together.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import TypeAlias

import sqlalchemy as sa
from tantivy import Query

from guildhouse.kernel.filters import Condition
from guildhouse.kernel.searching.engine import BUDGET, within_budget
from guildhouse.kernel.searching.facet_kinds import Bucket, FacetKind, Facets, facet_kind
from guildhouse.kernel.searching.finding import Counts, Finding, Found, with_ids
from guildhouse.kernel.searching.query_building import QueryBuilder
from guildhouse.kernel.searching.search_filters import filters_of
from guildhouse.kernel.select import numbered, statement, visible


@dataclass(frozen=True)
class Group:
    """Columns that are counted under the same conditions."""

    names: Sequence[str]
    where: Sequence[Condition]


Filtered: TypeAlias = tuple[Group, Sequence[Query]]


@dataclass(frozen=True)
class Counting:
    """The facets of one search."""

    of: Finding
    names: Sequence[str]
    found: Found | None = None  # None where there are no words to find by

    async def count(self) -> Facets:
        """The values of each column with their counts, the most frequent first."""
        found = await self.in_index()
        if found is None:
            found = {name: each for group in self.groups for name, each in (await self.in_database(group)).items()}
        return {name: await self.labelled(name, found[name]) for name in self.names}

    @cached_property
    def kinds(self) -> Mapping[str, FacetKind]:
        """How each column is counted."""
        return {name: facet_kind(self.of.resource, name) for name in self.names}

    @cached_property
    def groups(self) -> Sequence[Group]:
        """The columns with the conditions that they respect."""
        where = self.of.listing.where
        filtered = {each.on[0] for each in where if each.on}
        others = [name for name in self.names if name not in filtered]
        alone = [
            Group([name], [each for each in where if each.on is None or each.on[0] != name])
            for name in self.names
            if name in filtered
        ]
        return [*alone, Group(others, where)] if others else alone

    def beside_hits(self) -> Counts | None:
        """What counts while the hits of a first page are looked up: by the same words, and in the same turn; if it can."""
        asked = None if self.of.listing.cursor else self.judged()
        return partial(self.look_up, asked) if asked else None

    async def in_index(self) -> Facets | None:
        """The counts as the index has them: those of a first page it has told with the hits. None where it cannot tell."""
        ranking = self.found.ranking if self.found else None
        if ranking and ranking.counted is not None and not self.of.listing.cursor:
            return ranking.counted
        asked, any_word = self.judged(), bool(ranking and ranking.any_word)
        if asked is None:
            return None
        synonyms = self.of.engine.house.synonyms_of
        return await self.of.engine.run(
            self.of.resource.name, lambda index: self.look_up(asked, QueryBuilder(index, synonyms), any_word)
        )

    def judged(self) -> Sequence[Filtered] | None:
        """The groups, each with its conditions as the index judges them; None where it cannot, or counts a row twice."""
        if not self.of.is_in_index or (self.of.noun.split and self.of.sought.asked):
            return None
        judged = [filters_of(self.of.schema, group.where) for group in self.groups]
        if not all(known for _, known in judged):
            return None
        return [(group, queries) for group, (queries, _) in zip(self.groups, judged, strict=True)]

    def look_up(self, asked: Iterable[Filtered], builder: QueryBuilder, any_word: bool) -> Facets:
        """Count in the index."""
        found: Facets = {}
        for group, filters in asked:
            query = builder.counted(self.of.sought.asked, self.of.actor.scopes, filters, any_word=any_word)
            wanted = {name: self.kinds[name].aggregation(f"{self.of.noun.name}={name}") for name in group.names}
            answer = builder.index.searcher.aggregate(query, wanted)
            found |= {name: self.kinds[name].of_index(answer[name]["buckets"]) for name in group.names}
        return found

    async def in_database(self, group: Group) -> Facets:
        """The counts as the database has them."""
        where = [visible(self.of.resource, self.of.actor), *group.where]
        if self.found:
            listing = replace(self.of.listing, where=tuple(group.where))
            where.append(await replace(self.of, listing=listing).condition())
        found: Facets = {}
        for name in group.names:
            rows, values = statement(self.of.resource, self.values_of(name), where)
            fetch = self.of.connection.fetch(numbered(self.kinds[name].sql(rows)), *values)
            found[name] = self.kinds[name].of_database(await within_budget(fetch, BUDGET))
        return found

    def values_of(self, name: str) -> str:
        """SQL of a column's values, those of a list one by one."""
        is_list = isinstance(self.of.resource.columns[name].type, sa.ARRAY)
        return f'unnest("{name}") AS value' if is_list else f'"{name}" AS value'

    async def labelled(self, name: str, buckets: list[Bucket]) -> list[Bucket]:
        """Values that are ids with the titles of their rows, where the actor sees these."""
        target = self.of.engine.house.resources.get(self.of.resource.find.expand.get(name.removesuffix("_id"), ""))
        if not name.endswith("_id") or target is None or not target.find.text:
            return buckets
        title = next(iter(target.find.text))
        where = (with_ids([each["value"] for each in buckets]), visible(target, self.of.actor))
        sql, values = statement(target, f'id, "{title}" AS title', where)
        titles = {each["id"]: each["title"] for each in await self.of.connection.fetch(numbered(sql), *values)}
        return [{**each, "label": titles.get(each["value"])} for each in buckets]
