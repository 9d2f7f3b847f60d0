"""The app: the only file that knows every room. Domains in order, the spine and its readers, one ASGI application."""

import asyncio
import gc
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from secrets import token_bytes
from typing import Protocol

from fastapi import FastAPI
from starlette.types import ASGIApp

from guildhouse import accounts, applications, jobs, organizations, places, searches, vocabulary
from guildhouse.accounts.identity import Accounts
from guildhouse.config import Config
from guildhouse.jobs import pay_rates
from guildhouse.kernel import health, operation, telemetry
from guildhouse.kernel.at_hand import Loader
from guildhouse.kernel.backing import backup, taking
from guildhouse.kernel.db import Database
from guildhouse.kernel.document import docs_pages
from guildhouse.kernel.exporting import export, export_file, making
from guildhouse.kernel.headers import Edge, install_problem_handlers, with_cors
from guildhouse.kernel.http import Api
from guildhouse.kernel.importing import import_, import_doors, mapping
from guildhouse.kernel.importing import running as importing
from guildhouse.kernel.limits import Limits
from guildhouse.kernel.log.readers.reader import ReaderLoop
from guildhouse.kernel.log.readers.tail import Tail
from guildhouse.kernel.log.sequencer import Sequencer
from guildhouse.kernel.log.wake import Wake
from guildhouse.kernel.manifest import House, Manifest
from guildhouse.kernel.migrate import newest_revision
from guildhouse.kernel.operating import chunks, undoing, working
from guildhouse.kernel.retaining import hold, outlook, retained_file, retention, shelving
from guildhouse.kernel.searching.following_index import IndexFollower
from guildhouse.kernel.searching.heard import EarLoop
from guildhouse.kernel.server import Server
from guildhouse.kernel.storage import files_of
from guildhouse.kernel.tasks import Workers, feeder

# New objects, of which a batch makes thousands that all live: looking through them at every 700 was a tenth of its CPU.
BETWEEN_COLLECTIONS = 10_000
KERNEL = Manifest(
    "kernel",
    resources=(
        operation.operations, import_.imports, mapping.mappings, export.exports, backup.backups, hold.holds,
        retained_file.retained_files,
    ),
    verbs=(*operation.verbs, *import_.verbs, *export.verbs, *hold.verbs),
    doors=(
        *chunks.doors, *undoing.doors, *import_doors.doors, *export_file.doors, *retained_file.doors, *outlook.doors,
    ),
    tasks=(*working.tasks, *importing.tasks, *making.tasks, *retention.tasks, *shelving.tasks, *taking.tasks),
    schedules=(
        *importing.schedules, *making.schedules, *retention.schedules, *shelving.schedules, *taking.schedules,
    ),
)  # fmt: skip

# Lower domains first: each may lean on those before it.
HOUSE = House(
    (
        KERNEL,
        places.manifest,
        vocabulary.manifest,
        accounts.manifest,
        searches.manifest,
        organizations.manifest,
        jobs.manifest,
        applications.manifest,
    )
)


class Runs(Protocol):
    """Something that works until it is told to stop."""

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop` is set."""


@dataclass(frozen=True)
class Running:
    """A server at work: what ASGI calls, and what its requests share."""

    asgi: Edge
    server: Server


@asynccontextmanager
async def running(config: Config, dsn: str) -> AsyncIterator[Running]:
    """The ASGI application on a migrated database, with its sequencer, readers and workers; all stopped at the end."""
    pay_rates.rates()  # a table of one's own that is wrong is told now
    async with AsyncExitStack() as stack:
        database = await Database.open(dsn, config.pool)
        stack.push_async_callback(database.close)
        wake = Wake(database)
        identity = Accounts(HOUSE)
        tail = Tail(database, wake)
        await tail.begin()
        tail.subscribe(identity.memory.hear, identity.memory.forget_all)
        server = Server(
            config,
            HOUSE,
            database,
            tail,
            Limits(config.limits),
            identity,
            await secret_of(database),
            files_of(config),
        )
        await stack.enter_async_context(spine(server, wake))
        edge = Edge(with_cors(web(server), config), config)
        gc.collect()
        gc.freeze()
        gc.set_threshold(BETWEEN_COLLECTIONS)
        yield Running(edge, server)
        edge.drain()


@asynccontextmanager
async def spine(server: Server, wake: Wake) -> AsyncIterator[None]:
    """What runs beside the requests: the wake-up, the sequencer, the tail, the ear, the readers, and the workers."""
    stop = asyncio.Event()
    sequencer = Sequencer(server.database, wake)
    telemetry.watch(server, sequencer)
    loops = [ReaderLoop(reader, server.database, wake) for reader in (feeder(HOUSE), *HOUSE.readers)]
    workers = [Workers(server)] if server.config.workers == "inside" else []
    follower = IndexFollower(server.search, server.database, wake, server.config.data / "search")
    running: list[Runs] = [wake, sequencer, server.tail, follower, EarLoop(server), *loops, *workers, Loader(HOUSE)]
    tasks = [asyncio.create_task(each.run(stop), name=type(each).__name__) for each in running]
    try:
        yield
    finally:
        stop.set()
        await asyncio.wait(tasks, timeout=10)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def web(server: Server) -> ASGIApp:
    """All addresses: the doors of the resources first, then pages, health, metrics and documentation."""
    pages = FastAPI(
        title=server.config.name,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        max_body_size=server.config.max_body,
    )
    pages.state.server = server
    install_problem_handlers(pages)
    api = Api(server, pages)
    pages.include_router(health.router(server, newest_revision()))
    pages.include_router(telemetry.router(server))
    for domain in HOUSE.domains:
        for router in domain.pages:
            pages.include_router(router)
    pages.include_router(docs_pages.router(server, api.doors))
    return api


async def secret_of(database: Database) -> bytes:
    """The server's secret, made by the first process that needs it."""
    async with database.reading() as connection:
        await connection.execute(
            "INSERT INTO secrets (name, value) VALUES ('server', $1) ON CONFLICT (name) DO NOTHING", token_bytes(32)
        )
        found: bytes = await connection.fetchval("SELECT value FROM secrets WHERE name = 'server'")
    return found
