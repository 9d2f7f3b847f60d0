"""Searching without an index: the database looks for the words in the text itself, while the index is built, and in the
trash, which is in no index. Slower, newest first instead of the best, and without synonyms and typing errors.

The words are looked for in a subquery of its own. Beside an order and a limit the planner would walk the order's index
through the whole table in search of a rare word (1.7 s for one that takes 0.2 ms).
"""

from collections.abc import Collection, Iterator
from typing import Any

import sqlalchemy as sa

from guildhouse.kernel.filters import Condition, escape_like
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.ranking import DEEPEST
from guildhouse.kernel.searching.search_query import Asked, Term
from guildhouse.kernel.searching.tokens import variants
from guildhouse.kernel.select import in_sight


def words_condition(resource: Resource[Any], asked: Asked, scopes: Collection[str], state: Condition) -> Condition:
    """The rows of a state (live, in the trash) that have all the words, at most as many as are ranked."""
    parts = [in_sight(resource, scopes), state, *each_term(resource, asked)]
    where = " AND ".join(each.sql for each in parts)
    values = tuple(value for each in parts for value in each.values)
    return Condition(f'id = ANY(ARRAY(SELECT id FROM "{resource.name}" WHERE {where} LIMIT {DEEPEST}))', values)


def each_term(resource: Resource[Any], asked: Asked) -> Iterator[Condition]:
    """A condition for every term that counts."""
    for term in asked.needed:
        yield anywhere(resource, term)
    for term in asked.terms:
        if term.excluded:
            found = anywhere(resource, term)
            yield Condition(f"NOT {found.sql}", found.values)


def anywhere(resource: Resource[Any], term: Term) -> Condition:
    """The term in one of the columns that everybody sees who sees the row."""
    columns = [term.column] if term.column else list(resource.find.text)
    seen = [name for name in columns if name not in resource.shapes.audience]
    # A blank is any sign: `part time` may be written with a hyphen.
    ways = term.either or (term,)
    likes = [f"%{escape_like(form).replace(' ', '_')}%" for each in ways for form in forms(each)]
    tests = [f"coalesce({text_sql(resource.columns[name])}, '') ILIKE ANY(?)" for name in seen]
    chosen = [choice for each in ways for choice in each.choices]
    chosen_tests = [f"coalesce(\"{each.column}\", '') = ?" for each in chosen]
    values = (*((likes,) * len(tests)), *(each.value for each in chosen))
    return Condition(f"({' OR '.join([*tests, *chosen_tests]) or 'FALSE'})", values)


def text_sql(column: sa.Column[Any]) -> str:
    """SQL of a column's text."""
    return f"array_to_string(\"{column.name}\", ' | ')" if isinstance(column.type, sa.ARRAY) else f'"{column.name}"'


def forms(term: Term) -> list[str]:
    """How a term may stand in a text: a word by its stem, Chinese in both scripts."""
    if term.is_chinese:
        return variants(term.said)
    said = term.said.lower()
    stem = term.words[0] if len(term.words) == 1 else ""
    return [stem if stem and said.startswith(stem) and not term.begins else said]
