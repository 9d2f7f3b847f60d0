"""The file of settings: TOML that a person can read, with a fault told at its line and its key. No secret is ever in it."""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from typing import Annotated, Any, Literal

import tomli_w
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from guildhouse.accounts.person import Email, NewRole
from guildhouse.applications import stage
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.importing.mapping import Create as NewMapping
from guildhouse.kernel.shapes import Line

TABLE = re.compile(r"\s*(\[\[?)\s*([\w-]+)\s*\]\]?")
KEY = re.compile(r'\s*"?([\w-]+)"?\s*=')


def as_text(value: object) -> str:
    """A value as the environment has it."""
    if not isinstance(value, str | int | float):
        raise ValueError("write it as text, as a number, or as true or false")  # noqa: TRY004 - pydantic tells it
    return str(value)


class Entry(BaseModel):
    """One setting that is a row."""

    model_config = ConfigDict(extra="forbid", frozen=True, str_strip_whitespace=True)

    def key(self) -> tuple[str, ...]:
        """What it is known by, on any server."""
        raise LookupError


class RoleEntry(Entry, NewRole):
    """The role of a person on the site. Who is not named is a member."""

    person: Email

    def key(self) -> tuple[str, ...]:
        """The person."""
        return (self.person,)


class StageEntry(Entry):
    """A stage of an organization's hiring."""

    organization: str = Field(max_length=80)
    name: Line
    outcome: stage.Outcome
    position: int = Field(default=0, ge=0, le=10_000)

    def key(self) -> tuple[str, ...]:
        """The organization, and the name."""
        return (self.organization, self.name)


class MappingEntry(Entry, NewMapping):
    """A person's way to read the files of one source."""

    person: Email

    def key(self) -> tuple[str, ...]:
        """The person, what the rows are, and the name."""
        return (self.person, self.resource, self.name)


class Settings(BaseModel):
    """All of a file."""

    model_config = ConfigDict(extra="forbid")

    format: Literal[1]
    environment: dict[str, Annotated[str, BeforeValidator(as_text)]] = {}
    roles: list[RoleEntry] = []
    stages: list[StageEntry] = []
    mappings: list[MappingEntry] = []

    def entries(self) -> Mapping[str, Sequence[Entry]]:
        """The rows, by their table in the file."""
        return {"roles": self.roles, "stages": self.stages, "mappings": self.mappings}


WORDS: Mapping[str, str] = {
    "environment": "Of the environment: what a server is started with. Importing compares it, and sets nothing.",
    "roles": "Who has another role than that of a member.",
    "stages": "The steps of hiring, by the organization's name in addresses.",
    "mappings": "Saved ways to read files, by the person who saved them.",
}


def written(settings: Settings, heading: Sequence[str]) -> str:
    """The file."""
    parts = ["".join(f"# {line}\n" for line in heading) + f"format = {settings.format}\n"]
    content = without_nulls(settings.model_dump(mode="json"))
    parts.append(f"# {WORDS['environment']}\n\n{tomli_w.dumps({'environment': content['environment']})}")
    for name in settings.entries():
        tables = [tomli_w.dumps({name: entry}).replace(f"[{name}]", f"[[{name}]]", 1) for entry in content[name]]
        parts += [f"# {WORDS[name]}\n", *tables] if tables else []
    return "\n".join(parts)


def without_nulls(value: Any) -> Any:
    """A value as TOML can hold it, which knows no null: what is null is not there."""
    if isinstance(value, Mapping):
        return {name: without_nulls(each) for name, each in value.items() if each is not None}
    if isinstance(value, list | tuple):
        return [without_nulls(each) for each in value if each is not None]
    return value


def parsed(text: str, name: str) -> Settings:
    """The settings in a file. Raises `NotDone` with every fault, each with its line and its key."""
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise NotDone(f"{name} is not TOML: {error}.") from error
    try:
        settings = Settings.model_validate(content)
    except ValidationError as error:
        faults = [told(text, name, each["loc"], each["msg"]) for each in error.errors()]
        raise NotDone("\n".join(["These settings are wrong, and nothing was changed:", *faults])) from error
    if twice := list(doubled(settings)):
        raise NotDone(f"{name} says twice, and perhaps differently: {'; '.join(twice)}.")
    return settings


def told(text: str, name: str, place: Sequence[int | str], what: str) -> str:
    """A fault with its line and key."""
    key = ".".join(str(each + 1 if isinstance(each, int) else each) for each in place)
    what = {"Extra inputs are not permitted": "there is no such setting", "Field required": "it is missing"}.get(
        what, what
    )
    return f"  {name}:{line_of(text, place)}: {key}: {what}"


def line_of(text: str, place: Sequence[int | str]) -> int:
    """The line where a key stands, or else its table, or the file begins."""
    best, depth, where = 1, 0, ("", -1)
    counted: dict[str, int] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if found := TABLE.match(line):
            counted[found[2]] = counted.get(found[2], -1) + 1
            where = (found[2], counted[found[2]] if found[1] == "[[" else -1)
            names = [where[0]] if where[1] < 0 else [*where]
        elif found := KEY.match(line):
            names = [*([where[0]] if where[0] else []), *([where[1]] if where[1] >= 0 else []), found[1]]
        else:
            continue
        if len(names) > depth and list(place[: len(names)]) == names:
            best, depth = number, len(names)
    return best


def doubled(settings: Settings) -> Iterator[str]:
    """What stands in the file more than once."""
    for name, entries in settings.entries().items():
        seen = set[Any]()
        for entry in entries:
            if entry.key() in seen:
                yield f"{name} {' / '.join(entry.key())}"
            seen.add(entry.key())
