"""The context: what a verb, a rule or a reader acts with. One request or one task, one context, one transaction."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

import asyncpg
from sqlalchemy.sql.elements import ClauseElement

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.db import Connection, Note, fetch
from guildhouse.kernel.errors import NotFound
from guildhouse.kernel.manifest import House
from guildhouse.kernel.remembered import Key, Remembered
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import Row

R = TypeVar("R", bound=Row)


class Behind(Protocol):
    """What a batch has judged, and writes while it judges on."""

    async def settle(self) -> None:
        """Until all of it is written."""

    async def free(self) -> None:
        """Until what is being written is; the connection is then free."""


@dataclass(slots=True)
class Context:
    """Who acts (`actor`), in which transaction (`connection`), and what the log will say about it (`note`)."""

    house: House
    connection: Connection
    actor: Actor
    note: Note
    now: datetime = field(default_factory=lambda: datetime.now(UTC))
    # The transaction's number, known from its first write on: the position that the write answers with.
    xid: str | None = None
    # What only this one answer shows: a new key's secret. It is never stored, not even for a replay.
    revealed: dict[str, Any] = field(default_factory=dict)
    memo: dict[Any, Any] = field(default_factory=dict)
    # What was written so far: (table, scopes of the row).
    written: list[tuple[str, list[str]]] = field(default_factory=list)
    # Only where the write is one statement: rows of earlier requests, and those that this one was judged by.
    remembered: Remembered | None = None
    relied: dict[Key, int] = field(default_factory=dict)
    # While a batch is judged: what it has judged so far.
    behind: Behind | None = None

    async def asking(self, *, guarded: bool = False) -> Connection:
        """The connection, to ask something by which a row is judged.

        In a batch the rows before it are written by then. They need not be where the answer is `guarded`: by an index that
        refuses what the question misses, or because it is of rows that the batch does not write. A batch is quick by that.
        """
        if self.behind:
            await (self.behind.free() if guarded else self.behind.settle())
        return self.connection

    async def all(self, statement: ClauseElement, **values: Any) -> list[asyncpg.Record]:
        """The records of a statement; `values` fill its bound parameters."""
        return await fetch(await self.asking(), statement, **values)

    async def value(self, statement: ClauseElement, **values: Any) -> Any:
        """The first column of the first record, or None."""
        records = await self.all(statement, **values)
        return records[0][0] if records else None

    async def find(self, resource: Resource[R], row_id: str | None, *, lock: bool = False) -> R | None:
        """A live row by id, whether the actor sees it or not; `lock` holds it until the transaction ends."""
        return None if row_id is None else await row_by_id(await self.asking(), resource, row_id, lock=lock)

    async def get(self, resource: Resource[R], row_id: str | None, *, lock: bool = False) -> R:
        """A live row that the actor sees; raises `NotFound`."""
        row = await self.find(resource, row_id, lock=lock)
        if row is None or not self.actor.sees(row.scopes):
            raise NotFound
        return row

    async def once(self, resource: Resource[R], row_id: str | None) -> R | None:
        """Like `find`, read at most once in this context: for rules that a batch asks a thousand times of other rows."""
        if row_id is None:
            return None
        key = (resource.name, row_id)
        if key not in self.memo:
            if self.remembered:
                self.memo[key] = await self.recalled(self.remembered, resource, key)
            else:
                self.memo[key] = await row_by_id(await self.asking(guarded=True), resource, row_id)
        found: R | None = self.memo[key]
        return found

    async def recalled(self, remembered: Remembered, resource: Resource[R], key: Key) -> R | None:
        """A row as it is remembered, then noted as relied on, or else read and remembered."""
        if kept := remembered.get(key):
            self.relied[key] = kept.xmin
            found: R | None = kept.row
            return found
        sql = f'SELECT xmin, * FROM "{resource.name}" WHERE id = $1 AND deleted_at IS NULL'
        record = await self.connection.fetchrow(sql, key[1])
        if record is None:
            return None
        values = dict(record)
        xmin, row = values.pop("xmin"), resource.table.of(values)
        remembered.put(key, row, xmin)
        return row

    def read_afresh(self) -> bool:
        """Forget the remembered rows that this write relied on; False where there were none."""
        relied, self.relied = self.relied, {}
        for key in relied:
            self.memo.pop(key, None)
            if self.remembered:
                self.remembered.forget(key)
        return bool(relied)

    def saying(self, verb: str | None) -> str:
        """The note of a write, for the log: with this verb, or with none for a plain `created`, `changed`, `removed`."""
        if self.note.verb != verb:
            self.note = replace(self.note, verb=verb)
        return self.note.text()

    def reveal(self, values: Mapping[str, Any]) -> None:
        """Show these values in the answer to this request, and never again."""
        self.revealed.update(values)


async def row_by_id(connection: Connection, resource: Resource[R], row_id: str, *, lock: bool = False) -> R | None:
    """A live row."""
    lock_clause = " FOR NO KEY UPDATE" if lock else ""
    sql = f'SELECT * FROM "{resource.name}" WHERE id = $1 AND deleted_at IS NULL{lock_clause}'
    record = await connection.fetchrow(sql, row_id)
    return resource.table.of(record) if record else None
