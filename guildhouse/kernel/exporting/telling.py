"""Telling: to whom an export is told, in which language, and who is to hear how far it has come."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from guildhouse.kernel.actor import Actor


async def nobody_listens(_rows: int) -> None:
    """Nobody watches the progress."""


@dataclass(frozen=True)
class Telling:
    """`house` is this server's name, `query` what was asked for; `heard` is told of rows that are done."""

    actor: Actor
    language: str
    house: str
    query: Sequence[tuple[str, str]] = ()
    at: datetime = datetime(1, 1, 1, tzinfo=UTC)
    heard: Callable[[int], Awaitable[None]] = nobody_listens
