"""In sight: which documents of an index somebody sees, asked so that it costs the less, the fewer rows the words find.

A union of terms is walked from end to end, however rare the words beside it are; through a single term one jumps. So a row
that everybody sees stands under `public` alone, and every other one under its scopes and as `hidden`: what somebody sees is
the public rows, and apart from these a few of their own. From whom a row or a field is kept is among its scopes, too.
"""

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TypeAlias

from tantivy import Occur, Query

from guildhouse.kernel.scopes import EXCEPT, PUBLIC, exceptions
from guildhouse.kernel.searching.index_schema import CIRCLE, EYES, HIDDEN, SCOPES
from guildhouse.kernel.searching.query_parts import any_of, having
from guildhouse.kernel.searching.search_index import SearchIndex

Clause: TypeAlias = tuple[Occur, Query]

FEW_SCOPES = 12  # up to so many, a union of terms is quicker than a set of them


def listed_under(scopes: Iterable[str]) -> list[str]:
    """What a document with these scopes stands under."""
    held = list(scopes)
    return [PUBLIC, *(each for each in held if each.startswith(EXCEPT))] if PUBLIC in held else [*held, HIDDEN]


def found_in_sight(index: SearchIndex, scopes: Collection[str], clauses: Sequence[Clause]) -> Query:
    """What these clauses find of the text that somebody sees."""
    eyes = [must(union(index, EYES, scopes))] if index.schema.noun.split else []
    narrowed = any(occur == Occur.Must for occur, _ in clauses)
    ways = ways_to_see(index, scopes, narrowed=narrowed)
    kept = list(kept_from(index, scopes))
    return any_of(Query.boolean_query([way, *eyes, *clauses, *kept]) for way in ways)


def kept_from(index: SearchIndex, scopes: Collection[str]) -> Iterator[Clause]:
    """What is kept from somebody, though they hold a scope of it."""
    for name in index.schema.noun.excepting:
        for each in in_use(index, name, exceptions(scopes)):
            yield Occur.MustNot, having(index.schema.built, name, each)


def ways_to_see(index: SearchIndex, scopes: Collection[str], *, narrowed: bool) -> Iterator[Clause]:
    """The public rows, and the others: each row is seen in one of these ways, or in none.

    Beside what narrows the search, to leave out the few rows that are hidden is quicker than to look for all that are not.
    """
    if PUBLIC in scopes and (public := index.searcher.doc_freq(SCOPES, PUBLIC)):
        few_are_hidden = narrowed and index.searcher.doc_freq(SCOPES, HIDDEN) < public
        if few_are_hidden:
            yield Occur.MustNot, having(index.schema.built, SCOPES, HIDDEN)
        else:
            yield must(having(index.schema.built, SCOPES, PUBLIC))
    own = [each for each in scopes if each != PUBLIC]
    if in_use(index, SCOPES, own):
        yield must(union(index, SCOPES, own))


def text_in_sight(index: SearchIndex, scopes: Collection[str]) -> Query:
    """All documents whose text somebody sees: of a row, and of what has an audience of its own."""
    eyes = [must(union(index, EYES, scopes))] if index.schema.noun.split else []
    return narrowed_to(union(index, SCOPES, scopes), [*eyes, *kept_from(index, scopes)])


def rows_in_sight(index: SearchIndex, scopes: Collection[str]) -> Query:
    """The rows that somebody sees, each once: without the documents of what not all see of them."""
    return narrowed_to(union(index, SCOPES, scopes), [*no_circles(index), *kept_from(index, scopes)])


def rows_found_in_sight(index: SearchIndex, scopes: Collection[str], query: Query) -> Query:
    """The rows that somebody sees of those that a query finds, each once."""
    clauses = [must(query), *no_circles(index), *kept_from(index, scopes)]
    return any_of(Query.boolean_query([way, *clauses]) for way in ways_to_see(index, scopes, narrowed=True))


def no_circles(index: SearchIndex) -> Iterator[Clause]:
    """No document of what not everybody sees who sees its row."""
    if index.schema.noun.split:
        yield Occur.MustNot, having(index.schema.built, CIRCLE, index.schema.noun.name)


def narrowed_to(seen: Query, clauses: Sequence[Clause]) -> Query:
    """The same, but for what these leave out; alone where they leave out nothing."""
    return Query.boolean_query([must(seen), *clauses]) if clauses else seen


def union(index: SearchIndex, name: str, scopes: Collection[str]) -> Query:
    """The documents that stand under any of these scopes."""
    used = in_use(index, name, scopes)
    if len(used) > FEW_SCOPES:
        return Query.term_set_query(index.schema.built, name, used)
    return any_of(having(index.schema.built, name, each) for each in used)


def in_use(index: SearchIndex, name: str, scopes: Collection[str]) -> list[str]:
    """Those of the scopes that any document stands under."""
    return [each for each in scopes if index.searcher.doc_freq(name, each)]


def must(query: Query) -> Clause:
    """What a document has to fulfil, and what gives it no score."""
    return Occur.Must, Query.const_score_query(query, 0.0)
