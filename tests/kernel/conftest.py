"""Databases for tests of the log: with nothing in them but what the log needs, and a table under it."""

from collections.abc import AsyncIterator

import pytest
from spine import lay_things

from guildhouse.kernel.db import Database
from guildhouse.kernel.log.log_tables import INSTALL


@pytest.fixture
async def bare(empty_dsn: str) -> AsyncIterator[Database]:
    """A database with the tables of the log and no others."""
    opened = await Database.open(empty_dsn)
    async with opened.reading() as connection:
        for statement in INSTALL:
            await connection.execute(statement)
    yield opened
    await opened.close()


@pytest.fixture
async def things(bare: Database) -> Database:
    """That, and a table `things` under the log, see `spine.py`; its DSN is `empty_dsn`."""
    await lay_things(bare)
    return bare
