"""Answers: kept while they are right, and made once for all who ask at the same time."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from guildhouse.kernel.answer import Answer
from guildhouse.kernel.errors import Problem
from guildhouse.kernel.searching.engine import SearchTooSlow
from guildhouse.kernel.searching.kept_answers import LARGEST, Answers
from tests.accounts.test_api_key import by_key
from tests.cast import Cast
from tests.kernel.searching.scenes import indexed, opened

pytestmark = pytest.mark.anyio

KEY = ("/v1/jobs", '"1"')


def saying(body: bytes) -> Callable[[], Awaitable[Answer]]:
    """What makes an answer of these bytes."""

    async def make() -> Answer:
        return Answer(200, body)

    return make


class Work:
    """Work that goes on until it is allowed to end."""

    def __init__(self, problem: Problem | None = None) -> None:
        self.begun, self.stopped, self.may_end, self.problem = 0, 0, asyncio.Event(), problem

    async def make(self) -> Answer:
        self.begun += 1
        try:
            await self.may_end.wait()
        except asyncio.CancelledError:
            self.stopped += 1
            raise
        if self.problem:
            raise self.problem
        return Answer(200, b"made")


async def asked(answers: Answers, work: Work, times: int) -> list[asyncio.Task[Answer]]:
    """So many who ask the same, all of them waiting."""
    asking = [asyncio.create_task(answers.get(KEY, work.make)) for _ in range(times)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert not any(each.done() for each in asking)
    return asking


def told(answers: Answers) -> tuple[int, int, int]:
    """What the metric says."""
    return answers.found, answers.made, answers.shared


async def test_answers_are_kept_as_long_as_there_is_room() -> None:
    answers = Answers(most=10)
    for path in ("/a", "/b", "/a", "/c"):  # the last one takes the place of the one that was not used for longest
        await answers.get((path, "1"), saying(path.encode() * 2))
    assert told(answers) == (1, 3, 0)
    await answers.get(("/a", "1"), saying(b"another"))
    assert told(answers) == (2, 3, 0)
    assert (await answers.get(("/b", "1"), saying(b"anew"))).body == b"anew"
    assert (await answers.get(("/a", "2"), saying(b"later"))).body == b"later"
    assert told(answers) == (2, 5, 0)


async def test_an_answer_too_large_to_be_kept_is_made_each_time() -> None:
    answers = Answers()
    for _ in range(2):
        await answers.get(KEY, saying(b"x" * (LARGEST + 1)))
    assert told(answers) == (0, 2, 0)


async def test_who_asks_the_same_at_the_same_time_shares_one_answer() -> None:
    answers, work = Answers(), Work()
    asking = await asked(answers, work, 3)
    work.may_end.set()
    assert [(await each).body for each in asking] == [b"made"] * 3
    assert (work.begun, told(answers)) == (1, (0, 1, 2))
    await answers.get(KEY, work.make)
    assert (work.begun, told(answers)) == (1, (1, 1, 2))


async def test_a_refusal_is_told_to_all_who_wait_and_is_not_kept() -> None:
    answers, work = Answers(), Work(SearchTooSlow(2))
    asking = await asked(answers, work, 3)
    work.may_end.set()
    found = await asyncio.gather(*asking, return_exceptions=True)
    assert [type(each) for each in found] == [SearchTooSlow] * 3
    assert (await answers.get(KEY, saying(b"now it is quick"))).body == b"now it is quick"


@pytest.mark.parametrize("leaver", [0, 2])
async def test_who_leaves_takes_the_answer_from_nobody_else(leaver: int) -> None:
    answers, work = Answers(), Work()
    asking = await asked(answers, work, 3)
    asking.pop(leaver).cancel()
    await asyncio.sleep(0)
    work.may_end.set()
    assert [(await each).body for each in asking] == [b"made"] * 2
    assert (work.begun, work.stopped) == (1, 0)


async def test_an_answer_that_nobody_waits_for_any_more_is_given_up_and_made_anew_for_the_next() -> None:
    answers, work = Answers(), Work()
    for each in await asked(answers, work, 2):
        each.cancel()
    await asyncio.sleep(0)
    later = asyncio.create_task(answers.get(KEY, saying(b"of the next")))
    assert (await later).body == b"of the next"
    assert (work.begun, work.stopped) == (1, 1)


async def test_equal_searches_at_the_same_time_are_searched_once(cast: Cast) -> None:
    await opened(cast, [{"title": "Nurse"}])
    answers = cast.server.search.answers
    found, made, shared = told(answers)
    responses = await asyncio.gather(*(cast.nobody.get("/v1/jobs?q=nurse&limit=8") for _ in range(6)))
    assert {each.status_code for each in responses} == {200}
    assert len({each.content for each in responses}) == 1
    assert len({each.headers["x-request-id"] for each in responses}) == 6
    assert told(answers) == (found, made + 1, shared + 5)


async def test_people_who_see_other_rows_share_nothing(cast: Cast) -> None:
    await opened(cast, [{"title": "Nurse", "status": "draft"}])
    callers = (cast.ada, cast.ben, cast.cleo, cast.nobody)
    responses = await asyncio.gather(*(caller.get("/v1/jobs?q=nurse&limit=7") for caller in callers))
    assert [len(each.json()["data"]) for each in responses] == [1, 1, 0, 0]


@pytest.mark.parametrize("path", ["/v1/search?q=nurse", "/v1/search/suggest?q=nurs"])
async def test_a_key_that_may_do_less_is_not_given_what_its_owner_was_answered(cast: Cast, path: str) -> None:
    organization = await opened(cast, [{"title": "Nurse"}])
    changed = await cast.ada.patch(f"/v1/organizations/{organization['id']}", {"name": "Changed last"})
    assert changed.status_code == 200, changed.text
    await indexed(cast, changed.headers["log-position"])
    key = await by_key(cast, cast.ada, "saved_searches.read", "organizations.read")
    mine, of_key = await cast.ada.get(path), await key.get(path)
    assert (mine.status_code, of_key.status_code) == (200, 200)
    assert ("jobs" in mine.text, "jobs" in of_key.text) == (True, False)
