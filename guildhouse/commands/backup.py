"""The backup: the whole server in one archive, as it was at one moment, taken while everybody goes on working."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from tempfile import TemporaryDirectory

import asyncpg

from guildhouse.commands import archive
from guildhouse.commands.archive import DUMP, FILES, Manifest, rows_of, run_program
from guildhouse.commands.joining import NotDone, Say
from guildhouse.kernel.embedded import server_version
from guildhouse.kernel.files import flush_directory

# A backup waits for the disk as long as it takes; the session must not be ended meanwhile.
PATIENT = {
    "idle_in_transaction_session_timeout": "0",
    "statement_timeout": "0",
    "application_name": "guildhouse-backup",
}


async def back_up(dsn: str, data: Path, place: Path, say: Say) -> Manifest:
    """Back the server up into a new file, which is there in whole or not at all. Raises `NotDone`."""
    check_place(place)
    with TemporaryDirectory(prefix=".guildhouse-backup-", dir=place.parent) as workshop:
        dump, made = Path(workshop) / DUMP, Path(workshop) / "archive.tar"
        manifest = await dump_database(dsn, dump)
        say(f"Dumped {sum(manifest.rows.values()):,} rows of {len(manifest.rows)} tables.")
        archive.write(made, manifest, {DUMP: dump, **files_of(data)})
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


def files_of(data: Path) -> dict[str, Path]:
    """The files of the data directory that are not PostgreSQL's, by their names in the archive."""
    found = sorted(path for path in (data / FILES).rglob("*") if path.is_file())
    return {str(path.relative_to(data)): path for path in found}


async def dump_database(dsn: str, dump: Path) -> Manifest:
    """Dump the database, and count its rows, in one and the same snapshot."""
    async with snapshot(dsn) as (connection, exported):
        created_at = datetime.now(UTC)
        options = ("--format=custom", "--no-owner", "--no-privileges", f"--snapshot={exported}", f"--file={dump}")
        await run_program("pg_dump", dsn, *options)
        return Manifest(
            guildhouse=version("guildhouse"),
            created_at=created_at,
            postgres=await connection.fetchval("SHOW server_version"),
            migration=await connection.fetchval("SELECT version_num FROM alembic_version"),
            epoch=await connection.fetchval("SELECT name FROM epochs ORDER BY number DESC LIMIT 1"),
            rows=await rows_of(connection),
        )


@asynccontextmanager
async def snapshot(dsn: str) -> AsyncIterator[tuple["asyncpg.Connection[asyncpg.Record]", str]]:
    """A connection that sees one moment, and the name by which pg_dump sees the same."""
    connection = await asyncpg.connect(dsn, server_settings=PATIENT)
    try:
        await check_database(connection)
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection, await connection.fetchval("SELECT pg_export_snapshot()")
    finally:
        await connection.close()


async def check_database(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Raise `NotDone` for a database without the tables of the house, and for one that is newer than our pg_dump."""
    if not await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL"):
        raise NotDone("There is nothing to back up: this database has no tables yet. See `guildhouse migrate`.")
    major = connection.get_server_version().major
    if major > int(server_version().split(".")[0]):
        raise NotDone(
            f"The database is PostgreSQL {major}, and the pg_dump here is of {server_version()}. Install the programs of "
            f"PostgreSQL {major} and name their directory in GUILDHOUSE_POSTGRES_BIN."
        )
