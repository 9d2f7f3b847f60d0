"""At hand: what domains look things up in is loaded soon after the start, beside requests, so that nobody waits for it."""

import asyncio
import gc
from collections.abc import Callable
from threading import RLock
from typing import Generic, TypeVar

import structlog

from guildhouse.kernel.log.wake import first
from guildhouse.kernel.manifest import House

log = structlog.get_logger(__name__)

T = TypeVar("T")

AFTER = 5.0  # seconds, in which the start is over; what is needed before is loaded by whoever needs it


class Once(Generic[T]):
    """What is dear to load is loaded once: who asks while it is loaded waits for it, instead of loading another."""

    def __init__(self, load: Callable[[], T]) -> None:
        self.__doc__ = load.__doc__
        self._load, self._loading = load, RLock()
        self._kept: list[T] = []  # the one, once it is there

    def __call__(self) -> T:
        """The one that is kept, loaded now if it is not yet."""
        for kept in self._kept:
            return kept
        with self._loading:
            if not self._kept:
                self._kept = [self._load()]
            return self._kept[0]

    @property
    def is_loaded(self) -> bool:
        """Whether it is there."""
        return bool(self._kept)

    def forget(self) -> None:
        """Load it anew the next time."""
        self._kept = []


class Loader:
    """Loads what the domains want at hand, one after the other."""

    def __init__(self, house: House) -> None:
        self.house = house

    async def run(self, stop: asyncio.Event) -> None:
        """Load all, once, then keep it out of what the garbage collector looks through: it stays."""
        await first(stop, within=AFTER)
        for load in self.house.at_hand:
            if stop.is_set():
                return
            try:
                await asyncio.to_thread(load)
            except Exception as error:  # who needs it will be told
                log.warning("not at hand", error=repr(error))
        gc.freeze()
