"""Recent searches: what a person searched last, for their own eyes. They can forget one, or all, and keep none at all.

A search is heard when it is over (`kernel/searching/heard.py`) and written with others of the same second. What is
forgotten is deleted from the row and from the log.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, TypeAlias
from urllib.parse import urlencode

from sqlalchemy import ForeignKey, Index, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel import store
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.bulk_writing import Judged, Line, Op, Outcome, insert_many_sql, update_many_sql, write_stretch
from guildhouse.kernel.context import Context
from guildhouse.kernel.door import Door
from guildhouse.kernel.manifest import House
from guildhouse.kernel.may import nobody
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Carry, Find, Keep, Log, Resource, Shapes
from guildhouse.kernel.row import Row, Values
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.searching.heard import TYPING, Heard, Searched, cuts_a_word, is_beginning, normalised
from guildhouse.kernel.server import Server
from guildhouse.kernel.shapes import ReadShape
from guildhouse.kernel.tasks import Schedule, Task, Work
from guildhouse.kernel.writing import held, perform
from guildhouse.searches.asking import address_of

Asked: TypeAlias = tuple[str | None, str]  # the person, and the address that runs the search again
Lately: TypeAlias = "dict[str, list[tuple[str, RecentSearch]]]"  # by person, with their words as they are compared

MOST, KEPT_DAYS, AT_A_TIME = 50, 30, 200
LONGEST = 2000  # signs of an address; nobody types what is longer


class RecentSearch(Row):
    """What a person searched, and when last. The same search again is the same row."""

    __tablename__ = "recent_searches"

    person_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("people.id", ondelete="CASCADE"))
    resource: Mapped[str | None]
    q: Mapped[str]
    query: Mapped[dict[str, Any]]
    address: Mapped[str]
    found: Mapped[int | None]
    times: Mapped[int]
    searched_at: Mapped[datetime]

    __table_args__ = (
        Index("uq_recent_searches_person_id_address", "person_id", "address", unique=True),
        Index("ix_recent_searches_resource", "resource"),
        Index("ix_recent_searches_searched_at_id", "searched_at", "id"),
        Index("ix_recent_searches_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A recent search: in which list (null for all at once), for which words, with which other parameters.

    `address` runs it again; `found` is how many rows there were, if that was counted.
    """

    person_id: str
    resource: str | None
    q: str
    query: dict[str, Any]
    address: str
    found: int | None
    times: int
    searched_at: datetime


recent_searches = Resource(
    table=RecentSearch,
    shapes=Shapes(read=Read),
    scopes=lambda row: [scope("person", row.person_id)],
    find=Find(filter=("resource", "searched_at"), sort=("searched_at",), default="-searched_at"),
    log=Log(personal=("q", "query", "address")),
    carry=Carry(stays=True),
    keep=Keep(trash_days=None),
)

# Those who want their searches kept.
KEEPING = """SELECT id FROM people WHERE id = ANY($1) AND keeps_searches AND status = 'active' AND deleted_at IS NULL"""
THERE = f'SELECT * FROM "{recent_searches.name}" WHERE person_id = ANY($1) AND address = ANY($2)'
# What was searched for the first time a moment ago, and may not have been typed to its end.
LATELY = f"""
SELECT * FROM "{recent_searches.name}" WHERE person_id = ANY($1) AND searched_at > $2 AND times = 1
    AND hold_on('{recent_searches.name}', id, scopes) IS NULL
"""
# What is held stays, and so does the rest of it.
TOO_MANY = f"""
SELECT r.* FROM (
    SELECT *, row_number() OVER (PARTITION BY person_id ORDER BY searched_at DESC, id DESC) AS place
    FROM "{recent_searches.name}" WHERE person_id = ANY($1)
) r WHERE r.place > {MOST} AND hold_on('{recent_searches.name}', r.id, r.scopes) IS NULL
"""
TOO_OLD = f"""
SELECT * FROM "{recent_searches.name}" WHERE searched_at < now() - make_interval(days => {KEPT_DAYS})
    AND hold_on('{recent_searches.name}', id, scopes) IS NULL ORDER BY id LIMIT {AT_A_TIME}
"""
MINE = f'SELECT * FROM "{recent_searches.name}" WHERE person_id = $1'


async def remember(_server: Server, ctx: Context, heard: Sequence[Heard]) -> None:
    """Write down what was searched, for those who want that; of what goes beyond the newest, nothing stays.

    Nor does what they were still typing: another process may have heard that.
    """
    found = [each for each in heard if isinstance(each, Searched) and each.actor_id and each.q.strip()]
    asked = {each.actor_id for each in found}
    keeping = {record["id"] for record in await ctx.connection.fetch(KEEPING, list(asked))} if asked else set()
    if not keeping:
        return
    addressed = [(each, run_at(ctx.house, each)) for each in found if each.actor_id in keeping]
    last = newest({(each.actor_id, address): each for each, address in addressed if len(address) <= LONGEST})
    records = await ctx.connection.fetch(THERE, list(keeping), [address for _, address in last])
    there = {(record["person_id"], record["address"]): RecentSearch.of(record) for record in records}
    since = min(each.at for each, _ in addressed) - TYPING
    lately: Lately = defaultdict(list)
    for record in await ctx.connection.fetch(LATELY, list(keeping), since):
        lately[record["person_id"]].append((normalised(record["q"]), RecentSearch.of(record)))
    written: dict[Asked, Searched] = {}
    typed_on: dict[str, RecentSearch] = {}
    for (person, address), each in last.items():
        typing = [row for row in typed_to(each, lately[person or ""]) if row.address != address]
        if not any(cuts_a_word(row.q, each.q) for row in typing):
            written[person, address] = each
            typed_on |= {row.id: row for row in typing}
    await forget(ctx, [row.values() for row in typed_on.values()])
    await write(ctx, written, there)
    await forget(ctx, await ctx.connection.fetch(TOO_MANY, list(keeping)))


async def write(ctx: Context, searches: Mapping[Asked, Searched], there: Mapping[Asked, RecentSearch]) -> None:
    """Write searches that are new, and those that are there as repeated: each kind in one statement."""
    new, repeated = list[Judged](), list[Judged]()
    for n, ((person, address), each) in enumerate(searches.items()):
        values: dict[str, Any] = {"found": each.found, "searched_at": each.at}
        line = Line(n, Op(op="create"), None)
        if row := there.get((person, address)):
            values["times"] = row.times + 1
            after = await store.judge_change(ctx, recent_searches, row, values, nobody, "repeated")
            repeated.append(Judged(line, "changed", row, after))
        else:
            values |= {"person_id": person, "resource": each.resource, "q": each.q, "query": dict(each.query)}
            values |= {"address": address, "times": 1}
            new.append(Judged(line, "created", None, await store.judge_new(ctx, recent_searches, values, "created")))
    outcomes = [Outcome("failed") for _ in searches]
    await write_stretch(ctx, recent_searches, insert_many_sql(recent_searches), new, outcomes, "created")
    await write_stretch(ctx, recent_searches, update_many_sql(recent_searches), repeated, outcomes, "repeated")


def newest(last: Mapping[Asked, Searched]) -> dict[Asked, Searched]:
    """The newest of each person, as many as are kept: what would go again at once is not written at all."""
    kept: Counter[str | None] = Counter()
    found = []
    for (person, address), each in sorted(last.items(), key=lambda item: item[1].at, reverse=True):
        kept[person] += 1
        if kept[person] <= MOST:
            found.append(((person, address), each))
    return dict(reversed(found))


def typed_to(search: Searched, lately: Iterable[tuple[str, RecentSearch]]) -> Iterator[RecentSearch]:
    """What somebody goes on from, out of what they have searched a moment ago."""
    said = normalised(search.q)
    for words, row in lately:  # many where somebody is quick: most are told apart by their words
        if is_beginning(words, said) and is_same_but_words(search, row):
            yield row


def is_same_but_words(search: Searched, row: RecentSearch) -> bool:
    """Whether somebody has searched the same list with the same filters, a moment ago."""
    same = (row.person_id, row.resource, row.query) == (search.actor_id, search.resource, search.query)
    return same and abs(search.at - row.searched_at) < TYPING


def run_at(house: House, search: Searched) -> str:
    """The address that runs a search again."""
    query = {"q": search.q, **search.query}
    resource = house.resources.get(search.resource or "")
    return address_of(resource, query) if resource else f"/v1/search?{urlencode(sorted(query.items()))}"


async def forget(ctx: Context, records: Sequence[Values]) -> None:
    """Delete searches, from the log as well."""
    if records:
        await store.erase(ctx, {recent_searches: [RecentSearch.of(record) for record in records]})


async def forget_one(call: Call) -> Answer:
    """Forget one search for good."""

    async def act(ctx: Context) -> Answer:
        await store.erase(ctx, {recent_searches: [await held(call, ctx, recent_searches)]})
        return Answer(204)

    return await perform(call, act)


async def forget_all(call: Call) -> Answer:
    """Forget all searches of the caller for good."""

    async def act(ctx: Context) -> Answer:
        await forget(ctx, await ctx.connection.fetch(MINE, call.actor.id))
        return Answer(204)

    return await perform(call, act)


async def forget_old(work: Work) -> None:
    """Forget what was searched too long ago."""
    many = AT_A_TIME
    while many == AT_A_TIME:
        async with work.writing() as ctx:
            records = await ctx.connection.fetch(TOO_OLD)
            await forget(ctx, records)
        many = len(records)


FORGET_OLD = Task("forget-old-searches", forget_old)
schedules = (Schedule(FORGET_OLD, "37 3 * * *"),)
doors = (
    Door("DELETE", "/v1/recent-searches/{id}", "recent_searches.write", "Forget a recent search for good", forget_one,
         recent_searches),
    Door("POST", "/v1/recent-searches:clear", "recent_searches.write", "Forget all your recent searches for good",
         forget_all, recent_searches),
)  # fmt: skip
