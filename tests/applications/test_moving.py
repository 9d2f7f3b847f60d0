"""Moving applications: what the team may do, what the applicant may do, and back again after a slip."""

from itertools import product

import pytest

from guildhouse.applications.progress import STAGES
from tests.applications.hiring_scenes import Opening, at, opening
from tests.cast import Cast
from tests.organizations.scenes import Body, Wrote, heard, ids, join, refusal

pytestmark = pytest.mark.anyio
ACTIVE = ["submitted", "screening", "interviewing", "offered"]
TEAMS_MOVES = {
    *((a, b) for a, b in product(ACTIVE, ACTIVE) if a != b),
    *((stage, "rejected") for stage in ACTIVE),
    *(("rejected", stage) for stage in ACTIVE),
    ("offered", "hired"),
    ("hired", "offered"),
}
WAY = {
    "submitted": [],
    "screening": ["screening"],
    "interviewing": ["interviewing"],
    "offered": ["offered"],
    "hired": ["offered", "hired"],
    "rejected": ["rejected"],
}


async def arrived(scene: Opening, stage: str) -> Body:
    """Eve's application, moved by Ben to a stage."""
    application = await scene.submitted()
    for step in WAY[stage]:
        application = await scene.cast.ben.made(at(application, "move"), {"stage": step})
    return application


@pytest.mark.parametrize("before", list(WAY))
async def test_the_team_moves_as_the_table_says_and_not_otherwise(cast: Cast, before: str) -> None:
    scene = await opening(cast)
    application = await arrived(scene, before)
    for after in STAGES.names():
        answer = await cast.ben.post(at(application, "move"), {"stage": after}, prefer="tx=rollback")
        if after == before or (before, after) in TEAMS_MOVES:
            assert answer.json().get("body", {}).get("stage") == after, (before, after, answer.text)
        else:
            assert refusal(answer) in [(403, "move-not-yours"), (409, "move-not-allowed")], (before, after)


@pytest.mark.parametrize("before", list(WAY))
async def test_the_applicant_withdraws_what_is_not_decided_and_moves_nothing_else(cast: Cast, before: str) -> None:
    scene = await opening(cast)
    application = await arrived(scene, before)
    for after in ACTIVE:
        assert refusal(await scene.eve.post(at(application, "move"), {"stage": after})) == (403, "denied")
    assert refusal(await scene.eve.post(at(application, "reject"), {})) == (403, "denied")
    withdrawn = await scene.eve.post(at(application, "withdraw"), {"reason": "I found another job."})
    if before in ACTIVE:
        assert withdrawn.json()["withdrawal_reason"] == "I found another job."
        assert withdrawn.json()["decided_at"] is not None
    else:
        assert withdrawn.status_code in (403, 409)


async def test_only_the_applicant_submits_and_withdraws(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    for member in (cast.ada, cast.ben):
        assert refusal(await member.post(at(application, "withdraw"), {})) == (403, "denied")
        assert refusal(await member.post(at(application, "submit"))) == (403, "denied")


async def test_interviewers_look_on(cast: Cast) -> None:
    scene = await opening(cast)
    ivy = await cast.join("Ivy")
    await join(cast, scene.organization, ivy, "interviewer")
    application = await scene.submitted()
    assert (await ivy.get(at(application, "history"))).status_code == 200
    for verb, body in (("move", {"stage": "screening"}), ("reject", {}), ("rate", {"rating": 3})):
        assert refusal(await ivy.post(at(application, verb), body)) == (403, "denied")
    assert refusal(await ivy.patch(at(application), {"team_note": "x"})) == (403, "denied")


async def test_a_decision_has_a_date_and_a_reason_until_it_is_taken_back(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    rejected = await cast.ben.made(at(application, "reject"), {"reason": "another_person"})
    assert rejected["rejection_reason"] == "another_person"
    assert rejected["decided_at"] is not None
    assert (await scene.eve.get(at(application))).json()["rejection_reason"] == "another_person"
    back = await cast.ben.made(at(application, "move"), {"stage": "interviewing"})
    assert (back["stage"], back["decided_at"], back["rejection_reason"]) == ("interviewing", None, None)
    assert back["submitted_at"] == application["submitted_at"]


async def test_a_rejection_can_be_undone_by_the_team_but_not_by_the_applicant(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    await cast.ben.made(at(application, "reject"), {"reason": "skills"})
    assert refusal(await scene.eve.post(at(application, "undo"))) == (403, "move-not-yours")
    undone = await cast.ben.made(at(application, "undo"), {})
    assert (undone["stage"], undone["rejection_reason"], undone["decided_at"]) == ("submitted", None, None)


async def test_reopening_a_rejection_asks_for_no_open_job(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    await cast.ben.made(at(application, "reject"), {})
    await heard(cast, await cast.ada.post(f"/v1/jobs/{scene.job['id']}/fill"))
    assert (await cast.ben.made(at(application, "move"), {"stage": "submitted"}))["stage"] == "submitted"


async def test_a_withdrawn_application_is_submitted_again_while_the_job_is_open(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    withdrawn = await scene.eve.made(at(application, "withdraw"), {})
    assert refusal(await cast.ben.post(at(application, "move"), {"stage": "screening"})) == (403, "move-not-yours")
    assert ids(await cast.ben.get("/v1/applications?stage=withdrawn")) == [application["id"]]
    again = await scene.eve.made(at(application, "submit"), {})
    assert again["submitted_at"] > withdrawn["submitted_at"]
    assert (again["decided_at"], again["withdrawal_reason"]) == (None, None)
    await scene.eve.made(at(application, "withdraw"), {})
    await heard(cast, await cast.ada.post(f"/v1/jobs/{scene.job['id']}/close"))
    assert refusal(await scene.eve.post(at(application, "submit"))) == (409, "job-not-open")


async def test_a_draft_that_is_withdrawn_never_reaches_the_employer(cast: Cast) -> None:
    scene = await opening(cast)
    draft = await scene.eve.made(at(await scene.draft(), "withdraw"), {"reason": "Not for me"})
    assert (draft["stage"], draft["submitted_at"]) == ("withdrawn", None)
    assert (await cast.ada.get(at(draft))).status_code == 404


async def test_own_stages_lead_to_the_shared_ones(cast: Cast, wrote: Wrote) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    call, trial = await scene.own_stage(), await scene.own_stage("Trial day")
    moved = await cast.ben.made(at(application, "move"), {"stage_id": call["id"]})
    assert (moved["stage"], moved["stage_id"]) == ("screening", call["id"])
    moved = await cast.ben.made(at(application, "move"), {"stage_id": trial["id"]})
    assert (moved["stage"], moved["stage_id"]) == ("screening", trial["id"])
    assert ids(await cast.ada.get(f"/v1/applications?stage_id={trial['id']}")) == [application["id"]]
    moved = await cast.ben.made(at(application, "move"), {"stage": "offered"})
    assert (moved["stage"], moved["stage_id"]) == ("offered", None)
    await cast.ben.made(at(application, "move"), {"stage": "hired"})
    await wrote(
        "organization.founded", "membership.joined", "organization.approved", "invitation.created",
        "invitation.accepted", "membership.joined", "job.created", "person.created", "session.created",
        "application.created", "stage.created", "stage.created", "application.moved", "application.moved",
        "application.moved", "application.hired",
    )  # fmt: skip


async def test_an_own_stage_of_another_organization_is_none(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    other = await heard(cast, await cast.ada.post("/v1/organizations", {"name": "Elsewhere"}))
    body = {"organization_id": other["id"], "name": "Call", "outcome": "screening"}
    foreign = await cast.ada.made("/v1/stages", body)
    for stage_id in (foreign["id"], application["id"]):
        response = await cast.ada.post(at(application, "move"), {"stage_id": stage_id})
        assert refusal(response) == (422, "invalid")
        assert response.json()["errors"][0]["pointer"] == "/stage_id"


async def test_an_own_stage_that_is_removed_holds_nobody_up(cast: Cast) -> None:
    scene = await opening(cast)
    application, stage = await scene.submitted(), await scene.own_stage()
    await cast.ben.made(at(application, "move"), {"stage_id": stage["id"]})
    await cast.ben.delete(f"/v1/stages/{stage['id']}")
    assert (await scene.eve.patch(at(application), {"next_step": "wait"})).status_code == 200
    assert refusal(await cast.ben.post(at(application, "move"), {"stage_id": stage["id"]})) == (422, "invalid")
    assert (await cast.ben.made(at(application, "move"), {"stage": "offered"}))["stage_id"] is None


@pytest.mark.parametrize("both", [{}, {"stage": "offered", "stage_id": "019a9f3c-7c00-7000-8000-000000000001"}])
async def test_a_move_says_where_to_in_one_way(cast: Cast, both: dict[str, str]) -> None:
    scene = await opening(cast)
    assert refusal(await cast.ada.post(at(await scene.submitted(), "move"), both)) == (422, "invalid")


async def test_an_applicant_does_not_undo_the_teams_move_between_its_own_stages(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    for name in ("Call", "Trial"):
        stage = await scene.own_stage(name)
        await cast.ben.made(at(application, "move"), {"stage_id": stage["id"]})
    assert refusal(await scene.eve.post(at(application, "undo"))) == (403, "field-not-yours")


async def test_the_note_of_a_move_is_for_the_team(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    await cast.ben.made(at(application, "move"), {"stage": "screening", "note": "Strong in mathematics"})
    notes = (await cast.ada.get(f"/v1/notes?application_id={application['id']}")).json()["data"]
    assert [(each["body"], each["audience"], each["author_id"]) for each in notes] == [
        ("Strong in mathematics", "team", cast.ben.id)
    ]
    assert ids(await scene.eve.get("/v1/notes")) == []
    assert "mathematics" not in (await scene.eve.get(at(application, "history"))).text


async def test_who_applies_to_their_own_organization_decides_nothing_about_it(cast: Cast) -> None:
    scene = await opening(cast)
    application = await cast.ben.made("/v1/applications", {"job_id": scene.job["id"], "stage": "submitted"})
    for verb, body in (("move", {"stage": "offered"}), ("reject", {}), ("rate", {"rating": 5})):
        assert refusal(await cast.ben.post(at(application, verb), body)) == (403, "denied")
    assert refusal(await cast.ben.patch(at(application), {"rating": 5})) == (403, "field-not-yours")
    assert (await cast.ada.made(at(application, "move"), {"stage": "screening"}))["stage"] == "screening"


async def test_two_recruiters_who_move_at_once_do_not_both_win(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    etag = (await cast.ada.get(at(application))).headers["etag"]
    first = await cast.ada.post(at(application, "reject"), {}, if_match=etag)
    second = await cast.ben.post(at(application, "move"), {"stage": "offered"}, if_match=etag)
    assert (first.status_code, second.status_code) == (200, 412)
