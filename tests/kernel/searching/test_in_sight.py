"""Sight in the index, held against the one test of sight: whether a row's scopes and somebody's meet, and none excepts."""

import random
from typing import Any

import pytest
from tantivy import Occur, Query

from guildhouse.app import HOUSE
from guildhouse.kernel.ids import new_id
from guildhouse.kernel.scopes import EXCEPT, MEMBERS, PUBLIC, sees
from guildhouse.kernel.searching.completing import complete
from guildhouse.kernel.searching.in_sight import (
    found_in_sight,
    listed_under,
    rows_found_in_sight,
    rows_in_sight,
    text_in_sight,
)
from guildhouse.kernel.searching.index_schema import HIDDEN, NounSchema, schema_of
from guildhouse.kernel.searching.query_building import QueryBuilder
from guildhouse.kernel.searching.search_document import documents_of
from guildhouse.kernel.searching.search_index import READY, SearchIndex, Stand
from guildhouse.kernel.searching.search_query import parse_query

SCHEMA = schema_of(HOUSE).schemas["jobs"]
KINDS = [
    [PUBLIC, "team:1", "moderators"],
    [PUBLIC],
    ["team:1"],
    ["team:2", "moderators"],
    [MEMBERS],
    [],
]
ACTORS = [
    {PUBLIC},
    {PUBLIC, MEMBERS},
    {PUBLIC, "team:1"},
    {PUBLIC, MEMBERS, "team:1", "team:2"},
    {PUBLIC, "moderators"},
    {"team:2"},
    {PUBLIC, *(f"team:{n}" for n in range(40))},
    {"nowhere"},
    set(),
]


NOTES = schema_of(HOUSE).schemas["notes"]
KEPT_FROM = [
    ["team:1", EXCEPT + "person:1"],
    ["team:1", "person:1"],
    [PUBLIC, EXCEPT + "person:1"],
    ["team:1", EXCEPT + "person:2", EXCEPT + "candidate:1"],
    [EXCEPT + "person:1"],
]
ON_THE_TEAM = [
    {PUBLIC, "team:1", "person:1"},
    {PUBLIC, "team:1", "person:2"},
    {PUBLIC, "team:1", "person:3", "candidate:1"},
    {"team:1", "person:3"},
    {PUBLIC},
    {"person:1"},
]


def rows(shares: list[int]) -> list[dict[str, Any]]:
    """Rows of each kind, so many; every third speaks of a nurse."""
    columns = dict.fromkeys([*SCHEMA.noun.text, *SCHEMA.noun.values])
    kinds = [kind for kind, share in zip(KINDS, shares, strict=True) for _ in range(share)]
    random.Random(1).shuffle(kinds)
    return [
        {**columns, "id": new_id(), "scopes": kind, "title": "Nurse" if n % 3 else "Clerk"}
        for n, kind in enumerate(kinds)
    ]


def indexed(made: list[dict[str, Any]], schema: NounSchema = SCHEMA) -> SearchIndex:
    """An index in memory that has them."""
    index = SearchIndex(schema)
    index.claim()
    index.write((), [each for row in made for each in documents_of(schema.noun, row)])
    index.commit(Stand("e", 1, READY))
    return index


def found(index: SearchIndex, query: Query) -> set[str]:
    """The ids of all rows that a query finds."""
    hits, count = index.search(query, 1_000)
    assert count == len(hits), "a row was found twice"
    return {hit.row_id for hit in hits}


def seen(made: list[dict[str, Any]], scopes: set[str], title: str | None = None) -> set[str]:
    """The ids of the rows that somebody sees, as the database judges."""
    return {row["id"] for row in made if sees(scopes, row["scopes"]) and title in (None, row.get("title"))}


@pytest.mark.parametrize("scopes", ACTORS, ids=lambda scopes: "+".join(sorted(scopes)[:4]) or "nothing")
@pytest.mark.parametrize("shares", [[30, 10, 3, 2, 2, 1], [2, 1, 20, 20, 9, 5], [0, 0, 5, 5, 5, 1], [9, 9, 0, 0, 0, 0]])
def test_what_is_found_is_what_is_seen(scopes: set[str], shares: list[int]) -> None:
    made = rows(shares)
    index = indexed(made)
    builder = QueryBuilder(index)
    every = (Occur.Must, Query.all_query())
    assert found(index, rows_in_sight(index, scopes)) == seen(made, scopes)
    assert found(index, text_in_sight(index, scopes)) == seen(made, scopes)
    assert found(index, builder.ranked(parse_query("nurse", ("title",)), scopes)) == seen(made, scopes, "Nurse")
    counted = builder.counted(parse_query("clerk", ("title",)), scopes, (), any_word=False)
    assert found(index, counted) == seen(made, scopes, "Clerk")
    without = (Occur.MustNot, Query.term_query(SCHEMA.built, "jobs", "nurs"))
    assert found(index, found_in_sight(index, scopes, [without])) == seen(made, scopes, "Clerk")
    assert found(index, found_in_sight(index, scopes, [every])) == seen(made, scopes)


@pytest.mark.parametrize("scopes", ON_THE_TEAM, ids=lambda scopes: "+".join(sorted(scopes)))
def test_what_is_kept_from_somebody_is_not_found_by_them(scopes: set[str]) -> None:
    columns = dict.fromkeys([*NOTES.noun.text, *NOTES.noun.values])
    made = [{**columns, "id": new_id(), "scopes": kind, "body": "shy"} for kind in KEPT_FROM for _ in range(3)]
    index = indexed(made, NOTES)
    shy = parse_query("shy", ("body",))
    excluded = (Occur.MustNot, Query.term_query(NOTES.built, "notes", "bold"))
    asked = [
        rows_in_sight(index, scopes),
        text_in_sight(index, scopes),
        found_in_sight(index, scopes, [excluded]),
        rows_found_in_sight(index, scopes, Query.all_query()),
        QueryBuilder(index).ranked(shy, scopes),
        QueryBuilder(index).counted(shy, scopes, (), any_word=False),
        QueryBuilder(index).counted(None, scopes, (), any_word=False),
    ]
    assert [found(index, each) for each in asked] == [seen(made, scopes)] * len(asked)
    assert sum(each["count"] for each in complete(index, scopes, "shy", 5)) == len(seen(made, scopes))


def test_a_noun_that_makes_no_exceptions_asks_the_index_for_none() -> None:
    assert (SCHEMA.noun.excepting, NOTES.noun.excepting) == ((), ("scopes",))


def test_a_public_row_stands_under_that_alone_and_every_other_one_as_hidden() -> None:
    assert listed_under(["team:1", PUBLIC]) == [PUBLIC]
    assert listed_under(["team:1", MEMBERS]) == ["team:1", MEMBERS, HIDDEN]
    assert listed_under([]) == [HIDDEN]


def test_whom_a_row_excepts_it_stands_under_too() -> None:
    assert listed_under(["team:1", EXCEPT + "person:1"]) == ["team:1", EXCEPT + "person:1", HIDDEN]
    assert listed_under(["team:1", PUBLIC, EXCEPT + "person:1"]) == [PUBLIC, EXCEPT + "person:1"]
