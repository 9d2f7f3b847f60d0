"""What tests of searches begin with: saved searches, and the wait for what follows from a write."""

import asyncio
from asyncio import sleep
from time import monotonic

from tests.cast import Caller, Cast
from tests.organizations.scenes import Body, ids

BEHIND = """SELECT EXISTS (SELECT FROM changes WHERE seq > (SELECT coalesce(max(seq), 0) FROM change_pos))
    OR EXISTS (SELECT FROM readers r JOIN change_pos p ON p.pos > r.cursor JOIN changes c USING (seq)
        WHERE r.name = 'search-matches' AND c.resource = ANY($1))"""


async def caught_up(cast: Cast) -> None:
    """Wait until the reader has handled all that it follows."""
    follows = ["saved_searches", "jobs", "notes", "organizations", "people", "memberships", "candidates"]
    async with asyncio.timeout(10):
        while await cast.server.database.pool.fetchval(BEHIND, follows):  # noqa: ASYNC110
            await sleep(0.01)


async def saved(caller: Caller, resource: str = "jobs", alert: str = "none", **query: str) -> Body:
    """A saved search with these parameters."""
    body = {"name": "What I look for", "resource": resource, "query": query, "alert": alert}
    return await caller.made("/v1/saved-searches", body)


async def matched(caller: Caller, search: Body, count: int, within: float = 2.0) -> list[str]:
    """The rows that came to fit, once there are so many; in any case after some time."""
    until = monotonic() + within
    while len(found := await rows_of(caller, search)) != count and monotonic() < until:  # noqa: ASYNC110
        await sleep(0.02)
    return found


async def rows_of(caller: Caller, search: Body) -> list[str]:
    """The rows that came to fit so far, the newest first."""
    response = await caller.get(f"/v1/search-matches?saved_search_id={search['id']}")
    assert len(ids(response)) == len(set(ids(response)))
    return [row["row_id"] for row in response.json()["data"]]


async def told(cast: Cast) -> None:
    """Tell what was searched until now; the server does it once a second."""
    await cast.server.ear.tell(cast.server)
