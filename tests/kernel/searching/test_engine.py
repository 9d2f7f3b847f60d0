"""The engine: what searches share, and what ends them."""

import asyncio
import threading
import time

import pytest

from guildhouse.app import HOUSE
from guildhouse.kernel.searching import engine as engines
from guildhouse.kernel.searching.engine import Engine, SearchTooSlow
from tests.cast import Cast
from tests.kernel.searching.scenes import opened

pytestmark = pytest.mark.anyio


async def test_a_search_that_takes_too_long_is_stopped_and_says_so(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engines, "BUDGET", 0.01)
    with pytest.raises(SearchTooSlow):
        await cast.server.search.run("jobs", lambda _index: time.sleep(0.1))


async def test_in_the_index_there_are_no_more_at_once_than_there_are_cores_and_waiting_is_not_counted(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUDGET", 0.5)
    at_work, most = set[int](), list[int]()

    def search(_index: object) -> None:
        at_work.add(threading.get_ident())
        most.append(len(at_work))
        time.sleep(0.15)
        at_work.discard(threading.get_ident())

    engine = cast.server.search
    monkeypatch.setattr(engine, "in_index", asyncio.Semaphore(2))
    await asyncio.gather(*(engine.run("jobs", search) for _ in range(8)))  # the last ones wait for 0.45 s
    assert max(most) == 2


async def test_a_search_that_was_stopped_keeps_nobody_from_the_index(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "BUDGET", 0.05)
    engine = cast.server.search
    monkeypatch.setattr(engine, "in_index", asyncio.Semaphore(1))
    with pytest.raises(SearchTooSlow):
        await engine.run("jobs", lambda _index: time.sleep(0.3))
    assert await engine.run("jobs", lambda _index: "found") == "found"


def burn(_index: object) -> int:
    """Take 30 ms of CPU; the thread that it was done in."""
    start = time.thread_time()
    while time.thread_time() - start < 0.03:
        pass
    return threading.get_ident()


def where(_index: object) -> int:
    """The thread that it is done in."""
    return threading.get_ident()


async def test_a_short_text_is_looked_up_without_a_thread_and_a_long_or_untold_one_in_it(cast: Cast) -> None:
    engine, here = cast.server.search, threading.get_ident()
    assert await engine.run("jobs", where, "night nurse") == here
    assert await engine.run("jobs", where, "nurse " * 20) != here
    assert await engine.run("jobs", where) != here


async def test_one_that_takes_long_sends_the_next_ones_of_its_index_to_threads_for_a_while(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, here = cast.server.search, threading.get_ident()
    monkeypatch.setattr(engine, "_wary_until", {})
    monkeypatch.setattr(engines, "SPARED", 15)
    assert await engine.run("jobs", burn, "nurse") == here
    assert await engine.run("jobs", where, "nurse") != here
    assert await engine.run("people", where, "nurse") == here
    await asyncio.sleep(0.6)
    assert await engine.run("jobs", where, "nurse") == here


async def test_damage_is_told_alike_with_a_thread_and_without(cast: Cast) -> None:
    class PanicException(BaseException):
        """As tantivy's, which is no Exception either."""

    def panic(_index: object) -> None:
        raise PanicException("index out of bounds")

    for text in ("nurse", None):
        engine = Engine(HOUSE)
        engine.stands_at(cast.server.search.indexes, "e1", 5)
        assert await engine.run("jobs", panic, text) is None
        assert engine.indexes is None  # the follower of the log builds others


async def test_a_statement_of_a_search_that_takes_too_long_is_stopped_too(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(cast, [{"title": "Clerk"}])
    monkeypatch.setattr("guildhouse.kernel.searching.finding.BUDGET", 0.0)
    response = await cast.nobody.get("/v1/jobs?q=clerk&limit=3")
    assert (response.status_code, response.json()["code"]) == (400, "search-too-slow")
    assert (await cast.nobody.get("/v1/jobs?limit=3")).status_code == 200


async def test_without_an_index_nothing_is_run_and_nobody_waits() -> None:
    engine = Engine(HOUSE)
    assert await engine.run("jobs", lambda _index: 1) is None
    assert await engine.has_reached("e1", 5)


async def test_who_waits_for_a_position_goes_on_when_it_is_reached(cast: Cast) -> None:
    engine = cast.server.search
    epoch, pos, indexes = engine.epoch, engine.pos, engine.indexes
    assert not await engine.has_reached(epoch, pos + 1_000, patience=0.01)
    waiting = asyncio.create_task(engine.has_reached(epoch, pos + 1_000))
    await asyncio.sleep(0)
    engine.stands_at(indexes, epoch, pos + 1_000)
    assert await waiting
    engine.stands_at(indexes, epoch, pos)


async def test_a_fault_of_a_question_is_told_and_leaves_the_index(cast: Cast) -> None:
    def ask(_index: object) -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        await cast.server.search.run("jobs", ask)
    assert cast.server.search.indexes


async def test_of_many_searches_at_once_those_that_came_first_are_answered_first(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cast.server.search, "turns", asyncio.Semaphore(1))
    answered: list[int] = []

    async def ask(n: int) -> None:
        assert (await cast.nobody.get(f"/v1/jobs?q=nurse&limit={n + 1}")).status_code == 200
        answered.append(n)

    await asyncio.gather(*map(ask, range(12)))
    assert answered == list(range(12))
