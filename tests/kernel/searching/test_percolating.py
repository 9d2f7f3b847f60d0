"""Rows are asked which queries find them."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from guildhouse.app import HOUSE
from guildhouse.kernel.searching.index_schema import schema_of
from guildhouse.kernel.searching.percolating import Percolator
from guildhouse.kernel.searching.search_query import parse_query

SCHEMA = schema_of(HOUSE)
JOBS = SCHEMA.nouns["jobs"]


def record(n: int, scopes: tuple[str, ...] = ("public",), **values: Any) -> dict[str, Any]:
    empty = dict.fromkeys(JOBS.resource.columns)
    lists = {"skills": [], "tags": []}
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return {
        **empty,
        **lists,
        "posted_at": now,
        "created_at": now,
        "id": str(UUID(int=n)),
        "scopes": list(scopes),
        **values,
    }


ROWS = [
    record(1, title="Registered nurse"),
    record(2, ("person:1",), title="Night nurse"),
    record(3, title="Purse maker"),
]


def found(query: str, *scopes: str) -> list[int]:
    percolator = Percolator(SCHEMA, JOBS, ROWS)
    ids = percolator.found_by(parse_query(query, JOBS.text), scopes or ("public",))
    return sorted(UUID(each).int for each in ids)


def test_a_query_finds_the_rows_that_it_fits() -> None:
    assert found("nurse") == [1]
    assert found("nurse -registered") == []
    assert found("carpenter") == []


def test_only_for_who_sees_them() -> None:
    assert found("nurse", "public", "person:1") == [1, 2]
    assert found("nurse", "members") == []


def test_a_word_that_is_nearly_the_same_is_another_word() -> None:
    assert found("murse") == []


def test_many_queries_are_asked_of_the_same_rows() -> None:
    percolator = Percolator(SCHEMA, JOBS, ROWS)
    answers = [percolator.found_by(parse_query(each, JOBS.text), ("public",)) for each in ("nurse", "purse", "maker")]
    assert [len(each) for each in answers] == [1, 1, 1]
