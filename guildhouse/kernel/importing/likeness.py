"""Likeness: whether a row of a file says the same as one that is here, or as an earlier one of the file.

A row is told by any group of columns of its declaration's `alike`, all of which agree. The first column of a group is
looked up by its mark: text without case, or exactly as it is, a telephone number by its last nine digits (which are the same
with and without the country's code), the address of a profile without scheme, `www.` and what follows `?`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Uuid

from guildhouse.kernel.context import Context
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.importing.values import words_of
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.select import hidden_fields, numbered, visible

Group = tuple[str, ...]
Data = Mapping[str, Any]
DIGITS = 9
FEWEST_DIGITS = 6  # a shorter number is an extension, which many share
# The mark of a column as PostgreSQL makes it; an index on it must be written exactly so.
MARKS = {
    "text": "lower({0})",
    "exact": "{0}",
    "phone": "right(regexp_replace({0}, '[^0-9]', '', 'g'), 9)",
    "link": "lower(regexp_replace({0}, '^https?://(www[.])?|/*([?#].*)?$', '', 'gi'))",
}


def mark_sql(kind: str, value: str) -> str:
    """The mark of a value, in SQL."""
    return MARKS[kind].format(value)


def mark_of(resource: Resource[Any], name: str, value: Any) -> str:
    """What two values of a column have in common that mean the same; empty where a value is too little to tell."""
    kind, text = resource.carry.kinds.get(name, "text"), str(value)
    if kind == "exact":
        return text
    if kind == "phone":
        digits = re.sub(r"\D", "", text, flags=re.ASCII)
        return digits[-DIGITS:] if len(digits) >= FEWEST_DIGITS else ""
    if kind == "link":
        return re.sub(r"^https?://(www\.)?|/*([?#].*)?$", "", text.strip(), flags=re.IGNORECASE).lower()
    return words_of(text)


async def alike(ctx: Context, resource: Resource[Any], rows: Mapping[int, Data]) -> dict[int, tuple[str, Group]]:
    """For rows that would be new, the id of one in sight that says the same, and the columns that say it."""
    found: dict[int, tuple[str, Group]] = {}
    for group in resource.carry.alike:
        asked = {n: data for n, data in rows.items() if n not in found and tells(resource, group[0], data)}
        if asked:
            found |= {n: (match, group) for n, match in (await alike_by(ctx, resource, group, asked)).items()}
    return found


def tells(resource: Resource[Any], first: str, data: Data) -> bool:
    """Whether a row says enough of a group's first column to be told by it."""
    return bool(data.get(first)) and bool(mark_of(resource, first, data[first]))


async def alike_by(ctx: Context, resource: Resource[Any], group: Group, asked: Mapping[int, Data]) -> Mapping[int, str]:
    """The same, told by one group of columns."""
    said = [[data.get(name) for data in asked.values()] for name in (group[0], *references_of(resource, group))]
    seen = visible(resource, ctx.actor)
    records = await ctx.connection.fetch(alike_sql(resource, group, seen), *seen.values, *said)
    by_first: dict[str, list[Any]] = {}
    for record in records:
        if not hidden_fields(resource, ctx.actor, record) & set(group):
            by_first.setdefault(mark_of(resource, group[0], record[group[0]]), []).append(record)
    return {
        n: record["id"]
        for n, data in asked.items()
        for record in by_first.get(mark_of(resource, group[0], data[group[0]]), ())
        if says_same(resource, group, data, record) and not keyed_apart(resource, data, record)
    }


def says_same(resource: Resource[Any], group: Group, data: Data, record: Any) -> bool:
    """Whether a row says nothing else of these columns than the other; where it is silent, it does not differ."""
    return all(
        data.get(name) is None or mark_of(resource, name, data[name]) == mark_of(resource, name, record[name])
        for name in group
    )


def keyed_apart(resource: Resource[Any], data: Data, record: Data) -> bool:
    """Whether both have a number of their own from the same origin: then they are two, however alike."""
    ours, theirs = number_of(resource, data), number_of(resource, record)
    return ours is not None and theirs is not None and ours[:-1] == theirs[:-1] and ours[-1] != theirs[-1]


def number_of(resource: Resource[Any], data: Data) -> tuple[str, ...] | None:
    """The parts of a row's key, empty where it does not say them; None where the last, its own number, is not said.

    A key of one part is no number of another system: it is a name, such as an e-mail address.
    """
    parts = tuple(str(data.get(name) or "") for name in resource.carry.key)
    return parts if len(parts) > 1 and parts[-1] else None


def references_of(resource: Resource[Any], group: Group) -> Group:
    """The columns of a group that hold ids: compared by the database, the others by what they say."""
    return tuple(name for name in group if isinstance(resource.columns[name].type, Uuid))


def alike_sql(resource: Resource[Any], group: Group, seen: Condition) -> str:
    """Live rows in sight whose first column has one of these marks; one look into its index for each."""
    first, references, begin = group[0], references_of(resource, group), len(seen.values) + 1
    kind = resource.carry.kinds.get(first, "text")
    arrays = ", ".join(f"${n}::text[]" for n in range(begin, begin + 1 + len(references)))
    names = ", ".join(["said", *(f"r{n}" for n in range(len(references)))])
    same = "".join(f' AND (w.r{n} IS NULL OR t."{name}"::text = w.r{n})' for n, name in enumerate(references))
    here, theirs = mark_sql(kind, f'"{first}"'), mark_sql(kind, "w.said")
    return (
        f"SELECT t.* FROM (SELECT DISTINCT * FROM unnest({arrays}) AS u ({names})) w CROSS JOIN LATERAL "
        # The inner limit keeps the planner from any other index than that of the mark, however new the rows are.
        f'(SELECT * FROM (SELECT * FROM "{resource.name}" WHERE {here} = {theirs} LIMIT 2000) t '
        f"WHERE deleted_at IS NULL AND {numbered(seen.sql)}{same} LIMIT 100) t"
    )


def marks_of(resource: Resource[Any], data: Data) -> Iterable[tuple[Group, Sequence[Any]]]:
    """What a row of a file says of each group whose first column it names: told again, it is the same row twice."""
    for group in resource.carry.alike:
        said = [mark_of(resource, name, data.get(name)) if data.get(name) is not None else "" for name in group]
        if said[0]:
            yield group, said
