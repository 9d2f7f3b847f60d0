"""Taking a backup: the task that does it, in a process that answers requests meanwhile, and the schedule of it.

A run that was killed leaves no record behind. The next one begins anew, and finds the parts that were stored.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

import structlog

from guildhouse.config import Config
from guildhouse.kernel import store
from guildhouse.kernel.backing.backup import Backup, BackupUnderWay, backups
from guildhouse.kernel.backing.dump import dump_database
from guildhouse.kernel.backing.rotation import kept
from guildhouse.kernel.backing.shelf import Record, Shelf, Standing, standing
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.files import FilesOutOfReach
from guildhouse.kernel.server import Server
from guildhouse.kernel.storage import files_at
from guildhouse.kernel.tasks import Schedule, Task, Work

log = structlog.get_logger()
LOCK = "SELECT pg_advisory_lock(hashtext('guildhouse: one backup at a time'))"
WORKSHOP = "backing-up-"


@dataclass(frozen=True)
class Taken:
    """A backup that stands on the shelf, and how many bytes it added to it."""

    backup: Standing
    record: Record
    added: int


def shelf_of(server: Server) -> Shelf:
    """The shelf of this server's backups. Raises `NotDone` where the settings name no place."""
    if server.config.backups is None:
        raise NotDone("No place for backups is named. Set GUILDHOUSE_BACKUPS to a directory, or to s3://bucket/prefix.")
    return Shelf(files_at(server.config.backups, server.config), server.key("backups").hex()[:8])


async def take(work: Work) -> None:
    """Take the backup that a row asks for, unless that is done; then let go of those that the rule does not keep."""
    async with alone(work.server):
        if await started(work) is None:
            return
        try:
            shelf = shelf_of(work.server)
            taken = await put_on(shelf, work.server)
        except NotDone as error:
            await fail(work, error)
            return
        await finish(work, "done", values_of(taken))
        log.info("backup taken", name=taken.backup.short, size=taken.record.size, added=taken.added)
        await shelf.thin_out(superfluous(await standing(shelf.files, shelf.server), work.server.config, taken.backup))


async def put_on(shelf: Shelf, server: Server) -> Taken:
    """A new backup on the shelf, read back."""
    async with workshop(server.config.data) as dump:
        manifest = await dump_database(server.database.dsn, dump, "directory")
        backup, record, new = await shelf.put(manifest, dump, server.files)
    await shelf.verify(record, new)
    return Taken(backup, record, sum(record.pieces[digest] for digest in new))


def values_of(taken: Taken) -> dict[str, Any]:
    """What the row says of a backup."""
    return {
        "name": taken.backup.short,
        "size": taken.record.size,
        "added": taken.added,
        "rows": sum(taken.record.manifest.rows.values()),
        "files": taken.record.files,
        "verified_at": datetime.now(UTC),
    }


def superfluous(there: list[Standing], config: Config, spare: Standing | None = None) -> list[Standing]:
    """The backups that the rule does not keep; never the one to spare."""
    stay = kept((each.taken_at for each in there), config.backup_keep)
    return [each for each in there if each.taken_at not in stay and each != spare]


@asynccontextmanager
async def alone(server: Server) -> AsyncIterator[None]:
    """One process of all on this database takes backups, or thins them out; the others wait."""
    connection = await server.database.dedicated()
    try:
        await connection.execute(LOCK)
        yield
    finally:
        await connection.close()


@asynccontextmanager
async def workshop(data: Path) -> AsyncIterator[Path]:
    """A directory for the dump, gone afterwards, as are those that killed runs have left."""
    directory = await asyncio.to_thread(cleared, data)
    try:
        yield directory
    finally:
        await asyncio.to_thread(shutil.rmtree, directory)


def cleared(data: Path) -> Path:
    """A new directory, and none of an earlier run."""
    data.mkdir(mode=0o711, parents=True, exist_ok=True)
    for left in data.glob(f"{WORKSHOP}*"):
        shutil.rmtree(left)
    return Path(mkdtemp(prefix=WORKSHOP, dir=data))


async def started(work: Work) -> Backup | None:
    """The backup's row, now running; None when it is done, or was removed."""
    async with work.writing() as ctx:
        row = await ctx.find(backups, work.row_id, lock=True)
        if row is None or row.status not in ("queued", "running"):
            return None
        values = {"status": "running", "started_at": row.started_at or ctx.now}
        return await store.change(ctx, backups, row, values, verb="started")


async def finish(work: Work, status: str, values: dict[str, Any]) -> None:
    """Say in the row how it ended."""
    async with work.writing() as ctx:
        row = await ctx.find(backups, work.row_id, lock=True)
        if row is not None and row.status == "running":
            ended = {"status": status, "finished_at": ctx.now, **values}
            await store.change(ctx, backups, row, ended, verb="finished")


async def fail(work: Work, error: Exception) -> None:
    """The backup was not taken: its row, the log and `/ready` say so."""
    reason = words_for(error, work.server.config.backups)
    log.error("backup failed", reason=reason)
    await finish(work, "failed", {"problem": reason})


def words_for(error: Exception, place: str | None) -> str:
    """Why a backup was not taken, for the admin."""
    if isinstance(error, FilesOutOfReach):
        return f"{error.reason}."
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename or place}: {error.strerror}."
    return str(error) or repr(error)


async def ask(work: Work) -> None:
    """It is time for a backup."""
    with suppress(BackupUnderWay):
        async with work.writing() as ctx:
            await store.create(ctx, backups, {})


def when(config: Config) -> str | None:
    """The schedule, where there is a place for backups."""
    return config.backup_schedule if config.backups else None


ASK = Task("ask-for-backup", ask)
tasks = (Task("take-backup", take, on=("backup.created",), attempts=3, seconds=86_400, give_up=fail), ASK)
schedules = (Schedule(ASK, when),)
