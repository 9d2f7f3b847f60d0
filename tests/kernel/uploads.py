"""What the tests of batches share: NDJSON that is sent, worked off by hand, and what became of it."""

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

import orjson
from httpx2 import Response

from guildhouse.kernel.operating.working import run_operation
from guildhouse.kernel.tasks import Work
from tests.cast import Caller, Cast

Line = dict[str, Any]


def reminders(count: int, start: int = 0) -> list[Line]:
    """Creates of reminders."""
    return [
        {"op": "create", "data": {"text": f"Call {n}", "due_at": "2030-01-01T08:00:00Z"}}
        for n in range(start, start + count)
    ]


def ndjson(lines: Iterable[Line]) -> bytes:
    return b"".join(orjson.dumps(line) + b"\n" for line in lines)


async def upload(caller: Caller, path: str, body: bytes | Sequence[Line], **headers: str) -> Response:
    """Send NDJSON."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    content = body if isinstance(body, bytes) else ndjson(body)
    return await caller.client.post(
        path, content=content, headers={"content-type": "application/x-ndjson; charset=utf-8", **named}
    )


async def stored(caller: Caller, path: str, body: bytes | Sequence[Line], **headers: str) -> Line:
    """The operation of an upload that was taken."""
    response = await upload(caller, path, body, **headers)
    assert response.status_code == 202, response.text
    operation: Line = response.json()
    assert response.headers["location"] == f"/v1/operations/{operation['id']}"
    return operation


def work_of(cast: Cast, operation: Line, attempt: int = 1) -> Work:
    """A run of the operation's task."""
    return Work(cast.server, None, operation["id"], attempt)


async def caused(cast: Cast, operation: Line) -> Work:
    """A run of the operation's task that knows which change asked for it, as the queue tells it."""
    sql = "SELECT seq FROM changes WHERE resource = 'operations' AND row_id = $1 AND version = 1"
    seq = await cast.server.database.pool.fetchval(sql, operation["id"])
    return Work(cast.server, seq, operation["id"], 1)


async def done(cast: Cast, caller: Caller, operation: Line) -> Line:
    """Work an operation off; how it is then."""
    await run_operation(await caused(cast, operation))
    return await now(caller, operation)


async def worked(cast: Cast, caller: Caller, operation: Line) -> Line:
    """How an operation is at its end: worked off by the server's own worker, or by hand where there is none."""
    if cast.server.config.workers == "none":
        return await done(cast, caller, operation)
    async with asyncio.timeout(30):
        while not (found := await now(caller, operation))["finished_at"]:  # noqa: ASYNC110 - as a client does
            await asyncio.sleep(0.01)
    return found


async def now(caller: Caller, operation: Line) -> Line:
    found: Line = (await caller.get(f"/v1/operations/{operation['id']}")).json()
    return found


async def report(caller: Caller, operation: Line, query: str = "") -> list[Line]:
    response = await caller.get(f"/v1/operations/{operation['id']}/report{query}")
    assert response.status_code == 200, response.text
    assert response.headers.get("content-type", "application/x-ndjson") == "application/x-ndjson"
    return [orjson.loads(line) for line in response.content.splitlines()]


async def texts(caller: Caller) -> list[str]:
    """The reminders that somebody has; at most 200."""
    rows = (await caller.get("/v1/reminders?limit=200")).json()["data"]
    return sorted(row["text"] for row in rows)


async def in_pieces(*pieces: bytes) -> AsyncIterator[bytes]:
    """A body that comes in these pieces."""
    for piece in pieces:
        yield piece
