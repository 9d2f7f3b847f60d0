"""Undoing: all that an operation has written is taken back by another operation, which has its own report.

What it has written, the log knows: each of its changes names the one that it was caused by, the operation's first.
Rows that its verbs have written of other nouns stay.
"""

from collections.abc import Sequence
from typing import Any

import orjson

from guildhouse.kernel import store
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.bulk import Outcome, TooManyAffected
from guildhouse.kernel.context import Context
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Conflict
from guildhouse.kernel.operating.beginning import accepted, begin, max_affected
from guildhouse.kernel.operating.chunks import CHUNK_LINES, Chunk, Lines, count_lines
from guildhouse.kernel.operation import Operation, operations
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.reverting import Written, revert
from guildhouse.kernel.writing import held, perform


class StillAtWork(Conflict):
    """This operation is still {status}. Cancel it, or wait for its end, then take it back."""


class NothingWritten(Conflict):
    """This operation has not written anything: there is nothing to take back."""


class TakenBackAlready(Conflict):
    """This operation is taken back by the operation {operation} already. That one can be taken back, too."""


async def take_back(call: Call) -> Answer:
    """Take back all that an operation has written; what somebody has changed since stays, and the report says so."""

    async def act(ctx: Context) -> Answer:
        row: Operation = await held(call, ctx, operations)
        await refuse(ctx, row)
        chunks, most = await writes_of(ctx, row), max_affected(call)
        total = count_lines(chunks)
        if most is not None and total > most:
            raise TooManyAffected(most=most)
        undo = await begin(call, ctx, chunks, kind="undo", resource=row.resource, undoes=row.id, total=total)
        if not undo.dry_run:
            await store.change(ctx, operations, row, {"undone_by": undo.id}, verb="taken_back")
        return accepted(call, ctx, undo)

    return await perform(call, act, rehearses=True)


async def refuse(ctx: Context, row: Operation) -> None:
    """Raise what speaks against taking an operation back."""
    if row.finished_at is None:
        raise StillAtWork(status=row.status)
    if not row.written:
        raise NothingWritten
    earlier = await ctx.find(operations, row.undone_by)
    if earlier is not None and (earlier.finished_at is None or is_whole(earlier)):
        raise TakenBackAlready(operation=earlier.id)


def is_whole(undo: Operation) -> bool:
    """Whether an undo has left nothing for another one."""
    return undo.status == "done" and not undo.kept and not undo.failed


# One line of JSON for each row, those that were written last first: what `Written` is made of.
WRITES = f"""
SELECT place / {CHUNK_LINES} AS number, string_agg(written::text, E'\\n' ORDER BY place) AS lines FROM (
    SELECT row_number() OVER (ORDER BY max(c.seq) DESC) - 1 AS place,
        jsonb_build_array(c.row_id, bool_or(c.before IS NULL), min(c.version), max(c.version),
            count(*) = max(c.version) - min(c.version) + 1) AS written
    FROM changes o JOIN changes c ON c.caused_by = o.seq AND c.resource = $3 AND c.verb <> 'forgotten'
    WHERE o.resource = $1 AND o.row_id = $2 AND o.version = 1
    GROUP BY c.row_id
) w GROUP BY 1 ORDER BY 1
"""


async def writes_of(ctx: Context, row: Operation) -> list[Chunk]:
    """What an operation has written, in chunks, the last first."""
    records = await ctx.connection.fetch(WRITES, operations.name, row.id, row.resource)
    return [(record["number"], record["lines"].encode()) for record in records]


async def write_back(
    ctx: Context, resource: Resource[Any], _operation: Operation, lines: Lines, _most: int | None
) -> list[Outcome]:
    """Take back what these lines tell of."""
    writes: Sequence[Written] = [Written(*orjson.loads(line)) for _, line in lines]
    return await revert(ctx, resource, writes)


doors = (
    Door("POST", "/v1/operations/{id}/take-back", "operations.write", "Undo all that an operation has written", take_back,
         operations, "batch", gives=operations.shapes.read),
)  # fmt: skip
