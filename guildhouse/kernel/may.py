"""What one may do to a row that one sees: small predicates that are combined with `&`, `|` and `~`."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from guildhouse.kernel.actor import Actor


@dataclass(frozen=True, slots=True)
class Predicate:
    """A named yes or no about an actor and a row. The row is the one before a change, or the new one of a create.

    `loose` is the name of alternatives, which needs parentheses in a longer one.
    """

    name: str
    test: Callable[[Actor, Any], bool]
    loose: bool = False

    def __call__(self, actor: Actor, row: Any) -> bool:
        return self.test(actor, row)

    def __and__(self, other: "Predicate") -> "Predicate":
        name = f"{self.tight()} and {other.tight()}"
        return Predicate(name, lambda actor, row: self(actor, row) and other(actor, row))

    def __or__(self, other: "Predicate") -> "Predicate":
        name = f"{self.name} or {other.name}"
        return Predicate(name, lambda actor, row: self(actor, row) or other(actor, row), loose=True)

    def __invert__(self) -> "Predicate":
        name = f"not ({self.name})" if " and " in self.name or self.loose else f"not {self.name}"
        return Predicate(name, lambda actor, row: not self(actor, row))

    def tight(self) -> str:
        """The name as a part of a longer one: alternatives in parentheses."""
        return f"({self.name})" if self.loose else self.name


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
