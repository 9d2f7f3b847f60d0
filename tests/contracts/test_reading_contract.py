"""Reading: shapes, fields, formats, ETags, pages."""

import csv
import io
from typing import Any

import orjson
import ormsgpack
import pytest

from guildhouse.kernel.resource import Resource
from tests.cast import Cast
from tests.contracts.conftest import settled
from tests.contracts.samples import Sample

pytestmark = pytest.mark.anyio


async def test_the_answer_has_the_fields_and_types_of_the_read_shape(sample: Sample, resource: Resource[Any]) -> None:
    response = await sample.owner.get(f"/v1/{resource.path}/{sample.row['id']}")
    assert tuple(response.json()) == resource.readable
    resource.shapes.read.model_validate_json(response.content)


async def test_fields_picks_fields_and_refuses_unknown_ones(sample: Sample, resource: Resource[Any]) -> None:
    address = f"/v1/{resource.path}/{sample.row['id']}"
    assert (await sample.owner.get(f"{address}?fields=version,id")).json() == {
        "version": sample.row["version"],
        "id": sample.row["id"],
    }
    for query in ("fields=nothing", "expand=nothing", "fields=nothing.id", "fields=scopes"):
        for path in (address, f"/v1/{resource.path}"):
            assert (await sample.owner.get(f"{path}?{query}")).status_code == 400, (path, query)


async def test_all_formats_carry_the_same_rows(sample: Sample, resource: Resource[Any]) -> None:
    path = f"/v1/{resource.path}"
    as_json = (await sample.owner.get(path)).json()["data"]
    ndjson = await sample.owner.get(path, accept="application/x-ndjson")
    assert [orjson.loads(line) for line in ndjson.content.splitlines()] == as_json
    packed = await sample.owner.get(path, accept="application/vnd.msgpack")
    assert ormsgpack.unpackb(packed.content)["data"] == as_json
    text = (await sample.owner.get(f"{path}?format=csv")).text
    assert [row["id"] for row in csv.DictReader(io.StringIO(text))] == [row["id"] for row in as_json]
    assert (await sample.owner.get(path, accept="image/png")).status_code == 406


async def test_an_unchanged_row_and_list_are_304(sample: Sample, resource: Resource[Any]) -> None:
    for path in (f"/v1/{resource.path}/{sample.row['id']}", f"/v1/{resource.path}"):
        first = await sample.owner.get(path)
        again = await sample.owner.get(path, if_none_match=first.headers["etag"])
        assert (again.status_code, again.content) == (304, b"")
        other = await sample.owner.get(f"{path}?fields=id", if_none_match=first.headers["etag"])
        assert other.status_code == 200


async def test_the_total_comes_when_it_is_asked_for(sample: Sample, resource: Resource[Any]) -> None:
    exact = (await sample.owner.get(f"/v1/{resource.path}", prefer="count=exact")).json()
    assert exact["page"]["total"] == len((await sample.owner.get(f"/v1/{resource.path}?limit=200")).json()["data"])
    planned = (await sample.owner.get(f"/v1/{resource.path}", prefer="count=planned")).json()
    assert planned["page"]["total"] >= 0
    assert "total" not in (await sample.owner.get(f"/v1/{resource.path}")).json()["page"]


async def test_every_declared_filter_finds_the_row_by_its_own_value(sample: Sample, resource: Resource[Any]) -> None:
    row = (await sample.owner.get(f"/v1/{resource.path}/{sample.row['id']}")).json()
    for name in resource.find.filter:
        if row[name] is None or row[name] == []:
            query = f"{name}[isnull]=true" if row[name] is None else f"{name}[isnull]=false"
        elif isinstance(row[name], list):
            query = f"{name}[contains]={row[name][0]}"
        else:
            query = f"{name}={str(row[name]).lower() if isinstance(row[name], bool) else row[name]}"
        found = await sample.owner.client.get(
            f"/v1/{resource.path}", params=dict([query.split("=", 1), ("limit", "200")])
        )
        assert row["id"] in found.text, (query, found.text)


async def test_the_list_has_another_etag_after_a_change(cast: Cast, sample: Sample, resource: Resource[Any]) -> None:
    if not sample.patch:
        pytest.skip("nobody changes this resource by hand")
    before = await sample.owner.get(f"/v1/{resource.path}")
    await sample.owner.patch(f"/v1/{resource.path}/{sample.row['id']}", sample.patch)
    await settled(cast)
    after = await sample.owner.get(f"/v1/{resource.path}", if_none_match=before.headers["etag"])
    assert after.status_code == 200
    assert after.headers["etag"] != before.headers["etag"]


async def test_every_sort_walks_every_row_once_in_both_directions(sample: Sample, resource: Resource[Any]) -> None:
    if sample.create:
        for n in range(7):
            await sample.owner.made(f"/v1/{resource.path}", sample.create(n))
    for sort in [*resource.find.sort, *(f"-{name}" for name in resource.find.sort)]:
        base = f"/v1/{resource.path}?sort={sort}"
        everything = (await sample.owner.get(f"{base}&limit=200")).json()["data"]
        pages = await walk(sample, f"{base}&limit=3")
        assert [row["id"] for page in pages for row in page["data"]] == [row["id"] for row in everything], sort
        back = pages[-1]["page"]["prev"]
        if back:
            previous = (await sample.owner.get(f"{base}&limit=3&cursor={back}")).json()
            assert previous["data"] == pages[-2]["data"]


async def walk(sample: Sample, address: str) -> list[dict[str, Any]]:
    pages: list[dict[str, Any]] = [(await sample.owner.get(address)).json()]
    while cursor := pages[-1]["page"]["next"]:
        pages.append((await sample.owner.get(f"{address}&cursor={cursor}")).json())
    return pages


async def test_pages_miss_nothing_while_rows_are_written(sample: Sample, resource: Resource[Any]) -> None:
    if not sample.create:
        pytest.skip("this resource is not created by hand")
    made = [(await sample.owner.made(f"/v1/{resource.path}", sample.create(n)))["id"] for n in range(8)]
    address, met, cursor, n = f"/v1/{resource.path}?sort={resource.find.sort[0]}&limit=2", list[str](), "", 100
    while True:
        page = (await sample.owner.get(address + (f"&cursor={cursor}" if cursor else ""))).json()
        met += [row["id"] for row in page["data"]]
        if not page["page"]["next"]:
            break
        cursor, n = page["page"]["next"], n + 1
        if n < 106:
            await sample.owner.made(f"/v1/{resource.path}", sample.create(n))
    assert len(met) == len(set(met))
    assert set(made) <= set(met)


async def test_a_cursor_is_good_for_its_own_query_only(sample: Sample, resource: Resource[Any]) -> None:
    if not sample.create:
        pytest.skip("this resource is not created by hand")
    for n in range(3):
        await sample.owner.made(f"/v1/{resource.path}", sample.create(n))
    cursor = (await sample.owner.get(f"/v1/{resource.path}?limit=1")).json()["page"]["next"]
    sort = resource.find.sort[0]
    for query in (f"limit=1&sort={sort}&cursor={cursor}", f"limit=1&cursor={cursor[:-4]}AAAA", "limit=1&cursor=x"):
        response = await sample.owner.get(f"/v1/{resource.path}?{query}")
        assert (response.status_code, response.json()["code"]) == (400, "cursor-mismatch"), query
