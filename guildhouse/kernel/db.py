"""The database: one pool of connections, and the transaction that every write runs in.

The kernel hands SQL to the driver; a domain hands over SQLAlchemy expressions, which are compiled once each. A
transaction carries its note (who, which verb, why), from which the triggers of the log fill a change.
"""

from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeAlias
from urllib.parse import quote, urlsplit, urlunsplit
from weakref import WeakKeyDictionary

import asyncpg
import orjson
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy.dialects.postgresql.asyncpg import dialect as asyncpg_dialect
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ClauseElement

Connection: TypeAlias = "asyncpg.Connection[asyncpg.Record] | PoolConnectionProxy[asyncpg.Record]"

# Every session of the house, also the ones of the readers and the tasks, speaks to PostgreSQL in these terms.
SESSION = {
    "timezone": "UTC",
    "jit": "off",
    "application_name": "guildhouse",
    "idle_in_transaction_session_timeout": "60s",
}

DIALECT = asyncpg_dialect()  # type: ignore[no-untyped-call]


class NothingCommitted(RuntimeError):
    """A statement of the transaction had failed, so that its commit kept nothing."""


@dataclass(frozen=True, slots=True)
class Note:
    """What the log says about the writes of a transaction, beside the values. `caused_by` is the `seq` of a change."""

    verb: str | None = None
    actor: str | None = None
    reason: str | None = None
    request_id: str | None = None
    caused_by: int | None = None

    def text(self) -> str:
        """The note as the triggers read it."""
        said = {name: value for name in Note.__slots__ if (value := getattr(self, name)) is not None}
        return orjson.dumps(said).decode()

    def sql(self) -> str:
        """The statement that pins this note to the running transaction, for writes that do not carry their own."""
        quoted = self.text().replace("'", "''")
        return f"SELECT set_config('guildhouse.note', '{quoted}', true)"


class Database:
    """A pool of connections to one PostgreSQL. `on_commit` is called after every commit of a writing transaction."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", dsn: str) -> None:
        self.pool = pool
        self.dsn = dsn
        self.on_commit: Callable[[], None] = lambda: None

    @classmethod
    async def open(cls, dsn: str, size: int = 10) -> "Database":
        """Connect; raises what the driver raises when the server cannot be reached."""
        pool = await asyncpg.create_pool(
            dsn, min_size=1, max_size=size, init=speak, reset=leave_clean, server_settings=SESSION
        )
        return cls(pool, dsn)

    async def close(self) -> None:
        """Wait for the connections in use, then close them all."""
        await self.pool.close()

    def reading(self) -> AbstractAsyncContextManager[Connection]:
        """A connection in no transaction: each statement is one of its own."""
        return self.pool.acquire()

    @asynccontextmanager
    async def writing(self, note: Note) -> AsyncIterator[Connection]:
        """A transaction with its note: committed when the block ends, rolled back when it raises."""
        async with self.pool.acquire() as connection:
            await connection.execute(f"BEGIN; {note.sql()}")
            try:
                yield connection
            except BaseException:
                with suppress(asyncpg.InterfaceError, asyncpg.PostgresError, OSError):  # where the connection is lost
                    await connection.execute("ROLLBACK")
                raise
            # A transaction that failed, and whose failure somebody swallowed, is rolled back by COMMIT without an error.
            if await connection.execute("COMMIT") != "COMMIT":
                raise NothingCommitted
        self.on_commit()

    @asynccontextmanager
    async def writing_once(self) -> AsyncIterator[Connection]:
        """A connection for one writing statement that carries its note: it is its own transaction, two trips less."""
        async with self.pool.acquire() as connection:
            yield connection
        self.on_commit()

    async def dedicated(self) -> "asyncpg.Connection[asyncpg.Record]":
        """A connection outside the pool: for LISTEN, and for locks that live as long as their session."""
        connection = await asyncpg.connect(self.dsn, server_settings=SESSION)
        await speak(connection)
        return connection


@asynccontextmanager
async def savepoint(connection: Connection) -> AsyncIterator[None]:
    """A part of the running transaction that is undone alone when the block raises."""
    await connection.execute("SAVEPOINT part")
    try:
        yield
    except BaseException:
        await connection.execute("ROLLBACK TO SAVEPOINT part; RELEASE SAVEPOINT part")
        raise
    await connection.execute("RELEASE SAVEPOINT part")


async def speak(connection: Connection) -> None:
    """Teach a connection the house's plain values: ids are text, documents are Python objects, numerics are floats."""
    codecs: list[tuple[str, Callable[[Any], str], Callable[[str], Any]]] = [
        ("uuid", str, str),
        ("jsonb", lambda value: orjson.dumps(value).decode(), orjson.loads),
        ("numeric", str, float),
    ]
    for name, encode, decode in codecs:
        await connection.set_type_codec(name, schema="pg_catalog", encoder=encode, decoder=decode, format="text")


async def leave_clean(connection: Connection) -> None:
    """Given back to the pool: nothing of the house changes a session, so there is nothing to reset (one trip less)."""


_compiled: WeakKeyDictionary[ClauseElement, tuple[str, list[str], Mapping[str, Any]]] = WeakKeyDictionary()


def compiled(statement: ClauseElement) -> tuple[str, list[str], Mapping[str, Any]]:
    """SQL, the names of its parameters in order, and their values so far; kept as long as the statement lives."""
    found = _compiled.get(statement)
    if found is None:
        made = statement.compile(dialect=DIALECT, compile_kwargs={"render_postcompile": True})
        assert isinstance(made, SQLCompiler)
        found = str(made), list(made.positiontup or ()), made.params
        _compiled[statement] = found
    return found


async def fetch(connection: Connection, statement: ClauseElement, /, **values: Any) -> list[asyncpg.Record]:
    """Run an expression; `values` fill its `bindparam`s. Keep the expression at module level and it compiles once."""
    sql, names, defaults = compiled(statement)
    return await connection.fetch(sql, *(values[name] if name in values else defaults[name] for name in names))


def split_password(dsn: str) -> tuple[str, str | None]:
    """The address without its password, and the password."""
    parts = urlsplit(dsn)
    if parts.password is None:
        return dsn, None
    _, _, place = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=f"{quote(parts.username or '')}@{place}")), parts.password
