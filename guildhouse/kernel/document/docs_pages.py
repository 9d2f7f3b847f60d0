"""The documentation: pages and Markdown files of every resource, every problem and every boot fault, from the code itself.

The pages are plain HTML that needs no script, no network and no build; the Markdown of `reference` says the same.
"""

import json
import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from inspect import cleandoc
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from markupsafe import Markup, escape

from guildhouse.config import Config
from guildhouse.kernel.actor import ANONYMOUS
from guildhouse.kernel.check import CHECKS, DATABASE_CHECKS, HOUSE_CHECKS, meaning
from guildhouse.kernel.document.openapi import document, operation_id, problem_example
from guildhouse.kernel.document.schemas import Json, Schemas
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import NotFound, Problem, subclasses
from guildhouse.kernel.filters import operators
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.i18n import LANGUAGES, translated
from guildhouse.kernel.manifest import House
from guildhouse.kernel.may import Predicate, nobody
from guildhouse.kernel.resource import Resource, Verb
from guildhouse.kernel.server import Server

if TYPE_CHECKING:
    from jinja2 import Environment

STYLE = "style.css"
CACHED = {"Cache-Control": "public, max-age=300"}


def prose(text: str) -> Markup:
    """A docstring's words as HTML: what stands in backticks is code."""
    return Markup(re.sub(r"`([^`]+)`", r"<code>\1</code>", str(escape(text))))  # noqa: S704 - escaped before


def cell(text: str) -> str:
    """Text as a cell of a Markdown table holds it."""
    return str(text).replace("|", "\\|").replace("\n", " ")


def pretty(value: Any) -> str:
    """JSON for people."""
    return json.dumps(value, indent=2, ensure_ascii=False)


@cache
def templates() -> "Environment":
    """The templates of the pages, made ready when somebody first opens one."""
    from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape  # noqa: PLC0415 - readers pay

    made = Environment(
        loader=PackageLoader("guildhouse.kernel.document"),
        autoescape=select_autoescape(("html",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.filters |= {"prose": prose, "cell": cell}
    return made


class Docs:
    """What there is to tell of a house."""

    def __init__(self, house: House, doors: Sequence[Door]) -> None:
        self.house = house
        self.doors = doors

    @cached_property
    def schemas(self) -> Schemas:
        """The shapes as JSON schemas; a server makes them for the first reader, not at its start."""
        return Schemas(self.house, self.doors)

    @cached_property
    def sheets(self) -> Mapping[str, "Sheet"]:
        """The sheet of every resource, by its noun in addresses."""
        return {path: Sheet(self, resource) for path, resource in self.house.paths.items()}

    @cached_property
    def problems(self) -> Mapping[str, "ProblemSheet"]:
        """Every problem by its code, ordered by status."""
        kinds = sorted(set(subclasses(Problem)), key=lambda kind: (kind.status, kind.code()))
        return {kind.code(): ProblemSheet(kind) for kind in kinds}

    @property
    def boot_faults(self) -> Mapping[str, str]:
        """What every number of a boot fault means."""
        return {number: meaning(number) for number in [*HOUSE_CHECKS, *CHECKS, *DATABASE_CHECKS]}


@dataclass(frozen=True)
class ProblemSheet:
    """One kind of problem."""

    kind: type[Problem]

    @property
    def more(self) -> list[str]:
        """What the docstring says beyond the message."""
        return cleandoc(self.kind.__doc__ or "").split("\n\n")[1:]

    @property
    def translations(self) -> Mapping[str, str]:
        """The message in the other languages."""
        found = {each: translated("problems", self.kind.code(), each) for each in LANGUAGES}
        return {language: text for language, text in found.items() if text}

    @property
    def advice(self) -> str:
        """What to do about any problem of its status."""
        return ADVICE.get(self.kind.status, ADVICE[self.kind.status // 100 * 100])

    @property
    def example(self) -> str:
        """A body of it."""
        return pretty(problem_example(self.kind))


ADVICE = {
    400: "The request is malformed: correct it. The same request never succeeds.",
    401: "Sign in again, or use a key that is valid.",
    403: "Ask somebody who may, or for the permission. The same request by you never succeeds.",
    404: "Check the address. What you may not see is answered like what does not exist.",
    409: "Read the present state, then decide again.",
    412: "Read the row again, put your change onto what is there now, and send it with the new ETag.",
    422: "Correct the fields that `errors` names.",
    429: "Wait as long as `Retry-After` says. `RateLimit` tells beforehand how much is left.",
    500: "Nothing was kept. Report the `trace_id`.",
    503: "Nothing was kept. Try again after the time in `Retry-After`; with an `Idempotency-Key` nothing is done twice.",
}


@dataclass(frozen=True)
class Field:
    """One field of a resource, over all its shapes."""

    name: str
    kind: str
    about: str
    read: bool
    create: str
    update: str


@dataclass(frozen=True)
class Sheet:
    """One resource."""

    docs: Docs
    resource: Resource[Any]

    @property
    def about(self) -> str:
        """The row's docstring."""
        return cleandoc(self.resource.table.__doc__ or self.resource.name)

    @cached_property
    def doors(self) -> list[Door]:
        """Its doors."""
        return [door for door in self.docs.doors if door.resource is self.resource]

    @cached_property
    def verbs(self) -> list[Verb]:
        """Its verbs."""
        return [door.verb for door in self.doors if door.verb]

    def id_of(self, door: Door) -> str:
        """The name of an operation in the API document."""
        return operation_id(door)

    def who(self, door: Door) -> str:
        """Who may enter."""
        own = {"create": self.resource.may.create, "change": self.resource.may.change, "undo": self.resource.may.change}
        own |= dict.fromkeys(("remove", "restore", "purge"), self.resource.may.remove)
        own |= {"history": self.resource.may.history}
        rule = door.verb.may if door.verb else own.get(door.operation)
        if rule is nobody or door.takes:  # yet there is a door: it was written by hand, and says itself who may
            rule = None
        return rule.name if rule else "anyone" if door.open_to(ANONYMOUS, None) else door.open_to.name

    def verb_doc(self, verb: Verb) -> str:
        """The function's docstring."""
        return cleandoc(verb.act.__doc__ or verb.name)

    def verb_body(self, verb: Verb) -> list[Field]:
        """The fields of a verb's body."""
        schema = self.schema_of(verb.body)
        return [self.field(name, {}, schema, {}) for name in schema.get("properties", {})]

    @cached_property
    def fields(self) -> list[Field]:
        """Every field that is read or sent."""
        shapes = self.resource.shapes
        read, create, update = (self.schema_of(each) for each in (shapes.read, shapes.create, shapes.update))
        names = dict.fromkeys(name for each in (read, create, update) for name in each.get("properties", {}))
        return [self.field(name, read, create, update) for name in names]

    def schema_of(self, shape: Any) -> Json:
        """The schema of a shape, empty without one."""
        return self.docs.schemas.definitions[self.docs.schemas.names[shape]] if shape else {}

    def field(self, name: str, read: Json, create: Json, update: Json) -> Field:
        """One field, described by the strictest shape that has it."""
        found = [each["properties"][name] for each in (create, update, read) if name in each.get("properties", {})]
        about = next((each["description"] for each in found if "description" in each), "")
        needed = (
            "needed" if name in create.get("required", ()) else "may" if name in create.get("properties", {}) else ""
        )
        return Field(
            name,
            kind_of(found[0], self.docs.schemas.definitions),
            about,
            name in read.get("properties", {}),
            needed,
            "may" if name in update.get("properties", {}) else "",
        )

    @property
    def filters(self) -> Iterator[tuple[str, Sequence[str]]]:
        """The columns one may filter by, with their operators."""
        for name in self.resource.find.filter:
            yield name, operators(self.resource.columns[name].type)

    @property
    def moves(self) -> Iterator[tuple[str, str, str]]:
        """The table of stages: from, to, by whom."""
        if self.resource.stages:
            for before, onward in self.resource.stages.moves.items():
                for after, who in onward.items():
                    yield before, after, who.name

    @property
    def may(self) -> Mapping[str, Predicate]:
        """Who may what."""
        may = self.resource.may
        rules = {"read": may.read, "create": may.create, "change": may.change, "remove": may.remove}
        return {**rules, "look into the history": may.history}

    @property
    def events(self) -> list[str]:
        """What the log calls the plain writes; a verb's event is named by the verb."""
        offered = {door.operation for door in self.doors}
        plain = {
            "create": "created",
            "change": "changed",
            "remove": "removed",
            "restore": "restored",
            "purge": "purged",
        }
        return [f"{self.resource.singular}.{event}" for operation, event in plain.items() if operation in offered]

    @property
    def example(self) -> str:
        """A row as it is read."""
        return pretty(self.docs.schemas.example(self.docs.schemas.ref(self.resource.shapes.read)))

    @property
    def curl(self) -> str:
        """How to ask, from a shell."""
        address = f'"$GUILDHOUSE/v1/{self.resource.path}'
        lines = [f'curl -H "Authorization: Bearer $TOKEN" {address}?limit=10"']
        if self.resource.shapes.create and any(door.operation == "create" for door in self.doors):
            body = pretty(self.docs.schemas.example(self.docs.schemas.ref(self.resource.shapes.create)))
            lines.append(f'curl -X POST -H "Authorization: Bearer $TOKEN" {address}" \\\n  --json {shlex.quote(body)}')
        return "\n\n".join(lines)


def kind_of(schema: Json, definitions: Json) -> str:
    """A schema in words."""
    if "$ref" in schema:
        return kind_of(definitions[schema["$ref"].rpartition("/")[2]], definitions)
    if "enum" in schema or "const" in schema:
        return "one of: " + ", ".join(f"`{each}`" for each in schema.get("enum", [schema.get("const")]))
    if "anyOf" in schema:
        return " or ".join(kind_of(each, definitions) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {kind_of(schema.get('items', {}), definitions)}{bounds(schema, 'Items', '')}"
    if schema.get("type") == "string":
        return FORMATS.get(schema.get("format", ""), "text") + bounds(schema, "Length", " characters")
    return NAMES.get(schema.get("type", ""), "anything") + bounds(schema, "imum", "")


FORMATS = {"uuid": "id", "date-time": "time", "date": "date", "uri": "web address"}
NAMES = {"integer": "whole number", "number": "number", "boolean": "true or false", "object": "object", "null": "null"}


def bounds(schema: Json, what: str, unit: str) -> str:
    """The least and the most, in words."""
    least, most = schema.get(f"min{what}"), schema.get(f"max{what}")
    if most is None:
        return "" if not least else f", at least {least}{unit}"
    return f", {least} to {most}{unit}" if least is not None else f", at most {most}{unit}"


def router(server: Server, doors: Sequence[Door]) -> APIRouter:
    """The pages, and the document for programs."""
    docs = Docs(server.house, doors)
    routes = APIRouter(include_in_schema=False)

    def page(path: str, show: Callable[..., str]) -> None:
        def answer(request: Request) -> HTMLResponse:
            return HTMLResponse(show(docs, server.config, **request.path_params), headers=CACHED)

        routes.add_api_route(path, answer, methods=["GET", "HEAD"], response_class=HTMLResponse)

    # Until the house has a page of its own to begin with, its address leads to what can be read there.
    routes.add_api_route("/", lambda: RedirectResponse("/docs"), methods=["GET", "HEAD"])
    page("/docs", overview)
    page("/docs/api/{noun}", resource_page)
    page("/docs/errors", problems_page)
    page("/docs/errors/{code}", problem_page)
    routes.add_api_route(f"/docs/{STYLE}", style, methods=["GET"])
    add_document(routes, server, doors)
    return routes


def add_document(routes: APIRouter, server: Server, doors: Sequence[Door]) -> None:
    """`/openapi.json`: made once, when somebody first asks for it."""
    made: list[bytes] = []

    @routes.get("/openapi.json")
    async def openapi(request: Request) -> Response:
        """The API document."""
        if not made:
            made.append(dumps(document(server.house, doors, request.app.openapi(), server.config)))
        return Response(made[0], media_type="application/json", headers=CACHED)


def style() -> Response:
    """The one stylesheet."""
    return Response(templates().get_template(STYLE).render(), media_type="text/css", headers=CACHED)


def shown(template: str, docs: Docs, config: Config, **values: Any) -> str:
    """A page."""
    return templates().get_template(template).render(docs=docs, name=config.name, **values)


def overview(docs: Docs, config: Config) -> str:
    """What there is."""
    return shown("overview.html", docs, config)


def resource_page(docs: Docs, config: Config, noun: str) -> str:
    """All of one resource."""
    if noun not in docs.sheets:
        raise NotFound
    return shown("resource.html", docs, config, sheet=docs.sheets[noun])


def problems_page(docs: Docs, config: Config) -> str:
    """Every problem."""
    return shown("problems.html", docs, config)


def problem_page(docs: Docs, config: Config, code: str) -> str:
    """One problem; `boot` is the list of what keeps a house from starting."""
    if code == "boot":
        return shown("boot.html", docs, config)
    if code not in docs.problems:
        raise NotFound
    return shown("problem.html", docs, config, problem=docs.problems[code])


def reference(house: House, doors: Sequence[Door]) -> dict[str, str]:
    """The same as Markdown, by file name, for `docs/api`."""
    docs = Docs(house, doors)

    def file(template: str, **values: Any) -> str:
        return templates().get_template(template).render(docs=docs, **values)

    sheets = {f"{noun}.md": file("resource.md", sheet=sheet) for noun, sheet in docs.sheets.items()}
    return {"README.md": file("overview.md"), "errors.md": file("problems.md"), "boot.md": file("boot.md"), **sheets}
