"""Making: the task that writes an export's file, part by part, and goes on behind the last whole part after a crash.

All parts that one run writes show one moment. A run that was killed cannot keep its moment: the next one continues with a
new one behind the last row that was written, and the export keeps the position of the first, from which a reader of the
log makes up for what changed meanwhile.
"""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

from guildhouse.kernel import problems, store
from guildhouse.kernel.actor import HOUSE, Actor
from guildhouse.kernel.errors import Problem
from guildhouse.kernel.exporting.encoding import (
    ENCODERS,
    MOST_ROWS_LATER,
    between,
    closing,
    count_rows,
    opening,
    prepared,
    text_rows,
)
from guildhouse.kernel.exporting.export import Export, exports
from guildhouse.kernel.exporting.snapshot import Snapshot, snapshot
from guildhouse.kernel.exporting.telling import Telling
from guildhouse.kernel.exporting.wanted import Wanted, boundary, keys_of
from guildhouse.kernel.tasks import Schedule, Task, Work

PART_ROWS = 20_000
HEARD_EVERY = 5_000
KEPT = timedelta(days=7)
AT_A_TIME = 100


class Stopped(Exception):
    """The export was cancelled or removed while it was made."""


async def make(work: Work) -> None:
    """Write the file of an export, from where an earlier run has come to."""
    row = await started(work)
    if row is None:
        return
    try:
        await write(work, row)
    except Stopped:
        await remove_files(work)
    except Problem as problem:
        if problem.retryable:
            raise
        await finish(work, "failed", problem)


async def started(work: Work) -> Export | None:
    """The export, now running; None when it was cancelled, removed, or is done."""
    async with work.writing() as ctx:
        row = await ctx.find(exports, work.row_id, lock=True)
        if row is None or row.status not in ("queued", "running"):
            return None
        values = {"status": "running", "started_at": row.started_at or ctx.now}
        return await store.change(ctx, exports, row, values, verb="started")


async def write(work: Work, row: Export) -> None:
    """Write what is missing of the file."""
    server, query = work.server, list(row.query.items())
    wanted = prepared(server.house, server.house.resources[row.resource], query, row.format)
    async with snapshot(server.database, patient=True) as view:
        actor = await server.actor_of(row.person_id, row.narrowed)
        total = await count_rows(view, actor, wanted, MOST_ROWS_LATER)
        row = await noted(work, {"total": max(total, row.done), "position": row.position or str(view.position)})
        telling = Telling(actor, row.language, server.config.name, query, row.created_at)
        if wanted.form in MOST_ROWS_LATER:
            await write_at_once(work, view, wanted, telling)
        else:
            await write_parts(work, view, wanted, telling, row)
    await finish(work, "done")


async def write_at_once(work: Work, view: Snapshot, wanted: Wanted, telling: Telling) -> None:
    """A workbook or a document is one part; its rows are counted while it is made."""
    done, told = 0, 0

    async def heard(rows: int) -> None:
        nonlocal done, told
        done += rows
        if done - told >= HEARD_EVERY:
            told = done
            await noted(work, {"done": done})

    chunks = ENCODERS[wanted.form](view, wanted, replace(telling, heard=heard))
    stored = await work.server.files.write(part_name(work.row_id, 0), chunks)
    await noted(work, {"parts": [stored.size], "size": stored.size, "done": done})


async def write_parts(work: Work, view: Snapshot, wanted: Wanted, telling: Telling, row: Export) -> None:
    """Part after part; each is on the disk before the row says so, and then never written again."""
    more = row.ended_with is not None or not row.parts
    while more:
        part = replace(wanted, after=keys_of(wanted, row.ended_with), most=PART_ROWS)
        rows, last = await boundary(view.connection, telling.actor, part)
        more = last is not None
        chunks = part_of_file(view, part, telling.actor, first=not row.parts, is_last=not more)
        stored = await work.server.files.write(part_name(row.id, len(row.parts)), chunks)
        sizes = [*row.parts, stored.size]
        values = {"parts": sizes, "size": sum(sizes), "done": row.done + rows, "ended_with": last}
        row = await noted(work, values)


async def part_of_file(
    view: Snapshot, part: Wanted, actor: Actor, *, first: bool, is_last: bool
) -> AsyncIterator[bytes]:
    """The rows of one part, with what the file begins with before the first, and ends with behind the last."""
    before = opening(part) if first else between(part)
    if first:
        yield before
    async for piece in text_rows(view, part, actor):
        if not first and before and piece:
            yield before
            before = b""
        yield piece
    if is_last:
        yield closing(part)


def part_name(export_id: str, number: int) -> str:
    """Where a part of a file is kept."""
    return f"exports/{export_id}/{number:06}"


async def noted(work: Work, values: dict[str, Any]) -> Export:
    """The export with its progress. Raises `Stopped` where it is not running any more."""
    async with work.writing() as ctx:
        row = await ctx.find(exports, work.row_id, lock=True)
        if row is None or row.status != "running":
            raise Stopped
        return await store.change(ctx, exports, row, values, verb="progressed")


async def finish(work: Work, status: str, problem: Problem | None = None) -> None:
    """Close the export, unless it was cancelled meanwhile; what is not done has no file."""
    async with work.writing() as ctx:
        row = await ctx.find(exports, work.row_id, lock=True)
        if row is not None and row.status in ("queued", "running"):
            body = problems.body_of(problem, "en", work.id) if problem else None
            values = {"status": status, "finished_at": ctx.now, "expires_at": ctx.now + KEPT, "problem": body}
            row = await store.change(ctx, exports, row, values, verb="finished")
    if row is None or row.status != "done":
        await remove_files(work)


async def give_up(work: Work, error: Exception) -> None:
    """The task failed for good: the export says so."""
    await finish(work, "failed", error if isinstance(error, Problem) else problems.from_driver(error))


async def remove_files(work: Work) -> None:
    """Remove all parts of an export's file."""
    for name in await work.server.files.names(f"exports/{work.row_id}/"):
        await work.server.files.remove(name)


async def remove_expired(work: Work) -> None:
    """Remove the exports whose week is over; their files go with them."""
    removed = AT_A_TIME
    while removed == AT_A_TIME:
        async with work.writing() as ctx:
            records = await ctx.connection.fetch(
                f'SELECT * FROM "{exports.name}" WHERE expires_at < $1 AND deleted_at IS NULL '
                f"ORDER BY expires_at LIMIT {AT_A_TIME} FOR UPDATE SKIP LOCKED",
                ctx.now,
            )
            ctx.actor = HOUSE
            for record in records:
                await store.remove(ctx, exports, exports.table.of(record), verb="removed")
        removed = len(records)


REMOVE_EXPIRED = Task("remove-expired-exports", remove_expired)
tasks = (
    Task("make-export", make, on=("export.created",), give_up=give_up),
    Task(
        "remove-export-files", remove_files, on=("export.cancelled", "export.removed", "export.purged", "export.erased")
    ),
    REMOVE_EXPIRED,
)
schedules = (Schedule(REMOVE_EXPIRED, "27 * * * *"),)
