"""The doors that write. One request is one transaction, committed before its answer leaves."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import asyncpg

from guildhouse.kernel import idempotency, store
from guildhouse.kernel.actor import Actor
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import BadRequest, Denied, Fault, NotFound, PreconditionFailed, Reason, raise_if
from guildhouse.kernel.etag import check_match, row_etag
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.log import changes
from guildhouse.kernel.merge_patch import patched
from guildhouse.kernel.request import Call, values_of
from guildhouse.kernel.resource import Resource, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import excepted
from guildhouse.kernel.select import LIVE, TRASH, numbered, projected, statement, visible

Act = Callable[[Context], Awaitable[Answer]]


class WrongPreference(BadRequest):
    """`Prefer: tx=` takes `rollback` (try it and undo it) or `commit`."""


class DryRun(Exception):
    """Carries the answer of a dry run out of the transaction that it rolls back."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer


async def perform(
    call: Call, act: Act, *, body_digest: bytes | None = None, once: bool = False, rehearses: bool = False
) -> Answer:
    """Run a write: transaction, idempotency, dry run, and the position of the log that it is readable at.

    `body_digest` stands for a body that was read as a stream; an act that is one statement may run `once`; one that
    `rehearses` sees to a dry run itself, later.
    """
    dry = is_dry(call) and not rehearses
    key = None if is_dry(call) else idempotency.key_of(call)
    fingerprint = idempotency.fingerprint_of(call, body_digest or await call.body()) if key else b""
    note, database = call.note(), call.server.database
    alone = once and not key and not dry
    opened = database.writing_once() if alone else database.writing(note)
    try:
        async with opened as connection:
            ctx = Context(call.server.house, connection, call.actor, note)
            ctx.remembered = call.server.remembered if alone else None
            if key and (replay := await idempotency.replayed(call, ctx, key, fingerprint)):
                return replay
            answer = await act(ctx)
            if dry:
                raise DryRun(await would(ctx, answer))
            answer.headers["Log-Position"] = position_of(call, ctx)
            if key:
                await idempotency.keep(call, ctx, key, fingerprint, answer)
    except DryRun as run:
        return run.answer
    call.server.identity.wrote(ctx.written)
    return answer


def is_dry(call: Call) -> bool:
    """Whether the request asks for a dry run."""
    wanted = call.prefer.get("tx", "commit")
    if wanted not in ("rollback", "commit"):
        raise WrongPreference
    return wanted == "rollback"


def position_of(call: Call, ctx: Context) -> str:
    """The position that a later read can wait for: of this transaction, or the present one where nothing was written."""
    epoch = call.server.tail.epoch
    return str(changes.Position(epoch, xid=int(ctx.xid)) if ctx.xid else changes.Position(epoch, call.server.tail.pos))


async def would(ctx: Context, answer: Answer) -> Answer:
    """What a dry run answers: the status and body the write would have had, and the changes it would log."""
    logged = told(ctx.actor, await changes.of_transaction(ctx.connection))
    body = b'{"dry_run":true,"status":%d,"body":%s,"changes":%s}' % (
        answer.status,
        answer.body or b"null",
        dumps([described(ctx, change) for change in logged]),
    )
    return Answer(200, body, headers={"Preference-Applied": "tx=rollback"})


def told(actor: Actor, logged: Sequence[changes.Change]) -> list[changes.Change]:
    """What a dry run tells somebody: nothing of rows that except them, nor of rows out of their sight that would go with
    others, unless they may do everything."""
    gone = {each.row_id for each in logged if each.scopes_after is None}
    return [
        each
        for each in logged
        if actor.scopes.isdisjoint(excepted([*(each.scopes_before or ()), *(each.scopes_after or ())]))
        and (each.row_id not in gone or actor.sees(each.scopes_before or ()) or actor.can("*"))
    ]


def described(ctx: Context, change: changes.Change) -> dict[str, Any]:
    """A change in words, without values: which row, which verb, which fields."""
    resource = ctx.house.resources.get(change.resource)
    singular = resource.singular if resource else change.resource
    fields = sorted({*(change.before or {}), *(change.after or {})})
    return {"event": f"{singular}.{change.verb}", "id": change.row_id, "fields": fields}


async def create_row(call: Call, resource: Resource[Any]) -> Answer:
    """Create a row; 201 with its address."""
    shape = resource.shapes.create
    if shape is None:
        raise Denied
    values = values_of(await call.shaped(shape))

    async def act(ctx: Context) -> Answer:
        try:
            row = await store.create(ctx, resource, values)
        except asyncpg.UniqueViolationError as error:
            if call.header("if-none-match") == "*":
                raise PreconditionFailed(version=Reason("1 or a later one")) from error
            raise
        answer = row_answer(call, ctx, resource, row, 201)
        answer.headers["Location"] = f"/v1/{resource.path}/{row.id}"
        return answer

    return await perform(call, act, once=True)


async def change_row(call: Call, resource: Resource[Any]) -> Answer:
    """Change a row by a merge patch (RFC 7396)."""
    shape = resource.shapes.update
    if shape is None:
        raise Denied
    values = values_of(await call.shaped(shape), only_set=True)
    check_nulls(resource, values)

    async def act(ctx: Context) -> Answer:
        before = await held(call, ctx, resource)
        row = await store.change(ctx, resource, before, patched(before.values(), values))
        return row_answer(call, ctx, resource, row)

    return await perform(call, act)


async def remove_row(call: Call, resource: Resource[Any]) -> Answer:
    """Move a row to the trash."""

    async def act(ctx: Context) -> Answer:
        await store.remove(ctx, resource, await held(call, ctx, resource))
        return Answer(204)

    return await perform(call, act)


async def restore_row(call: Call, resource: Resource[Any]) -> Answer:
    """Bring a row back from the trash."""

    async def act(ctx: Context) -> Answer:
        before = await held(call, ctx, resource, TRASH)
        return row_answer(call, ctx, resource, await store.restore(ctx, resource, before, verb=None))

    return await perform(call, act)


async def purge_row(call: Call, resource: Resource[Any]) -> Answer:
    """Delete a row of the trash for good."""

    async def act(ctx: Context) -> Answer:
        await store.purge(ctx, resource, await held(call, ctx, resource, TRASH))
        return Answer(204)

    return await perform(call, act)


async def act_on_row(call: Call, verb: Verb) -> Answer:
    """Run a verb on a row."""
    extra = {"body": await call.shaped(verb.body, optional=True)} if verb.body else {}

    async def act(ctx: Context) -> Answer:
        before = await held(call, ctx, verb.on)
        if not verb.may(ctx.actor, before):
            raise Denied
        return row_answer(call, ctx, verb.on, await verb.act(ctx, before, **extra))

    return await perform(call, act)


async def held(call: Call, ctx: Context, resource: Resource[Any], state: Condition | None = LIVE) -> Any:
    """The row of the address, seen by the actor, locked until the transaction ends, at the version of If-Match.

    It is live, or as `state` says; with None it may be in the trash as well.
    """
    where = (Condition("id = ?", (call.row_id,)), visible(resource, ctx.actor), *([state] if state else []))
    sql, values = statement(resource, "*", where)
    record = await ctx.connection.fetchrow(numbered(f"{sql} FOR NO KEY UPDATE"), *values)
    if record is None:
        raise NotFound
    check_match(call.header("if-match"), record["version"])
    return resource.table.of(record)


def check_nulls(resource: Resource[Any], values: dict[str, Any]) -> None:
    """Refuse a patch that takes the value of a column that must have one."""
    empty = [name for name, value in values.items() if value is None and name in resource.columns]
    raise_if([
        Fault(f"/{name}", "required", "this field must have a value")
        for name in empty
        if not resource.columns[name].nullable
    ])  # fmt: skip


def row_answer(
    call: Call,
    ctx: Context,
    resource: Resource[Any],
    row: Row,
    status: int = 200,
    more: Mapping[str, Any] | None = None,
) -> Answer:
    """The row as the actor is answered after writing it, with what this answer alone reveals, and `more` beside it."""
    body = {**projected(resource, call.actor, row.values(), resource.readable), **ctx.revealed, **(more or {})}
    headers = {"ETag": row_etag(row.version)}
    if call.prefer.get("return") == "minimal" and not ctx.revealed:
        return Answer(204 if status == 200 else status, headers=headers)
    return Answer(status, dumps(body), headers=headers)
