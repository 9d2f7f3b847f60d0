"""The log, read: changes in the order of their positions, of one row, of one transaction; and what erases from it."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Self

import asyncpg

from guildhouse.kernel.db import Connection
from guildhouse.kernel.errors import BadRequest, Gone


class WrongPosition(BadRequest):
    """This is no position of the log: positions are opaque and come from `Log-Position`, a history or a cursor."""


class StaleEpoch(Gone):
    """This position was given before the database was restored from a backup: start over without a position."""


@dataclass(frozen=True, slots=True)
class Change:
    """One write of one row. `pos` is None until the sequencer has stamped it; `seq` identifies it from the start."""

    pos: int | None
    seq: int
    at: datetime
    actor: str | None
    request_id: str | None
    reason: str | None
    caused_by: int | None
    resource: str
    row_id: str
    version: int
    verb: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    scopes_before: list[str] | None
    scopes_after: list[str] | None
    xid: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """Changes in order, and the position up to which the log was looked through for them."""

    changes: list[Change]
    upto: int


@dataclass(frozen=True, slots=True)
class Position:
    """A place in the log as clients hold it: `epoch.pos`, or `epoch.x<xid>` for a transaction not stamped yet."""

    epoch: str
    pos: int | None = None
    xid: int | None = None

    def __str__(self) -> str:
        return f"{self.epoch}.{self.pos}" if self.xid is None else f"{self.epoch}.x{self.xid}"

    @classmethod
    def parse(cls, text: str, epoch: str) -> Self:
        """Read what a client sent. Raises `WrongPosition`, or `StaleEpoch` when it is of another epoch than this."""
        said, dot, place = text.partition(".")
        number = place.removeprefix("x")
        if not (dot and said.isalnum() and number.isascii() and number.isdecimal() and len(number) < 19):
            raise WrongPosition
        if said != epoch:
            raise StaleEpoch
        return cls(said, pos=int(number)) if number is place else cls(said, xid=int(number))


@dataclass(frozen=True, slots=True)
class Head:
    """Where the log ends: its epoch, its last position, and which transactions that position has in it."""

    epoch: str
    pos: int
    snap: tuple[int, int, tuple[int, ...]]

    def has(self, xid: int) -> bool:
        """Whether all changes of a transaction are at or before this position."""
        _, beyond, open_then = self.snap
        return xid < beyond and xid not in open_then

    @property
    def position(self) -> Position:
        """This place as clients hold it."""
        return Position(self.epoch, self.pos)


HEAD = """
SELECT e.name AS epoch, greatest(e.pos, p.pos) AS pos, CASE WHEN p.pos > e.pos THEN p.snap ELSE e.snap END AS snap
FROM (SELECT * FROM epochs ORDER BY number DESC LIMIT 1) e
LEFT JOIN (SELECT pos, snap FROM change_pos ORDER BY pos DESC LIMIT 1) p ON true
"""

COLUMNS = """c.seq, c.at, c.actor, c.request_id, c.reason, c.caused_by, c.resource, c.row_id, c.version, c.verb,
    c.before, c.after, c.scopes_before, c.scopes_after, c.xid"""

# LIMIT 1 keeps the planner from joining whole partitions: one look into the one partition that holds the change.
BETWEEN = """
SELECT p.pos, {columns}
FROM change_pos p, LATERAL (SELECT * FROM changes c WHERE c.seq = p.seq AND c.at = p.at {only} LIMIT 1) c
WHERE p.pos > $1 AND p.pos <= $2 ORDER BY p.pos LIMIT $3
"""
# Who looks for rows that lack a value need not read the new ones that have it: of a batch that is nearly all of them.
LACKING = "AND (c.before IS NULL AND c.after ? {column}) IS NOT TRUE"
BETWEEN_ALL = BETWEEN.format(columns=COLUMNS, only="")
BETWEEN_SOME = BETWEEN.format(columns=COLUMNS, only=f"AND c.resource = ANY($4) {LACKING.format(column='$5::text')}")
# Which rows changed, and who sees that, without the values: a fraction of the whole for wide rows.
THIN = COLUMNS.replace("c.before, c.after", "NULL::jsonb AS before, NULL::jsonb AS after")
BETWEEN_THIN = BETWEEN.format(columns=THIN, only="")
AT = BETWEEN.format(columns=COLUMNS, only=LACKING.format(column="$2::text")).replace(
    "p.pos > $1 AND p.pos <= $2 ORDER BY p.pos LIMIT $3", "p.pos = ANY($1) ORDER BY p.pos LIMIT $3"
)
LOOKED_THROUGH = 2000  # changes at a time, in search of those of some resources

STAMPED_OR_NOT = f"SELECT p.pos, {COLUMNS} FROM changes c LEFT JOIN change_pos p ON p.seq = c.seq"


async def head(connection: Connection) -> Head:
    """Where the log ends now."""
    record = await connection.fetchrow(HEAD)
    assert record is not None
    return Head(record["epoch"], record["pos"], record["snap"])


async def current_position(connection: Connection) -> Position:
    """The end of the log, as clients hold it."""
    return (await head(connection)).position


async def after(
    connection: Connection, pos: int, limit: int = 200, resources: Collection[str] | None = None
) -> Stretch:
    """The next changes after a position. Go on from `upto`, also when none of these `resources` was among them."""
    return await between(connection, pos, (await head(connection)).pos, limit, resources)


async def between(
    connection: Connection,
    pos: int,
    end: int,
    limit: int = 200,
    resources: Collection[str] | None = None,
    lacking: str | None = None,
) -> Stretch:
    """The next changes after `pos` and up to `end`, which must not be beyond the head; at most `limit` of them.

    Of `resources` only, and then without those that made a row which is not `lacking` a value in this column.
    """
    end = min(end, pos + (limit if resources is None else max(limit, LOOKED_THROUGH)))
    if end <= pos:
        return Stretch([], pos)
    if resources is None:
        records = await connection.fetch(BETWEEN_ALL, pos, end, limit)
    else:
        records = await connection.fetch(BETWEEN_SOME, pos, end, limit, list(resources), lacking)
    found = made(records)
    return Stretch(found, found[-1].pos or end if len(found) == limit else end)


async def thin_between(connection: Connection, pos: int, end: int, limit: int) -> Stretch:
    """Like `between`, of all resources, with neither `before` nor `after`."""
    end = min(end, pos + limit)
    return Stretch(made(await connection.fetch(BETWEEN_THIN, pos, end, limit)), end)


async def at(connection: Connection, positions: Sequence[int], limit: int, lacking: str | None = None) -> Stretch:
    """The changes at these positions, which are in order, at most `limit`; `lacking` as in `between`."""
    some = positions[: limit if lacking is None else max(limit, LOOKED_THROUGH)]
    found = made(await connection.fetch(AT, some, lacking, limit))
    return Stretch(found, found[-1].pos or 0 if len(found) == limit else some[-1])


async def of_row(
    connection: Connection,
    resource: str,
    row_id: str,
    *,
    limit: int = 50,
    beyond: int | None = None,
    newest_first: bool = True,
) -> list[Change]:
    """A row's changes, also those not stamped yet. For the next page, `beyond` is the `seq` of the last one seen."""
    order, side = ("DESC", "<") if newest_first else ("ASC", ">")
    onward = f"AND c.seq {side} $4" if beyond is not None else "AND $4::bigint IS NULL"
    sql = f"{STAMPED_OR_NOT} WHERE c.resource = $1 AND c.row_id = $2 {onward} ORDER BY c.seq {order} LIMIT $3"
    return made(await connection.fetch(sql, resource, row_id, limit, beyond))


async def of_rows(connection: Connection, resource: str, ids: Sequence[str]) -> dict[str, list[Change]]:
    """All changes of some rows by their ids, the newest first."""
    sql = f"{STAMPED_OR_NOT} WHERE c.resource = $1 AND c.row_id = ANY($2::uuid[]) ORDER BY c.row_id, c.seq DESC"
    found: dict[str, list[Change]] = {row_id: [] for row_id in ids}
    for change in made(await connection.fetch(sql, resource, ids)):
        found[change.row_id].append(change)
    return found


async def of_transaction(connection: Connection) -> list[Change]:
    """What the running transaction has written so far, in order."""
    return made(
        await connection.fetch(f"{STAMPED_OR_NOT} WHERE c.xid = pg_current_xact_id_if_assigned() ORDER BY c.seq")
    )


async def caused_by(connection: Connection, seq: int) -> list[Change]:
    """The changes that readers made because of this one."""
    return made(await connection.fetch(f"{STAMPED_OR_NOT} WHERE c.caused_by = $1 ORDER BY c.seq", seq))


def made(records: Sequence[asyncpg.Record]) -> list[Change]:
    """Records of the log as changes."""
    return [Change(*record) for record in records]


async def position_of(connection: Connection, xid: int) -> int | None:
    """The last position of a transaction of this epoch; None while it is not stamped, or if it wrote nothing."""
    pos: int | None = await connection.fetchval(
        """SELECT max(p.pos) FROM changes c JOIN change_pos p USING (seq)
           WHERE c.xid = $1::text::xid8 AND c.seq > (SELECT seq FROM epochs ORDER BY number DESC LIMIT 1)""",
        str(xid),
    )
    return pos


FORGET = """
UPDATE changes c SET
    before = (SELECT jsonb_object_agg(key, CASE WHEN key = ANY($3) THEN 'null' ELSE value END) FROM jsonb_each(c.before)),
    after = (SELECT jsonb_object_agg(key, CASE WHEN key = ANY($3) THEN 'null' ELSE value END) FROM jsonb_each(c.after)),
    salt = NULL
WHERE c.resource = $1 AND c.row_id = ANY($2) AND EXISTS (
    SELECT FROM unnest($3::text[]) f WHERE c.before -> f <> 'null' OR c.after -> f <> 'null')
RETURNING row_id
"""

FORGOTTEN = """
INSERT INTO changes (actor, request_id, reason, caused_by, resource, row_id, version, verb, before, after,
    scopes_before, scopes_after)
SELECT note ->> 'actor', note ->> 'request_id', note ->> 'reason', (note ->> 'caused_by')::bigint,
    $1, last.row_id, last.version, 'forgotten', blank, blank, last.scopes, last.scopes
FROM (SELECT nullif(current_setting('guildhouse.note', true), '')::jsonb AS note) n,
    (SELECT jsonb_object_agg(f, 'null'::jsonb) AS blank FROM unnest($3::text[]) f) b,
    (SELECT DISTINCT ON (row_id) row_id, version, coalesce(scopes_after, scopes_before) AS scopes FROM changes
     WHERE resource = $1 AND row_id = ANY($2) ORDER BY row_id, seq DESC) last
"""


async def forget(connection: Connection, resource: str, row_ids: Collection[str], fields: Collection[str]) -> int:
    """Erase what the log holds of the personal fields of rows; says in how many changes there was something.

    The changes stay, with null in place of the values, and lose their salt, so that nobody can find the values again by
    trying; the chain of digests still verifies. One more change of each row, `forgotten`, tells the readers and the audit.
    """
    names = sorted(fields)
    await connection.execute("SELECT set_config('guildhouse.upkeep', 'erase', true)")
    rewritten = await connection.fetch(FORGET, resource, list(row_ids), names)
    await connection.execute("SELECT set_config('guildhouse.upkeep', '', true)")
    if rewritten:
        await connection.execute(FORGOTTEN, resource, list({record["row_id"] for record in rewritten}), names)
    return len(rewritten)
