"""Heard: what was searched and what was opened of it, kept in memory for a second, then told to the domains at once.

A search is a read, and writes nothing of its own. What a process has heard and not yet told when it is killed is lost:
nobody was answered that it is kept. Who is shown results while they type searches with every keystroke: of searches that go
on from one another the last one counts, as far as one process hears them.
"""

import asyncio
import unicodedata
from collections import deque
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from time import perf_counter
from typing import TYPE_CHECKING, TypeAlias

import structlog

from guildhouse.kernel.actor import HOUSE
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.log.readers.reader import is_passing
from guildhouse.kernel.log.wake import first

if TYPE_CHECKING:
    from guildhouse.kernel.answer import Answer
    from guildhouse.kernel.request import Call
    from guildhouse.kernel.server import Server

log = structlog.get_logger()
EVERY = 1.0  # seconds between two tellings
# What says how an answer looks, and not what is looked for.
OF_THE_ANSWER = {"q", "limit", "fields", "expand", "format", "facets", "highlights"}
TYPING = timedelta(seconds=30)  # between two searches of which the later may go on from the earlier
MOST = 10_000  # of one second; what is more, is forgotten: the oldest first
# Processes tell one after the other: so nobody who counts gets in another's way.
IN_TURN = "SELECT pg_advisory_xact_lock(hashtext('guildhouse'), hashtext('heard'))"


@dataclass(frozen=True, slots=True)
class Searched:
    """One search: in the list of which noun (its table's name; none for the search over all nouns), for which words.

    `query` are the other parameters. `found` is how many rows there are, if that is known, `shown` how many the first
    page had. Later pages of the same search are none of their own. `instead_of` was told before, and is none any more: it
    was this one, not typed to its end.
    """

    resource: str | None
    q: str
    actor_id: str | None
    found: int | None
    shown: int
    milliseconds: float
    query: Mapping[str, str] = field(default_factory=dict)
    at: datetime = field(default_factory=lambda: datetime.now(UTC))
    instead_of: "Searched | None" = None

    def goes_on_from(self, other: "Searched") -> bool:
        """Whether somebody is still typing the same search, or takes back some of it."""
        return abs(self.at - other.at) < TYPING and self.query == other.query and goes_on(other.q, self.q)


@dataclass(frozen=True, slots=True)
class Clicked:
    """One row that was opened out of what a search found, and at which place it stood, counted from 1."""

    resource: str | None
    q: str
    rank: int
    at: datetime = field(default_factory=lambda: datetime.now(UTC))


Heard: TypeAlias = Searched | Clicked
Latest: TypeAlias = Mapping[tuple[str, str | None], Searched]  # the last search of a person in a list
# Writes what follows from some of them, in the transaction of the context.
Hearer: TypeAlias = "Callable[[Server, Context, Sequence[Heard]], Awaitable[None]]"


class Ear:
    """What this process has heard since it last told the domains."""

    def __init__(self) -> None:
        self.heard: deque[Heard] = deque(maxlen=MOST)
        self.latest: Latest = {}

    def hear(self, one: Heard) -> None:
        """Remember a search or a click; costs the request nothing."""
        self.heard.append(one)

    async def tell(self, server: "Server") -> int:
        """Tell every domain that wants to know, all in one transaction; says of how many.

        After a fault of the moment all of it is told the next time, as far as there is room.
        """
        batch = [self.heard.popleft() for _ in range(len(self.heard))]
        if not batch or not server.house.hearers:
            return 0
        told, latest = settled(batch, self.latest)
        try:
            async with server.database.writing(Note()) as connection:
                await connection.execute(IN_TURN)
                ctx = Context(server.house, connection, HOUSE, Note())
                for hearer in server.house.hearers:
                    await hearer(server, ctx, told)
        except Exception as error:
            if is_passing(error) and (room := MOST - len(self.heard)):
                self.heard.extendleft(reversed(batch[-room:]))
            raise
        self.latest = latest
        return len(batch)


def normalised(q: str) -> str:
    """The words of a search as they are compared: upper and lower case, widths and blanks do not matter."""
    return " ".join(unicodedata.normalize("NFKC", q).casefold().split())


def goes_on(earlier: str, later: str) -> bool:
    """Whether one of two searches is the beginning of the other. The same search again is another one."""
    return is_beginning(normalised(earlier), normalised(later))


def is_beginning(one: str, other: str) -> bool:
    """Whether one of two searches, as they are compared, is the beginning of the other."""
    return one != other and (one.startswith(other) or other.startswith(one))


def cuts_a_word(earlier: str, later: str) -> bool:
    """Whether the later search is the beginning of the earlier one within a word: nobody looks for that."""
    whole = normalised(earlier)
    rest = whole.removeprefix(normalised(later))
    return rest != whole and rest[:1].strip() != ""


def settled(batch: Sequence[Heard], latest: Latest) -> tuple[Sequence[Heard], Latest]:
    """What was heard without searches that were not typed to their end; and the last one of each person from then on."""
    kept: dict[int, Heard] = {}
    since = datetime.now(UTC) - TYPING
    newest = {who: each for who, each in latest.items() if each.at > since}
    for one in batch:
        each = one
        if isinstance(each, Searched) and each.actor_id:
            who = (each.actor_id, each.resource)
            earlier = newest.get(who)
            if earlier and each.goes_on_from(earlier):
                if cuts_a_word(earlier.q, each.q):
                    continue
                is_told = kept.pop(id(earlier), None) is None
                each = replace(each, instead_of=replace(earlier, instead_of=None) if is_told else earlier.instead_of)
            newest[who] = each
        kept[id(each)] = each
    return list(kept.values()), newest


def hear_search(call: "Call", resource: str | None, begun: float, answer: "Answer") -> None:
    """Remember a search that is answered. What looks for no words is none, and a later page is of the same search.

    Nor is it one again where the client has the answer already.
    """
    q = (call.param("q") or "").strip()
    if not q or call.param("cursor") or answer.status != 200:
        return
    found = int(answer.headers["Total-Count"]) if "Total-Count" in answer.headers else None
    query = {name: value for name, value in call.query if name not in OF_THE_ANSWER}
    milliseconds = (perf_counter() - begun) * 1000
    call.server.ear.hear(Searched(resource, q, call.actor.id, found, answer.rows, milliseconds, query))


class EarLoop:
    """Tells what was heard, once a second, and at the end what is left."""

    def __init__(self, server: "Server") -> None:
        self.server = server

    async def run(self, stop: asyncio.Event) -> None:
        """Tell until stopped; a fault is tried again a second later."""
        while not stop.is_set():
            await first(stop, within=EVERY)
            try:
                await self.server.ear.tell(self.server)
            except Exception as error:
                log.warning("searches not told", error=repr(error))
