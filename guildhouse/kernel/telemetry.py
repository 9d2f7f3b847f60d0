"""Telemetry: logs as structured lines, and metrics in the Prometheus format.

Logs are JSON lines, or coloured text on a terminal. They never hold bodies, tokens or e-mail addresses: fields with such
names are blanked, and text that looks like one is masked wherever it stands, in tracebacks, too.

`/metrics` is of one process. It is open to a direct loopback connection as long as the server has no `base_url`, that is
on one's own machine; a server that others reach has a proxy before it, and a proxy is on loopback, too. There it takes
an API key with the permission `metrics.scrape` (not `.read`: `*.read` is what everybody holds).
"""

import asyncio
import logging
import re
import sys
from contextlib import suppress
from typing import Any

import asyncpg
import structlog
from fastapi import APIRouter, Request, Response
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from starlette.types import Scope
from structlog.typing import EventDict, Processor

from guildhouse.config import Config
from guildhouse.kernel.backing.backup import LAST
from guildhouse.kernel.errors import Denied, Unauthenticated
from guildhouse.kernel.log.sequencer import Sequencer
from guildhouse.kernel.request import Call
from guildhouse.kernel.server import Server

LOOPBACK = ("127.0.0.1", "::1")
FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")

PRIVATE = re.compile(r"authorization|body|cookie|e?mail|password|secret|token|api_key", re.IGNORECASE)
MASKED = re.compile(r"(?i:bearer|basic)\s+[\w.~+/=-]+|[\w.+-]{1,64}@[\w-]{1,63}\.[\w.-]+|(?<=://)[^/@\s]+(?=@)")

disable_created_metrics()  # type: ignore[no-untyped-call]  # when a series began is of no use here, and doubles their number
REGISTRY = CollectorRegistry()
REQUESTS = Counter("guildhouse_requests", "Requests answered.", ["method", "route", "status"], registry=REGISTRY)
SECONDS = Histogram(
    "guildhouse_request_seconds",
    "Seconds until an answer began.",
    ["method", "route"],
    registry=REGISTRY,
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
POOL = Gauge("guildhouse_database_connections", "Connections of the pool.", ["state"], registry=REGISTRY)
POSITION = Gauge("guildhouse_log_position", "Last position of the log that this process heard of.", registry=REGISTRY)
LEADING = Gauge("guildhouse_sequencer_leading", "1 in the process that gives positions.", registry=REGISTRY)
STAMPED = Gauge("guildhouse_sequencer_stamped", "Changes that this process gave positions.", registry=REGISTRY)
LATENCY = Gauge(
    "guildhouse_sequencer_latency_seconds", "Seconds from the last write to its position.", registry=REGISTRY
)
READER_LAG = Gauge("guildhouse_reader_lag", "Changes a reader has yet to read.", ["reader"], registry=REGISTRY)
DEAD_LETTERS = Gauge("guildhouse_dead_letters", "Changes a reader could not take.", ["reader"], registry=REGISTRY)
TASKS = Gauge("guildhouse_tasks", "Background tasks.", ["task", "state"], registry=REGISTRY)

SEARCH_POSITION = Gauge(
    "guildhouse_search_position", "Position of the log that the search index has.", registry=REGISTRY
)
SEARCH_READY = Gauge("guildhouse_search_ready", "1 where the search index answers.", registry=REGISTRY)
SEARCH_KEPT = Gauge(
    "guildhouse_search_answers",
    "Searches, by whether their answer was kept, made, or shared while it was made.",
    ["answer"],
    registry=REGISTRY,
)

BACKUP_TIME = Gauge("guildhouse_backup_timestamp_seconds", "When the last good backup ended.", registry=REGISTRY)
BACKUP_SIZE = Gauge("guildhouse_backup_size_bytes", "Bytes of the last good backup.", registry=REGISTRY)
BACKUP_FAILED = Gauge("guildhouse_backup_failed", "1 where the last backup failed.", registry=REGISTRY)

METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_meters: dict[tuple[str, str, int], tuple[Any, Any]] = {}


def count_request(scope: Scope, status: int, seconds: float) -> None:
    """Count an answer under its route's template."""
    key = scope["method"], route_of(scope), status
    meters = _meters.get(key)
    if meters is None:
        meters = _meters[key] = meters_for(*key)
    meters[0].inc()
    meters[1].observe(seconds)


def route_of(scope: Scope) -> str:
    """The template of the address: the door's path, else the hand-written route's; never the address itself."""
    template = scope.get("template")
    return template or getattr(scope.get("route"), "path", None) or "none"


def meters_for(method: str, route: str, status: int) -> tuple[Any, Any]:
    """The counter and the timer of one kind of answer, looked up once."""
    method = method if method in METHODS else "other"
    return REQUESTS.labels(method, route, f"{status // 100}xx"), SECONDS.labels(method, route)


def watch(server: Server, sequencer: Sequencer) -> None:
    """Let the gauges look at this process whenever they are asked."""
    pool = server.database.pool
    POOL.labels("open").set_function(pool.get_size)
    POOL.labels("in use").set_function(lambda: pool.get_size() - pool.get_idle_size())
    POSITION.set_function(lambda: server.tail.pos)
    LEADING.set_function(lambda: sequencer.leading)
    STAMPED.set_function(lambda: sequencer.stamped)
    LATENCY.set_function(lambda: sequencer.last_latency)
    SEARCH_POSITION.set_function(lambda: server.search.pos)
    SEARCH_READY.set_function(lambda: server.search.indexes is not None)
    SEARCH_KEPT.labels("kept").set_function(lambda: server.search.answers.found)
    SEARCH_KEPT.labels("made").set_function(lambda: server.search.answers.made)
    SEARCH_KEPT.labels("shared").set_function(lambda: server.search.answers.shared)


def router(server: Server) -> APIRouter:
    """The route of the metrics."""
    routes = APIRouter(include_in_schema=False)

    @routes.get("/metrics")
    async def metrics(request: Request) -> Response:
        """The metrics of this process, in the Prometheus text format."""
        await permit(server, request)
        with suppress(TimeoutError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            await asyncio.wait_for(look_at_database(server), timeout=2)
        return Response(generate_latest(REGISTRY), media_type=CONTENT_TYPE_LATEST)

    return routes


async def permit(server: Server, request: Request) -> None:
    """Raise unless the caller may read the metrics."""
    if server.config.base_url is None and is_direct_loopback(request):
        return
    actor = await server.identity.identify(
        Call(server, request.scope, request.receive, request.scope.get("request_id", ""))
    )
    if not actor.can("metrics.scrape"):
        raise Denied if actor.signed_in else Unauthenticated


def is_direct_loopback(request: Request) -> bool:
    """Whether the request comes from this machine, and no proxy says that it speaks for somebody else."""
    forwarded = any(name in request.headers for name in FORWARDED)
    return request.client is not None and request.client.host in LOOPBACK and not forwarded


READERS = """
SELECT r.name, greatest(0, (SELECT max(pos) FROM change_pos) - r.cursor) AS lag,
    (SELECT count(*) FROM dead_letters d WHERE d.reader = r.name AND d.resolved_at IS NULL) AS dead
FROM readers r
"""
QUEUE = "SELECT entrypoint, status::text, count(*) FROM pgqueuer GROUP BY 1, 2"


async def look_at_database(server: Server) -> None:
    """Set the gauges of what only the database knows."""
    async with server.database.reading() as connection:
        for reader in await connection.fetch(READERS):
            READER_LAG.labels(reader["name"]).set(reader["lag"] or 0)
            DEAD_LETTERS.labels(reader["name"]).set(reader["dead"])
        counts = await connection.fetch(QUEUE)
        if last := await connection.fetchrow(LAST):
            BACKUP_TIME.set(last["finished_at"].timestamp() if last["finished_at"] else 0)
            BACKUP_SIZE.set(last["size"] or 0)
            BACKUP_FAILED.set(bool(last["problem"]))
    TASKS.clear()
    for task, state, count in counts:
        TASKS.labels(task, state).set(count)


def configure_logs(config: Config) -> None:
    """Send the logs of the house and of its libraries to stderr, in one form."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.ExtraAdder(), *STAMPS],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *finish(sys.stderr.isatty())],
        )
    )
    logging.basicConfig(handlers=[handler], level=config.log_level.upper(), force=True)
    for chatty in ("alembic", "uvicorn", "pgqueuer"):
        logging.getLogger(chatty).setLevel(max(logging.WARNING, logging.getLogger().level))
    structlog.configure(
        processors=PROCESSORS,
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


STAMPS: list[Processor] = [
    structlog.stdlib.add_log_level,
    structlog.stdlib.add_logger_name,
    structlog.processors.TimeStamper(fmt="iso", utc=True),
]
# One list for good: a logger keeps the one that it met first, however often logs are configured again.
PROCESSORS: list[Processor] = [
    structlog.stdlib.filter_by_level,
    *STAMPS,
    structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
]


def finish(on_terminal: bool) -> list[Processor]:
    """From an event to a line."""
    if on_terminal:
        plain = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
        return [structlog.processors.format_exc_info, conceal, plain]
    return [structlog.processors.format_exc_info, conceal, structlog.processors.JSONRenderer()]


def conceal(_logger: object, _method: str, event: EventDict) -> EventDict:
    """Blank what must not be in a log."""
    return {name: "(hidden)" if PRIVATE.search(name) else masked(value) for name, value in event.items()}


def masked(value: Any) -> Any:
    """The value with tokens, credentials and e-mail addresses in its text masked."""
    if isinstance(value, str):
        return MASKED.sub("(hidden)", value)
    if isinstance(value, dict):
        return conceal(None, "", value)
    if isinstance(value, list | tuple):
        return [masked(each) for each in value]
    return value if isinstance(value, int | float | None) else MASKED.sub("(hidden)", str(value))
