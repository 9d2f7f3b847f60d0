"""A snapshot: everything of one export is read at one moment, on a connection of its own, and nothing is written.

It is no connection of the pool, so that slow readers cannot keep the requests of others waiting; there are only so many.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from weakref import WeakKeyDictionary

from guildhouse.kernel.db import Connection, Database
from guildhouse.kernel.errors import Unavailable
from guildhouse.kernel.log.changes import Position, current_position

MOST_AT_ONCE = 4
LOOK_AGAIN = 0.2  # seconds
_open: WeakKeyDictionary[Database, int] = WeakKeyDictionary()


@dataclass(frozen=True)
class Snapshot:
    """A connection that sees one moment. All that the log tells up to `position` is in it, perhaps also something later."""

    connection: Connection
    position: Position


@asynccontextmanager
async def snapshot(database: Database, *, patient: bool = False) -> AsyncIterator[Snapshot]:
    """A snapshot for as long as the block lasts. Where this process has too many open, wait, or raise `Unavailable`."""
    while patient and _open.get(database, 0) >= MOST_AT_ONCE:  # noqa: ASYNC110 - minutes, and nobody is kept waiting
        await asyncio.sleep(LOOK_AGAIN)
    if _open.get(database, 0) >= MOST_AT_ONCE:
        raise Unavailable(why="as many exports are running as it can serve at once")
    _open[database] = _open.get(database, 0) + 1
    try:
        connection = await database.dedicated()
        try:
            await connection.transaction(isolation="repeatable_read", readonly=True).start()
            yield Snapshot(connection, await current_position(connection))
        finally:
            connection.terminate()
    finally:
        _open[database] -= 1
