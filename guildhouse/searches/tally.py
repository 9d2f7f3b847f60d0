"""Tallies: how often something was searched, by day; who searched it is not among it.

A search is known by a keyed digest of its words. The words themselves are written beside it only once so many different
people have searched them (the setting `search_privacy`); until then a search is counted in the totals of its list and
is nothing that anybody could read. Those people are counted by digests, too, another one for each search of the same
person, which are forgotten after a month.
"""

import hmac
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date

from sqlalchemy import LargeBinary
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel.context import Context
from guildhouse.kernel.row import Base
from guildhouse.kernel.searching.heard import Clicked, Heard, Searched, normalised
from guildhouse.kernel.server import Server
from guildhouse.kernel.tasks import Schedule, Task, Work

LONGEST = 200  # signs of a search that are ever shown
MOST_RANK = 50
DIGEST_DAYS, TALLY_DAYS = 30, 400
TOTAL = b""  # the digest of all searches of a list together
EVERYWHERE = ""  # the list of the search over all lists


class SearchTally(Base):
    """One search on one day, or with an empty digest all searches of a list. `words` is null until enough have asked it."""

    __tablename__ = "search_tallies"

    day: Mapped[date] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    words: Mapped[str | None]
    searches: Mapped[int]
    found_nothing: Mapped[int]
    slow: Mapped[int]
    milliseconds: Mapped[float]
    slowest: Mapped[float]
    clicks: Mapped[int]


class SearchAsker(Base):
    """That somebody has asked something, by two digests; `day` is when last."""

    __tablename__ = "search_askers"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    person: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    day: Mapped[date] = mapped_column(index=True)


class SearchRank(Base):
    """How often a place of a list of results was shown on a day, and how often what stood there was opened."""

    __tablename__ = "search_ranks"

    day: Mapped[date] = mapped_column(primary_key=True)
    resource: Mapped[str] = mapped_column(primary_key=True)
    rank: Mapped[int] = mapped_column(primary_key=True)
    shown: Mapped[int]
    clicks: Mapped[int]


@dataclass
class Count:
    """What is added to one tally."""

    searches: int = 0
    found_nothing: int = 0
    slow: int = 0
    milliseconds: float = 0.0
    slowest: float = 0.0
    clicks: int = 0

    def add(self, one: Heard, slow_ms: int, times: int = 1) -> None:
        """Count a search or a click; -1 `times` one that was counted and is none any more, but for how slow it was."""
        if isinstance(one, Clicked):
            self.clicks += 1
            return
        self.searches += times
        self.found_nothing += times * (one.found == 0 or (one.found is None and one.shown == 0))
        self.slow += times * (one.milliseconds >= slow_ms)
        self.milliseconds += times * one.milliseconds
        self.slowest = max(self.slowest, one.milliseconds)


ADD_TALLIES = """
INSERT INTO search_tallies AS t
    (day, resource, digest, searches, found_nothing, slow, milliseconds, slowest, clicks)
SELECT * FROM unnest($1::date[], $2::text[], $3::bytea[], $4::int[], $5::int[], $6::int[], $7::float8[], $8::float8[],
    $9::int[])
ON CONFLICT (day, resource, digest) DO UPDATE SET searches = t.searches + excluded.searches,
    found_nothing = t.found_nothing + excluded.found_nothing, slow = t.slow + excluded.slow,
    milliseconds = t.milliseconds + excluded.milliseconds, slowest = greatest(t.slowest, excluded.slowest),
    clicks = t.clicks + excluded.clicks
"""
ADD_RANKS = """
INSERT INTO search_ranks AS t (day, resource, rank, shown, clicks)
SELECT * FROM unnest($1::date[], $2::text[], $3::int[], $4::int[], $5::int[])
ON CONFLICT (day, resource, rank) DO UPDATE SET shown = t.shown + excluded.shown, clicks = t.clicks + excluded.clicks
"""
ADD_ASKERS = """
INSERT INTO search_askers AS a (digest, person, day) SELECT * FROM unnest($1::bytea[], $2::bytea[], $3::date[])
ON CONFLICT (digest, person) DO UPDATE SET day = greatest(a.day, excluded.day)
"""
FORGET_ASKERS = """
DELETE FROM search_askers a USING unnest($1::bytea[], $2::bytea[]) AS g (digest, person)
WHERE a.digest = g.digest AND a.person = g.person
"""
ASKED_BY_MANY = """
SELECT digest FROM search_askers WHERE digest = ANY($1) AND day > current_date - $3::int
GROUP BY digest HAVING count(*) >= $2
"""
NAME = """
UPDATE search_tallies SET words = n.words FROM unnest($1::bytea[], $2::text[], $3::date[]) AS n (digest, words, day)
WHERE search_tallies.digest = n.digest AND search_tallies.day = n.day AND search_tallies.words IS NULL
"""
FORGET = (
    f"DELETE FROM search_askers WHERE day <= current_date - {DIGEST_DAYS}",
    f"DELETE FROM search_tallies WHERE day <= current_date - {DIGEST_DAYS} AND words IS NULL AND digest <> ''",
    f"DELETE FROM search_tallies WHERE day <= current_date - {TALLY_DAYS}",
    f"DELETE FROM search_ranks WHERE day <= current_date - {TALLY_DAYS}",
)


def digest_of(server: Server, resource: str | None, q: str) -> bytes:
    """What a search is known by; without the server's secret, nobody can try which words it stands for."""
    text = f"{resource or EVERYWHERE}\0{normalised(q)}"
    return hmac.digest(server.key("searches"), text.encode(), "sha256")[:16]


async def count(server: Server, ctx: Context, heard: Sequence[Heard]) -> None:
    """Add what was heard to the tallies, and name what enough people have searched by now."""
    said = [each for each in heard if normalised(each.q)]
    no_more = [each.instead_of for each in said if isinstance(each, Searched) and each.instead_of]
    known = [(each, digest_of(server, each.resource, each.q)) for each in said]
    taken_back = [(each, digest_of(server, each.resource, each.q)) for each in no_more]
    await add_tallies(server, ctx, [(*each, 1) for each in known] + [(*each, -1) for each in taken_back])
    await add_ranks(ctx, [(each, 1) for each in said] + [(each, -1) for each in no_more])
    await forget_askers(server, ctx, taken_back)
    await name_what_many_ask(server, ctx, known)


async def add_tallies(server: Server, ctx: Context, known: Iterable[tuple[Heard, bytes, int]]) -> None:
    """Count each search, and all of its list; so many times."""
    counts: dict[tuple[date, str, bytes], Count] = defaultdict(Count)
    for each, digest, times in known:
        for key in (digest, TOTAL):
            counts[each.at.date(), each.resource or EVERYWHERE, key].add(each, server.config.slow_ms, times)
    rows = [(*key, *vars(added).values()) for key, added in sorted(counts.items(), key=lambda item: item[0])]
    if rows:
        await ctx.connection.execute(ADD_TALLIES, *map(list, zip(*rows, strict=True)))


async def add_ranks(ctx: Context, heard: Iterable[tuple[Heard, int]]) -> None:
    """Count the places that were shown, and those that were opened; so many times."""
    places: dict[tuple[date, str, int], list[int]] = defaultdict(lambda: [0, 0])
    for each, times in heard:
        day, resource = each.at.date(), each.resource or EVERYWHERE
        if isinstance(each, Searched):
            for rank in range(1, min(each.shown, MOST_RANK) + 1):
                places[day, resource, rank][0] += times
        elif each.rank <= MOST_RANK:
            places[day, resource, each.rank][1] += 1
    rows = [(*key, *added) for key, added in sorted(places.items())]
    if rows:
        await ctx.connection.execute(ADD_RANKS, *map(list, zip(*rows, strict=True)))


async def forget_askers(server: Server, ctx: Context, taken_back: Iterable[tuple[Searched, bytes]]) -> None:
    """Nobody has asked what was not typed to its end."""
    askers = [(digest, asker_of(server, digest, each.actor_id)) for each, digest in taken_back if each.actor_id]
    if askers:
        await ctx.connection.execute(FORGET_ASKERS, *map(list, zip(*sorted(askers), strict=True)))


async def name_what_many_ask(server: Server, ctx: Context, known: Iterable[tuple[Heard, bytes]]) -> None:
    """Count who asks, as far as they are signed in, and write down the words that enough different people have used."""
    asked = [(each, digest) for each, digest in known if isinstance(each, Searched)]
    askers = {
        (digest, asker_of(server, digest, each.actor_id)): each.at.date() for each, digest in asked if each.actor_id
    }
    if askers:
        rows = [(*key, day) for key, day in sorted(askers.items())]
        await ctx.connection.execute(ADD_ASKERS, *map(list, zip(*rows, strict=True)))
    digests = list({digest for _, digest in asked})
    many = await ctx.connection.fetch(ASKED_BY_MANY, digests, server.config.search_privacy, DIGEST_DAYS)
    named = {record["digest"] for record in many}
    texts = {(digest, each.at.date()): normalised(each.q)[:LONGEST] for each, digest in asked if digest in named}
    if texts:
        rows_of_texts = [(digest, words, day) for (digest, day), words in texts.items()]
        await ctx.connection.execute(NAME, *map(list, zip(*rows_of_texts, strict=True)))


def asker_of(server: Server, digest: bytes, person_id: str) -> bytes:
    """Somebody, as one of those who searched this: of another search they are somebody else."""
    return hmac.digest(server.key("searchers"), digest + person_id.encode(), "sha256")[:16]


async def forget_counts(work: Work) -> None:
    """Delete the digests that were not named in their time, and what was counted too long ago."""
    async with work.writing() as ctx:
        for statement in FORGET:
            await ctx.connection.execute(statement)


FORGET_COUNTS = Task("forget-search-counts", forget_counts)
schedules = (Schedule(FORGET_COUNTS, "47 3 * * *"),)
