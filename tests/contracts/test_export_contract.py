"""Exporting: the whole list says what its pages say, in every format, and to nobody more than they see."""

import csv
import io
from typing import Any

import orjson
import pytest

from guildhouse.kernel.actor import ANONYMOUS
from guildhouse.kernel.exporting.wanted import own_fields
from guildhouse.kernel.resource import Resource
from tests.cast import Cast
from tests.contracts.conftest import settled
from tests.contracts.samples import Sample

pytestmark = pytest.mark.anyio

TEXTS = ("ndjson", "csv", "json", "guildhouse")


def rows_of(form: str, content: bytes) -> list[dict[str, Any]]:
    if form == "json":
        return list(orjson.loads(content)["data"])
    if form == "csv":
        cells = csv.DictReader(io.StringIO(content.decode(), newline=""))
        # A document in a cell may be spaced in two ways: one writer is PostgreSQL, one is not.
        return [{k: orjson.loads(v) if v.startswith(("{", "[")) else v for k, v in row.items()} for row in cells]
    lines = [orjson.loads(line) for line in content.splitlines()]
    return lines[1:] if form == "guildhouse" else lines


async def test_the_whole_list_has_the_rows_of_its_pages(sample: Sample, resource: Resource[Any]) -> None:
    if sample.create:
        for n in range(3):
            await sample.owner.made(f"/v1/{resource.path}", sample.create(n))
    base = f"/v1/{resource.path}"
    page = await sample.owner.get(f"{base}?limit=200")
    cells = await sample.owner.get(f"{base}?limit=200&format=csv", prefer="count=exact")
    as_cells = rows_of("csv", cells.content)
    assert cells.headers["total-count"] == str(len(as_cells)) and "total-count" not in page.headers
    for form in ("ndjson", "json", "csv"):
        whole = await sample.owner.get(f"{base}:export?format={form}", prefer="count=exact")
        assert whole.status_code == 200, whole.text
        assert rows_of(form, whole.content) == (as_cells if form == "csv" else page.json()["data"])
        assert whole.headers["total-count"] == str(len(as_cells))
        assert whole.headers["content-disposition"].endswith(f'.{form}"')


async def test_fields_filters_and_order_are_those_of_the_list(sample: Sample, resource: Resource[Any]) -> None:
    names = ",".join(["id", *resource.find.sort[:1], *(f"{name}.id" for name in resource.find.expand)])
    query = f"sort=-{resource.find.sort[0]}&fields={names}"
    page = (await sample.owner.get(f"/v1/{resource.path}?limit=200&{query}")).json()["data"]
    for form in ("ndjson", "json"):
        whole = await sample.owner.get(f"/v1/{resource.path}:export?format={form}&{query}")
        assert rows_of(form, whole.content) == page
    text = (await sample.owner.get(f"/v1/{resource.path}:export?format=csv&{query}")).text
    assert text.splitlines()[0] == names


async def test_what_is_unknown_is_refused(sample: Sample, resource: Resource[Any]) -> None:
    for query in ("limit=5", "cursor=x", "colour=red", "fields=nothing", "expand=nothing", "sort=nothing", "trash=all"):
        response = await sample.owner.get(f"/v1/{resource.path}:export?{query}")
        assert response.status_code == 400, query
    assert (await sample.owner.get(f"/v1/{resource.path}:export?format=msgpack")).status_code == 406
    assert (await sample.owner.get(f"/v1/{resource.path}:export?format=guildhouse&fields=id")).status_code == 400


async def test_a_stranger_gets_nothing_and_who_is_not_signed_in_is_asked_to(
    cast: Cast, sample: Sample, resource: Resource[Any]
) -> None:
    for form in TEXTS:
        address = f"/v1/{resource.path}:export?format={form}"
        assert not resource.may.export(ANONYMOUS, None)
        assert (await cast.nobody.get(address)).status_code == 401
        for who in sample.strangers:
            response = await who.get(address)
            assert response.status_code == 200
            assert sample.row["id"] not in response.text


async def test_the_houses_own_format_says_what_it_is_and_comes_in_the_order_of_ids(
    sample: Sample, resource: Resource[Any]
) -> None:
    if sample.create:
        await sample.owner.made(f"/v1/{resource.path}", sample.create(0))
    content = (await sample.owner.get(f"/v1/{resource.path}:export?format=guildhouse")).content
    about = orjson.loads(content.splitlines()[0])
    assert about == {"guildhouse": 1, "resource": resource.name, "fields": list(own_fields(resource))}
    rows = rows_of("guildhouse", content)
    assert sample.row["id"] in [row["id"] for row in rows]
    assert rows == sorted(rows, key=lambda row: row["id"])
    assert all(tuple(row) == own_fields(resource) for row in rows)


async def test_an_unchanged_list_is_not_sent_again(cast: Cast, sample: Sample, resource: Resource[Any]) -> None:
    address = f"/v1/{resource.path}:export?format=csv"
    first = await sample.owner.get(address)
    assert (await sample.owner.get(address, if_none_match=first.headers["etag"])).status_code == 304
    if sample.patch:
        await sample.owner.patch(f"/v1/{resource.path}/{sample.row['id']}", sample.patch)
        await settled(cast)
        assert (await sample.owner.get(address, if_none_match=first.headers["etag"])).status_code == 200
