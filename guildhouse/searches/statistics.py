"""Statistics for staff: what people search and do not find, what is slow, and which places of a list they open."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from asyncpg import Record
from pydantic import Field

from guildhouse.kernel.answer import Answer
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.may import anyone, holds
from guildhouse.kernel.request import Call
from guildhouse.kernel.searching.heard import Clicked
from guildhouse.kernel.shapes import Line, Shape
from guildhouse.searches.asking import list_of
from guildhouse.searches.recent_search import recent_searches
from guildhouse.searches.tally import EVERYWHERE, TALLY_DAYS, TOTAL

MOST, DAYS = 20, 30


class WrongDays(BadRequest):
    """`days` takes a whole number from 1 to {most}."""


class SearchCount(Shape):
    """A search that enough people have made for its words to be shown."""

    q: str = Field(examples=["nurse"])
    searches: int
    found_nothing: int = Field(description="How many of them found nothing.")
    clicks: int = Field(description="How often something was opened out of what they found.")
    mean_ms: float
    slowest_ms: float


class RankCount(Shape):
    """One place of a list of results, counted from 1."""

    rank: int
    shown: int = Field(description="How many searches showed something at this place.")
    clicks: int
    rate: float | None = Field(description="Clicks for each time that it was shown.")


class ListSearches(Shape):
    """What was searched in one list; null is the search over all lists at once."""

    resource: str | None = Field(examples=["jobs"])
    searches: int
    found_nothing: int
    slow: int = Field(description="How many took longer than the server's setting `slow_ms`.")
    clicks: int
    mean_ms: float
    slowest_ms: float
    unnamed: int = Field(description="Searches whose words too few people have used for them to be shown.")
    most_frequent: list[SearchCount]
    finding_nothing: list[SearchCount]
    slowest: list[SearchCount]
    ranks: list[RankCount]


class Statistics(Shape):
    """What was searched in the last days, today included. No search is tied to anybody."""

    days: int = Field(examples=[30])
    people_needed: int = Field(description="How many must search the same before its words are shown.", examples=[5])
    data: list[ListSearches]


class Click(Shape):
    """Something was opened out of what a search has found: where it stood, counted from 1."""

    resource: Line | None = Field(
        default=None, description="The noun as addresses have it; none for all lists at once."
    )
    q: Line = Field(examples=["nurse"])
    rank: int = Field(ge=1, le=10_000, examples=[1])


COUNTS = """sum(searches)::int AS searches, sum(found_nothing)::int AS found_nothing, sum(slow)::int AS slow,
    sum(clicks)::int AS clicks, sum(milliseconds) AS milliseconds, max(slowest) AS slowest_ms"""
TOTALS = (
    f"SELECT resource, {COUNTS} FROM search_tallies WHERE day > $1 AND digest = $2 GROUP BY resource ORDER BY resource"
)
NAMED = f"""
SELECT resource, max(words) AS q, {COUNTS} FROM search_tallies WHERE day > $1 AND digest <> $2
GROUP BY resource, digest HAVING max(words) IS NOT NULL AND sum(searches) > 0 ORDER BY 2
"""
RANKS = """
SELECT resource, rank, sum(shown)::int AS shown, sum(clicks)::int AS clicks FROM search_ranks WHERE day > $1
GROUP BY resource, rank ORDER BY rank
"""


async def read_statistics(call: Call) -> Answer:
    """What was searched in the last days."""
    days = days_of(call)
    async with call.server.database.reading() as connection:
        before = await connection.fetchval("SELECT current_date - $1::int", days)
        totals = await connection.fetch(TOTALS, before, TOTAL)
        named = await connection.fetch(NAMED, before, TOTAL)
        ranks = await connection.fetch(RANKS, before)
    found = [of_list(each, of_noun(named, each), of_noun(ranks, each)) for each in totals]
    told = Statistics(days=days, people_needed=call.server.config.search_privacy, data=found)
    return Answer(200, dumps(told.model_dump()), headers={"Cache-Control": "private, no-store"})


def days_of(call: Call) -> int:
    """How many days are asked for."""
    call.refuse_others(["days"])
    asked = call.param("days") or str(DAYS)
    if not (asked.isascii() and asked.isdecimal() and 1 <= int(asked[:6]) <= TALLY_DAYS):
        raise WrongDays(most=TALLY_DAYS)
    return int(asked)


def of_noun(records: Iterable[Record], total: Record) -> list[Record]:
    """The records of the list that a total is of."""
    return [each for each in records if each["resource"] == total["resource"]]


def of_list(total: Record, named: Sequence[Record], ranks: Sequence[Record]) -> ListSearches:
    """What is told of one list."""
    return ListSearches(
        resource=None if total["resource"] == EVERYWHERE else total["resource"],
        **{name: total[name] for name in ("searches", "found_nothing", "slow", "clicks", "slowest_ms")},
        mean_ms=mean(total),
        unnamed=total["searches"] - sum(each["searches"] for each in named),
        most_frequent=first(named, lambda each: each["searches"]),
        finding_nothing=first(named, lambda each: each["found_nothing"]),
        slowest=first(named, mean),
        ranks=[rank_of(each) for each in ranks],
    )


def first(named: Sequence[Record], by: Callable[[Record], Any]) -> list[SearchCount]:
    """The searches that have most of something, as far as they have any."""
    found = sorted((each for each in named if by(each)), key=by, reverse=True)[:MOST]
    return [
        SearchCount(**{name: each[name] for name in SearchCount.model_fields if name != "mean_ms"}, mean_ms=mean(each))
        for each in found
    ]


def mean(record: Record) -> float:
    """The milliseconds that one of these searches took."""
    return round(record["milliseconds"] / record["searches"], 1) if record["searches"] else 0.0


def rank_of(record: Record) -> RankCount:
    """What is told of one place."""
    rate = round(record["clicks"] / record["shown"], 4) if record["shown"] else None
    return RankCount(rank=record["rank"], shown=record["shown"], clicks=record["clicks"], rate=rate)


async def note_click(call: Call) -> Answer:
    """Say that something was opened out of what a search has found. It is counted, and tied to nobody."""
    click = await call.shaped(Click)
    name = list_of(call.server.house, click.resource).name if click.resource else None
    call.server.ear.hear(Clicked(name, click.q, click.rank))
    return Answer(204)


doors = (
    Door("GET", "/v1/search-statistics", "recent_searches.read", "What people search, and what they do not find",
         read_statistics, recent_searches, kind="read", cost=20, open_to=holds("searches.statistics"), gives=Statistics),
    Door("POST", "/v1/search:click", "recent_searches.write", "Say what was opened out of a search", note_click,
         recent_searches, kind="read", open_to=anyone, takes=Click),
)  # fmt: skip
