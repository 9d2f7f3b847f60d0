"""The transaction that every write runs in: its note, its end, and what is told of it."""

import asyncpg
import pytest
from spine import add

from guildhouse.kernel.db import Database, Note

pytestmark = pytest.mark.anyio


async def count(database: Database) -> int:
    return int(await database.pool.fetchval("SELECT count(*) FROM things"))


async def test_a_block_that_ends_is_committed_and_told_of(things: Database) -> None:
    told: list[str] = []
    things.on_commit = lambda: told.append("committed")
    async with things.writing(Note()) as connection:
        await add(connection)
        assert told == []
    assert (told, await count(things)) == (["committed"], 1)


async def test_a_block_that_raises_is_rolled_back_and_nobody_is_told(things: Database) -> None:
    told: list[str] = []
    things.on_commit = lambda: told.append("committed")
    with pytest.raises(KeyError):
        async with things.writing(Note()) as connection:
            await add(connection)
            raise KeyError
    assert (told, await count(things)) == ([], 0)


async def test_a_lost_connection_does_not_hide_what_was_raised(things: Database) -> None:
    with pytest.raises(KeyError):
        async with things.writing(Note()) as connection:
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")
            raise KeyError
    assert await count(things) == 0
