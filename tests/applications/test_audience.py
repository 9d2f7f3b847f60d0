"""Two projections of one row: what is for the applicant's eyes, and what is for the team's, at every door."""

from typing import Any

import pytest

from tests.applications.hiring_scenes import Opening, at, opening
from tests.cast import Caller, Cast
from tests.organizations.scenes import Body, refusal

pytestmark = pytest.mark.anyio
PRIVATE: dict[str, Any] = {
    "private_note": "SECRET-OF-EVE",
    "excitement": 5,
    "next_step": "NEXT-OF-EVE",
    "next_step_on": "2027-03-04",
}
TEAMS: dict[str, Any] = {"rating": 2, "team_note": "SECRET-OF-THE-TEAM"}


async def annotated(scene: Opening) -> Body:
    """An application on which both sides have written what the other must not read."""
    application = await scene.submitted(**PRIVATE)
    await scene.eve.patch(at(application), {"private_note": "SECRET-OF-EVE, again"})
    await scene.cast.ada.patch(at(application), TEAMS)
    await scene.cast.ben.made(at(application, "rate"), {"rating": 1})
    return application


async def everything_read(who: Caller, application: Body) -> str:
    """All that a person is told of an application, at every door and in every format."""
    paths = [
        "/v1/applications",
        "/v1/applications?format=csv",
        "/v1/applications?format=ndjson",
        "/v1/applications?fields=id,private_note,excitement,next_step,next_step_on,rating,team_note",
        at(application),
        f"{at(application)}?expand=job,applicant",
        f"{at(application)}?as_of=1",
        f"{at(application)}?as_of=2",
        f"{at(application)}?as_of=3",
        at(application, "history"),
        at(application, "durations"),
        "/v1/notes?expand=application",
        "/v1/reminders?expand=application",
    ]
    answers = [await who.get(path) for path in paths]
    assert [each.status_code for each in answers] == [200] * len(paths)
    return "\n".join(each.text for each in answers)


async def test_the_employer_never_reads_what_is_the_applicants(cast: Cast) -> None:
    scene = await opening(cast)
    application = await annotated(scene)
    for member in (cast.ada, cast.ben):
        told = await everything_read(member, application)
        assert "SECRET-OF-THE-TEAM" in told
        for secret in ("SECRET-OF-EVE", "NEXT-OF-EVE", "2027-03-04"):
            assert secret not in told
    row = (await cast.ada.get(at(application))).json()
    assert [row[name] for name in PRIVATE] == [None] * 4
    assert row["rating"] == 1


async def test_the_applicant_never_reads_what_is_the_teams(cast: Cast) -> None:
    scene = await opening(cast)
    application = await annotated(scene)
    told = await everything_read(scene.eve, application)
    assert "SECRET-OF-EVE" in told
    assert "SECRET-OF-THE-TEAM" not in told
    row = (await scene.eve.get(at(application))).json()
    assert (row["rating"], row["team_note"], row["excitement"]) == (None, None, 5)


async def test_a_write_answers_with_the_writers_own_projection(cast: Cast) -> None:
    scene = await opening(cast)
    application = await annotated(scene)
    by_ben = await cast.ben.patch(at(application), {"team_note": "seen"})
    assert (by_ben.json()["team_note"], by_ben.json()["private_note"]) == ("seen", None)
    by_eve = await scene.eve.patch(at(application), {"next_step": "wait"})
    assert (by_eve.json()["team_note"], by_eve.json()["next_step"]) == (None, "wait")
    dry = await cast.ben.made(at(application, "move"), {"stage": "offered"}, prefer="tx=rollback")
    assert dry["body"]["private_note"] is None


async def test_history_does_not_even_tell_that_the_other_side_wrote_something(cast: Cast) -> None:
    scene = await opening(cast)
    application = await annotated(scene)
    for_eve = (await scene.eve.get(at(application, "history"))).json()["data"]
    assert [each["event"] for each in for_eve] == ["application.changed", "application.created"]
    for_ada = (await cast.ada.get(at(application, "history"))).json()["data"]
    assert [each["event"] for each in for_ada] == ["application.rated", "application.changed", "application.created"]


async def test_a_team_learns_nothing_from_before_the_submission(cast: Cast) -> None:
    scene = await opening(cast)
    draft = await scene.draft(cover_letter="First thoughts")
    await scene.eve.patch(at(draft), {"cover_letter": "Second thoughts"})
    await scene.eve.made(at(draft, "submit"), {})
    told = await cast.ada.get(at(draft, "history"))
    assert "First thoughts" not in told.text
    assert [each["event"] for each in told.json()["data"]] == ["application.submitted"]
    for version in (1, 2):
        assert (await cast.ada.get(f"{at(draft)}?as_of={version}")).status_code == 404
    assert (await cast.ada.get(f"{at(draft)}?as_of=3")).json()["cover_letter"] == "Second thoughts"
    assert (await scene.eve.get(f"{at(draft)}?as_of=1")).json()["cover_letter"] == "First thoughts"


@pytest.mark.parametrize("field", ["private_note", "excitement", "next_step_on", "rating", "team_note"])
async def test_nobody_filters_or_sorts_by_what_others_must_not_know(cast: Cast, field: str) -> None:
    scene = await opening(cast)
    await annotated(scene)
    for who in (scene.eve, cast.ada):
        for query in (f"{field}[isnull]=false", f"sort={field}"):
            assert (await who.get(f"/v1/applications?{query}")).status_code == 400


@pytest.mark.parametrize("field", ["cover_letter", "contact_name", "contact_phone", "source", *PRIVATE])
async def test_the_team_does_not_write_the_applicants_fields(cast: Cast, field: str) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    value = PRIVATE.get(field, "x")
    refused = await cast.ada.patch(at(application), {field: value})
    assert refusal(refused) in [(403, "field-not-yours"), (409, "letter-is-sent")]


@pytest.mark.parametrize("field", list(TEAMS))
async def test_the_applicant_does_not_write_the_teams_fields(cast: Cast, field: str) -> None:
    scene = await opening(cast)
    for application in (await scene.submitted(), await tracker(scene)):
        refused = await scene.eve.patch(at(application), {field: TEAMS[field], "source": "a friend"})
        assert refusal(refused) == (403, "field-not-yours")
        assert refused.json()["detail"].endswith(f"{field}.")
    assert refusal(await scene.eve.post(at(application, "rate"), {"rating": 5})) == (403, "denied")


@pytest.mark.parametrize("field", list(PRIVATE))
async def test_the_team_does_not_learn_by_guessing_what_the_applicant_has_written(cast: Cast, field: str) -> None:
    scene = await opening(cast)
    known = await scene.submitted(**PRIVATE)
    answers = [await cast.ada.patch(at(known), {field: guess}) for guess in (PRIVATE[field], None)]
    assert [refusal(each) for each in answers] == [(403, "field-not-yours")] * 2
    ops = [{"op": "change", "id": known["id"], "data": {field: guess}} for guess in (PRIVATE[field], None)]
    told = (await cast.ada.made("/v1/applications:batch", {"ops": ops}))["results"]
    assert {each["problem"]["code"] for each in told} == {"field-not-yours"}


@pytest.mark.parametrize("field", list(TEAMS))
async def test_the_applicant_does_not_learn_by_guessing_what_the_team_has_written(cast: Cast, field: str) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    await cast.ada.patch(at(application), TEAMS)
    answers = [await scene.eve.patch(at(application), {field: guess}) for guess in (TEAMS[field], None)]
    assert [refusal(each) for each in answers] == [(403, "field-not-yours")] * 2


async def test_fields_that_are_for_nobody_may_be_repeated_as_empty(cast: Cast) -> None:
    scene = await opening(cast)
    row = await tracker(scene)
    assert (await scene.eve.patch(at(row), {"rating": None, "source": "a friend"})).json()["source"] == "a friend"


async def tracker(scene: Opening) -> Body:
    job = await scene.eve.made("/v1/jobs", {"title": "Lighthouse keeper"})
    return await scene.eve.made("/v1/applications", {"job_id": job["id"]})


async def test_a_batch_is_held_to_the_same_ownership(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    batch = {"ops": [{"op": "change", "id": application["id"], "data": {"rating": 5}}]}
    refused = await scene.eve.made("/v1/applications:batch", batch)
    assert refused["results"][0]["problem"]["code"] == "field-not-yours"
    assert (await cast.ada.made("/v1/applications:batch", batch))["changed"] == 1


async def test_an_applicant_does_not_undo_what_the_team_wrote(cast: Cast) -> None:
    scene = await opening(cast)
    application = await annotated(scene)
    for version in (3, 4):
        refused = await scene.eve.post(at(application, "undo"), {"version": version})
        assert refusal(refused) == (409, "nothing-to-undo")
    assert (await cast.ada.get(at(application))).json()["rating"] == 1


async def test_who_leaves_the_team_sees_nothing_more(cast: Cast) -> None:
    scene = await opening(cast)
    application = await annotated(scene)
    membership = (await cast.ada.get(f"/v1/memberships?person_id={cast.ben.id}")).json()["data"][0]
    left = await cast.ada.delete(f"/v1/memberships/{membership['id']}")
    await cast.server.tail.wait_for(left.headers["log-position"])
    assert (await cast.ben.get(at(application))).status_code == 404
