"""Answers of searches, kept for as long as they are right: an ETag says for what they stand, and the log moves it on.

Who asks what is being answered to somebody else waits for that answer, instead of having another one made.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeAlias

if TYPE_CHECKING:
    from guildhouse.kernel.answer import Answer

Key: TypeAlias = tuple[str, str]
Make: TypeAlias = "Callable[[], Awaitable[Answer]]"

MOST_BYTES = 32_000_000
LARGEST = 500_000


class Making:
    """An answer that is being made, for as long as anybody waits for it: whoever leaves takes it from nobody else."""

    def __init__(self, work: "Coroutine[Any, Any, Answer]") -> None:
        self.task = asyncio.create_task(work)
        self.waiting = 0

    async def done(self) -> "Answer":
        """The answer; or why there is none, which is told to all who wait."""
        self.waiting += 1
        try:
            return await asyncio.shield(self.task)
        finally:
            self.waiting -= 1
            if not self.waiting:
                self.task.cancel()


class Answers:
    """Answers by path and ETag, those used last kept longest. The ETag tells who sees them, and the log's position.

    How many of those asked for were `found`, how many were `made`, and how many were `shared` while they were made.
    """

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._kept: OrderedDict[Key, Answer] = OrderedDict()
        self._making: dict[Key, Making] = {}
        self._most, self._held = most, 0
        self.found = self.made = self.shared = 0

    async def get(self, key: Key, make: Make) -> "Answer":
        """The answer, if nothing has changed since; else one that is made now, and is kept from then on."""
        if (kept := self._kept.get(key)) is not None:
            self.found += 1
            self._kept.move_to_end(key)
            return kept
        if (making := self._making.get(key)) is not None:
            self.shared += 1
        else:
            self.made += 1
            making = self._making[key] = Making(self._make(key, make))
        try:
            return await making.done()
        finally:
            if not making.waiting and self._making.get(key) is making:
                del self._making[key]

    async def _make(self, key: Key, make: Make) -> "Answer":
        answer = await make()
        self.keep(key, answer)
        return answer

    def keep(self, key: Key, answer: "Answer") -> None:
        """Keep an answer that was made after its ETag."""
        if len(answer.body) > LARGEST or key in self._kept:
            return
        self._kept[key] = answer
        self._held += len(answer.body)
        while self._held > self._most:
            _, gone = self._kept.popitem(last=False)
            self._held -= len(gone.body)
