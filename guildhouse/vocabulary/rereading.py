"""Rereading: rows say what is found in their own words, whoever wrote them, and however.

What is found in a row is written with it, by its resource's `derive`: the version that a client is answered with is the
one that stays. A reader of the log looks after the rows that no `derive` has seen: those that were there before, those put
back from another server, those mended by hand. It writes only where a row says something else than its words, so that it
neither follows its own changes nor does anything when it reads the log again.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from guildhouse.kernel import bulk
from guildhouse.kernel.actor import HOUSE
from guildhouse.kernel.bulk_writing import Judged, Line, Op, Outcome, update_many_sql, write_stretch
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Connection
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.log.readers.reader import Reader, because
from guildhouse.kernel.manifest import House
from guildhouse.kernel.resource import Resource
from guildhouse.vocabulary.extraction import automata, skills_in
from guildhouse.vocabulary.occupations import register
from guildhouse.vocabulary.skills import skill_named

MOST = 100  # skills of one row
VERB = "words_read"
AT_A_TIME = 100  # changes, because all else in the process waits while their texts are read


async def vocabulary_at_hand() -> None:
    """Load the vocabulary beside other requests, the first time."""
    if not (automata.is_loaded and register.is_loaded):
        await asyncio.to_thread(lambda: (automata(), register()))


@dataclass(frozen=True)
class Words:
    """Which columns hold a row's words (`read`), and the columns that `find` fills from them (`found`).

    What is looked up for it is `at_hand` before.
    """

    read: tuple[str, ...]
    found: tuple[str, ...]
    find: Callable[[Any], Mapping[str, Any]]
    at_hand: Callable[[], Awaitable[None]] = vocabulary_at_hand

    async def derived(self, before: Any, after: Any) -> Mapping[str, Any]:
        """What is found in a row that is being written: read again only where its words have changed."""
        if before is not None and self.were_read(before) and self.are_alike(before, after):
            return {name: before.__dict__[name] for name in self.found}
        if any(after.__dict__[name] for name in self.read):
            await self.at_hand()
        return self.find(after)

    def were_read(self, row: Any) -> bool:
        """Whether somebody has read a row's words before."""
        return row.__dict__[self.found[0]] is not None

    def are_alike(self, one: Any, other: Any) -> bool:
        """Whether two rows have the same words."""
        return all(one.__dict__[name] == other.__dict__[name] for name in self.read)

    def missing(self, row: Any) -> Mapping[str, Any]:
        """What a row should say and does not."""
        return {name: value for name, value in self.find(row).items() if row.__dict__[name] != value}


def skills_of(named: Iterable[str] | None, *texts: str | None) -> list[str]:
    """The skills that somebody names in a list, then those that texts mention, each by the name that it has here."""
    words = {word: skill_named(word) for word in named or ()}
    unknown = [word for word, name in words.items() if name is None]
    mentioned = skills_in("\n\n".join(text for text in (*unknown, *texts) if text))
    return list(dict.fromkeys((*filter(None, words.values()), *mentioned)))[:MOST]


def keeper(name: str, resource: Resource[Any], words: Words) -> Reader:
    """The reader that sees to it that rows of a resource say what is found in their words."""

    async def handle(connection: Connection, changes: Sequence[Change]) -> None:
        told = [change for change in changes if concerns(change, words)]
        if told:
            await words.at_hand()
            ctx = Context(House(), connection, HOUSE, because(told[-1]))
            await mend(ctx, resource, words, sorted({change.row_id for change in told}))

    return Reader(name, handle, resources=(resource.name,), batch=AT_A_TIME, lacking=words.found[0])


def concerns(change: Change, words: Words) -> bool:
    """Whether a change may have parted a row from its words. Those of a new one that says what is found in it were read."""
    if change.after is None or change.verb == VERB:
        return False
    if change.before is None:
        return words.found[0] not in change.after
    return not {*change.before, *change.after}.isdisjoint((*words.read, *words.found))


async def mend(ctx: Context, resource: Resource[Any], words: Words, ids: Sequence[str]) -> None:
    """Write what is missing in the live ones of these rows, all in one statement."""
    columns = ", ".join(f'"{name}"' for name in ("id", *words.read, *words.found))
    sql = f'SELECT {columns} FROM "{resource.name}" WHERE id = ANY($1::uuid[]) AND deleted_at IS NULL'
    wrong = [r["id"] for r in await ctx.connection.fetch(sql, ids) if words.missing(resource.table.of(r))]
    if not wrong:
        return
    rows = [resource.table.of(record) for record in await ctx.connection.fetch(bulk.ids_sql(resource), wrong)]
    judged = [
        Judged(
            Line(n, Op(op="change", id=row.id), None), "changed", row, resource.table.of({**row.__dict__, **missing})
        )
        for n, row in enumerate(rows)
        if row.deleted_at is None and (missing := words.missing(row))
    ]
    outcomes = [Outcome("failed") for _ in rows]
    for _, error in await write_stretch(ctx, resource, update_many_sql(resource), judged, outcomes, VERB):
        raise error
