"""The limit: the least that can answer the same bytes. One prepared query, driver records to orjson, bare ASGI.

    python -m bench.limit DSN PORT

No authentication, no scopes, no limits, no log, no validation: what Guildhouse adds is measured against this.
"""

import asyncio
import sys
from datetime import date, datetime
from typing import Any

import asyncpg
import orjson
import uvicorn
import uvloop

from guildhouse.jobs.job import jobs
from guildhouse.kernel.db import speak
from guildhouse.kernel.ids import new_id

COLUMNS = ", ".join(jobs.readable)
ALL = list(jobs.columns)
GET = f"SELECT {COLUMNS} FROM jobs WHERE id = $1"
LIST = f"SELECT {COLUMNS} FROM jobs WHERE status = $1 ORDER BY posted_at DESC, id DESC LIMIT 51"
NARROW = (
    "SELECT id, title, city, status, posted_at FROM jobs WHERE status = $1 ORDER BY posted_at DESC, id DESC LIMIT 51"
)
DEEP = f"SELECT {COLUMNS} FROM jobs WHERE (posted_at, id) < ($1, $2) ORDER BY posted_at DESC, id DESC LIMIT 51"
MARKS = ", ".join(f"${n}" for n in range(1, len(ALL) + 1))
INSERT = f"INSERT INTO bare_jobs ({', '.join(ALL)}) VALUES ({MARKS}) RETURNING *"
BATCH = "INSERT INTO bare_jobs SELECT * FROM json_populate_recordset(NULL::bare_jobs, $1::json)"


class Limit:
    """The ASGI application."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]") -> None:
        self.pool = pool

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        path, query = scope["path"], scope["query_string"].decode()
        if scope["method"] == "POST":
            body = await read(receive)
            answer = await (self.batch(body) if path == "/batch" else self.create(body))
        elif path.startswith("/get/"):
            answer = dumps(await self.pool.fetchrow(GET, path[5:]))
        elif path == "/deep":
            at, row_id = query.split(",")
            answer = dumps(await self.pool.fetch(DEEP, datetime.fromisoformat(at), row_id))
        else:
            answer = dumps(await self.pool.fetch(NARROW if path == "/narrow" else LIST, "open"))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(answer)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})

    async def create(self, body: bytes) -> bytes:
        """One row in one statement."""
        values = row_of(orjson.loads(body))
        return dumps(await self.pool.fetchrow(INSERT, *(values[name] for name in ALL)))

    async def batch(self, body: bytes) -> bytes:
        """A thousand rows in one statement."""
        rows = [row_of(each["data"]) for each in orjson.loads(body)["ops"]]
        await self.pool.execute(BATCH, orjson.dumps([{name: row[name] for name in ALL} for row in rows]).decode())
        return orjson.dumps([{"id": row["id"]} for row in rows])


def row_of(data: dict[str, Any]) -> dict[str, Any]:
    """A whole row out of what a client sends."""
    now = datetime.now().astimezone()
    row = dict.fromkeys(ALL) | data
    days = {name: date.fromisoformat(row[name]) if row[name] else None for name in ("opens_on", "closes_on")}
    posted = datetime.fromisoformat(row["posted_at"]) if row["posted_at"] else now
    fixed = {
        "id": new_id(),
        "version": 1,
        "created_at": now,
        "updated_at": now,
        "posted_at": posted,
        "scopes": ["public"],
    }
    return (
        row | fixed | days | {"skills": row["skills"] or [], "tags": row["tags"] or [], "source": row["source"] or ""}
    )


async def read(receive: Any) -> bytes:
    """The whole body."""
    body, more = b"", True
    while more:
        message = await receive()
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def dumps(value: Any) -> bytes:
    """Records to bytes."""
    return orjson.dumps(value, default=dict, option=orjson.OPT_UTC_Z)


async def leave(_connection: Any) -> None:
    """Nothing to reset."""


async def main(dsn: str, port: int) -> None:
    """Serve until killed."""
    pool = await asyncpg.create_pool(dsn, min_size=1, max_size=10, init=speak, reset=leave)
    settings = uvicorn.Config(Limit(pool), port=port, lifespan="off", access_log=False, log_level="warning")
    await uvicorn.Server(settings).serve()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(sys.argv[1], int(sys.argv[2])))
