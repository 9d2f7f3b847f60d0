"""Sifting: which of the rows that were just written fit which questions.

First by the gates, then by the words, both in memory; what is left, by the conditions of the list.
"""

import asyncio
from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any

import asyncpg

from guildhouse.kernel.db import Connection
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.manifest import House
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.index_schema import Noun, SearchSchema
from guildhouse.kernel.searching.percolating import RowWords, wording_of
from guildhouse.kernel.select import LIVE, numbered, statement
from guildhouse.searches.asking import conditions_of
from guildhouse.searches.question import Gates, Question, behind_gates, touched_by

AT_ONCE = 200  # questions in one statement
IN_A_ROW = 50  # questions that are asked of the rows before others have their turn
Asking = tuple[Question, Sequence[str]]  # a question, and the rows that may still fit it


class Sieve:
    """Some rows of one noun, and what was written in them."""

    def __init__(self, house: House, schema: SearchSchema, resource: Resource[Any]) -> None:
        self.house, self.schema, self.resource = house, schema, resource
        self.rows: dict[str, asyncpg.Record] = {}
        self.words: dict[str, RowWords] = {}
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

        A gate that many questions have is tried once for each row; where one is shut, all behind it are passed over.
        """
        groups = behind_gates(questions)
        found: dict[Question, list[str]] = defaultdict(list)
        for row_id, row in self.rows.items():
            touched, gates = self.touched[row_id], Gates(row)
            for key, group in groups.items():
                if key is not None and not gates.are_open({key: group[0].gates[key]}):
                    continue
                for question in group:
                    if gates.are_open(question.gates) and question.looks_at(touched):
                        found[question].append(row_id)
        return list(found.items())

    async def with_words(self, asked: Sequence[Asking]) -> list[Asking]:
        """The same, of the rows that have the words. Others have their turn now and then."""
        new = [question for question, _ in asked if question.words and not question.wording]
        if new:
            await asyncio.to_thread(make_ready, self.house, new)
        found: list[Asking] = []
        for n, (question, ids) in enumerate(asked):
            if n % IN_A_ROW == 0:
                await asyncio.sleep(0)
            left = [row_id for row_id in ids if self.has_words(row_id, question)]
            found += [(question, left)] if left else []
        return found

    @property
    def noun(self) -> Noun:
        """The rows' noun, as it is searched."""
        return self.schema.nouns[self.resource.name]

    def says_more_to_some(self, question: Question) -> bool:
        """Whether the words may stand in text that not everybody sees who sees the row."""
        return question.words is not None and bool(self.noun.split)

    def has_words(self, row_id: str, question: Question, scopes: AbstractSet[str] | None = None) -> bool:
        """Whether a row has the words of a question in what these scopes see; without, in all that anybody sees."""
        return question.wording is None or self.words_of(row_id).are_found_by(question.wording, scopes)

    def words_of(self, row_id: str) -> RowWords:
        """The words of a row."""
        if row_id not in self.words:
            self.words[row_id] = RowWords(self.noun, self.rows[row_id])
        return self.words[row_id]


def make_ready(house: House, questions: Sequence[Question]) -> None:
    """Make words ready to be asked of rows; the first ones load the vocabulary."""
    for question in questions:
        if question.words:
            question.wording = wording_of(question.words, house.synonyms_of)


def judging(house: House, asked: Sequence[Asking]) -> tuple[str, list[Any]]:
    """One statement that says of each question (by its place) which of its rows fit, by the list's own conditions."""
    parts, values = [], []
    for place, (question, ids) in enumerate(asked):
        where = [Condition("id = ANY(?)", (list(ids),)), LIVE, *conditions_of(house, question.resource, question.query)]
        sql, bound = statement(question.resource, f"{place} AS place, id", where)
        parts.append(sql)
        values += bound
    return numbered(" UNION ALL ".join(parts)), values
