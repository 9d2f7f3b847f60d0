"""Place suggestions, and lists near a place by its name."""

import pytest

from tests.cast import Cast
from tests.jobs.openings import posted
from tests.organizations.scenes import approved, ids, refusal

pytestmark = pytest.mark.anyio


async def test_anybody_is_told_how_a_name_may_go_on(cast: Cast) -> None:
    for caller in (cast.nobody, cast.cleo):
        answer = await caller.get("/v1/places?q=taipe")
        assert answer.status_code == 200
        assert answer.json()["data"][0] == {
            "name": "Taipei", "label": "Taipei, TW", "country": "TW", "latitude": 25.053, "longitude": 121.526,
        }  # fmt: skip
        assert "max-age" in answer.headers["cache-control"]
    some = (await cast.nobody.get("/v1/places?q=san&limit=3")).json()["data"]
    assert len(some) == 3
    assert len((await cast.nobody.get("/v1/places?q=san&limit=500")).json()["data"]) == 50
    here = (await cast.nobody.get("/v1/places?q=s&country=tw")).json()["data"]
    assert {each["country"] for each in here} == {"TW"}
    assert (await cast.nobody.get("/v1/places?q=qqqq")).json() == {"data": []}


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "nothing-typed"),
        ("q=", "nothing-typed"),
        ("q=a&limit=0", "wrong-limit"),
        ("q=a&lang=en", "unknown-parameter"),
    ],
)
async def test_what_asks_for_nothing_is_a_400(cast: Cast, query: str, code: str) -> None:
    assert refusal(await cast.nobody.get(f"/v1/places?{query}")) == (400, code)


async def test_jobs_are_found_near_a_name(cast: Cast) -> None:
    job = await posted(cast, await approved(cast), latitude=25.04, longitude=121.5)
    for name in ("Taipei", "台北", "Taipei, TW", "New Taipei City"):
        assert ids(await cast.nobody.get(f"/v1/jobs?near={name}&radius=20km&sort=distance")) == [job["id"]], name
    assert ids(await cast.nobody.get("/v1/jobs?near=Portland, OR")) == []
    whole = await cast.cleo.get("/v1/jobs:export?near=台北&format=ndjson")
    assert len(whole.text.splitlines()) == 1


async def test_a_name_of_many_places_is_asked_back_in_the_readers_language(cast: Cast) -> None:
    answer = await cast.nobody.get("/v1/jobs?near=Portland")
    assert refusal(answer) == (400, "many-places")
    assert "Portland, US-OR" in [each["detail"] for each in answer.json()["errors"]]
    said = (await cast.nobody.get("/v1/jobs?near=Portland", accept_language="zh-TW")).json()
    assert "Portland, US-OR" in said["detail"] and "地方" in said["detail"]
    assert refusal(await cast.nobody.get("/v1/jobs?near=Atlantisville")) == (400, "unknown-place")


async def test_the_document_says_what_one_may_ask(cast: Cast) -> None:
    document = (await cast.nobody.get("/openapi.json")).json()
    door = document["paths"]["/v1/places"]["get"]
    assert [each["name"] for each in door["parameters"] if "name" in each] == ["q", "country", "limit"]
