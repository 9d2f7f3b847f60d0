"""The explanation of a resource: everything that follows from its declaration, as plain text, with the SQL really used."""

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import sqlalchemy as sa

from guildhouse.app import HOUSE
from guildhouse.kernel import select, store
from guildhouse.kernel.actor import ANONYMOUS
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.fields import Selection
from guildhouse.kernel.filters import Condition, operators
from guildhouse.kernel.http import doors_of
from guildhouse.kernel.limits import QUOTAS
from guildhouse.kernel.pages import DEFAULT_LIMIT, parse_sort
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.scopes import AllBut
from guildhouse.kernel.tasks import feeder

Lines = Iterator[str]


def explain(name: str) -> str:
    """The explanation. Raises `NotDone` for what is no resource."""
    wanted = name.replace("-", "_")
    for resource in HOUSE.resources.values():
        if wanted in (resource.name, resource.singular, resource.table.__name__):
            return "\n".join(explained(resource))
    raise NotDone(f"There is no resource {name}. There are: {', '.join(HOUSE.resources)}.")


def explained(resource: Resource[Any]) -> Lines:
    """Section after section."""
    yield f"{resource.name}: {resource.summary}"
    for title, section in SECTIONS.items():
        if lines := list(section(resource)):
            yield f"\n{title}"
            yield from (f"  {line}" for line in lines)


def doors(resource: Resource[Any]) -> Lines:
    """Every operation: the permission and quota it takes, and who may."""
    for door in doors_of(HOUSE):
        if door.resource is resource:
            yield f"{door.method:<6} {door.path}  {door.permission}  {quota(door)}  {who_may(door)}"


def quota(door: Door) -> str:
    """What one call takes of which quota."""
    whole = QUOTAS[door.kind]
    return f"{door.kind} {door.cost} of {whole.units}/{whole.window}s"


def who_may(door: Door) -> str:
    """Who may enter, and what they must be to the row."""
    if door.verb:
        return door.verb.may.name
    may = door.resource.may
    rows = {
        "create": may.create, "change": may.change, "undo": may.change, "remove": may.remove, "restore": may.remove,
        "purge": may.remove, "history": may.history,
    }  # fmt: skip
    found = None if door.takes else rows.get(door.operation)  # one written by hand says itself who may
    return found.name if found else door.open_to.name


def fields(resource: Resource[Any]) -> Lines:
    """The columns: their type, and what is done with each."""
    for name, column in resource.columns.items():
        marks = [
            *(["read"] if name in resource.readable else []),
            *(["create"] if resource.shapes.create and name in resource.shapes.create.model_fields else []),
            *(["update"] if resource.shapes.update and name in resource.shapes.update.model_fields else []),
            *(["audience of its own"] if name in resource.shapes.audience else []),
            *(["hidden from the log"] if name in resource.log.hidden else []),
            *(["personal"] if name in resource.log.personal else []),
        ]
        null = "" if column.nullable else " NOT NULL"
        yield f"{name:<20} {store.kind(column)}{null}" + (f"  ({', '.join(marks)})" if marks else "")


def statements(resource: Resource[Any]) -> Lines:
    """The SQL, as it is run."""
    selection = Selection(resource.readable)
    seen = select.visible(resource, ANONYMOUS)
    one, _ = select.statement(
        resource, select.columns_for(resource, selection), (Condition("id = ?", ("",)), seen, select.LIVE)
    )
    order = parse_sort(resource, None)
    page, _ = select.page_statement(
        resource, ANONYMOUS, select.Listing(selection, (select.LIVE,), order, DEFAULT_LIMIT)
    )
    changed = tuple(name for name in resource.readable if name not in ("id", "version", "created_at", "updated_at"))
    yield f"get     {select.numbered(one)}"
    yield f"list    {page}"
    yield f"insert  {store.insert_sql(resource)}"
    yield f"update  {store.update_sql(resource, changed[:1])}"


def scopes(resource: Resource[Any]) -> Lines:
    """Who sees a row: the function itself; and from whom it is kept all the same."""
    if not isinstance(resource.scopes, AllBut):
        yield from source(resource.scopes)
        return
    yield from source(resource.scopes.of)
    yield "but nobody who holds:"
    yield from source(resource.scopes.whom)


def rules(resource: Resource[Any]) -> Lines:
    """The rules that every write is judged by."""
    for rule in resource.rules:
        yield f"{getattr(rule, '__name__', rule)}: {(rule.__doc__ or '').strip()}"


def stages(resource: Resource[Any]) -> Lines:
    """The table of moves."""
    if resource.stages is None:
        return
    yield f"{resource.stages.column} starts as {' or '.join(resource.stages.initial)}"
    for before, moves in resource.stages.moves.items():
        yield from (f"{before} -> {after}: {may.name}" for after, may in moves.items())


def found_by(resource: Resource[Any]) -> Lines:
    """Filters and sorts, with the index that serves each."""
    for name in resource.find.filter:
        kinds = ", ".join(operators(resource.columns[name].type))
        yield f"filter {name:<20} {kinds}  by {index_of(resource, name)}"
    for name in resource.find.sort:
        yield f"sort   {name:<20} by {index_of(resource, name)}"
    if resource.find.place:
        yield f"near   {', '.join(resource.find.place):<20} by {index_of(resource, resource.find.place[0])}"
    yield f"order  {resource.find.default} where none is asked for"
    for name, target in resource.find.expand.items():
        yield f"expand {name:<20} {target}"


def index_of(resource: Resource[Any], column: str) -> str:
    """The index that begins with a column."""
    for index in sorted(resource.sql_table.indexes, key=lambda index: str(index.name)):
        first = index.expressions[0]
        if (first if isinstance(first, str) else getattr(first, "name", None)) == column:
            return str(index.name)
    keys: list[Any] = [each for each in resource.sql_table.constraints if isinstance(each, sa.PrimaryKeyConstraint)]
    return str(next((key.name for key in keys if column in key.columns), "no index"))


def logged(resource: Resource[Any]) -> Lines:
    """What the log keeps to itself, and what can be erased from it."""
    if resource.log.hidden:
        yield f"hidden:   {', '.join(resource.log.hidden)}"
    if resource.log.personal:
        yield f"personal: {', '.join(resource.log.personal)}"


def heard_by(resource: Resource[Any]) -> Lines:
    """The readers and the tasks that hear of its changes."""
    for reader in (feeder(HOUSE), *HOUSE.readers):
        if reader.resources is None or resource.name in reader.resources:
            yield f"reader {reader.name}"
    for task in HOUSE.tasks.values():
        events = [event for event in task.on if event.partition(".")[0] == resource.singular]
        if events:
            yield f"task {task.name} after {', '.join(events)}"


def source(function: Callable[..., Any]) -> Lines:
    """The lines of a function, and where they are."""
    lines, first = inspect.getsourcelines(function)
    yield f"{inspect.getsourcefile(function)}:{first}"
    yield from (line.rstrip() for line in lines)


SECTIONS: dict[str, Callable[[Resource[Any]], Lines]] = {
    "Doors: permission, quota, who may": doors,
    "Columns": fields,
    "SQL": statements,
    "Who sees a row": scopes,
    "Rules": rules,
    "Stages": stages,
    "How rows are found": found_by,
    "Log": logged,
    "Who hears of it": heard_by,
}
