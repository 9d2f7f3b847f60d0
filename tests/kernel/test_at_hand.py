"""At hand: what things are looked up in is there before anybody asks, and nobody notices how it came."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from time import monotonic, sleep

import pytest
from spine import running, until

from guildhouse.app import HOUSE
from guildhouse.kernel import at_hand
from guildhouse.kernel.at_hand import Loader, Once
from guildhouse.kernel.manifest import House, Manifest
from guildhouse.kernel.searching.tokens import chinese, scripts
from guildhouse.places.gazetteer import gazetteer
from guildhouse.places.town_names import names_of_towns
from guildhouse.vocabulary.extraction import automata
from guildhouse.vocabulary.occupations import register
from guildhouse.vocabulary.phrases import everyday
from guildhouse.vocabulary.skills import spelled

pytestmark = pytest.mark.anyio


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody waits for the loading to begin."""
    monkeypatch.setattr(at_hand, "AFTER", 0.0)


async def test_what_the_house_looks_things_up_in_is_loaded() -> None:
    dear = (gazetteer, automata, register, spelled, everyday, chinese, scripts, names_of_towns)
    for kept in dear:
        kept.forget()
    async with running(Loader(HOUSE).run):
        await until(lambda: all(kept.is_loaded for kept in dear))


async def test_what_cannot_be_loaded_keeps_nothing_else_from_it() -> None:
    done: list[str] = []

    def broken() -> None:
        raise OSError("a file is gone")

    house = House((Manifest("one", at_hand=(broken,)), Manifest("two", at_hand=(lambda: done.append("two"),))))
    await Loader(house).run(asyncio.Event())
    assert done == ["two"]


async def test_a_server_that_stops_loads_nothing_more() -> None:
    stop, done = asyncio.Event(), list[str]()
    stop.set()
    begun = monotonic()
    await Loader(House((Manifest("one", at_hand=(lambda: done.append("one"),)),))).run(stop)
    assert done == [] and monotonic() - begun < 0.5


def test_who_asks_while_it_is_loaded_waits_for_it_instead_of_loading_another() -> None:
    loaded: list[object] = []

    @Once
    def slow() -> object:
        """Slow."""
        sleep(0.05)
        loaded.append(object())
        return loaded[-1]

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: slow(), range(4)))
    assert found == loaded * 4
    slow.forget()
    assert slow() is not found[0]
