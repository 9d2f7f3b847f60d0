"""Parts that queries are put together from: a value, all of some queries, any of them, the beginning of a word."""

from collections.abc import Iterable, Sequence

from tantivy import Occur, Query, Schema


def having(schema: Schema, name: str, value: str) -> Query:
    """The documents that have a value in a field."""
    return Query.term_query(schema, name, value, "basic")


def all_of(queries: Iterable[Query]) -> Query:
    """What all of these find."""
    return Query.boolean_query([(Occur.Must, each) for each in queries])


def any_of(queries: Iterable[Query]) -> Query:
    """What any of these find. One alone is that itself: through it one can jump, a union is walked from end to end."""
    alternatives = list(queries)
    if len(alternatives) == 1:
        return alternatives[0]
    return Query.boolean_query([(Occur.Should, each) for each in alternatives])


def beginning_with(schema: Schema, name: str, words: Sequence[str]) -> Query:
    """All of these whole words, of which the last one may go on."""
    *before, last = words
    parts = [having(schema, name, each) for each in before]
    begins = Query.fuzzy_term_query(schema, name, last, distance=0, prefix=True)  # a pattern would be compiled first
    return all_of([*parts, begins])
