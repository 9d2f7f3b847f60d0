"""Problems: their codes, messages and bodies, and what the database's errors become."""

from string import Formatter
from typing import Any

import asyncpg
import pytest

from guildhouse import app
from guildhouse.kernel.answer import problem_answer
from guildhouse.kernel.db import Database
from guildhouse.kernel.document.bodies import ProblemBody
from guildhouse.kernel.errors import (
    AlreadyExists,
    BadRequest,
    Conflict,
    Fault,
    Invalid,
    NotFound,
    Problem,
    TooManyRequests,
    Unauthenticated,
    Unavailable,
    invalid,
    kebab,
    raise_if,
    subclasses,
)
from guildhouse.kernel.problems import Raced, StillReferenced, body_of, from_driver
from tests.kernel.gadget import lay_gadgets, row_of

KINDS = sorted(set(subclasses()), key=lambda kind: kind.code())
HOUSE = app.HOUSE  # importing it loads every problem there is


def plain(kind: type[Problem]) -> Problem:
    """A problem of a kind, whatever its own constructor asks for."""
    problem = kind.__new__(kind)
    Problem.__init__(problem)
    return problem


def test_a_class_names_its_code_and_title() -> None:
    assert kebab("JobNotOpen") == "job-not-open"
    assert (TooManyRequests.code(), TooManyRequests.title()) == ("too-many-requests", "Too many requests")


def test_the_docstring_is_the_message_and_is_filled_in() -> None:
    assert AlreadyExists(what="title").detail() == "There is already one with the same title."
    assert str(AlreadyExists(what="title")) == "There is already one with the same title."


def test_a_value_that_was_not_given_reads_as_its_name() -> None:
    assert BadRequest().detail() == "The request is malformed: why."


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code())
def test_every_problem_says_something_whole(kind: type[Problem]) -> None:
    assert 400 <= kind.status < 600
    assert kind.__doc__ and kind.message().endswith((".", "names them.", "them."))
    assert all(name != "" for _, name, _, _ in Formatter().parse(kind.message())), "a place in it has no name"
    assert plain(kind).detail()


def test_every_code_is_given_once() -> None:
    codes = [kind.code() for kind in KINDS]
    assert len(set(codes)) == len(codes)


def test_faults_are_raised_only_where_there_are_any() -> None:
    raise_if([])
    with pytest.raises(Invalid) as caught:
        raise_if([Fault("/title", "missing", "Field required")])
    assert caught.value.faults[0].pointer == "/title"


def test_one_fault_is_raised_in_one_line() -> None:
    problem = invalid("/closes_on", "too-early", "this is before {what}", what="opens_on")
    assert problem.faults == (Fault("/closes_on", "too-early", "this is before opens_on", {"what": "opens_on"}),)


def test_the_body_has_the_documented_members_and_no_others() -> None:
    body = body_of(invalid("/title", "missing", "Field required"), "en", "abc", "/v1/gadgets")
    assert set(body) == set(ProblemBody.model_fields) - {"results"}
    ProblemBody.model_validate(body)
    assert (body["type"], body["status"], body["code"]) == ("/docs/errors/invalid", 422, "invalid")
    assert (body["trace_id"], body["instance"], body["retryable"]) == ("abc", "/v1/gadgets", False)


def test_the_body_speaks_the_readers_language() -> None:
    body = body_of(invalid("/title", "missing", "Field required"), "zh-TW", "abc")
    assert body["title"] == "內容有誤"
    assert body["errors"] == [{"pointer": "/title", "code": "missing", "detail": "缺少這個欄位"}]


def test_a_fault_of_a_kind_without_translation_keeps_its_words() -> None:
    body = body_of(invalid("/title", "of-a-rule-of-its-own", "say more"), "zh-TW", "abc")
    assert body["errors"][0]["detail"] == "say more"


def test_answers_carry_what_their_status_asks_for() -> None:
    assert problem_answer(Unauthenticated(), "en", "abc").headers["WWW-Authenticate"] == "Bearer"
    assert problem_answer(Unavailable(why="it starts"), "en", "abc").headers["Retry-After"] == "2"
    answer = problem_answer(NotFound(), "zh-TW", "abc")
    assert (answer.status, answer.media_type) == (404, "application/problem+json")
    assert answer.headers == {"Content-Language": "zh-TW", "Cache-Control": "no-store"}


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (asyncpg.SerializationError("x"), Raced),
        (asyncpg.DeadlockDetectedError("x"), Raced),
        (asyncpg.DiskFullError("x"), Unavailable),
        (asyncpg.QueryCanceledError("x"), Unavailable),
        (asyncpg.InterfaceError("the pool is closed"), Unavailable),
        (ConnectionRefusedError(), Unavailable),
        (TimeoutError(), Unavailable),
    ],
)
def test_what_passes_by_itself_may_be_tried_again(error: Exception, kind: type[Problem]) -> None:
    problem = from_driver(error)
    assert type(problem) is kind and problem.retryable


def test_a_slip_of_ours_is_an_internal_error_and_tells_nothing() -> None:
    problem = from_driver(KeyError("secret"))
    assert problem.status == 500 and "secret" not in problem.detail()


@pytest.mark.anyio
@pytest.mark.parametrize(
    ("values", "kind", "faults"),
    [
        ({"title": "Twice"}, AlreadyExists, [("/maker_id", "already-exists"), ("/title", "already-exists")]),
        ({"title": None}, Invalid, [("/title", "required")]),
        ({"status": "lost"}, Invalid, [("/status", "out-of-range")]),
        ({"weight": 2**31}, Invalid, [("", "out-of-range")]),
    ],
)
async def test_constraints_read_like_validation(
    database: Database, values: dict[str, Any], kind: type[Problem], faults: list[tuple[str, str]]
) -> None:
    first = row_of(title="Twice")
    problem = await refused(database, [first, row_of(maker_id=first["maker_id"], **{"title": "Other", **values})])
    assert type(problem) is kind
    assert [(fault.pointer, fault.code) for fault in problem.faults] == faults
    assert "Twice" not in str(body_of(problem, "en", "abc")), "values of other rows are not told"


@pytest.mark.anyio
async def test_a_reference_to_nothing_names_its_field(database: Database) -> None:
    problem = await refused(database, [row_of()], "UPDATE gadgets SET maker_id = gen_random_uuid()")
    assert type(problem) is Invalid and problem.faults[0].pointer == "/maker_id"


@pytest.mark.anyio
async def test_a_row_that_others_lead_to_is_a_conflict(database: Database) -> None:
    problem = await refused(database, [row_of()], "DELETE FROM makers")
    assert type(problem) is StillReferenced and isinstance(problem, Conflict)


async def refused(database: Database, rows: list[dict[str, Any]], statement: str = "") -> Problem:
    """What writing these rows, and then this statement, is refused with."""
    async with database.reading() as connection:
        with pytest.raises(asyncpg.PostgresError) as caught:
            await lay_gadgets(connection, rows)
            await connection.execute(statement)
    return from_driver(caught.value)
