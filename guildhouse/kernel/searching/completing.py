"""Completion: what one may be about to type, out of titles, names, skills and places of the rows that one sees."""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from tantivy import Query

from guildhouse.kernel.filters import values_known
from guildhouse.kernel.searching.in_sight import rows_in_sight
from guildhouse.kernel.searching.index_schema import SAMPLE, SAMPLES, Noun
from guildhouse.kernel.searching.query_parts import all_of, beginning_with, having
from guildhouse.kernel.searching.search_index import SearchIndex
from guildhouse.kernel.searching.tokens import whole

MOST_LETTERS = 100
ENOUGH = 4_000  # rows in which frequent titles are looked for: those of all rows that one letter finds take too long
LOOKED_AT = 4  # times as many values as are suggested

Suggestion = dict[str, Any]


def complete(index: SearchIndex, scopes: Collection[str], text: str, limit: int) -> list[Suggestion]:
    """What continues this text: titles that have its words, and values of columns that begin with it."""
    seen = rows_in_sight(index, scopes)
    completion = Completion(index, seen, text.strip()[:MOST_LETTERS], limit)
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
    """A text that is being typed, and the rows of one noun that it may lead to."""

    index: SearchIndex
    seen: Query
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
        query = all_of([self.seen, beginning_with(self.index.schema.built, f"{self.noun.name}~title", words)])
        name = f"{self.noun.name}={self.noun.title}"
        # Of each segment not many: to look a title up costs more than to count it.
        frequent = {"field": name, "size": self.limit, "segment_size": 2 * self.limit}
        found = self.index.searcher.aggregate(self.sampled(query), {"titles": {"terms": frequent}})
        for bucket in found["titles"]["buckets"]:
            yield self.suggestion(self.noun.title, bucket["key"], self.count(name, bucket["key"]))

    def sampled(self, query: Query) -> Query:
        """What a query finds; where that is much, a sample of it, large enough to tell which titles are frequent."""
        found = self.index.count(query)
        level = next((n for n in range(SAMPLES + 1) if found <= ENOUGH * 4**n), SAMPLES)
        sample = having(self.index.schema.built, SAMPLE, str(level))
        return all_of([query, sample]) if level else query

    def count(self, field: str, value: str) -> int:
        """How many rows that are seen have a value."""
        return self.index.count(all_of([having(self.index.schema.built, field, value), self.seen]))

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
        return {
            value: count for value, count in searcher.terms_with_prefix(field, begin, self.seen, self.limit) if count
        }

    def suggestion(self, column: str, value: str, count: int) -> Suggestion:
        """One of what is suggested."""
        return {"kind": self.noun.resource.path, "field": column, "text": value, "count": count}


def is_free_text(noun: Noun, column: str) -> bool:
    """Whether people write a column's values: not an id, and none of a few fixed words."""
    kind = noun.resource.columns[column].type
    kind = kind.item_type if isinstance(kind, sa.ARRAY) else kind
    return isinstance(kind, sa.String) and noun.values.get(column) == "word" and not values_known(noun.resource, column)
