"""What the tests of the log share: a table under the log, ways to write to it, and roles played by whole processes."""

import asyncio
import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.schema import CreateTable

from guildhouse.kernel.db import DIALECT, Connection, Database, Note
from guildhouse.kernel.ids import new_id
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.log.readers.reader import Reader, ReaderLoop
from guildhouse.kernel.log.sequencer import Sequencer
from guildhouse.kernel.log.triggers import statements
from guildhouse.kernel.log.wake import Wake


def table(name: str, *columns: sa.Column[Any]) -> sa.Table:
    """A table with the columns that every row has, and these."""
    return sa.Table(
        name,
        sa.MetaData(),
        sa.Column("id", sa.Uuid(as_uuid=False), primary_key=True),
        sa.Column("version", sa.Integer, nullable=False, server_default="1"),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False, server_default=sa.text("now()")),
        sa.Column("deleted_at", sa.DateTime(timezone=True)),
        sa.Column("scopes", ARRAY(sa.Text), nullable=False, server_default="{}"),
        *columns,
    )


THINGS = table(
    "things",
    sa.Column("title", sa.Text),
    sa.Column("order", sa.Integer),
    sa.Column("document", JSONB),
    sa.Column("rating", sa.Integer),
    sa.Column("length", sa.Integer, sa.Computed("length(title)", persisted=True)),
)
HIDDEN = {"rating"}


async def value(database: Database, sql: str) -> object:
    """The one value that a statement gives."""
    async with database.reading() as connection:
        return await connection.fetchval(sql)


async def lay_things(database: Database) -> None:
    """The table `things`, under the log, and a place for the effects of readers."""
    async with database.reading() as connection:
        await lay(connection, THINGS, HIDDEN)
        await connection.execute("CREATE TABLE effects (id bigserial, seq bigint NOT NULL)")


async def lay(connection: Connection, made: sa.Table, hidden: Collection[str] = ()) -> None:
    """Make a table and put it under the log."""
    await connection.execute(str(CreateTable(made).compile(dialect=DIALECT)))
    for statement in statements(made, hidden):
        await connection.execute(statement)


async def add(connection: Connection, title: str = "a thing", scopes: Sequence[str] = ("public",)) -> str:
    """A new thing; returns its id."""
    row_id = new_id()
    sql = "INSERT INTO things (id, title, scopes) VALUES ($1, $2, $3)"
    await connection.execute(sql, row_id, title, list(scopes))
    return row_id


async def added(database: Database, *titles: str) -> list[str]:
    """New things, each in a transaction of its own."""
    made = []
    for title in titles:
        async with database.writing(Note()) as connection:
            made.append(await add(connection, title))
    return made


async def touch(connection: Connection, row_id: str, **values: Any) -> None:
    """Set columns of a thing, as the store does: with its version."""
    sets = ", ".join(f'"{name}" = ${n}' for n, name in enumerate(values, 2))
    await connection.execute(f"UPDATE things SET version = version + 1, {sets} WHERE id = $1", row_id, *values.values())


@asynccontextmanager
async def running(*loops: Callable[[asyncio.Event], Awaitable[None]]) -> AsyncIterator[None]:
    """Run these until the block ends."""
    stop = asyncio.Event()
    tasks = [asyncio.create_task(loop(stop)) for loop in loops]  # type: ignore[arg-type]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def until(test: Callable[[], Awaitable[bool] | bool], seconds: float = 15) -> None:
    """Wait until a test holds; fails when it never does."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        holds = test()
        if holds if isinstance(holds, bool) else await holds:
            return
        assert asyncio.get_running_loop().time() < deadline, "it never came true"
        await asyncio.sleep(0.02)


@asynccontextmanager
async def process(*arguments: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """Another process that plays a role of this file; killed at the end if it still lives."""
    played = await asyncio.create_subprocess_exec(
        sys.executable, str(Path(__file__)), *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        yield played
    finally:
        if played.returncode is None:
            played.kill()
        await played.wait()


async def hears(played: asyncio.subprocess.Process, word: str) -> str:
    """The next line of a process that begins with this word."""
    assert played.stdout is not None
    while line := (await asyncio.wait_for(played.stdout.readline(), 20)).decode():
        if line.startswith(word):
            return line.strip()
    raise AssertionError(f"the process ended without saying {word}")


def say(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")
    sys.stdout.flush()


async def write_for(dsn: str, seconds: str) -> None:
    """Two writers that change shared rows and add new ones, committing soon or late; says how many writes there were."""
    database = await Database.open(dsn)
    async with database.reading() as connection:
        shared = [record["id"] for record in await connection.fetch("SELECT id FROM things WHERE title = 'shared'")]
    ends = asyncio.get_running_loop().time() + float(seconds)
    counts = await asyncio.gather(*(write_until(database, shared, ends) for _ in range(2)))
    await database.close()
    say("wrote", sum(counts))


async def write_until(database: Database, shared: list[str], ends: float) -> int:
    written = 0
    while asyncio.get_running_loop().time() < ends:
        async with database.writing(Note(verb="touched")) as connection:
            await add(connection)
            await asyncio.sleep(random.choice((0, 0, 0, 0.02)))
            await touch(connection, random.choice(shared), order=random.randrange(1_000_000_000))
        written += 2
        await asyncio.sleep(0.002)
    return written


async def sequence(dsn: str) -> None:
    """A node with nothing but a sequencer; says when it leads."""
    database = await Database.open(dsn)
    wake = Wake(database)
    sequencer = Sequencer(database, wake)
    async with running(wake.run, sequencer.run):
        await until(lambda: sequencer.leading, 60)
        say("leading")
        await asyncio.sleep(60)


async def read(dsn: str, pause: str) -> None:
    """A node with a reader that dawdles between its effect and the commit."""
    database = await Database.open(dsn)

    async def handle(connection: Connection, batch: Sequence[Change]) -> None:
        await note_effects(connection, batch)
        say("between")
        await asyncio.sleep(float(pause))

    loop = ReaderLoop(Reader("effects", handle, batch=7), database, Wake(database), lease=0.3)
    async with running(loop.run):
        await asyncio.sleep(60)


async def note_effects(connection: Connection, batch: Sequence[Change]) -> None:
    """The effect of a reader: one line for each change."""
    await connection.executemany("INSERT INTO effects (seq) VALUES ($1)", [(change.seq,) for change in batch])


async def effects(database: Database) -> list[int]:
    """The effects, in their order."""
    async with database.reading() as connection:
        return [record["seq"] for record in await connection.fetch("SELECT seq FROM effects ORDER BY id")]


if __name__ == "__main__":
    role, *rest = sys.argv[1:]
    asyncio.run({"write": write_for, "sequence": sequence, "read": read}[role](*rest))
