"""Scopes: who may see a row. A row carries some, an actor holds some; a row is seen if and only if the sets meet, and it
excepts nothing that the actor holds.

An exception is among a row's scopes, too: `except:person:<id>` keeps from one person what their team sees.
"""

from collections.abc import Callable, Collection, Iterable
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, TypeAlias

PUBLIC = "public"
MEMBERS = "members"
ADMINS = "admins"
PERSON = "person:"
EXCEPT = "except:"

# (row) -> scopes
ScopesOf: TypeAlias = Callable[[Any], Iterable[str]]


def scope(kind: str, key: str, part: str = "") -> str:
    """The scope of one thing or of one part of it: `scope("person", id)`, `scope("organization", id, "recruiters")`."""
    return f"{kind}:{key}:{part}" if part else f"{kind}:{key}"


@dataclass(frozen=True)
class AllBut:
    """The scopes of a row or of a field, but for whom it is about: somebody with a scope of their own, as `person:<id>`.

    Nothing else makes exceptions. A declaration that does is told by this type: for all others, no read asks for any.
    """

    whom: ScopesOf
    of: ScopesOf

    def __call__(self, row: Any) -> Iterable[str]:
        found = list(self.of(row))
        return [*found, *(EXCEPT + each for each in self.whom(row))] if found else found


def sees(held: AbstractSet[str], scopes: Iterable[str]) -> bool:
    """The one test of sight: whether what somebody holds and the scopes of a row or of a field meet, and except nothing."""
    return not held.isdisjoint(scopes) and held.isdisjoint(excepted(scopes))


def excepted(scopes: Iterable[str]) -> list[str]:
    """Whoever holds one of these does not see what has these scopes."""
    return [each.removeprefix(EXCEPT) for each in scopes if each.startswith(EXCEPT)]


def exceptions(held: Iterable[str]) -> list[str]:
    """What is among the scopes of a row that is not for those who hold one of these.

    Of a group or a part of one no exceptions are made, and none are looked for: each costs as much as another scope.
    """
    return [EXCEPT + each for each in held if each.count(":") == 1]


def is_narrower(scopes: Collection[str], than: Collection[str]) -> bool:
    """Whether everybody who sees what has these scopes sees by the others, too."""
    mine, others = ({each for each in some if not each.startswith(EXCEPT)} for some in (scopes, than))
    return mine <= others and set(excepted(than)) <= set(excepted(scopes))


def persons_in(scopes: Iterable[str]) -> set[str]:
    """The persons whom scopes name, also those whom they except, each by their own scope."""
    return {each for each in (each.removeprefix(EXCEPT) for each in scopes) if each.startswith(PERSON)}
