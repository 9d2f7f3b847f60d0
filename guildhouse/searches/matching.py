"""Matching: the reader that records what comes to fit a saved search, and takes back what its person sees no more.

It follows only the lists that somebody asks, and knows every question in memory: those change by the log, too. A row is
judged as it is when it is read, by its changes since the last time: one that is written in something that a question does
not look at, is no news to it.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog

from guildhouse.kernel import store
from guildhouse.kernel.actor import HOUSE
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Connection, Note
from guildhouse.kernel.errors import Problem
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.log.readers.reader import Reader, because
from guildhouse.kernel.manifest import House
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import Values
from guildhouse.kernel.scopes import is_narrower
from guildhouse.kernel.searching.index_schema import schema_of
from guildhouse.searches.question import Question, question_of, touched_by
from guildhouse.searches.saved_search import SavedSearch, saved_searches
from guildhouse.searches.search_match import SearchMatch, record_matches, search_matches
from guildhouse.searches.sifting import Sieve
from guildhouse.searches.sight import Sight

log = structlog.get_logger()
LINGER = 0.1  # seconds; a batch costs more than its changes where many persons search

ALL = f'SELECT * FROM "{saved_searches.name}" WHERE deleted_at IS NULL'
SOME = f"{ALL} AND id = ANY($1)"
# Locked against being purged until their matches are written.
LIVING = f'SELECT id FROM "{saved_searches.name}" WHERE id = ANY($1) AND deleted_at IS NULL FOR KEY SHARE'
RECORDED = f'SELECT saved_search_id, row_id FROM "{search_matches.name}" WHERE row_id = ANY($1)'
# What is held stays; so does what is in the person's own trash.
OF_MATCHES = f"""
SELECT m.*, t.scopes AS seen_by FROM "{search_matches.name}" m
LEFT JOIN "{{name}}" t ON t.id = m.row_id AND t.deleted_at IS NULL
WHERE m.resource = $1 AND m.{{column}} = ANY($2) AND hold_on('{search_matches.name}', m.id, m.scopes) IS NULL
"""
OF_GONE = f"""
SELECT * FROM "{search_matches.name}" m
WHERE saved_search_id = ANY($1) AND hold_on('{search_matches.name}', m.id, m.scopes) IS NULL
"""


class Matcher:
    """What the reader knows: every saved search that is not in the trash, and who sees what."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.schema = schema_of(house)
        self.sight = Sight(house)
        self.followed: set[str] = {saved_searches.name}
        self.searches: dict[str, SavedSearch] = {}
        self.questions: dict[str, Question] = {}  # by the address, which is equal where the query is
        self.since: dict[str, int] = {}  # behind which position somebody asks what they ask now

    async def begin(self, connection: Connection) -> None:
        """Learn everything anew: another process may have read since this one last did."""
        for memory in (self.searches, self.questions, self.since):
            memory.clear()
        self.sight.forget_all()
        for record in await connection.fetch(ALL):
            self.learn(SavedSearch.of(record))
        self.follow()

    async def handle(self, connection: Connection, batch: Sequence[Change]) -> None:
        """What follows from some changes."""
        heard = [*batch, *await self.hear_of_searches(connection, batch)]
        persons = self.sight.forget(heard)
        for name in self.asked():
            resource, written = self.house.resources[name], rows_of(heard, name)
            if persons:
                await self.withdraw(connection, resource, "person_id", persons)
            if lost := [row_id for row_id, each in written.items() if any(map(may_be_lost, each))]:
                await self.withdraw(connection, resource, "row_id", lost)
            await self.match(connection, resource, written)

    async def hear_of_searches(self, connection: Connection, batch: Sequence[Change]) -> Sequence[Change]:
        """Learn of saved searches that are other ones now; gives the changes of lists that are followed from now on."""
        written = {change.row_id: change.pos or 0 for change in batch if change.resource == saved_searches.name}
        if not written:
            return ()
        for record in await connection.fetch(SOME, list(written)):
            row = SavedSearch.of(record)
            was = self.unlearn(row.id)
            if was is None or (was.address, was.status) != (row.address, row.status):
                self.since[row.id] = written[row.id]
            self.learn(row)
            del written[row.id]
        gone = list(written)
        for row_id in gone:
            self.unlearn(row_id)
            self.since.pop(row_id, None)
        await forget_matches(self.context(connection), await connection.fetch(OF_GONE, gone))
        return await since(connection, batch[0].pos or 0, self.follow())

    def learn(self, row: SavedSearch) -> None:
        """Remember a saved search, and ask its question unless it pauses."""
        self.searches[row.id] = row
        resource = self.house.resources.get(row.resource)
        if row.status != "active" or resource is None:
            return
        try:
            question = self.questions.get(row.address) or question_of(self.house, resource, row.query)
        except Problem as problem:  # what it asks for was a filter once
            log.warning("saved search is not understood", id=row.id, why=problem.code())
            return
        question.askers[row.id] = row.person_id
        self.questions[row.address] = question

    def unlearn(self, row_id: str) -> SavedSearch | None:
        """Forget a saved search, and its question where nobody else asks it; says how it was known."""
        row = self.searches.pop(row_id, None)
        question = self.questions.get(row.address) if row else None
        if row and question:
            question.askers.pop(row_id, None)
            if not question.askers:
                del self.questions[row.address]
        return row

    def asked(self) -> set[str]:
        """The lists that saved searches are of."""
        return {row.resource for row in self.searches.values()} & self.house.resources.keys()

    def follow(self) -> set[str]:
        """Follow what decides about matches: the lists that are asked, and who sees what; says what is new among it."""
        asked = self.asked()
        wanted = {saved_searches.name, *asked, *(self.sight.watched if asked else ())}
        new = wanted - self.followed
        self.followed.clear()
        self.followed.update(wanted)
        if not asked:
            self.sight.forget_all()
        return new

    async def match(
        self, connection: Connection, resource: Resource[Any], written: Mapping[str, Sequence[Change]]
    ) -> None:
        """Record what fits now of the rows that were written."""
        asked = [each for each in self.questions.values() if each.resource is resource]
        if not asked or not written:
            return
        sieve = Sieve(self.house, self.schema, resource)
        await sieve.take(connection, written)
        found: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for question, row_id in await sieve.fitting(connection, asked):
            await self.sight.meet(connection, question.askers.values())
            for search_id, person in question.askers.items():
                news = [each for each in written[row_id] if (each.pos or 0) > self.since.get(search_id, 0)]
                is_news = news and question.looks_at(touched_by(news))
                if is_news and await self.is_for(connection, person, sieve, question, row_id):
                    found[row_id].append((search_id, person))
        await self.record(connection, resource, written, found)

    async def is_for(self, connection: Connection, person: str, sieve: Sieve, question: Question, row_id: str) -> bool:
        """Whether a person sees a row that fits, and sees it fit."""
        if not await self.sight.sees(connection, person, sieve.rows[row_id]["scopes"]):
            return False
        if not sieve.says_more_to_some(question):
            return True
        return sieve.has_words(row_id, question, await self.sight.scopes_of(connection, person))

    async def record(
        self,
        connection: Connection,
        resource: Resource[Any],
        written: Mapping[str, Sequence[Change]],
        found: Mapping[str, Sequence[tuple[str, str]]],
    ) -> None:
        """Write the matches that are not recorded yet, each row's because of its last change."""
        if not found:
            return
        ids = {search for askers in found.values() for search, _ in askers}
        for gone in ids - {each["id"] for each in await connection.fetch(LIVING, list(ids))}:
            self.unlearn(gone)
            self.follow()
        there = {tuple(each) for each in await connection.fetch(RECORDED, list(found))}
        for row_id, askers in found.items():
            known = [each for each in askers if each[0] in self.searches and (each[0], row_id) not in there]
            new = [(search, person, resource.name, row_id) for search, person in known]
            if new:
                await record_matches(self.context(connection, written[row_id][-1]), new)

    async def withdraw(self, connection: Connection, resource: Resource[Any], column: str, keys: Iterable[str]) -> None:
        """Take back the matches of these rows, or persons, whose row its person sees no more."""
        sql = OF_MATCHES.format(name=resource.name, column=column)
        records = await connection.fetch(sql, resource.name, list(keys))
        await self.sight.meet(connection, {record["person_id"] for record in records})
        lost = [
            record
            for record in records
            if not record["seen_by"] or not await self.sight.sees(connection, record["person_id"], record["seen_by"])
        ]
        await forget_matches(self.context(connection), lost)

    def context(self, connection: Connection, change: Change | None = None) -> Context:
        """The house acts, because of a change."""
        return Context(self.house, connection, HOUSE, because(change) if change else Note())


async def since(connection: Connection, pos: int, nouns: Iterable[str]) -> list[Change]:
    """The changes of some nouns behind a position, up to the log's present end."""
    found: list[Change] = []
    names, end = list(nouns), (await changes.head(connection)).pos
    while names and pos < end:
        stretch = await changes.between(connection, pos, end, resources=names)
        found += stretch.changes
        pos = stretch.upto
    return found


async def forget_matches(ctx: Context, records: Iterable[Values]) -> None:
    """Delete matches for good: nothing is left of them to bring back."""
    if matches := [SearchMatch.of(record) for record in records]:
        await store.delete(ctx, search_matches, matches, "withdrawn")


def rows_of(heard: Sequence[Change], name: str) -> dict[str, list[Change]]:
    """The changes of one noun by the rows that they wrote, each change once."""
    found: dict[str, list[Change]] = defaultdict(list)
    for change in {each.seq: each for each in heard if each.resource == name}.values():
        found[change.row_id].append(change)
    return found


def may_be_lost(change: Change) -> bool:
    """Whether somebody may not see a row any more since this change."""
    all_still_see_it = is_narrower(change.scopes_before or (), change.scopes_after or ())
    return not all_still_see_it or "deleted_at" in (change.after or {})


def search_matcher(house: House) -> Reader:
    """The reader of this process."""
    matcher = Matcher(house)
    return Reader(
        "search-matches", matcher.handle, resources=matcher.followed, start="now", begin=matcher.begin, linger=LINGER
    )
