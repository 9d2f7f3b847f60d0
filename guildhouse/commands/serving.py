"""Serving: from the settings to a process that answers, or one that only works off tasks."""

import asyncio
import ctypes
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from functools import partial

import asyncpg
import structlog
import uvicorn
import uvloop

from guildhouse import app
from guildhouse.accounts.first_admin import first_admin_link
from guildhouse.commands import migrating, storing
from guildhouse.commands.joining import Say, database_of
from guildhouse.config import Config
from guildhouse.kernel import check
from guildhouse.kernel.db import Database
from guildhouse.kernel.embedded import Embedded
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.telemetry import configure_logs

log = structlog.get_logger()

M_ARENA_MAX, HEAPS = -8, 2  # of mallopt(3)
TO_WAIT = 0.0005  # seconds for which a thread may keep the interpreter from another one


def serve(config: Config, say: Say, *, migrates: bool) -> None:
    """Start, or join, the database; bring it up to date, or refuse one that is not; serve until asked to stop."""
    configure_logs(config)
    check.raise_all(app.HOUSE)
    storing.require(config)
    with bound(config) as listener, database_of(config, say) as (dsn, embedded):
        run(serve_on(config, dsn, listener, embedded, say, migrates=migrates))


def work(config: Config, say: Say) -> None:
    """Work off background tasks only, beside servers that answer requests."""
    configure_logs(config)
    storing.require(config)
    with database_of(config, say) as (dsn, _):
        run(work_on(config, dsn, say))


def keep_heaps_few() -> None:
    """Let threads share two heaps; to be called before there are any.

    The C library gives each thread one of its own, and what one has freed no other takes. Searches, passwords and the index
    have threads: of an import of 350,000 rows the server kept 440 MB then, and keeps 200 so.
    """
    with suppress(AttributeError):  # the library is another one
        ctypes.CDLL(None).mallopt(M_ARENA_MAX, HEAPS)


def run(main: Awaitable[None]) -> None:
    """Run the process's event loop.

    With every write to a socket it lets go of the interpreter, and where a search is at work in a thread, it would get it
    back after the usual 5 ms only: longer than most requests take.
    """
    keep_heaps_few()
    sys.setswitchinterval(TO_WAIT)

    async def to_the_end() -> None:
        await main

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(to_the_end())


def bound(config: Config) -> socket.socket:
    """The socket to listen on, taken before anything else is started."""
    family = socket.AF_INET6 if ":" in config.host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((config.host, config.port))
    except OSError as error:
        listener.close()
        reason = error.strerror or str(error)
        raise NotDone(
            f"Cannot listen on {config.host}:{config.port}: {reason}. Choose another address with GUILDHOUSE_HOST and "
            "GUILDHOUSE_PORT, or stop what uses this one."
        ) from error
    return listener


async def serve_on(
    config: Config, dsn: str, listener: socket.socket, embedded: Embedded | None, say: Say, *, migrates: bool
) -> None:
    """Serve on a database, until SIGINT or SIGTERM."""
    await (migrating.forward(dsn) if migrates else migrating.require_current(dsn))
    await check_database(dsn)
    settings = uvicorn.Config(
        app=None,  # type: ignore[arg-type]
        lifespan="off",
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `trust_proxy` decides, see `Call.client`; uvicorn would believe every local process
        log_config=None,
        ws="none",
        timeout_graceful_shutdown=10,
    )
    async with app.running(config, dsn) as running:
        settings.app = running.asgi
        greeting = partial(greet, config, running.server.database, listener, say)
        server = DrainingServer(settings, running.asgi.drain, greeting)
        async with watching(embedded, running.server.database):
            await server.serve(sockets=[listener])
    say("Stopped.")


async def check_database(dsn: str) -> None:
    """Raise `BootError` where the database is not what the declarations say."""
    connection = await asyncpg.connect(dsn)
    try:
        if found := await check.database_faults(connection, app.HOUSE):
            raise check.BootError(found)
    finally:
        await connection.close()


class DrainingServer(uvicorn.Server):
    """uvicorn, which tells the application first that it is asked to stop, so that streams end and nobody waits.

    It calls `greet` once it listens, and keeps a signal to itself: uvicorn would raise it again at the end, and what
    follows the server would not run.
    """

    def __init__(self, config: uvicorn.Config, drain: Callable[[], None], greet: Callable[[], Awaitable[None]]) -> None:
        super().__init__(config)
        self.drain, self.greet = drain, greet

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to listen."""
        await super().startup(sockets)
        await self.greet()

    def handle_exit(self, sig: int, _frame: object) -> None:
        """A signal came; a second Ctrl-C waits for nobody."""
        self.drain()
        self.force_exit = self.should_exit and sig == signal.SIGINT
        self.should_exit = True


async def greet(config: Config, database: Database, listener: socket.socket, say: Say) -> None:
    """Say where the server is, and how to become its first admin."""
    host, port = listener.getsockname()[:2]
    address = (config.base_url or f"http://{f'[{host}]' if ':' in host else host}:{port}").rstrip("/")
    say(f"{config.name} is at {address} (API: {address}/docs). Stop it with Ctrl-C.")
    if link := await first_admin_link(database, address):
        say(f"Nobody runs it yet. Become its admin within a day, by this link that works once:\n  {link}")


@asynccontextmanager
async def watching(embedded: Embedded | None, database: Database) -> AsyncIterator[None]:
    """Start the embedded PostgreSQL again should it die: it recovers, and requests meanwhile are told to try again."""
    if embedded is None:
        yield
        return
    task = asyncio.create_task(revive(embedded, database))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def revive(embedded: Embedded, database: Database) -> None:
    """Ask the database every few seconds whether it is there."""
    while True:
        await asyncio.sleep(2)
        try:
            await database.pool.fetchval("SELECT 1", timeout=5)
        except Exception as error:
            log.warning("the embedded PostgreSQL does not answer", error=repr(error))
            await asyncio.to_thread(embedded.start)


async def work_on(config: Config, dsn: str, say: Say) -> None:
    """Work on a migrated database, until SIGINT or SIGTERM."""
    stop = asyncio.Event()
    for sign in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(sign, stop.set)
    await migrating.forward(dsn)
    async with app.running(config.model_copy(update={"workers": "inside"}), dsn):
        say("Working off background tasks. Stop with Ctrl-C.")
        await stop.wait()
    say("Stopped.")
