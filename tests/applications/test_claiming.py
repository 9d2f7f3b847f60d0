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
