"""Writing: preconditions, dry runs, history, undo, trash, batch, retries."""

from asyncio import gather
from dataclasses import replace
from typing import Any

import pytest

from guildhouse.kernel.history import typed
from guildhouse.kernel.http import doors_of
from guildhouse.kernel.log import changes
from guildhouse.kernel.resource import Resource
from tests.cast import Cast
from tests.contracts.conftest import settled
from tests.contracts.samples import Sample

pytestmark = pytest.mark.anyio


def address(resource: Resource[Any], sample: Sample) -> str:
    return f"/v1/{resource.path}/{sample.row['id']}"


@pytest.fixture
def changeable(sample: Sample) -> Sample:
    if not sample.patch:
        pytest.skip("nobody changes this resource by hand")
    return sample


@pytest.fixture
def creatable(sample: Sample) -> Sample:
    if not sample.create:
        pytest.skip("this resource is not created by hand")
    return sample


@pytest.fixture
def removable(creatable: Sample) -> Sample:
    if not creatable.removable:
        pytest.skip("nobody removes this resource by hand")
    return creatable


@pytest.fixture
def batchable(cast: Cast, creatable: Sample, resource: Resource[Any]) -> Sample:
    if not any(door.path == f"/v1/{resource.path}:batch" for door in doors_of(cast.server.house)):
        pytest.skip("this resource is written by hand-made doors only")
    return replace(creatable, owner=creatable.batcher or creatable.owner)


async def test_replaying_the_log_equals_a_fresh_read(cast: Cast, sample: Sample, resource: Resource[Any]) -> None:
    if sample.patch:
        await sample.owner.patch(address(resource, sample), sample.patch)
    async with cast.server.database.reading() as connection:
        entries = await changes.of_row(connection, resource.name, sample.row["id"], newest_first=False)
        record = await connection.fetchrow(f'SELECT * FROM "{resource.name}" WHERE id = $1', sample.row["id"])
    replayed: dict[str, Any] = {}
    for entry in entries:
        replayed |= typed(resource, entry.after or {})
    left_out = {"id", "version", "updated_at", "scopes", *resource.log.hidden}
    fresh = {name: value for name, value in dict(record).items() if name not in left_out}
    assert {name: replayed.get(name) for name in fresh} == fresh
    assert (entries[-1].version, entries[-1].scopes_after) == (record["version"], record["scopes"])


async def test_a_stale_if_match_is_refused_and_a_fresh_one_taken(changeable: Sample, resource: Resource[Any]) -> None:
    path = address(resource, changeable)
    stale = await changeable.owner.patch(path, changeable.patch, if_match='"99"')
    assert (stale.status_code, stale.json()["code"]) == (412, "precondition-failed")
    etag = (await changeable.owner.get(path)).headers["etag"]
    assert (await changeable.owner.patch(path, changeable.patch, if_match=etag)).status_code == 200
    assert (await changeable.owner.patch(path, changeable.patch, if_match="nonsense")).status_code == 400


async def test_a_dry_run_says_what_would_happen_and_does_nothing(changeable: Sample, resource: Resource[Any]) -> None:
    path = address(resource, changeable)
    before = (await changeable.owner.get(path)).json()
    dry = (await changeable.owner.patch(path, changeable.patch, prefer="tx=rollback")).json()
    assert [each["event"] for each in dry["changes"]] == [f"{resource.singular}.changed"]
    assert dry["body"]["version"] == before["version"] + 1
    assert (await changeable.owner.get(path)).json() == before


async def test_a_change_is_in_the_history_and_can_be_taken_back(changeable: Sample, resource: Resource[Any]) -> None:
    path, owner = address(resource, changeable), changeable.owner
    before = (await owner.get(path)).json()
    changed = await owner.patch(path, changeable.patch, change_reason="spring%20cleaning")
    latest = (await owner.get(f"{path}/history")).json()["data"][0]
    assert (latest["reason"], latest["actor_id"]) == ("spring cleaning", owner.id)
    assert set(changeable.patch) <= set(latest["changes"])
    then = (await owner.get(f"{path}?as_of={before['version']}")).json()
    undone = (await owner.post(f"{path}/undo")).json()
    same = before.keys() - {"version", "updated_at"}
    assert {name: then[name] for name in same} == {name: before[name] for name in same}
    assert {name: undone[name] for name in same} == {name: before[name] for name in same}
    assert changed.json()["version"] == undone["version"] - 1


async def test_the_same_change_again_writes_nothing(changeable: Sample, resource: Resource[Any]) -> None:
    path = address(resource, changeable)
    first = (await changeable.owner.patch(path, changeable.patch)).json()
    assert (await changeable.owner.patch(path, changeable.patch)).json() == first


async def test_a_removed_row_is_in_the_trash_until_it_is_restored_or_purged(
    cast: Cast, removable: Sample, resource: Resource[Any]
) -> None:
    assert removable.create
    owner = removable.owner
    row = await owner.made(f"/v1/{resource.path}", removable.create(1))
    path = f"/v1/{resource.path}/{row['id']}"
    assert (await owner.delete(path)).status_code == 204
    assert (await owner.get(path)).status_code == 404
    assert row["id"] not in (await owner.get(f"/v1/{resource.path}?limit=200")).text
    assert row["id"] in (await owner.get(f"/v1/{resource.path}?trash=only")).text
    assert row["id"] not in (await cast.cleo.get(f"/v1/{resource.path}?trash=only")).text
    assert (await owner.post(f"{path}/restore")).status_code == 200
    assert (await owner.get(path)).status_code == 200
    assert (await owner.post(f"{path}/purge")).status_code == 404
    assert (await owner.delete(path)).status_code == 204
    assert (await owner.post(f"{path}/purge")).status_code == 204
    assert row["id"] not in (await owner.get(f"/v1/{resource.path}?trash=only")).text
    left = await cast.server.database.pool.fetchval(f'SELECT count(*) FROM "{resource.name}" WHERE id = $1', row["id"])
    assert left == 0


async def test_a_removal_can_be_taken_back_by_undo(removable: Sample, resource: Resource[Any]) -> None:
    assert removable.create
    row = await removable.owner.made(f"/v1/{resource.path}", removable.create(1))
    path = f"/v1/{resource.path}/{row['id']}"
    await removable.owner.delete(path)
    assert (await removable.owner.post(f"{path}/undo")).status_code == 200
    assert (await removable.owner.get(path)).status_code == 200


async def test_a_batch_is_the_same_as_its_single_writes(batchable: Sample, resource: Resource[Any]) -> None:
    assert batchable.create
    owner = batchable.owner
    single = await owner.made(f"/v1/{resource.path}", batchable.create(1))
    ops = [{"op": "create", "data": batchable.create(2)}, {"op": "create", "data": {"no such field": 1}}]
    batch = await owner.made(f"/v1/{resource.path}:batch", {"ops": ops})
    assert [each["status"] for each in batch["results"]] == ["created", "failed"]
    assert batch["results"][1]["problem"]["code"] == "unknown-fields"
    made = (await owner.get(f"/v1/{resource.path}/{batch['results'][0]['id']}")).json()
    assert made.keys() == single.keys() & made.keys()
    history = (await owner.get(f"/v1/{resource.path}/{made['id']}/history")).json()["data"]
    assert [each["event"] for each in history] == [f"{resource.singular}.created"]


async def test_an_atomic_batch_with_one_fault_writes_nothing(batchable: Sample, resource: Resource[Any]) -> None:
    assert batchable.create
    owner = batchable.owner
    before = (await owner.get(f"/v1/{resource.path}?limit=200")).json()["data"]
    ops = [{"op": "create", "data": batchable.create(1)}, {"op": "create", "data": {"no such field": 1}}]
    refused = await owner.post(f"/v1/{resource.path}:batch", {"mode": "atomic", "ops": ops})
    assert (refused.status_code, refused.json()["code"]) == (422, "batch-refused")
    assert [each["n"] for each in refused.json()["results"]] == [1]
    assert (await owner.get(f"/v1/{resource.path}?limit=200")).json()["data"] == before


async def test_a_retried_create_is_answered_again_and_not_done_again(
    creatable: Sample, resource: Resource[Any]
) -> None:
    assert creatable.create
    owner, path, body = creatable.owner, f"/v1/{resource.path}", creatable.create(1)
    first = await owner.post(path, body, idempotency_key="k-1")
    again = await owner.post(path, body, idempotency_key="k-1")
    assert again.headers["idempotent-replayed"] == "true"
    assert again.json()["id"] == first.json()["id"]
    other = await owner.post(path, creatable.create(2), idempotency_key="k-1")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-key-reused")


async def test_two_writers_on_one_row_never_lose_a_change(
    cast: Cast, changeable: Sample, resource: Resource[Any]
) -> None:
    path, etag = address(resource, changeable), f'"{changeable.row["version"]}"'
    row = (await changeable.owner.get(path)).json()
    etag = f'"{row["version"]}"'
    answers = await gather(*(changeable.owner.patch(path, changeable.patch, if_match=etag) for _ in range(5)))
    assert sorted(each.status_code for each in answers) == [200, 412, 412, 412, 412]
    await settled(cast)
