"""Finding: a page of the rows that a search found. The index says which and in which order; the database judges each row
again, by the scopes and by every filter, and has its values: an index that is behind can leave out, but never show."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from operator import itemgetter
from typing import Any, TypeAlias

import asyncpg
from tantivy import Query

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.db import Connection
from guildhouse.kernel.fields import Selection
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.pages import Cursor, CursorMismatch, ordered_by
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.engine import BUDGET, Engine, within_budget
from guildhouse.kernel.searching.facet_kinds import Facets
from guildhouse.kernel.searching.index_schema import Noun, NounSchema
from guildhouse.kernel.searching.plain_search import words_condition
from guildhouse.kernel.searching.query_building import QueryBuilder
from guildhouse.kernel.searching.ranking import DEEPEST, FIRST, FURTHER, Ranking
from guildhouse.kernel.searching.search_filters import filters_of
from guildhouse.kernel.searching.search_index import SearchIndex
from guildhouse.kernel.searching.search_query import Asked
from guildhouse.kernel.searching.sought import Sought
from guildhouse.kernel.select import LIVE, TRASH, Listing, Page, columns_for, fetch_page, numbered, statement, visible

INDEX, DATABASE = "index", "database"
Counts: TypeAlias = Callable[[QueryBuilder, bool], Facets]
PATIENCE = 10.0  # seconds of a search without an index: it reads the text of every row


@dataclass(frozen=True)
class Found:
    """A page, and the ranking that it is of; none where the database searched."""

    page: Page
    ranking: Ranking | None = None
    scores: Sequence[float] = ()  # of the rows of the page

    @property
    def engine(self) -> str:
        """What searched."""
        return INDEX if self.ranking else DATABASE

    @property
    def total(self) -> int | None:
        """How many rows there are in all, where that is known."""
        return self.ranking.total if self.ranking else None


@dataclass(frozen=True)
class Finding:
    """One search of a list, for one actor. `counts` values of what is found where that is looked up, if it can be."""

    engine: Engine
    connection: Connection
    resource: Resource[Any]
    actor: Actor
    listing: Listing
    sought: Sought
    counts: Counts | None = None

    @property
    def asked(self) -> Asked:
        """The words."""
        assert self.sought.asked
        return self.sought.asked

    @property
    def schema(self) -> NounSchema:
        """The schema of the noun's index."""
        return self.engine.schema.schemas[self.resource.name]

    @property
    def noun(self) -> Noun:
        """The noun in the index."""
        return self.schema.noun

    @property
    def is_in_index(self) -> bool:
        """Whether the rows asked for can be in the index: the trash is not."""
        return LIVE in self.listing.where

    @property
    def read(self) -> Selection:
        """What is read of each row: the fields that are answered, and the text in which words are to be highlighted."""
        selection = self.listing.selection
        text = self.resource.find.text if self.sought.highlights else ()
        return replace(selection, fields=tuple(dict.fromkeys(("id", *selection.fields, *text))))

    @property
    def first(self) -> int:
        """How many hits a first page ranks: enough for some more pages, too."""
        return max(FIRST, 2 * self.listing.limit)

    async def find(self) -> Found:
        """The page. Raises `SearchTooSlow`, and `CursorMismatch` for a cursor that was given with, or without an index."""
        if not self.is_in_index or self.engine.indexes is None:
            return await self.find_without_index()
        if self.listing.cursor:
            return await self.go_on(self.listing.cursor)
        ranking = await self.rank(self.first)
        if ranking is None:
            return await self.find_without_index()
        return await self.page_of(ranking, 0, self.engine.rankings.keep(ranking))

    async def find_best(self, ranking: Ranking | None) -> Found:
        """The rows of a ranking, no page of which follows; without one, as the database finds them."""
        return await self.page_of(ranking, 0, "") if ranking else await self.find_without_index()

    async def go_on(self, cursor: Cursor) -> Found:
        """The page behind a cursor: of the ranking that is kept, or of a new one, behind the hit that it had come to."""
        if [type(each) for each in cursor.values] != [str, int, float, str]:
            raise CursorMismatch  # it was given while the database searched
        key, start, score, row_id = cursor.values
        ranking = self.engine.rankings.get(key, self.actor.scopes)
        if ranking is None:
            ranking = await self.rank(DEEPEST)
            if ranking is None:
                raise CursorMismatch
            start = ranking.place_behind(score, row_id) if row_id else start
            key = self.engine.rankings.keep(ranking)
        return await self.page_of(ranking, start, key)

    async def condition(self) -> Condition:
        """The rows that are found as one more condition of a whole list: the best ones, as many as are ranked."""
        ranking = await self.rank(DEEPEST)
        return with_ids(ranking.ids if ranking else await self.ids_without_index())

    async def ids_without_index(self) -> list[str]:
        """The rows as the database finds them."""
        sql, values = statement(self.resource, "id", (self.in_database(),))
        return [each["id"] for each in await within_budget(self.connection.fetch(numbered(sql), *values), PATIENCE)]

    def in_database(self) -> Condition:
        """The words as a condition that the database judges, where the rows are."""
        return words_condition(self.resource, self.asked, self.actor.scopes, LIVE if self.is_in_index else TRASH)

    async def find_without_index(self) -> Found:
        """The page as the database finds it, in the list's own order."""
        where = (*self.listing.where, self.in_database())
        listing = replace(self.listing, where=where, selection=self.read)
        page = fetch_page(self.connection, self.resource, self.actor, listing)
        return Found(await within_budget(page, PATIENCE))

    async def page_of(self, ranking: Ranking, start: int, key: str) -> Found:
        """The rows of a ranking from a place on, as many as a page has."""
        limit = self.listing.limit
        rows: list[tuple[int, asyncpg.Record]] = []
        place = start
        while len(rows) <= limit:
            while place >= len(ranking.hits) and not ranking.whole:
                deeper = await self.rank(min(DEEPEST, FURTHER * ranking.depth))
                if deeper is None:
                    break
                ranking.extend(deeper)
                self.engine.rankings.keep(ranking, key)
            ids = [hit.row_id for hit in ranking.hits[place : place + limit + 1]]
            if not ids:
                break
            found = await self.rows_by_id(ids)
            rows.extend((place + n, found[each]) for n, each in enumerate(ids) if each in found)
            place += len(ids)
        return self.told(ranking, rows, start, key)

    def told(self, ranking: Ranking, rows: list[tuple[int, asyncpg.Record]], start: int, key: str) -> Found:
        """The page with its cursors: each has the place to go on at, and the hit before it, should the ranking be gone."""
        limit = self.listing.limit
        more, rows = len(rows) > limit, rows[:limit]
        next_, previous = None, None
        if rows and more:
            last = ranking.hits[rows[-1][0]]
            next_ = Cursor((key, rows[-1][0] + 1, last.score, last.row_id))
        if rows and start > 0:
            previous = Cursor((key, max(0, rows[0][0] - limit), 0.0, ""))
        scores = [ranking.hits[place].score for place, _ in rows]
        return Found(Page([record for _, record in rows], next_, previous), ranking, scores)

    async def rows_by_id(self, ids: Sequence[str]) -> dict[str, asyncpg.Record]:
        """Those of the rows that the actor sees and that fulfil all conditions, by id."""
        columns = columns_for(self.resource, self.read, self.listing.order)
        where = (with_ids(ids), visible(self.resource, self.actor), *self.listing.where)
        sql, values = statement(self.resource, columns, where, self.listing.around)
        records = await within_budget(self.connection.fetch(numbered(sql), *values), BUDGET)
        return {record["id"]: record for record in records}

    async def rank(self, limit: int) -> Ranking | None:
        """The hits in order, at most `limit`; None without an index. What the index cannot judge, the database does."""
        if not self.is_in_index:
            return None
        filters, all_known = filters_of(self.schema, self.listing.where)
        by, descending, exact = self.order()
        settled = all_known and (self.sought.by_relevance or (exact and self.ends_by_id))
        if not (all_known and exact) or self.noun.split:
            limit = DEEPEST
        ranking = await self.engine.run(
            self.resource.name,
            lambda index: self.look_up(index, filters, limit, by, descending),
            self.asked.text if limit < DEEPEST else None,
        )
        if ranking and not settled:
            await self.judge(ranking)
            ranking.total = ranking.total if all_known else len(ranking.hits)
        return ranking

    def order(self) -> tuple[str | None, bool, bool]:
        """The index's field to sort by, whether downwards, and whether that is the order that is asked for."""
        if self.sought.by_relevance:
            return None, True, True
        first = self.listing.order[0]
        is_number = self.noun.values.get(first.column) in ("number", "whole")
        return (
            (f"{self.noun.name}={first.column}", first.descending, not first.nullable)
            if is_number
            else (None, True, False)
        )

    @property
    def ends_by_id(self) -> bool:
        """Whether rows of one value are asked for in the order of their ids, as the index has them: the same way round."""
        first, *rest = self.listing.order
        return [(each.column, each.descending) for each in rest] == [("id", first.descending)]

    def look_up(
        self, index: SearchIndex, filters: Sequence[Query], limit: int, by: str | None, descending: bool
    ) -> Ranking:
        """Ask the index; where no row has enough of the words, for rows with any of them."""
        builder = QueryBuilder(index, self.engine.house.synonyms_of)
        query = builder.ranked(self.asked, self.actor.scopes, filters)
        hits, total = index.search(query, limit, by, descending)
        any_word = not hits and len(self.asked.needed) > 1
        if any_word:
            query = builder.ranked(self.asked, self.actor.scopes, filters, any_word=True)
            hits, total = index.search(query, limit, by, descending)
        whole = total <= limit or limit >= DEEPEST
        total = len(hits) if self.noun.split else total
        mistyped = list(dict.fromkeys(builder.mistyped))
        counted = self.counts(builder, any_word) if self.counts else None
        return Ranking(list(hits), total, whole, limit, any_word, mistyped, self.actor.scopes, counted)

    async def judge(self, ranking: Ranking) -> None:
        """Let the database judge the hits by all conditions, and sort them where it is not relevance that counts."""
        ids = ranking.ids
        where = (with_ids(ids), visible(self.resource, self.actor), *self.listing.where)
        sql, values = statement(self.resource, "id", where, self.listing.around)
        text = numbered(sql + ordered_by(self.listing.order))
        records = await within_budget(self.connection.fetch(text, *values), BUDGET)
        place = {record["id"]: n for n, record in enumerate(records)}
        kept = [(place[row_id], hit) for row_id, hit in zip(ids, ranking.hits, strict=True) if row_id in place]
        ranking.hits = [hit for _, hit in (kept if self.sought.by_relevance else sorted(kept, key=itemgetter(0)))]


async def ranked_together(findings: Sequence[Finding]) -> Sequence[Ranking | None]:
    """The best hits of several nouns, by nothing but words, in one go; None of each without an index."""
    by_noun = {each.resource.name: each for each in findings}

    def look_up(index: SearchIndex) -> Ranking:
        finding = by_noun[index.schema.noun.name]
        return finding.look_up(index, (), DEEPEST if finding.noun.split else finding.first, None, descending=True)

    text = findings[0].asked.text
    return await findings[0].engine.run_each(list(by_noun), look_up, text) or [None] * len(findings)


def with_ids(ids: Sequence[str]) -> Condition:
    """The rows of these ids."""
    return Condition("id = ANY(?)", (list(ids),))
