"""The stage between two tests: tables and files go behind the log's back, and the cast stays if it is as it was.

To delete what one test wrote is cheaper than a database for each, and the cast's readers, index and sequencer have
nothing to do for people who are there already.
"""

import asyncio
import json
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

import asyncpg
from tantivy import Occur, Query

from guildhouse import app
from guildhouse.kernel.db import Note
from guildhouse.kernel.searching.heard import IN_TURN
from guildhouse.kernel.searching.index_schema import CURSOR, KEY
from guildhouse.kernel.searching.search_index import READY, SearchIndex, Stand
from guildhouse.kernel.server import Server
from guildhouse.kernel.tables import METADATA
from guildhouse.kernel.tasks import feeder
from tests.cast import Cast, assemble

FRESH = 300  # seconds that a cast stays: the tokens of its sessions are good for 15 minutes
# The reader of searches holds some of those while it writes: they come first, so that nobody waits for nobody.
SEARCHES = "saved_searches"
EMPTIED = [SEARCHES, *METADATA.tables.keys() - {"secrets", SEARCHES}, "dead_letters", "pgqueuer", "pgqueuer_log"]
KEPT = "current_setting('stage.kept')::uuid[]"
OTHERS = {"people": f"id <> ALL ({KEPT})", "sessions": f"person_id <> ALL ({KEPT})"}
# By position, and row by row: the log is never emptied, and a plan that reads all of it takes longer with every test.
UNREAD = """SELECT coalesce((SELECT max(seq) FROM changes) > (SELECT coalesce(max(seq), 0) FROM change_pos), false)
    OR EXISTS (SELECT FROM change_pos p, LATERAL (SELECT resource FROM changes WHERE seq = p.seq OFFSET 0) c
        JOIN json_to_recordset($1) AS heeds (name text, resource text) USING (resource) JOIN readers r USING (name)
        WHERE p.pos > (SELECT min(cursor) FROM readers) AND p.pos > r.cursor)"""
UNTOUCHED = f"""SELECT (SELECT max(seq) FROM changes) = $1 AND NOT ({
    " OR ".join(f'EXISTS (SELECT FROM "{table}")' for table in EMPTIED if table not in OTHERS)
})"""
# Looking is cheaper than deleting: most tables are empty after most tests.
EMPTY = "\n".join(
    f'IF EXISTS (SELECT FROM "{table}" WHERE {rest}) THEN DELETE FROM "{table}" WHERE {rest}; END IF;'
    for table in EMPTIED
    for rest in [OTHERS.get(table, "true")]
)
ROWS = """SELECT md5(string_agg(said, E'\n' ORDER BY said)) FROM (
    SELECT p::text AS said FROM people p WHERE id = ANY ($1) UNION ALL
    SELECT s::text FROM sessions s WHERE person_id = ANY ($1)) AS theirs"""


@dataclass
class Standing:
    """The cast that stands on a stage: since when, as which rows, and where the log ended then. Nobody at first."""

    cast: Cast | None = None
    since: float = 0
    rows: str = ""
    end: int = 0

    @property
    def kept(self) -> list[str]:
        """The ids of the cast."""
        return [each.id for each in (self.cast.ada, self.cast.ben, self.cast.cleo, self.cast.otto)] if self.cast else []


async def cleared(stage: app.Running, standing: Standing) -> Cast:
    """The cast on the stage, with nothing else on it: that which stands there, unless something happened to it."""
    server = stage.server
    if not (standing.cast and await is_untouched(server, standing.end)):
        await all_read(server)
        if time.monotonic() > standing.since + FRESH or standing.rows != await rows_of(server, standing.kept):
            standing.cast = None
        await emptied(server, standing.kept)
        if not standing.cast:
            standing.cast, standing.since = await assemble(server, stage.asgi), time.monotonic()
            standing.rows = await rows_of(server, standing.kept)
        standing.end = await log_end(server)
    server.identity.memory.forget_all()  # type: ignore[attr-defined]
    return standing.cast.again()


async def log_end(server: Server) -> int:
    """The number of the last change."""
    return int(await server.database.pool.fetchval("SELECT coalesce(max(seq), 0) FROM changes"))


async def rows_of(server: Server, ids: Sequence[str]) -> str:
    """All that stands in the rows of these people and of their sessions, as one digest."""
    return str(await server.database.pool.fetchval(ROWS, ids))


async def is_untouched(server: Server, end: int) -> bool:
    """Whether nothing was written since the log's end was there, in the log or beside it, nor will be."""
    return not server.ear.heard and bool(await server.database.pool.fetchval(UNTOUCHED, end))


async def all_read(server: Server) -> None:
    """Wait until the readers of the log have nothing left to do."""
    readers = (feeder(server.house), *server.house.readers)
    heeds = json.dumps([{"name": each.name, "resource": noun} for each in readers for noun in each.resources])
    async with asyncio.timeout(30):
        while await server.database.pool.fetchval(UNREAD, heeds):  # noqa: ASYNC110
            await asyncio.sleep(0.005)


async def emptied(server: Server, kept: Sequence[str] = ()) -> None:
    """Take all rows away but those of the people to keep. The log's readers have nothing left to do for them."""
    said = f"SET LOCAL session_replication_role = replica; {IN_TURN}; DO $$BEGIN {EMPTY} END$$"
    is_empty = False
    while not is_empty:
        with suppress(asyncpg.DeadlockDetectedError):  # a task of the last test still writes, and goes first
            async with server.database.writing(Note()) as connection:
                await connection.execute(f"SET LOCAL stage.kept = '{{{','.join(kept)}}}'")
                await connection.execute(said)
            is_empty = True
    for name in await server.files.names():
        await server.files.remove(name)
    server.ear.heard.clear()
    server.identity.memory.forget_all()  # type: ignore[attr-defined]
    if indexes := server.search.indexes:
        for noun, index in indexes.indexes.items():
            theirs = kept if noun == "people" else ()
            if index.searcher.num_docs > 1 + len(theirs):  # one says where it stands
                await asyncio.to_thread(reduced, index, Stand(server.search.epoch, server.search.pos, READY), theirs)


def reduced(index: SearchIndex, stand: Stand, kept: Sequence[str]) -> None:
    """Take all out of an index but what stands there of these rows."""
    stand_itself = Query.term_query(index.schema.built, KEY, CURSOR)
    all_rows = Query.boolean_query([(Occur.Must, Query.all_query()), (Occur.MustNot, stand_itself)])
    found, _ = index.search(all_rows, index.searcher.num_docs)
    index.write({hit.row_id for hit in found}.difference(kept), ())
    index.commit(stand)
