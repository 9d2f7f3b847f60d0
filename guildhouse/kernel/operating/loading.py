"""Loading: an NDJSON body, or a batch that is not to be waited for, becomes an operation; each line is one write."""

from hashlib import sha256
from typing import Any

from guildhouse.kernel.answer import Answer
from guildhouse.kernel.bulk import write_many
from guildhouse.kernel.bulk_writing import Op, Outcome
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import BadRequest, Problem
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.operating.beginning import accepted, begin, refuse_secrets
from guildhouse.kernel.operating.chunks import Chunk, Lines, chunks_of, chunks_of_body, count_lines
from guildhouse.kernel.operation import Operation
from guildhouse.kernel.request import Call, conform, parse_json
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.writing import perform


class WrongBatchMode(BadRequest):
    """`mode` takes `each` (every line for itself) or `atomic` (all lines, or none)."""


async def load_body(call: Call, resource: Resource[Any]) -> Answer:
    """Store an NDJSON body."""
    mode = call.param("mode") or "each"
    if mode not in ("each", "atomic"):
        raise WrongBatchMode
    digest = sha256()
    chunks = [chunk async for chunk in chunks_of_body(call, digest)]
    return await load(call, resource, mode, chunks, digest.digest())


async def load_ops(call: Call, resource: Resource[Any], mode: str, ops: list[Op]) -> Answer:
    """Store the writes of a JSON batch."""
    lines = [dumps(op.model_dump(exclude_unset=True)) for op in ops]
    return await load(call, resource, mode, chunks_of(lines))


async def load(
    call: Call, resource: Resource[Any], mode: str, chunks: list[Chunk], digest: bytes | None = None
) -> Answer:
    """The operation that writes these lines."""
    refuse_secrets(resource.shapes.create)

    async def act(ctx: Context) -> Answer:
        total = count_lines(chunks)
        row = await begin(call, ctx, chunks, kind="batch", resource=resource.name, mode=mode, total=total)
        return accepted(call, ctx, row)

    return await perform(call, act, body_digest=digest, rehearses=True)


async def write_lines(
    ctx: Context, resource: Resource[Any], _operation: Operation, lines: Lines, most: int | None
) -> list[Outcome]:
    """Write lines; one that cannot be read fails alone."""
    return await write_many(ctx, resource, [read_line(line) for _, line in lines], most)


def read_line(line: bytes) -> Op | Problem:
    """One line as a write; bare data, without `op`, is an upsert of it. A line that is wrong is its problem."""
    try:
        value = parse_json(line)
        return conform(Op, value if isinstance(value, dict) and "op" in value else {"op": "upsert", "data": value})
    except Problem as problem:
        return problem
