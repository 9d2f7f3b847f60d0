"""Undoing: all that an operation or one request has written is taken back by an operation, which has its own report.

What it has written, the log knows: each change of an operation names the one that it was caused by, the operation's first;
those of a request are one transaction, which its answer names as `Log-Position`. Rows of other nouns, which verbs have
written besides, stay.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from pydantic import Field

from guildhouse.kernel import store
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.bulk import TooManyAffected
from guildhouse.kernel.bulk_writing import Outcome
from guildhouse.kernel.context import Context
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Conflict
from guildhouse.kernel.log.changes import Position
from guildhouse.kernel.operating.beginning import accepted, begin, max_affected
from guildhouse.kernel.operating.chunks import CHUNK_LINES, Chunk, Lines, count_lines
from guildhouse.kernel.operation import Operation, operations
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.reverting import Written, revert
from guildhouse.kernel.shapes import Shape
from guildhouse.kernel.writing import held, perform


class StillAtWork(Conflict):
    """This operation is still {status}. Cancel it, or wait for its end, then take it back."""


class NothingWritten(Conflict):
    """This operation has not written anything: there is nothing to take back."""


class TakenBackAlready(Conflict):
    """This operation is taken back by the operation {operation} already. That one can be taken back, too."""


class NotYourWrites(Conflict):
    """You have not written any {resource} at this position. It is the `Log-Position` that your write was answered with."""


class Answered(Shape):
    """Which request is meant: the one that was answered with this `Log-Position`."""

    position: str = Field(max_length=100, examples=["5f3a9c21.x7301"])


async def take_back(call: Call) -> Answer:
    """Take back all that an operation has written; what somebody has changed since stays, and the report says so."""

    async def act(ctx: Context) -> Answer:
        row: Operation = await held(call, ctx, operations)
        await refuse(ctx, row)
        undo = await begin_undo(call, ctx, row.resource, await writes_of(ctx, row), undoes=row.id)
        if not undo.dry_run:
            await store.change(ctx, operations, row, {"undone_by": undo.id}, verb="taken_back")
        return accepted(call, ctx, undo)

    return await perform(call, act, rehearses=True)


async def take_back_request(call: Call, resource: Resource[Any]) -> Answer:
    """Take back what one request of the caller's has written to a resource: a batch, or a single write."""
    asked = await call.shaped(Answered)
    position = Position.parse(asked.position, call.server.tail.epoch)

    async def act(ctx: Context) -> Answer:
        chunks = await writes_at(ctx, resource, position)
        if not chunks:
            raise NotYourWrites(resource=resource.path)
        return accepted(call, ctx, await begin_undo(call, ctx, resource.name, chunks, asked=asked.model_dump()))

    return await perform(call, act, rehearses=True)


async def begin_undo(call: Call, ctx: Context, resource: str, chunks: list[Chunk], **values: Any) -> Operation:
    """The operation that takes these writes back. Raises `TooManyAffected`."""
    total, most = count_lines(chunks), max_affected(call)
    if most is not None and total > most:
        raise TooManyAffected(most=most)
    return await begin(call, ctx, chunks, kind="undo", resource=resource, total=total, **values)


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
    FROM {{those}} AND c.resource = $1 AND c.verb <> 'forgotten' GROUP BY c.row_id
) w GROUP BY 1 ORDER BY 1
"""
OF_OPERATION = WRITES.format(
    those="""changes o JOIN changes c ON c.caused_by = o.seq
    WHERE o.resource = $2 AND o.row_id = $3 AND o.version = 1"""
)
# Numbers of transactions begin anew where a backup is restored, and with them an epoch.
OF_REQUEST = WRITES.format(
    those="""changes c
    WHERE c.xid = $2::text::xid8 AND c.actor = $3 AND c.seq > (SELECT seq FROM epochs ORDER BY number DESC LIMIT 1)"""
)


async def writes_of(ctx: Context, row: Operation) -> list[Chunk]:
    """What an operation has written, in chunks, the last first."""
    return await chunks_of_writes(ctx, OF_OPERATION, row.resource, operations.name, row.id)


async def writes_at(ctx: Context, resource: Resource[Any], position: Position) -> list[Chunk]:
    """What a request of the actor's has written to a resource, likewise."""
    if position.xid is None:  # a position that is stamped: the request has written nothing
        return []
    return await chunks_of_writes(ctx, OF_REQUEST, resource.name, str(position.xid), ctx.actor.id)


async def chunks_of_writes(ctx: Context, sql: str, *values: Any) -> list[Chunk]:
    """The writes that a statement finds, as the lines of an operation."""
    return [(record["number"], record["lines"].encode()) for record in await ctx.connection.fetch(sql, *values)]


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
