"""What tests of searching begin with: many open jobs that the index has."""

from collections.abc import Iterable
from typing import Any

from tests.cast import Caller, Cast
from tests.jobs.openings import hiring

Body = dict[str, Any]


async def opened(cast: Cast, rows: Iterable[Body]) -> Body:
    """Open jobs of Ada's organization, written as one batch; the index has them when this returns."""
    organization = await hiring(cast)
    await add(cast, organization, rows)
    return organization


async def add(cast: Cast, organization: Body, rows: Iterable[Body]) -> list[str]:
    """More of them; their ids."""
    values = {"organization_id": organization["id"], "status": "open", "title": "Clerk"}
    ops = [{"op": "create", "data": {**values, **row}} for row in rows]
    response = await cast.ada.post("/v1/jobs:batch", {"mode": "atomic", "ops": ops})
    assert response.status_code == 200, response.text
    await indexed(cast, response.headers["log-position"])
    return [each["id"] for each in response.json()["results"]]


async def indexed(cast: Cast, position: str) -> None:
    """Wait until the index has this position of the log."""
    assert await cast.server.tail.wait_for(position)
    assert await cast.server.search.has_reached(cast.server.tail.epoch, cast.server.tail.pos)


async def found(caller: Caller, query: str) -> Body:
    """A list of jobs, of which every request is answered."""
    response = await caller.get(f"/v1/jobs?{query}")
    assert response.status_code == 200, response.text
    body: Body = response.json()
    return body


async def titles(caller: Caller, query: str) -> list[str]:
    """The titles of the jobs of a page, in their order."""
    return [row["title"] for row in (await found(caller, query))["data"]]
