"""The index follows the log: each process sees to it that the index of its node has every change, and that there is one.

One process of a node writes, the others look again when there is news. An index of another schema, of a log that was
exchanged, or one that is damaged, is not mended: another one is built beside it, while the old one goes on to answer.
"""

import asyncio
import re
from collections import defaultdict, deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from time import monotonic

import structlog

from guildhouse.kernel.db import Connection, Database
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change, Head, Stretch
from guildhouse.kernel.log.wake import Wake, keep_up
from guildhouse.kernel.row import Values
from guildhouse.kernel.searching.engine import Engine, is_broken
from guildhouse.kernel.searching.index_schema import Noun
from guildhouse.kernel.searching.index_set import IndexSet, Rows
from guildhouse.kernel.searching.search_document import documents_of
from guildhouse.kernel.searching.search_index import BUILDING, READY, SearchIndex, Stand, in_thread, remove_files

log = structlog.get_logger(__name__)

POLL = 0.25
# Seconds between two commits, each of which costs some 20 ms of CPU, however few its rows: as long as the last one took.
REST, LONGEST_REST = 0.05, 0.25
BATCH = 2_000  # changes at a time
# Of so many, at once or within a second, more come: they are left to gather for as long as they do, so that one commit has
# them all, and so that who writes them is not kept from it. Until nothing has come for a while, or somebody waits for them,
# or this is too long.
MANY = 500
STILL, LONGEST_GATHERING = 0.5, 2.0  # seconds
ROWS = 250  # rows at a time while an index is built
COMMIT_ROWS = 50_000
WANTED = "rebuild"  # a file of this name asks for a new index
DIRECTORY = re.compile(r"([0-9a-f]+)-(\w+)-(\d+)")


class Pace:
    """How many changes come in a second, as somebody finds them who looks a few times a second."""

    def __init__(self) -> None:
        self._looks: deque[tuple[float, int]] = deque()

    def at(self, pos: int) -> float:
        """Changes a second, over the last second or since the look before that, now that the log is at this position."""
        now, looks = monotonic(), self._looks
        looks.append((now, pos))
        while now - looks[0][0] >= 1 and now - looks[1][0] >= 1:
            looks.popleft()
        since, start = looks[0]
        return (pos - start) / max(1.0, now - since)


class IndexFollower:
    """Keeps the index of this node with the log."""

    def __init__(self, engine: Engine, database: Database, wake: Wake, place: Path) -> None:
        self._engine, self._database, self._wake, self._place = engine, database, wake, place
        self._index: IndexSet | None = None
        self._building: asyncio.Task[IndexSet] | None = None
        self._pace = Pace()

    async def run(self, stop: asyncio.Event) -> None:
        """Follow until stopped. Nothing else ends it: an index that fails is given up, and another one is built."""
        await keep_up(self._wake, stop, POLL, self.catch_up, self.give_up)
        await self.close()

    async def catch_up(self) -> None:
        """Take in all that the log has now."""
        end = await self.end()
        if self._index and self._engine.indexes is None:
            raise OSError("a search found the index damaged")
        if self._index and self._engine.epoch != end.epoch:
            await in_thread(self._index.close)
            self._index = None
        if self._index is None and self._building is None:
            await self.open(end)
        await self.build_if_wanted(end)
        if self._index and self._index.claim():
            await self.go_on(self._index, await self.gathered(end))
        elif self._index:
            await in_thread(self._index.reload)
            await self.look_on(self._index, end)

    async def end(self) -> Head:
        """Where the log ends: as the sequencer of this process has told, if that is news, or else as the database says."""
        told = self._wake.recent.head
        if told and told.pos > self._engine.pos:
            return told
        async with self._database.reading() as connection:
            return await changes.head(connection)

    async def gathered(self, end: Head) -> Head:
        """Where the log ends once many that come at once have gathered; few are taken in as they are."""
        begun = since = monotonic()
        many = max(end.pos - self._engine.pos, self._pace.at(end.pos)) >= MANY
        while many and not self._engine.awaited and monotonic() - begun < LONGEST_GATHERING:
            await asyncio.sleep(REST)
            now = await self.end()
            if now.pos != end.pos:
                end, since = now, monotonic()
            many = monotonic() - since < STILL
        return end

    async def go_on(self, index: IndexSet, end: Head) -> None:
        """The writer's part: every change up to the end."""
        pos = self._engine.pos
        while pos < end.pos:
            async with self._database.reading() as connection:
                stretch = await self.between(connection, pos, end.pos)
                rows = await self.rows_of(connection, stretch.changes)
            pos = stretch.upto
            begun = monotonic()
            if rows:
                stands = (Stand(end.epoch, self._engine.pos, READY), Stand(end.epoch, pos, READY))
                await in_thread(index.take_in, rows, *stands)
            self._engine.stands_at(index, end.epoch, pos)
            if rows:
                await asyncio.sleep(max(REST, min(LONGEST_REST, monotonic() - begun)))

    async def between(self, connection: Connection, pos: int, end: int) -> Stretch:
        """The next changes, without their values: those that this process has stamped are at hand."""
        if recent := self._wake.recent.after(pos)[: min(BATCH, end - pos)]:
            return Stretch(list(recent), recent[-1].pos or end)
        return await changes.thin_between(connection, pos, end, BATCH)

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

    async def look_on(self, index: IndexSet, end: Head) -> None:
        """The others' part: where the writer has come to, and from there on what is nothing to any index."""
        if index.stand is None or not index.is_ready:
            return
        pos = max(index.stand.pos, self._engine.pos)
        while pos < end.pos:
            async with self._database.reading() as connection:
                stretch = await self.between(connection, pos, end.pos)
            awaited = next((each.pos for each in stretch.changes if each.resource in index.indexes), None)
            pos = stretch.upto if awaited is None else awaited - 1
            if awaited is not None:
                break
        self._engine.stands_at(index, end.epoch, pos)

    async def open(self, end: Head) -> None:
        """Open the newest index that fits; where there is none, none."""
        for place in self.places(end.epoch):
            with suppress(ValueError, OSError):
                found = await in_thread(IndexSet, self._engine.schema, place)
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

    async def take_over(self, built: IndexSet, end: Head) -> None:
        """From now on the new index is written and answers; others are of no use any more."""
        stand = built.stand
        if stand is None or stand.epoch != end.epoch:
            return  # of a log that was exchanged while it was built
        if self._index:
            await in_thread(self._index.close)
        self._index = built
        self._engine.stands_at(built, stand.epoch, stand.pos)
        for each in self._place.glob("*-*-*"):
            if each != built.path:
                await in_thread(remove_files, each)

    async def build(self, end: Head) -> IndexSet:
        """A new index of all rows, in a directory of its own; it has the log up to where that was at the beginning."""
        newest = next(iter(self.places(end.epoch)), None)
        number = int(newest.name.rpartition("-")[2]) + 1 if newest else 1
        place = self._place / f"{self._engine.schema.digest}-{end.epoch}-{number}"
        index = await in_thread(IndexSet, self._engine.schema, place)
        if not index.claim():
            return await self.wait_for_other(index)
        rows = 0
        for noun in self._engine.schema.nouns.values():
            rows += await self.add_all(index.indexes[noun.name], noun, end)
        log.info("search.built", rows=rows, place=place.name)
        return index

    async def add_all(self, index: SearchIndex, noun: Noun, end: Head) -> int:
        """Add every row of a noun; says how many there are."""
        last, rows = "00000000-0000-0000-0000-000000000000", 0
        sql = f'SELECT {noun.columns} FROM "{noun.name}" WHERE deleted_at IS NULL AND id > $1 ORDER BY id LIMIT {ROWS}'
        while True:
            async with self._database.reading() as connection:
                records = await connection.fetch(sql, last)
            await in_thread(add, index, noun, records)
            rows += len(records)
            if len(records) < ROWS:
                await in_thread(index.commit, Stand(end.epoch, end.pos, READY))
                return rows
            last = records[-1]["id"]
            if rows % COMMIT_ROWS < ROWS:
                await in_thread(index.commit, Stand(end.epoch, end.pos, BUILDING))

    async def wait_for_other(self, index: IndexSet) -> IndexSet:
        """Another process of this node builds it: wait until it has, or until it has ended before."""
        while not index.is_ready and not index.claim():
            await asyncio.sleep(POLL)
            await in_thread(index.reload)
        if not index.is_ready:
            raise OSError(f"nobody finished {index.path}")
        return index

    async def give_up(self, error: Exception, in_a_row: int) -> None:
        """After a fault: of the database it is nothing to the index; else the index may be what is wrong."""
        log.warning("search.interrupted", error=repr(error), in_a_row=in_a_row)
        building, self._building = self._building, None
        if building:
            building.cancel()
        if is_broken(error):
            index, self._index = self._index, None
            self._engine.stands_at(None, "", 0)
            if index:
                await in_thread(index.remove)

    async def close(self) -> None:
        """Let go of everything."""
        if self._building:
            self._building.cancel()
            with suppress(BaseException):
                await self._building
        if self._index:
            await in_thread(self._index.close)


def add(index: SearchIndex, noun: Noun, records: Sequence[Values]) -> None:
    """Add rows that the index has not yet."""
    index.write((), [document for record in records for document in documents_of(noun, record)])
