"""Batch: many writes in one request. Up to 1,000 are answered at once; an NDJSON body becomes an operation.

An operation's lines are stored in the transaction that answers 202. A task then writes them chunk by chunk, each
chunk's rows and its report in one transaction: killed at any moment, it goes on with the first chunk that has no report.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from hashlib import sha256
from typing import Any, Literal, TypeAlias

from pydantic import Field

from guildhouse.kernel import problems, store
from guildhouse.kernel.actor import HOUSE, Actor
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.bulk import WRITES, Op, Outcome, write_many
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Connection, Note
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import BadRequest, Invalid, NotFound, Problem, TooLarge, UnsupportedMediaType
from guildhouse.kernel.formats import MEDIA_TYPES, dumps
from guildhouse.kernel.operation import Operation, operations
from guildhouse.kernel.request import Call, conform, parse_json
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.select import fetch_one
from guildhouse.kernel.server import Server
from guildhouse.kernel.shapes import Shape
from guildhouse.kernel.tasks import Task, Work
from guildhouse.kernel.writing import perform

MOST_INLINE = 1000
CHUNK_LINES = 1000
Line: TypeAlias = tuple[int, Op | Problem]  # a line of the file, counted from 1, and what it asks for
Reported: TypeAlias = tuple[int, Outcome]  # the same, and what became of it
NDJSON = ("application/x-ndjson", "application/jsonl", "application/ndjson")


class WrongBatchMode(BadRequest):
    """`mode` takes `each` (every line for itself) or `atomic` (all lines, or none)."""


class WrongMaxAffected(BadRequest):
    """`Prefer: max-affected=` takes a whole number."""


class BatchRefused(Invalid):
    """{failed} of {total} writes were refused, and as the mode is atomic, nothing was written. `results` names them."""

    def __init__(self, outcomes: Sequence[Outcome]) -> None:
        self.outcomes = outcomes
        super().__init__(failed=sum(each.status == "failed" for each in outcomes), total=len(outcomes))


class ShownOnce(Invalid):
    """New {resource} show a secret once, which no stored report may hold. Send them as a JSON batch, or one by one."""


class Batch(Shape):
    """Up to 1,000 writes. `each` writes what is right and reports the rest; `atomic` writes all or nothing."""

    mode: Literal["each", "atomic"] = "each"
    ops: list[Op] = Field(max_length=MOST_INLINE)


async def batch_rows(call: Call, resource: Resource[Any]) -> Answer:
    """Write many rows: now, or for an NDJSON body, as an operation to watch."""
    kind = call.content_type()
    if kind in NDJSON:
        return await batch_later(call, resource)
    if kind != "application/json":
        raise UnsupportedMediaType(got=kind[:80], wanted="application/json, application/x-ndjson")
    return await batch_now(call, resource)


async def batch_now(call: Call, resource: Resource[Any]) -> Answer:
    """Up to 1,000 writes in one transaction, each with its own result."""
    batch = conform(Batch, parse_json(await call.body()))

    async def act(ctx: Context) -> Answer:
        outcomes = await write_many(ctx, resource, batch.ops, max_affected(call))
        refuse_if_atomic(batch.mode, outcomes)
        results = [{"n": n, **report(each, call.language, call.request_id)} for n, each in enumerate(outcomes)]
        if secrets := [{"n": n, **each.revealed} for n, each in enumerate(outcomes) if each.revealed]:
            ctx.reveal({"revealed": secrets})
        return Answer(200, dumps({"mode": batch.mode, **counts(outcomes), "results": results, **ctx.revealed}))

    try:
        return await perform(call, act)
    except BatchRefused as refusal:
        return refused(call, refusal)


def refuse_if_atomic(mode: str, outcomes: Sequence[Outcome]) -> None:
    """In an atomic batch one failure undoes all."""
    if mode == "atomic" and any(each.status == "failed" for each in outcomes):
        raise BatchRefused(outcomes)


def refused(call: Call, refusal: BatchRefused) -> Answer:
    """The problem of an atomic batch, with the results of its writes."""
    body = problems.body_of(refusal, call.language, call.request_id, call.scope["path"])
    failed = [(n, each) for n, each in enumerate(refusal.outcomes) if each.status == "failed"]
    body["results"] = [{"n": n, **report(each, call.language, call.request_id)} for n, each in failed]
    return Answer(refusal.status, dumps(body), problems.MEDIA_TYPE)


def max_affected(call: Call) -> int | None:
    """`Prefer: max-affected=N`."""
    text = call.prefer.get("max-affected")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise WrongMaxAffected
    return int(text)


def counts(outcomes: Sequence[Outcome]) -> dict[str, int]:
    """How many writes ended in which way."""
    return {status: sum(each.status == status for each in outcomes) for status in ("unchanged", "failed", *WRITES)}


def report(outcome: Outcome, language: str, request_id: str) -> dict[str, Any]:
    """What became of one write."""
    found: dict[str, Any] = {"status": outcome.status}
    if outcome.id:
        found["id"] = outcome.id
    if outcome.version:
        found["version"] = outcome.version
    if outcome.key:
        found["key"] = outcome.key
    if outcome.problem:
        found["problem"] = problems.body_of(outcome.problem, language, request_id)
    return found


async def batch_later(call: Call, resource: Resource[Any]) -> Answer:
    """Store an NDJSON body and answer 202 with the operation that will write it."""
    mode = call.param("mode") or "each"
    if mode not in ("each", "atomic"):
        raise WrongBatchMode
    most, body = max_affected(call), sha256()
    chunks = [chunk async for chunk in chunked(call, body)]
    total = sum(len(written_lines(chunk)) for _, chunk in chunks)

    async def act(ctx: Context) -> Answer:
        row = await store.create(ctx, operations, {
            "person_id": call.actor.id, "kind": "batch", "resource": resource.name, "mode": mode, "most": most,
            "total": total,
            "narrowed": call.actor.key_permissions,
        }, verb="created")  # fmt: skip
        await ctx.connection.executemany(
            "INSERT INTO operation_chunks (operation_id, number, lines) VALUES ($1, $2, $3)",
            [(row.id, number, chunk) for number, chunk in chunks],
        )
        headers = {"Location": f"/v1/operations/{row.id}"}
        return Answer(202, dumps({name: row.values()[name] for name in operations.readable}), headers=headers)

    return await perform(call, act, body_digest=body.digest())


async def chunked(call: Call, body: Any) -> AsyncIterator[tuple[int, bytes]]:
    """The body in chunks of 1,000 lines, numbered; chunks of blank lines are left out. `body` is hashed on the way."""
    lines: list[bytes] = []
    rest, number, longest = b"", 0, call.server.config.max_body
    async for piece in call.chunks(call.server.config.max_upload):
        body.update(piece)
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > longest:
            raise TooLarge(limit=longest)
        lines += whole
        while len(lines) >= CHUNK_LINES:
            if any(map(bytes.strip, lines[:CHUNK_LINES])):
                yield number, b"\n".join(lines[:CHUNK_LINES])
            del lines[:CHUNK_LINES]
            number += 1
    if any(map(bytes.strip, [*lines, rest])):
        yield number, b"\n".join([*lines, rest])


def written_lines(chunk: bytes) -> list[tuple[int, bytes]]:
    """The lines of a chunk that are not blank, each with its place among all of them, from 0."""
    return [(place, line) for place, line in enumerate(chunk.split(b"\n")) if line.strip()]


async def run_batch(work: Work) -> None:
    """Write the chunks of an operation that have no report yet."""
    operation = await started(work)
    if operation is None:
        return
    run = run_atomic if operation.mode == "atomic" else run_each
    try:
        actor = await work.server.actor_of(operation.person_id, operation.narrowed)
        await run(work, operation, actor)
    except Problem as problem:
        if problem.retryable:
            raise
        await finish(work, operation, "failed", problem)


async def run_each(work: Work, operation: Operation, actor: Actor) -> None:
    """Chunk after chunk, until all are written or somebody cancels. The next is read while this one is being written."""
    numbers = await open_chunks(work.server, operation.id)
    ahead = [asyncio.create_task(read_chunk(work.server, operation.id, number)) for number in numbers[:1]]
    try:
        for n, number in enumerate(numbers, 1):
            lines = await ahead.pop()
            ahead = [asyncio.create_task(read_chunk(work.server, operation.id, each)) for each in numbers[n : n + 1]]
            if not await run_chunk(work, operation, actor, number, lines):
                return
    finally:
        for each in ahead:
            each.cancel()
    await finish(work, operation, "done")


async def read_chunk(server: Server, operation_id: str, number: int) -> list[Line]:
    """The lines of a chunk as writes; blank ones are left out, but counted."""
    async with server.database.reading() as connection:
        chunk: bytes = await connection.fetchval(
            "SELECT lines FROM operation_chunks WHERE operation_id = $1 AND number = $2", operation_id, number
        )
    first = number * CHUNK_LINES + 1
    return [(first + place, read_line(line)) for place, line in written_lines(chunk)]


async def started(work: Work) -> Operation | None:
    """The operation, now running; None when it was cancelled or is done."""
    async with work.writing() as ctx:
        row = await ctx.find(operations, work.row_id, lock=True)
        if row is None or row.status not in ("queued", "running"):
            return None
        values = {"status": "running", "started_at": row.started_at or ctx.now}
        return await store.change(ctx, operations, row, values, verb="started")


async def open_chunks(server: Server, operation_id: str) -> list[int]:
    """The numbers of the chunks without a report."""
    async with server.database.reading() as connection:
        records = await connection.fetch(
            "SELECT number FROM operation_chunks WHERE operation_id = $1 AND report IS NULL ORDER BY number",
            operation_id,
        )
    return [record["number"] for record in records]


async def run_chunk(
    work: Work, operation: Operation, actor: Actor, number: int, lines: list[Line] | None = None
) -> bool:
    """One chunk in one transaction, with its report and the operation's new counts; False when it was cancelled."""
    lines = lines if lines is not None else await read_chunk(work.server, operation.id, number)
    async with work.writing(Note(actor=actor.id)) as ctx:
        ctx.actor = actor
        row = await ctx.find(operations, operation.id, lock=True)
        if row is None or row.status != "running":
            return False
        outcomes = await written_chunk(work, ctx, row, number, lines)
        await count_up(ctx, row, [each for _, each in outcomes])
    return True


async def written_chunk(
    work: Work, ctx: Context, operation: Operation, number: int, lines: list[Line]
) -> list[Reported]:
    """Write the lines of one chunk and store what became of them."""
    resource = ctx.house.resources[operation.resource]
    left = None if operation.most is None else operation.most - sum(getattr(operation, name) for name in WRITES)
    outcomes = await write_many(ctx, resource, [op for _, op in lines], left)
    if any(each.revealed for each in outcomes):
        raise ShownOnce(resource=resource.path)
    reported = [(line, outcome) for (line, _), outcome in zip(lines, outcomes, strict=True)]
    await keep_report(ctx.connection, operation.id, number, reported, work.id)
    return reported


async def keep_report(
    connection: Connection, operation_id: str, number: int, reported: Sequence[Reported], trace: str
) -> None:
    """Store the results of a chunk's lines, which are counted from 1 over the whole file, as an editor does."""
    found = [{"line": line, **report(each, "en", trace)} for line, each in reported]
    await connection.execute(
        "UPDATE operation_chunks SET report = $3 WHERE operation_id = $1 AND number = $2", operation_id, number, found
    )


def read_line(line: bytes) -> Op | Problem:
    """One line as a write; bare data, without `op`, is an upsert of it. A line that is wrong is its problem."""
    try:
        value = parse_json(line)
        return conform(Op, value if isinstance(value, dict) and "op" in value else {"op": "upsert", "data": value})
    except Problem as problem:
        return problem


async def count_up(ctx: Context, row: Operation, outcomes: Sequence[Outcome]) -> None:
    """Add the outcomes to the operation's counts, in the name of the house."""
    values = {name: getattr(row, name) + n for name, n in counts(outcomes).items()}
    ctx.actor = HOUSE
    await store.change(ctx, operations, row, values, verb="progressed")


async def run_atomic(work: Work, operation: Operation, actor: Actor) -> None:
    """All chunks in one transaction; when one line fails, nothing is written and the report says why."""
    reported: dict[int, list[Reported]] = {}
    try:
        async with work.writing(Note(actor=actor.id)) as ctx:
            ctx.actor = actor
            for number in await open_chunks(work.server, operation.id):
                lines = await read_chunk(work.server, operation.id, number)
                reported[number] = await written_chunk(work, ctx, operation, number, lines)
            outcomes = [outcome for chunk in reported.values() for _, outcome in chunk]
            refuse_if_atomic("atomic", outcomes)
            row = await ctx.find(operations, operation.id, lock=True)
            if row is None or row.status != "running":
                raise BatchRefused([])
            await count_up(ctx, row, outcomes)
    except BatchRefused as refusal:
        await keep_refusal(work, operation, reported)
        await finish(work, operation, "failed", refusal)
        return
    await finish(work, operation, "done")


async def keep_refusal(work: Work, operation: Operation, reported: dict[int, list[Reported]]) -> None:
    """Store which lines an atomic operation failed at; the others were not written either."""
    async with work.server.database.writing(Note(request_id=work.id)) as connection:
        for number, chunk in reported.items():
            said = [(line, each if each.status == "failed" else Outcome("not-written")) for line, each in chunk]
            await keep_report(connection, operation.id, number, said, work.id)


async def finish(work: Work, operation: Operation, status: str, problem: Problem | None = None) -> None:
    """Close the operation, unless it was cancelled meanwhile."""
    async with work.writing() as ctx:
        row = await ctx.find(operations, operation.id, lock=True)
        if row is None or row.status != "running":
            return
        body = problems.body_of(problem, "en", work.id) if problem else None
        failed = {"failed": problem.values["failed"]} if isinstance(problem, BatchRefused) else {}
        values = {"status": status, "finished_at": ctx.now, "problem": body, **failed}
        await store.change(ctx, operations, row, values, verb="finished")


async def give_up(work: Work, error: Exception) -> None:
    """The task failed for good: the operation says so."""
    async with work.writing() as ctx:
        row = await ctx.find(operations, work.row_id, lock=True)
    if row and row.status in ("queued", "running"):
        problem = error if isinstance(error, Problem) else problems.from_driver(error)
        await finish(work, row, "failed", problem)


tasks = (Task("run-batch", run_batch, on=("operation.created",), give_up=give_up),)


async def read_report(call: Call) -> Answer:
    """What became of each line of an operation, as NDJSON in the order of the lines; `?status=failed` picks some."""
    wanted = call.param("status")
    async with call.server.database.reading() as connection:
        if await fetch_one(connection, operations, call.actor, call.row_id, "id") is None:
            raise NotFound
        records = await connection.fetch(
            "SELECT report FROM operation_chunks WHERE operation_id = $1 AND report IS NOT NULL ORDER BY number",
            call.row_id,
        )
    lines = [line for record in records for line in record["report"] if wanted in (None, line["status"])]
    return Answer(200, b"".join(dumps(line) + b"\n" for line in lines), MEDIA_TYPES["ndjson"])


doors = (
    Door("GET", "/v1/operations/{id}/report", "operations.read", "What became of each line of an operation", read_report,
         operations, kind="read", cost=10),
)  # fmt: skip
