"""Applying: drafts, handing in, once for each job, and who sees an application when."""

import asyncio
from typing import Any

import pytest

from tests.applications.hiring_scenes import at, opening
from tests.cast import Cast
from tests.jobs.openings import posted, tracked
from tests.organizations.scenes import Wrote, heard, ids, join, refusal

pytestmark = pytest.mark.anyio


async def test_a_draft_is_for_the_applicants_eyes_only(cast: Cast) -> None:
    scene = await opening(cast)
    draft = await scene.draft(cover_letter="Dear Ada")
    assert (draft["stage"], draft["submitted_at"]) == ("draft", None)
    for other in (cast.ada, cast.ben, cast.cleo, cast.otto):
        assert ids(await other.get("/v1/applications")) == []
        assert (await other.get(at(draft))).status_code == 404
        assert (await other.post(at(draft, "move"), {"stage": "screening"})).status_code == 404
    assert (await cast.nobody.get("/v1/applications")).status_code == 401


async def test_a_submitted_application_is_the_hiring_teams_to_see(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.eve.made(at(await scene.draft(), "submit"), {})
    assert application["stage"] == "submitted"
    assert application["submitted_at"] is not None
    interviewer, viewer = await cast.join("Ivy"), await cast.join("Vera")
    await join(cast, scene.organization, interviewer, "interviewer")
    await join(cast, scene.organization, viewer, "viewer")
    for member in (cast.ada, cast.ben, interviewer, scene.eve):
        assert ids(await member.get(f"/v1/applications?job_id={scene.job['id']}")) == [application["id"]]
    for stranger in (cast.cleo, cast.otto, viewer):
        assert (await stranger.get(at(application))).status_code == 404
        assert ids(await stranger.get("/v1/applications")) == []


async def test_cleo_gets_404_at_every_door(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    assert (await cast.cleo.get(at(application))).status_code == 404
    for tail in ("history", "durations"):
        assert (await cast.cleo.get(at(application, tail))).status_code == 404
    assert (await cast.cleo.get(f"{at(application)}?as_of=1")).status_code == 404
    bodies: dict[str, Any] = {"move": {"stage": "offered"}, "reject": {}, "rate": {"rating": 1}, "withdraw": {}}
    for verb in ("submit", "withdraw", "move", "reject", "rate", "undo", "restore", "purge"):
        assert (await cast.cleo.post(at(application, verb), bodies.get(verb))).status_code == 404, verb
    assert (await cast.cleo.patch(at(application), {"team_note": "x"})).status_code == 404
    assert (await cast.cleo.delete(at(application))).status_code == 404
    batch = {"ops": [{"op": "change", "id": application["id"], "data": {"source": "x"}}]}
    assert (await cast.cleo.made("/v1/applications:batch", batch))["results"][0]["problem"]["status"] == 404
    for path, body in (
        ("/v1/notes", {"body": "x"}),
        ("/v1/reminders", {"text": "x", "due_at": "2027-01-01T00:00:00Z"}),
    ):
        assert (await cast.cleo.post(path, {"application_id": application["id"], **body})).status_code == 404


async def test_an_application_takes_its_facts_from_the_job_and_the_account(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.draft()
    assert application["organization_id"] == scene.organization["id"]
    assert application["applicant_id"] == scene.eve.id
    assert (application["job_title"], application["organization_name"]) == ("Engine programmer", "Analytical Engines")
    assert (application["contact_name"], application["contact_email"]) == ("Eve", "eve@example.org")
    for field, value in (
        ("applicant_id", cast.ada.id),
        ("organization_id", None),
        ("job_title", "Director"),
        ("rating", 5),
    ):
        response = await cast.cleo.post("/v1/applications", {"job_id": scene.job["id"], field: value})
        assert refusal(response) == (400, "unknown-fields"), field


async def test_other_contact_data_may_be_given_and_changed_later(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted(contact_name="E. V. E.", contact_email="Work@Example.org")
    assert (application["contact_name"], application["contact_email"]) == ("E. V. E.", "work@example.org")
    changed = await scene.eve.patch(at(application), {"contact_phone": "+44 1"})
    assert changed.json()["contact_phone"] == "+44 1"
    assert (await cast.ben.get(at(application))).json()["contact_phone"] == "+44 1"


async def test_one_applies_once_for_each_job(cast: Cast, wrote: Wrote) -> None:
    scene = await opening(cast)
    application = await scene.draft()
    again = await scene.eve.post("/v1/applications", {"job_id": scene.job["id"]})
    assert refusal(again) == (409, "already-applied")
    assert application["id"] in again.json()["detail"]
    await scene.eve.delete(at(application))
    second = await scene.draft()
    assert refusal(await scene.eve.post(at(application, "restore"))) == (409, "already-applied")
    await scene.eve.delete(at(second))
    await heard(cast, await scene.eve.post(at(application, "restore")))
    await wrote(
        "organization.founded", "membership.joined", "organization.approved", "invitation.created",
        "invitation.accepted", "membership.joined", "job.created", "person.created", "session.created",
        "application.created", "application.removed", "application.created", "application.removed",
        "application.restored",
    )  # fmt: skip


async def test_of_two_applications_at_once_one_is_kept(cast: Cast) -> None:
    scene = await opening(cast)
    body = {"job_id": scene.job["id"], "stage": "submitted"}
    answers = await asyncio.gather(*(scene.eve.post("/v1/applications", body) for _ in range(4)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409, 409]
    assert {each.json()["code"] for each in answers if each.status_code == 409} <= {"already-applied", "already-exists"}
    assert await cast.server.database.pool.fetchval("SELECT count(*) FROM applications") == 1


@pytest.mark.parametrize("verb", ["pause", "close", "fill"])
async def test_only_an_open_job_takes_applications(cast: Cast, verb: str) -> None:
    scene = await opening(cast)
    draft = await scene.draft()
    await heard(cast, await cast.ada.post(f"/v1/jobs/{scene.job['id']}/{verb}"))
    assert refusal(await scene.eve.post(at(draft, "submit"))) == (409, "job-not-open")
    frank = await cast.join("Frank")
    response = await frank.post("/v1/applications", {"job_id": scene.job["id"], "stage": "submitted"})
    assert refusal(response) == (409, "job-not-open")
    assert (await frank.made("/v1/applications", {"job_id": scene.job["id"]}))["stage"] == "draft"


async def test_a_job_that_ends_leaves_its_applications_as_they_are(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    await heard(cast, await cast.ada.post(f"/v1/jobs/{scene.job['id']}/fill"))
    assert (await cast.ben.made(at(application, "move"), {"stage": "screening"}))["stage"] == "screening"
    await cast.ada.delete(f"/v1/jobs/{scene.job['id']}")
    kept = (await scene.eve.get(f"{at(application)}?expand=job")).json()
    assert (kept["job_title"], kept["job"]) == ("Engine programmer", None)


async def test_one_applies_only_for_a_job_one_sees(cast: Cast) -> None:
    scene = await opening(cast)
    unseen = await posted(cast, scene.organization, status="draft")
    hers = await tracked(cast.cleo)
    for job_id in (unseen["id"], hers["id"], "019a9f3c-7c00-7000-8000-000000000001"):
        assert refusal(await scene.eve.post("/v1/applications", {"job_id": job_id})) == (404, "not-found")
    assert refusal(await scene.eve.post("/v1/applications", {"job_id": "x"})) == (422, "invalid")


async def test_the_letter_stays_as_it_was_sent(cast: Cast) -> None:
    scene = await opening(cast)
    documents = [{"title": "Résumé", "url": "https://eve.example.org/cv.pdf"}]
    draft = await scene.draft(cover_letter="Dear Ada", documents=documents)
    await scene.eve.patch(at(draft), {"cover_letter": "Dear Ms Byron"})
    application = await scene.eve.made(at(draft, "submit"), {})
    assert (application["cover_letter"], application["documents"]) == ("Dear Ms Byron", documents)
    changes: list[dict[str, Any]] = [{"cover_letter": "Hi"}, {"documents": []}]
    for change in changes:
        assert refusal(await scene.eve.patch(at(application), change)) == (409, "letter-is-sent")
    assert refusal(await scene.eve.post(at(application, "undo"), {"version": 2})) == (409, "letter-is-sent")
    await scene.eve.made(at(application, "withdraw"), {})
    assert (await scene.eve.patch(at(application), {"cover_letter": "Hi"})).json()["cover_letter"] == "Hi"


async def test_what_is_removed_when(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    for who in (scene.eve, cast.ada):
        assert refusal(await who.delete(at(application))) == (403, "denied")
    await scene.eve.made(at(application, "withdraw"), {})
    assert refusal(await cast.ada.delete(at(application))) == (403, "denied")
    assert (await scene.eve.delete(at(application))).status_code == 204


async def test_a_document_is_a_title_and_an_address(cast: Cast) -> None:
    scene = await opening(cast)
    for document in (
        {"title": "CV"},
        {"title": "CV", "url": "file:///etc/passwd"},
        {"title": "", "url": "https://a.b"},
    ):
        response = await scene.eve.post("/v1/applications", {"job_id": scene.job["id"], "documents": [document]})
        assert refusal(response) == (422, "invalid"), document


async def test_lists_find_applications_by_stage_job_and_time(cast: Cast) -> None:
    scene = await opening(cast)
    other = await posted(cast, scene.organization, title="Clerk")
    first = await scene.submitted()
    second = await scene.eve.made("/v1/applications", {"job_id": other["id"]})
    expected = {
        "": [second, first],
        "stage=submitted": [first],
        "sort=-submitted_at": [first, second],
        f"job_id={other['id']}": [second],
        "submitted_at[isnull]=true": [second],
        "organization_id[isnull]=true": [],
    }
    for query, rows in expected.items():
        assert ids(await scene.eve.get(f"/v1/applications?{query}")) == [row["id"] for row in rows], query


async def test_the_recruiters_list_shows_the_job_and_the_person(cast: Cast) -> None:
    scene = await opening(cast)
    await scene.submitted()
    row = (await cast.ben.get("/v1/applications?expand=job,applicant,organization")).json()["data"][0]
    assert row["job"]["title"] == "Engine programmer"
    assert (row["applicant"]["name"], row["applicant"]["email"]) == ("Eve", None)
    assert row["organization"]["slug"] == "analytical-engines"
