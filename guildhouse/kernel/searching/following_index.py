"""The index follows the log: each process sees to it that the index of its node has every change, and that there is one.

One process of a node writes, the others look again when there is news. An index of another schema, of a log that was
exchanged, or one that is damaged, is not mended: another one is built beside it, while the old one goes on to answer.
"""

import asyncio
import re
from collections import defaultdict
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TypeAlias

import structlog
from tantivy import Document

from guildhouse.kernel.db import Connection, Database
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change, Head
from guildhouse.kernel.log.wake import Wake, backoff, first, tied
from guildhouse.kernel.row import Values
from guildhouse.kernel.searching.engine import Engine, is_broken
from guildhouse.kernel.searching.index_schema import Noun
from guildhouse.kernel.searching.search_document import documents_of, key_of
from guildhouse.kernel.searching.search_index import BUILDING, READY, SearchIndex, Stand

log = structlog.get_logger(__name__)

POLL = 0.25
BATCH = 1_000  # changes at a time
ROWS = 250  # rows at a time while an index is built
COMMIT_ROWS = 50_000
WANTED = "rebuild"  # a file of this name asks for a new index
# Of one noun: the ids of what changed, and what is there of them now.
Rows: TypeAlias = tuple[Noun, set[str], Sequence[Values]]
DIRECTORY = re.compile(r"([0-9a-f]+)-(\w+)-(\d+)")


class IndexFollower:
    """Keeps the index of this node with the log."""

    def __init__(self, engine: Engine, database: Database, wake: Wake, place: Path) -> None:
        self._engine, self._database, self._wake, self._place = engine, database, wake, place
        self._index: SearchIndex | None = None
        self._building: asyncio.Task[SearchIndex] | None = None

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until stopped. Nothing else ends it: an index that fails is given up, and another one is built."""
        news, in_a_row = self._wake.stamped.event(), 0
        with tied(news, stop):
            while not stop.is_set():
                news.clear()
                try:
                    await self.catch_up()
                    in_a_row = 0
                    await first(news, within=POLL)
                except asyncio.CancelledError:
                    raise
                except BaseException as error:  # tantivy panics with what is no Exception
                    if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
                        raise
                    in_a_row += 1
                    log.warning("search.interrupted", error=repr(error), in_a_row=in_a_row)
                    await self.give_up(error)
                    await first(stop, within=backoff(in_a_row))
        await self.close()

    async def catch_up(self) -> None:
        """Take in all that the log has now."""
        async with self._database.reading() as connection:
            end = await changes.head(connection)
        if self._index and self._engine.index is None:
            raise OSError("a search found the index damaged")
        if self._index and self._engine.epoch != end.epoch:
            await asyncio.to_thread(self._index.close)
            self._index = None
        if self._index is None and self._building is None:
            await self.open(end)
        await self.build_if_wanted(end)
        if self._index and self._index.claim():
            await self.go_on(self._index, end)
        elif self._index:
            await asyncio.to_thread(self._index.reload)
            self.tell(self._index)

    async def go_on(self, index: SearchIndex, end: Head) -> None:
        """The writer's part: every change up to the end."""
        pos = self._engine.pos
        while pos < end.pos:
            async with self._database.reading() as connection:
                stretch = await changes.thin_between(connection, pos, end.pos, BATCH)
                rows = await self.rows_of(connection, stretch.changes)
            pos = stretch.upto
            if rows:
                await asyncio.to_thread(self.take_in, index, rows, Stand(end.epoch, pos, READY))
            self._engine.stands_at(index, end.epoch, pos)

    async def rows_of(self, connection: Connection, batch: Sequence[Change]) -> list[Rows]:
        """The rows of these changes as they are now: those that are there no more are among the ids only."""
        changed: dict[str, set[str]] = defaultdict(set)
        for change in batch:
            if change.resource in self._engine.schema.nouns:
                changed[change.resource].add(change.row_id)
        found: list[Rows] = []
        for name, ids in changed.items():
            noun = self._engine.schema.nouns[name]
            sql = f'SELECT {noun.columns} FROM "{name}" WHERE id = ANY($1) AND deleted_at IS NULL'
            found.append((noun, ids, await connection.fetch(sql, list(ids))))
        return found

    @staticmethod
    def take_in(index: SearchIndex, rows: Sequence[Rows], stand: Stand) -> None:
        """Write these rows in place of what the index had of them."""
        for noun, ids, records in rows:
            gone = [key_of(noun.name, each) for each in ids]
            index.write(gone, made(noun, records))
        index.commit(stand)

    def tell(self, index: SearchIndex) -> None:
        """Say where an index stands that another process writes."""
        if index.stand and index.is_ready:
            self._engine.stands_at(index, index.stand.epoch, index.stand.pos)

    async def open(self, end: Head) -> None:
        """Open the newest index that fits; where there is none, none."""
        for place in self.places(end.epoch):
            with suppress(ValueError, OSError):
                found = await asyncio.to_thread(SearchIndex, self._engine.schema, place)
                stand = found.stand
                if found.is_ready and stand and stand.pos <= end.pos:
                    self._index = found
                    self._engine.stands_at(found, stand.epoch, stand.pos)
                    return
        self._index = None
        self._engine.stands_at(None, "", 0)

    def places(self, epoch: str) -> list[Path]:
        """The directories of indexes of this schema and this log, the newest first."""
        found = [(each, DIRECTORY.fullmatch(each.name)) for each in self._place.glob("*-*-*")]
        fit = [(int(m[3]), each) for each, m in found if m and m[1] == self._engine.schema.digest and m[2] == epoch]
        return [each for _, each in sorted(fit, reverse=True)]

    async def build_if_wanted(self, end: Head) -> None:
        """Begin to build where there is no index, or a new one was asked for; and take it over once it is built."""
        wanted = self._place / WANTED
        if self._building is None and (self._index is None or wanted.exists()):
            wanted.unlink(missing_ok=True)
            self._building = asyncio.create_task(self.build(end))
        if self._building and self._index is None:
            await asyncio.wait({self._building}, timeout=POLL)
        if self._building and self._building.done():
            task, self._building = self._building, None
            await self.take_over(task.result(), end)

    async def take_over(self, built: SearchIndex, end: Head) -> None:
        """From now on the new index is written and answers; others are of no use any more."""
        stand = built.stand
        if stand is None or stand.epoch != end.epoch:
            return  # of a log that was exchanged while it was built
        if self._index:
            await asyncio.to_thread(self._index.close)
        self._index = built
        self._engine.stands_at(built, stand.epoch, stand.pos)
        for each in self._place.glob("*-*-*"):
            if each != built.path:
                await asyncio.to_thread(SearchIndex.remove_files, each)

    async def build(self, end: Head) -> SearchIndex:
        """A new index of all rows, in a directory of its own; it has the log up to where that was at the beginning."""
        newest = next(iter(self.places(end.epoch)), None)
        number = int(newest.name.rpartition("-")[2]) + 1 if newest else 1
        place = self._place / f"{self._engine.schema.digest}-{end.epoch}-{number}"
        index = await asyncio.to_thread(SearchIndex, self._engine.schema, place)
        if not index.claim():
            return await self.wait_for_other(index)
        rows = 0
        for noun in self._engine.schema.nouns.values():
            rows = await self.add_all(index, noun, Stand(end.epoch, end.pos, BUILDING), rows)
        await asyncio.to_thread(index.commit, Stand(end.epoch, end.pos, READY))
        log.info("search.built", rows=rows, place=place.name)
        return index

    async def add_all(self, index: SearchIndex, noun: Noun, stand: Stand, rows: int) -> int:
        """Add every row of a noun; says how many rows the index has then."""
        last = "00000000-0000-0000-0000-000000000000"
        sql = f'SELECT {noun.columns} FROM "{noun.name}" WHERE deleted_at IS NULL AND id > $1 ORDER BY id LIMIT {ROWS}'
        while True:
            async with self._database.reading() as connection:
                records = await connection.fetch(sql, last)
            if not records:
                return rows
            last = records[-1]["id"]
            await asyncio.to_thread(add, index, noun, records)
            rows += len(records)
            if rows % COMMIT_ROWS < ROWS:
                await asyncio.to_thread(index.commit, stand)

    async def wait_for_other(self, index: SearchIndex) -> SearchIndex:
        """Another process of this node builds it: wait until it has, or until it has ended before."""
        while not index.is_ready and not index.claim():
            await asyncio.sleep(POLL)
            await asyncio.to_thread(index.reload)
        if not index.is_ready:
            raise OSError(f"nobody finished {index.path}")
        return index

    async def give_up(self, error: BaseException) -> None:
        """After a fault: of the database it is nothing to the index; else the index may be what is wrong."""
        building, self._building = self._building, None
        if building:
            building.cancel()
        if is_broken(error):
            index, self._index = self._index, None
            self._engine.stands_at(None, "", 0)
            if index:
                await asyncio.to_thread(index.remove)

    async def close(self) -> None:
        """Let go of everything."""
        if self._building:
            self._building.cancel()
            with suppress(BaseException):
                await self._building
        if self._index:
            await asyncio.to_thread(self._index.close)


def add(index: SearchIndex, noun: Noun, records: Sequence[Values]) -> None:
    """Add rows that the index has not yet."""
    index.write((), made(noun, records))


def made(noun: Noun, records: Sequence[Values]) -> list[Document]:
    """The documents of these rows."""
    return [each for record in records for each in documents_of(noun, record)]
