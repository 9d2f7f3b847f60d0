"""What the tests of imports share: a file that is sent, worked off by hand, and what became of its rows."""

from collections.abc import Iterable
from typing import Any

from httpx2 import Response

from guildhouse.kernel.importing.running import run_import
from guildhouse.kernel.tasks import Work
from tests.cast import Caller, Cast

Told = dict[str, Any]


async def send(caller: Caller, content: bytes | str, resource: str = "reminders", name: str = "calls.csv") -> Response:
    """Upload a file."""
    body = content.encode() if isinstance(content, str) else content
    return await caller.client.post(f"/v1/imports?resource={resource}&name={name}", content=body)


def work_on(cast: Cast, row: Told, seq: int | None = None) -> Work:
    """A run of the import's task."""
    return Work(cast.server, seq, row["id"], 1)


async def now(caller: Caller, row: Told) -> Told:
    found: Told = (await caller.get(f"/v1/imports/{row['id']}")).json()
    return found


async def worked(cast: Cast, caller: Caller, row: Told) -> Told:
    """Work off what is to be done; how the import is then."""
    await run_import(work_on(cast, row))
    return await now(caller, row)


async def brought(
    cast: Cast, caller: Caller, content: bytes | str, resource: str = "reminders", name: str = "calls.csv", **said: Any
) -> Told:
    """An import whose file was read, and what was said about it."""
    response = await send(caller, content, resource, name)
    assert response.status_code == 202, response.text
    row = await worked(cast, caller, response.json())
    if said:
        patched = await caller.patch(f"/v1/imports/{row['id']}", said)
        assert patched.status_code == 200, patched.text
        row = await worked(cast, caller, patched.json())
    return row


async def told_to(cast: Cast, caller: Caller, row: Told, verb: str) -> Told:
    """The import after a verb, and the work that it asks for."""
    return await worked(cast, caller, await caller.made(f"/v1/imports/{row['id']}/{verb}", {}))


async def judged(cast: Cast, caller: Caller, content: bytes | str, *given: str, **said: Any) -> Told:
    """An import whose rows were judged."""
    return await told_to(cast, caller, await brought(cast, caller, content, *given, **said), "judge")


async def rows(caller: Caller, row: Told, query: str = "") -> list[Told]:
    response = await caller.get(f"/v1/imports/{row['id']}/rows?limit=200{query}")
    assert response.status_code == 200, response.text
    found: list[Told] = response.json()["data"]
    return found


def told(found: Iterable[Told], *names: str) -> list[Any]:
    """These parts of each row."""
    return [tuple(each[name] for name in names) if len(names) > 1 else each[names[0]] for each in found]
