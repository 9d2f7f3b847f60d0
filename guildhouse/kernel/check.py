"""Boot checks: a house whose declarations contradict themselves or its tables does not start, and says all of it at once.

Each check is a function: its name in the table at the end is the number that people look up, its docstring the page they
find. The first sentence says what is wrong, the rest why that matters and what to do.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from inspect import cleandoc, signature
from types import UnionType
from typing import Any, Union, get_args, get_origin

import sqlalchemy as sa
from pydantic import BaseModel

from guildhouse.kernel.db import Connection
from guildhouse.kernel.filters import values_known
from guildhouse.kernel.importing.likeness import mark_sql
from guildhouse.kernel.log import triggers
from guildhouse.kernel.manifest import House
from guildhouse.kernel.may import nobody
from guildhouse.kernel.pages import UnknownSort, parse_sort
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.retaining import guard
from guildhouse.kernel.row import BASE_COLUMNS
from guildhouse.kernel.searching.index_schema import sort_of

Check = Callable[[House, Resource[Any]], Iterator[str]]
HouseCheck = Callable[[House], Iterator[str]]


@dataclass(frozen=True)
class BootFault:
    """One thing that keeps the house from starting: the number of its check, which resource, and what."""

    number: str
    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.number} {self.where}: {self.what}. {meaning(self.number)}"


class BootError(Exception):
    """The house does not start; the message lists every reason."""

    def __init__(self, found: Sequence[BootFault]) -> None:
        self.faults = tuple(found)
        lines = "\n".join(f"  {each}" for each in found)
        super().__init__(f"The house cannot start ({len(found)} faults; /docs/errors/boot explains each):\n{lines}")


def raise_all(house: House) -> None:
    """Raise `BootError` with every fault, if there is any."""
    if found := faults(house):
        raise BootError(found)


def faults(house: House) -> list[BootFault]:
    """Every fault of the declarations, by number."""
    of_house = [BootFault(number, "the house", what) for number, check in HOUSE_CHECKS.items() for what in check(house)]
    of_rows = [
        BootFault(number, resource.name, what)
        for number, check in CHECKS.items()
        for resource in house.resources.values()
        for what in check(house, resource)
    ]
    return sorted([*of_house, *of_rows], key=lambda each: each.number)


def meaning(number: str) -> str:
    """What a number stands for: the docstring of its check, as one line."""
    check = {**HOUSE_CHECKS, **CHECKS, **DATABASE_CHECKS}[number]
    return " ".join(cleandoc(check.__doc__ or "").split())


def read_field_is_no_column(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """A field of the read shape is no column of the table. Reads go straight from columns to the answer, so add the
    column, take the field out, or serve it from a door of its own."""
    yield from (f"`{name}` is read" for name in resource.readable if name not in resource.columns)


def sent_field_is_lost(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """A field that clients send is no column, and no `derive` takes it. It would be accepted and lost: add the column, or
    a `derive` that makes columns of it."""
    if resource.shapes.derive is None:
        yield from (f"`{name}` is sent" for name in sent_fields(resource) if name not in resource.columns)


def sent_fields(resource: Resource[Any]) -> list[str]:
    """The fields of the bodies, each once."""
    bodies = [shape for shape in (resource.shapes.create, resource.shapes.update) if shape]
    return list(dict.fromkeys(name for shape in bodies for name in shape.model_fields))


def sent_field_is_the_kernels(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """A body may set what only the kernel sets. Clients could forge versions, times, or who sees the row: take the field
    out of the shape."""
    kernels = set(BASE_COLUMNS) - {"id"}
    yield from (f"`{name}` is sent" for name in sent_fields(resource) if name in kernels)


def new_row_lacks_a_value(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """A column that must have a value gets none in a new row. Take it into the create shape, give the column a Python
    `default` (a `server_default` is not used, as every column is written), or set it in `derive`."""
    create = resource.shapes.create
    if create is None or resource.shapes.derive is not None:
        return
    for name, column in resource.columns.items():
        if not column.nullable and column.default is None and name not in {*create.model_fields, *BASE_COLUMNS}:
            yield f"`{name}` stays empty"


def found_column_is_unknown(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """A filter, a sort, a facet or the text search names a column that does not exist. Correct the name in `find`."""
    named = dict.fromkeys([*resource.find.filter, *resource.find.sort, *resource.find.text, *resource.find.facets])
    yield from (f"`{name}` is in `find`" for name in named if name not in resource.columns)


def found_column_has_no_index(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """One can filter or sort by a column that leads no index. The list would read the whole table: declare an index that
    starts with the column, for a list a GIN index, or take it out of `find`."""
    plain, gin = indexed(resource.sql_table)
    for name in dict.fromkeys([*resource.find.filter, *resource.find.sort]):
        column = resource.columns.get(name)
        if column is not None and name not in (gin if isinstance(column.type, sa.ARRAY) else plain):
            yield f"`{name}` is in `find`"


def indexed(table: sa.Table) -> tuple[set[str], set[str]]:
    """The columns that lead a b-tree index or a unique constraint, and those that have a GIN index."""
    plain = {next(iter(c.columns)).name for c in table.constraints if isinstance(c, sa.PrimaryKeyConstraint)}
    plain |= {next(iter(c.columns)).name for c in table.constraints if isinstance(c, sa.UniqueConstraint)}
    gin: set[str] = set()
    for index in table.indexes:
        first = index.expressions[0]
        name = first if isinstance(first, str) else getattr(first, "name", None)
        (gin if index.dialect_options["postgresql"]["using"] == "gin" else plain).add(str(name))
    return plain, gin


def found_column_leaks(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """One can filter, sort or count by a column that not everybody sees, or search one that is hidden from the log. The
    answer would tell what the column hides: take it out of `find`."""
    find = resource.find
    places = (*(find.place or ()), *(find.everywhere or ())[:1])
    named = dict.fromkeys([*find.filter, *find.sort, *find.facets, *places])
    told = [name for name in named if name in resource.shapes.audience]
    hidden = [name for name in dict.fromkeys([*named, *find.text]) if name in resource.log.hidden]
    yield from (f"`{name}` is in `find`" for name in dict.fromkeys([*told, *hidden]))


def facet_is_not_counted(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """A facet cannot be counted: its noun has no text, its column holds documents, or it is a number whose bands are not
    said, or not in order. Declare `text`, give the ends of the bands in order, or take the facet out of `find`."""
    for name, bands in resource.find.facets.items():
        sort = sort_of(resource.columns[name]) if name in resource.columns else None
        is_number = sort == "number"
        if not resource.find.text or sort is None or is_number != bool(bands) or list(bands) != sorted(bands):
            yield f"`{name}` is in `find`"


def choice_is_wrong(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """`find.words` names a column that one cannot filter by or that has not one of a few values, or a value that it cannot
    have. What is called so would not be found: correct the name, or take it out of `find`."""
    for name, called in resource.find.words.items():
        column = resource.columns.get(name)
        is_one = column is not None and name in resource.find.filter and not isinstance(column.type, sa.ARRAY)
        known = values_known(resource, name) if is_one else ()
        yield from (f"`{name}={value}` is in `find`" for value in called if value not in known)


def place_is_wrong(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """`find.place` does not name two columns that may be empty, are floating-point numbers, and have an index of just
    these two; or `find.everywhere` names no column that leads an index. Lists near a point would be wrong or slow."""
    place, everywhere = resource.find.place, resource.find.everywhere
    columns = [resource.columns.get(name) for name in place or ()]
    if not all(each is not None and each.nullable and isinstance(each.type, sa.Float) for each in columns):
        yield f"`{place}` is in `find`"
    elif place and place not in [tuple(index.columns.keys()) for index in resource.sql_table.indexes]:
        yield f"`{place}` has no index"
    if everywhere and (place is None or everywhere[0] not in indexed(resource.sql_table)[0]):
        yield f"`{everywhere[0]}` is in `find`"


def measure_is_wrong(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """A measure has an end that is not in `find.filter`. What one may ask for in any unit, one may ask for as it is kept:
    add the column there, with its index."""
    for name, measure in resource.find.measures.items():
        missing = [each for each in (measure.low, measure.high) if each not in resource.find.filter]
        yield from (f"`{each}` is an end of `{name}`" for each in missing)


def default_order_is_wrong(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """The order of a list that asks for none is not among those one may ask for. Add its columns to `find.sort`."""
    try:
        parse_sort(resource, None)
    except (UnknownSort, KeyError):
        yield f"`{resource.find.default}` is the default"


def expansion_leads_nowhere(house: House, resource: Resource[Any]) -> Iterator[str]:
    """`expand` names a field without a column `<field>_id`, or a resource that is not in the house. Correct the names."""
    for name, target in resource.find.expand.items():
        if f"{name}_id" not in resource.columns or target not in house.resources:
            yield f"`{name}` leads to `{target}`"


def logged_column_is_unknown(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """`log` names a column that does not exist. What was meant would be kept in the log for good: correct the name."""
    named = [*resource.log.hidden, *resource.log.personal]
    yield from (f"`{name}` is in `log`" for name in named if name not in resource.columns)


def hidden_column_is_read(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """A column that is hidden from the log is in the read shape. What no log may hold, no answer may either: take it out
    of one of them."""
    yield from (f"`{name}` is both" for name in resource.log.hidden if name in resource.readable)


def audience_is_wrong(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """`audience` names a field that is not read, or that can not be null. Others than the audience read null there: add
    `| None` to the field's type."""
    fields = resource.shapes.read.model_fields
    for name in resource.shapes.audience:
        if name not in fields or not allows_none(fields[name].annotation):
            yield f"`{name}` has an audience"


def allows_none(annotation: Any) -> bool:
    """Whether None is a value of a type."""
    if get_origin(annotation) in (Union, UnionType):
        return any(allows_none(each) for each in get_args(annotation))
    return annotation in (None, type(None), Any)


def nobody_is_said_to_see(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """Nothing says who sees a row. Give the resource a function `scopes` from a row to its scopes."""
    if not callable(getattr(resource, "scopes", None)):
        yield "`scopes` is no function"


def scopes_have_no_index(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """`scopes` has no GIN index. Every read asks for the rows whose scopes meet the actor's: declare
    `Index("ix_<table>_scopes", "scopes", postgresql_using="gin")`."""
    if "scopes" not in indexed(resource.sql_table)[1]:
        yield "`scopes` is not indexed"


def shape_and_permission_disagree(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """There is a shape for what nobody may do, or a permission for what has no shape. Give both, or neither."""
    for name, shape, may in (
        ("create", resource.shapes.create, resource.may.create),
        ("update", resource.shapes.update, resource.may.change),
    ):
        if (shape is None) != (may is nobody):
            yield f"`shapes.{name}` is {'missing' if shape is None else 'for nobody'}"


def stage_column_is_missing(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """`stages` moves a column that does not exist. Correct the name."""
    if resource.stages and resource.stages.column not in resource.columns:
        yield f"`{resource.stages.column}` is moved"


def stage_is_out_of_reach(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """No row can ever get to a stage. Add a move to it, or take it out."""
    if resource.stages:
        yield from (f"`{name}` is out of reach" for name in resource.stages.names() if name not in reached(resource))


def reached(resource: Resource[Any]) -> set[str]:
    """The stages that a row can come to."""
    assert resource.stages
    found: set[str] = set()
    ahead = list(resource.stages.initial)
    while ahead:
        name = ahead.pop()
        if name not in found:
            found.add(name)
            ahead += resource.stages.moves.get(name, {})
    return found


def stages_are_not_checked(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """The database does not hold the stage's column to exactly the stages. Give the table a
    `CheckConstraint("<column> IN ('...', ...)")` with all of them and no others."""
    if resource.stages and resource.stages.column in resource.columns:
        checked = checked_values(resource.sql_table, resource.stages.column)
        if set(resource.stages.names()) not in checked:
            yield f"`{resource.stages.column}` may be {', '.join(resource.stages.names())}"


def checked_values(table: sa.Table, column: str) -> list[set[str]]:
    """The values that check constraints list for a column."""
    texts = [str(each.sqltext) for each in table.constraints if isinstance(each, sa.CheckConstraint)]
    return [set(re.findall(r"'([^']*)'", text)) for text in texts if re.match(rf'"?{column}"?\s+IN\b', text, re.I)]


def key_is_not_unique(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """An upsert finds a row by columns that two rows may share. Give the table a unique index of exactly `carry.key`."""
    key = set(resource.carry.key)
    table = resource.sql_table
    unique = [set(c.columns.keys()) for c in table.constraints if isinstance(c, sa.UniqueConstraint)]
    unique += [set(index.columns.keys()) for index in table.indexes if index.unique]
    if key and key not in unique:
        yield f"the key is ({', '.join(resource.carry.key)})"


def carried_column_is_unknown(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """`carry` names a column that does not exist. Correct the name."""
    alike = [name for group in resource.carry.alike for name in group]
    named = dict.fromkeys([*resource.carry.key, *resource.carry.columns, *alike, *resource.carry.kinds])
    yield from (f"`{name}` is carried" for name in named if name not in resource.columns)


def likeness_is_slow(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """Rows that may be the same twice are looked up without an index. Give the table one on the mark of the first column of
    each group of `carry.alike`, as `kernel/importing/likeness.py` writes it."""
    there = {str(getattr(each, "name", None) or each).replace('"', "") for each in leading(resource.sql_table)}
    for first in dict.fromkeys(group[0] for group in resource.carry.alike):
        wanted = mark_sql(resource.carry.kinds.get(first, "text"), first)
        if wanted not in there:
            yield f"there is no index on {wanted}"


def leading(table: sa.Table) -> Iterator[Any]:
    """What each index of a table begins with: a column, or an expression."""
    return (next(iter(index.expressions)) for index in table.indexes)


def docstring_is_missing(house: House, resource: Resource[Any]) -> Iterator[str]:
    """A row, a shape or a verb has no docstring. It is the page that people read: say what it is."""
    verbs = [verb for (name, _), verb in house.verbs.items() if name == resource.name]
    bodies = [resource.shapes.create, resource.shapes.update, *(verb.body for verb in verbs)]
    things: list[Any] = [resource.table, resource.shapes.read, *filter(None, bodies), *(verb.act for verb in verbs)]
    yield from (f"`{each.__name__}` says nothing" for each in things if not described(each))


def described(thing: Any) -> bool:
    """Whether a class or a function has a docstring of its own."""
    return bool(thing.__doc__) and (thing.__doc__ != BaseModel.__doc__)


def verb_has_no_shape(house: House, resource: Resource[Any]) -> Iterator[str]:
    """A verb takes a `body` that is annotated with no shape. Nothing could be read for it: annotate it with a `Shape`."""
    for (name, said), verb in house.verbs.items():
        if name == resource.name and "body" in signature(verb.act).parameters and verb.body is None:
            yield f"`{said}` takes a body"


def since_is_unknown(_house: House, resource: Resource[Any]) -> Iterator[str]:
    """`keep.since` names no time of the row that leads an index. Rows would leave by it, day after day: name a column that
    is a time and has an index."""
    column = resource.columns.get(resource.keep.since)
    is_time = column is not None and isinstance(column.type, sa.DateTime)
    if resource.keep.total_days is not None and not (is_time and resource.keep.since in indexed(resource.sql_table)[0]):
        yield f"`{resource.keep.since}` is in `keep`"


def name_is_taken(house: House) -> Iterator[str]:
    """Two things have one name. The later would silently take the place of the earlier: rename one."""
    for kind, names in named_things(house).items():
        yield from (f"two {kind} are called `{name}`" for name, times in Counter(names).items() if times > 1)


def named_things(house: House) -> Mapping[str, list[str]]:
    """The names that must each be given once, as the domains give them."""
    every = house.domains
    return {
        "domains": [domain.name for domain in every],
        "resources": [each.name for domain in every for each in domain.resources],
        "nouns": [each.singular for domain in every for each in domain.resources],
        "verbs": [f"{each.on.name}/{each.name}" for domain in every for each in domain.verbs],
        "tasks": [each.name for domain in every for each in domain.tasks],
        "readers": [each.name for each in house.readers],
    }


def verb_is_a_door_already(house: House) -> Iterator[str]:
    """A verb has the name of a door that every resource has. Call it something else."""
    yield from (
        f"`{name}` of {table}" for table, name in house.verbs if name in ("history", "undo", "restore", "purge")
    )


def verb_has_no_resource(house: House) -> Iterator[str]:
    """A verb is on a resource that no manifest lists. It would have no door: add the resource to its manifest."""
    yield from (f"`{name}` is on {table}" for table, name in house.verbs if table not in house.resources)


def task_waits_in_vain(house: House) -> Iterator[str]:
    """A task waits for an event of no resource. It would never run: events are called `<singular noun>.<verb>`."""
    nouns = {resource.singular for resource in house.resources.values()}
    for task in house.tasks.values():
        yield from (f"`{task.name}` waits for `{event}`" for event in task.on if event.partition(".")[0] not in nouns)


HOUSE_CHECKS: Mapping[str, HouseCheck] = {
    "G001": name_is_taken,
    "G002": verb_is_a_door_already,
    "G003": verb_has_no_resource,
    "G004": task_waits_in_vain,
}
CHECKS: Mapping[str, Check] = {
    "G101": read_field_is_no_column,
    "G102": sent_field_is_lost,
    "G103": sent_field_is_the_kernels,
    "G104": new_row_lacks_a_value,
    "G105": shape_and_permission_disagree,
    "G106": audience_is_wrong,
    "G107": nobody_is_said_to_see,
    "G108": scopes_have_no_index,
    "G109": docstring_is_missing,
    "G110": verb_has_no_shape,
    "G201": found_column_is_unknown,
    "G202": found_column_has_no_index,
    "G203": found_column_leaks,
    "G204": default_order_is_wrong,
    "G205": expansion_leads_nowhere,
    "G206": place_is_wrong,
    "G207": measure_is_wrong,
    "G208": facet_is_not_counted,
    "G209": choice_is_wrong,
    "G301": logged_column_is_unknown,
    "G302": hidden_column_is_read,
    "G401": stage_column_is_missing,
    "G402": stage_is_out_of_reach,
    "G403": stages_are_not_checked,
    "G404": since_is_unknown,
    "G501": key_is_not_unique,
    "G502": carried_column_is_unknown,
    "G503": likeness_is_slow,
}


async def database_faults(connection: Connection, house: House) -> list[BootFault]:
    """Where the database is not as the declarations say."""
    found = []
    for number, check in DATABASE_CHECKS.items():
        found += [BootFault(number, "the database", what) for what in await check(connection, house)]
    return found


async def column_is_missing(connection: Connection, house: House) -> list[str]:
    """A table or a column that is declared does not exist. Run `guildhouse migrate`."""
    records = await connection.fetch(
        "SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = current_schema()"
    )
    present = {(table, column) for table, column in records}
    declared = [(resource.name, column) for resource in house.resources.values() for column in resource.columns]
    return [f"`{table}.{column}` is missing" for table, column in declared if (table, column) not in present]


async def index_is_missing(connection: Connection, house: House) -> list[str]:
    """An index or a constraint that is declared does not exist, or was not built to the end. Run `guildhouse migrate`."""
    records = await connection.fetch(PRESENT)
    present = {(table, name) for table, name in records}
    declared = [(resource.name, name) for resource in house.resources.values() for name in held_by(resource.sql_table)]
    return [f"`{name}` of {table} is missing" for table, name in declared if (table, name) not in present]


PRESENT = """
SELECT t.relname, i.relname FROM pg_index x JOIN pg_class t ON t.oid = x.indrelid JOIN pg_class i ON i.oid = x.indexrelid
WHERE x.indisvalid AND t.relnamespace = current_schema()::regnamespace
UNION ALL
SELECT t.relname, c.conname FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid
WHERE t.relnamespace = current_schema()::regnamespace
"""


def held_by(table: sa.Table) -> list[str]:
    """The names of a table's indexes and constraints."""
    things: list[Any] = [*table.indexes, *table.constraints]
    return sorted(str(each.name) for each in things if each.name)


async def log_does_not_hear(connection: Connection, house: House) -> list[str]:
    """The triggers that keep the log are not those that the declarations ask for. Run `guildhouse migrate`."""
    declared = {resource.sql_table: resource.log.hidden for resource in house.resources.values()}
    return await triggers.drift(connection, declared)


async def rows_are_not_guarded(connection: Connection, house: House) -> list[str]:
    """What a hold keeps could be deleted, because a table's guard is missing or switched off. Run `guildhouse migrate`."""
    return await guard.unguarded(connection, [resource.sql_table for resource in house.resources.values()])


DATABASE_CHECKS = {
    "G601": column_is_missing,
    "G602": index_is_missing,
    "G603": log_does_not_hear,
    "G604": rows_are_not_guarded,
}
