"""Health: `/health` says that the process lives, `/ready` whether it can do its work, and what of it how well.

Neither says anything that a stranger should not read: no addresses, no messages of errors.
"""

import asyncio
import shutil
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from time import perf_counter
from typing import Any, Literal

import asyncpg
import structlog
from croniter import croniter
from fastapi import APIRouter, Request, Response
from pydantic import Field

from guildhouse.kernel.backing.backup import LAST
from guildhouse.kernel.db import Connection
from guildhouse.kernel.files import FilesOutOfReach
from guildhouse.kernel.log.sequencer import ELECTION
from guildhouse.kernel.server import Server
from guildhouse.kernel.shapes import Shape

log = structlog.get_logger(__name__)

PATIENCE = 3  # seconds for all that is asked of the database
LATE = 10  # seconds, or changes by the thousand, behind which is worth a warning
LEAST_DISK = 200 * 1024 * 1024
GONE = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)

Status = Literal["pass", "warn", "fail"]


class Check(Shape):
    """One thing that the server depends on. `warn` needs somebody's attention, `fail` keeps the server from working."""

    status: Status
    detail: dict[str, Any] = Field(default_factory=dict)


class Readiness(Shape):
    """Whether the server can do its work: as bad as the worst of its checks."""

    status: Status
    checks: dict[str, Check]


class Liveness(Shape):
    """The process lives."""

    status: Literal["pass"] = "pass"


Look = Callable[[Server, Connection], Awaitable[Check]]


def router(server: Server, migration: str) -> APIRouter:
    """The two routes. `migration` is the newest revision of the tables that this code knows."""
    routes = APIRouter(tags=["health"])

    @routes.get("/health", operation_id="read_health")
    async def health() -> Liveness:
        """Whether the process lives; looks at nothing else."""
        return Liveness()

    @routes.get("/ready", operation_id="read_readiness", responses={503: {"model": Readiness}})
    async def ready(request: Request, response: Response) -> Readiness:
        """Whether the server can do its work, in detail; 503 with the same body if it cannot."""
        draining: asyncio.Event | None = request.scope.get("draining")
        checks = await look_around(server, migration, draining=draining is not None and draining.is_set())
        status = worst(checks)
        response.status_code = 503 if status == "fail" else 200
        response.headers["Cache-Control"] = "no-store"
        return Readiness(status=status, checks=checks)

    return routes


async def look_around(server: Server, migration: str, *, draining: bool) -> dict[str, Check]:
    """Every check by its name."""
    checks = {
        "draining": Check(status="fail" if draining else "pass"),
        "disk": disk(server.config.data),
    }
    try:
        async with asyncio.timeout(PATIENCE):
            return checks | await look_at_database(server, migration)
    except GONE as error:
        log.warning("health.database_unreachable", error=repr(error))
        return checks | {"database": Check(status="fail")}


async def look_at_database(server: Server, migration: str) -> dict[str, Check]:
    """What the database knows. Raises what the driver raises when it is not there at all."""
    asked = perf_counter()
    async with server.database.reading() as connection:
        await connection.execute("SELECT 1")
        found = {"database": Check(status="pass", detail={"milliseconds": milliseconds(asked)})}
        found["migrations"] = await migrations(connection, migration)
        for name, look in LOOKS.items():
            found[name] = await looked(look, server, connection)
    return found


async def looked(look: Look, server: Server, connection: Connection) -> Check:
    """A check; one that cannot be made, because its table is missing, has failed."""
    try:
        return await look(server, connection)
    except asyncpg.PostgresError as error:
        log.warning("health.check_failed", check=look.__name__, error=repr(error))
        return Check(status="fail")


async def migrations(connection: Connection, newest: str) -> Check:
    """Whether the tables are those that this code was written for."""
    exists = await connection.fetchval("SELECT to_regclass('alembic_version') IS NOT NULL")
    present = await connection.fetchval("SELECT version_num FROM alembic_version") if exists else None
    return Check(status="pass" if present == newest else "fail", detail={"present": present, "newest": newest})


async def sequencer(_server: Server, connection: Connection) -> Check:
    """Whether somebody gives positions to changes, and how long the oldest has waited for its own."""
    elected, waiting = await connection.fetchrow(SEQUENCER, ELECTION >> 32, ELECTION & 0xFFFFFFFF) or (False, 0)
    status: Status = "pass" if elected and waiting < LATE else "warn"
    return Check(status=status, detail={"elected": elected, "seconds_waiting": round(waiting, 3)})


SEQUENCER = """
SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND classid = $1 AND objid = $2 AND objsubid = 1
        AND granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())),
    coalesce((SELECT extract(epoch FROM clock_timestamp() - min(at)) FROM changes
        WHERE seq > coalesce((SELECT max(seq) FROM change_pos), 0)), 0)::float
"""


async def tail(server: Server, connection: Connection) -> Check:
    """How far this process is behind the log."""
    head = await connection.fetchval("SELECT coalesce(max(pos), 0) FROM change_pos")
    behind = max(0, head - server.tail.pos)
    return Check(status="pass" if behind < LATE * 1000 else "warn", detail={"changes_behind": behind})


async def readers(_server: Server, connection: Connection) -> Check:
    """How far each reader is behind, and what it could not take."""
    found = {name: {"changes_behind": lag, "dead_letters": dead} for name, lag, dead in await connection.fetch(READERS)}
    late = any(each["changes_behind"] >= LATE * 1000 or each["dead_letters"] for each in found.values())
    return Check(status="warn" if late else "pass", detail=found)


READERS = """
SELECT r.name, greatest(0, coalesce((SELECT max(pos) FROM change_pos), 0) - r.cursor),
    (SELECT count(*) FROM dead_letters d WHERE d.reader = r.name AND d.resolved_at IS NULL)
FROM readers r ORDER BY r.name
"""


async def tasks(_server: Server, connection: Connection) -> Check:
    """How long the oldest background task that is due has waited."""
    due, seconds = await connection.fetchrow(TASKS) or (0, 0)
    return Check(
        status="pass" if seconds < LATE * 6 else "warn", detail={"due": due, "seconds_waiting": round(seconds)}
    )


TASKS = """
SELECT count(*), coalesce(extract(epoch FROM now() - min(execute_after)), 0)::float
FROM pgqueuer WHERE status = 'queued' AND execute_after <= now()
"""


async def files(server: Server, _connection: Connection) -> Check:
    """Whether files can be looked for where they are kept. Without them most of the work goes on."""
    try:
        async with asyncio.timeout(PATIENCE / 2):
            await server.files.check()
    except (FilesOutOfReach, TimeoutError):
        return Check(status="warn")
    return Check(status="pass")


async def backups(server: Server, connection: Connection) -> Check:
    """Whether the last backup was taken, in time; nothing is asked of a server that is to take none."""
    if server.config.backups is None:
        return Check(status="pass")
    last = await connection.fetchrow(LAST)
    finished = last["finished_at"] if last else None
    late = finished is None or finished < before_last(server.config.backup_schedule)
    detail = {
        "seconds_since": None if finished is None else round((datetime.now(UTC) - finished).total_seconds()),
        "verified": bool(last and last["verified_at"]),
        "failed": bool(last and last["problem"]),
    }
    return Check(status="warn" if late or detail["failed"] else "pass", detail=detail)


def before_last(schedule: str) -> datetime:
    """The last time but one that a schedule came round: what is older than that is late."""
    times = croniter(schedule, datetime.now(UTC))
    times.get_prev(datetime)
    return times.get_prev(datetime)


async def search(server: Server, connection: Connection) -> Check:
    """Whether the search index answers, and how far it is behind the log; without it the database searches, slower."""
    head = await connection.fetchval("SELECT coalesce(max(pos), 0) FROM change_pos")
    behind = max(0, head - server.search.pos)
    if server.search.indexes is None:
        return Check(status="warn", detail={"engine": "database"})
    return Check(
        status="pass" if behind < LATE * 1000 else "warn", detail={"engine": "index", "changes_behind": behind}
    )


LOOKS: Mapping[str, Look] = {
    "sequencer": sequencer,
    "tail": tail,
    "readers": readers,
    "tasks": tasks,
    "files": files,
    "backups": backups,
    "search": search,
}


def disk(data: Path) -> Check:
    """The room that is left where the data live."""
    place = next(each for each in (data, *data.absolute().parents) if each.exists())
    free = shutil.disk_usage(place).free
    status: Status = "fail" if free < LEAST_DISK else "warn" if free < 10 * LEAST_DISK else "pass"
    return Check(status=status, detail={"free_bytes": free})


def worst(checks: Mapping[str, Check]) -> Status:
    """The status of all together."""
    found = {check.status for check in checks.values()}
    return "fail" if "fail" in found else "warn" if "warn" in found else "pass"


def milliseconds(since: float) -> float:
    """The milliseconds since a reading of the clock."""
    return round((perf_counter() - since) * 1000, 2)
