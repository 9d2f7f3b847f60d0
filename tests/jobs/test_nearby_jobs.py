"""Jobs near a place: by radius, nearest first through all pages, in every format, and never more than one sees."""

import asyncio
from typing import Any

import pytest

from guildhouse.kernel.exporting import making
from tests.cast import Caller, Cast
from tests.jobs.openings import posted, tracked
from tests.organizations.scenes import approved, ids, refusal

pytestmark = pytest.mark.anyio

MAIN_STATION = "near=25.0478,121.517"
HERE = {"latitude": 25.0478, "longitude": 121.5170}
BANQIAO = {"latitude": 25.0143, "longitude": 121.4672}
HSINCHU = {"latitude": 24.8036, "longitude": 120.9686}
AUCKLAND = {"latitude": -36.8485, "longitude": 174.7635}


@pytest.fixture
async def rows(cast: Cast) -> dict[str, Any]:
    """Open jobs in four places, one nowhere, one remote."""
    organization = await approved(cast)
    places: dict[str, dict[str, Any]] = {
        "here": HERE, "banqiao": BANQIAO, "hsinchu": HSINCHU, "auckland": AUCKLAND, "nowhere": {},
        "remote": {**AUCKLAND, "workplace": "remote"},
    }  # fmt: skip
    return {name: await posted(cast, organization, title=name, **place) for name, place in places.items()}


async def titles(caller: Caller, query: str) -> list[str]:
    response = await caller.get(f"/v1/jobs?{query}")
    assert response.status_code == 200, response.text
    return [row["title"] for row in response.json()["data"]]


async def test_jobs_are_found_near_a_point(cast: Cast, rows: dict[str, Any]) -> None:
    expected = {
        f"{MAIN_STATION}&sort=distance": ["here", "banqiao"],
        f"{MAIN_STATION}&radius=5km&sort=distance": ["here"],
        f"{MAIN_STATION}&radius=50mi&sort=distance": ["here", "banqiao", "hsinchu"],
        f"{MAIN_STATION}&radius=any&sort=distance,title": ["here", "banqiao", "hsinchu", "auckland", "remote"],
        f"{MAIN_STATION}&radius=any&sort=distance&workplace[ne]=remote": ["here", "banqiao", "hsinchu", "auckland"],
        f"{MAIN_STATION}&radius=any&sort=title&remote=exclude": ["auckland", "banqiao", "here", "hsinchu"],
        f"{MAIN_STATION}&remote=include&sort=distance": ["here", "banqiao", "remote"],
        f"{MAIN_STATION}&remote=include&radius=any&sort=distance&limit=4": ["here", "banqiao", "hsinchu", "auckland"],
        f"{MAIN_STATION}&title=banqiao": ["banqiao"],
        "near=-36.8,174.7&sort=title": ["auckland", "remote"],
    }
    for query, found in expected.items():
        assert await titles(cast.nobody, query) == found, query


async def test_a_row_says_how_far_away_it_is_only_where_that_was_asked(cast: Cast, rows: dict[str, Any]) -> None:
    query = f"{MAIN_STATION}&remote=include&sort=distance"
    found = (await cast.nobody.get(f"/v1/jobs?{query}")).json()["data"]
    assert [row["distance_km"] for row in found] == [0.0, 6.248, None]
    assert found[0].keys() == {*rows["here"], "distance_km"}
    assert "distance_km" not in (await cast.nobody.get("/v1/jobs")).json()["data"][0]
    some = (await cast.nobody.get(f"/v1/jobs?{query}&fields=distance_km,title&limit=1")).json()["data"]
    assert some == [{"distance_km": 0.0, "title": "here"}]
    plain = (await cast.nobody.get(f"/v1/jobs?{query}&fields=title&limit=1")).json()["data"]
    assert plain == [{"title": "here"}]
    assert refusal(await cast.nobody.get("/v1/jobs?fields=distance_km")) == (400, "unknown-field")
    table = (await cast.nobody.get(f"/v1/jobs?{query}&fields=title,distance_km&format=csv")).text
    assert table.splitlines() == ["title,distance_km", "here,0", "banqiao,6.248", "remote,"]


@pytest.mark.parametrize("radius", ["500km", "any"])
async def test_pages_by_distance_go_there_and_back(cast: Cast, rows: dict[str, Any], radius: str) -> None:
    base = f"/v1/jobs?{MAIN_STATION}&radius={radius}&remote=include&sort=distance&limit=2"
    pages = [await cast.nobody.get(base)]
    while cursor := pages[-1].json()["page"]["next"]:
        pages.append(await cast.nobody.get(f"{base}&cursor={cursor}"))
    whole = await cast.nobody.get(base.replace("limit=2", "limit=50"))
    assert [each for page in pages for each in ids(page)] == ids(whole)
    back = await cast.nobody.get(f"{base}&cursor={pages[1].json()['page']['prev']}")
    assert ids(back) == ids(pages[0])
    other = base.replace("25.0478", "25.0479")
    refused = await cast.nobody.get(f"{other}&cursor={pages[1].json()['page']['prev']}")
    assert refusal(refused) == (400, "cursor-mismatch")


async def test_the_total_and_the_etag_are_of_the_circle(cast: Cast, rows: dict[str, Any]) -> None:
    query = f"/v1/jobs?{MAIN_STATION}&sort=distance"
    answer = await cast.nobody.get(f"{query}&limit=1", prefer="count=exact")
    assert answer.json()["page"]["total"] == 2
    first = await cast.nobody.get(query)
    assert (await cast.nobody.get(query, if_none_match=first.headers["etag"])).status_code == 304
    wider = await cast.nobody.get(f"{query}&radius=26km")
    assert wider.headers["etag"] != first.headers["etag"]


async def test_an_export_says_what_the_list_says(cast: Cast, rows: dict[str, Any]) -> None:
    for radius in ("300km", "any"):
        query = f"{MAIN_STATION}&radius={radius}&remote=include&sort=distance"
        page = (await cast.cleo.get(f"/v1/jobs?{query}")).json()["data"]
        whole = await cast.cleo.get(f"/v1/jobs:export?{query}&format=json")
        assert whole.json()["data"] == page
        query += "&fields=title,distance_km,latitude&format=csv"
        cells = (await cast.cleo.get(f"/v1/jobs?{query}")).text
        assert (await cast.cleo.get(f"/v1/jobs:export?{query}")).text == cells
    for form in ("pdf", "xlsx", "guildhouse"):
        whole = await cast.cleo.get(f"/v1/jobs:export?{MAIN_STATION}&sort=distance&format={form}")
        assert whole.status_code == 200 or (form, refusal(whole)[1]) == ("guildhouse", "unknown-parameter"), whole.text
    own = await cast.cleo.get(f"/v1/jobs:export?{MAIN_STATION}&format=guildhouse")
    assert len(own.text.splitlines()) == 3 and "distance_km" not in own.text


async def test_an_export_in_parts_goes_on_by_distance(
    cast: Cast, rows: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "PART_ROWS", 2)
    query = {"near": "台北", "radius": "any", "remote": "include", "sort": "distance", "expand": "organization"}
    row = await cast.ada.made("/v1/exports", {"resource": "jobs", "format": "json", "query": query})
    for _ in range(200):
        row = (await cast.ada.get(f"/v1/exports/{row['id']}")).json()
        if row["finished_at"]:
            break
        await asyncio.sleep(0.02)
    assert (row["status"], row["done"]) == ("done", 5), row
    made = (await cast.ada.get(f"/v1/exports/{row['id']}/file")).json()["data"]
    listed = await cast.ada.get("/v1/jobs?" + "&".join(f"{name}={value}" for name, value in query.items()))
    assert made == listed.json()["data"] and made[0]["organization"]["name"] == "Analytical Engines"


async def test_words_are_searched_near_a_place(cast: Cast, rows: dict[str, Any]) -> None:
    organization = rows["here"]["organization_id"]
    for title, place in (("Nurse of the ward", BANQIAO), ("Night nurse", HERE), ("Nurse far away", AUCKLAND)):
        made = await cast.ada.post("/v1/jobs", {"organization_id": organization, "title": title, "status": "open",
                                                "salary_min": 50_000, "salary_currency": "EUR", "salary_period": "year",
                                                **place})  # fmt: skip
    position = made.headers["log-position"]

    async def found(query: str) -> list[dict[str, Any]]:
        response = await cast.nobody.get(f"/v1/jobs?q=nurse&{query}", wait_for=position)
        assert response.status_code == 200, response.text
        assert response.json()["search"]["engine"] == "index"
        return list(response.json()["data"])

    near = await found(f"{MAIN_STATION}&sort=distance")
    assert [(row["title"], row["distance_km"]) for row in near] == [("Night nurse", 0.0), ("Nurse of the ward", 6.248)]
    assert {row["title"] for row in await found(MAIN_STATION)} == {"Night nurse", "Nurse of the ward"}
    assert [row["title"] for row in await found(f"{MAIN_STATION}&radius=any&sort=distance")][2] == "Nurse far away"
    assert len(await found(f"{MAIN_STATION}&pay[gte]=40000&pay_in=EUR/year")) == 2
    assert await found(f"{MAIN_STATION}&pay[gte]=60000&pay_in=EUR/year") == []
    over = await found("near=-36.8,-180&radius=500km&sort=distance")
    assert [row["title"] for row in over] == ["Nurse far away"]
    counted = await cast.nobody.get(
        f"/v1/jobs?{MAIN_STATION}&facets=workplace,yearly_pay_max&q=nurse", wait_for=position
    )
    assert counted.json()["search"]["facets"]["yearly_pay_max"][3] == {"from": 40000, "to": 60000, "count": 2}


async def test_nobody_sees_more_by_looking_near(cast: Cast, rows: dict[str, Any]) -> None:
    mine = await tracked(cast.ada, title="mine", **HERE)
    query = f"{MAIN_STATION}&radius=any&sort=distance,title&remote=include"
    assert mine["id"] not in ids(await cast.cleo.get(f"/v1/jobs?{query}"))
    assert (await titles(cast.ada, query))[:2] == ["here", "mine"]


async def test_what_is_done_to_all_of_a_filter_may_be_done_near_a_place(cast: Cast, rows: dict[str, Any]) -> None:
    body = {"filter": {"near": "25.0478,121.517", "radius": "10km"}, "op": "pause"}
    tried = await cast.ada.post("/v1/jobs:batch", body, prefer="tx=rollback")
    assert tried.json()["body"]["total"] == 2


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("near=91,0", "wrong-point"),
        ("near=", "wrong-point"),
        ("near=25.03,121.56&radius=5", "wrong-radius"),
        ("near=25.03,121.56&radius=501km", "wrong-radius"),
        ("near=25.03,121.56&remote=only", "wrong-remote"),
        ("radius=5km", "near-is-missing"),
        ("remote=include", "near-is-missing"),
        ("sort=distance", "unknown-sort"),
        ("near=25.03,121.56&sort=-distance", "unknown-sort"),
        ("near[eq]=25.03,121.56", "unknown-parameter"),
    ],
)
async def test_what_makes_no_sense_near_a_place_is_a_400(cast: Cast, query: str, code: str) -> None:
    for door in ("jobs", "jobs:export"):
        assert refusal(await cast.ada.get(f"/v1/{door}?{query}")) == (400, code)


async def test_the_document_tells_of_it(cast: Cast) -> None:
    document = (await cast.nobody.get("/openapi.json")).json()
    names = {each.get("name") for each in document["paths"]["/v1/jobs"]["get"]["parameters"]}
    assert names >= {"near", "radius", "remote"}
    assert "distance_km" in document["components"]["schemas"]["JobPart"]["properties"]
    names = {each.get("name") for each in document["paths"]["/v1/people"]["get"]["parameters"]}
    assert names.isdisjoint({"near", "radius", "remote"})


async def test_pages_by_distance_lose_nothing_while_others_write(cast: Cast, rows: dict[str, Any]) -> None:
    organization = rows["here"]["organization_id"]
    base = f"/v1/jobs?{MAIN_STATION}&radius=any&sort=distance&limit=1&fields=id,title,distance_km"
    seen: list[dict[str, Any]] = []
    page = (await cast.nobody.get(base)).json()
    for n in range(20):
        seen += page["data"]
        if page["page"]["next"] is None:
            break
        if n < 5:
            body = {"organization_id": organization, "title": f"new {n}", "status": "open", "longitude": 121.517}
            await cast.ada.made("/v1/jobs", {**body, "latitude": 25.0478 + n / 100})
        page = (await cast.nobody.get(f"{base}&cursor={page['page']['next']}")).json()
    there = [row["title"] for row in seen if not row["title"].startswith("new")]
    assert there[:3] == ["here", "banqiao", "hsinchu"] and set(there[3:]) == {"auckland", "remote"}
    assert len({row["id"] for row in seen}) == len(seen)
    assert [row["distance_km"] for row in seen] == sorted(row["distance_km"] for row in seen)


async def test_drafts_and_the_trash_are_near_only_for_who_sees_them(cast: Cast, rows: dict[str, Any]) -> None:
    organization = rows["here"]["organization_id"]
    draft = await cast.ada.made("/v1/jobs", {"organization_id": organization, "title": "draft", **HERE})
    query = f"{MAIN_STATION}&radius=1km&sort=distance,title"
    assert await titles(cast.ada, query) == ["draft", "here"]
    assert await titles(cast.cleo, query) == await titles(cast.nobody, query) == ["here"]
    await cast.ada.delete(f"/v1/jobs/{draft['id']}")
    assert await titles(cast.ada, f"{query}&trash=only") == ["draft"]
    assert await titles(cast.cleo, f"{query}&trash=only") == []


async def test_both_sides_of_the_180th_meridian_are_near_each_other(cast: Cast) -> None:
    organization = await approved(cast)
    for title, longitude in (
        ("east", 179.99),
        ("west", -179.99),
        ("on it", 180.0),
        ("on it, too", -180.0),
        ("far", 178.0),
    ):
        await posted(cast, organization, title=title, latitude=-16.8, longitude=longitude)
    for longitude in ("180", "-180", "179.995", "-179.995"):
        found = await titles(cast.nobody, f"near=-16.8,{longitude}&radius=5km&sort=title")
        assert found == ["east", "on it", "on it, too", "west"], longitude
        nearest = await titles(cast.nobody, f"near=-16.8,{longitude}&radius=any&sort=distance")
        assert nearest[-1] == "far" and len(nearest) == 5, longitude


async def test_at_a_pole_every_longitude_is_near(cast: Cast) -> None:
    organization = await approved(cast)
    for longitude in (-180, -90, 0, 45, 135):
        await posted(cast, organization, title=f"at {longitude}", latitude=89.99, longitude=longitude)
    await posted(cast, organization, title="not there", latitude=89.9, longitude=0)
    for pole in ("90,0", "90,-135", "89.999,170"):
        assert len(await titles(cast.nobody, f"near={pole}&radius=2km")) == 5, pole
