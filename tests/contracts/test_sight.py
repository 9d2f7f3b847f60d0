"""Who sees a row: its scopes decide, the same at every door."""

from itertools import product
from typing import Any

import pytest

from guildhouse.kernel.actor import ANONYMOUS
from guildhouse.kernel.http import doors_of
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.scopes import exceptions
from tests.cast import Cast
from tests.contracts.samples import SAMPLES, Sample

pytestmark = pytest.mark.anyio


def doors(resource: Resource[Any], row_id: str) -> list[tuple[str, str]]:
    one = f"/v1/{resource.path}/{row_id}"
    found = [("GET", one), ("GET", f"{one}/history"), ("GET", f"{one}?as_of=1"), ("POST", f"{one}/undo")]
    return [*found, ("PATCH", one), ("DELETE", one), ("POST", f"{one}/restore"), ("POST", f"{one}/purge")]


async def test_every_resource_has_a_sample(resource: Resource[Any]) -> None:
    assert resource.name in SAMPLES


async def test_what_makes_exceptions_has_a_sample_with_somebody_who_is_one(
    cast: Cast, sample: Sample, resource: Resource[Any]
) -> None:
    assert resource.makes_exceptions == (sample.insider is not None)
    if sample.insider:
        sql = f'SELECT scopes FROM "{resource.name}" WHERE id = $1'
        scopes = await cast.server.database.pool.fetchval(sql, sample.row["id"])
        held = (await cast.server.identity.actor_of(cast.server.database.pool, sample.insider.id)).scopes
        assert held & set(scopes), "else it would be no exception"
        assert set(exceptions(held)) & set(scopes)


async def test_a_stranger_finds_nothing_at_any_door(sample: Sample, resource: Resource[Any]) -> None:
    if sample.stranger is None:
        pytest.skip("everybody sees this row")
    everywhere = [(who, *door) for who in sample.strangers for door in doors(resource, sample.row["id"])]
    for who, method, path in everywhere:
        response = await who.call(method, path, {} if method in ("PATCH", "POST") else None)
        assert response.status_code in (404, 405), f"{method} {path}: {response.status_code} {response.text}"
        assert response.headers["content-type"] == "application/problem+json"


async def test_a_stranger_finds_nothing_in_lists(sample: Sample, resource: Resource[Any]) -> None:
    if sample.stranger is None:
        pytest.skip("everybody sees this row")
    for who, query in product(sample.strangers, ("", "?format=ndjson", "?format=csv", "?trash=only")):
        response = await who.get(f"/v1/{resource.path}{query}", prefer="count=exact")
        assert response.status_code == 200
        assert sample.row["id"] not in response.text
        assert query or response.json()["page"]["total"] == len(response.json()["data"])


async def test_verbs_of_a_stranger_find_nothing(cast: Cast, sample: Sample, resource: Resource[Any]) -> None:
    if sample.stranger is None:
        pytest.skip("everybody sees this row")
    verbs = [name for (noun, name), verb in cast.server.house.verbs.items() if noun == resource.name and not verb.body]
    for who, name in product(sample.strangers, verbs):
        response = await who.post(f"/v1/{resource.path}/{sample.row['id']}/{name}")
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
