"""Taking back: what an import has written is undone by new changes, as `reverting.py` does it.

A row that somebody has changed since stays as it is and is listed. Chunk by chunk, the last one first; what became of each
row is stored in the transaction that undoes it.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from guildhouse.kernel import store
from guildhouse.kernel.actor import HOUSE, Actor
from guildhouse.kernel.bulk_writing import Outcome
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import NotFound
from guildhouse.kernel.importing import own_format
from guildhouse.kernel.importing.applying import note_of
from guildhouse.kernel.importing.import_ import Import, imports, is_own
from guildhouse.kernel.importing.judging import faults_of
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.reverting import BY_THE_RULES, ChangedMeanwhile, NotInTheLog, Written, revert
from guildhouse.kernel.tasks import Work

WRITTEN = ("created", "changed")
WHY_KEPT = {ChangedMeanwhile: "changed_since", NotFound: "gone", NotInTheLog: "not_in_log"}
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

    A row that came more than once is undone at its first place, and its later writes with it. What was put back
    `as_it_was` goes the same way: no rule is asked.
    """
    told: list[Told] = [{} for _ in outcomes]
    mine: dict[int, Written] = {}
    for n, each in enumerate(outcomes):
        if each["o"] in WRITTEN:
            first, last = spans.get(each["id"], (each["version"], each["version"]))
            if each["version"] == first:
                mine[n] = Written(each["id"], each["o"] == "created", first, last)
    way = own_format.WAY_BACK if as_it_was else BY_THE_RULES
    for n, outcome in zip(mine, await revert(ctx, resource, list(mine.values()), way), strict=True):
        told[n] = told_of(outcome)
    return told


def told_of(outcome: Outcome) -> Told:
    """What became of one row that was to be undone."""
    if outcome.status == "kept" and outcome.problem:
        return {"r": WHY_KEPT[type(outcome.problem)], "id": outcome.id}
    if outcome.status == "failed":
        return {"r": "failed", "id": outcome.id, "faults": faults_of(outcome.problem) if outcome.problem else []}
    return {"r": "taken_back", "id": outcome.id, "version": outcome.version}
