"""The round trip: what leaves in the house's own format comes back into another server, and leaves it as the same bytes."""

from typing import Any

import orjson
import pytest

from guildhouse import app
from guildhouse.kernel.actor import HOUSE
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.exporting.wanted import own_fields
from guildhouse.kernel.importing import own_format
from guildhouse.kernel.importing.running import run_import
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.server import Server
from guildhouse.kernel.tasks import Work
from tests.cast import Caller, Cast, at_home
from tests.contracts.samples import Sample

pytestmark = pytest.mark.anyio


async def moved(near: Server, far: Server, resource: Resource[Any], but: str = "") -> None:
    """Put all rows of a resource into the other server, whoever sees them, but for one."""
    names = ", ".join(f'"{name}"' for name in own_fields(resource))
    records = await near.database.pool.fetch(f'SELECT {names} FROM "{resource.name}" WHERE id::text <> $1', but)
    async with far.database.writing(Note()) as connection:
        ctx = Context(far.house, connection, HOUSE, Note())
        found = await own_format.load(ctx, resource, [dict(each) for each in records])
    assert [outcome.problem for outcome, _ in found if outcome.problem] == []


async def brought(far: app.Running, olga: Caller, resource: Resource[Any], content: bytes, *verbs: str) -> Any:
    """An import of the other server after these verbs."""
    response = await olga.client.post(f"/v1/imports?resource={resource.path}&name=moved.ndjson", content=content)
    assert response.status_code == 202, response.text
    address, row_id = f"/v1/imports/{response.json()['id']}", response.json()["id"]
    await run_import(Work(far.server, None, row_id, 1))
    for verb in verbs:
        await olga.made(f"{address}/{verb}", {})
        await run_import(Work(far.server, None, row_id, 1))
    return (await olga.get(address)).json()


async def test_what_is_loaded_elsewhere_leaves_it_as_the_same_bytes(
    cast: Cast, far_stage: app.Running, olga: Caller, sample: Sample, resource: Resource[Any]
) -> None:
    if resource.carry.stays:
        pytest.skip("rows of this resource stay where they are")
    content = (await sample.owner.get(f"/v1/{resource.path}:export?format=guildhouse")).content
    others = [each for each in own_format.loadable(cast.server.house).values() if each is not resource]
    place = list(cast.server.house.resources.values()).index(resource)
    below = {each.name for each in list(cast.server.house.resources.values())[:place]}
    for each in (each for each in others if each.name in below):
        await moved(cast.server, far_stage.server, each)
    if resource.name == "people":  # what others keep to themselves is in nobody's file but theirs
        await moved(cast.server, far_stage.server, resource, but=sample.row["id"])
    lines = content.splitlines()[1:]
    row = await brought(far_stage, olga, resource, content, "judge", "apply")
    assert row["problem"] is None
    assert row["judged"].get("create", 0) >= 1 and row["judged"].get("wrong", 0) == 0, row
    assert sum(row["written"].values()) == len(lines) and "failed" not in row["written"], row
    for each in (each for each in others if each.name not in below):
        await moved(cast.server, far_stage.server, each)
    there = await at_home(far_stage.server, far_stage.asgi, sample.owner)
    again = (await there.get(f"/v1/{resource.path}:export?format=guildhouse")).content
    assert again == content
    history = (await there.get(f"/v1/{resource.path}/{sample.row['id']}/history")).json()["data"]
    assert {each["event"] for each in history} == {f"{resource.singular}.loaded"}
    async with far_stage.server.database.writing(Note()) as connection:
        ctx = Context(far_stage.server.house, connection, HOUSE, Note())
        twice = await own_format.load(ctx, resource, [orjson.loads(line) for line in lines])
    assert {outcome.status for outcome, _ in twice} == {"unchanged"} and not ctx.written


async def test_what_stays_is_refused_in_words(
    cast: Cast, far_stage: app.Running, olga: Caller, resource: Resource[Any]
) -> None:
    if not resource.carry.stays:
        pytest.skip("rows of this resource move")
    about = {"guildhouse": 1, "resource": resource.name, "fields": list(own_fields(resource))}
    response = await olga.client.post(f"/v1/imports?resource={resource.path}", content=orjson.dumps(about))
    if response.status_code == 202:
        await run_import(Work(far_stage.server, None, response.json()["id"], 1))
        row = (await olga.get(f"/v1/imports/{response.json()['id']}")).json()
        assert (row["status"], row["problem"]["code"]) == ("failed", "stays-where-it-is")
    else:
        assert (response.status_code, response.json()["code"]) == (400, "not-importable")
        assert resource.path not in response.json()["detail"].split(": ")[1].split(", ")
