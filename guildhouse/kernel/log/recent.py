"""Recent: the newest changes, in the memory of the process whose sequencer gave them their positions.

Who follows the log in that process takes them from here and asks the database for nothing. What is not here, because it
is older or was stamped elsewhere, is read as everywhere: nobody may conclude from silence that there is no news.
"""

from collections.abc import Sequence

from guildhouse.kernel.log.changes import Change, Head

REMEMBERED = 2000


class Recent:
    """Changes without values, of positions that follow one another, up to `head`."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self.head: Head | None = None
        self._changes: list[Change] = []
        self._most = most

    def add(self, head: Head, changes: Sequence[Change]) -> None:
        """These come next, and with them the log ends at `head`; where some are missing, all is forgotten."""
        follow = self.head and self.head.epoch == head.epoch and self.head.pos + 1 == changes[0].pos
        kept = self._changes if follow else []
        self.head = head
        self._changes = [*kept[-self._most :], *changes] if changes[-1].pos == head.pos else []

    def clear(self) -> None:
        """Forget all: from now on somebody else gives positions."""
        self.head = None
        self._changes = []

    def after(self, pos: int) -> Sequence[Change]:
        """All changes from behind a position up to `head`; none where there are none, or not all of them are here."""
        if self.head is None or not self._changes or self._changes[0].pos is None:
            return ()
        missing = pos + 1 - self._changes[0].pos
        return self._changes[missing:] if missing >= 0 else ()
