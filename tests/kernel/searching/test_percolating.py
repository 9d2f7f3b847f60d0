"""Rows are asked which queries find them."""

from collections.abc import Sequence
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


def found(query: str, *scopes: str, rows: Sequence[dict[str, Any]] = ROWS) -> list[int]:
    percolator = Percolator(SCHEMA, JOBS, rows)
    ids = percolator.found_by(parse_query(query, JOBS.text), scopes or ("public",))
    return sorted(UUID(each).int for each in ids)


def test_a_query_finds_the_rows_that_it_fits() -> None:
    assert found("nurse") == [1]
    assert found("nurse -registered") == []
    assert found("carpenter") == []


PARTED = [
    record(1, title="Clerk", skills=["machine learning", "data"], description="We cook\n- and serve\n\nEvery day"),
    record(2, title="文員", skills=["機器學習", "資料"], description="上大學，生活好\n\n安全地工作"),
]


def test_no_phrase_runs_over_from_one_item_or_paragraph_to_the_next() -> None:
    for phrase in ("machine learning", "we cook", "and serve", "every day"):
        assert found(f'"{phrase}"', rows=PARTED) == found(f'"{phrase}" clerk', rows=PARTED) == [1]
    for phrase in ("learning data", "skills:learning data", "cook and", "serve every"):
        assert found(f'"{phrase}"', rows=PARTED) == []
    assert found('skills:"machine learning"', rows=PARTED) == [1]
    assert found('skills:"learning data"', rows=PARTED) == []


def test_no_chinese_phrase_or_word_does_so_either() -> None:
    assert (
        found('"機器學習"', rows=PARTED) == found("机器学习", rows=PARTED) == found('"安全地工作"', rows=PARTED) == [2]
    )
    assert found('"學習資料"', rows=PARTED) == found('"好安全"', rows=PARTED) == []
    assert found("學生", rows=PARTED) == []


def test_only_for_who_sees_them() -> None:
    assert found("nurse", "public", "person:1") == [1, 2]
    assert found("nurse", "members") == []


def test_a_word_that_is_nearly_the_same_is_another_word() -> None:
    assert found("murse") == []


def test_many_queries_are_asked_of_the_same_rows() -> None:
    percolator = Percolator(SCHEMA, JOBS, ROWS)
    answers = [percolator.found_by(parse_query(each, JOBS.text), ("public",)) for each in ("nurse", "purse", "maker")]
    assert [len(each) for each in answers] == [1, 1, 1]
