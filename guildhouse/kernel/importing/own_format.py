"""The house's own format, read back: rows as they were, with their ids, their dates, and the ids that they refer to.

A state is put back, not lived through again: neither stages nor rules nor `derive` are asked, because the server where
the row was made has asked them. So whoever loads such a file needs a permission of its own. What is here is never
overwritten; only fields that another audience has are filled in where they are empty, so that the halves of a row that
two people took with them come together again.
"""

from collections.abc import Mapping, Sequence
from functools import cache
from secrets import token_hex
from typing import Any

from pydantic import AwareDatetime, BaseModel, ValidationError, create_model
from sqlalchemy import Uuid

from guildhouse.kernel import bulk, store
from guildhouse.kernel.actor import Actor
from guildhouse.kernel.bulk_writing import Judged, Line, Op, Outcome, write_judged
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import savepoint
from guildhouse.kernel.errors import Denied, Fault, Invalid, Problem, invalid, raise_if
from guildhouse.kernel.exporting.wanted import own_fields
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.ids import as_id
from guildhouse.kernel.manifest import House
from guildhouse.kernel.may import Predicate
from guildhouse.kernel.request import fault_of, holds_nul
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.reverting import WayBack
from guildhouse.kernel.row import Row
from guildhouse.kernel.shapes import Id, Shape

LOADS = "imports.load"
LOADED, TAKEN_BACK = "loaded", "taken_back"  # what the log calls these writes: no task waits for them


DELETED = "deleted_at"  # what a line says besides, if its row is in the trash
VERB = "last verb"  # of a row in the trash, beside its columns
LAST_VERBS = """
SELECT DISTINCT ON (row_id) row_id, verb FROM changes WHERE resource = $1 AND row_id = ANY($2::uuid[])
ORDER BY row_id, seq DESC
"""


class NotYoursToLoad(Denied):
    """A file in the house's own format puts rows back as they were: that is for admins of this server (`imports.load`)."""


class StaysWhereItIs(Invalid):
    """Rows of {resource} stay on the server that made them: they prove something there, or are work of that server."""


class AnotherNoun(Invalid):
    """This file holds {held}, and the import is of {wanted}. Upload it again with `resource={held}`."""


class Tried(Exception):
    """Carries what a load would do out of the savepoint that undoes it."""

    def __init__(self, found: "list[Found]") -> None:
        self.found = found


# What became of one row, and the write that it is, where it is one.
Found = tuple[Outcome, Judged | None]


def loadable(house: House) -> dict[str, Resource[Any]]:
    """The resources whose rows another server takes, by their nouns in addresses."""
    return {each.path: each for each in house.resources.values() if not each.carry.stays}


def check_loader(actor: Actor) -> None:
    """Raise `NotYoursToLoad` unless the actor may load rows as they were."""
    if not actor.can(LOADS):
        raise NotYoursToLoad


def check_header(house: House, resource: Resource[Any], held: str, fields: Sequence[str]) -> None:
    """Raise what speaks against a file whose first line names this noun and these fields."""
    if held != resource.name:
        other = house.resources.get(held)
        raise AnotherNoun(held=other.path if other else held[:100], wanted=resource.path)
    if resource.carry.stays:
        raise StaysWhereItIs(resource=resource.path)
    if unknown := [each for each in fields if each not in (*own_fields(resource), DELETED)]:
        raise invalid("/fields", "unknown-field", "the fields are: {known}",
                      known=", ".join(own_fields(resource)), unknown=", ".join(unknown)[:200])  # fmt: skip


async def try_load(ctx: Context, resource: Resource[Any], rows: Sequence[Mapping[str, Any] | Problem]) -> list[Found]:
    """What a load would do: it is done, by the database's own judgement, and undone."""
    try:
        async with savepoint(ctx.connection):
            raise Tried(await load(ctx, resource, rows))
    except Tried as tried:
        ctx.written.clear()
        return tried.found


async def load(ctx: Context, resource: Resource[Any], rows: Sequence[Mapping[str, Any] | Problem]) -> list[Found]:
    """Write what can be written of these rows; what became of each, at its place."""
    outcomes = [Outcome("failed") for _ in rows]
    ids = [known for each in rows if not isinstance(each, Problem) and (known := as_id(str(each.get("id"))))]
    here = await present(ctx, resource, ids)
    writes: dict[int, Judged] = {}
    met: set[str] = set()
    for place, each in enumerate(rows):
        try:
            after = row_of(ctx, resource, each)
            if after.id in met:
                raise comes_twice()
            met.add(after.id)
            before = here.get(after.id)
            found = put_beside(resource, place, before, after, each)
        except Problem as problem:
            outcomes[place].problem = problem
            continue
        if found is not None:
            writes[place] = found
        elif before is not None:
            outcomes[place] = Outcome("unchanged", before.id, before.version)
    await write_judged(ctx, resource, list(writes.values()), outcomes, LOADED)
    return [(outcome, writes.get(place)) for place, outcome in enumerate(outcomes)]


async def present(ctx: Context, resource: Resource[Any], ids: Sequence[str]) -> dict[str, Any]:
    """The rows that have these ids here, locked; each with what put it where it is, if that is the trash."""
    records = await ctx.connection.fetch(bulk.ids_sql(resource), ids)
    trash = [record["id"] for record in records if record["deleted_at"] is not None]
    last = await ctx.connection.fetch(LAST_VERBS, resource.name, trash) if trash else []
    verbs = {record["row_id"]: record["verb"] for record in last}
    return {r["id"]: resource.table.of({**r, VERB: verbs.get(r["id"])}) for r in records}


def comes_twice() -> Invalid:
    """What is wrong with a row whose id the file had before."""
    return invalid("/id", "comes-twice", "a row with this id comes earlier in the file")


def put_beside(resource: Resource[Any], place: int, before: Any, after: Any, file: Any) -> Judged | None:
    """The write that brings a row; None where it is here already. Raises where another row has its id."""
    line = Line(place, Op(op="create", id=after.id), None)
    if before is None or (before.deleted_at is not None and not is_trash_of_both(before, after)):
        check_whole(resource, after)
        return Judged(line, "created", before, scoped(resource, again(resource, before, after)))
    was, now = before.__dict__, after.__dict__
    other = [name for name in own_fields(resource) if name in file and now[name] != was[name]]
    other = [name for name in other if not (name in resource.shapes.audience and now[name] is None)]
    if not other:
        return None
    if any(name not in resource.shapes.audience or was[name] is not None for name in other):
        raise invalid("/id", "id-taken", "a row with this id is here and says something else; it is not overwritten")
    return Judged(line, "changed", before, changed_to(resource, before, {name: now[name] for name in other}))


def is_trash_of_both(before: Any, after: Any) -> bool:
    """Whether a row is in the trash here and comes as such; one that a load was taken back from may come again."""
    return after.deleted_at is not None and before.__dict__[VERB] != TAKEN_BACK


def again(resource: Resource[Any], before: Any, after: Any) -> Any:
    """The row as it is new, or as it comes out of the trash where an earlier load of it was taken back."""
    if before is None:
        return after
    if before.__dict__[VERB] != TAKEN_BACK:
        raise invalid("/id", "in-trash", "a row with this id is in the trash here: restore it there, if it is wanted")
    names = [*own_fields(resource), "deleted_at"]
    values = {name: after.__dict__[name] for name in names if name != "created_at"}
    return resource.table.of({**before.__dict__, **values})


def changed_to(resource: Resource[Any], row: Row, values: Mapping[str, Any]) -> Any:
    """The row with other values and the scopes that go with them."""
    return scoped(resource, resource.table.of({**row.__dict__, **values}))


async def put_back(_ctx: Context, resource: Resource[Any], row: Row, values: Mapping[str, Any], _may: Predicate) -> Any:
    """The row with its values of before; who may load rows may take them back."""
    return changed_to(resource, row, values)


WAY_BACK = WayBack(put_back, TAKEN_BACK, out_of_sight=True)


def row_of(ctx: Context, resource: Resource[Any], said: Mapping[str, Any] | Problem) -> Any:
    """The row that a line of the file tells of. Raises what is wrong with it."""
    if isinstance(said, Problem):
        raise said
    raw = raw_of(said)
    if b"\\u0000" in raw and holds_nul(dict(said)):
        raise invalid("", "holds-nul", "this holds a NUL character")
    try:
        model = own_shape(resource).model_validate_json(raw)
    except ValidationError as error:
        raise Invalid(faults=[fault_of(e) for e in error.errors(include_url=False, include_input=False)]) from error
    values = model.model_dump(exclude_unset=True)
    if values.get(DELETED):
        values[DELETED] = min(values[DELETED], ctx.now)  # the days until it is purged count from then
    fresh = {"version": 1, "created_at": ctx.now, "updated_at": ctx.now, **unknown_secrets(resource)}
    return resource.table.of({**store.blank(resource), **fresh, **values})


def raw_of(said: Mapping[str, Any]) -> bytes:
    """The line as JSON; raises for one that is nested without end."""
    try:
        return dumps(said)
    except TypeError as error:
        raise invalid("", "too-deep", "this is nested too deeply") from error


def check_whole(resource: Resource[Any], row: Row) -> None:
    """Raise where a row lacks what each must have: whoever made the file did not see it."""
    names = [name for name in own_fields(resource) if not resource.columns[name].nullable]
    detail = "this must have a value; whoever made the file may not have seen it"
    raise_if([Fault(f"/{name}", "not-seen", detail) for name in names if row.__dict__[name] is None])


def scoped(resource: Resource[Any], row: Any) -> Any:
    """The row with its scopes; one for which they, or a field's audience, cannot be told is refused, not served later."""
    try:
        for audience in resource.shapes.audience.values():
            tuple(audience(row))
        row.__dict__["scopes"] = store.scopes_of(resource, row)
    except (KeyError, ValueError, TypeError, AttributeError) as error:
        raise Invalid(faults=[Fault("", "no-audience", "nobody can tell who would see this row")]) from error
    return row


def unknown_secrets(resource: Resource[Any]) -> dict[str, str]:
    """A value that nobody knows for each secret that a row must have: it is in no file, and opens nothing here."""
    columns = resource.columns
    return {name: token_hex(32) for name in resource.log.hidden if not columns[name].nullable}


@cache
def own_shape(resource: Resource[Any]) -> type[BaseModel]:
    """The shape of a line: what is sent to change or create a row where that tells more, else what is read."""
    fields: dict[str, Any] = {}
    stage = resource.stages.column if resource.stages else None
    for name in own_fields(resource):
        sent = [each.model_fields[name] for each in (resource.shapes.update, resource.shapes.create)
                if each and name in each.model_fields and name != stage]  # fmt: skip
        told = (sent or [resource.shapes.read.model_fields[name]])[0]
        kind: Any = Id if isinstance(resource.columns[name].type, Uuid) else told.rebuild_annotation()
        fields[name] = (kind if name == "id" else kind | None, ... if name == "id" else None)
    fields[DELETED] = (AwareDatetime | None, None)
    return create_model("Own", __base__=Shape, **fields)
