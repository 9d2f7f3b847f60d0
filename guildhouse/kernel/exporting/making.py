"""Making: the task that writes an export's file, part by part, and goes on behind the last whole part after a crash.

All parts that one run writes show one moment. A run that was killed cannot keep its moment: the next one continues with a
new one behind the last row that was written, and the export keeps the position of the first, from which a reader of the
log makes up for what changed meanwhile.
"""

from collections.abc import AsyncIterator
from dataclasses import replace

from guildhouse.kernel.actor import Actor
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
from guildhouse.kernel.exporting.keeping import Keeper, part_name
from guildhouse.kernel.exporting.snapshot import Snapshot, snapshot
from guildhouse.kernel.exporting.telling import Telling
from guildhouse.kernel.exporting.wanted import Wanted, boundary, keys_of, searched
from guildhouse.kernel.tasks import Task, Work

PART_ROWS = 20_000
HEARD_EVERY = 5_000
KEEPER = Keeper(exports)


async def make(work: Work) -> None:
    """Write the file of an export, from where an earlier run has come to."""
    await KEEPER.make(work, write)


async def write(work: Work, row: Export) -> None:
    """Write what is missing of the file."""
    server, query = work.server, list(row.query.items())
    wanted = prepared(server.house, server.house.resources[row.resource], query, row.format)
    async with snapshot(server.database, patient=True) as view:
        actor = await server.actor_of(row.person_id, row.narrowed)
        wanted = await searched(wanted, server.search, view.connection, actor, row.query)
        total = await count_rows(view, actor, wanted, MOST_ROWS_LATER)
        row = await KEEPER.noted(work, {"total": max(total, row.done), "position": row.position or str(view.position)})
        telling = Telling(actor, row.language, server.config.name, query, row.created_at)
        if wanted.form in MOST_ROWS_LATER:
            await write_at_once(work, view, wanted, telling)
        else:
            await write_parts(work, view, wanted, telling, row)
    await KEEPER.finish(work, "done")


async def write_at_once(work: Work, view: Snapshot, wanted: Wanted, telling: Telling) -> None:
    """A workbook or a document is one part; its rows are counted while it is made."""
    done, told = 0, 0

    async def heard(rows: int) -> None:
        nonlocal done, told
        done += rows
        if done - told >= HEARD_EVERY:
            told = done
            await KEEPER.noted(work, {"done": done})

    chunks = ENCODERS[wanted.form](view, wanted, replace(telling, heard=heard))
    stored = await work.server.files.write(part_name(exports, work.row_id, 0), chunks)
    await KEEPER.noted(work, {"parts": [stored.size], "size": stored.size, "done": done})


async def write_parts(work: Work, view: Snapshot, wanted: Wanted, telling: Telling, row: Export) -> None:
    """Part after part; each is on the disk before the row says so, and then never written again."""
    more = row.ended_with is not None or not row.parts
    while more:
        part = replace(wanted, after=keys_of(wanted, row.ended_with), most=PART_ROWS)
        rows, last = await boundary(view.connection, telling.actor, part)
        more = last is not None
        chunks = part_of_file(view, part, telling.actor, first=not row.parts, is_last=not more)
        stored = await work.server.files.write(part_name(exports, row.id, len(row.parts)), chunks)
        sizes = [*row.parts, stored.size]
        values = {"parts": sizes, "size": sum(sizes), "done": row.done + rows, "ended_with": last}
        row = await KEEPER.noted(work, values)


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


tasks = (Task("make-export", make, on=("export.created",), give_up=KEEPER.give_up), *KEEPER.tasks)
schedules = KEEPER.schedules
