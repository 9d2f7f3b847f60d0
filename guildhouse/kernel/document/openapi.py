"""The API document: OpenAPI 3.1 of every door, from the same declarations that serve it, and of the hand-written routes.

Nothing in it depends on when or where it is made, so that it can be compared with the one of yesterday.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guildhouse.config import Config
from guildhouse.kernel.actor import ANONYMOUS
from guildhouse.kernel.batch import Batch
from guildhouse.kernel.document.bodies import HistoryBody
from guildhouse.kernel.document.parameters import (
    export_parameters,
    history_parameters,
    list_parameters,
    parameter,
    row_parameters,
)
from guildhouse.kernel.document.schemas import Json, Schemas, body_taken, reference
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Problem, subclasses
from guildhouse.kernel.formats import EVENT_STREAM, EXPORT_FORMATS, LIST_FORMATS, MEDIA_TYPES, ROW_FORMATS
from guildhouse.kernel.history import Undo
from guildhouse.kernel.manifest import House
from guildhouse.kernel.may import nobody
from guildhouse.kernel.operating.selecting import Selection
from guildhouse.kernel.problems import MEDIA_TYPE, body_of
from guildhouse.kernel.resource import Resource

REQUEST_HEADERS = {
    "Accept-Language": "The language of messages: `en` or `zh-TW`.",
    "If-None-Match": "The ETag you have: 304 while it is still right. On a create, `*`: 412 rather than 409.",
    "If-Match": "The ETag of the row that you read: 412 if it has changed since.",
    "Wait-For": "A `Log-Position` that a write answered with: this read waits until it has seen it.",
    "Last-Event-ID": "With `Accept: text/event-stream`: the id of the last event that you have seen.",
    "Prefer": "Reads: `count=exact` or `count=planned`. Writes: `tx=rollback` tries and keeps nothing, `return=minimal` "
    "answers without a body. Batches: `max-affected=10` limits one, `respond-async` makes one an operation.",
    "Idempotency-Key": "A random key of your own: the request, repeated with it within 24 hours, is done once.",
    "Change-Reason": "Why you do this, for the row's history: whoever is told of the change reads it. Percent-encoded.",
}
ANSWER_HEADERS = {
    "ETag": "Names this state: of a row its version, of a list all that you can see of it.",
    "Link": "The pages around this one (RFC 8288).",
    "Location": "The address of what was made.",
    "Log-Position": "Where the log stands after this write, or as this export shows it; a read takes it as `Wait-For`, and "
    "`:take-back` undoes what was written.",
    "Total-Count": "How many rows there are in all, with `Prefer: count=exact` or `count=planned`.",
    "Content-Disposition": "The name of the file.",
    "Idempotent-Replayed": "`true` where this is the answer to an earlier request with the same `Idempotency-Key`.",
    "Preference-Applied": "`tx=rollback` where nothing was kept.",
    "RateLimit": "What is left of the quota (`r`), and when it is whole again (`t`, seconds).",
    "RateLimit-Policy": "The quota: `q` units in `w` seconds.",
    "X-Request-Id": "Finds this request in the server's log; your own, if you sent one.",
}
ALL_READS = ("Accept-Language",)
ALL_WRITES = ("Accept-Language", "Prefer", "Idempotency-Key", "Change-Reason")
WRITTEN = ("Log-Position", "Idempotent-Replayed")
METERED = ("RateLimit", "RateLimit-Policy", "X-Request-Id")
REFUSALS = (400, 401, 403, 404, 406, 409, 410, 412, 413, 415, 416, 422, 429, 500, 503)


def document(house: House, doors: Sequence[Door], fastapi_schema: Mapping[str, Any], config: Config) -> Json:
    """The whole document."""
    schemas = Schemas(house, doors)
    made: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": f"{config.name} API",
            "version": "1",
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": each.path, "description": described(each)} for each in house.resources.values()],
        "paths": {},
        "components": components(schemas, doors),
    }
    for door in doors:
        made["paths"].setdefault(door.path, {})[door.method.lower()] = operation(schemas, door)
    return with_routes(made, fastapi_schema)


ABOUT = """Every noun answers in the same way: lists with filters, sorting, cursors and expansion; rows with ETags;
writes with dry runs, idempotency, batches and a history that can be read and taken back. What is refused is a problem
(RFC 9457) whose `type` is a page that says what to do."""


def described(resource: Resource[Any]) -> str:
    """The row's docstring."""
    return " ".join((resource.table.__doc__ or resource.name).split())


def operation(schemas: Schemas, door: Door) -> Json:
    """One door."""
    open_to_all = door.open_to(ANONYMOUS, None)
    made: Json = {
        "operationId": operation_id(door),
        "summary": door.summary,
        "description": about(door),
        "tags": [door.resource.path],
        "parameters": list(parameters(schemas, door)),
        "responses": {**answers(schemas, door), **refusals(door)},
        "security": [{}, {"bearer": []}] if open_to_all else [{"bearer": []}],
    }
    body = request_body(schemas, door)
    return {**made, "requestBody": body} if body else made


def operation_id(door: Door) -> str:
    """A stable name: `list_operations`, `read_operation`, `read_operation_history`, `cancel_operation`."""
    base, noun = f"/v1/{door.resource.path}", door.resource.singular
    if door.path == base:
        return words("list", door.resource.name) if door.method == "GET" else words("create", noun)
    if door.path == f"{base}/{{id}}":
        return words({"GET": "read", "PATCH": "change", "DELETE": "remove"}[door.method], noun)
    if door.path.startswith(f"{base}/{{id}}/"):
        tail = door.path.removeprefix(f"{base}/{{id}}/")
        return words(tail, noun) if door.method == "POST" else words(VERBS[door.method], noun, tail)
    if door.path.startswith(f"{base}:"):
        return words(door.path.removeprefix(f"{base}:"), door.resource.name)
    return words(VERBS[door.method], door.path.removeprefix("/v1/").replace("{id}", ""))


VERBS = {"GET": "read", "POST": "post", "PUT": "replace", "PATCH": "change", "DELETE": "remove"}


def words(*parts: str) -> str:
    """The parts as one name."""
    return "_".join("".join(c if c.isalnum() else " " for c in " ".join(parts)).split())


def about(door: Door) -> str:
    """Who may, and what it costs."""
    may = {"create": door.resource.may.create, "change": door.resource.may.change, "remove": door.resource.may.remove}
    needs = f"Permission `{door.permission}`."
    who = door.verb.may if door.verb else may.get(door.operation)
    who = door.open_to if who is nobody or door.takes else who  # a door that was written by hand says itself who may
    cost = f"Takes {door.cost} of the quota `{door.kind}`."
    return " ".join([needs, f"For: {who.name}." if who else "", cost]).replace("  ", " ")


def parameters(schemas: Schemas, door: Door) -> Iterator[Json]:
    """The parameters of a door, headers last."""
    if "{id}" in door.path:
        yield reference("id", "parameters")
    if "{slug}" in door.path:
        yield reference("slug", "parameters")
    if "{number}" in door.path:
        yield {"name": "number", "in": "path", "required": True, "schema": {"type": "integer"}}
    if is_list(door):
        yield from list_parameters(schemas.house, door.resource)
    elif is_export(door):
        yield from export_parameters(schemas.house, door.resource)
    elif is_read(door):
        yield from row_parameters(schemas.house, door.resource)
        yield parameter("as_of", "The row as it was: a version, a time, or a position of the log.", {"type": "string"})
    if door.operation == "history":
        yield from history_parameters()
    for name, text in door.asked.items():
        yield parameter(name, text, MODE if door.operation == "batch" else {"type": "string"})
    for name in headers_read(door):
        yield reference(name, "parameters")


MODE: Json = {"type": "string", "enum": ["each", "atomic"], "default": "each"}


def is_list(door: Door) -> bool:
    """The generated list."""
    return door.method == "GET" and door.path == f"/v1/{door.resource.path}" and door.gives is None


def is_export(door: Door) -> bool:
    """The generated export of a whole list."""
    return door.method == "GET" and door.path == f"/v1/{door.resource.path}:export" and door.gives is None


def is_read(door: Door) -> bool:
    """The generated read of one row."""
    return door.method == "GET" and door.path == f"/v1/{door.resource.path}/{{id}}" and door.gives is None


def headers_read(door: Door) -> tuple[str, ...]:
    """The request headers that a door takes."""
    if is_list(door) or is_read(door) or is_export(door):
        return ("Accept-Language", "If-None-Match", "Wait-For", "Last-Event-ID" if is_read(door) else "Prefer")
    if door.method == "GET":
        return ALL_READS
    if door.operation == "create":
        return (*ALL_WRITES, "If-None-Match")
    return (*ALL_WRITES, "If-Match") if "{id}" in door.path else ALL_WRITES


def request_body(schemas: Schemas, door: Door) -> Json | None:
    """What a door reads."""
    shapes = door.resource.shapes
    generated = {"create": shapes.create, "change": shapes.update, "batch": Batch, "undo": Undo}
    shape = body_taken(door) or (None if door.verb or door.method == "GET" else generated.get(door.operation))
    if shape is None:
        return None
    content = schemas.json(schemas.ref(shape))
    if shape is shapes.update:
        content["application/merge-patch+json"] = dict(content[MEDIA_TYPES["json"]])
    if shape is Batch:
        content = schemas.json({"anyOf": [schemas.ref(Batch), schemas.ref(Selection)]})
        content[MEDIA_TYPES["ndjson"]] = {"schema": {"type": "string", "description": "One write in every line."}}
    return {"required": shape is not Undo, "content": content}


def answers(schemas: Schemas, door: Door) -> Json:
    """The answers of a door that lets in."""
    if is_list(door):
        return {"200": list_answer(schemas, door.resource), "304": answer("Nothing that you see has changed.", "ETag")}
    if is_export(door):
        return {"200": export_answer(), "304": answer("Nothing that you see has changed.", "ETag")}
    if is_read(door):
        over = answer("You have followed it to its end.")
        return {"200": row_answer(schemas, door), "204": over, "304": answer("The row has not changed.", "ETag")}
    if door.method == "GET":
        return {
            **read_answer(schemas, door),
            **({"304": answer("Nothing has changed.", "ETag")} if is_cached(door) else {}),
        }
    return written(schemas, door)


def is_cached(door: Door) -> bool:
    """A hand-written door that answers with an ETag: it says so by being open to all, under a name or as a file."""
    return "{slug}" in door.path or bool(door.media)


def read_answer(schemas: Schemas, door: Door) -> Json:
    """What a hand-written door that reads, or a history, answers."""
    texts = {media: {"schema": {"type": "string"}} for media in door.media}
    if texts and not door.gives:
        return {"200": answer("It is so.", content=texts)}
    return {"200": answer("It is so.", content={**schemas.json(schemas.ref(door.gives or HistoryBody)), **texts})}


def list_answer(schemas: Schemas, resource: Resource[Any]) -> Json:
    """A page in each of its formats."""
    row = row_schema(resource)
    page: Json = {
        "type": "object",
        "required": ["data", "page"],
        "properties": {"data": {"type": "array", "items": row}, "page": reference("Page")},
    }
    if resource.find.text:
        page["properties"]["search"] = reference("ListSearch")
    texts = {MEDIA_TYPES[each]: {"schema": {"type": "string"}} for each in LIST_FORMATS if each != "json"}
    return answer("A page.", "ETag", "Link", "Total-Count", content={**schemas.json(page), **texts})


def export_answer() -> Json:
    """A whole list in each of its formats."""
    texts: Json = {MEDIA_TYPES[each]: {"schema": {"type": "string"}} for each in EXPORT_FORMATS}
    texts[MEDIA_TYPES["json"]] = {"schema": {"type": "object", "properties": {"data": {"type": "array", "items": {}}}}}
    return answer("The file.", "ETag", "Log-Position", "Total-Count", "Content-Disposition", content=texts)


def row_answer(schemas: Schemas, door: Door) -> Json:
    """A row in each of its formats."""
    media = [*(MEDIA_TYPES[each] for each in ROW_FORMATS if each != "json"), EVENT_STREAM, *door.media]
    texts = {each: {"schema": {"type": "string"}} for each in media}
    return answer("The row.", "ETag", content={**schemas.json(row_schema(door.resource)), **texts})


def row_schema(resource: Resource[Any]) -> Json:
    """A whole row, or what `fields` and `expand` make of it."""
    noun = resource.table.__name__
    return {"anyOf": [reference(noun), reference(f"{noun}Part")]}


def written(schemas: Schemas, door: Door) -> Json:
    """The answers of a door that writes."""
    if door.operation == "batch":
        found = answer("Every write's result.", *WRITTEN, content=schemas.json(reference("BatchResult")))
        return {"200": found, **begun(schemas)}
    if door.operation == "take-back" and door.verb is None:
        return begun(schemas)
    if door.operation in ("remove", "purge"):
        return {"200": dry_run(schemas), "204": answer("Done.", *WRITTEN)}
    row = schemas.json(schemas.ref(door.gives or door.resource.shapes.read))
    done = answer("Done.", "ETag", "Preference-Applied", *WRITTEN, content=row)
    if door.operation == "create":
        made = answer("Made.", "ETag", "Location", *WRITTEN, content=row)
        return {"200": dry_run(schemas), "201": made}
    done["content"][MEDIA_TYPES["json"]]["schema"] = {
        "anyOf": [row[MEDIA_TYPES["json"]]["schema"], reference("DryRun")]
    }
    return {"200": done, "204": answer("Done; no body, as you preferred.", "ETag", *WRITTEN)}


def begun(schemas: Schemas) -> Json:
    """The answer of what goes on in the background; none in a house without operations."""
    operations = schemas.house.resources.get("operations")
    if operations is None:
        return {}
    content = schemas.json(schemas.ref(operations.shapes.read))
    return {"202": answer("Stored; the operation tells how it goes.", "Location", *WRITTEN, content=content)}


def dry_run(schemas: Schemas) -> Json:
    """The answer to `Prefer: tx=rollback`."""
    return answer("What would have happened.", "Preference-Applied", content=schemas.json(reference("DryRun")))


def answer(description: str, *headers: str, content: Json | None = None) -> Json:
    """One answer; all carry what is left of the quota."""
    made: Json = {
        "description": description,
        "headers": {name: reference(name, "headers") for name in (*headers, *METERED)},
    }
    return {**made, "content": content} if content else made


def refusals(door: Door) -> Json:
    """The statuses that a door refuses with."""
    found = {400, 401, 403, 429, 500, 503}
    if "{id}" in door.path or "{slug}" in door.path:
        found.add(404)
    if "{number}" in door.path:
        found.add(410)
    if door.media:
        found |= {406, 409, 410, 416} if door.path.startswith(f"/v1/{door.resource.path}/") else set()
    if is_list(door) or is_read(door) or is_export(door):
        found.add(406)
    if is_export(door):
        found.add(422)
    if door.method != "GET":
        found |= {409, 412, 413, 415, 422}
    return {str(status): reference(f"Problem{status}", "responses") for status in sorted(found)}


def components(schemas: Schemas, doors: Sequence[Door]) -> Json:
    """What the doors refer to."""
    refused = {status for door in doors for status in refusals(door)}
    slug = {"name": "slug", "in": "path", "required": True, "schema": {"type": "string"}}
    return {
        "schemas": dict(sorted(schemas.definitions.items())),
        "parameters": {
            "id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string", "format": "uuid"}},
            **({"slug": slug} if any("{slug}" in door.path for door in doors) else {}),
            **{name: header_parameter(name, text) for name, text in REQUEST_HEADERS.items()},
        },
        "headers": {name: {"description": text, "schema": {"type": "string"}} for name, text in ANSWER_HEADERS.items()},
        "responses": {f"Problem{each}": problem_response(each) for each in REFUSALS if str(each) in refused},
        "securitySchemes": {
            "bearer": {
                "type": "http",
                "scheme": "bearer",
                "description": "The token of a session, or an API key: `Authorization: Bearer gh_...`",
            }
        },
    }


def header_parameter(name: str, text: str) -> Json:
    """A request header."""
    return {"name": name, "in": "header", "description": text, "schema": {"type": "string"}}


def problem_response(status: int) -> Json:
    """A refusal, with the kernel's plainest problem of this status as the example."""
    kind = next(each for each in subclasses(Problem) if each.status == status)
    return {
        "description": kind.message(),
        "headers": {"X-Request-Id": reference("X-Request-Id", "headers")},
        "content": {MEDIA_TYPE: {"schema": reference("Problem"), "example": problem_example(kind)}},
    }


def problem_example(kind: type[Problem]) -> Json:
    """A problem's body, its values standing for themselves."""
    plain = Problem.__new__(kind)
    Problem.__init__(plain)
    return body_of(plain, "en", "5d41402abc4b2a76b9719d911017c592", "/v1/...")


def with_routes(made: Json, routes: Mapping[str, Any]) -> Json:
    """The document with the hand-written routes. Raises `ValueError` where two different shapes have one name."""
    for name, schema in routes.get("components", {}).get("schemas", {}).items():
        if name in ("HTTPValidationError", "ValidationError"):
            continue
        if made["components"]["schemas"].setdefault(name, schema) != schema:
            raise ValueError(f"Two different shapes are called {name}; give one of them another name.")
    for path, operations in routes.get("paths", {}).items():
        made["paths"].setdefault(path, {}).update({method: with_problems(each) for method, each in operations.items()})
    return made


def with_problems(route: Json) -> Json:
    """A hand-written operation whose refusals are problems like all others."""
    responses = {status: each for status, each in route.get("responses", {}).items() if status != "422"}
    refused = {str(status): reference(f"Problem{status}", "responses") for status in (400, 422, 429, 500)}
    return {**route, "responses": {**responses, **refused}}
