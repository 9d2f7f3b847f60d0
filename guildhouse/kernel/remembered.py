"""Remembered: rows that rules read again and again, such as a job's organization, kept in a process's memory for seconds.

Nobody relies on them: the statement that writes says which rows it was judged by, and writes only if each of them is
still the one that was remembered (`store.create`). A refusal is judged again by rows that were read afresh.
"""

from collections import OrderedDict
from time import monotonic
from typing import Any, NamedTuple

MOST = 1000
SECONDS = 30.0

Key = tuple[str, str]


class Kept(NamedTuple):
    """A row, and the transaction that wrote it as it is (`xmin`): while that stands, the row is the same."""

    row: Any
    xmin: int
    until: float


class Remembered:
    """Rows by resource and id, those used last kept longest."""

    def __init__(self, most: int = MOST) -> None:
        self._kept: OrderedDict[Key, Kept] = OrderedDict()
        self._most = most

    def get(self, key: Key) -> Kept | None:
        """The row, if it was read within the last seconds."""
        found = self._kept.get(key)
        return found if found and found.until > monotonic() else None

    def put(self, key: Key, row: Any, xmin: int) -> None:
        """Remember a row that was read outside of any transaction, so that it is committed as it is."""
        self._kept[key] = Kept(row, xmin, monotonic() + SECONDS)
        self._kept.move_to_end(key)
        if len(self._kept) > self._most:
            self._kept.popitem(last=False)

    def forget(self, key: Key) -> None:
        """It is not the same any more."""
        self._kept.pop(key, None)
