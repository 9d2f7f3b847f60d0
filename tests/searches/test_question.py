"""Questions: their gates let through all that PostgreSQL would, and as good as nothing else."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from guildhouse.app import HOUSE
from guildhouse.jobs.job import jobs
from guildhouse.kernel.errors import Invalid
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.searching.index_schema import schema_of
from guildhouse.searches.matching import may_be_lost
from guildhouse.searches.question import Gate, Gates, Question, behind_gates, question_of, touched_by
from guildhouse.searches.sifting import Sieve, judging
from tests.cast import Cast

pytestmark = pytest.mark.anyio

TAIPEI = {"latitude": 25.04, "longitude": 121.5}
TODAY = datetime.now(UTC).date()
ROWS: list[dict[str, Any]] = [
    {"title": "Nurse"},
    {
        "title": "nurse",
        "country": "TW",
        "city": "臺北",
        "latitude": 25.04,
        "longitude": 121.5,
        "skills": ["care"],
        "salary_max": 50_000,
    },
    {"title": "Baker", "country": "JP", "skills": ["care", "bread"], "tags": ["early"], "salary_max": 60_000.5},
    {"title": "50% Ärztin", "country": "DE", "closes_on": str(TODAY + timedelta(days=9)), "workplace": "remote"},
    {"title": "Zoo_keeper", "salary_min": 1, "salary_max": 49_999.99, "closes_on": str(TODAY), "city": "Tainan"},
]
QUERIES: list[dict[str, str]] = [
    {"country": "TW"}, {"country[ne]": "TW"}, {"country[in]": "TW,JP"}, {"country[nin]": "TW,JP"},
    {"country[isnull]": "true"}, {"country[isnull]": "false"}, {"salary_max": "50000"}, {"salary_max[gte]": "50000"},
    {"salary_max[gt]": "50000"}, {"salary_max[lt]": "50000"}, {"salary_max[lte]": "60000.5"},
    {"salary_max[between]": "49999.99,50000"}, {"salary_max[in]": "60000.5,1"}, {"salary_max[nin]": "60000.5"},
    {"skills[contains]": "care"}, {"skills[contains]": "care,bread"}, {"skills[in]": "bread,x"}, {"tags[isnull]": "false"},
    {"title[startswith]": "nur"}, {"title[contains]": "ÄRZ"}, {"title[contains]": "50%"}, {"title[gt]": "a"},
    {"title[contains]": "o_k"}, {"city": "臺北"}, {"city[between]": "A,Z"}, {"workplace": "remote"},
    {"closes_on": str(TODAY)}, {"closes_on[lt]": str(TODAY + timedelta(days=1))}, {"posted_at[within]": "1h"},
    {"posted_at[lte]": "2020-01-01T00:00:00Z"}, {"status": "open"}, {"status": "draft"}, {"status": "open", "country": "DE"},
    {"near": "25.03,121.56"}, {"near": "25.03,121.56", "radius": "any", "remote": "include"},
    {"near": "23.0,120.2", "radius": "5km", "remote": "exclude"}, {"pay[gte]": "18000", "pay_in": "USD/year"},
    {"pay[between]": "1,20000", "pay_in": "USD/year", "country": "TW"},
    {"organization_id": "019a9f3c-7c00-7000-8000-000000000001"}, {"organization_id[isnull]": "true"}, {},
]  # fmt: skip


@pytest.fixture
async def sieve(cast: Cast) -> Sieve:
    """Jobs that were just tracked."""
    pay = {"salary_currency": "TWD", "salary_period": "month"}
    made = [await cast.cleo.made("/v1/jobs", {**each, **(pay if "salary_max" in each else {})}) for each in ROWS]
    sieve = Sieve(HOUSE, schema_of(HOUSE), jobs)
    async with cast.server.database.reading() as connection:
        await sieve.take(connection, {job["id"]: [change(None, {"title": "x"})] for job in made})
    assert len(sieve.rows) == len(ROWS)
    return sieve


def change(before: dict[str, Any] | None, after: dict[str, Any] | None, *, scopes: str = "x") -> Change:
    then, scope = None if before is None else ["x"], None if after is None else [scopes]
    return Change(
        1, 1, datetime.now(UTC), None, None, None, None, "jobs", "", 1, "changed", before, after, then, scope, 1
    )


@pytest.mark.parametrize("query", QUERIES, ids=str)
async def test_no_gate_shuts_out_what_fits(cast: Cast, sieve: Sieve, query: dict[str, str]) -> None:
    question = question_of(HOUSE, jobs, query)
    passed = {row_id for _, ids in sieve.through_gates([question]) for row_id in ids}
    async with cast.server.database.reading() as connection:
        sql, values = judging(HOUSE, [(question, list(sieve.rows))])
        fitting = {record["id"] for record in await connection.fetch(sql, *values)}
        assert {row_id for _, row_id in await sieve.fitting(connection, [question])} == fitting
    assert fitting <= passed
    if len(question.gates) == len(query):
        assert fitting == passed


async def test_many_questions_are_judged_in_statements_of_some(cast: Cast, sieve: Sieve) -> None:
    questions = [
        question_of(HOUSE, jobs, {"salary_max[gte]": str(n), "title[contains]": "nurse"}) for n in range(49_900, 50_100)
    ]
    questions += [question_of(HOUSE, jobs, {"q": "nurse", "city[isnull]": "true"}) for _ in range(150)]
    async with cast.server.database.reading() as connection:
        found = await sieve.fitting(connection, questions)
    titles = [sieve.rows[row_id]["title"] for _, row_id in found]
    assert (titles.count("nurse"), titles.count("Nurse")) == (101, 150)


def test_each_question_is_behind_the_gate_that_is_shut_to_most() -> None:
    queries = [{"status": "open", "city": city, "salary_max[gte]": "5"} for city in ("Tainan", "Tainan", "Taipei")]
    questions = [question_of(HOUSE, jobs, each) for each in (*queries, {"salary_max[gte]": "5"}, {"q": "nurse"})]
    groups = {key: len(group) for key, group in behind_gates(questions).items()}
    assert groups == {("city", "Tainan"): 2, ("city", "Taipei"): 1, ("salary_max[gte]", "5"): 1, None: 1}


def test_a_gate_is_tried_once_for_a_row() -> None:
    tried: list[str] = []
    gates: dict[tuple[str, str], Gate] = {("a", "1"): lambda _: bool(tried.append("a")), ("b", "1"): lambda _: True}
    row = Gates({})
    assert not row.are_open(gates) and not row.are_open(gates) and row.are_open({("b", "1"): gates["b", "1"]})
    assert tried == ["a"]


def test_a_query_that_no_list_takes_any_more_is_refused() -> None:
    for query in ({"colour": "red"}, {"status": "gone"}, {"q": "!"}):
        with pytest.raises(Invalid):
            question_of(HOUSE, jobs, query)


def test_what_is_touched_is_what_was_written_or_all_of_it() -> None:
    assert touched_by([change({"title": "a"}, {"title": "b"}), change({"city": "a"}, {"city": None})]) == {
        "title",
        "city",
    }
    assert touched_by([change({"title": "a"}, {"title": "b"}), change(None, {"title": "a"})]) is None
    assert touched_by([change({"status": "draft"}, {"status": "open"}, scopes="public")]) is None
    assert touched_by([change({"deleted_at": "2026"}, {"deleted_at": None})]) is None


@pytest.mark.parametrize(
    ("then", "now", "news", "lost"),
    [
        ("team", "team", False, False), ("team", "team public", True, False), ("team public", "team", False, True),
        ("team", "members", True, True), ("team", "team except:person:1", False, True),
        ("team except:person:1", "team", True, False), ("team except:person:1", "team except:person:2", True, True),
    ],
)  # fmt: skip
def test_other_scopes_are_news_to_whom_they_let_in_and_a_loss_to_whom_they_shut_out(
    then: str, now: str, news: bool, lost: bool
) -> None:
    moved = replace(change({}, {}), scopes_before=then.split(), scopes_after=now.split())
    assert ((touched_by([moved]) is None), may_be_lost(moved)) == (news, lost)


def test_a_question_looks_at_its_filters_and_at_the_text_where_it_has_words() -> None:
    def looks(query: dict[str, str], *touched: str) -> bool:
        question: Question = question_of(HOUSE, jobs, query)
        return question.looks_at(frozenset(touched))

    assert looks({"country": "TW"}, "country", "title")
    assert not looks({"country": "TW", "sort": "title"}, "title")
    assert looks({"q": "nurse", "country": "TW"}, "title")
    assert not looks({"q": "nurse"}, "closes_on", "salary_max")
    assert looks({"near": "25.03,121.56", "radius": "5km"}, "longitude")
    assert not looks({"near": "25.03,121.56", "remote": "include"}, "title", "salary_currency")
    assert looks({"near": "25.03,121.56", "remote": "include"}, "workplace")
    assert looks({"pay[gte]": "1", "pay_in": "USD/year"}, "yearly_pay_max")
    assert not looks({"pay[gte]": "1", "pay_in": "USD/year"}, "title")
    assert question_of(HOUSE, jobs, {"country": "TW"}).looks_at(None)
    people = question_of(HOUSE, HOUSE.resources["people"], {"q": "nurse"})
    assert people.looks_at(frozenset({"audience"}))
