"""Taking back: what an import has written is undone by new changes, from the values that the log has of before.

A row that somebody has changed since stays as it is and is listed. Chunk by chunk, the last one first; what became of each
row is stored in the transaction that undoes it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from guildhouse.kernel import bulk, problems, store
from guildhouse.kernel.actor import HOUSE, Actor
from guildhouse.kernel.bulk import Judged, Line, Op, Outcome
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import Problem
from guildhouse.kernel.history import typed
from guildhouse.kernel.importing import own_format
from guildhouse.kernel.importing.applying import note_of
from guildhouse.kernel.importing.import_ import Import, imports, is_own
from guildhouse.kernel.importing.judging import faults_of
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import BASE_COLUMNS
from guildhouse.kernel.tasks import Work

WRITTEN = ("created", "changed")
Told = dict[str, Any]
# From the first to the last version that the import has made of a row that it wrote more than once.
Spans = Mapping[str, tuple[int, int]]


async def spans_of(ctx: Context, import_id: str) -> Spans:
    """The rows that the import wrote more than once."""
    records = await ctx.connection.fetch(
        """SELECT e ->> 'id' AS id, min((e ->> 'version')::int) AS first, max((e ->> 'version')::int) AS last
           FROM import_chunks, jsonb_array_elements(outcomes) e
           WHERE import_id = $1 AND e ->> 'o' IN ('created', 'changed') GROUP BY 1 HAVING count(*) > 1""",
        import_id,
    )
    return {record["id"]: (record["first"], record["last"]) for record in records}


async def run_taking_back(work: Work, row: Import, actor: Actor, number: int) -> bool:
    """Undo one chunk; False when somebody has cancelled."""
    resource = work.server.house.resources[row.resource]
    async with work.writing(note_of(work, row, actor)) as ctx:
        now = await ctx.find(imports, row.id, lock=True)
        if now is None or now.status != "taking_back":
            return False
        outcomes = await ctx.connection.fetchval(
            "SELECT outcomes FROM import_chunks WHERE import_id = $1 AND number = $2 AND returns IS NULL",
            row.id,
            number,
        )
        if outcomes is not None:
            ctx.actor = actor
            if is_own(row):
                own_format.check_loader(actor)
            told = await returned(ctx, resource, outcomes, await spans_of(ctx, row.id), as_it_was=is_own(row))
            await ctx.connection.execute(
                "UPDATE import_chunks SET returns = $3 WHERE import_id = $1 AND number = $2", row.id, number, told
            )
            ctx.actor = HOUSE
            counts = Counter(now.taken_back) + Counter(each["r"] for each in told if each)
            await store.change(ctx, imports, now, {"taken_back": dict(counts)}, verb="progressed")
    return True


async def returned(
    ctx: Context, resource: Resource[Any], outcomes: Sequence[Told], spans: Spans, *, as_it_was: bool = False
) -> list[Told]:
    """Undo what these outcomes tell of; what became of each row, at the place of its outcome.

    What was put back `as_it_was` goes the same way: no rule is asked.
    """
    told: list[Told] = [{} for _ in outcomes]
    mine = [n for n, each in enumerate(outcomes) if each["o"] in WRITTEN and is_first(each, spans)]
    ids = [outcomes[n]["id"] for n in mine]
    rows = {r["id"]: resource.table.of(r) for r in await ctx.connection.fetch(bulk.ids_sql(resource), ids)}
    before = await before_of(ctx, resource, [outcomes[n] for n in mine], spans)
    judged: list[Judged] = []
    for n in mine:
        found = await judge_return(ctx, resource, n, outcomes[n], rows.get(outcomes[n]["id"]), before, spans, as_it_was)
        if isinstance(found, Judged):
            judged.append(found)
        else:
            told[n] = found
    done = [Outcome("failed") for _ in outcomes]
    verb = own_format.TAKEN_BACK if as_it_was else None
    refused = await bulk.write_stretch(ctx, resource, bulk.update_many_sql(resource), judged, done, verb)
    for each, error in refused:
        done[each.line.place].problem = problems.from_driver(error)
    for each in judged:
        told[each.line.place] = told_of(done[each.line.place])
    return told


def is_first(outcome: Told, spans: Spans) -> bool:
    """Whether this is the first write of its row by the import: that one is undone, and the later ones with it."""
    return outcome["id"] not in spans or spans[outcome["id"]][0] == outcome["version"]


def told_of(outcome: Outcome) -> Told:
    """What became of one row that was to be undone."""
    if outcome.status == "failed":
        problem = outcome.problem
        return {"r": "failed", "faults": faults_of(problem) if problem else []}
    return {"r": "taken_back", "id": outcome.id, "version": outcome.version}


async def judge_return(
    ctx: Context, resource: Resource[Any], n: int, outcome: Told, row: Any,
    before: Mapping[str, dict[str, Any]], spans: Spans, as_it_was: bool,
) -> Judged | Told:  # fmt: skip
    """The change that undoes a row's write, as far as the declaration and what happened since allow it."""
    row_id = outcome["id"]
    if row is None:
        return {"r": "gone", "id": row_id}
    if row.version != spans.get(row_id, (0, outcome["version"]))[1]:
        return {"r": "changed_since", "id": row_id, "version": row.version}
    is_new = outcome["o"] == "created"
    values = {"deleted_at": ctx.now} if is_new else before.get(row_id)
    if values is None or not values.keys().isdisjoint(resource.log.hidden):
        return {"r": "not_in_log", "id": row_id}
    may = resource.may.remove if is_new else resource.may.change
    try:
        if as_it_was:
            after = own_format.changed_to(resource, row, values)
        else:
            after = await store.judge_change(ctx, resource, row, values, may, None)
    except Problem as problem:
        return {"r": "failed", "id": row_id, "faults": faults_of(problem)}
    line = Line(n, Op(op="change", id=row_id), None)
    return Judged(line, "changed", row, after) if after is not None else {"r": "taken_back", "id": row_id}


async def before_of(
    ctx: Context, resource: Resource[Any], outcomes: Sequence[Told], spans: Spans
) -> dict[str, dict[str, Any]]:
    """The values of each changed row from before the import, out of the log."""
    changed = [each["id"] for each in outcomes if each["o"] == "changed"]
    first = [each["version"] for each in outcomes if each["o"] == "changed"]
    last = [spans.get(each["id"], (0, each["version"]))[1] for each in outcomes if each["o"] == "changed"]
    records = await ctx.connection.fetch(
        """SELECT c.row_id, c.before, c.after FROM unnest($2::uuid[], $3::int[], $4::int[]) AS w (id, first, last)
           JOIN changes c ON c.resource = $1 AND c.row_id = w.id AND c.version BETWEEN w.first AND w.last
             AND c.verb <> 'forgotten'
           ORDER BY c.seq DESC""",
        resource.name, changed, first, last,
    )  # fmt: skip
    found: dict[str, dict[str, Any]] = {}
    for record in records:  # the newest first, so that the oldest value of a field is the one that stays
        values = typed(resource, {**dict.fromkeys(record["after"] or {}), **(record["before"] or {})})
        found.setdefault(record["row_id"], {}).update({k: v for k, v in values.items() if k not in BASE_COLUMNS})
    return found
