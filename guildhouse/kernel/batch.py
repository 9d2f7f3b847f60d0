"""Batch: many writes in one request. Up to 1,000 are answered at once; more, or all rows of a filter, are an operation."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from guildhouse.kernel import problems
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.bulk import BatchRefused, refuse_if_atomic, write_many
from guildhouse.kernel.bulk_writing import WRITES, Op, Outcome
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import UnsupportedMediaType
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.operating.beginning import max_affected
from guildhouse.kernel.operating.chunks import told
from guildhouse.kernel.operating.loading import load_body, load_ops
from guildhouse.kernel.operating.selecting import Selection, write_selection
from guildhouse.kernel.request import Call, conform, parse_json
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.shapes import Shape
from guildhouse.kernel.writing import perform

MOST_INLINE = 1000
NDJSON = ("application/x-ndjson", "application/jsonl", "application/ndjson")


class Batch(Shape):
    """Up to 1,000 writes. `each` writes what is right and reports the rest; `atomic` writes all or nothing."""

    mode: Literal["each", "atomic"] = "each"
    ops: list[Op] = Field(max_length=MOST_INLINE)


async def batch_rows(call: Call, resource: Resource[Any]) -> Answer:
    """Write many rows: those of a JSON body now; those of an NDJSON body, or of a filter, as an operation to watch."""
    kind = call.content_type()
    if kind in NDJSON:
        return await load_body(call, resource)
    if kind != "application/json":
        raise UnsupportedMediaType(got=kind[:80], wanted="application/json, application/x-ndjson")
    call.refuse_others(())  # a JSON body says its mode itself
    body = parse_json(await call.body())
    if isinstance(body, dict) and "filter" in body:
        return await write_selection(call, resource, conform(Selection, body))
    batch = conform(Batch, body)
    if "respond-async" in call.prefer:
        return await load_ops(call, resource, batch.mode, batch.ops)
    return await batch_now(call, resource, batch)


async def batch_now(call: Call, resource: Resource[Any], batch: Batch) -> Answer:
    """Up to 1,000 writes in one transaction, each with its own result."""

    async def act(ctx: Context) -> Answer:
        outcomes = await write_many(ctx, resource, batch.ops, max_affected(call))
        refuse_if_atomic(batch.mode, outcomes)
        results = [{"n": n, **told(each, call.language, call.request_id)} for n, each in enumerate(outcomes)]
        if secrets := [{"n": n, **each.revealed} for n, each in enumerate(outcomes) if each.revealed]:
            ctx.reveal({"revealed": secrets})
        return Answer(200, dumps({"mode": batch.mode, **counts(outcomes), "results": results, **ctx.revealed}))

    try:
        return await perform(call, act)
    except BatchRefused as refusal:
        return refused(call, refusal)


def refused(call: Call, refusal: BatchRefused) -> Answer:
    """The problem of an atomic batch, with the results of its writes."""
    body = problems.body_of(refusal, call.language, call.request_id, call.scope["path"])
    failed = [(n, each) for n, each in enumerate(refusal.outcomes) if each.status == "failed"]
    body["results"] = [{"n": n, **told(each, call.language, call.request_id)} for n, each in failed]
    return Answer(refusal.status, dumps(body), problems.MEDIA_TYPE)


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many writes ended in which way."""
    return {status: sum(each.status == status for each in outcomes) for status in ("unchanged", "failed", *WRITES)}
