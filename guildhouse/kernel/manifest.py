"""The manifest: what a domain brings into the house, and the house that all manifests make together."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeAlias

from fastapi import APIRouter
from sqlalchemy.orm import configure_mappers

from guildhouse.kernel.db import Connection
from guildhouse.kernel.log.readers.reader import Reader
from guildhouse.kernel.resource import Resource, Verb

if TYPE_CHECKING:
    from guildhouse.kernel.door import Door
    from guildhouse.kernel.searching.heard import Hearer
    from guildhouse.kernel.tasks import Schedule, Task

# (name of a place) -> latitude and longitude, or raise a Problem.
Locate: TypeAlias = Callable[[str], tuple[float, float]]
# (words in small letters, one blank between them) -> other ways to say the same, the best first.
Synonyms: TypeAlias = Callable[[str], Sequence[str]]


@dataclass(frozen=True)
class Grant:
    """The scopes that a domain gives a person, out of the rows of some of its resources.

    When such a row changes, the actors whose `person:<id>` is among its scopes are made anew.
    """

    resources: Sequence[Resource[Any]]
    scopes_of: Callable[[Connection, str], Awaitable[set[str]]]


@dataclass(frozen=True)
class Manifest:
    """One domain: its nouns, verbs, doors written by hand, readers of the log, background tasks and their schedules.

    A reader that remembers something is made for each process, out of the house. `grants` are asked for the scopes of a
    person who signs in; `pages` are what people open in a browser; `synonyms` are asked by the search for other words,
    `hearers` told of what was searched. `locate` gives latitude and longitude of a place by its name; it raises a problem
    for a name that is unknown, or that many have. What is `at_hand` is loaded soon after the start.
    """

    name: str
    resources: Sequence[Resource[Any]] = ()
    verbs: Sequence[Verb] = ()
    readers: Sequence[Reader | Callable[["House"], Reader]] = ()
    tasks: Sequence["Task"] = ()
    schedules: Sequence["Schedule"] = ()
    doors: Sequence["Door"] = ()
    pages: Sequence[APIRouter] = ()
    grants: Sequence[Grant] = ()
    hearers: Sequence["Hearer"] = ()
    synonyms: Sequence[Synonyms] = ()
    locate: Locate | None = None
    at_hand: Sequence[Callable[[], object]] = ()


@dataclass(frozen=True)
class House:
    """All the domains, lower ones first."""

    domains: Sequence[Manifest] = field(default_factory=tuple)

    def __post_init__(self) -> None:
        configure_mappers()  # from now on a row's attributes read from its values, see kernel/row.py

    @cached_property
    def resources(self) -> Mapping[str, Resource[Any]]:
        """Every resource by table name."""
        return {each.name: each for domain in self.domains for each in domain.resources}

    @cached_property
    def paths(self) -> Mapping[str, Resource[Any]]:
        """Every resource by its noun in addresses."""
        return {each.path: each for each in self.resources.values()}

    @cached_property
    def verbs(self) -> Mapping[tuple[str, str], Verb]:
        """Every verb by (table name, verb)."""
        return {(verb.on.name, verb.name): verb for domain in self.domains for verb in domain.verbs}

    @property
    def readers(self) -> Sequence[Reader]:
        """Every reader of the log; one that remembers something is made anew, for one process and one database."""
        given = [each for domain in self.domains for each in domain.readers]
        return [each if isinstance(each, Reader) else each(self) for each in given]

    @cached_property
    def tasks(self) -> Mapping[str, "Task"]:
        """Every background task by name."""
        return {task.name: task for domain in self.domains for task in domain.tasks}

    @cached_property
    def schedules(self) -> Sequence["Schedule"]:
        """Every schedule."""
        return [schedule for domain in self.domains for schedule in domain.schedules]

    @cached_property
    def locate(self) -> Locate | None:
        """Who knows where places are, if anybody does."""
        return next((domain.locate for domain in self.domains if domain.locate), None)

    @cached_property
    def grants(self) -> Sequence[Grant]:
        """Every grant."""
        return [grant for domain in self.domains for grant in domain.grants]

    @cached_property
    def hearers(self) -> Sequence["Hearer"]:
        """Everyone who is told of what was searched."""
        return [hearer for domain in self.domains for hearer in domain.hearers]

    @cached_property
    def at_hand(self) -> Sequence[Callable[[], object]]:
        """What loads all that the domains want at hand."""
        return [load for domain in self.domains for load in domain.at_hand]

    def synonyms_of(self, phrase: str) -> list[str]:
        """Other ways to say these words, as all domains know them."""
        known = [other for domain in self.domains for ask in domain.synonyms for other in ask(phrase)]
        return list(dict.fromkeys(known))

    async def scopes_of(self, connection: Connection, person_id: str) -> set[str]:
        """Every scope that a person holds, over all domains."""
        return set().union(*[await grant.scopes_of(connection, person_id) for grant in self.grants])
