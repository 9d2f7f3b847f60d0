"""Heard: searches are told to the domains together, once, and not lost by a fault of the moment."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import asyncpg
import pytest
from spine import running, until

from guildhouse.kernel.context import Context
from guildhouse.kernel.manifest import House, Manifest
from guildhouse.kernel.searching import heard
from guildhouse.kernel.searching.heard import Clicked, Ear, EarLoop, Heard, Searched
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
