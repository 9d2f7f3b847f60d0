"""Completion: what one may be about to type, out of titles, names, skills and places of the rows that one sees."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from tantivy import Query

from guildhouse.kernel.filters import values_known
from guildhouse.kernel.searching.in_sight import rows_found_in_sight, rows_in_sight
from guildhouse.kernel.searching.index_schema import SAMPLE, SAMPLES, Noun
from guildhouse.kernel.searching.query_parts import all_of, beginning_with, having
from guildhouse.kernel.searching.search_index import SearchIndex
from guildhouse.kernel.searching.tokens import whole

MOST_LETTERS = 100
ENOUGH = 4_000  # rows in which frequent titles are looked for: those of all rows that one letter finds take too long
FEW_OF_SEGMENT = 5  # titles that are looked at of each segment, however few are suggested
MOST_WORDS = 10_000  # words with one beginning that are added up
LOOKED_AT = 4  # times as many values as are suggested

Suggestion = dict[str, Any]


def complete(index: SearchIndex, scopes: Collection[str], text: str, limit: int) -> list[Suggestion]:
    """What continues this text: titles that have its words, and values of columns that begin with it."""
    completion = Completion(index, scopes, text.strip()[:MOST_LETTERS], limit)
    return [*completion.titles(), *completion.values()] if completion.text else []


def likeliest(found: Iterable[Suggestion], text: str) -> list[Suggestion]:
    """What begins with what was typed first, then what is more frequent; each text of a noun once."""
    typed, best = text.strip().lower(), dict[tuple[str, str], Suggestion]()
    for each in sorted(found, key=lambda each: -each["count"]):
        best.setdefault((each["kind"], each["text"].lower()), each)
    return sorted(
        best.values(), key=lambda each: (not each["text"].lower().startswith(typed), -each["count"], each["text"])
    )


@dataclass(frozen=True)
class Completion:
    """A text that is being typed, for somebody who sees some of a noun's rows."""

    index: SearchIndex
    scopes: Collection[str]
    text: str
    limit: int

    @property
    def noun(self) -> Noun:
        """The noun."""
        return self.index.schema.noun

    def titles(self) -> Iterator[Suggestion]:
        """Titles that have all the words, the last of them perhaps not typed to its end."""
        words = whole(self.text)
        if not words or self.noun.values.get(self.noun.title) != "word":
            return
        query = self.seen(beginning_with(self.index.schema.built, self.words, words))
        level = level_of(self.most_found(words))
        found = self.frequent(self.sampled(query, level))
        if level and rows_counted(found) < ENOUGH // 16:  # somebody who sees few of them
            found = self.frequent(query)
        for bucket in found["buckets"]:
            yield self.suggestion(self.noun.title, bucket["key"], self.count(self.title, bucket["key"]))

    @property
    def words(self) -> str:
        """The field of the titles' words."""
        return f"{self.noun.name}~title"

    @property
    def title(self) -> str:
        """The field of whole titles."""
        return f"{self.noun.name}={self.noun.title}"

    def seen(self, query: Query) -> Query:
        """What is seen of what a query finds."""
        return rows_found_in_sight(self.index, self.scopes, query)

    def most_found(self, words: Sequence[str]) -> int:
        """How many titles have these words at most; to know it exactly, all of them would be looked at."""
        *before, last = words
        begins = sum(count for _, count in self.index.searcher.terms_with_prefix(self.words, last, None, MOST_WORDS))
        return min([begins, *(self.index.searcher.doc_freq(self.words, word) for word in before)])

    def sampled(self, query: Query, level: int) -> Query:
        """A sample of what a query finds, large enough to tell which titles are frequent."""
        return all_of([query, having(self.index.schema.built, SAMPLE, str(level))]) if level else query

    def frequent(self, query: Query) -> Any:
        """The most frequent titles of what a query finds. Of each segment no more: to look one up costs more than to count
        it."""
        wanted = {"field": self.title, "size": self.limit, "segment_size": max(self.limit, FEW_OF_SEGMENT)}
        return self.index.searcher.aggregate(query, {"titles": {"terms": wanted}})["titles"]

    def count(self, field: str, value: str) -> int:
        """How many rows that are seen have a value."""
        return self.index.count(self.seen(having(self.index.schema.built, field, value)))

    def values(self) -> Iterator[Suggestion]:
        """Values that begin with the text, of the columns that are counted: skills, places."""
        forms = dict.fromkeys(
            (self.text, self.text.lower(), self.text.title(), self.text.upper(), self.text[0].upper() + self.text[1:])
        )
        for column in self.noun.resource.find.facets:
            if column == self.noun.title or not is_free_text(self.noun, column):
                continue
            known: dict[str, int] = {}
            for begin in forms:
                known |= self.beginning(f"{self.noun.name}={column}", begin)
            yield from (self.suggestion(column, value, count) for value, count in known.items())

    def beginning(self, field: str, begin: str) -> dict[str, int]:
        """Values that begin like this with how many rows have them that are seen, the most frequent ones.

        The most frequent of all are looked at one by one; only where too few of these are seen, every value is.
        """
        searcher = self.index.searcher
        frequent = searcher.terms_with_prefix(field, begin, None, LOOKED_AT * self.limit)
        counts: dict[str, int] = {}
        for value, _ in frequent:
            if count := self.count(field, value):
                counts[value] = count
            if len(counts) == self.limit:
                return counts
        if len(frequent) < LOOKED_AT * self.limit:
            return counts
        seen = rows_in_sight(self.index, self.scopes)
        return {value: count for value, count in searcher.terms_with_prefix(field, begin, seen, self.limit) if count}

    def suggestion(self, column: str, value: str, count: int) -> Suggestion:
        """One of what is suggested."""
        return {"kind": self.noun.resource.path, "field": column, "text": value, "count": count}


def level_of(rows: int) -> int:
    """Which sample of so many rows is enough: 0 for all of them."""
    return next((n for n in range(SAMPLES + 1) if rows <= ENOUGH * 4**n), SAMPLES)


def rows_counted(found: Any) -> int:
    """How many rows were looked at to count values."""
    told = [found["sum_other_doc_count"], *(bucket["doc_count"] for bucket in found["buckets"])]
    return sum(map(int, told))


def is_free_text(noun: Noun, column: str) -> bool:
    """Whether people write a column's values: not an id, and none of a few fixed words."""
    kind = noun.resource.columns[column].type
    kind = kind.item_type if isinstance(kind, sa.ARRAY) else kind
    return isinstance(kind, sa.String) and noun.values.get(column) == "word" and not values_known(noun.resource, column)
