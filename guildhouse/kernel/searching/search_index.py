"""The search index of one noun: a directory of this node, written by one process, read by all. Not worth a backup.

The position of the log that the index has come to is a document of the index itself, written in the same commit as what
it stands for: whatever kills the process, the index and its position agree.
"""

import asyncio
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from threading import RLock, get_native_id
from typing import Any, NamedTuple, TypeVar

from tantivy import Document, Index, IndexWriter, Order, Query, Searcher

from guildhouse.kernel.searching.index_schema import CURSOR, HIDDEN, HIGH, KEY, LOW, SCOPES, NounSchema
from guildhouse.kernel.searching.tokens import analyzers

T = TypeVar("T")

NICENESS = 10
HEAP = 32_000_000  # bytes that a writer gathers before it writes a segment
READY, BUILDING = "ready", "building"


class IndexDamaged(OSError):
    """Tantivy panicked over the files of an index."""


class Hit(NamedTuple):
    """A row that was found: how well it fits (0 where it was sorted otherwise), and its id as a number.

    Of hundreds of hits a page shows a few: what an id reads like is found out for these.
    """

    score: float
    number: int

    @property
    def row_id(self) -> str:
        """The id as it is written."""
        text = f"{self.number:032x}"
        return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@dataclass(frozen=True, slots=True)
class Stand:
    """Where an index stands: the log's position, and whether all rows of before are in it."""

    epoch: str
    pos: int
    state: str

    def text(self) -> str:
        """As it stands in the index."""
        return f"{self.epoch} {self.pos} {self.state}"

    @classmethod
    def parse(cls, text: str) -> "Stand":
        """Read what `text` wrote."""
        epoch, pos, state = text.split(" ")
        return cls(epoch, int(pos), state)


class SearchIndex:
    """An index on disk, or in memory without a `path`. Raises what tantivy raises: ValueError, OSError."""

    def __init__(self, schema: NounSchema, path: Path | None = None) -> None:
        self.schema, self.path = schema, path
        if path:
            path.mkdir(parents=True, exist_ok=True)
        self._index = Index(schema.built, path=str(path) if path else None)
        for name, analyzer in analyzers().items():
            self._index.register_tokenizer(name, analyzer)
        self._index.config_reader(reload_policy="manual")
        self._writer: IndexWriter | None = None
        self._writing = RLock()  # a thread may still write whose waiter was told to stop
        self.reload()

    def reload(self) -> None:
        """See what was committed last."""
        self._index.reload()
        self.searcher: Searcher = self._index.searcher()
        self.stand = self._read_stand()

    def _read_stand(self) -> Stand | None:
        found = self.searcher.search(Query.term_query(self.schema.built, KEY, CURSOR), 1, count=False).hits
        text = self.searcher.doc(found[0][1]).get_first(CURSOR) if found else None
        return Stand.parse(text) if text else None

    @property
    def is_ready(self) -> bool:
        """Whether all rows are in it, so that it may answer."""
        return self.stand is not None and self.stand.state == READY

    def claim(self) -> bool:
        """Become the one that writes, if nobody else does; the operating system gives it free when a process ends."""
        if self._writer is None:
            try:
                # One in memory is made for somebody who waits for it.
                made_in = in_the_background if self.path else at_once
                self._writer = made_in(lambda: self._index.writer(HEAP, 1))
            except ValueError as error:
                if "LockBusy" in str(error):
                    return False
                raise
        return True

    def write(self, gone: Iterable[str], documents: Iterable[Document]) -> None:
        """Take away what stands under these keys, then add; seen from the next commit on. Only after `claim`."""
        with self._writing:
            assert self._writer
            for key in gone:
                self._writer.delete_documents_by_term(KEY, key)
            for each in documents:
                self._writer.add_document(each)

    def commit(self, stand: Stand) -> None:
        """Make what was written last, together with where it stands, and see it."""
        mark = Document()
        mark.add_text(KEY, CURSOR)
        mark.add_text(CURSOR, stand.text())
        mark.add_text(SCOPES, HIDDEN)
        with self._writing:
            self.write([CURSOR], [mark])
            assert self._writer
            self._writer.commit()
        self.reload()

    def empty(self, stand: Stand) -> None:
        """Take everything away."""
        with self._writing:
            assert self._writer
            self._writer.delete_all_documents()
            self.commit(stand)

    def search(
        self, query: Query, limit: int, by: str | None = None, descending: bool = True
    ) -> tuple[Sequence[Hit], int]:
        """The best documents as ids, each once, and how many there are; or sorted `by` a field of numbers, then by id."""
        order = Order.Desc if descending else Order.Asc
        searcher = self.searcher
        found = searcher.search(query, limit, count=True, order_by_field=by, order=order)
        places = found.hits
        if not places:
            return (), 0
        addresses = [address for _, address in places]
        halves = (searcher.fast_field_values(name, addresses) for name in (HIGH, LOW))
        placed = [(place, joined(high, low)) for (place, _), high, low in zip(places, *halves, strict=True)]
        if by:  # what has no value stands anywhere: the database puts that in order
            placed.sort(key=lambda each: (each[0] or 0, each[1]), reverse=descending)
        hits = [Hit(0.0 if by else place, number) for place, number in placed]
        count: int = found.count  # type: ignore[attr-defined]  # it is there, its stub lacks it
        return each_once(hits) if self.schema.noun.split else hits, count

    def count(self, query: Query) -> int:
        """How many documents a query finds."""
        count: int = self.searcher.search(query, 1).count  # type: ignore[attr-defined]  # it is there, its stub lacks it
        return count

    def close(self) -> None:
        """Let go of the writer."""
        with self._writing:
            if self._writer:
                self._writer.wait_merging_threads()
                self._writer = None

    def let_go(self) -> None:
        """Let go of the writer without waiting for anything."""
        self._writer = None


def each_once(hits: Iterable[Hit]) -> list[Hit]:
    """The best hit of each row, where a row has several documents."""
    best: dict[int, Hit] = {}
    for hit in hits:
        best.setdefault(hit.number, hit)
    return list(best.values())


async def in_thread(work: Callable[..., T], *args: Any) -> T:
    """What is done with an index, in a thread. Raises `IndexDamaged`."""
    return await asyncio.to_thread(without_panic, work, *args)


def without_panic(work: Callable[..., T], *args: Any) -> T:
    """What is done with an index. Raises `IndexDamaged` where tantivy panics, which is no Exception."""
    try:
        return work(*args)
    except BaseException as error:
        if type(error).__name__ == "PanicException":
            raise IndexDamaged(str(error)) from error
        raise


def remove_files(path: Path) -> None:
    """Delete a directory of indexes."""
    shutil.rmtree(path, ignore_errors=True)


def in_the_background(make: Callable[[], T]) -> T:
    """Make what has threads of its own in a thread of low priority: they inherit it, and give way to requests."""

    def lowered() -> T:
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), NICENESS)
        return make()

    with ThreadPoolExecutor(1) as thread:
        return thread.submit(lowered).result()


def at_once(make: Callable[[], T]) -> T:
    """Make it here and now."""
    return make()


def joined(high: Any, low: Any) -> int:
    """The number of an id from its two halves."""
    number: int = (high << 64) | low
    return number
