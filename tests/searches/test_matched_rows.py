"""The rows behind matches: as the list shows them, and only while they are seen."""

import pytest

from tests.cast import Cast
from tests.jobs.openings import hiring, posted, tracked
from tests.organizations.scenes import ids, refusal
from tests.searches.looking import matched, saved

pytestmark = pytest.mark.anyio


async def test_rows_are_those_that_matched_as_the_list_shows_them(cast: Cast) -> None:
    organization = await hiring(cast)
    before = await posted(cast, organization, country="TW")
    wanted = await saved(cast.cleo, country="TW")
    jobs = [await posted(cast, organization, country="TW", title=f"Nurse {n}") for n in range(3)]
    await matched(cast.cleo, wanted, 3)
    address = f"/v1/saved-searches/{wanted['id']}/rows"
    listed = (await cast.cleo.get("/v1/jobs")).json()["data"]
    rows = (await cast.cleo.get(address)).json()["data"]
    assert rows == [each for each in listed if each["id"] != before["id"]]
    some = await cast.cleo.get(f"{address}?fields=title,organization.name&sort=title&limit=2")
    assert [row["title"] for row in some.json()["data"]] == ["Nurse 0", "Nurse 1"]
    assert some.json()["data"][0]["organization"] == {"name": "Analytical Engines"}
    cursor = some.json()["page"]["next"]
    rest = await cast.cleo.get(f"{address}?fields=title,organization.name&sort=title&limit=2&cursor={cursor}")
    assert [row["title"] for row in rest.json()["data"]] == ["Nurse 2"]
    assert ids(await cast.cleo.get(f"{address}?title=Nurse%201")) == [jobs[1]["id"]]
    for query in ("colour=red", "q=nurse", "facets=country", "format=csv", "trash=only"):
        assert refusal(await cast.cleo.get(f"{address}?{query}")) == (400, "unknown-parameter"), query


async def test_unseen_rows_are_those_not_marked_yet(cast: Cast) -> None:
    wanted = await saved(cast.cleo)
    old = await tracked(cast.cleo)
    await matched(cast.cleo, wanted, 1)
    address = f"/v1/saved-searches/{wanted['id']}"
    assert ids(await cast.cleo.get(f"{address}/unseen-rows")) == [old["id"]]
    await cast.cleo.made(f"{address}/see-matches", {})
    new = await tracked(cast.cleo)
    await matched(cast.cleo, wanted, 2)
    assert ids(await cast.cleo.get(f"{address}/unseen-rows")) == [new["id"]]
    assert set(ids(await cast.cleo.get(f"{address}/rows"))) == {old["id"], new["id"]}


async def test_a_row_that_went_out_of_sight_is_not_among_them(cast: Cast) -> None:
    """Even before the reader has taken the match back."""
    organization = await hiring(cast)
    wanted = await saved(cast.cleo)
    job = await posted(cast, organization)
    await matched(cast.cleo, wanted, 1)
    await cast.ada.delete(f"/v1/jobs/{job['id']}")
    assert ids(await cast.cleo.get(f"/v1/saved-searches/{wanted['id']}/rows")) == []


async def test_they_are_nobody_elses(cast: Cast) -> None:
    wanted = await saved(cast.cleo)
    address = f"/v1/saved-searches/{wanted['id']}/rows"
    for stranger in (cast.ada, cast.otto):
        assert refusal(await stranger.get(address)) == (404, "not-found")
    assert (await cast.nobody.get(address)).status_code == 401
    key = (await cast.cleo.made("/v1/api-keys", {"name": "k", "permissions": ["saved_searches.read"]}))["key"]
    answer = await cast.nobody.get(address, authorization=f"Bearer {key}")
    assert refusal(answer) == (403, "denied")
