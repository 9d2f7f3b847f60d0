"""What the database refuses, as a client meets it."""

from typing import Any, Literal

import asyncpg
import pytest
from pydantic import Field

from guildhouse.kernel import problems
from guildhouse.kernel.errors import InternalError, Invalid, Problem, Reason, Unavailable, subclasses
from guildhouse.kernel.filters import WrongFilterValue
from guildhouse.kernel.problems import Raced, StillReferenced, body_of
from guildhouse.kernel.request import conform
from guildhouse.kernel.shapes import Line, Shape
from tests.cast import Cast
from tests.jobs.openings import tracked
from tests.organizations.scenes import refusal

pytestmark = pytest.mark.anyio


async def test_what_is_taken_is_a_conflict_that_names_the_field_and_not_the_value(cast: Cast) -> None:
    account = {"email": "ada@example.org", "name": "Ada", "password": "correct horse battery staple"}
    refused = await cast.nobody.post("/v1/people", account)
    assert refusal(refused) == (409, "already-exists")
    assert [fault["pointer"] for fault in refused.json()["errors"]] == ["/email"]
    assert "ada@" not in refused.text


async def test_a_number_too_large_for_its_column_is_invalid_and_not_a_failure(cast: Cast) -> None:
    job = await tracked(cast.ada)
    for wrong in (1e308, 10**30, 9_999_999_999.999):
        response = await cast.ada.patch(f"/v1/jobs/{job['id']}", {"salary_max": wrong})
        assert response.status_code == 422, wrong


async def test_a_row_that_another_leads_to_is_not_purged(cast: Cast) -> None:
    job = await tracked(cast.ada)
    pool = cast.server.database.pool
    await pool.execute("CREATE TABLE pins (job_id uuid REFERENCES jobs)")
    await pool.execute("INSERT INTO pins VALUES ($1)", job["id"])
    await cast.ada.delete(f"/v1/jobs/{job['id']}")
    refused = await cast.ada.post(f"/v1/jobs/{job['id']}/purge")
    assert refusal(refused) == (409, "still-referenced")
    assert "pins" in refused.json()["detail"]
    await pool.execute("DELETE FROM pins")
    assert (await cast.ada.post(f"/v1/jobs/{job['id']}/purge")).status_code == 204


async def test_a_statement_that_is_cut_off_may_be_sent_again(cast: Cast) -> None:
    with pytest.raises(asyncpg.QueryCanceledError) as cancelled:
        async with cast.server.database.pool.acquire() as connection, connection.transaction():
            await connection.execute("SET LOCAL statement_timeout = '1ms'")
            await connection.execute("SELECT pg_sleep(1)")
    meaning = problems.from_driver(cancelled.value)
    assert (type(meaning), meaning.retryable, meaning.headers["Retry-After"]) == (Unavailable, True, "2")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncpg.DeadlockDetectedError("x"), Raced),
        (asyncpg.SerializationError("x"), Raced),
        (ConnectionRefusedError(), Unavailable),
        (asyncpg.UndefinedTableError("secret_table"), InternalError),
        (KeyError("secret"), InternalError),
    ],
)
def test_what_is_told_never_repeats_the_error_itself(error: Exception, kind: type[Problem]) -> None:
    found = problems.from_driver(error)
    assert type(found) is kind
    assert b"secret" not in problems.encoded(found, "en", "t")


def test_every_problem_has_a_status_of_a_refusal() -> None:
    for kind in subclasses():
        assert 400 <= kind.status < 600, kind
        assert kind.retryable is False or kind.status in (409, 429, 503), kind


def test_every_problem_of_a_reference_says_what_to_do() -> None:
    error: Any = asyncpg.ForeignKeyViolationError("x")
    error.detail, error.table_name = 'Key (id)=(1) is still referenced from table "job_pins".', "job_pins"
    found = problems.from_driver(error)
    assert isinstance(found, StillReferenced)
    assert found.detail() == "Other rows still lead to this one (job pins). Remove or change them first."


@pytest.mark.parametrize(
    ("problem", "detail"),
    [
        (WrongFilterValue(name="weight", why="it takes a whole number"), "`weight` 不接受所給的值：請給整數。"),
        (
            WrongFilterValue(name="status", why=Reason("it takes one of {known}", known="draft, shown")),
            "`status` 不接受所給的值：請給其中之一：draft, shown。",
        ),
        (Unavailable(why="the disk is full"), "磁碟已滿"),
        (WrongFilterValue(name="x", why="{name} as it came"), "`x` 不接受所給的值：{name} as it came。"),
    ],
)
def test_words_within_a_message_are_in_the_readers_language_too(problem: Problem, detail: str) -> None:
    assert detail in str(body_of(problem, "zh-TW", "abc")["detail"])
    assert str(problem.values["why"]) in body_of(problem, "en", "abc")["detail"]


@pytest.mark.parametrize("language", ["en", "zh-TW"])
@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({"title": "x" * 300}, "200"),
        ({"title": ""}, "1"),
        ({"weight": 10**9}, "1000"),
        ({"status": "lost"}, "draft"),
    ],
)
def test_a_fault_says_in_every_language_what_would_be_right(body: dict[str, Any], told: str, language: str) -> None:
    with pytest.raises(Invalid) as caught:
        conform(Limited, {"title": "ok", **body})
    [fault] = body_of(caught.value, language, "abc")["errors"]
    assert told in fault["detail"]


class Limited(Shape):
    """A body with every kind of limit."""

    title: Line
    weight: int = Field(default=0, le=1000)
    status: Literal["draft", "shown"] = "draft"
