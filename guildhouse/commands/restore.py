"""The restore: from an archive, or from a shelf, to a server that goes on, proved before anything is put in its place.

The embedded database is restored into a new cluster, checked there, and moved in by a rename; what was there is moved
aside and kept. A database of one's own (DATABASE_URL) must be empty.
"""

import asyncio
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir, mkdtemp

import asyncpg
from alembic.script import ScriptDirectory

from guildhouse.commands import archive, migrating
from guildhouse.commands.archive import DUMP
from guildhouse.commands.joining import Say, cluster_of, database_of, place_of
from guildhouse.config import Config
from guildhouse.kernel.backing.dump import Manifest, rows_of, run_program
from guildhouse.kernel.backing.shelf import DATABASE, FILES, RECORD, Shelf, Standing, bytes_of, read, standing
from guildhouse.kernel.embedded import Embedded, EmbeddedError, server_version
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.files import Files, flush_directory
from guildhouse.kernel.log import audit
from guildhouse.kernel.log.sequencer import new_epoch
from guildhouse.kernel.migrate import SCRIPTS
from guildhouse.kernel.storage import files_at, files_of


@dataclass(frozen=True)
class Shelved:
    """A backup that stands on a shelf."""

    files: Files
    backup: Standing

    def __str__(self) -> str:
        return self.backup.short


Source = Path | Shelved


def found(source: str, place: str | None, config: Config) -> Source:
    """The archive of this name, or the backup of this name in a place. Raises `NotDone`."""
    root, within, record = source.rpartition("/records/")
    if within and RECORD.fullmatch(f"records/{record}"):
        return Shelved(files_at(root, config), Standing(f"records/{record}"))
    if Path(source).is_file():
        return Path(source).absolute()
    if not (place or config.backups):
        raise NotDone(f"There is no file {source}. To name a backup, say where it stands: --at, or GUILDHOUSE_BACKUPS.")
    files = place_of(config, place)
    there = asyncio.run(standing(files))
    named = [each for each in there if source in (each.short, "latest")]
    if not named:
        names = ", ".join(each.short for each in there[-5:]) or "none"
        raise NotDone(f"There is no file {source}, and no backup of that name. The newest backups are: {names}.")
    if source == "latest" and len({each.server for each in there}) > 1:
        raise NotDone("Backups of several servers stand there. Name one of them: see `guildhouse backups list`.")
    return Shelved(files, named[-1])


def restore(config: Config, source: Source, say: Say, *, replace: bool = False) -> None:
    """Restore a backup as the database of these settings. Raises `NotDone`, and then has changed nothing."""
    if config.database_url:
        restore_outside(config, source, say)
    else:
        restore_inside(config, source, say, replace=replace)


def check(source: Source, say: Say) -> None:
    """Prove a backup in a PostgreSQL that lives only for this, and touch nothing else."""
    with workshop(Path(gettempdir())) as work:
        prove(source, work, say)
    say(f"{source} is good: all of it could be restored.")


def restore_inside(config: Config, source: Source, say: Say, *, replace: bool) -> None:
    """Restore into a data directory."""
    data = config.data.expanduser().absolute()
    if cluster_of(data).exists():
        if not replace:
            raise NotDone(
                f"There is a database in {data} already. With --replace it is moved aside and kept; "
                "with --into DIRECTORY the backup is restored elsewhere."
            )
        with alone(data):
            say("Nobody uses the present database: it can be replaced.")
    data.mkdir(parents=True, exist_ok=True)
    with workshop(data) as work:
        prove(source, work, say)
        with alone(data):
            if config.files:
                asyncio.run(bring_files(config, work / "unpacked" / FILES))
            move_aside(data, say)
            move_in(data, work)
    say(f"The backup is in place. Start the server: GUILDHOUSE_DATA={data} guildhouse up")


def restore_outside(config: Config, source: Source, say: Say) -> None:
    """Restore into an external database, which must be empty."""
    with database_of(config, say) as (dsn, _), workshop(Path(gettempdir())) as work:
        asyncio.run(require_empty(dsn))
        manifest, dump = asyncio.run(opened(source, work))
        asyncio.run(bring_in(dsn, manifest, dump, say))
        asyncio.run(bring_files(config, work / "unpacked" / FILES))


async def bring_files(config: Config, unpacked: Path) -> None:
    """Put the files of a backup where the server keeps its own."""
    files = files_of(config)
    for path in await asyncio.to_thread(lambda: [each for each in unpacked.rglob("*") if each.is_file()]):
        await files.write(path.relative_to(unpacked).as_posix(), bytes_of(path))


@contextmanager
def workshop(within: Path) -> Iterator[Path]:
    """A directory for the work, gone afterwards. The account that runs PostgreSQL may pass through, not look around."""
    directory = Path(mkdtemp(prefix="restoring-", dir=within))
    directory.chmod(0o711)
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def prove(source: Source, work: Path, say: Say) -> None:
    """Restore into a fresh cluster below `work`, and stop that cleanly."""
    manifest, dump = asyncio.run(opened(source, work))
    say(f"The backup is whole: Guildhouse {manifest.guildhouse}, {manifest.created_at:%Y-%m-%d %H:%M} UTC.")
    with Embedded(work, report=lambda _: None) as dsn:
        asyncio.run(bring_in(dsn, manifest, dump, say))


async def opened(source: Source, work: Path) -> tuple[Manifest, Path]:
    """The manifest of a backup that is whole and not too new for this version, and its dump; all of it unpacked."""
    unpacked = work / "unpacked"
    unpacked.mkdir(mode=0o700)
    if isinstance(source, Shelved):
        record = await read(source.files, source.backup)
        refuse_newer(record.manifest)
        await Shelf(source.files, source.backup.server).fetch(record, unpacked)
        return record.manifest, unpacked / DATABASE
    manifest = await asyncio.to_thread(archive.unpack, source, unpacked)
    refuse_newer(manifest)
    return manifest, unpacked / DUMP


def refuse_newer(manifest: Manifest) -> None:
    """Raise `NotDone` for a backup of a version that this one does not know."""
    known = {each.revision for each in ScriptDirectory(SCRIPTS).walk_revisions()}
    major, ours = (int(each.split(".")[0]) for each in (manifest.postgres, server_version()))
    if manifest.migration not in known or major > ours:
        raise NotDone(
            f"This backup is of Guildhouse {manifest.guildhouse} (migration {manifest.migration}, PostgreSQL {major}), "
            "which is newer than this one. Install that version, or a newer one, and restore with it."
        )


async def require_empty(dsn: str) -> None:
    """Raise `NotDone` unless there is nothing in the database."""
    connection = await asyncpg.connect(dsn)
    try:
        if await connection.fetchval("SELECT count(*) FROM pg_class WHERE relnamespace = 'public'::regnamespace"):
            raise NotDone(
                "The database of DATABASE_URL is not empty, and Guildhouse does not empty a database of yours. Create a "
                "new one (createdb), restore into that, and let DATABASE_URL of the servers name it."
            )
    finally:
        await connection.close()


async def bring_in(dsn: str, manifest: Manifest, dump: Path, say: Say) -> None:
    """Fill an empty database, bring it to this version's tables, begin a new epoch, and prove what was brought."""
    options = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    await run_program("pg_restore", dsn, *options, dump)
    connection = await asyncpg.connect(dsn)
    try:
        compare(manifest, await rows_of(connection))
        say(f"Restored {sum(manifest.rows.values()):,} rows of {len(manifest.rows)} tables, as many as were backed up.")
        await migrating.forward(dsn)
        say(f"A new epoch of the log: {await new_epoch(connection)} (it was {manifest.epoch}).")
        report = await audit.verify(connection)
        if report.fault:
            raise NotDone(f"The log in this backup cannot be trusted: {report.fault}. Take another one.")
        say(f"The log is whole and unaltered, up to position {report.positions:,}.")
    finally:
        await connection.close()


def compare(manifest: Manifest, found: dict[str, int]) -> None:
    """Raise `NotDone` unless every table has the rows that were counted when the backup was taken."""
    wrong = [
        f"{name}: {found.get(name)} instead of {manifest.rows.get(name)} rows"
        for name in sorted({*manifest.rows, *found})
        if found.get(name) != manifest.rows.get(name)
    ]
    if wrong:
        raise NotDone(f"What was restored is not what was backed up: {'; '.join(wrong)}. Take another backup.")


@contextmanager
def alone(data: Path) -> Iterator[None]:
    """Nobody uses the database of a data directory, and nobody begins to, while the block runs. Raises `NotDone`.

    It holds the locks that `kernel/embedded.py` explains.
    """
    locks = cluster_of(data).with_name(f"{cluster_of(data).name}.lock")
    locks.mkdir(mode=0o700, exist_ok=True)
    stop_if_abandoned(data, locks)
    with ExitStack() as stack:
        for name in ("gate", "users", "server"):
            if not stack.enter_context(holding(locks / name)):
                raise NotDone(f"The database in {data} is in use. Stop the servers on it first.")
        yield


def stop_if_abandoned(data: Path, locks: Path) -> None:
    """Stop a PostgreSQL whose users were all killed: whoever joins it and leaves is its last user."""
    with holding(locks / "users") as unused, holding(locks / "server") as stopped:
        abandoned = unused and not stopped
    if abandoned:
        with suppress(EmbeddedError), Embedded(data):
            pass


@contextmanager
def holding(lock: Path) -> Iterator[bool]:
    """Take a lock while the block runs; False if others hold it."""
    with os.fdopen(os.open(lock, os.O_RDONLY | os.O_CREAT, 0o644)) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


def move_aside(data: Path, say: Say) -> None:
    """Keep what is there in a directory of its own, from which a server could be started again."""
    present = [place for place in (cluster_of(data), data / FILES) if place.exists()]
    if present:
        aside = data / f"replaced-{datetime.now(UTC):%Y%m%dT%H%M%SZ}"
        aside.mkdir(mode=0o711)
        for place in present:
            place.rename(aside / place.name)
        say(f"What was there is kept in {aside}.")


def move_in(data: Path, work: Path) -> None:
    """Put the restored cluster and files where the server looks for them."""
    for place in (work / cluster_of(data).name, work / "unpacked" / FILES):
        if place.exists():
            place.rename(data / place.name)
    flush_directory(data)
