"""Jobs: posting, tracking, the way from a draft to a filled one, and who sees which."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.cast import Cast
from tests.jobs.openings import hiring, posted, tracked
from tests.organizations.scenes import Wrote, approved, found, heard, ids, join, refusal, suspend

pytestmark = pytest.mark.anyio


async def test_a_draft_is_its_organizations_until_it_is_published(cast: Cast) -> None:
    organization = await hiring(cast)
    job = await cast.ben.made("/v1/jobs", {"organization_id": organization["id"], "title": "Analyst"})
    assert (job["status"], job["organization_name"]) == ("draft", "Analytical Engines")
    address = f"/v1/jobs/{job['id']}"
    assert (await cast.ada.get(address)).status_code == 200
    for stranger in (cast.cleo, cast.otto, cast.nobody):
        assert (await stranger.get(address)).status_code == 404
        assert ids(await stranger.get("/v1/jobs")) == []
    published = await cast.ben.made(f"{address}/publish", {})
    assert (published["status"], published["posted_at"] > job["posted_at"]) == ("open", True)
    for anybody in (cast.cleo, cast.otto, cast.nobody):
        assert ids(await anybody.get("/v1/jobs?status=open")) == [job["id"]]


async def test_the_life_of_a_job_is_in_the_log(cast: Cast) -> None:
    job = await posted(cast, await hiring(cast), status="draft")
    for verb in ("publish", "pause", "resume", "close", "reopen", "fill", "reopen", "fill", "close"):
        await cast.ben.made(f"/v1/jobs/{job['id']}/{verb}", {})
    told = (await cast.ada.get(f"/v1/jobs/{job['id']}/history")).json()["data"]
    assert [each["event"] for each in reversed(told)] == [
        "job.created", "job.published", "job.paused", "job.resumed", "job.closed", "job.reopened", "job.filled",
        "job.reopened", "job.filled", "job.closed",
    ]  # fmt: skip
    assert {each["actor_id"] for each in told} == {cast.ada.id, cast.ben.id}


@pytest.mark.parametrize(
    ("steps", "verb", "answer"),
    [
        (["publish"], "publish", (403, "denied")),
        ([], "pause", (409, "move-not-allowed")),
        ([], "fill", (409, "move-not-allowed")),
        ([], "resume", (403, "denied")),
        (["publish", "pause"], "publish", (403, "denied")),
        (["publish", "pause"], "fill", (409, "move-not-allowed")),
        (["publish", "close"], "pause", (409, "move-not-allowed")),
        (["publish", "close"], "resume", (403, "denied")),
        (["publish"], "reopen", (403, "denied")),
        (["publish", "fill"], "pause", (409, "move-not-allowed")),
    ],
)
async def test_illegal_moves_are_refused(cast: Cast, steps: list[str], verb: str, answer: tuple[int, str]) -> None:
    job = await posted(cast, await approved(cast), status="draft")
    for step in steps:
        await cast.ada.made(f"/v1/jobs/{job['id']}/{step}", {})
    assert refusal(await cast.ada.post(f"/v1/jobs/{job['id']}/{verb}")) == answer


async def test_a_move_to_where_it_stands_changes_nothing(cast: Cast, wrote: Wrote) -> None:
    organization = await approved(cast)
    job = await posted(cast, organization)
    await cast.ada.made(f"/v1/jobs/{job['id']}/close", {})
    assert (await cast.ada.made(f"/v1/jobs/{job['id']}/close", {}))["version"] == 2
    await wrote("organization.founded", "membership.joined", "organization.approved", "job.created", "job.closed")


async def test_only_recruiters_of_the_organization_write_its_jobs(cast: Cast) -> None:
    organization = await approved(cast)
    job = await posted(cast, organization)
    await join(cast, organization, cast.ben, "interviewer")
    body = {"organization_id": organization["id"], "title": "Mine"}
    for other in (cast.ben, cast.cleo, cast.otto):
        assert refusal(await other.post("/v1/jobs", body)) == (403, "denied")
        assert refusal(await other.patch(f"/v1/jobs/{job['id']}", {"title": "Mine"})) == (403, "denied")
        assert refusal(await other.post(f"/v1/jobs/{job['id']}/fill")) == (403, "denied")
    for stranger in (cast.ben, cast.cleo):
        assert refusal(await stranger.post(f"/v1/jobs/{job['id']}/close")) == (403, "denied")
        assert refusal(await stranger.delete(f"/v1/jobs/{job['id']}")) == (403, "denied")
        assert refusal(await stranger.get(f"/v1/jobs/{job['id']}/history")) == (403, "denied")
    assert (await cast.nobody.post("/v1/jobs", body)).status_code == 401


async def test_an_organization_that_does_not_exist_is_denied_like_one_that_is_not_yours(cast: Cast) -> None:
    body = {"organization_id": "019a9f3c-7c00-7000-8000-000000000001", "title": "Ghost"}
    assert refusal(await cast.ada.post("/v1/jobs", body)) == (403, "denied")


async def test_moderators_stop_a_job_and_take_it_away(cast: Cast) -> None:
    organization = await approved(cast)
    first, second = await posted(cast, organization), await posted(cast, organization)
    await cast.otto.made(f"/v1/jobs/{first['id']}/pause", {})
    assert refusal(await cast.otto.post(f"/v1/jobs/{first['id']}/resume")) == (403, "denied")
    await cast.otto.made(f"/v1/jobs/{first['id']}/close", {})
    assert (await cast.otto.delete(f"/v1/jobs/{second['id']}")).status_code == 204
    assert ids(await cast.cleo.get("/v1/jobs")) == [first["id"]]
    assert (await cast.otto.get(f"/v1/jobs/{first['id']}/history")).status_code == 200


async def test_a_tracked_job_is_for_its_persons_eyes_only(cast: Cast) -> None:
    job = await tracked(cast.cleo, url="https://coast.example.org/keeper")
    assert (job["person_id"], job["organization_id"], job["status"]) == (cast.cleo.id, None, "open")
    assert job["organization_name"] == "The Coast"
    for other in (cast.ada, cast.otto, cast.nobody):
        assert ids(await other.get("/v1/jobs")) == []
        assert (await other.get(f"/v1/jobs/{job['id']}")).status_code == 404
    for other in (cast.ada, cast.otto):
        assert (await other.patch(f"/v1/jobs/{job['id']}", {"title": "x"})).status_code == 404
        assert (await other.delete(f"/v1/jobs/{job['id']}")).status_code == 404
    changed = await cast.cleo.patch(f"/v1/jobs/{job['id']}", {"organization_name": "The Other Coast"})
    assert changed.json()["organization_name"] == "The Other Coast"
    await cast.cleo.made(f"/v1/jobs/{job['id']}/close", {})
    assert (await cast.cleo.delete(f"/v1/jobs/{job['id']}")).status_code == 204


async def test_a_person_is_never_set_by_hand(cast: Cast) -> None:
    response = await cast.cleo.post("/v1/jobs", {"title": "x", "person_id": cast.ada.id})
    assert refusal(response) == (400, "unknown-fields")


async def test_a_posted_job_carries_its_organizations_own_name(cast: Cast) -> None:
    organization = await approved(cast)
    job = await posted(cast, organization, organization_name="A Famous Company")
    assert job["organization_name"] == "Analytical Engines"
    await cast.ada.patch(f"/v1/organizations/{organization['id']}", {"name": "Difference Engines"})
    changed = await cast.ada.patch(f"/v1/jobs/{job['id']}", {"unit": "Mill"})
    assert changed.json()["organization_name"] == "Difference Engines"


async def test_only_an_approved_organization_opens_jobs(cast: Cast) -> None:
    organization = await found(cast)
    body = {"organization_id": organization["id"], "title": "Analyst", "status": "open"}
    assert refusal(await cast.ada.post("/v1/jobs", body)) == (409, "organization-not-approved")
    job = await cast.ada.made("/v1/jobs", {**body, "status": "draft"})
    refused = await cast.ada.post(f"/v1/jobs/{job['id']}/publish")
    assert refusal(refused) == (409, "organization-not-approved")
    assert "pending" in refused.json()["detail"]
    await heard(cast, await cast.otto.post(f"/v1/organizations/{organization['id']}/approve"))
    await cast.ada.made(f"/v1/jobs/{job['id']}/publish", {})


async def test_an_open_job_is_not_restored_while_its_organization_is_suspended(cast: Cast) -> None:
    organization = await approved(cast)
    job = await posted(cast, organization)
    await cast.ada.delete(f"/v1/jobs/{job['id']}")
    await suspend(cast, organization)
    assert refusal(await cast.ada.post(f"/v1/jobs/{job['id']}/restore")) == (409, "organization-not-approved")


PAID: dict[str, Any] = {"salary_min": 40000, "salary_max": 60000, "salary_currency": "TWD", "salary_period": "month"}


@pytest.mark.parametrize(
    ("values", "pointer"),
    [
        ({**PAID, "salary_min": 70000}, "/salary_min"),
        ({**PAID, "salary_currency": None}, "/salary_currency"),
        ({**PAID, "salary_period": None}, "/salary_period"),
        ({"salary_max": 1}, "/salary_currency"),
        ({**PAID, "salary_min": -1}, "/salary_min"),
        ({**PAID, "salary_currency": "twd"}, "/salary_currency"),
        ({"opens_on": "2027-03-01", "closes_on": "2027-02-28"}, "/closes_on"),
        ({"latitude": 25.03}, "/longitude"),
        ({"longitude": 121.56}, "/latitude"),
        ({"latitude": 91, "longitude": 0}, "/latitude"),
        ({"latitude": 0, "longitude": -180.1}, "/longitude"),
        ({"title": "  "}, "/title"),
        ({"title": "x" * 201}, "/title"),
        ({"country": "Taiwan"}, "/country"),
        ({"employment_type": "slavery"}, "/employment_type"),
        ({"skills": ["python"] * 101}, "/skills"),
        ({"url": "javascript:alert(1)"}, "/url"),
        ({"closes_on": 20270101}, "/closes_on"),
        ({"status": "filled"}, "/status"),
    ],
)
async def test_what_makes_no_sense_is_refused_at_its_place(cast: Cast, values: dict[str, Any], pointer: str) -> None:
    response = await cast.ada.post("/v1/jobs", {"title": "Analyst", **values})
    assert refusal(response) == (422, "invalid")
    assert pointer in [fault["pointer"] for fault in response.json()["errors"]]


async def test_a_change_is_held_to_the_same_rules(cast: Cast) -> None:
    job = await tracked(cast.ada, **PAID)
    for values in ({"salary_max": 39999}, {"salary_currency": None}, {"latitude": 1}, {"title": None}):
        assert refusal(await cast.ada.patch(f"/v1/jobs/{job['id']}", values)) == (422, "invalid"), values
    assert (await cast.ada.patch(f"/v1/jobs/{job['id']}", {"salary_min": None})).json()["salary_min"] is None


async def test_money_is_exact_to_two_decimals(cast: Cast) -> None:
    job = await tracked(cast.ada, **{**PAID, "salary_min": 0.1, "salary_max": 1234567890.128})
    assert (job["salary_min"], job["salary_max"]) == (0.1, 1234567890.13)
    assert (await cast.ada.get(f"/v1/jobs/{job['id']}")).json()["salary_max"] == 1234567890.13


async def test_a_job_is_not_opened_after_its_last_day(cast: Cast) -> None:
    job = await posted(cast, await approved(cast), status="draft", closes_on="2026-01-31")
    refused = await cast.ada.post(f"/v1/jobs/{job['id']}/publish")
    assert refusal(refused) == (409, "last-day-over")
    assert "2026-01-31" in refused.json()["detail"]
    later = (datetime.now(UTC) + timedelta(days=1)).date().isoformat()
    await cast.ada.patch(f"/v1/jobs/{job['id']}", {"closes_on": later})
    await cast.ada.made(f"/v1/jobs/{job['id']}/publish", {})


async def test_jobs_are_found_by_what_people_look_for(cast: Cast) -> None:
    organization = await approved(cast)
    clerk = await posted(cast, organization, title="Clerk", city="Taipei", country="TW", tags=["office"])
    coder = await posted(
        cast, organization, title="Coder", skills=["python", "sql"], workplace="remote", employment_type="full_time",
        posted_at="2026-01-01T00:00:00Z", closes_on="2030-01-01", **PAID,
    )  # fmt: skip
    expected = {
        "": [clerk, coder],
        "sort=title": [clerk, coder],
        "sort=-salary_max": [coder, clerk],
        "sort=closes_on": [coder, clerk],
        "skills[contains]=sql": [coder],
        "skills[in]=rust,python": [coder],
        "tags[contains]=office": [clerk],
        "city=Taipei&country=TW": [clerk],
        "workplace=remote&employment_type[in]=full_time,contract": [coder],
        "salary_min[gte]=40000&salary_currency=TWD": [coder],
        "salary_max[isnull]=true": [clerk],
        "closes_on[gt]=2029-12-31": [coder],
        "posted_at[within]=1d": [clerk],
        "title[startswith]=co": [coder],
        f"organization_id={organization['id']}&sort=posted_at": [coder, clerk],
    }
    for query, rows in expected.items():
        assert ids(await cast.nobody.get(f"/v1/jobs?{query}")) == [row["id"] for row in rows], query


async def test_a_job_expands_to_its_organization(cast: Cast) -> None:
    organization = await approved(cast)
    job = await posted(cast, organization)
    read = (await cast.nobody.get(f"/v1/jobs/{job['id']}?expand=organization&fields=title,organization.slug")).json()
    assert read == {"title": "Engine programmer", "organization": {"slug": "analytical-engines"}}


async def test_the_purge_of_an_organization_takes_its_jobs_along_and_logs_each(cast: Cast) -> None:
    organization = await approved(cast)
    job = await posted(cast, organization, status="draft")
    await cast.ada.delete(f"/v1/organizations/{organization['id']}")
    assert (await cast.ada.post(f"/v1/organizations/{organization['id']}/purge")).status_code == 204
    assert (await cast.ada.get(f"/v1/jobs/{job['id']}")).status_code == 404
    sql = """SELECT resource FROM changes WHERE verb = 'purged' AND request_id = (
        SELECT request_id FROM changes WHERE row_id = $1 AND verb = 'purged') ORDER BY resource"""
    assert [each["resource"] for each in await cast.server.database.pool.fetch(sql, organization["id"])] == [
        "jobs", "memberships", "organizations",
    ]  # fmt: skip
