"""Migrate: bring a database to the tables of this version, forward and back, and make what is derived from declarations.

The log's triggers are derived objects: dropped and made anew by every migration, compared by the boot check.
"""

from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any, TypeVar

import asyncpg
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config as AlembicConfig
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries
from sqlalchemy.ext.asyncio import create_async_engine

from guildhouse.kernel.log import triggers
from guildhouse.kernel.manifest import House
from guildhouse.kernel.retaining import guard
from guildhouse.kernel.tables import METADATA

T = TypeVar("T")
# Two nodes that start at once migrate one after the other.
LOCK = 0x6775696C64
SCRIPTS = str(files("guildhouse").joinpath("migrations"))


@dataclass(frozen=True)
class MigrationState:
    """The version of a database, the newest one, and what stands between them."""

    current: str | None
    head: str
    pending: tuple[str, ...]


def declared_tables(metadata: sa.MetaData) -> Callable[[str | None, str, Any], bool]:
    """Only these tables are compared: the log and the task queue are made by hand."""
    return lambda name, kind, _parents: kind != "table" or name in metadata.tables


async def migrate(dsn: str, house: House, target: str = "head") -> None:
    """Go forward to a version (`head` is the newest), or back to an older one; the data of what goes back is lost."""
    await in_alembic(dsn, lambda config, connection: move(config, connection, target))
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(f"SELECT pg_advisory_lock({LOCK})")  # until the connection ends
        await derive(connection, house)
    finally:
        await connection.close()


def move(config: AlembicConfig, connection: sa.Connection, target: str) -> None:
    """Up or down, whichever way the target is."""
    script = ScriptDirectory.from_config(config)
    current = MigrationContext.configure(connection).get_current_revision()
    behind = {each.revision for each in script.iterate_revisions(current, "base")} if current else set()
    if target == "base" or (target in behind and target != current):
        command.downgrade(config, target)
    else:
        command.upgrade(config, target)


async def migration_state(dsn: str) -> MigrationState:
    """Where a database stands."""

    def look(config: AlembicConfig, connection: sa.Connection) -> MigrationState:
        script = ScriptDirectory.from_config(config)
        current = MigrationContext.configure(connection).get_current_revision()
        head = script.get_current_head() or ""
        pending = [each.revision for each in script.iterate_revisions(head, current or "base")]
        return MigrationState(current, head, tuple(reversed(pending)))

    return await in_alembic(dsn, look)


async def drift(dsn: str) -> list[Any]:
    """What differs between the tables of a database and the declared ones."""

    def compare(_config: AlembicConfig, connection: sa.Connection) -> list[Any]:
        options = {"include_name": declared_tables(METADATA), "compare_type": True}
        return list(compare_metadata(MigrationContext.configure(connection, opts=options), METADATA))

    return await in_alembic(dsn, compare)


async def new_migration(dsn: str, number: str, message: str) -> None:
    """Write the migration from the database's tables to the declared ones, to be read and mended by hand."""
    await in_alembic(
        dsn, lambda config, _connection: command.revision(config, message, autogenerate=True, rev_id=number)
    )


def newest_revision() -> str:
    """The newest version that this code knows."""
    return ScriptDirectory(SCRIPTS).get_current_head() or ""


async def in_alembic(dsn: str, work: Callable[[AlembicConfig, sa.Connection], T]) -> T:
    """Run Alembic's own code, which is not async, on an async connection, one node at a time."""
    config = AlembicConfig()
    config.set_main_option("script_location", SCRIPTS)
    config.attributes["metadata"] = METADATA
    engine = create_async_engine("postgresql+asyncpg://", async_creator=lambda: asyncpg.connect(dsn))
    try:
        async with engine.connect() as connection:
            await connection.execute(sa.text(f"SELECT pg_advisory_lock({LOCK})"))
            await connection.commit()
            config.attributes["connection"] = connection.sync_connection
            found = await connection.run_sync(lambda sync: work(config, sync))
            await connection.commit()
            await connection.execute(sa.text(f"SELECT pg_advisory_unlock({LOCK})"))
            return found
    finally:
        await engine.dispose()


async def derive(connection: "asyncpg.Connection[asyncpg.Record]", house: House) -> None:
    """Make the triggers of every resource's table that is there, and the tables of the task queue."""
    queue = Queries(AsyncpgDriver(connection))
    await (queue.upgrade() if await queue.schema_is_installed() else queue.install())
    tables = await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
    present = {record["tablename"] for record in tables}
    async with connection.transaction():
        for resource in house.resources.values():
            if resource.name in present:
                for statement in triggers.statements(resource.sql_table, resource.log.hidden):
                    await connection.execute(statement)
                if present >= guard.NEEDED:
                    await connection.execute(guard.statement(resource.sql_table))
