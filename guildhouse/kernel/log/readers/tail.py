"""The tail: a process follows the log from the present on, in memory. For caches, live streams and list ETags.

It has no lease and no cursor in the database: every process has its own, and a process that starts begins anew.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from typing import TypeAlias

import structlog

from guildhouse.kernel.db import Database
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change, Head, Position, StaleEpoch
from guildhouse.kernel.log.wake import Wake, first, keep_up

log = structlog.get_logger(__name__)

BATCH = 500

Callback: TypeAlias = Callable[[Sequence[Change]], None]


@dataclass(eq=False)
class Subscription:
    """What is called with new changes, and when the log itself was exchanged and all that was derived is void."""

    callback: Callback
    restarted: Callable[[], None]


class Tail:
    """Follows the log. `pos` is how far everything here has heard; `begin` or `run` first."""

    def __init__(self, database: Database, wake: Wake, *, poll: float = 0.25, remembered: int = 100_000) -> None:
        self._database, self._wake, self._poll, self._remembered = database, wake, poll, remembered
        self._head: Head | None = None
        self._base = 0
        self._last: OrderedDict[tuple[str, str], int] = OrderedDict()
        self._subscriptions: list[Subscription] = []
        self._moved = asyncio.Event()

    @property
    def head(self) -> Head:
        """Where this tail is: epoch, position and the transactions that it has heard of."""
        if self._head is None:
            raise RuntimeError("The tail has not begun: await `begin` before anything asks it.")
        return self._head

    @property
    def pos(self) -> int:
        """The last position that all subscribers have heard of."""
        return self.head.pos

    @property
    def epoch(self) -> str:
        """The epoch of that position."""
        return self.head.epoch

    @property
    def position(self) -> Position:
        """The same, as clients hold it."""
        return self.head.position

    def subscribe(self, callback: Callback, restarted: Callable[[], None] = lambda: None) -> Callable[[], None]:
        """Call with every new change from now on, in order and without its values; `restarted` after a restore.

        Returns what ends it.
        """
        subscription = Subscription(callback, restarted)
        self._subscriptions.append(subscription)
        return lambda: self._subscriptions.remove(subscription)

    def last(self, resource: str, scopes: Collection[str]) -> int:
        """The last position at which a row of the resource changed in sight of these scopes, or a later one.

        Equal answers mean that nothing changed in between; a restart, or forgetting, gives another and higher answer. Ask
        before the rows are read: then an answer can only be older than what it stands for, never newer.
        """
        return max(self._base, *(self._last.get((resource, scope), 0) for scope in scopes), 0)

    async def begin(self) -> None:
        """Take the present as the place to start from."""
        async with self._database.reading() as connection:
            self._start_at(await changes.head(connection))

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until stopped: a tail that ended before would leave every cache of the process stale for good."""
        await keep_up(self._wake, stop, self._poll, self.catch_up, interrupted)

    async def catch_up(self) -> None:
        """Hear all that the log has now, from the sequencer of this process or else from the database."""
        if not self._hear_recent():
            await self._read_on()

    def _hear_recent(self) -> bool:
        """Hear what was stamped in this process; False where there is nothing, or not all of it."""
        recent = self._wake.recent
        known = self._head and recent.head and recent.head.epoch == self.epoch and recent.after(self.pos)
        if not known or recent.head is None:
            return False
        self._hear(known)
        self._went_to(recent.head)
        return True

    async def _read_on(self) -> None:
        async with self._database.reading() as connection:
            end = await changes.head(connection)
            if self._head is None or end.epoch != self._head.epoch or end.pos < self._head.pos:
                self._start_at(end)
            while self.pos < end.pos:
                stretch = await changes.thin_between(connection, self.pos, end.pos, BATCH)
                self._hear(stretch.changes)
                self._went_to(replace(self.head, pos=stretch.upto))
        self._went_to(end)

    async def wait_for(self, position: Position | str, timeout: float = 5.0) -> bool:  # noqa: ASYNC109 - it answers
        """Wait until all here have heard of a position; False if they had not in time.

        Raises `StaleEpoch`, and `WrongPosition` for a text that is none.
        """
        if isinstance(position, str):
            position = Position.parse(position, self.epoch)
        deadline = time.monotonic() + timeout
        while not self._has(position):
            moved = self._moved
            await first(moved, within=deadline - time.monotonic())
            if not moved.is_set():
                return False
        return True

    def _has(self, position: Position) -> bool:
        if position.epoch != self.head.epoch:
            raise StaleEpoch
        return self.pos >= (position.pos or 0) if position.xid is None else self.head.has(position.xid)

    def _start_at(self, head: Head) -> None:
        begun = self._head is not None
        self._base = head.pos
        self._last.clear()
        self._went_to(head)
        if begun:
            for each in list(self._subscriptions):
                guarded(each.restarted)

    def _went_to(self, head: Head) -> None:
        self._head = head
        self._moved.set()
        self._moved = asyncio.Event()

    def _hear(self, batch: Sequence[Change]) -> None:
        for change in batch:
            self._remember(change)
        for each in list(self._subscriptions):
            guarded(each.callback, batch)

    def _remember(self, change: Change) -> None:
        assert change.pos is not None
        for scope in {*(change.scopes_before or ()), *(change.scopes_after or ())}:
            self._last[change.resource, scope] = change.pos
            self._last.move_to_end((change.resource, scope))
        while len(self._last) > self._remembered:
            _, self._base = self._last.popitem(last=False)


def guarded(callback: Callable[..., None], *arguments: object) -> None:
    """Call a subscriber; its fault is logged and is no other subscriber's."""
    try:
        callback(*arguments)
    except Exception:
        log.exception("tail.subscriber_failed", subscriber=getattr(callback, "__qualname__", repr(callback)))


async def interrupted(error: Exception, in_a_row: int) -> None:
    """A fault of the moment: the tail goes on where it was."""
    log.warning("tail.interrupted", error=repr(error), in_a_row=in_a_row)
