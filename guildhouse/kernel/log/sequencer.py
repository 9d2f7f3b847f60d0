"""The sequencer: the one that gives every change its position, dense and in an order that loses nothing.

`seq` cannot serve: transactions commit in another order than they draw numbers, so whoever reads `seq > cursor` loses
rows. Of all processes one is elected, by a lock that lives as long as its connection. It takes, again and again, the
changes that are visible now and were not at the last time, and numbers them by `seq`. A long transaction delays nobody
but its own changes; two changes of one row keep their order, because the second writer had to wait for the first.
"""

import asyncio
import time
from collections.abc import Sequence
from typing import NamedTuple

import asyncpg
import structlog

from guildhouse.kernel.db import Connection, Database
from guildhouse.kernel.log.changes import COLUMNS, THIN, Change, Head
from guildhouse.kernel.log.log_tables import DIGEST, EPOCH_NAME, HOME, ensure_partitions
from guildhouse.kernel.log.wake import Session, Wake, backoff, first, session, tied

log = structlog.get_logger(__name__)

ELECTION = 7_246_351_906_128_440_001  # the advisory lock that the elected one holds, of this database
UPKEEP = 3600.0  # seconds between two looks whether the log has partitions ahead
# Seconds after a tick in which commits gather for the next one: a busy house pays for fewer ticks, of which each costs what
# some changes do. Where so many have gathered, more come.
GAP, LONGER_GAP, SOME = 0.010, 0.020, 4

# Lookups by index whatever the statistics say: a plan made while the log was empty is kept for as long as the session.
# Keepalives let the server notice within seconds that the elected one's machine is gone. After a COPY of millions a
# tick takes its time: a timeout would only make it start over.
TUNING = """
SET enable_seqscan = off; SET enable_hashjoin = off; SET enable_mergejoin = off;
SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
SELECT set_config(name, '0', false) FROM pg_settings WHERE name IN ('statement_timeout', 'transaction_timeout')
"""

# One statement, so one snapshot: `new`. What it gives positions to is in `fresh`. It answers with the changes themselves,
# without their values, so that whoever follows the log in this process need not ask for them; of a COPY of millions with
# the first ones only.
HANDED_ON = 5000
STAMP = f"""
WITH epoch AS (SELECT name, pos, seq, snap FROM epochs ORDER BY number DESC LIMIT 1),
last AS (SELECT pos, link, snap FROM change_pos ORDER BY pos DESC LIMIT 1),
tick AS MATERIALIZED (
    SELECT epoch.name AS epoch, coalesce(last.pos, 0) AS pos, coalesce(last.link, '') AS link, epoch.seq AS earlier,
        CASE WHEN last.pos > epoch.pos THEN last.snap ELSE epoch.snap END AS old, pg_current_snapshot() AS new
    FROM epoch LEFT JOIN last ON true),
fresh AS ({{fresh}}),
numbered AS MATERIALIZED (
    SELECT (SELECT pos FROM tick) + row_number() OVER (ORDER BY c.seq) AS pos, {THIN}, {DIGEST} AS digest FROM fresh c),
stamped AS (
    INSERT INTO change_pos (pos, seq, at, digest, link, snap)
    SELECT n.pos, n.seq, n.at, n.digest, change_chain(tick.link, n.digest) OVER by_pos,
        CASE WHEN lead(n.pos) OVER by_pos IS NULL THEN tick.new END
    FROM tick, numbered n WINDOW by_pos AS (ORDER BY n.pos ROWS UNBOUNDED PRECEDING))
SELECT n.pos, {COLUMNS.replace("c.", "n.")}, tick.epoch, tick.new, all_of.upto, all_of.latency
FROM tick, numbered n, (
    SELECT max(pos) AS upto, extract(epoch FROM clock_timestamp() - max(at))::float AS latency FROM numbered) all_of
WHERE n.pos <= tick.pos + {HANDED_ON} ORDER BY n.pos
"""

# "Visible in the new snapshot and not in the old one", as spans of transaction numbers that an index finds: those that
# had not begun then, and each that was open then. Changes of an earlier epoch are left out by `seq`: their transaction
# numbers mean nothing now. OFFSET 0 and `seq + 0` leave the planner no other way than through the index of `xid`: with one
# of `seq` beside it, each tick would read all that the epoch has written.
STAMP_NEW = STAMP.format(
    fresh="""
    SELECT c.* FROM tick,
        LATERAL (SELECT pg_snapshot_xmax(old) AS first, pg_snapshot_xmax(new) AS last
            UNION ALL SELECT was_open, was_open FROM pg_snapshot_xip(old) was_open) span,
        LATERAL (SELECT * FROM changes WHERE xid BETWEEN span.first AND span.last AND seq + 0 > tick.earlier
            AND pg_visible_in_snapshot(xid, tick.new) OFFSET 0) c"""
)
STAMP_ALL = STAMP.format(
    fresh="SELECT c.* FROM changes c WHERE NOT EXISTS (SELECT FROM change_pos p WHERE p.seq = c.seq)"
)


class Stamped(NamedTuple):
    """What a tick gave positions to: how many changes, seconds since the last write, where the log ends now, and they."""

    total: int = 0
    latency: float = 0.0
    head: Head | None = None
    changes: Sequence[Change] = ()


async def stamp(connection: Connection) -> Stamped:
    """Give positions to what was committed since the last time. The changes come without values, at most 5,000 of them.

    Never within a transaction: it would count as seen in full, and what it writes later would get no position.
    """
    if connection.is_in_transaction():
        raise RuntimeError("Stamping must be a transaction of its own: commit first.")
    records = await connection.fetch(STAMP_NEW)
    if not records:
        return Stamped()
    *_, epoch, snap, upto, latency = records[0]
    found = [Change(*list(record)[:-4]) for record in records]
    return Stamped(upto - records[0]["pos"] + 1, latency, Head(epoch, upto, snap), found)


async def new_epoch(connection: Connection) -> str:
    """After a restore from a backup: give positions to what has none, then start counting transactions afresh.

    Positions handed out before are refused from now on (`StaleEpoch`). Call it before the restored database is written
    to, outside of a transaction; the elected sequencer does so by itself when it finds the log in another home.
    """
    if connection.is_in_transaction():
        raise RuntimeError("A new epoch must be a transaction of its own: commit first.")
    async with connection.transaction():
        await connection.execute("LOCK TABLE changes, change_pos, epochs IN SHARE ROW EXCLUSIVE MODE")
        await connection.fetchrow(STAMP_ALL)
        await connection.execute(
            "SELECT setval('changes_seq', greatest(last_value, (SELECT max(seq) FROM changes))) FROM changes_seq"
        )
        name: str = await connection.fetchval(
            f"""INSERT INTO epochs (name, pos, seq, snap, home)
            SELECT {EPOCH_NAME}, coalesce((SELECT max(pos) FROM change_pos), 0),
                coalesce((SELECT max(seq) FROM changes), 0), pg_current_snapshot(), {HOME} RETURNING name"""
        )
    return name


async def has_moved(connection: Connection) -> bool:
    """Whether the log is in another place than where its epoch began: restored, or promoted from a replica."""
    moved: bool = await connection.fetchval(f"SELECT home <> {HOME} FROM epochs ORDER BY number DESC LIMIT 1")
    return moved


class Sequencer:
    """A candidate in every process; the elected one stamps. What it counts is for the metrics."""

    def __init__(self, database: Database, wake: Wake, poll: float = 0.1) -> None:
        self.ticks = self.stamped = self.failures = 0
        self.last_latency = 0.0  # seconds from the last write of a tick to its position
        self._database, self._wake, self._poll = database, wake, poll
        self._upkeep_due = 0.0

    @property
    def leading(self) -> bool:
        """Whether this is the elected one."""
        return self._wake.leading

    async def run(self, stop: asyncio.Event) -> None:
        """Stand for election and, elected, stamp until stopped. Nothing ends it: after a fault it stands again."""
        in_a_row = 0
        while not stop.is_set():
            before = self.ticks
            try:
                async with session(self._database) as connection:
                    await connection.execute(TUNING)
                    await self._stand(connection, stop)
            except Exception as error:  # whatever it is: without positions the whole house stands still
                self.failures += 1
                in_a_row = 1 if self.ticks > before else in_a_row + 1
                log.warning("sequencer.failed", error=repr(error), in_a_row=in_a_row)
                await first(stop, within=backoff(in_a_row))

    async def _stand(self, connection: Session, stop: asyncio.Event) -> None:
        while not stop.is_set():
            if await connection.fetchval("SELECT pg_try_advisory_lock($1)", ELECTION):
                await self._lead(connection, stop)
            else:
                await first(stop, within=2 * self._poll)

    async def _lead(self, connection: Session, stop: asyncio.Event) -> None:
        log.info("sequencer.elected")
        heard = self._wake.committed.event()
        self._wake.leading = True
        try:
            if await has_moved(connection):
                log.warning("sequencer.log_has_moved", epoch=await new_epoch(connection))
            with tied(heard, stop):
                while not stop.is_set():
                    heard.clear()
                    stamped = await self._tick(connection)
                    await self._keep_up(connection)
                    await asyncio.sleep(GAP if stamped < SOME else LONGER_GAP)
                    await first(heard, within=self._poll)
        finally:
            self._wake.leading = False
            self._wake.recent.clear()

    async def _tick(self, connection: Session) -> int:
        """Stamp what there is; says how many changes that were."""
        stamped = await stamp(connection)
        self.ticks += 1
        if stamped.head:
            self.stamped += stamped.total
            self.last_latency = stamped.latency
            self._wake.recent.add(stamped.head, stamped.changes)
            self._wake.has_stamped()
        return stamped.total

    async def _keep_up(self, connection: Session) -> None:
        if time.monotonic() < self._upkeep_due:
            return
        self._upkeep_due = time.monotonic() + UPKEEP
        try:
            await ensure_partitions(connection)
        except asyncpg.PostgresError as error:
            log.warning("sequencer.no_partitions_ahead", error=repr(error), advice="changes go to changes_default")
