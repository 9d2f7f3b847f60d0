"""Who sees a row: its scopes decide, the same at every door."""

from typing import Any

import pytest

from guildhouse.kernel.actor import ANONYMOUS
from guildhouse.kernel.http import doors_of
from guildhouse.kernel.resource import Resource
from tests.cast import Cast
from tests.contracts.samples import SAMPLES, Sample

pytestmark = pytest.mark.anyio


def doors(resource: Resource[Any], row_id: str) -> list[tuple[str, str]]:
    one = f"/v1/{resource.path}/{row_id}"
    found = [("GET", one), ("GET", f"{one}/history"), ("GET", f"{one}?as_of=1"), ("POST", f"{one}/undo")]
    return [*found, ("PATCH", one), ("DELETE", one), ("POST", f"{one}/restore"), ("POST", f"{one}/purge")]


async def test_every_resource_has_a_sample(resource: Resource[Any]) -> None:
    assert resource.name in SAMPLES


async def test_a_stranger_finds_nothing_at_any_door(sample: Sample, resource: Resource[Any]) -> None:
    if sample.stranger is None:
        pytest.skip("everybody sees this row")
    for method, path in doors(resource, sample.row["id"]):
        response = await sample.stranger.call(method, path, {} if method in ("PATCH", "POST") else None)
        assert response.status_code in (404, 405), f"{method} {path}: {response.status_code} {response.text}"
        assert response.headers["content-type"] == "application/problem+json"


async def test_a_stranger_finds_nothing_in_lists(sample: Sample, resource: Resource[Any]) -> None:
    if sample.stranger is None:
        pytest.skip("everybody sees this row")
    for query in ("", "?format=ndjson", "?format=csv", "?trash=only"):
        response = await sample.stranger.get(f"/v1/{resource.path}{query}")
        assert response.status_code == 200
        assert sample.row["id"] not in response.text


async def test_verbs_of_a_stranger_find_nothing(cast: Cast, sample: Sample, resource: Resource[Any]) -> None:
    if sample.stranger is None:
        pytest.skip("everybody sees this row")
    for (noun, name), verb in cast.server.house.verbs.items():
        if noun == resource.name and verb.body is None:
            response = await sample.stranger.post(f"/v1/{resource.path}/{sample.row['id']}/{name}")
            assert response.status_code == 404


async def test_anonymous_callers_are_asked_to_sign_in(cast: Cast, sample: Sample, resource: Resource[Any]) -> None:
    is_open = resource.may.read(ANONYMOUS, None)
    existing = {(door.method, door.path.replace("{id}", sample.row["id"])) for door in doors_of(cast.server.house)}
    for method, path in doors(resource, sample.row["id"]):
        if (method, path.partition("?")[0]) not in existing:
            continue
        response = await cast.nobody.call(method, path, {} if method in ("PATCH", "POST") else None)
        expected = (200, 404) if is_open and method == "GET" and not path.endswith("history") else (401,)
        assert response.status_code in expected, f"{method} {path}: {response.status_code}"


async def test_the_owner_sees_the_row_in_the_list_as_alone(sample: Sample, resource: Resource[Any]) -> None:
    alone = (await sample.owner.get(f"/v1/{resource.path}/{sample.row['id']}")).json()
    listed = (await sample.owner.get(f"/v1/{resource.path}?limit=200")).json()["data"]
    assert [row for row in listed if row["id"] == alone["id"]] == [alone]
