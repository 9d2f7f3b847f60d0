"""Answers of searches, kept for as long as they are right: an ETag says for what they stand, and the log moves it on."""

from collections import OrderedDict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from guildhouse.kernel.answer import Answer

MOST_BYTES = 32_000_000
LARGEST = 500_000


class Answers:
    """Answers by path and ETag, those used last kept longest. The ETag tells who sees them, and the log's position."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._kept: OrderedDict[tuple[str, str], Answer] = OrderedDict()
        self._most, self._held = most, 0
        self.found = self.missed = 0

    def get(self, path: str, etag: str) -> "Answer | None":
        """The answer, if nothing has changed since; as new as one that is made now."""
        answer = self._kept.get((path, etag))
        if answer is None:
            self.missed += 1
            return None
        self.found += 1
        self._kept.move_to_end((path, etag))
        return answer

    def keep(self, path: str, etag: str, answer: "Answer") -> None:
        """Keep an answer that was made after its ETag."""
        if len(answer.body) > LARGEST or (path, etag) in self._kept:
            return
        self._kept[path, etag] = answer
        self._held += len(answer.body)
        while self._held > self._most:
            _, gone = self._kept.popitem(last=False)
            self._held -= len(gone.body)
