"""Completion: what one may be about to type, out of titles, names, skills and places of the rows that one sees."""

from collections.abc import Collection, Iterator, Sequence
from typing import Any

import sqlalchemy as sa
from tantivy import Occur, Query

from guildhouse.kernel.filters import values_known
from guildhouse.kernel.searching.index_schema import KIND, Noun
from guildhouse.kernel.searching.query_building import escaped, seen_by
from guildhouse.kernel.searching.search_index import SearchIndex
from guildhouse.kernel.searching.words import whole

MOST_LETTERS = 100

Suggestion = dict[str, Any]


def complete(
    index: SearchIndex, nouns: Sequence[Noun], scopes: Collection[str], text: str, limit: int
) -> list[Suggestion]:
    """What continues this text: of each noun titles that have its words, and values of columns that begin with it."""
    text = text.strip()[:MOST_LETTERS]
    if not text:
        return []
    seen = seen_by(index.schema.built, scopes)
    found = [
        each
        for noun in nouns
        for each in (*titles(index, noun, seen, text, limit), *values(index, noun, seen, text, limit))
    ]
    return sorted(found, key=lambda each: rank(each, text.lower()))


def rank(each: Suggestion, typed: str) -> tuple[bool, int, str]:
    """What begins with what was typed comes first, then what is more frequent."""
    return (not each["text"].lower().startswith(typed), -each["count"], each["text"])


def titles(index: SearchIndex, noun: Noun, seen: Query, text: str, limit: int) -> Iterator[Suggestion]:
    """Titles that have all the words, the last of them perhaps not typed to its end."""
    words = whole(text)
    if not words or noun.title not in noun.values or noun.split:
        return
    schema, name = index.schema.built, f"{noun.name}~whole"
    parts = [Query.term_query(schema, name, each, "basic") for each in words[:-1]]
    parts.append(Query.regex_query(schema, name, f"{escaped(words[-1])}.*"))
    kind = Query.term_query(schema, KIND, noun.name, "basic")
    query = Query.boolean_query([(Occur.Must, each) for each in (kind, seen, *parts)])
    field = {"field": f"{noun.name}={noun.title}", "size": limit}
    for bucket in index.searcher.aggregate(query, {"titles": {"terms": field}})["titles"]["buckets"]:
        yield suggestion(noun, noun.title, bucket["key"], bucket["doc_count"])


def values(index: SearchIndex, noun: Noun, seen: Query, text: str, limit: int) -> Iterator[Suggestion]:
    """Values that begin with the text, of the columns that are counted: skills, places."""
    for column in noun.resource.find.facets:
        if column == noun.title or noun.values.get(column) != "word" or not is_free_text(noun, column):
            continue
        known: dict[str, int] = {}
        for begin in dict.fromkeys((text, text.lower(), text.title(), text.upper(), text[0].upper() + text[1:])):
            known |= dict(index.searcher.terms_with_prefix(f"{noun.name}={column}", begin, seen, limit))
        yield from (suggestion(noun, column, value, count) for value, count in known.items() if count)


def is_free_text(noun: Noun, column: str) -> bool:
    """Whether people write a column's values: not an id, and none of a few fixed words."""
    kind = noun.resource.columns[column].type
    kind = kind.item_type if isinstance(kind, sa.ARRAY) else kind
    return isinstance(kind, sa.String) and not values_known(noun.resource, column)


def suggestion(noun: Noun, column: str, value: str, count: int) -> Suggestion:
    """One of what is suggested."""
    return {"kind": noun.resource.path, "field": column, "text": value, "count": count}
