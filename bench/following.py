"""Following: how long after its commit a write is heard of by a reader in another process."""

import asyncio
import time

from guildhouse.kernel.db import Connection, Database, Note
from guildhouse.kernel.log.readers.tail import Tail
from guildhouse.kernel.log.wake import Wake

WRITE = """UPDATE jobs SET unit = gen_random_uuid()::text, version = version + 1
    WHERE id = (SELECT id FROM jobs OFFSET floor(random() * 100) LIMIT 1) RETURNING id"""


async def latencies(dsn: str, writes: int = 300) -> list[float]:
    """Seconds from the commit of a write until a reader has it, sorted. The sequencer is the running server's."""
    database = await Database.open(dsn, 4)
    tail = Tail(database, wake := Wake(database))
    heard: asyncio.Queue[tuple[str, float]] = asyncio.Queue()
    tail.subscribe(lambda changes: [heard.put_nowait((each.row_id, time.perf_counter())) for each in changes] and None)
    await tail.begin()
    stop = asyncio.Event()
    tasks = [asyncio.create_task(each.run(stop)) for each in (wake, tail)]
    took = [await one(database, heard) for _ in range(writes)]
    stop.set()
    await asyncio.gather(*tasks)
    await database.close()
    return sorted(took)


async def one(database: Database, heard: "asyncio.Queue[tuple[str, float]]") -> float:
    """Write, then wait until it is heard of."""
    async with database.writing(Note()) as connection:
        row = await written(connection)
    committed = time.perf_counter()
    while True:
        found, at = await heard.get()
        if found == row:
            return max(0.0, at - committed)


async def written(connection: Connection) -> str:
    """The id of a row that was changed."""
    row: str = await connection.fetchval(WRITE)
    return row
