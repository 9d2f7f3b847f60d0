"""Where things are: searching the source does not find what declarations generate, so the live house is asked."""

import ast
import inspect
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any

import guildhouse
from guildhouse.app import HOUSE
from guildhouse.config import Config
from guildhouse.kernel import check, errors, health, telemetry
from guildhouse.kernel.document import docs_pages
from guildhouse.kernel.door import Door
from guildhouse.kernel.http import doors_of
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.tasks import feeder

ROOT = Path(guildhouse.__file__).parent
MOST = 25
# What the triggers call a plain write; no line of a domain says it.
PLAIN = {"created", "changed", "removed", "restored", "purged"}


@dataclass(frozen=True)
class Place:
    """A thing of the house: the words it is known by, its place in the source, and what it is."""

    words: tuple[str, ...]
    file: Path
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.file.relative_to(ROOT.parent)}:{self.line}  {self.what}"


def find(word: str) -> list[Place]:
    """Every place that is known by a word; where none is, those whose words have it in them."""
    wanted, places = plain(word), everything()
    exact = [place for place in places if wanted in map(plain, place.words)]
    return exact or [place for place in places if any(wanted in plain(each) for each in place.words)]


def told(word: str) -> str | None:
    """The places in words, or None where there is none."""
    found = list(dict.fromkeys(map(str, find(word))))
    if not found:
        return None
    rest = [f"... and {len(found) - MOST} more"] if len(found) > MOST else []
    return "\n".join([*found[:MOST], *rest])


def similar(word: str) -> list[str]:
    """Words that look like this one."""
    return get_close_matches(plain(word), {plain(each) for place in everything() for each in place.words}, n=5)


def plain(word: str) -> str:
    """A word without the ways to write it: `API-Keys` is `api_keys`."""
    return word.strip().lower().replace("-", "_")


@cache
def everything() -> tuple[Place, ...]:
    """Everything in the house that has a name; it is looked for once, because all of the source is read for it."""
    rows = [of_resource(resource) for resource in HOUSE.resources.values()]
    others = (doors(), events(), workers(), faults(), settings(), pages(), source_files())
    return tuple(chain(*rows, *others))


def at(thing: Any, what: str, *words: str) -> Place:
    """The place of a class or a function."""
    return Place(words, Path(inspect.getsourcefile(thing) or ""), max(1, inspect.getsourcelines(thing)[1]), what)


def of_resource(resource: Resource[Any]) -> Iterator[Place]:
    """A resource, its declaration, its columns and its shapes."""
    yield at(resource.table, f"resource {resource.name}: {resource.summary}", *names_of(resource))
    file = Path(inspect.getfile(resource.table))
    lines = file.read_text(encoding="utf-8").splitlines()
    for n, line in enumerate(lines, 1):
        if line.startswith(f"{resource.name} = Resource("):
            yield Place(names_of(resource), file, n, f"declaration of {resource.name}")
    declared, first = inspect.getsourcelines(resource.table)
    for n, line in enumerate(declared, first):
        if (match := re.match(r"    (\w+): Mapped\[(.+?)\]( =|$)", line)) and match[1] in resource.columns:
            what = f"column {resource.name}.{match[1]} ({match[2]})"
            yield Place((match[1], f"{resource.name}.{match[1]}", f"{resource.singular}.{match[1]}"), file, n, what)
    for name in ("read", "create", "update"):
        if shape := getattr(resource.shapes, name):
            yield at(shape, f"shape to {name} {resource.name}", *names_of(resource))


def names_of(resource: Resource[Any]) -> tuple[str, ...]:
    """What a resource is called: its table, one of them, its class, its address."""
    return resource.name, resource.singular, resource.table.__name__, f"/v1/{resource.path}"


def doors() -> Iterator[Place]:
    """Every operation of the API, at the function that does it; a generated one at the kernel's."""
    for door in doors_of(HOUSE):
        words = (door.path, f"{door.method} {door.path}", door.permission, *((door.verb.name,) if door.verb else ()))
        yield at(handler(door), f"{door.method} {door.path}: {door.summary} ({door.permission})", *words)


def handler(door: Door) -> Callable[..., Any]:
    """The function behind a door: the verb's, or the one that the kernel has bound to the resource."""
    if door.verb:
        return door.verb.act
    bound = inspect.getclosurevars(door.handle).nonlocals.get("handle")
    return bound or door.handle


def events() -> Iterator[Place]:
    """The lines that give a change its verb, by the event's name: `application.submitted`."""
    singular = {inspect.getfile(each.table): each.singular for each in HOUSE.resources.values()}
    for file in sorted(ROOT.rglob("*.py")):
        for noun, verb, line in said_in(file):
            known = noun or singular.get(str(file), "")
            words = [verb, f"{known}.{verb}"] if known else [verb]
            yield Place(tuple(words), file, line, f"event {words[-1]}")
    for resource in HOUSE.resources.values():
        plainly = [f"{resource.singular}.{verb}" for verb in sorted(PLAIN)]
        yield at(resource.table, f"events of plain writes: {', '.join(plainly)}", *plainly)


def said_in(file: Path) -> Iterator[tuple[str, str, int]]:
    """The verbs that a file gives to changes: (noun or "", verb, line)."""
    nouns = {each.name: each.singular for each in HOUSE.resources.values()}
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if not isinstance(node, ast.Call):
            continue
        noun = next((nouns[each.id] for each in node.args if isinstance(each, ast.Name) and each.id in nouns), "")
        for keyword in node.keywords:
            if keyword.arg == "verb":
                yield from ((noun, verb, keyword.value.lineno) for verb in texts_in(keyword.value))


def texts_in(value: ast.expr) -> list[str]:
    """The texts of an expression; of a lookup in a table, those are the table's to say."""
    return [each.value for each in ast.walk(value) if isinstance(each, ast.Constant) and isinstance(each.value, str)]


def workers() -> Iterator[Place]:
    """Tasks, schedules and readers of the log."""
    for task in HOUSE.tasks.values():
        heard = f" after {', '.join(task.on)}" if task.on else ""
        crons = [f", at {each.cron} (UTC)" for each in HOUSE.schedules if each.task is task]
        yield at(task.run, f"task {task.name}{heard}{''.join(crons)}", task.name, *task.on)
    for reader in (feeder(HOUSE), *HOUSE.readers):
        yield at(reader.handle, f"reader {reader.name} of the log", reader.name)


def faults() -> Iterator[Place]:
    """Problems by their code, and the boot checks by their number."""
    for kind in errors.subclasses():
        yield at(kind, f"problem {kind.code()} ({kind.status}): {kind.message()}", kind.code(), kind.__name__)
    for number, function in {**check.HOUSE_CHECKS, **check.CHECKS, **check.DATABASE_CHECKS}.items():
        yield at(function, f"boot check {number}: {check.meaning(number)}", number, function.__name__)


def settings() -> Iterator[Place]:
    """The settings."""
    lines, first = inspect.getsourcelines(Config)
    for n, line in enumerate(lines, first):
        name = line.strip().partition(":")[0]
        if name in Config.model_fields:
            what = f"setting GUILDHOUSE_{name.upper()}: {Config.model_fields[name].description}"
            yield Place((name, f"GUILDHOUSE_{name}"), ROOT / "config.py", n, what)


def pages() -> Iterator[Place]:
    """The routes that are written by hand: pages, health, metrics, documentation."""
    for domain in HOUSE.domains:
        for router in domain.pages:
            for route in router.routes:
                path, methods = getattr(route, "path", ""), ", ".join(sorted(getattr(route, "methods", None) or ()))
                yield at(getattr(route, "endpoint", router), f"{methods} {path}", path)
    yield at(health.router, "GET /health and GET /ready", "/health", "/ready")
    yield at(telemetry.router, "GET /metrics", "/metrics")
    yield at(docs_pages.router, "GET /docs, and the pages below it", "/docs", "/docs/api", "/docs/errors")
    yield at(docs_pages.add_document, "GET /openapi.json", "/openapi.json")


def source_files() -> Iterator[Place]:
    """Files by their name, and what they are about."""
    for file in sorted(ROOT.rglob("*.py")):
        about = (ast.get_docstring(ast.parse(file.read_text(encoding="utf-8"))) or "").split("\n")[0]
        path = str(file.relative_to(ROOT))
        yield Place((file.name, file.stem, path, f"guildhouse/{path}"), file, 1, about)
