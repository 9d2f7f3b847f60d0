"""A door: one operation of the API, generated from a declaration or written by hand in a domain."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import BaseModel

from guildhouse.kernel.answer import Answer
from guildhouse.kernel.may import Predicate, signed_in
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource, Verb

Handle = Callable[[Call], Awaitable[Answer]]


@dataclass(frozen=True)
class Door:
    """One operation. `kind` names the quota it draws on, `cost` how many units of it.

    A door written by hand says which body it `takes` and which it `gives`; for a generated one the resource says it.
    `media` are the other media types that it answers in, `asked` what its query string may say, and what that means.
    """

    method: str
    path: str
    permission: str
    summary: str
    handle: Handle = field(repr=False)
    resource: Resource[Any]
    kind: str = "write"
    cost: int = 1
    open_to: Predicate = signed_in
    verb: Verb | None = None
    takes: type[BaseModel] | None = None
    gives: type[BaseModel] | None = None
    media: tuple[str, ...] = ()
    asked: Mapping[str, str] = field(default_factory=dict)

    @property
    def operation(self) -> str:
        """What it does, the rest of its address: `list`, `create`, `read`, `change`, `remove`, `history`, `submit`..."""
        tail = self.path.rpartition("/")[2].partition(":")[2] or self.path.partition("/{id}/")[2]
        if tail:
            return tail
        if self.path.endswith("{id}"):
            return {"GET": "read", "PATCH": "change", "DELETE": "remove"}.get(self.method, self.method.lower())
        return "list" if self.method == "GET" else "create"
