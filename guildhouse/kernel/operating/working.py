"""Working: the task that works an operation off, chunk by chunk.

A chunk's rows, its report and the operation's counts are one transaction: killed at any moment, it goes on with the first
chunk that has no report. Atomic: all chunks are one transaction. A dry run is that, too, and is rolled back; what it found
out is kept beside it.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from guildhouse.kernel import problems, store
from guildhouse.kernel.actor import HOUSE, Actor
from guildhouse.kernel.bulk import BatchRefused, ShownOnce, refuse_if_atomic
from guildhouse.kernel.bulk_writing import WRITES, Outcome, Verdict
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.errors import Denied, Problem
from guildhouse.kernel.operating.chunks import (
    Lines,
    forget_reports,
    is_open,
    keep_report,
    open_chunks,
    read_chunk,
    report_of,
)
from guildhouse.kernel.operating.loading import write_lines
from guildhouse.kernel.operating.selecting import write_rows
from guildhouse.kernel.operating.undoing import write_back
from guildhouse.kernel.operation import Operation, operations
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.tasks import Task, Work

COUNTED: tuple[Verdict, ...] = ("unchanged", "failed", "kept", *WRITES)
Write = Callable[[Context, Resource[Any], Operation, Lines, int | None], Awaitable[list[Outcome]]]
KINDS: Mapping[str, Write] = {"batch": write_lines, "selection": write_rows, "undo": write_back}


class CancelledMeanwhile(Exception):
    """Somebody has cancelled the operation while its one transaction was open."""


class Rehearsed(Exception):
    """Undoes the transaction of a dry run."""


async def run_operation(work: Work) -> None:
    """Work off what is left of an operation; nothing of one that was cancelled or is done."""
    operation = await started(work)
    if operation is None:
        return
    try:
        actor = await work.server.actor_of(operation.person_id, operation.narrowed)
        if not actor.can(f"{operation.resource}.write"):
            raise Denied
        run = run_rehearsal if operation.dry_run else run_atomic if operation.mode == "atomic" else run_each
        await run(work, operation, actor)
    except CancelledMeanwhile:
        return
    except Problem as problem:
        if problem.retryable:
            raise
        await finish(work, operation.id, "failed", problem)


async def started(work: Work) -> Operation | None:
    """The operation, now running; None when it was cancelled or is done. A dry run that was cut off begins anew."""
    async with work.writing() as ctx:
        row = await ctx.find(operations, work.row_id, lock=True)
        if row is None or row.status not in ("queued", "running"):
            return None
        values: dict[str, Any] = {"status": "running", "started_at": row.started_at or ctx.now}
        if row.dry_run:
            await forget_reports(ctx.connection, row.id)
            values |= dict.fromkeys(COUNTED, 0)
        return await store.change(ctx, operations, row, values, verb="started")


def note_of(work: Work, operation: Operation, actor: Actor) -> Note:
    """What the log says of an operation's writes."""
    return Note(actor=actor.id, request_id=work.id, reason=f"operation {operation.id}")


async def run_each(work: Work, operation: Operation, actor: Actor) -> None:
    """Chunk after chunk, until all are written or somebody cancels. The next is read while this one is being written."""
    numbers = await open_chunks(work.server, operation.id)
    ahead = [asyncio.create_task(read_chunk(work.server, operation.id, number)) for number in numbers[:1]]
    try:
        for n, number in enumerate(numbers, 1):
            lines = await ahead.pop()
            ahead = [asyncio.create_task(read_chunk(work.server, operation.id, each)) for each in numbers[n : n + 1]]
            await run_chunk(work, operation, actor, number, lines)
    finally:
        for each in ahead:
            each.cancel()
    await finish(work, operation.id, "done")


async def run_chunk(work: Work, operation: Operation, actor: Actor, number: int, lines: Lines) -> None:
    """One chunk in one transaction, with its report and the operation's new counts. Raises `CancelledMeanwhile`."""
    async with work.writing(note_of(work, operation, actor)) as ctx:
        row = await still_running(ctx, operation.id)
        if await is_open(ctx, row.id, number):  # else another run of the task was quicker
            outcomes = await written(ctx, row, actor, lines, left_of(row, row))
            await keep_report(ctx.connection, row.id, number, report_of(lines, outcomes, work.id, actor.language))
            await count_up(ctx, row, outcomes)


async def still_running(ctx: Context, operation_id: str) -> Operation:
    """The operation, locked. Raises `CancelledMeanwhile`."""
    row = await ctx.find(operations, operation_id, lock=True)
    if row is None or row.status != "running":
        raise CancelledMeanwhile
    return row


def left_of(operation: Operation, counted: Any) -> int | None:
    """How many rows it may still write, as `max-affected` allows it."""
    return None if operation.most is None else operation.most - sum(getattr(counted, name) for name in WRITES)


async def written(ctx: Context, operation: Operation, actor: Actor, lines: Lines, most: int | None) -> list[Outcome]:
    """Write the lines of one chunk in the name of who asked for it."""
    ctx.actor = actor
    resource = ctx.house.resources[operation.resource]
    outcomes = await KINDS[operation.kind](ctx, resource, operation, lines, most)
    if any(each.revealed for each in outcomes):
        raise ShownOnce(resource=resource.path)
    return outcomes


async def count_up(ctx: Context, row: Operation, outcomes: Sequence[Outcome]) -> Operation:
    """Add the outcomes to the operation's counts, in the name of the house."""
    counted = Counter(each.status for each in outcomes)
    values: dict[str, Any] = {name: getattr(row, name) + counted[name] for name in COUNTED}
    ctx.actor = HOUSE
    return await store.change(ctx, operations, row, values, verb="progressed")


async def run_atomic(work: Work, operation: Operation, actor: Actor) -> None:
    """All chunks in one transaction; when one line fails, nothing is written and the report says why."""
    reported: dict[int, tuple[Lines, list[Outcome]]] = {}
    most = operation.most
    try:
        async with work.writing(note_of(work, operation, actor)) as ctx:
            for number in await open_chunks(work.server, operation.id):
                lines = await read_chunk(work.server, operation.id, number)
                outcomes = await written(ctx, operation, actor, lines, most)
                most = most and most - sum(each.status in WRITES for each in outcomes)
                await keep_report(
                    ctx.connection, operation.id, number, report_of(lines, outcomes, work.id, actor.language)
                )
                reported[number] = lines, outcomes
                await check_goes_on(work, operation)
            every = [outcome for _, outcomes in reported.values() for outcome in outcomes]
            refuse_if_atomic("atomic", every)
            row = await still_running(ctx, operation.id)
            if row.remaining < row.total:  # another run of the task was quicker
                raise CancelledMeanwhile
            await count_up(ctx, row, every)
    except BatchRefused as refusal:
        await keep_refusal(work, operation, actor, reported)
        await finish(work, operation.id, "failed", refusal)
        return
    await finish(work, operation.id, "done")


async def check_goes_on(work: Work, operation: Operation) -> None:
    """Raise `CancelledMeanwhile` where somebody cancelled: a long transaction does not hold the operation's row."""
    async with work.server.database.reading() as connection:
        sql = "SELECT status FROM operations WHERE id = $1 AND deleted_at IS NULL"
        if await connection.fetchval(sql, operation.id) != "running":
            raise CancelledMeanwhile


async def keep_refusal(
    work: Work, operation: Operation, actor: Actor, reported: Mapping[int, tuple[Lines, list[Outcome]]]
) -> None:
    """Store which lines an atomic operation failed at; the others were not written either."""
    async with work.server.database.writing(Note(request_id=work.id)) as connection:
        for number, (lines, outcomes) in reported.items():
            said = [each if each.status == "failed" else Outcome("not-written") for each in outcomes]
            await keep_report(connection, operation.id, number, report_of(lines, said, work.id, actor.language))


async def run_rehearsal(work: Work, operation: Operation, actor: Actor) -> None:
    """A dry run: every line is judged and written as it would be, one after the other, and all of it is undone."""
    try:
        async with work.writing(note_of(work, operation, actor)) as ctx:
            row = operation
            for number in await open_chunks(work.server, operation.id):
                lines = await read_chunk(work.server, operation.id, number)
                outcomes = await written(ctx, operation, actor, lines, left_of(operation, row))
                row = await note_rehearsed(work, operation, actor, number, lines, outcomes)
            if row.mode == "atomic" and row.failed:
                raise BatchRefused(row.failed, row.total)
            raise Rehearsed
    except Rehearsed:
        await finish(work, operation.id, "done")


async def note_rehearsed(
    work: Work, operation: Operation, actor: Actor, number: int, lines: Lines, outcomes: Sequence[Outcome]
) -> Operation:
    """Keep what a chunk of a dry run would come to, in a transaction of its own. A row that would be new has no id yet."""
    would = [Outcome("created") if each.status == "created" else each for each in outcomes]
    async with work.writing() as ctx:
        row = await still_running(ctx, operation.id)
        if not await is_open(ctx, row.id, number):
            return row
        await keep_report(ctx.connection, row.id, number, report_of(lines, would, work.id, actor.language))
        return await count_up(ctx, row, outcomes)


async def finish(work: Work, operation_id: str, status: str, problem: Problem | None = None) -> None:
    """Close the operation, unless it was cancelled meanwhile."""
    async with work.writing() as ctx:
        row = await ctx.find(operations, operation_id, lock=True)
        if row is None or row.status not in ("queued", "running"):
            return
        body = await work.told(problem, row.person_id)
        failed = {"failed": problem.values["failed"]} if isinstance(problem, BatchRefused) else {}
        values = {"status": status, "finished_at": ctx.now, "problem": body, **failed}
        await store.change(ctx, operations, row, values, verb="finished")


async def give_up(work: Work, error: Exception) -> None:
    """The task failed for good: the operation says so."""
    await finish(work, work.row_id, "failed", error if isinstance(error, Problem) else problems.from_driver(error))


tasks = (Task("run-batch", run_operation, on=("operation.created",), give_up=give_up),)
