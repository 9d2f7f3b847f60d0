"""The resource: what a noun is, declared once. Everything that the house serves for it follows from this.

Ten slots; an eleventh needs a decision record. Nothing here acts: `store` writes, `select` reads, `http` serves.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar

import sqlalchemy as sa
from pydantic import BaseModel

from guildhouse.kernel.may import Predicate, nobody, signed_in
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import AllBut, ScopesOf
from guildhouse.kernel.stages import Stages

if TYPE_CHECKING:
    from guildhouse.kernel.actor import Actor
    from guildhouse.kernel.context import Context

R = TypeVar("R", bound=Row)

# (context, before or None, after) -> None, or raise a Problem.
Rule = Callable[["Context", Any, Any], Awaitable[None] | None]
# (context, before or None, after) -> the columns that the server itself sets.
Derive = Callable[["Context", Any, Any], Awaitable[Mapping[str, Any]]]


@dataclass(frozen=True)
class Shapes:
    """The bodies: what is read, and what may be sent to create and to update (merge patch). Written out by hand.

    `derive` gives the columns the server sets; `audience` the scopes that see a field, if not all who see the row do.
    What is `found` in the row's other fields, at each write anew, nobody takes back by itself.
    """

    read: type[BaseModel]
    create: type[BaseModel] | None = None
    update: type[BaseModel] | None = None
    derive: Derive | None = None
    audience: Mapping[str, ScopesOf] = field(default_factory=dict)
    found: tuple[str, ...] = ()


@dataclass(frozen=True)
class May:
    """Who may do what to a row they see. `read` opens the door at all; `anyone` opens it to those not signed in.

    `export` opens the whole list as one file. `history` says who may look into a row's past; those who are not signed
    in never do.
    """

    read: Predicate = signed_in
    create: Predicate = nobody
    change: Predicate = nobody
    remove: Predicate = nobody
    history: Predicate = signed_in
    export: Predicate = signed_in


@dataclass(frozen=True)
class Measure:
    """An amount that rows keep in one unit, from the column `low` to the column `high`, and that people ask for in others.

    `unit` gives how many of the kept unit one of another is, and raises a problem for one that it does not know; `example`
    is one that it knows.
    """

    low: str
    high: str
    unit: Callable[[str], float]
    example: str


@dataclass(frozen=True)
class Find:
    """How rows are found: the columns one may filter and sort by, and what `expand` follows (field -> resource).

    `expand={"job": "jobs"}` follows the column `job_id`. `default` is the order of a list that asks for none. `text` are
    the columns whose words are searched, with their weights A to D; the first is the title. `words` are what people call the
    values of a column that has few: a search for these finds its rows, whatever their text says. `facets` are the columns
    whose values are counted; a number's value says where its bands end, in order. `place` are the columns of latitude and
    longitude by which rows are found near a point; `everywhere` is a column and the value of it that rows have which are
    not bound to where they lie. `measures` are asked for in units: `pay[gte]=1&pay_in=USD/year`.
    """

    filter: tuple[str, ...] = ()
    sort: tuple[str, ...] = ()
    expand: Mapping[str, str] = field(default_factory=dict)
    text: Mapping[str, Literal["A", "B", "C", "D"]] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    facets: Mapping[str, tuple[float, ...]] = field(default_factory=dict)
    default: str = "-created_at"
    place: tuple[str, str] | None = None
    everywhere: tuple[str, str] | None = None
    measures: Mapping[str, Measure] = field(default_factory=dict)


@dataclass(frozen=True)
class Log:
    """What the change log keeps of a row: `hidden` columns leave no value in it, `personal` ones can be erased."""

    hidden: tuple[str, ...] = ()
    personal: tuple[str, ...] = ()


@dataclass(frozen=True)
class Carry:
    """How rows come in and go out in bulk: the key that an upsert finds a row by, and whose key that is.

    Two rows that agree in all that they say of one group of `alike` may be the same thing twice; the first column of a
    group has an index on its mark (`kernel/importing/likeness.py`), and says of what `kind` it is where it is no plain text.
    `references` are the resources that `<name>_id` leads to: a file may name the row by its key instead, as `job.source`.
    `headers` are other names of a field in people's files, `words` other words for its values, `pay` the fields that one
    cell about pay fills (low, high, currency, period), `shapes` where foreign formats are declared.
    Rows that prove something on their server, or are work of it, are of no use elsewhere: the noun `stays`.
    """

    key: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    alike: tuple[tuple[str, ...], ...] = ()
    kinds: Mapping[str, Literal["exact", "phone", "link"]] = field(default_factory=dict)
    references: Mapping[str, "Resource[Any]"] = field(default_factory=dict)
    headers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    words: Mapping[str, Mapping[str, tuple[str, ...]]] = field(default_factory=dict)
    pay: tuple[str, str, str, str] | None = None
    shapes: tuple[str, ...] = ()
    stays: bool = False


@dataclass(frozen=True)
class Keep:
    """How long rows stay: in the trash after they were removed, in days. None keeps them until someone purges them.

    After `total_days` from the time in the column `since`, live rows go to the trash. What is purged by schedule is kept
    as a file for a while, where the noun says `shelve` and the server's settings say for how long.
    """

    trash_days: int | None = 30
    total_days: int | None = None
    since: str = "created_at"
    shelve: bool = False


@dataclass(frozen=True, eq=False)
class Resource(Generic[R]):
    """A noun of the house; there is one object for each."""

    table: type[R]
    shapes: Shapes
    scopes: Callable[[R], Iterable[str]]
    may: May = May()
    rules: tuple[Rule, ...] = ()
    stages: Stages | None = None
    find: Find = Find()
    log: Log = Log()
    carry: Carry = Carry()
    keep: Keep = Keep()

    @cached_property
    def name(self) -> str:
        """The table's name, the noun in the log: `api_keys`."""
        return self.sql_table.name

    @property
    def makes_exceptions(self) -> bool:
        """Whether a row may be kept from somebody who holds one of its scopes."""
        return isinstance(self.scopes, AllBut)

    @cached_property
    def path(self) -> str:
        """The noun in addresses: `api-keys`."""
        return self.name.replace("_", "-")

    @cached_property
    def singular(self) -> str:
        """One of them, as the log's events name it: `api_key` in `api_key.revoked`."""
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", self.table.__name__).lower()

    @cached_property
    def columns(self) -> Mapping[str, sa.Column[Any]]:
        """The table's columns by name."""
        return {column.name: column for column in self.sql_table.columns}

    @cached_property
    def sql_table(self) -> sa.Table:
        """The table itself."""
        table = self.table.__table__
        if not isinstance(table, sa.Table):
            raise TypeError(f"{self.table.__name__} is not mapped to a plain table")
        return table

    @cached_property
    def readable(self) -> tuple[str, ...]:
        """The fields of the read shape; each is a column."""
        return tuple(self.shapes.read.model_fields)

    def is_open_to(self, actor: "Actor") -> bool:
        """Whether somebody may open its list at all."""
        return self.may.read(actor, None) and actor.can(f"{self.name}.read")

    @property
    def summary(self) -> str:
        """The first sentence of the row's docstring."""
        return (self.table.__doc__ or self.name).strip().split("\n")[0]


def one_of(resource: Resource[Any]) -> str:
    """One of them in words: `an api key`."""
    noun = resource.singular.replace("_", " ")
    return f"an {noun}" if noun[0] in "aeio" else f"a {noun}"


@dataclass(frozen=True)
class Verb:
    """What is more than a plain write: a plain function `(context, row, body) -> row` served at `/{id}/<its name>`.

    `may` is asked about the row before the function runs. Without a `body` parameter the request needs none.
    """

    on: Resource[Any]
    act: Callable[..., Awaitable[Row]]
    may: Predicate

    @property
    def name(self) -> str:
        """The verb in addresses and in permissions: `withdraw`, `read-aloud`."""
        return self.act.__name__.replace("_", "-")

    @cached_property
    def body(self) -> type[BaseModel] | None:
        """The shape of the request's body, from the function's annotation."""
        found = self.act.__annotations__.get("body")
        return found if isinstance(found, type) and issubclass(found, BaseModel) else None

    @property
    def summary(self) -> str:
        """The first line of the function's docstring."""
        return (self.act.__doc__ or self.name).strip().split("\n")[0]
