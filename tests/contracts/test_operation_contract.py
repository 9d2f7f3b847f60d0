"""Every resource: loaded, changed by a filter and taken back as a whole; followed live; and kept, while it is held."""

from dataclasses import replace
from typing import Any

import asyncpg
import orjson
import pytest

from guildhouse.kernel.http import doors_of
from guildhouse.kernel.resource import Resource
from tests.cast import Caller, Cast
from tests.contracts.samples import Sample, finished
from tests.kernel.live import listening

pytestmark = pytest.mark.anyio
EVENTS = "text/event-stream"


@pytest.fixture
async def batchable(cast: Cast, sample: Sample, resource: Resource[Any]) -> Sample:
    path = f"/v1/{resource.path}:batch"
    if not any(door.path == path for door in doors_of(cast.server.house)) or not sample.create:
        pytest.skip("this resource is not written by batches")
    if sample.batcher:
        await sample.batcher.made(path, {"ops": [{"op": "create", "data": sample.create(9)}]})
    return replace(sample, owner=sample.batcher or sample.owner)


async def listed(caller: Caller, resource: Resource[Any]) -> dict[str, Any]:
    """The rows that somebody sees, without what every write changes."""
    rows = (await caller.get(f"/v1/{resource.path}?limit=200")).json()["data"]
    return {row["id"]: {n: v for n, v in row.items() if n not in ("version", "updated_at")} for row in rows}


async def taken_back(caller: Caller, operation: dict[str, Any]) -> dict[str, Any]:
    answer = await caller.post(f"/v1/operations/{operation['id']}/take-back")
    assert answer.status_code == 202, answer.text
    return await finished(caller, answer.json()["id"])


async def test_a_load_is_tried_written_and_taken_back(batchable: Sample, resource: Resource[Any]) -> None:
    assert batchable.create
    owner, path = batchable.owner, f"/v1/{resource.path}:batch"
    before = await listed(owner, resource)
    rows = [batchable.create(n) for n in (1, 2)]
    body = b"".join(orjson.dumps({"op": "create", "data": row}) + b"\n" for row in rows)
    ndjson = {"content-type": "application/x-ndjson"}
    dry = await owner.client.post(path, content=body, headers={**ndjson, "prefer": "tx=rollback"})
    tried = await finished(owner, dry.json()["id"])
    assert await listed(owner, resource) == before
    load = await finished(owner, (await owner.client.post(path, content=body, headers=ndjson)).json()["id"])
    names = ("status", "created", "failed", "remaining")
    assert [tried[name] for name in names] == [load[name] for name in names]
    if load["status"] == "failed":
        assert load["problem"]["code"] == "shown-once"
        return
    assert len(await listed(owner, resource)) == len(before) + 2
    if batchable.removable:
        undo = await taken_back(owner, load)
        assert (undo["status"], undo["removed"], undo["failed"]) == ("done", 2, 0)
        assert await listed(owner, resource) == before


async def test_a_batch_that_was_answered_at_once_is_taken_back(batchable: Sample, resource: Resource[Any]) -> None:
    assert batchable.create
    owner, path = batchable.owner, f"/v1/{resource.path}"
    before = await listed(owner, resource)
    batch = await owner.post(f"{path}:batch", {"ops": [{"op": "create", "data": batchable.create(n)} for n in (1, 2)]})
    assert batch.json()["created"] == 2
    if batchable.removable:
        answer = await owner.post(f"{path}:take-back", {"position": batch.headers["log-position"]})
        undo = await finished(owner, answer.json()["id"])
        assert (undo["status"], undo["removed"], undo["failed"]) == ("done", 2, 0)
        assert await listed(owner, resource) == before


async def test_a_change_of_all_rows_of_a_filter_is_taken_back(batchable: Sample, resource: Resource[Any]) -> None:
    if not batchable.patch or resource.shapes.update is None:
        pytest.skip("nobody changes this resource by hand")
    owner = batchable.owner
    before = await listed(owner, resource)
    body = {"filter": {}, "op": "change", "data": batchable.patch}
    dry = (await owner.post(f"/v1/{resource.path}:batch", body, prefer="tx=rollback")).json()
    assert dry["body"]["total"] == len(before)
    operation = await finished(owner, (await owner.post(f"/v1/{resource.path}:batch", body)).json()["id"])
    assert operation["total"] == len(before)
    assert operation["written"] + operation["unchanged"] + operation["failed"] == len(before)
    assert operation["written"] >= 1
    undo = await taken_back(owner, operation)
    assert (undo["changed"], undo["failed"], undo["kept"]) == (operation["written"], 0, 0)
    assert await listed(owner, resource) == before


async def test_a_stranger_does_nothing_to_rows_by_a_filter(batchable: Sample, resource: Resource[Any]) -> None:
    if batchable.stranger is None or resource.name == "people":
        pytest.skip("everybody sees this row, or has one like it")
    body = {"filter": {}, "op": "remove"}
    answer = await batchable.stranger.post(f"/v1/{resource.path}:batch", body)
    if answer.status_code != 403:
        assert (await finished(batchable.stranger, answer.json()["id"]))["written"] == 0
    path = f"/v1/{resource.path}/{batchable.row['id']}"
    assert (await batchable.owner.get(path)).status_code == 200


async def test_a_row_is_followed_as_it_is_read_and_by_nobody_else(
    cast: Cast, sample: Sample, resource: Resource[Any]
) -> None:
    path = f"/v1/{resource.path}/{sample.row['id']}"
    async with listening(cast, sample.owner, path) as stream:
        first = await stream.event()
        assert first and (first["event"], first["data"]) == ("row", (await sample.owner.get(path)).json())
        if sample.patch:
            await sample.owner.patch(path, sample.patch)
            second = await stream.event()
            assert second and second["data"] == (await sample.owner.get(path)).json()
    for who in sample.strangers:
        assert (await who.get(path, accept=EVENTS)).status_code == 404


async def test_what_is_held_is_deleted_by_nobody(cast: Cast, sample: Sample, resource: Resource[Any]) -> None:
    body = {"resource": resource.path, "row_id": sample.row["id"], "reason": "A lawsuit"}
    hold = await cast.otto.made("/v1/holds", body)
    statement = f'DELETE FROM "{resource.name}" WHERE id = $1'
    with pytest.raises(asyncpg.RestrictViolationError, match="is held"):
        await cast.server.database.pool.execute(statement, sample.row["id"])
    await cast.otto.made(f"/v1/holds/{hold['id']}/release", {})
    assert await cast.server.database.pool.execute(statement, sample.row["id"]) == "DELETE 1"
