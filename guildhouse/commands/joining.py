"""Joining: how a command comes to the server's database, the external one, or the embedded one, started or joined."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import asyncpg

from guildhouse import app
from guildhouse.config import Config
from guildhouse.kernel.db import split_password
from guildhouse.kernel.embedded import OLDEST, Embedded, server_version
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.files import Files
from guildhouse.kernel.server import Server
from guildhouse.kernel.storage import files_at
from guildhouse.kernel.telemetry import configure_logs

Say = Callable[[str], None]


@contextmanager
def database_of(config: Config, say: Say) -> Iterator[tuple[str, Embedded | None]]:
    """The address of the database: the external one, or the embedded one, started here and stopped by its last user."""
    if config.database_url:
        asyncio.run(look_at(config.database_url))
        yield config.database_url, None
        return
    embedded = Embedded(config.data, report=say)
    with embedded as dsn:
        yield dsn, embedded


@contextmanager
def present_database(config: Config, say: Say) -> Iterator[str]:
    """The address of a database that is there already; raises `NotDone` where one would have to be made first."""
    if not config.database_url and not cluster_of(config.data).exists():
        raise NotDone(
            f"There is no database in {config.data} yet. Make one with `guildhouse up`, or say where it is with "
            "GUILDHOUSE_DATA or DATABASE_URL."
        )
    with database_of(config, say) as (dsn, _):
        yield dsn


@asynccontextmanager
async def server_of(config: Config, dsn: str) -> AsyncIterator[Server]:
    """A server's own parts for a command, without workers; only errors are logged, beside what the command says."""
    configure_logs(config.model_copy(update={"log_level": "error"}))
    async with app.running(config.model_copy(update={"workers": "none"}), dsn) as running:
        yield running.server


def cluster_of(data: Path) -> Path:
    """Where the embedded PostgreSQL of a data directory keeps its files."""
    return data.expanduser().absolute() / f"postgres-{server_version().split('.')[0]}"


async def look_at(dsn: str) -> None:
    """Raise `NotDone` unless the external PostgreSQL answers and is new enough."""
    try:
        connection = await asyncpg.connect(dsn, timeout=10)
    except (OSError, TimeoutError, ValueError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        why = str(error) or type(error).__name__
        raise NotDone(
            f"The database of DATABASE_URL ({without_password(dsn)}) cannot be reached: {why}. "
            "Correct the address, or start that PostgreSQL."
        ) from error
    try:
        if connection.get_server_version().major < OLDEST:
            raise NotDone(f"The PostgreSQL of DATABASE_URL is too old: Guildhouse needs {OLDEST} or newer.")
    finally:
        await connection.close()


def without_password(dsn: str) -> str:
    """The address as one may show it."""
    return split_password(dsn)[0]


def place_of(config: Config, place: str | None) -> Files:
    """The place of backups: this one, or the one of the settings."""
    named = place or config.backups
    if named is None:
        raise NotDone("No place for backups is named. Set GUILDHOUSE_BACKUPS, or name one: --at DIRECTORY or s3://...")
    return files_at(named, config)
