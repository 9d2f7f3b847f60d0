"""HTTP: from an address to a door, and from whatever happens behind it to an answer.

The doors of all resources are one dictionary that is looked up, not a list of patterns that is searched. What is not
found in it goes on to the hand-written routes.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guildhouse.kernel import problems
from guildhouse.kernel.actor import Actor, covers
from guildhouse.kernel.answer import Answer, problem_answer
from guildhouse.kernel.batch import batch_rows
from guildhouse.kernel.door import Door, Handle
from guildhouse.kernel.errors import Denied, MethodNotAllowed, NotFound, Problem, Unauthenticated
from guildhouse.kernel.exporting import whole_list
from guildhouse.kernel.following import read_or_follow
from guildhouse.kernel.history import read_history, undo_change
from guildhouse.kernel.ids import as_id
from guildhouse.kernel.limits import ANONYMOUS_SHARE
from guildhouse.kernel.manifest import House
from guildhouse.kernel.may import Predicate, anyone, nobody, signed_in
from guildhouse.kernel.operating.undoing import Answered, take_back_request
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource, Verb, one_of
from guildhouse.kernel.searching.searched_list import list_or_search
from guildhouse.kernel.server import Server
from guildhouse.kernel.writing import act_on_row, change_row, create_row, purge_row, remove_row, restore_row

log = structlog.get_logger()


def doors_of(house: House) -> list[Door]:
    """Every door: of each resource, and those that domains wrote by hand, which take the place of generated ones."""
    made = [door for resource in house.resources.values() for door in resource_doors(house, resource)]
    by_hand = [door for domain in house.domains for door in domain.doors]
    return list({(door.method, door.path): door for door in [*made, *by_hand]}.values())


def resource_doors(house: House, resource: Resource[Any]) -> Iterator[Door]:
    """The doors of one resource, as far as its declaration opens them."""
    yield from reading_doors(resource)
    yield from writing_doors(resource)
    for (name, _), verb in house.verbs.items():
        if name == resource.name:
            yield verb_door(resource, verb)


def reading_doors(resource: Resource[Any]) -> Iterator[Door]:
    """List, read, history."""
    may, base, one = resource.may, f"/v1/{resource.path}", one_of(resource)

    def door(path: str, summary: str, handle: Handle, cost: int, open_to: Predicate) -> Door:
        return Door("GET", path, f"{resource.name}.read", summary, handle, resource, "read", cost, open_to)

    yield door(base, f"List {resource.path}", bound(list_or_search, resource), 3, may.read)
    export = bound(whole_list.export_rows, resource)
    yield door(f"{base}:export", f"All {resource.path} as one file", export, whole_list.COST, may.export)
    yield door(f"{base}/{{id}}", f"Read {one}", bound(read_or_follow, resource), 1, may.read)
    yield door(f"{base}/{{id}}/history", f"What happened to {one}", bound(read_history, resource), 3, signed_in)


def writing_doors(resource: Resource[Any]) -> Iterator[Door]:
    """Create, change, remove and what goes with them."""
    shapes, base, one = resource.shapes, f"/v1/{resource.path}", one_of(resource)

    def door(method: str, path: str, action: str, summary: str, handle: Any, kind: str = "write") -> Door:
        return Door(method, path, f"{resource.name}.{action}", summary, bound(handle, resource), resource, kind)

    if shapes.create and resource.may.create is not nobody:
        create = door("POST", base, "write", f"Create {one}", create_row)
        yield replace(create, open_to=anyone) if resource.may.create is anyone else create
        batch = door("POST", f"{base}:batch", "write", f"Write many {resource.path} at once", batch_rows, "batch")
        yield replace(batch, asked={"mode": "Of an NDJSON body."})
        undo = f"Undo what one request has written to {resource.path}"
        yield replace(door("POST", f"{base}:take-back", "write", undo, take_back_request, "batch"), takes=Answered)
    if shapes.update and resource.may.change is not nobody:
        yield door("PATCH", f"{base}/{{id}}", "write", f"Change {one}", change_row)
    if resource.may.change is not nobody or resource.may.remove is not nobody:
        yield door("POST", f"{base}/{{id}}/undo", "write", f"Take back a change of {one}", undo_change)
    if resource.may.remove is not nobody:
        yield door("DELETE", f"{base}/{{id}}", "write", f"Move {one} to the trash", remove_row)
        yield door("POST", f"{base}/{{id}}/restore", "write", f"Bring {one} back from the trash", restore_row)
        yield door("POST", f"{base}/{{id}}/purge", "write", f"Delete {one} of the trash for good", purge_row)


def verb_door(resource: Resource[Any], verb: Verb) -> Door:
    """The door of a verb."""

    async def handle(call: Call) -> Answer:
        return await act_on_row(call, verb)

    path = f"/v1/{resource.path}/{{id}}/{verb.name}"
    return Door("POST", path, f"{resource.name}.write", verb.summary, handle, resource, verb=verb)


def bound(handle: Callable[[Call, Resource[Any]], Awaitable[Answer]], resource: Resource[Any]) -> Handle:
    """A handler of any resource as the handler of this one."""

    async def handle_this(call: Call) -> Answer:
        return await handle(call, resource)

    return handle_this


class Api:
    """The ASGI application of all doors; `rest` takes what is none."""

    def __init__(self, server: Server, rest: ASGIApp) -> None:
        self.server = server
        self.rest = rest
        self.doors = doors_of(server.house)
        self.by_path: dict[str, dict[str, Door]] = {}
        for door in self.doors:
            self.by_path.setdefault(door.path.replace("{slug}", "{id}"), {})[door.method] = door

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = self.find(scope["path"]) if scope["type"] == "http" else None
        if found is None:
            await self.pass_on(scope, receive, send)
            return
        methods, row_id, number = found
        call = Call(self.server, scope, receive, scope["request_id"], row_id=row_id, number=number)
        answer = await self.answer(call, methods)
        await answer.send(send, without_body=call.method == "HEAD")

    async def pass_on(self, scope: Scope, receive: Receive, send: Send) -> None:
        """To the hand-written routes, of which those that answer GET answer HEAD, too."""
        if scope.get("method") != "HEAD":
            await self.rest(scope, receive, send)
            return
        asked = {**scope, "method": "GET"}

        async def send_head(message: Message) -> None:
            scope["route"] = asked.get("route")  # the edge counts it by that
            await send({**message, "body": b""} if message["type"] == "http.response.body" else message)

        await self.rest(asked, receive, send_head)

    def find(self, path: str) -> tuple[dict[str, Door], str, str] | None:
        """The doors at an address by method, the row's id, or a slug, in it, and the number behind that.

        None for an address without doors.
        """
        if methods := self.by_path.get(path):
            return methods, "", ""
        parts, number = path.split("/"), ""
        if not 4 <= len(parts) <= 6:
            return None
        parts[3], row_id = "{id}", parts[3]
        if len(parts) == 6:
            parts[5], number = "{number}", parts[5]
        methods = self.by_path.get("/".join(parts)) if row_id else None
        return (methods, row_id, number) if methods else None

    async def answer(self, call: Call, methods: dict[str, Door]) -> Answer:
        """Open the door, or say why not; either way with what is left of the caller's quota, once it is known."""
        try:
            door = methods.get("GET" if call.method == "HEAD" else call.method)
            if door is None:
                return refuse_method(call, methods)
            call.scope["template"] = door.path
            answer = await self.enter(call, door)
        except Problem as problem:
            answer = refused(call, problem)
        except asyncio.CancelledError:
            raise
        except Exception as error:
            answer = refused(call, explained(call, error))
        for name, value in call.metered.items():
            answer.headers.setdefault(name, value)
        return answer

    async def enter(self, call: Call, door: Door) -> Answer:
        """Who calls, within their limits, through a door that is open to them."""
        try:
            call.actor = await self.server.identity.identify(call)
        except Problem:
            call.metered = meter(self.server, call, door)
            raise
        call.metered = meter(self.server, call, door)
        if not door.open_to(call.actor, None):
            raise Denied if call.actor.signed_in else Unauthenticated
        if call.actor.signed_in and not call.actor.can(door.permission):
            raise Denied(headers=lacking(call.actor, door.permission))
        if door.method != "GET":
            call.refuse_others(door.asked)
        call.row_id = id_of(call, door)
        return await door.handle(call)


def id_of(call: Call, door: Door) -> str:
    """The row's id in the address as we write ids, or its slug as it is. Raises `NotFound` for what can be no id."""
    if not call.row_id or "{slug}" in door.path:
        return call.row_id
    if (found := as_id(call.row_id)) is None:
        raise NotFound
    return found


def refuse_method(call: Call, methods: Mapping[str, Door]) -> Answer:
    """What an address answers to other methods: OPTIONS is told those that it knows, any other is refused with them."""
    id_of(call, next(iter(methods.values())))
    allowed = ", ".join(sorted({*methods, "OPTIONS", *(["HEAD"] if "GET" in methods else [])}))
    if call.method == "OPTIONS":
        return Answer(204, headers={"Allow": allowed})
    return refused(call, MethodNotAllowed(allowed=allowed, headers={"Allow": allowed}))


def lacking(actor: Actor, permission: str) -> dict[str, str]:
    """What tells the user of an API key which permission their person holds, and the key does not (RFC 6750, 3.1)."""
    if actor.narrowed is None or not covers(actor.permissions, permission):
        return {}
    return {"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{permission}"'}


def meter(server: Server, call: Call, door: Door) -> dict[str, str]:
    """Take from the caller's quota; those not signed in share their address's, and write by the one of signing in."""
    if call.actor.id is not None:
        return server.limits.take(door.kind, call.actor.id, door.cost)
    if door.kind == "read":
        return server.limits.take("read", call.client_network, door.cost, ANONYMOUS_SHARE)
    return server.limits.take("sign-in", call.client_network, door.cost)


def refused(call: Call, problem: Problem) -> Answer:
    """The problem as an answer to this call."""
    return problem_answer(problem, call.language, call.request_id, call.scope["path"])


def explained(call: Call, error: Exception) -> Problem:
    """What an error that nobody raised on purpose means; one that means nothing is logged with its traceback."""
    problem = problems.from_driver(error)
    if problem.status >= 500:
        log.error("request failed", path=call.scope["path"], request_id=call.request_id, exc_info=error)
    return problem
