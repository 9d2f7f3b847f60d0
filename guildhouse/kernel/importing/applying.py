"""Applying: the rows of an import are written as they were judged, by the same writer as everything else.

Each: a chunk, its outcomes and the import's new counts are one transaction; killed at any moment, it goes on with the
first chunk that has no outcomes. Atomic: all chunks are one transaction.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from guildhouse.kernel import bulk, store
from guildhouse.kernel.actor import HOUSE, Actor
from guildhouse.kernel.bulk import ShownOnce
from guildhouse.kernel.bulk_writing import Op, Outcome
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.errors import Invalid, Problem
from guildhouse.kernel.importing import own_format
from guildhouse.kernel.importing.import_ import Import, WrongRowsInAtomic, imports, is_own
from guildhouse.kernel.importing.importable import ID
from guildhouse.kernel.importing.judging import (
    Chunk,
    Lector,
    Verdict,
    check_may,
    data_of,
    faults_of,
    op_of,
    ops_of,
)
from guildhouse.kernel.importing.likeness import alike
from guildhouse.kernel.importing.unpacking import CHUNK_ROWS
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.tasks import Work

Told = dict[str, Any]


class CancelledMeanwhile(Exception):
    """Somebody has cancelled the import while its one transaction was open."""


def note_of(work: Work, row: Import, actor: Actor) -> Note:
    """What the log says of an import's writes."""
    return Note(actor=actor.id, request_id=work.id, reason=f"import {row.id}")


async def run_applying(work: Work, row: Import, actor: Actor, chunk: tuple[int, int, int]) -> bool:
    """Write one chunk in a transaction of its own; False when somebody has cancelled."""
    async with work.writing(note_of(work, row, actor)) as ctx:
        now = await ctx.find(imports, row.id, lock=True)
        if now is None or now.status != "applying":
            return False
        told = await apply_chunk(work, ctx, row, actor, chunk)
        await count_up(ctx, now, Counter(each["o"] for each in told))
    return True


async def run_atomic(work: Work, row: Import, actor: Actor, chunks: Sequence[tuple[int, int, int]]) -> None:
    """Write all chunks in one transaction, or none. Raises `WrongRowsInAtomic`."""
    try:
        async with work.writing(note_of(work, row, actor)) as ctx:
            for chunk in chunks:
                told = await apply_chunk(work, ctx, row, actor, chunk)
                if failed := sum(each["o"] in ("failed", "duplicate") for each in told):
                    raise WrongRowsInAtomic(count=failed)
                ctx.written.clear()
                ctx.memo.clear()
                await check_goes_on(work, row)
            now = await ctx.find(imports, row.id, lock=True)
            if now is None or now.status != "applying":
                raise CancelledMeanwhile
            await count_up(ctx, now, await all_told(ctx, row.id))
    except CancelledMeanwhile:
        return


async def check_goes_on(work: Work, row: Import) -> None:
    """Raise when the import was cancelled: the long transaction does not hold its row."""
    async with work.server.database.reading() as connection:
        if await connection.fetchval("SELECT status FROM imports WHERE id = $1", row.id) != "applying":
            raise CancelledMeanwhile


async def all_told(ctx: Context, import_id: str) -> Counter[str]:
    """How often each outcome came."""
    records = await ctx.connection.fetch(
        "SELECT e ->> 'o' AS o, count(*) AS n FROM import_chunks, jsonb_array_elements(outcomes) e "
        "WHERE import_id = $1 GROUP BY 1", import_id,
    )  # fmt: skip
    return Counter({record["o"]: record["n"] for record in records})


async def apply_chunk(work: Work, ctx: Context, row: Import, actor: Actor, chunk: tuple[int, int, int]) -> list[Told]:
    """Write the rows of a chunk that is not written yet, and store what became of each."""
    number, start, length = chunk
    record = await ctx.connection.fetchrow(
        "SELECT verdicts, outcomes FROM import_chunks WHERE import_id = $1 AND number = $2", row.id, number
    )
    if record is None or record["outcomes"] is not None:
        return []
    resource = work.server.house.resources[row.resource]
    check_may(row, resource, actor)
    lines = await Lector(row, resource, work.server.files, actor).chunk(number, start, length)
    await plan_anew(ctx)
    ctx.actor = actor
    write = loaded if is_own(row) else written
    told = await write(ctx, resource, row, lines, record["verdicts"])
    await ctx.connection.execute(
        "UPDATE import_chunks SET outcomes = $3 WHERE import_id = $1 AND number = $2", row.id, number, told
    )
    return told


async def plan_anew(ctx: Context) -> None:
    """Plan each statement of this transaction for the table as it is: an import may begin with an empty one, and a plan
    that was kept from then reads the whole table for every chunk."""
    await ctx.connection.execute("SET LOCAL plan_cache_mode = force_custom_plan")


async def count_up(ctx: Context, now: Import, more: Counter[str]) -> None:
    """Add the outcomes to the import's counts, in the name of the house."""
    ctx.actor = HOUSE
    await store.change(ctx, imports, now, {"written": dict(Counter(now.written) + more)}, verb="progressed")


async def written(
    ctx: Context, resource: Resource[Any], row: Import, chunk: Chunk, verdicts: Sequence[Verdict]
) -> list[Told]:
    """Write the rows of a chunk, those that come twice in the file last; what became of each, in their order."""
    ops = await ops_of(ctx, resource, chunk.lines)
    met = await met_since(ctx, resource, chunk, verdicts)
    wanted = [wish(row, line.n, verdict, met) for line, verdict in zip(chunk.lines, verdicts, strict=True)]
    told: list[Told] = [{"o": each} for each in wanted]
    first = [n for n, each in enumerate(wanted) if each in ("write", "keep")]
    await write_into(ctx, resource, told, {n: kept(ops[n]) if wanted[n] == "keep" else ops[n] for n in first})
    later: dict[int, Op | Problem] = {}
    for n, each in enumerate(wanted):
        if each == "change":
            match = (
                verdicts[n].get("id") or met.get(chunk.lines[n].n) or await id_of(ctx, row, verdicts[n], told, chunk)
            )
            later[n] = onto(resource, chunk.lines[n], match) if match else ops[n]
    await write_into(ctx, resource, told, later)
    return told


async def loaded(
    ctx: Context, resource: Resource[Any], row: Import, chunk: Chunk, _verdicts: Sequence[Verdict]
) -> list[Told]:
    """Put the rows of a chunk back as they were; what became of each, in their order."""
    wanted = [line for line in chunk.lines if row.decisions.get(str(line.n)) != "skip"]
    found = await own_format.load(ctx, resource, [data_of(line) for line in wanted])
    told = {line.n: told_of(outcome) for line, (outcome, _) in zip(wanted, found, strict=True)}
    return [told.get(line.n, {"o": "skipped"}) for line in chunk.lines]


def onto(resource: Resource[Any], line: Any, row_id: str) -> Op | Problem:
    """The write of a row as a change of this one."""
    line.data[ID] = row_id
    return op_of(resource, line, {row_id})


def kept(op: Op | Problem) -> Op | Problem:
    """The write of a duplicate that is to be a row of its own."""
    return op.model_copy(update={"op": "create", "id": None}) if isinstance(op, Op) else op


def wish(row: Import, n: int, verdict: Verdict, met: Mapping[int, str]) -> str:
    """What is to happen to a row: write, change, keep, skipped, or duplicate where nobody has decided."""
    decision = row.decisions.get(str(n))
    if decision == "skip":
        return "skipped"
    if verdict["v"] == "duplicate" or n in met:
        policy = decision or row.duplicates
        return {"ask": "duplicate", "skip": "skipped"}.get(policy, policy)
    if (verdict["v"] == "change" or "here" in verdict) and row.known == "skip" and decision != "change":
        return "skipped"
    return "write"


async def met_since(ctx: Context, resource: Resource[Any], chunk: Chunk, verdicts: Sequence[Verdict]) -> dict[int, str]:
    """Rows that were new when they were judged, and have their like here by now."""
    new = {line.n: line.data for line, verdict in zip(chunk.lines, verdicts, strict=True) if verdict["v"] == "create"}
    return {n: match for n, (match, _) in (await alike(ctx, resource, new)).items()}


async def id_of(ctx: Context, row: Import, verdict: Verdict, told: Sequence[Told], chunk: Chunk) -> str | None:
    """The id that an earlier row of the file has got."""
    number, place = divmod(verdict["row"], CHUNK_ROWS)
    if number == chunk.number:
        earlier: str | None = told[place].get("id")
        return earlier
    found: str | None = await ctx.connection.fetchval(
        "SELECT outcomes -> $3::int ->> 'id' FROM import_chunks WHERE import_id = $1 AND number = $2",
        row.id, number, place,
    )  # fmt: skip
    return found


async def write_into(ctx: Context, resource: Resource[Any], told: list[Told], ops: Mapping[int, Op | Problem]) -> None:
    """Write these rows, and tell at their places what became of them."""
    if not ops:
        return
    for n, outcome in zip(ops, await bulk.write_many(ctx, resource, list(ops.values())), strict=True):
        if outcome.revealed:
            raise ShownOnce(resource=resource.path)
        told[n] = told_of(outcome)


def told_of(outcome: Outcome) -> Told:
    """An outcome as it is stored."""
    if outcome.status == "failed":
        return {"o": "failed", "faults": faults_of(outcome.problem or Invalid())}
    return {"o": outcome.status, "id": outcome.id, "version": outcome.version}
