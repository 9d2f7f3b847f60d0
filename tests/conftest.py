"""One PostgreSQL for the whole run, a migrated template in it, and one server for each worker, emptied for each test.

`cast` is on that server: its tables are empty but for the cast, and its log goes on from where other tests left it. A
test that counts the log from its beginning, or breaks something, takes a server of its own: `lone_cast`, `starting`.
"""

import asyncio
import logging
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from tempfile import gettempdir
from typing import Any
from uuid import uuid4

import asyncpg
import pytest
from argon2 import PasswordHasher

from guildhouse import app
from guildhouse.accounts import secrets
from guildhouse.config import Config, load
from guildhouse.kernel import migrate
from guildhouse.kernel.db import Database
from guildhouse.kernel.embedded import Embedded
from guildhouse.kernel.server import Server
from guildhouse.kernel.telemetry import configure_logs
from tests.cast import Caller, Cast, assemble, signed_in
from tests.commands.processes import Place, copy
from tests.emptying import Standing, all_read, cleared, emptied, log_end
from tests.in_memory import settle_in_memory
from tests.object_storage import ObjectStorage

settle_in_memory()
configure_logs(load())
# Every request of every test would be told, and what is told be kept until the test is over.
logging.getLogger("httpx2").setLevel(logging.WARNING)
# The process that runs the tests: with workers it is their parent. Databases are named for it, so that those of a run
# that was killed are known, and those of one that goes on beside this one are left alone.
RUN = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
TEMPLATE = f"template_{RUN}"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The journeys first: they take longest, and whoever begins them last is waited for by all others."""
    items.sort(key=lambda item: "journeys" not in item.path.parts)


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """The loop that servers run on; a line of it costs nothing more where coverage is counted, as it has none in Python."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session", autouse=True)
def hurried_passwords() -> Iterator[None]:
    """Hashes of passwords that are made in this process take less work; test_secrets holds what they take otherwise."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "hasher", PasswordHasher(time_cost=1, memory_cost=1024))
        yield


@pytest.fixture(scope="session")
def server_dsn() -> Iterator[str]:
    """The DSN of the test server's own database; all workers share the server, and the last one stops it."""
    settings = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}
    with Embedded(Path(gettempdir()) / f"guildhouse-tests-{os.geteuid()}", settings=settings) as dsn:
        yield dsn


@pytest.fixture(scope="session")
def template(server_dsn: str) -> str:
    """A database with the newest tables and nothing in it, made by the first worker that asks."""
    asyncio.run(ensure_template(server_dsn))
    return TEMPLATE


async def ensure_template(server_dsn: str) -> None:
    connection = await asyncpg.connect(server_dsn)
    try:
        await connection.execute("SELECT pg_advisory_lock(1)")
        if not await connection.fetchval("SELECT true FROM pg_database WHERE datname = $1", TEMPLATE):
            await drop_leftovers(connection)
            await connection.execute(f"CREATE DATABASE {TEMPLATE}_new")
            await migrate.migrate(dsn_of(server_dsn, f"{TEMPLATE}_new"), app.HOUSE)
            await connection.execute(f"ALTER DATABASE {TEMPLATE}_new RENAME TO {TEMPLATE}")
    finally:
        await connection.close()


async def drop_leftovers(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Databases of runs whose process is gone."""
    for record in await connection.fetch(r"SELECT datname FROM pg_database WHERE datname ~ '^(test|template)_\d+'"):
        if not os.path.exists(f"/proc/{record['datname'].split('_')[1]}"):  # noqa: PTH110, ASYNC240 - /proc does not block
            await connection.execute(f"DROP DATABASE IF EXISTS {record['datname']} WITH (FORCE)")


def dsn_of(server_dsn: str, name: str) -> str:
    return server_dsn.replace("/guildhouse?", f"/{name}?")


async def tell(dsn: str, statement: str) -> None:
    connection = await asyncpg.connect(dsn)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@contextmanager
def fresh(server_dsn: str, template: str = "template1") -> Iterator[str]:
    """The name of a copy of a database to which nobody is connected, for as long as the block runs."""
    name = f"test_{RUN}_{uuid4().hex}"
    asyncio.run(tell(server_dsn, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy"))
    yield name
    asyncio.run(tell(server_dsn, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def empty_dsn(server_dsn: str) -> Iterator[str]:
    """The DSN of a fresh empty database."""
    with fresh(server_dsn) as name:
        yield dsn_of(server_dsn, name)


@pytest.fixture
def dsn(server_dsn: str, template: str) -> Iterator[str]:
    """The DSN of a fresh migrated database."""
    with fresh(server_dsn, template) as name:
        yield dsn_of(server_dsn, name)


@pytest.fixture
async def database(dsn: str) -> AsyncIterator[Database]:
    """A fresh migrated database, opened; nothing runs on it."""
    opened = await Database.open(dsn)
    yield opened
    await opened.close()


@pytest.fixture
def config(tmp_path: Path) -> Config:
    """Settings of a test: no limits, workers inside."""
    return load(data=tmp_path, limits=0, pool=5)


async def has_indexes(server: Server) -> None:
    """Wait for the search indexes of a server that begins; until then the database would search."""
    while server.search.indexes is None:  # noqa: ASYNC110
        await asyncio.sleep(0.01)


@pytest.fixture
async def lone_cast(dsn: str, config: Config) -> AsyncIterator[Cast]:
    """A server of its own on a fresh database, and everybody on it."""
    async with app.running(config, dsn) as running:
        await has_indexes(running.server)
        yield await assemble(running.server, running.asgi)


@pytest.fixture(scope="session")
async def stage(server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[app.Running]:
    """The server that this worker's tests share."""
    name = f"test_{RUN}_{uuid4().hex}"
    await tell(server_dsn, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    config = load(data=tmp_path_factory.mktemp("stage"), limits=0, pool=5)
    async with app.running(config, dsn_of(server_dsn, name)) as running:
        await has_indexes(running.server)
        yield running
    await tell(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
async def far_stage(
    server_dsn: str, template: str, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[app.Running]:
    """Another server, with a database of its own; nothing works there in the background."""
    name = f"test_{RUN}_{uuid4().hex}"
    await tell(server_dsn, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
    config = load(data=tmp_path_factory.mktemp("far"), limits=0, pool=5, workers="none")
    async with app.running(config, dsn_of(server_dsn, name)) as running:
        yield running
    await tell(server_dsn, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def olga(far_stage: app.Running) -> Caller:
    """The admin of the other server, which has nobody else."""
    await all_read(far_stage.server)
    await emptied(far_stage.server)
    return await signed_in(far_stage.server, far_stage.asgi, "Olga", "admin", {"listed": False})


@pytest.fixture(scope="session")
def standing() -> Standing:
    """Who stands on the stage of this worker."""
    return Standing()


@pytest.fixture
async def cast(stage: app.Running, standing: Standing) -> Cast:
    """Everybody, on the server that this worker's tests share, with nothing of an earlier test on it."""
    return await cleared(stage, standing)


@pytest.fixture
def starting(dsn: str, tmp_path: Path) -> Callable[..., Any]:
    """Start a server with other settings: `async with starting(limits=1) as cast`."""

    @asynccontextmanager
    async def start(**overrides: Any) -> AsyncIterator[Cast]:
        async with app.running(load(**{"data": tmp_path, "limits": 0, "pool": 5, **overrides}), dsn) as running:
            yield await assemble(running.server, running.asgi)

    return start


@pytest.fixture
async def idle(starting: Callable[..., Any]) -> AsyncIterator[Cast]:
    """The cast on a server whose tasks wait to be run by hand."""
    async with starting(workers="none") as cast:
        yield cast


@pytest.fixture
def place() -> Iterator[Place]:
    """A data directory that does not exist yet, for servers of their own processes."""
    directory = Path(tempfile.mkdtemp(prefix="server-"))
    directory.chmod(0o711)  # PostgreSQL, which does not run as root, has to get through
    yield Place(directory / "data")
    Place(directory / "data").stop_postgres()
    shutil.rmtree(directory)


@pytest.fixture(scope="session")
def data_made() -> Iterator[Path]:
    """A data directory as it is before the first admin comes: to make one takes as long as to start ten servers."""
    directory = Path(tempfile.mkdtemp(prefix="made-"))
    directory.chmod(0o711)
    with Embedded(directory / "data", settings={"fsync": "off"}) as own_dsn:
        asyncio.run(migrate.migrate(own_dsn, app.HOUSE))
    yield directory / "data"
    shutil.rmtree(directory)


@pytest.fixture
def migrated(place: Place, data_made: Path) -> Place:
    """A data directory whose database has its tables and nobody in it, for servers of their own processes."""
    copy(data_made, place.data)
    return place


@pytest.fixture(scope="session")
def object_storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStorage]:
    """Storage that speaks S3, at work beside the tests that ask for it."""
    with ObjectStorage(tmp_path_factory.mktemp("swift")).at_work() as storage:
        yield storage


@pytest.fixture
async def wrote(cast: Cast) -> AsyncIterator[Callable[..., Any]]:
    """Claims changes: `await wrote("job.created")`. What a test wrote and did not claim fails it.

    That a search is remembered comes a second later, by itself: only who claims that, has to claim all of it.
    """
    start = await log_end(cast.server)
    claimed: list[str] = []

    async def written() -> list[str]:
        events = await events_after(cast.server, start)
        searches = any(each.startswith("recent_search.") for each in claimed)
        return sorted(each for each in events if searches or not each.startswith("recent_search."))

    async def claim(*events: str) -> None:
        claimed.extend(events)
        assert sorted(claimed) == await written()

    yield claim
    assert sorted(claimed) == await written()


async def events_after(server: Server, seq: int) -> list[str]:
    records = await server.database.pool.fetch("SELECT resource, verb FROM changes WHERE seq > $1 ORDER BY seq", seq)
    return [f"{server.house.resources[r['resource']].singular}.{r['verb']}" for r in records]
