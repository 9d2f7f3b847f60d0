"""The dump: all rows of the database as of one moment, and the manifest that says how many there are."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import asyncpg
from pydantic import BaseModel, ConfigDict

from guildhouse.kernel.db import split_password
from guildhouse.kernel.embedded import binary, server_version
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.log.triggers import quote

# A backup waits for the disk as long as it takes; the session must not be ended meanwhile.
PATIENT = {
    "idle_in_transaction_session_timeout": "0",
    "statement_timeout": "0",
    "application_name": "guildhouse-backup",
}


class Manifest(BaseModel):
    """What is in a backup: by which Guildhouse, of which migration and epoch, and how many rows each table has."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    guildhouse: str
    created_at: datetime
    postgres: str
    migration: str
    epoch: str
    rows: dict[str, int]


async def dump_database(dsn: str, dump: Path, form: Literal["custom", "directory"]) -> Manifest:
    """Dump the database into one file, or a file for each table, and count its rows, in one and the same snapshot."""
    async with snapshot(dsn) as (connection, exported):
        created_at = datetime.now(UTC)
        options = (f"--format={form}", "--no-owner", "--no-privileges", f"--snapshot={exported}", f"--file={dump}")
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


async def rows_of(connection: "asyncpg.Connection[asyncpg.Record]") -> dict[str, int]:
    """How many rows each table has, partitions by themselves."""
    tables = await connection.fetch(
        "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' ORDER BY relname"
    )
    return {name: await connection.fetchval(f"SELECT count(*) FROM {quote(name)}") for (name,) in tables}


async def run_program(name: str, dsn: str, *arguments: str | Path) -> None:
    """Run one of PostgreSQL's programs on a database; raises `NotDone` with what it said."""
    address, password = split_password(dsn)
    process = await asyncio.create_subprocess_exec(
        binary(name),
        *arguments,
        f"--dbname={address}",
        env={**os.environ, "LC_ALL": "C", **({"PGPASSWORD": password} if password else {})},
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    except BaseException:
        process.kill()
        raise
    if process.returncode != 0:
        raise NotDone(f"{name} failed: {said.decode(errors='replace').strip()[-2000:]}")
