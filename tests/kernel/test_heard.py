"""Heard: searches are told to the domains together, once, and not lost by a fault of the moment."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest
from spine import running, until

from guildhouse.kernel.context import Context
from guildhouse.kernel.manifest import House, Manifest
from guildhouse.kernel.searching import heard
from guildhouse.kernel.searching.heard import Clicked, Ear, EarLoop, Heard, Searched, cuts_a_word, goes_on, settled
from guildhouse.kernel.server import Server
from tests.cast import Cast

pytestmark = pytest.mark.anyio


def search(q: str) -> Searched:
    return Searched("jobs", q, None, 1, 1, 1.0)


class Listener:
    """A domain that wants to know, and fails with these errors first."""

    def __init__(self, *errors: Exception) -> None:
        self.told: list[list[str]] = []
        self.errors = list(errors)

    async def __call__(self, _server: Server, ctx: Context, batch: Sequence[Heard]) -> None:
        assert ctx.actor.id is None and await ctx.connection.fetchval("SELECT pg_current_xact_id() IS NOT NULL")
        if self.errors:
            raise self.errors.pop(0)
        self.told.append([each.q for each in batch])


def listening(cast: Cast, *listeners: Any) -> Server:
    house = House((Manifest("listening", hearers=listeners),))
    return replace(cast.server, house=house, ear=Ear())


async def test_what_was_heard_is_told_once_in_its_order(cast: Cast) -> None:
    first, second = Listener(), Listener()
    server = listening(cast, first, second)
    server.ear.hear(search("a"))
    server.ear.hear(Clicked("jobs", "b", 1))
    assert await server.ear.tell(server) == 2
    assert await server.ear.tell(server) == 0
    assert first.told == second.told == [["a", "b"]]


async def test_after_a_fault_of_the_moment_it_is_told_again(cast: Cast) -> None:
    listener = Listener(asyncpg.DeadlockDetectedError("busy"))
    server = listening(cast, listener)
    server.ear.hear(search("a"))
    with pytest.raises(asyncpg.DeadlockDetectedError):
        await server.ear.tell(server)
    server.ear.hear(search("b"))
    assert await server.ear.tell(server) == 2
    assert listener.told == [["a", "b"]]


async def test_what_nobody_can_take_is_not_told_forever(cast: Cast) -> None:
    server = listening(cast, Listener(ValueError("a fault of ours")))
    server.ear.hear(search("a"))
    with pytest.raises(ValueError, match="ours"):
        await server.ear.tell(server)
    assert await server.ear.tell(server) == 0


async def test_it_never_takes_more_room_than_it_may(monkeypatch: pytest.MonkeyPatch, cast: Cast) -> None:
    monkeypatch.setattr(heard, "MOST", 3)
    listener = Listener(asyncpg.DeadlockDetectedError("busy"))
    server = listening(cast, listener)
    for n in range(5):
        server.ear.hear(search(str(n)))
    assert [each.q for each in server.ear.heard] == ["2", "3", "4"]
    with pytest.raises(asyncpg.DeadlockDetectedError):
        await server.ear.tell(server)
    server.ear.hear(search("5"))
    await server.ear.tell(server)
    assert listener.told == [["3", "4", "5"]]


async def test_where_no_domain_listens_nothing_gathers(cast: Cast) -> None:
    server = listening(cast)
    server.ear.hear(search("a"))
    assert await server.ear.tell(server) == 0
    assert not server.ear.heard


async def test_the_loop_tells_by_itself_goes_on_after_a_fault_and_tells_the_rest_at_the_end(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heard, "EVERY", 0.02)
    listener = Listener(ValueError("a fault of ours"))
    server = listening(cast, listener)
    async with running(EarLoop(server).run):
        server.ear.hear(search("lost"))
        await until(lambda: not listener.errors)
        server.ear.hear(search("a"))
        await until(lambda: listener.told == [["a"]])
        monkeypatch.setattr(heard, "EVERY", 60)
        await asyncio.sleep(0.05)
        server.ear.hear(search("b"))
    assert listener.told == [["a"], ["b"]]


def typed(*texts: str, by: str | None = "ada", **more: Any) -> list[Heard]:
    """What somebody types, a second for each keystroke."""
    now = datetime.now(UTC)
    return [Searched("jobs", q, by, 1, 1, 1.0, at=now + timedelta(seconds=n), **more) for n, q in enumerate(texts)]


def counted(batch: Sequence[Heard]) -> list[tuple[str, str | None]]:
    """The searches that are left, and what each was before it was told."""
    told, _ = settled(batch, {})
    return [(each.q, each.instead_of.q if isinstance(each, Searched) and each.instead_of else None) for each in told]


def test_of_what_somebody_types_the_last_is_the_search() -> None:
    assert counted(typed("n", "nu", "Nurse", "nurse ni", "nurse  night")) == [("nurse  night", None)]
    assert counted(typed("護", "護理", "護理師")) == [("護理師", None)]
    assert counted(typed("nurse", "baker", "bake shop")) == [("nurse", None), ("baker", None), ("bake shop", None)]


def test_words_that_are_taken_back_are_taken_back_and_half_a_word_is_no_search() -> None:
    assert counted(typed("nurse night", "nurse nig", "nurse")) == [("nurse", None)]
    assert counted(typed("nurse", "nurs", "n")) == [("nurse", None)]
    assert counted(typed("nurse", "nurs", "nurses")) == [("nurses", None)]


def test_each_person_list_and_filter_has_its_own_searches() -> None:
    for more in ({"by": "ben"}, {"by": None}, {"query": {"city": "Tainan"}}):
        batch = [*typed("nur"), *typed("nurse", **more)]
        assert [q for q, _ in counted(batch)] == ["nur", "nurse"]
    elsewhere = replace(typed("nurse")[0], resource="people")
    assert len(counted([*typed("nur"), elsewhere])) == 2
    assert len(counted(typed("nur", "nurse", by=None))) == 2


def test_after_a_while_it_is_another_search() -> None:
    later = replace(typed("nurse")[0], at=datetime.now(UTC) + 2 * heard.TYPING)
    assert len(counted([*typed("nur"), later])) == 2


def test_the_same_search_again_is_a_search_again() -> None:
    assert counted(typed("nurse", "Nurse")) == [("nurse", None), ("Nurse", None)]


async def test_what_was_told_already_is_named_by_what_it_became_once(cast: Cast) -> None:
    told: list[Searched] = []

    async def listener(_server: Server, _ctx: Context, batch: Sequence[Heard]) -> None:
        told.extend(each for each in batch if isinstance(each, Searched))

    server = listening(cast, listener)
    for part in (typed("n", "nu"), typed("nur"), typed("nurse", "nurse x"), typed("nurse")):
        server.ear.heard.extend(part)
        await server.ear.tell(server)
    said = [(each.q, each.instead_of and each.instead_of.q) for each in told]
    assert said == [("nu", None), ("nur", "nu"), ("nurse x", "nur"), ("nurse", "nurse x")]
    assert all(each.instead_of is None or each.instead_of.instead_of is None for each in told)


async def test_what_could_not_be_told_goes_on_from_what_was_told_before_it(cast: Cast) -> None:
    listener = Listener(asyncpg.DeadlockDetectedError("busy"))
    server = listening(cast, listener)
    server.ear.heard.extend(typed("nur", "nurs"))
    with pytest.raises(asyncpg.DeadlockDetectedError):
        await server.ear.tell(server)
    server.ear.heard.extend(typed("nurse"))
    await server.ear.tell(server)
    assert listener.told == [["nurse"]]


@pytest.mark.parametrize(
    ("earlier", "later", "same", "cut"),
    [
        ("nur", "nurse", True, False),
        ("nurse", "NUR", True, True),
        ("nurse night", "nurse", True, False),
        ("nurse", "nurse", False, False),
        ("nurse", "curse", False, False),
        ("ｎｕｒ", "nurse", True, False),
    ],
)
def test_which_searches_go_on(earlier: str, later: str, same: bool, cut: bool) -> None:
    assert goes_on(earlier, later) is same
    assert not same or cuts_a_word(earlier, later) is cut
