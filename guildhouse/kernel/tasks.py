"""Tasks: background work in a durable queue (pgqueuer, inside PostgreSQL), fed by a reader of the log.

A request never enqueues: it writes its row, and the reader turns the change into tasks, each once. A task that fails is
tried again later and later; one that fails, or takes its process down, too often is set aside and its owner told.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import orjson
import structlog
from pgqueuer import PgQueuer
from pgqueuer.adapters.drivers.asyncpg import AsyncpgDriver
from pgqueuer.adapters.persistence.queries import Queries
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job

from guildhouse.config import Config
from guildhouse.kernel import problems
from guildhouse.kernel.actor import HOUSE
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Connection, Note
from guildhouse.kernel.errors import Problem
from guildhouse.kernel.i18n import ENGLISH, choose_language
from guildhouse.kernel.ids import new_id
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.log.readers.reader import Reader
from guildhouse.kernel.manifest import House

if TYPE_CHECKING:
    from guildhouse.kernel.server import Server

log = structlog.get_logger()
FIRST_PAUSE = timedelta(seconds=2)
LONGEST_PAUSE = timedelta(minutes=15)
HEARTBEAT = timedelta(seconds=10)


@dataclass(frozen=True)
class Work:
    """One run of a task: which change asked for it (`seq`, `row_id`), and the how-manieth attempt it is."""

    server: "Server"
    seq: int | None
    row_id: str
    attempt: int
    id: str = field(default_factory=new_id)

    @asynccontextmanager
    async def writing(self, note: Note | None = None) -> AsyncIterator[Context]:
        """A transaction in the name of the house; its changes say which change caused them."""
        noted = replace(note or Note(request_id=self.id), caused_by=self.seq)
        async with self.server.database.writing(noted) as connection:
            yield Context(self.server.house, connection, HOUSE, noted)

    async def told(self, problem: Problem | None, person_id: str) -> dict[str, Any] | None:
        """The body of a problem, in the language of whoever it is told; in ours, where they are not let in any more."""
        if problem is None:
            return None
        try:
            language = choose_language(None, (await self.server.actor_of(person_id, None)).language)
        except Problem:
            language = ENGLISH
        return problems.body_of(problem, language, self.id)


@dataclass(frozen=True)
class Task:
    """Work to do in the background: after each change of these events (`application.submitted`), or by a schedule.

    A run may happen again after a crash, so it must find out what is already done. After `attempts` the task is set
    aside, and `give_up` is told the last error. A run that takes longer than `seconds` counts as failed.
    """

    name: str
    run: Callable[[Work], Awaitable[None]]
    on: tuple[str, ...] = ()
    attempts: int = 5
    seconds: int = 3600
    give_up: Callable[[Work, Exception], Awaitable[None]] | None = None


@dataclass(frozen=True)
class Schedule:
    """When a task runs by itself: five fields of cron, in UTC. It is enqueued once, however many nodes there are.

    The settings may say when, or, by None, that it does not.
    """

    task: Task
    cron: str | Callable[[Config], str | None]

    def due(self, config: Config) -> str | None:
        """The five fields."""
        return self.cron if isinstance(self.cron, str) else self.cron(config)


class TookDownItsProcess(Exception):
    """The task was started as often as it may be, and no run came to an end: its process died each time."""


def feeder(house: House) -> Reader:
    """The reader that turns changes into tasks, in the transaction that moves its cursor: none lost, none twice."""
    wanted = [(event, task.name) for task in house.tasks.values() for event in task.on]
    singular = {name: resource.singular for name, resource in house.resources.items()}

    async def feed(connection: Connection, changes: Sequence[Change]) -> None:
        events = [(f"{singular.get(c.resource, c.resource)}.{c.verb}", c) for c in changes]
        due = [(name, change) for happened, change in events for event, name in wanted if event == happened]
        if due:
            await enqueue(
                connection, [(name, f"{name}:{c.seq}", {"seq": c.seq, "row_id": c.row_id}) for name, c in due]
            )

    plural = {resource.singular: name for name, resource in house.resources.items()}
    return Reader("tasks", feed, resources={plural[event.partition(".")[0]] for event, _ in wanted})


async def enqueue(connection: Connection, tasks: Sequence[tuple[str, str, dict[str, Any]]]) -> None:
    """Put tasks in the queue: (name, key, payload). A task whose key is already waiting is not put there twice."""
    # The driver takes a pooled connection as well: it only fetches and executes.
    await Queries(AsyncpgDriver(cast("asyncpg.Connection[asyncpg.Record]", connection))).enqueue(
        [name for name, _, _ in tasks],
        [orjson.dumps(payload) for _, _, payload in tasks],
        [0] * len(tasks),
        dedupe_key=[key for _, key, _ in tasks],
        on_conflict="skip",
    )


class Workers:
    """Runs the tasks of the house in this process. Any number of processes may."""

    def __init__(self, server: "Server") -> None:
        self.server = server

    async def run(self, stop: asyncio.Event) -> None:
        """Work until `stop`; when the database goes away, come back with it."""
        while not stop.is_set():
            try:
                await self.run_once(stop)
            except Exception as error:
                log.warning("tasks interrupted", error=repr(error))
                with suppress(TimeoutError):
                    await asyncio.wait_for(stop.wait(), 2)

    async def run_once(self, stop: asyncio.Event) -> None:
        """Work on one connection, as long as it lives."""
        connection = await self.server.database.dedicated()
        try:
            queue = PgQueuer.from_asyncpg_connection(connection)
            self.register(queue)
            running = asyncio.create_task(
                queue.run(heartbeat_timeout=HEARTBEAT, dequeue_timeout=timedelta(seconds=5), batch_size=5)
            )
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
            queue.shutdown.set()
            stopping.cancel()
            await running
        finally:
            await connection.close()

    def register(self, queue: PgQueuer) -> None:
        """Tell the queue of every task and every schedule."""
        for task in self.server.house.tasks.values():
            queue.entrypoint(task.name, on_failure="hold", accepts_context=False)(self.runner(task))
        for schedule in self.server.house.schedules:
            if cron := schedule.due(self.server.config):
                queue.schedule(schedule.task.name, cron, accepts_context=False)(self.starter(schedule))

    def starter(self, schedule: Schedule) -> Callable[[Any], Awaitable[None]]:
        """Enqueue the task of a schedule that is due."""

        async def start(_due: Any) -> None:
            minute = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M")
            async with self.server.database.writing(Note()) as connection:
                await enqueue(connection, [(schedule.task.name, f"{schedule.task.name}:{minute}", {})])

        return start

    def runner(self, task: Task) -> Callable[[Job], Awaitable[None]]:
        """Run a task that was taken from the queue; a failure is tried again, until it was tried often enough."""

        async def run(job: Job) -> None:
            payload = orjson.loads(job.payload or b"{}")
            attempt = await self.count_attempt(job)
            work = Work(self.server, payload.get("seq"), payload.get("row_id", ""), attempt)
            try:
                if attempt > task.attempts:
                    raise TookDownItsProcess(task.name)
                await asyncio.wait_for(task.run(work), task.seconds)
            except (
                asyncio.CancelledError
            ):  # the server stops: the queue would take the task for one nobody wants any more
                await self.uncount_attempt(job)
                raise RetryRequested(timedelta(0), reason="the server stopped") from None
            except Exception as error:
                await self.after_failure(task, work, error)
            await self.forget_attempts(job)

        return run

    async def after_failure(self, task: Task, work: Work, error: Exception) -> None:
        """Ask for another try after a pause, or give up: then the queue keeps the task, marked as failed."""
        log.warning("task failed", task=task.name, attempt=work.attempt, error=repr(error))
        if work.attempt < task.attempts:
            raise RetryRequested(pause_before(work.attempt + 1), reason=repr(error)) from error
        if task.give_up:
            await task.give_up(work, error)
        raise error

    async def count_attempt(self, job: Job) -> int:
        """The how-manieth start of this task it is. Counted before the run, so that a crash counts, too."""
        sql = (
            "INSERT INTO task_attempts (task_id, started) VALUES ($1, 1) "
            "ON CONFLICT (task_id) DO UPDATE SET started = task_attempts.started + 1 RETURNING started"
        )
        return int(await self.server.database.pool.fetchval(sql, job.id))

    async def uncount_attempt(self, job: Job) -> None:
        """It was no fault of the task that its run came to no end."""
        sql = "UPDATE task_attempts SET started = started - 1 WHERE task_id = $1"
        with suppress(asyncpg.PostgresError, asyncpg.InterfaceError, OSError):
            await self.server.database.pool.execute(sql, job.id)

    async def forget_attempts(self, job: Job) -> None:
        """The task is done."""
        await self.server.database.pool.execute("DELETE FROM task_attempts WHERE task_id = $1", job.id)


def pause_before(attempt: int) -> timedelta:
    """How long to wait before an attempt: twice as long each time, with jitter so that failures do not march in step."""
    pause: timedelta = min(FIRST_PAUSE * 2 ** min(attempt - 2, 20), LONGEST_PAUSE)
    jitter = random.uniform(0.5, 1.5)  # noqa: S311 - nothing secret
    return pause * jitter
