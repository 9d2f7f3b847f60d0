"""Reverting: what a piece of work has written to many rows is undone by new changes, from the values of before in the log.

A row that somebody has changed since stays as it is, and its outcome says so; a change that was undone is none. A row that
is as it was before is no work.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from guildhouse.kernel import bulk, store
from guildhouse.kernel.bulk_writing import Judged, Line, Op, Outcome, Verdict, WritingBehind
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import Conflict, NotFound, Problem
from guildhouse.kernel.history import typed
from guildhouse.kernel.may import Predicate
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import BASE_COLUMNS


class ChangedMeanwhile(Conflict):
    """Somebody has changed this row since: it is at version {version} now, and stays as it is. Its history tells more."""


class NotInTheLog(Conflict):
    """The log does not hold the values that this row had before, because they are secret or were erased."""


@dataclass(frozen=True, slots=True)
class Written:
    """What a piece of work has done to a row: from its first to its last version of it; `is_new` if it made the row.

    It is not `whole` if somebody else wrote the row in between.
    """

    id: str
    is_new: bool
    first: int
    last: int
    whole: bool = True


@dataclass(frozen=True, slots=True)
class WayBack:
    """How a row gets its values of before: judged by `judge`, and told in the log as `verb`, or as a plain change.

    What is out of the actor's sight is gone for them, unless the way leads through.
    """

    judge: Callable[[Context, Resource[Any], Any, Mapping[str, Any], Predicate], Awaitable[Any]]
    verb: str | None = None
    out_of_sight: bool = False


async def by_the_rules(
    ctx: Context, resource: Resource[Any], row: Any, values: Mapping[str, Any], may: Predicate
) -> Any:
    """As if the change were made by hand."""
    return await store.judge_change(ctx, resource, row, values, may, None)


BY_THE_RULES = WayBack(by_the_rules)


async def revert(
    ctx: Context, resource: Resource[Any], writes: Sequence[Written], way: WayBack = BY_THE_RULES
) -> list[Outcome]:
    """Undo these writes as far as the declaration allows it to the actor; each outcome is at the place of its write."""
    rows = await ctx.connection.fetch(bulk.ids_sql(resource), [each.id for each in writes])
    now = {record["id"]: resource.table.of(record) for record in rows}
    before = await values_before(ctx, resource, [each for each in writes if not each.is_new])
    left = await left_by(ctx, resource, writes, now)
    outcomes = [Outcome("unchanged", each.id) for each in writes]
    async with WritingBehind(ctx, resource, outcomes, way.verb) as writing:
        for n, each in enumerate(writes):
            known = before.get(each.id, {}), left.get(each.id, {})
            try:
                judged = await judge_return(ctx, resource, n, each, now.get(each.id), *known, way)
            except (ChangedMeanwhile, NotInTheLog, NotFound) as reason:
                outcomes[n] = Outcome("kept", each.id, problem=reason)
            except Problem as problem:
                outcomes[n] = Outcome("failed", each.id, problem=problem)
            else:
                if judged:
                    await writing.add(judged)
    return outcomes


async def left_by(
    ctx: Context, resource: Resource[Any], writes: Sequence[Written], now: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """The values in which these writes had left the rows that were written again since."""
    moved = [
        Written(each.id, False, each.last + 1, now[each.id].version)
        for each in writes
        if each.id in now and now[each.id].version > each.last
    ]
    return await values_before(ctx, resource, moved) if moved else {}


async def judge_return(
    ctx: Context, resource: Resource[Any], n: int, write: Written, row: Any,
    before: dict[str, Any], left: dict[str, Any], way: WayBack,
) -> Judged | None:  # fmt: skip
    """The change that takes a row back to before; None where it is so already. Raises why it stays as it is."""
    if row is None or not (way.out_of_sight or ctx.actor.sees(row.scopes)):
        raise NotFound
    values = back_to(ctx, row, write, before)
    if has(row, values):
        return None
    if not write.whole or (row.version != write.last and not has(row, left)):
        raise ChangedMeanwhile(version=row.version)
    if not values or not values.keys().isdisjoint(resource.log.hidden):
        raise NotInTheLog
    status, may = meant(resource, row, values)
    after = await way.judge(ctx, resource, row, values, may)
    return Judged(Line(n, Op(op="change", id=row.id), None), status, row, after) if after else None


def has(row: Any, values: Mapping[str, Any]) -> bool:
    """Whether a row has all of these values, and there are some."""
    return bool(values) and all(row.__dict__[name] == value for name, value in values.items())


def back_to(ctx: Context, row: Any, write: Written, before: dict[str, Any]) -> dict[str, Any]:
    """The values to go back to. A row that was made goes to the trash, one that was in the trash goes there again."""
    wanted = {"deleted_at": ctx.now} if write.is_new else dict(before)
    if wanted.get("deleted_at") is not None:
        wanted["deleted_at"] = row.deleted_at or ctx.now
    return wanted


def meant(resource: Resource[Any], row: Any, values: Mapping[str, Any]) -> tuple[Verdict, Any]:
    """What the way back is called, and who may go it: as if it were done by hand."""
    if "deleted_at" not in values or values["deleted_at"] == row.deleted_at:
        return "changed", resource.may.change
    status: Verdict = "restored" if values["deleted_at"] is None else "removed"
    return status, resource.may.remove if len(values) == 1 else resource.may.remove & resource.may.change


BEFORE = """
SELECT c.row_id, c.before, c.after FROM unnest($2::uuid[], $3::int[], $4::int[]) AS w (id, first, last)
JOIN changes c ON c.resource = $1 AND c.row_id = w.id AND c.version BETWEEN w.first AND w.last AND c.verb <> 'forgotten'
ORDER BY c.seq DESC
"""


async def values_before(ctx: Context, resource: Resource[Any], writes: Sequence[Written]) -> dict[str, dict[str, Any]]:
    """What each changed row had in the fields that were written, out of the log."""
    spans = [each.id for each in writes], [each.first for each in writes], [each.last for each in writes]
    kernels = set(BASE_COLUMNS) - {"deleted_at"}
    found: dict[str, dict[str, Any]] = {}
    for record in await ctx.connection.fetch(BEFORE, resource.name, *spans):
        # The newest first, so that the oldest value of a field is the one that stays.
        values = typed(resource, {**dict.fromkeys(record["after"] or {}), **(record["before"] or {})})
        found.setdefault(record["row_id"], {}).update({k: v for k, v in values.items() if k not in kernels})
    return found
