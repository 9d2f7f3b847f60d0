"""Background work: fed by the log once, tried again later and later, set aside in the end."""

import asyncio
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from pgqueuer.domain.errors import RetryRequested
from pgqueuer.domain.models import Job

from guildhouse.app import HOUSE
from guildhouse.applications.reminder import reminders
from guildhouse.kernel import store
from guildhouse.kernel.db import Note
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.log.readers.reader import ReaderLoop
from guildhouse.kernel.log.wake import Wake
from guildhouse.kernel.manifest import House, Manifest
from guildhouse.kernel.tasks import (
    LONGEST_PAUSE,
    Schedule,
    Task,
    TookDownItsProcess,
    Work,
    Workers,
    enqueue,
    feeder,
    pause_before,
)
from tests.cast import Cast

pytestmark = pytest.mark.anyio


async def nothing(_work: Work) -> None:
    """A task that does nothing."""


def job(payload: bytes = b'{"seq":7,"row_id":"r"}') -> Job:
    """A task as the queue hands it over."""
    now = datetime.now(UTC)
    return Job(
        id=1, priority=0, created=now, updated=now, heartbeat=now, execute_after=now, status="picked",
        entrypoint="t", payload=payload, queue_manager_id=uuid4(), headers=None,
    )  # fmt: skip


async def queued(cast: Cast) -> list[str]:
    records = await cast.server.database.pool.fetch("SELECT entrypoint, payload FROM pgqueuer ORDER BY id")
    return [record["entrypoint"] for record in records]


async def started(cast: Cast) -> int | None:
    found: int | None = await cast.server.database.pool.fetchval("SELECT max(started) FROM task_attempts")
    return found


def taker(cast: Cast, run: Callable[[Work], Any], **settings: Any) -> Callable[[Job], Any]:
    """What the queue calls for a task."""
    return Workers(cast.server).runner(Task("t", run, **settings))


async def stamped(cast: Cast) -> list[Change]:
    await cast.server.tail.wait_for(f"{cast.server.tail.epoch}.x{await last_xid(cast)}")
    async with cast.server.database.reading() as connection:
        return (await changes.after(connection, 0)).changes


async def last_xid(cast: Cast) -> int:
    return int(await cast.server.database.pool.fetchval("SELECT max(xid::text::bigint) FROM changes"))


async def test_a_reader_drained_twice_feeds_each_change_once(idle: Cast) -> None:
    house = House((*idle.server.house.domains, Manifest("t", tasks=(Task("t", nothing, on=("reminder.created",)),))))
    row = await idle.ada.made("/v1/reminders", {"text": "Call", "due_at": "2030-01-01T08:00:00Z"})
    await idle.ada.patch(f"/v1/reminders/{row['id']}", {"text": "Write"})
    await stamped(idle)
    await idle.server.database.pool.execute("DELETE FROM readers WHERE name = 'tasks'")
    database = idle.server.database
    for _ in range(2):
        loop = ReaderLoop(feeder(house), database, Wake(database))
        await loop.drain()
        await loop.release()
    assert (await queued(idle)).count("t") == 1


async def test_even_a_cursor_that_was_turned_back_does_not_queue_a_waiting_task_twice(idle: Cast) -> None:
    house = House((*idle.server.house.domains, Manifest("t", tasks=(Task("t", nothing, on=("reminder.created",)),))))
    await idle.ada.made("/v1/reminders", {"text": "Call", "due_at": "2030-01-01T08:00:00Z"})
    found = await stamped(idle)
    for _ in range(2):
        async with idle.server.database.writing(Note()) as connection:
            await feeder(house).handle(connection, found)
    assert (await queued(idle)).count("t") == 1


async def test_the_payload_says_which_change_asked_for_it(idle: Cast) -> None:
    seen: list[Work] = []

    async def note(work: Work) -> None:
        seen.append(work)

    await taker(idle, note)(job())
    await taker(idle, note)(job(b"{}"))
    assert [(work.seq, work.row_id, work.attempt) for work in seen] == [(7, "r", 1), (None, "", 1)]


async def failing(_work: Work) -> None:
    """A task that never succeeds."""
    raise KeyError("broken")


async def test_a_failure_is_tried_again_after_a_pause_and_given_up_in_the_end(idle: Cast) -> None:
    told: list[tuple[int, str]] = []

    async def give_up(work: Work, error: Exception) -> None:
        told.append((work.attempt, repr(error)))

    take = taker(idle, failing, attempts=3, give_up=give_up)
    for n in range(2):
        with pytest.raises(RetryRequested) as again:
            await take(job())
        assert timedelta(seconds=1 * 2**n) <= again.value.delay <= timedelta(seconds=3 * 2**n)
        assert told == []
    with pytest.raises(KeyError):
        await take(job())
    assert told == [(3, "KeyError('broken')")]


async def test_a_success_forgets_the_attempts_before_it(idle: Cast) -> None:
    with pytest.raises(RetryRequested):
        await taker(idle, failing)(job())
    assert await started(idle) == 1
    await taker(idle, nothing)(job())
    assert await started(idle) is None


class Killed(BaseException):
    """Stands for kill -9: nothing of ours runs after it."""


async def test_a_run_that_took_its_process_down_counts_as_an_attempt(idle: Cast) -> None:
    told: list[Exception] = []

    async def give_up(_work: Work, error: Exception) -> None:
        told.append(error)

    async def die(_work: Work) -> None:
        raise Killed

    for attempt in range(2):
        with pytest.raises(Killed):
            await taker(idle, die, attempts=2)(job())
        assert await started(idle) == attempt + 1
    with pytest.raises(TookDownItsProcess):
        await taker(idle, nothing, attempts=2, give_up=give_up)(job())
    assert [type(error) for error in told] == [TookDownItsProcess]


async def test_a_run_that_takes_too_long_has_failed(idle: Cast) -> None:
    async def hang(_work: Work) -> None:
        await asyncio.Event().wait()

    with pytest.raises(RetryRequested):
        await taker(idle, hang, seconds=0)(job())


async def test_a_run_that_a_stopping_server_cuts_short_is_no_attempt(idle: Cast) -> None:
    began = asyncio.Event()

    async def hang(_work: Work) -> None:
        began.set()
        await asyncio.Event().wait()

    for _ in range(3):
        running = asyncio.create_task(taker(idle, hang, attempts=2)(job()))
        await began.wait()
        assert await started(idle) == 1
        running.cancel()
        with pytest.raises(RetryRequested) as asked:
            await running
        assert (asked.value.delay, await started(idle)) == (timedelta(0), 0)
        began.clear()


async def test_a_task_that_a_stopping_server_cuts_short_waits_for_the_next_server(idle: Cast) -> None:
    runs: list[int] = []

    async def hang(work: Work) -> None:
        runs.append(work.attempt)
        began.set()
        await asyncio.Event().wait()

    began = asyncio.Event()
    house = House((*idle.server.house.domains, Manifest("t", tasks=(Task("t", hang),))))
    async with idle.server.database.writing(Note()) as connection:
        await enqueue(connection, [("t", "t:1", {})])
    for _ in range(2):
        stop = asyncio.Event()
        working = asyncio.create_task(Workers(replace(idle.server, house=house)).run(stop))
        await began.wait()
        stop.set()
        await asyncio.wait({working}, timeout=0.2)
        working.cancel()
        await asyncio.gather(working, return_exceptions=True)
        assert await idle.server.database.pool.fetchval("SELECT status::text FROM pgqueuer") == "queued"
        began.clear()
    assert runs == [1, 1]


@pytest.mark.parametrize("attempt", [2, 3, 6, 11, 40, 1000])
def test_pauses_double_with_jitter_up_to_a_limit(attempt: int) -> None:
    random.seed(1)
    base = min(2.0 * 2 ** min(attempt - 2, 30), LONGEST_PAUSE.total_seconds())
    found = [pause_before(attempt).total_seconds() for _ in range(200)]
    assert base / 2 <= min(found) < max(found) <= base * 1.5
    assert max(found) - min(found) > base / 2


async def until_early_in_a_minute() -> None:
    """Nodes that find a schedule due do so at its minute, not at the turn to the next."""
    if (second := datetime.now(UTC).second) > 57:
        await asyncio.sleep(60 - second)


async def test_a_schedule_that_two_nodes_find_due_is_enqueued_once(idle: Cast) -> None:
    await until_early_in_a_minute()
    schedule = Schedule(Task("nightly", nothing), "17 3 * * *")
    await asyncio.gather(*(Workers(idle.server).starter(schedule)(None) for _ in range(4)))
    assert (await queued(idle)).count("nightly") == 1


async def test_a_write_of_a_task_says_what_caused_it_and_why(idle: Cast) -> None:
    row = await idle.ada.made("/v1/reminders", {"text": "Call", "due_at": "2030-01-01T08:00:00Z"})
    (change,) = [each for each in await stamped(idle) if each.row_id == row["id"]]
    work = Work(idle.server, change.seq, row["id"], 1)
    async with work.writing(Note(reason="spring")) as ctx:
        before = await ctx.find(reminders, row["id"])
        assert before
        await store.change(ctx, reminders, before, {"text": "Write"}, verb="changed")
    (caused,) = [each for each in await stamped(idle) if each.caused_by == change.seq]
    assert (caused.reason, caused.actor, caused.verb) == ("spring", None, "changed")


async def test_tasks_of_the_house_have_names_of_their_own() -> None:
    names: Sequence[str] = [task.name for domain in HOUSE.domains for task in domain.tasks]
    assert len(names) == len(set(names)) > 3
    assert {schedule.task.name for schedule in HOUSE.schedules} <= set(names)
