"""Search, of every resource that has text: who sees a row finds it, and nobody else learns anything of it."""

from typing import Any

import pytest

from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.tokens import whole
from tests.cast import Caller, Cast
from tests.contracts.conftest import settled
from tests.contracts.samples import Sample

pytestmark = pytest.mark.anyio


@pytest.fixture
async def word(cast: Cast, sample: Sample, resource: Resource[Any]) -> str:
    """A word of the row, of a column that all who see the row see; the index has it."""
    if not resource.find.text:
        pytest.skip("no text")
    await settled(cast)
    assert await cast.server.search.has_reached(cast.server.tail.epoch, cast.server.tail.pos)
    said = " ".join(str(sample.row[name] or "") for name in resource.find.text if name not in resource.shapes.audience)
    return max(whole(said), key=len)


async def ids(caller: Caller, resource: Resource[Any], query: str) -> list[str]:
    response = await caller.get(f"/v1/{resource.path}?{query}")
    assert response.status_code == 200, response.text
    return [row["id"] for row in response.json()["data"]]


async def test_who_sees_a_row_finds_it_by_its_words(sample: Sample, resource: Resource[Any], word: str) -> None:
    found = (await sample.owner.get(f"/v1/{resource.path}?q={word}&highlights=true")).json()
    assert sample.row["id"] in [row["id"] for row in found["data"]]
    assert found["search"]["engine"] == "index"
    hit = next(hit for hit in found["search"]["hits"] if hit["id"] == sample.row["id"])
    assert hit["highlights"]
    row = next(row for row in found["data"] if row["id"] == sample.row["id"])
    assert set(row) == set(resource.readable)


async def test_a_stranger_learns_nothing_by_searching(sample: Sample, resource: Resource[Any], word: str) -> None:
    if sample.stranger is None:
        pytest.skip("everybody sees this row")
    facets = ",".join(resource.find.facets)
    for who in sample.strangers:
        found = await who.get(f"/v1/{resource.path}?q={word}" + (f"&facets={facets}" if facets else ""))
        assert sample.row["id"] not in found.text
        body = found.json()
        assert body["page"]["total"] == len(body["data"])
        suggested = (await who.get(f"/v1/search/suggest?q={word[:4]}&kinds={resource.path}")).json()["data"]
        seen = (await who.get(f"/v1/{resource.path}")).text
        assert all(each["text"] in seen for each in suggested)
        everything = await who.get(f"/v1/search?q={word}")
        assert sample.row["id"] not in everything.text


async def test_facets_are_counted_over_what_the_actor_sees(sample: Sample, resource: Resource[Any], word: str) -> None:
    if not resource.find.facets:
        pytest.skip("nothing is counted")
    for caller in (sample.owner, *sample.strangers):
        rows = (await caller.get(f"/v1/{resource.path}?limit=200")).json()["data"]
        told = (await caller.get(f"/v1/{resource.path}?facets={','.join(resource.find.facets)}")).json()["search"]
        for name, values in told["facets"].items():
            for each in values:
                if (
                    "label" not in each
                    and isinstance(resource.columns[name].type.python_type, type)
                    and "value" in each
                ):
                    have = [row for row in rows if has_value(row.get(name), each["value"])]
                    if not each["value"].endswith("d"):
                        assert each["count"] == len(have), (name, each)


def has_value(value: Any, wanted: str) -> bool:
    return wanted in value if isinstance(value, list) else str(value) == wanted


async def test_a_removed_row_is_found_no_more_and_a_restored_one_again(
    cast: Cast, sample: Sample, resource: Resource[Any], word: str
) -> None:
    if not sample.removable or sample.create is None:
        pytest.skip("it is not removed")
    row_id = sample.row["id"]
    gone = await sample.owner.delete(f"/v1/{resource.path}/{row_id}")
    assert gone.status_code == 204, gone.text
    found = await sample.owner.get(f"/v1/{resource.path}?q={word}", wait_for=gone.headers["log-position"])
    assert row_id not in found.text
    assert row_id in (await sample.owner.get(f"/v1/{resource.path}?q={word}&trash=only")).text
    back = await sample.owner.post(f"/v1/{resource.path}/{row_id}/restore")
    found = await sample.owner.get(f"/v1/{resource.path}?q={word}", wait_for=back.headers["log-position"])
    assert row_id in found.text
