"""Candidates: people without an account, whom a hiring team knows; and what they apply for."""

from typing import Any

import pytest

from tests.applications.hiring_scenes import Opening, at, opening
from tests.cast import Cast
from tests.jobs.openings import posted, tracked
from tests.organizations.scenes import Body, Wrote, found, ids, join, refusal

pytestmark = pytest.mark.anyio
MARCH, APRIL = "2026-03-01T08:00:00Z", "2026-04-01T08:00:00Z"


async def known(scene: Opening, **values: Any) -> Body:
    """A candidate of Ada's organization."""
    body = {"organization_id": scene.organization["id"], "name": "Mary Somerville", "email": "mary@example.org"}
    return await scene.cast.ben.made("/v1/candidates", body | values)


async def applied(scene: Opening, candidate: Body, **values: Any) -> Body:
    """An application of a candidate for the open job, by Ben."""
    body = {"candidate_id": candidate["id"], "job_id": scene.job["id"]}
    return await scene.cast.ben.made("/v1/applications", body | values)


async def test_a_team_keeps_its_candidates_and_nobody_else_sees_them(cast: Cast) -> None:
    scene = await opening(cast)
    ivy = await cast.join("Ivy")
    await join(cast, scene.organization, ivy, "interviewer")
    viewer = await cast.join("Vera")
    await join(cast, scene.organization, viewer, "viewer")
    candidate = await known(scene)
    path = f"/v1/candidates/{candidate['id']}"
    for who in (cast.ada, cast.ben, ivy):
        assert (await who.get(path)).status_code == 200
    for who in (cast.cleo, cast.otto, scene.eve, viewer):
        assert (await who.get(path)).status_code == 404
        assert ids(await who.get("/v1/candidates")) == []
    assert (await ivy.patch(path, {"headline": "Astronomer"})).status_code == 403
    changed = await cast.ada.patch(path, {"headline": "Astronomer", "skills": ["mathematics"]})
    assert changed.json()["headline"] == "Astronomer"


async def test_a_candidate_is_made_by_the_team_alone_and_has_a_name(cast: Cast) -> None:
    scene = await opening(cast)
    body = {"organization_id": scene.organization["id"], "email": "mary@example.org"}
    assert refusal(await cast.cleo.post("/v1/candidates", body | {"name": "Mary"}))[0] == 403
    nameless = await cast.ada.post("/v1/candidates", body)
    assert refusal(nameless) == (422, "invalid")
    assert nameless.json()["errors"][0]["pointer"] == "/name"


async def test_the_team_applies_for_a_candidate_and_leads_it_through(cast: Cast, wrote: Wrote) -> None:
    scene = await opening(cast)
    application = await applied(scene, await known(scene, phone="0912 345 678"), source="a meetup")
    assert (application["applicant_id"], application["stage"]) == (None, "submitted")
    assert (application["contact_name"], application["contact_phone"]) == ("Mary Somerville", "0912 345 678")
    assert application["submitted_at"] and application["decided_at"] is None
    await cast.ben.patch(at(application), {"cover_letter": "Dear Ada", "contact_phone": "1", "team_note": "quick"})
    for verb, body in (
        ("move", {"stage": "interviewing", "note": "sharp"}), ("withdraw", {"reason": "another city"}), ("submit", {}),
        ("reject", {"reason": "experience"}), ("rate", {"rating": 4}),
    ):  # fmt: skip
        await cast.ada.made(at(application, verb), body)
    row = (await cast.ben.get(at(application) + "?expand=candidate")).json()
    assert (row["stage"], row["rating"], row["candidate"]["name"]) == ("rejected", 4, "Mary Somerville")
    await wrote(
        "organization.founded", "membership.joined", "organization.approved", "invitation.created",
        "invitation.accepted", "membership.joined", "job.created", "person.created", "session.created",
        "candidate.created", "application.created", "application.changed", "application.moved", "note.created",
        "application.withdrawn", "application.submitted", "application.rejected", "application.rated",
    )  # fmt: skip


async def test_an_application_that_has_come_a_way_elsewhere_starts_where_it_stands(cast: Cast) -> None:
    scene = await opening(cast)
    row = await applied(scene, await known(scene), stage="rejected", submitted_at=MARCH, decided_at=APRIL,
                        rejection_reason="skills", team_note="kind")  # fmt: skip
    said = ("stage", "submitted_at", "decided_at", "rejection_reason", "team_note")
    assert [row[name] for name in said] == ["rejected", MARCH, APRIL, "skills", "kind"]
    mine = await tracked(scene.eve)
    own = await scene.eve.made("/v1/applications", {"job_id": mine["id"], "stage": "offered", "submitted_at": MARCH})
    assert (own["stage"], own["submitted_at"], own["applicant_id"]) == ("offered", MARCH, scene.eve.id)


@pytest.mark.parametrize(
    ("said", "code", "pointer"),
    [
        ({"stage": "offered"}, "starts-elsewhere", "/stage"),
        ({"submitted_at": MARCH}, "field-not-yours", None),
        ({"team_note": "hire me"}, "field-not-yours", None),
        ({"decided_at": MARCH, "rejection_reason": "other"}, "field-not-yours", None),
    ],
)
async def test_an_applicant_does_not_begin_further_than_everybody(
    cast: Cast, said: Body, code: str, pointer: str | None
) -> None:
    scene = await opening(cast)
    response = await scene.eve.post("/v1/applications", {"job_id": scene.job["id"], **said})
    fault = response.json().get("errors", [{}])[0] if pointer else response.json()
    assert (fault["code"], fault.get("pointer")) == (code, pointer)
    assert ids(await scene.eve.get("/v1/applications")) == []


async def test_a_candidates_application_is_never_a_draft_and_has_no_applicants_fields(cast: Cast) -> None:
    scene = await opening(cast)
    body = {"candidate_id": (await known(scene))["id"], "job_id": scene.job["id"]}
    draft = await cast.ada.post("/v1/applications", body | {"stage": "draft"})
    assert draft.json()["errors"][0]["code"] == "no-draft"
    private = await cast.ada.post("/v1/applications", body | {"private_note": "x"})
    assert refusal(private) == (403, "field-not-yours")
    row = await cast.ada.made("/v1/applications", body)
    assert refusal(await cast.ada.patch(at(row), {"excitement": 3})) == (403, "field-not-yours")


async def test_a_candidate_applies_only_where_the_team_hires(cast: Cast) -> None:
    scene = await opening(cast)
    candidate = await known(scene)
    other = await found(cast, "The Observatory", cast.cleo)
    await cast.otto.post(f"/v1/organizations/{other['id']}/approve")
    elsewhere = await posted(cast, other, cast.cleo)
    body = {"candidate_id": candidate["id"]}
    for job, who in ((elsewhere, cast.ada), (scene.job, cast.cleo), (await tracked(cast.ada), cast.ada)):
        response = await who.post("/v1/applications", {**body, "job_id": job["id"]})
        assert response.json()["errors"][0]["pointer"] == "/candidate_id", response.text


async def test_one_application_for_each_candidate_and_job(cast: Cast) -> None:
    scene = await opening(cast)
    candidate = await known(scene)
    row = await applied(scene, candidate)
    again = await cast.ada.post("/v1/applications", {"candidate_id": candidate["id"], "job_id": scene.job["id"]})
    assert (refusal(again), row["id"] in again.text) == ((409, "already-applied"), True)
    await cast.ben.delete(at(row))
    assert (await applied(scene, candidate))["id"] != row["id"]


async def test_a_job_that_is_closed_takes_what_the_team_brings(cast: Cast) -> None:
    scene = await opening(cast)
    await cast.ada.made(f"/v1/jobs/{scene.job['id']}/close", {})
    assert (await applied(scene, await known(scene), stage="hired"))["stage"] == "hired"


async def test_notes_on_a_candidate_are_the_teams(cast: Cast) -> None:
    scene = await opening(cast)
    row = await applied(scene, await known(scene))
    body = {"application_id": row["id"], "body": "Asked good questions."}
    note = await cast.ben.made("/v1/notes", body | {"audience": "team"})
    assert (await cast.ada.get(f"/v1/notes/{note['id']}")).json()["applicant_id"] is None
    assert refusal(await cast.ben.post("/v1/notes", body | {"audience": "shared"})) == (409, "nobody-to-share-with")


async def test_who_is_erased_is_forgotten_as_a_candidate_too(cast: Cast) -> None:
    scene = await opening(cast)
    candidate = await known(scene, email="eve@example.org")
    row = await applied(scene, candidate)
    gone = await cast.otto.post(f"/v1/people/{scene.eve.id}/erase", {"email": "eve@example.org"})
    assert gone.status_code == 204, gone.text
    assert (await cast.ada.get(f"/v1/candidates/{candidate['id']}")).status_code == 404
    assert (await cast.ada.get(at(row))).status_code == 404
