"""Backing up by hand: the whole server in one archive, or onto its shelf, while everybody goes on working."""

from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from guildhouse.commands import archive
from guildhouse.commands.archive import DUMP
from guildhouse.commands.joining import Say, place_of, server_of
from guildhouse.config import Config
from guildhouse.kernel import store
from guildhouse.kernel.backing import taking
from guildhouse.kernel.backing.backup import backups
from guildhouse.kernel.backing.dump import Manifest, dump_database
from guildhouse.kernel.backing.shelf import Damaged, Standing, read, standing
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.files import Files, FilesOutOfReach, flush_directory
from guildhouse.kernel.tasks import Work

UNFINISHED = f"SELECT id FROM \"{backups.name}\" WHERE status IN ('queued', 'running') AND deleted_at IS NULL"


async def back_up(dsn: str, files: Files, place: Path, say: Say) -> Manifest:
    """Back the server up into a new file, which is there in whole or not at all. Raises `NotDone`."""
    check_place(place)
    with TemporaryDirectory(prefix=".guildhouse-backup-", dir=place.parent) as workshop:
        dump, made = Path(workshop) / DUMP, Path(workshop) / "archive.tar"
        manifest = await dump_database(dsn, dump, "custom")
        say(f"Dumped {sum(manifest.rows.values()):,} rows of {len(manifest.rows)} tables.")
        await archive.write(made, manifest, dump, files)
        check_place(place)
        made.rename(place)
    flush_directory(place.parent)
    say(
        f"{place} is the whole server as of {manifest.created_at:%Y-%m-%d %H:%M:%S} UTC, secrets included: keep it safe."
    )
    return manifest


def check_place(place: Path) -> None:
    """Raise `NotDone` where the archive cannot go."""
    if place.exists():
        raise NotDone(f"{place} exists already, and a backup writes over nothing. Choose another name.")
    if not place.parent.is_dir():
        raise NotDone(f"There is no directory {place.parent}. Make it, or choose another place.")


async def shelve(config: Config, dsn: str, say: Say) -> None:
    """Take a backup as the schedule takes it, here and now; one that is asked for already is that one."""
    async with server_of(config, dsn) as server:
        async with server.database.reading() as connection:
            row_id = await connection.fetchval(UNFINISHED)
        work = Work(server, None, row_id or "", 1)
        if row_id is None:
            async with work.writing() as ctx:
                work = Work(server, None, (await store.create(ctx, backups, {})).id, 1)
        try:
            await taking.take(work)
        except (FilesOutOfReach, OSError) as error:
            await taking.finish(work, "failed", {"problem": taking.words_for(error, config.backups)})
        async with work.writing() as ctx:
            row = await ctx.find(backups, work.row_id)
        if row is None or row.status != "done":
            raise NotDone(f"No backup was taken. {(row and row.problem) or 'See the log of the server.'}")
        say(f"{row.name} is the whole server: {in_words(row.size)}, of which {in_words(row.added)} are new.")


async def listed(config: Config, place: str | None) -> list[str]:
    """A line for every backup in a place, the newest last."""
    files = place_of(config, place)
    return [await line_of(files, each) for each in await standing(files)] or ["There are no backups there."]


async def line_of(files: Files, backup: Standing) -> str:
    """A backup in a line."""
    try:
        record = await read(files, backup)
    except Damaged:
        return f"{backup.short}  damaged"
    rows = sum(record.manifest.rows.values())
    return (
        f"{backup.short}  {backup.taken_at:%Y-%m-%d %H:%M} UTC  {in_words(record.size)}  {rows:,} rows  "
        f"{record.files} files  of server {backup.server}, Guildhouse {record.manifest.guildhouse}"
    )


async def thin_out(config: Config, dsn: str, say: Say, *, apply: bool) -> None:
    """Say which backups the rule does not keep; remove them, if asked to."""
    async with server_of(config, dsn) as server, taking.alone(server):
        shelf = taking.shelf_of(server)
        there = await standing(shelf.files, shelf.server)
        gone = taking.superfluous(there, config)
        for each in there:
            say(f"{each.short}  {'goes' if each in gone else 'stays'}")
        if apply:
            removed = await shelf.thin_out(gone)
            say(f"Removed {len(gone)} backups, and {removed} pieces that no other one needs.")


def in_words(size: float) -> str:
    """Bytes as people say them."""
    units: Iterator[str] = iter(("B", "KiB", "MiB", "GiB"))
    unit = next(units)
    while size >= 1024 and (larger := next(units, None)):
        size, unit = size / 1024, larger
    return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
