"""The engine: the search index of a process, as the doors use it. Without an index the database answers in its place."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Sequence
from socket import gaierror
from time import monotonic, thread_time
from typing import TypeVar

import structlog

from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.log.wake import first
from guildhouse.kernel.manifest import House
from guildhouse.kernel.searching.index_schema import SearchSchema, schema_of
from guildhouse.kernel.searching.index_set import IndexSet
from guildhouse.kernel.searching.kept_answers import Answers
from guildhouse.kernel.searching.ranking import Rankings
from guildhouse.kernel.searching.search_index import SearchIndex, in_thread, without_panic

T = TypeVar("T")

log = structlog.get_logger(__name__)

OF_THE_QUESTION = ("An invalid argument", "Schema error", "Field ", "The field ", "Expected ", "Value ")
AT_ONCE = 2 * (os.cpu_count() or 1)  # searches that are at work
BUDGET = 2.0  # seconds of one search in the index or in the database
SHORT = 100  # letters of a text that is not likely to take long
QUICK = 0.01  # seconds of CPU: for so long a search may keep requests waiting
SPARED = 200  # after one that took longer, those of its index go to threads for so many times as long


class SearchTooSlow(BadRequest):
    """This search was stopped after {seconds} seconds. Use fewer words, or longer ones, or add a filter."""

    def __init__(self, seconds: float) -> None:
        super().__init__(seconds=round(seconds))


class Engine:
    """What searches share in a process. `indexes` is None while they are built: then the database searches."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.schema: SearchSchema = schema_of(house)
        self.rankings = Rankings()
        self.answers = Answers()
        self.indexes: IndexSet | None = None
        self.epoch, self.pos = "", 0
        self.awaited = 0  # how many wait for what was written to be found
        # Who comes first is served first: many at once only take each other's time, and some would wait thrice as long.
        self.turns = asyncio.Semaphore(AT_ONCE)
        # In the index itself one for each core: while some are there, others are with the database.
        self.in_index = asyncio.Semaphore(AT_ONCE // 2)
        self._wary_until: dict[tuple[str, ...], float] = {}
        self._moved = asyncio.Event()

    def stands_at(self, indexes: IndexSet | None, epoch: str, pos: int) -> None:
        """From now on these indexes answer, and have all changes up to there."""
        self.indexes, self.epoch, self.pos = indexes, epoch, pos
        self._moved.set()
        self._moved = asyncio.Event()

    async def has_reached(self, epoch: str, pos: int, patience: float = 5.0) -> bool:
        """Wait until the index has all changes up to a position; at once where there is no index to wait for."""
        deadline = monotonic() + patience
        self.awaited += 1
        try:
            while self.indexes is not None and (self.epoch, self.pos) < (epoch, pos):
                moved = self._moved
                await first(moved, within=deadline - monotonic())
                if monotonic() >= deadline:
                    return False
            return True
        finally:
            self.awaited -= 1

    async def run(self, noun: str, search: Callable[[SearchIndex], T], text: str | None = None) -> T | None:
        """What a search of a noun's index gives; None where there is no index, or where it turned out broken."""
        found = await self.run_each([noun], search, text)
        return found[0] if found else None

    async def run_each(
        self, nouns: Sequence[str], search: Callable[[SearchIndex], T], text: str | None = None
    ) -> list[T]:
        """What a search of each of these indexes gives; nothing without an index, or with a broken one.

        Where the text that is searched for is told, and is short, it may be done at once, see `look_up`. Raises
        `SearchTooSlow`.
        """
        indexes = self.indexes
        if indexes is None:
            return []
        chosen = [indexes.indexes[noun] for noun in nouns]
        try:
            async with self.in_index:
                work = self.look_up(tuple(nouns), lambda: [search(each) for each in chosen], text)
                return await within_budget(work, BUDGET)
        except Exception as error:
            if not is_broken(error):
                raise
            log.exception("search.index_broken", error=repr(error))
            if self.indexes is indexes:
                self.stands_at(None, "", 0)  # the follower of the log builds others
            return []

    async def look_up(self, nouns: tuple[str, ...], work: Callable[[], T], text: str | None) -> T:
        """Do it here and now while such searches are quick, else in a thread.

        Threads on two cores take the interpreter from each other: the same search costs a third less CPU without one. It
        keeps all requests waiting, so one that took long sends the next ones to threads, the longer the longer it took.
        """
        if text is None or len(text) > SHORT or monotonic() < self._wary_until.get(nouns, 0.0):
            return await in_thread(work)
        start = thread_time()
        try:
            return without_panic(work)
        finally:
            if (spent := thread_time() - start) > QUICK:
                self._wary_until[nouns] = monotonic() + SPARED * spent


async def within_budget(work: Awaitable[T], seconds: float) -> T:
    """What some work of a search gives. Raises `SearchTooSlow`; of a statement, the driver tells the database to stop."""
    try:
        async with asyncio.timeout(seconds):  # within this task: `wait_for` makes another one
            return await work
    except TimeoutError as error:
        raise SearchTooSlow(seconds) from error


def is_broken(error: Exception) -> bool:
    """Whether an error says that the files of an index are damaged: tantivy raises ValueError for that, too."""
    if isinstance(error, ConnectionError | TimeoutError | gaierror):
        return False  # of the database
    if isinstance(error, ValueError):
        return not str(error).startswith(OF_THE_QUESTION)
    return isinstance(error, OSError)
