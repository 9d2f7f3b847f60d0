"""Sifting: which of the rows that were just written fit which questions.

First by the gates, in memory; then by the words, in an index of these rows alone; what is left, by the conditions of
the list.
"""

import asyncio
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from functools import cached_property
from typing import Any

import asyncpg
import structlog

from guildhouse.kernel.db import Connection
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.manifest import House
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.index_schema import SearchSchema
from guildhouse.kernel.searching.percolating import Percolator
from guildhouse.kernel.searching.search_document import circles
from guildhouse.kernel.select import LIVE, numbered, statement
from guildhouse.searches.asking import conditions_of
from guildhouse.searches.question import Question, touched_by

log = structlog.get_logger()
AT_ONCE = 200  # questions in one statement
IN_A_ROW = 50  # looks into the index of the rows, before others have their turn
Asking = tuple[Question, Sequence[str]]  # a question, and the rows that may still fit it


class Sieve:
    """Some rows of one noun, and what was written in them."""

    def __init__(self, house: House, schema: SearchSchema, resource: Resource[Any]) -> None:
        self.house, self.schema, self.resource = house, schema, resource
        self.rows: dict[str, asyncpg.Record] = {}
        self.touched: dict[str, frozenset[str] | None] = {}

    async def take(self, connection: Connection, written: Mapping[str, Sequence[Change]]) -> None:
        """Take in the rows as they are now; those in the trash are none."""
        sql = f'SELECT * FROM "{self.resource.name}" WHERE id = ANY($1) AND deleted_at IS NULL'
        self.rows = {record["id"]: record for record in await connection.fetch(sql, list(written))}
        self.touched = {row_id: touched_by(written[row_id]) for row_id in self.rows}

    async def fitting(self, connection: Connection, questions: Sequence[Question]) -> list[tuple[Question, str]]:
        """The questions with the rows that fit them, whoever sees those."""
        asked = self.through_gates(questions)
        if any(question.words for question, _ in asked):
            asked = await self.with_words(asked)
        found = []
        for start in range(0, len(asked), AT_ONCE):
            part = asked[start : start + AT_ONCE]
            sql, values = judging(self.house, part)
            found += [(part[place][0], row_id) for place, row_id in await connection.fetch(sql, *values)]
        return found

    def through_gates(self, questions: Sequence[Question]) -> list[Asking]:
        """The questions for which no gate of some rows is shut, and to which these are news.

        A gate that many questions have is tried once for each row.
        """
        gates = {key: gate for question in questions for key, gate in question.gates.items()}
        found: dict[Question, list[str]] = defaultdict(list)
        for row_id, row in self.rows.items():
            touched = self.touched[row_id]
            opened = {key for key, gate in gates.items() if gate(row)}
            for question in questions:
                if question.keys <= opened and question.looks_at(touched):
                    found[question].append(row_id)
        return list(found.items())

    async def with_words(self, asked: Sequence[Asking]) -> list[Asking]:
        """The same, of the rows that have the words.

        One look into so few rows takes microseconds: less than a thread would wait for its turn. Others have theirs now
        and then.
        """
        await asyncio.to_thread(lambda: self.percolator)
        found: list[Asking] = []
        for n, (question, ids) in enumerate(asked):
            if n % IN_A_ROW == 0:
                await asyncio.sleep(0)
            having = self.having(question, self.all_scopes)
            left = [row_id for row_id in ids if row_id in having]
            found += [(question, left)] if left else []
        return found

    def says_more_to_some(self, question: Question) -> bool:
        """Whether the words may stand in text that not everybody sees who sees the row."""
        return question.words is not None and bool(self.schema.nouns[self.resource.name].split)

    def having(self, question: Question, scopes: Collection[str]) -> Collection[str]:
        """The rows that have the words in what these scopes see; none for words that the index cannot look for."""
        if question.words is None:
            return self.rows
        try:
            return self.percolator.found_by(question.words, scopes)
        except ValueError as error:  # one question that cannot be asked must not keep the others from being answered
            log.warning("words not looked for", noun=self.resource.name, error=repr(error))
            return ()

    @cached_property
    def percolator(self) -> Percolator:
        """These rows as an index."""
        noun = self.schema.nouns[self.resource.name]
        return Percolator(self.schema, noun, list(self.rows.values()), self.house.synonyms_of)

    @cached_property
    def all_scopes(self) -> set[str]:
        """Every scope that sees something of these rows."""
        noun = self.schema.nouns[self.resource.name]
        of_circles = (eyes for row in self.rows.values() for eyes, _ in circles(noun, row))
        return set().union(*(row["scopes"] for row in self.rows.values()), *of_circles)


def judging(house: House, asked: Sequence[Asking]) -> tuple[str, list[Any]]:
    """One statement that says of each question (by its place) which of its rows fit, by the list's own conditions."""
    parts, values = [], []
    for place, (question, ids) in enumerate(asked):
        where = [Condition("id = ANY(?)", (list(ids),)), LIVE, *conditions_of(house, question.resource, question.query)]
        sql, bound = statement(question.resource, f"{place} AS place, id", where)
        parts.append(sql)
        values += bound
    return numbered(" UNION ALL ".join(parts)), values
