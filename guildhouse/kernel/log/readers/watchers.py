"""Watchers: who waits, in this process, for a change of one row, or of what decides what one person sees."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from guildhouse.kernel.errors import TooManyRequests, Unavailable
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.log.readers.tail import Tail

MOST_OF_ONE, MOST = 20, 2_000


class TooManyStreams(TooManyRequests):
    """{most} streams are open for you already. Close one, then try again in {seconds} seconds."""

    def __init__(self) -> None:
        super().__init__(most=MOST_OF_ONE, seconds=5, headers={"Retry-After": "5"})


class Watchers:
    """Events by what sets them: the id of a row, or a person's scope. At most so many, and for one person fewer."""

    def __init__(self, tail: Tail) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}
        self._of: Counter[str] = Counter()
        tail.subscribe(self.hear, self.wake_all)

    @contextmanager
    def watching(self, who: str, marks: Sequence[str]) -> Iterator[asyncio.Event]:
        """An event that each change of one of these marks sets, while the block lasts. Raises where there are too many."""
        if self._of[who] >= MOST_OF_ONE:
            raise TooManyStreams
        if self._of.total() >= MOST:
            raise Unavailable(why="as many streams are open as it can serve")
        self._of[who] += 1
        event = asyncio.Event()
        for mark in marks:
            self._waiting.setdefault(mark, set()).add(event)
        try:
            yield event
        finally:
            self._of -= Counter([who])  # keeps no zeros
            for mark in marks:
                self._waiting[mark].discard(event)
                if not self._waiting[mark]:
                    del self._waiting[mark]

    def hear(self, batch: Sequence[Change]) -> None:
        """Wake those whom these changes concern."""
        if not self._waiting:
            return
        for change in batch:
            for mark in {change.row_id, *(change.scopes_before or ()), *(change.scopes_after or ())}:
                for event in self._waiting.get(mark, ()):
                    event.set()

    def wake_all(self) -> None:
        """The log was started over: nobody knows what has changed."""
        for events in self._waiting.values():
            for event in events:
                event.set()
