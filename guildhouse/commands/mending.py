"""Mending: what a reader or a background task could not do is done once more, after its cause was repaired."""

from typing import cast

import asyncpg
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries

from guildhouse.app import HOUSE
from guildhouse.config import Config
from guildhouse.kernel.db import Database, Note
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.log.readers.reader import NoDeadLetter, ReaderLoop
from guildhouse.kernel.log.wake import Wake
from guildhouse.kernel.searching.following_index import WANTED
from guildhouse.kernel.tasks import feeder


async def replay(dsn: str, name: str, pos: int) -> None:
    """Let a reader handle one of its dead letters. Raises `NotDone`, also when it fails again."""
    readers = {reader.name: reader for reader in (feeder(HOUSE), *HOUSE.readers)}
    if name not in readers:
        raise NotDone(f"There is no reader {name}. There are: {', '.join(readers)}.")
    database = await Database.open(dsn, 2)
    try:
        await ReaderLoop(readers[name], database, Wake(database)).replay(pos)
    except NoDeadLetter as error:
        raise NotDone(f"{name} has no dead letter at position {pos}. See `guildhouse doctor`.") from error
    except Exception as error:
        raise NotDone(f"{name} failed again, and nothing was changed: {error!r}.") from error
    finally:
        await database.close()


def reindex(settings: Config) -> None:
    """Ask the server of this data directory for a new search index."""
    place = settings.data / "search"
    place.mkdir(parents=True, exist_ok=True)
    (place / WANTED).touch()


async def retry(dsn: str) -> int:
    """Put every task that was given up into the queue again, as if it were new; says how many."""
    database = await Database.open(dsn, 2)
    try:
        async with database.writing(Note()) as connection:
            # The driver takes a pooled connection as well: it only fetches and executes.
            queue = Queries(AsyncpgDriver(cast("asyncpg.Connection[asyncpg.Record]", connection)))
            ids = [job.id for job in await queue.list_failed_jobs(limit=100_000)]
            await connection.execute("DELETE FROM task_attempts WHERE task_id = ANY($1)", ids)
            await queue.requeue_jobs(ids)
        return len(ids)
    finally:
        await database.close()
