"""Notes: for oneself, for the team, for both sides."""

import pytest

from tests.applications.hiring_scenes import Opening, at, opening
from tests.cast import Caller, Cast
from tests.jobs.openings import tracked
from tests.organizations.scenes import Body, ids, join, refusal

pytestmark = pytest.mark.anyio


async def noted(author: Caller, application: Body, audience: str, body: str = "A thought") -> Body:
    return await author.made("/v1/notes", {"application_id": application["id"], "audience": audience, "body": body})


async def readers(scene: Opening, note: Body) -> set[str]:
    """Who reads a note, at both doors."""
    ivy = await scene.cast.join("Ivy")
    await join(scene.cast, scene.organization, ivy, "interviewer")
    people = [scene.cast.ada, scene.cast.ben, scene.cast.cleo, scene.cast.otto, scene.eve, ivy]
    for who in people:
        single = (await who.get(f"/v1/notes/{note['id']}")).status_code == 200
        assert single == (note["id"] in ids(await who.get("/v1/notes")))
    return {who.name for who in people if note["id"] in ids(await who.get("/v1/notes"))}


@pytest.mark.parametrize(
    ("author", "audience", "expected"),
    [
        ("eve", "private", {"Eve"}),
        ("ben", "private", {"Ben"}),
        ("ben", "team", {"Ada", "Ben", "Ivy"}),
        ("ben", "shared", {"Ada", "Ben", "Ivy", "Eve"}),
        ("eve", "shared", {"Ada", "Ben", "Ivy", "Eve"}),
    ],
)
async def test_a_note_is_read_by_its_audience(cast: Cast, author: str, audience: str, expected: set[str]) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    note = await noted(scene.eve if author == "eve" else cast.ben, application, audience)
    assert note["organization_id"] == scene.organization["id"]
    assert await readers(scene, note) == expected


async def test_an_applicant_writes_no_team_notes(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    body = {"application_id": application["id"], "audience": "team", "body": "x"}
    assert refusal(await scene.eve.post("/v1/notes", body)) == (403, "not-on-the-team")
    assert refusal(await cast.cleo.post("/v1/notes", body)) == (404, "not-found")


async def test_a_recruiter_who_applies_writes_no_team_notes_on_it(cast: Cast) -> None:
    scene = await opening(cast)
    application = await cast.ben.made("/v1/applications", {"job_id": scene.job["id"], "stage": "submitted"})
    body = {"application_id": application["id"], "audience": "team", "body": "Hire him"}
    assert refusal(await cast.ben.post("/v1/notes", body)) == (403, "not-on-the-team")


async def test_nothing_is_shared_before_the_submission(cast: Cast) -> None:
    scene = await opening(cast)
    draft = await scene.draft()
    entry = await scene.eve.made("/v1/applications", {"job_id": (await tracked(scene.eve))["id"], "stage": "submitted"})
    for application in (draft, entry):
        body = {"application_id": application["id"], "audience": "shared", "body": "x"}
        assert refusal(await scene.eve.post("/v1/notes", body)) == (409, "nobody-to-share-with")
    await noted(scene.eve, draft, "private")
    await scene.eve.made(at(draft, "submit"), {})
    await noted(scene.eve, draft, "shared")


async def test_only_its_author_changes_or_removes_a_note(cast: Cast) -> None:
    scene = await opening(cast)
    note = await noted(cast.ben, await scene.submitted(), "shared")
    address = f"/v1/notes/{note['id']}"
    for other in (cast.ada, scene.eve):
        assert refusal(await other.patch(address, {"body": "y"})) == (403, "denied")
        assert refusal(await other.delete(address)) == (403, "denied")
    assert refusal(await cast.ben.patch(address, {"audience": "team"})) == (400, "unknown-fields")
    assert refusal(await cast.ben.patch(address, {"body": ""})) == (422, "invalid")
    assert (await cast.ben.patch(address, {"body": "y"})).json()["body"] == "y"
    assert (await cast.ben.delete(address)).status_code == 204


async def test_notes_expand_to_what_their_reader_may_see_of_the_application(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted(private_note="SECRET")
    await noted(scene.eve, application, "shared")
    text = (await cast.ben.get("/v1/notes?expand=application,author")).text
    assert "Engine programmer" in text
    assert "SECRET" not in text
