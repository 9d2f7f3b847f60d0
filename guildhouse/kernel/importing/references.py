"""References: a file names another row by that row's own key, as `job.source` and `job.external_id`, and an id is found.

What a file leaves out of a key is not compared: among the rows that the actor sees, what it says has to lead to one. Where
an id is wanted and what stands there is none, it is the last part of the key: in people's files, a "Job ID" is theirs.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from guildhouse.kernel.context import Context
from guildhouse.kernel.db import DIALECT
from guildhouse.kernel.errors import Fault
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.ids import as_id
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.select import numbered, visible

MOST = 3  # rows that a name may lead to before it is clear that it says too little


class Refers(Protocol):
    """A row of a file: what was read out of it, and what is wrong with it."""

    data: dict[str, Any]
    faults: list[Fault]


def parts_of(resource: Resource[Any]) -> Mapping[str, tuple[str, Resource[Any], str]]:
    """The fields that name another row: `job.source` -> (`job`, jobs, `source`)."""
    return {
        f"{name}.{part}": (name, target, part)
        for name, target in resource.carry.references.items()
        for part in target.carry.key
    }


async def resolve(ctx: Context, resource: Resource[Any], lines: Sequence[Refers]) -> None:
    """Put the id in the place of each name, or say at the field of the id what is wrong with the name."""
    for name, target in resource.carry.references.items():
        fields = [f"{name}.{part}" for part in target.carry.key]
        for line in lines:
            number = line.data.get(f"{name}_id")
            if number is not None and as_id(str(number)) is None:
                line.data.setdefault(fields[-1], str(line.data.pop(f"{name}_id")))
        naming = [line for line in lines if not line.data.keys().isdisjoint(fields)]
        said = [tuple(line.data.pop(field, None) for field in fields) for line in naming]
        found = await rows_named(ctx, target, set(said))
        for line, key in zip(naming, said, strict=True):
            take(line, name, target, found[key])


def take(line: Refers, name: str, target: Resource[Any], ids: Sequence[str]) -> None:
    """Set the id that a name leads to, where the row does not say one itself."""
    field = f"{name}_id"
    if line.data.get(field):
        return
    if len(ids) == 1:
        line.data[field] = ids[0]
        return
    several = (f"/{field}", "names-several", f"several {target.path} have this key; say more of it")
    nothing = (f"/{field}", "names-nothing", f"you see no {target.path} with this key; bring them in first")
    line.faults.append(Fault(*(several if ids else nothing), {"noun": target.path}))


async def rows_named(
    ctx: Context, target: Resource[Any], keys: Iterable[tuple[Any, ...]]
) -> Mapping[tuple[Any, ...], list[str]]:
    """The ids of the live rows in sight that keys lead to; None in a key leaves that part open."""
    found: dict[tuple[Any, ...], list[str]] = {key: [] for key in keys}
    by_said: dict[tuple[bool, ...], list[tuple[Any, ...]]] = {}
    for key in found:
        by_said.setdefault(tuple(each is not None for each in key), []).append(key)
    for said, alike in by_said.items():
        names = [name for name, is_said in zip(target.carry.key, said, strict=True) if is_said]
        columns = [[str(key[n]) for key in alike] for n, is_said in enumerate(said) if is_said]
        seen = visible(target, ctx.actor)
        for record in await ctx.connection.fetch(named_sql(target, names, seen), *columns, *seen.values):
            found[alike[record["n"] - 1]].append(record["id"])
    return found


def named_sql(target: Resource[Any], names: Sequence[str], seen: Condition) -> str:
    """Rows in sight by these parts of their key, with the number of the name that led there."""
    arrays = ", ".join("?::text[]" for _ in names)
    parts = ", ".join(f"k{n}" for n in range(len(names)))
    kinds = [target.columns[name].type.compile(DIALECT) for name in names]
    same = " AND ".join(f'"{name}" = w.k{n}::{kind}' for n, (name, kind) in enumerate(zip(names, kinds, strict=True)))
    return numbered(
        f"SELECT w.n, t.id FROM unnest({arrays}) WITH ORDINALITY AS w ({parts}, n) CROSS JOIN LATERAL "
        f'(SELECT id FROM "{target.name}" WHERE {same} AND deleted_at IS NULL AND {seen.sql} LIMIT {MOST}) t'
    )
