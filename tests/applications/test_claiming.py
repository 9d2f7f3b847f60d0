"""A candidate who registers takes over what the team did for them, by the team's link; and the team takes a slip back."""

from typing import Any

import pytest

from guildhouse.applications import claiming
from tests.applications.hiring_scenes import Opening, at, opening
from tests.applications.test_candidate import applied, known
from tests.cast import Caller, Cast
from tests.jobs.openings import posted
from tests.organizations.scenes import Body, Wrote, ids, join, refusal

pytestmark = pytest.mark.anyio


async def link(scene: Opening, candidate: Body) -> str:
    """The token of a link that Ben makes."""
    return str((await scene.cast.ben.made(f"/v1/candidates/{candidate['id']}/claim-link", {}))["token"])


async def claimed(caller: Caller, token: str) -> Any:
    return await caller.post("/v1/candidates:claim", {"token": token})


async def test_a_candidate_who_registers_takes_over_their_applications(cast: Cast, wrote: Wrote) -> None:
    scene = await opening(cast)
    candidate = await known(scene)
    application = await applied(scene, candidate, team_note="bright")
    await cast.ben.made(at(application, "move"), {"stage": "interviewing"})
    told = await claimed(scene.eve, await link(scene, candidate))
    assert told.json() == {
        "candidate_id": candidate["id"], "person_id": scene.eve.id, "applications": [application["id"]], "kept": [],
    }  # fmt: skip
    mine = (await scene.eve.get(at(application))).json()
    assert (mine["stage"], mine["applicant_id"], mine["candidate_id"]) == ("interviewing", scene.eve.id, None)
    assert mine["team_note"] is None
    assert (await scene.eve.patch(at(application), {"private_note": "tea?"})).json()["private_note"] == "tea?"
    theirs = (await cast.ben.get(at(application))).json()
    assert (theirs["team_note"], theirs["private_note"], theirs["applicant_id"]) == ("bright", None, scene.eve.id)
    row = (await cast.ben.get(f"/v1/candidates/{candidate['id']}?expand=person")).json()
    assert (row["person_id"], row["person"]["name"]) == (scene.eve.id, "Eve")
    assert ids(await cast.ben.get(f"/v1/candidates?person_id={scene.eve.id}")) == [candidate["id"]]
    await wrote(
        "person.created", "session.created", "organization.founded", "membership.joined", "invitation.created",
        "invitation.accepted", "membership.joined", "organization.approved", "job.created", "candidate.created",
        "application.created", "application.moved", "application.claimed", "candidate.claimed", "application.changed",
    )  # fmt: skip


async def test_they_read_nothing_of_what_the_team_said_before(cast: Cast) -> None:
    scene = await opening(cast)
    candidate = await known(scene)
    application = await applied(scene, candidate)
    await cast.ben.made(at(application, "rate"), {"rating": 2})
    await cast.ben.made("/v1/notes", {"application_id": application["id"], "audience": "team", "body": "shy"})
    await claimed(scene.eve, await link(scene, candidate))
    history = (await scene.eve.get(at(application) + "/history")).json()["data"]
    assert [each["event"] for each in history] == ["application.claimed"]
    assert ids(await scene.eve.get("/v1/notes")) == []
    assert (await scene.eve.get(f"/v1/candidates/{candidate['id']}")).status_code == 404
    assert refusal(await cast.ben.post(at(application, "withdraw"), {}))[0] == 403, "now they speak for themselves"


async def test_a_job_that_they_applied_to_themselves_stays_as_it_is_on_both_sides(cast: Cast) -> None:
    scene = await opening(cast)
    candidate, own = await known(scene), await scene.submitted()
    other = await posted(cast, scene.organization, title="Another")
    twice, once = await applied(scene, candidate), await applied(scene, candidate, job_id=other["id"])
    told = (await claimed(scene.eve, await link(scene, candidate))).json()
    assert (told["applications"], told["kept"]) == ([once["id"]], [twice["id"]])
    assert sorted(ids(await scene.eve.get("/v1/applications"))) == sorted([own["id"], once["id"]])
    assert (await cast.ben.get(at(twice))).json()["candidate_id"] == candidate["id"]


async def test_a_link_is_good_once_for_14_days_and_until_the_candidate_changes(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    scene = await opening(cast)
    candidate, other = await known(scene), await known(scene, name="Sophie", email=None)
    token, older = await link(scene, candidate), await link(scene, other)
    forged = [token.replace(candidate["id"], other["id"]), token[:-1], "", "x.y.z", f"{candidate['id']}.9999999999.0",
              token.replace(candidate["id"], candidate["id"].upper())]  # fmt: skip
    for each in forged:
        assert refusal(await claimed(scene.eve, each)) == (404, "claim-over"), each
    await cast.ben.patch(f"/v1/candidates/{other['id']}", {"city": "Paris"})
    assert refusal(await claimed(scene.eve, older)) == (404, "claim-over")
    assert (await cast.nobody.post("/v1/candidates:claim", {"token": token})).status_code == 401
    with monkeypatch.context() as later:
        later.setattr(claiming, "SECONDS", -60)
        assert refusal(await claimed(scene.eve, await link(scene, candidate))) == (404, "claim-over")
    assert (await claimed(scene.eve, token)).status_code == 200
    assert refusal(await claimed(cast.cleo, token)) == (404, "claim-over")
    assert refusal(await cast.ben.post(f"/v1/candidates/{candidate['id']}/claim-link")) == (409, "already-claimed")


async def test_the_team_makes_and_undoes_links_and_nobody_else(cast: Cast) -> None:
    scene = await opening(cast)
    candidate, ivy = await known(scene), await cast.join("Ivy")
    await join(cast, scene.organization, ivy, "interviewer")
    for verb in ("claim-link", "release"):
        path = f"/v1/candidates/{candidate['id']}/{verb}"
        assert (await ivy.post(path)).status_code == 403
        assert (await cast.cleo.post(path)).status_code == (await cast.otto.post(path)).status_code == 404
    assert refusal(await cast.ben.post(f"/v1/candidates/{candidate['id']}/release")) == (409, "not-claimed")


async def test_a_link_that_went_to_somebody_else_is_undone(cast: Cast) -> None:
    scene = await opening(cast)
    candidate = await known(scene)
    other = await posted(cast, scene.organization, title="Another")
    application, noted = await applied(scene, candidate), await applied(scene, candidate, job_id=other["id"])
    token = await link(scene, candidate)
    await claimed(cast.cleo, token)
    await cast.cleo.patch(at(noted), {"private_note": "mine"})
    await cast.ben.made(at(application, "move"), {"stage": "screening"})
    told = await cast.ben.made(f"/v1/candidates/{candidate['id']}/release", {})
    assert (told["person_id"], told["applications"], told["kept"]) == (None, [application["id"]], [noted["id"]])
    assert ids(await cast.cleo.get("/v1/applications")) == [noted["id"]]
    row = (await cast.ben.get(at(application))).json()
    assert (row["candidate_id"], row["applicant_id"], row["stage"]) == (candidate["id"], None, "screening")
    assert refusal(await claimed(cast.cleo, token)) == (404, "claim-over")
    assert (await claimed(scene.eve, await link(scene, candidate))).json()["applications"] == [application["id"]]


async def test_a_candidate_goes_with_the_person_who_was_it(cast: Cast) -> None:
    scene = await opening(cast)
    candidate = await known(scene)
    await claimed(scene.eve, await link(scene, candidate))
    gone = await scene.eve.post(f"/v1/people/{scene.eve.id}/erase", {"email": "eve@example.org"})
    assert gone.status_code == 204, gone.text
    assert (await cast.ben.get(f"/v1/candidates/{candidate['id']}")).status_code == 404


async def test_a_claim_is_tried_first(cast: Cast) -> None:
    scene = await opening(cast)
    candidate = await known(scene)
    application = await applied(scene, candidate)
    token = await link(scene, candidate)
    dry = await scene.eve.post("/v1/candidates:claim", {"token": token}, prefer="tx=rollback")
    assert dry.json()["body"]["applications"] == [application["id"]]
    assert ids(await scene.eve.get("/v1/applications")) == []


async def insiders_claim(scene: Opening, candidate: Body) -> Caller:
    """Ivy, who recruits here, turns out to be the candidate."""
    ivy = await scene.cast.join("Ivy")
    await join(scene.cast, scene.organization, ivy, "recruiter")
    assert (await ivy.get(f"/v1/candidates/{candidate['id']}")).status_code == 200
    answer = await claimed(ivy, await link(scene, candidate))
    await scene.cast.server.tail.wait_for(answer.headers["log-position"])
    return ivy


async def test_who_is_on_the_team_reads_nothing_of_the_candidate_that_they_turned_out_to_be(cast: Cast) -> None:
    scene = await opening(cast)
    candidate = await known(scene, about="Talks too much")
    application = await applied(scene, candidate, team_note="SECRET")
    await cast.ben.made(at(application, "rate"), {"rating": 2})
    note = await cast.ben.made("/v1/notes", {"application_id": application["id"], "audience": "team", "body": "shy"})
    ivy = await insiders_claim(scene, candidate)
    mine = (await ivy.get(at(application))).json()
    assert (mine["applicant_id"], mine["rating"], mine["team_note"]) == (ivy.id, None, None)
    assert [(await ivy.get(path)).status_code for path in hidden_from(candidate, note)] == [404] * 3
    assert ids(await ivy.get("/v1/notes")) == ids(await ivy.get("/v1/candidates")) == []
    history = (await ivy.get(at(application, "history"))).json()["data"]
    assert [each["event"] for each in history] == ["application.claimed"]
    assert (await ivy.get(f"{at(application)}?as_of=1")).status_code == 404
    assert (await cast.ben.get(f"/v1/notes/{note['id']}")).json()["applicant_id"] == ivy.id
    assert (await cast.ben.get(f"/v1/candidates/{candidate['id']}")).json()["about"] == "Talks too much"


def hidden_from(candidate: Body, note: Body) -> list[str]:
    one = f"/v1/candidates/{candidate['id']}"
    return [one, f"{one}/history", f"/v1/notes/{note['id']}"]


async def test_what_stays_the_candidates_is_out_of_their_sight_also_what_is_begun_later(cast: Cast) -> None:
    scene = await opening(cast)
    candidate, ivy = await known(scene), await cast.join("Ivy")
    own = await ivy.made("/v1/applications", {"job_id": scene.job["id"], "stage": "submitted"})
    kept = await applied(scene, candidate, team_note="SECRET")
    await join(cast, scene.organization, ivy, "recruiter")
    answer = await claimed(ivy, await link(scene, candidate))
    assert answer.json()["kept"] == [kept["id"]]
    await cast.server.tail.wait_for(answer.headers["log-position"])
    other = await posted(cast, scene.organization, title="Another")
    later = await applied(scene, candidate, job_id=other["id"])
    note = await cast.ben.made("/v1/notes", {"application_id": later["id"], "audience": "team", "body": "shy"})
    assert ids(await ivy.get("/v1/applications")) == [own["id"]]
    for path in (at(kept), at(later), at(later, "history"), f"/v1/notes/{note['id']}"):
        assert (await ivy.get(path)).status_code == 404
    for verb, body in (("rate", {"rating": 5}), ("move", {"stage": "hired"})):
        assert refusal(await ivy.post(at(later, verb), body)) == (404, "not-found")
    assert ids(await cast.ben.get(f"/v1/applications?candidate_id={candidate['id']}")) == [later["id"], kept["id"]]


async def test_notes_go_back_to_the_candidate_with_their_application(cast: Cast) -> None:
    scene = await opening(cast)
    candidate = await known(scene)
    application = await applied(scene, candidate)
    body = {"application_id": application["id"], "audience": "team"}
    before = await cast.ben.made("/v1/notes", {**body, "body": "shy"})
    ivy = await insiders_claim(scene, candidate)
    between = await cast.ben.made("/v1/notes", {**body, "body": "bold"})
    shared = await cast.ben.made("/v1/notes", {**body, "audience": "shared", "body": "come by"})
    assert ids(await ivy.get("/v1/notes")) == [shared["id"]]
    answer = await cast.ben.post(f"/v1/candidates/{candidate['id']}/release", {})
    await cast.server.tail.wait_for(answer.headers["log-position"])
    for note in (before, between):  # it was somebody else, of whom Ivy reads as the team does
        told = (await ivy.get(f"/v1/notes/{note['id']}")).json()
        assert (told["applicant_id"], told["candidate_id"]) == (None, candidate["id"])
    zoe = await cast.join("Zoe")
    await join(cast, scene.organization, zoe, "interviewer")
    answer = await claimed(zoe, await link(scene, candidate))
    await cast.server.tail.wait_for(answer.headers["log-position"])
    assert (set(ids(await zoe.get("/v1/notes"))), len(ids(await ivy.get("/v1/notes")))) == ({shared["id"]}, 3)


async def test_what_they_wrote_for_themselves_before_stays_theirs_and_what_for_the_team_does_not(cast: Cast) -> None:
    scene = await opening(cast)
    candidate, ivy = await known(scene), await cast.join("Ivy")
    application = await applied(scene, candidate)
    await join(cast, scene.organization, ivy, "recruiter")
    body = {"application_id": application["id"], "body": "That could be me"}
    own, _ = [await ivy.made("/v1/notes", {**body, "audience": audience}) for audience in ("private", "team")]
    answer = await claimed(ivy, await link(scene, candidate))
    await cast.server.tail.wait_for(answer.headers["log-position"])
    assert ids(await ivy.get("/v1/notes")) == [own["id"]]


async def test_once_the_candidate_is_purged_the_notes_are_still_not_theirs_to_read(cast: Cast) -> None:
    scene = await opening(cast)
    candidate = await known(scene)
    application = await applied(scene, candidate)
    await cast.ben.made("/v1/notes", {"application_id": application["id"], "audience": "team", "body": "shy"})
    ivy = await insiders_claim(scene, candidate)
    address = f"/v1/candidates/{candidate['id']}"
    for answer in (await cast.ben.delete(address), await cast.ben.post(f"{address}/purge")):
        assert answer.status_code == 204
        await cast.server.tail.wait_for(answer.headers["log-position"])
        assert ids(await ivy.get("/v1/notes")) == []
    assert (await ivy.get(at(application))).json()["rating"] is None


async def test_a_dry_run_of_a_claim_does_not_tell_of_the_teams_notes(cast: Cast) -> None:
    scene = await opening(cast)
    candidate = await known(scene)
    application = await applied(scene, candidate)
    await cast.ben.made("/v1/notes", {"application_id": application["id"], "audience": "team", "body": "shy"})
    dry = await scene.eve.post("/v1/candidates:claim", {"token": await link(scene, candidate)}, prefer="tx=rollback")
    assert [each["event"] for each in dry.json()["changes"]] == ["application.claimed"]
