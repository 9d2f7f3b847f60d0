"""Stages: the only way a state column moves. A table of moves, each with who may make it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.errors import Conflict, Denied
from guildhouse.kernel.may import Predicate


class MoveNotAllowed(Conflict):
    """`{column}` cannot go from {before} to {after}. From {before} it goes to: {known}."""


class MoveNotYours(Denied):
    """You may not move `{column}` from {before} to {after}; that is for: {who}."""


@dataclass(frozen=True)
class Stages:
    """`moves[from][to]` says who may move `column` so. A new row starts in one of `initial`."""

    column: str
    initial: tuple[str, ...]
    moves: Mapping[str, Mapping[str, Predicate]]

    def names(self) -> tuple[str, ...]:
        """Every state, in the order of the declaration."""
        return tuple(dict.fromkeys([*self.initial, *self.moves, *(to for each in self.moves.values() for to in each)]))

    def check(self, actor: Actor, before: Any, after: Any) -> None:
        """Raise unless the column stands still, or moves as the table says, by somebody who may."""
        now = getattr(after, self.column)
        if before is None:
            return self.check_start(now)
        was = getattr(before, self.column)
        if was == now:
            return None
        onward = self.moves.get(was, {})
        if now not in onward:
            known = ", ".join(onward) or "nothing: it is an end"
            raise MoveNotAllowed(column=self.column, before=was, after=now, known=known)
        if not onward[now](actor, before):
            raise MoveNotYours(column=self.column, before=was, after=now, who=onward[now].name)
        return None

    def check_start(self, now: str) -> None:
        """Raise unless a new row may start like this."""
        if now not in self.initial:
            raise MoveNotAllowed(column=self.column, before="nothing", after=now, known=", ".join(self.initial))
