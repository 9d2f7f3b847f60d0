"""The audit: proves that the log is whole and unaltered, and that the rows are what the log says of them."""

from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

import asyncpg
from sqlalchemy import Table

from guildhouse.kernel.db import Connection
from guildhouse.kernel.log.log_tables import DIGEST
from guildhouse.kernel.log.triggers import quote

BATCH = 5000
NAMED = 20  # faults of one kind that are told one by one


@dataclass(slots=True)
class Report:
    """What an audit found. `fault` is the first one, in words; `erased` are positions whose values were forgotten.

    `link` sums up all positions up to the last one. Kept somewhere else, it also shows a log that was cut off at its end.
    """

    positions: int = 0
    link: bytes = b""
    erased: list[int] = field(default_factory=list)
    unstamped: list[int] = field(default_factory=list)
    fault: str | None = None

    @property
    def whole(self) -> bool:
        """Whether the log can be trusted."""
        return self.fault is None


@dataclass(slots=True)
class Chain:
    """Where the walk is: the last position and the link that the next one must continue."""

    pos: int = 0
    link: bytes = b""

    def fault_of(self, record: asyncpg.Record) -> str | None:
        """What is wrong with the next position, if anything is."""
        pos, seq = record["pos"], record["seq"]
        if pos != self.pos + 1:
            return f"after position {self.pos} comes {pos}: positions in between are missing"
        if record["found"] is None:
            return f"position {pos}: its change (seq {seq}) is missing from the log"
        if record["erased"] and not record["forgotten"]:
            return f"position {pos}: its change (seq {seq}) has lost its salt, but nobody has forgotten that row"
        if not record["erased"] and record["found"] != record["digest"]:
            return f"position {pos}: its change (seq {seq}) was altered after it was written"
        if sha256(self.link + record["digest"]).digest() != record["link"]:
            return f"position {pos}: the chain is broken, here or in what came before it"
        return None


# Digests are computed anew from what stands in the log; the chain over them is followed outside of the database.
WALK = f"""
SELECT p.pos, p.seq, p.digest, p.link, c.found, c.erased, c.erased AND EXISTS (
    SELECT FROM changes f WHERE f.resource = c.resource AND f.row_id = c.row_id AND f.seq > p.seq
        AND f.verb = 'forgotten') AS forgotten
FROM change_pos p LEFT JOIN LATERAL (
    SELECT c.resource, c.row_id, {DIGEST} AS found, c.salt IS NULL AS erased
    FROM changes c WHERE c.seq = p.seq AND c.at = p.at LIMIT 1) c ON true
WHERE p.pos > $1 ORDER BY p.pos LIMIT {BATCH}
"""

UNSTAMPED = f"""
SELECT c.seq FROM changes c WHERE c.at < now() - interval '1 minute'
    AND NOT EXISTS (SELECT FROM change_pos p WHERE p.seq = c.seq) ORDER BY c.seq LIMIT {NAMED}
"""


async def verify(connection: Connection, progress: Callable[[int], None] = lambda _: None) -> Report:
    """Walk the log from its first position; `progress` is told how far. Stops at the first fault of the chain."""
    report, chain = Report(), Chain()
    async for batch in walk(connection, chain):
        for record in batch:
            report.fault = chain.fault_of(record)
            if report.fault:
                return report
            chain.pos, chain.link = record["pos"], record["link"]
            if record["erased"]:
                report.erased.append(chain.pos)
        report.positions, report.link = chain.pos, chain.link
        progress(chain.pos)
    return await look_for_unstamped(connection, report)


async def walk(connection: Connection, chain: Chain) -> AsyncIterator[Sequence[asyncpg.Record]]:
    """The log's positions from the chain's on, in batches; the chain is moved by whoever walks."""
    while batch := await connection.fetch(WALK, chain.pos):
        yield batch


async def look_for_unstamped(connection: Connection, report: Report) -> Report:
    """A change that is old and has no position: the sequencer does not run, or has passed it over."""
    report.unstamped = [record["seq"] for record in await connection.fetch(UNSTAMPED)]
    if report.unstamped:
        report.fault = (
            f"change seq {report.unstamped[0]} has had no position for more than a minute: does the server run?"
        )
    return report


async def versions(connection: Connection, tables: Collection[Table]) -> list[str]:
    """Rows whose version is not the one that their last change left, in words; at most twenty of each table."""
    return [fault for table in tables for fault in await versions_of(connection, table)]


async def versions_of(connection: Connection, table: Table) -> list[str]:
    """The same for one table."""
    records = await connection.fetch(
        f"""SELECT t.id, t.version, last.version AS logged FROM {quote(table.name)} t LEFT JOIN LATERAL (
            SELECT c.version FROM changes c WHERE c.resource = $1 AND c.row_id = t.id ORDER BY c.seq DESC LIMIT 1
        ) last ON true WHERE last.version IS DISTINCT FROM t.version LIMIT {NAMED}""",
        table.name,
    )
    return [
        f"{table.name} {record['id']} is at version {record['version']}, "
        + (f"its last change at {record['logged']}" if record["logged"] else "but the log knows no change of it")
        for record in records
    ]
