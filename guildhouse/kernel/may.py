"""What one may do to a row that one sees: small predicates that are combined with `&`, `|` and `~`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from guildhouse.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class Predicate:
    """A named yes or no about an actor and a row. The row is the one before a change, or the new one of a create."""

    name: str
    test: Callable[[Actor, Any], bool]

    def __call__(self, actor: Actor, row: Any) -> bool:
        return self.test(actor, row)

    def __and__(self, other: "Predicate") -> "Predicate":
        return Predicate(f"{self.name} and {other.name}", lambda actor, row: self(actor, row) and other(actor, row))

    def __or__(self, other: "Predicate") -> "Predicate":
        return Predicate(f"({self.name} or {other.name})", lambda actor, row: self(actor, row) or other(actor, row))

    def __invert__(self) -> "Predicate":
        return Predicate(f"not {self.name}", lambda actor, row: not self(actor, row))


def predicate(test: Callable[[Actor, Any], bool]) -> Predicate:
    """Make a function of (actor, row) a predicate that carries its name into the documentation."""
    return Predicate(test.__name__.replace("_", " "), test)


anyone = Predicate("anyone", lambda _actor, _row: True)
nobody = Predicate("nobody", lambda _actor, _row: False)
signed_in = Predicate("signed in", lambda actor, _row: actor.signed_in)


def holds(permission: str) -> Predicate:
    """The actor's role (and key) hold this permission."""
    return Predicate(f"holds {permission}", lambda actor, _row: actor.can(permission))


def is_person(column: str) -> Predicate:
    """The actor is the person whose id this column of the row has."""
    return Predicate(f"is {column}", lambda actor, row: actor.id is not None and getattr(row, column) == actor.id)


def value_in(column: str, *values: str) -> Predicate:
    """The row's column has one of these values."""
    return Predicate(f"{column} in {', '.join(values)}", lambda _actor, row: getattr(row, column) in values)
