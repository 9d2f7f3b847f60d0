"""Who applies where they are on the hiring team, or come to be: they read of it what any applicant reads, at every door."""

from asyncio import sleep
from typing import Any

import pytest

from guildhouse.applications.application import Application
from guildhouse.applications.eyes import of_both, themselves
from tests.accounts.test_takeout import taken
from tests.applications.hiring_scenes import Opening, at, opening
from tests.applications.test_audience import everything_read
from tests.applications.test_candidate import applied, known
from tests.applications.test_claiming import claimed, link
from tests.applications.test_note import noted
from tests.cast import Caller, Cast
from tests.contracts.conftest import settled
from tests.contracts.samples import finished
from tests.kernel.live import listening
from tests.organizations.scenes import Body, heard, ids, join, refusal
from tests.searches.looking import caught_up, matched, rows_of, saved

pytestmark = pytest.mark.anyio
ROLES = ("interviewer", "recruiter", "owner")
SECRET = "unpunctual"
OF_THE_TEAM = (SECRET, "SECRET-OF-THE-TEAM", '"rating":2', ",2,SECRET-OF-THE-TEAM")


async def judged(scene: Opening, who: Caller) -> Body:
    """An application of somebody on which the team has said what it thinks, and what it says to them."""
    application = await who.made("/v1/applications", {"job_id": scene.job["id"], "stage": "submitted"})
    await scene.cast.ada.patch(at(application), {"team_note": "SECRET-OF-THE-TEAM"})
    await heard(scene.cast, await scene.cast.ada.post(at(application, "rate"), {"rating": 2}))
    await noted(scene.cast.ada, application, "team", f"Is {SECRET}")
    await noted(scene.cast.ada, application, "shared", "Come at ten")
    return application


async def on_the_team(scene: Opening, who: Caller, role: str = "recruiter") -> None:
    """From now on they are on the hiring team."""
    membership = await join(scene.cast, scene.organization, who, "recruiter" if role == "owner" else role)
    if role == "owner":
        path = f"/v1/memberships/{membership['id']}/assign-role"
        await heard(scene.cast, await scene.cast.ada.post(path, {"role": "owner"}))


async def indexed(cast: Cast) -> None:
    """Wait until the index has all that was written."""
    await settled(cast)
    assert await cast.server.search.has_reached(cast.server.tail.epoch, cast.server.tail.pos)


def nothing_of_the_team(text: str) -> bool:
    return not any(each in text for each in OF_THE_TEAM)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("first", ["applies", "joins"])
async def test_at_no_door_an_insider_reads_what_the_team_says_of_them(cast: Cast, role: str, first: str) -> None:
    scene = await opening(cast)
    if first == "joins":
        await on_the_team(scene, scene.eve, role)
    application = await judged(scene, scene.eve)
    if first == "applies":
        await on_the_team(scene, scene.eve, role)
    assert nothing_of_the_team(await everything_read(scene.eve, application))
    assert SECRET not in (await cast.nobody.get("/v1/notes")).text
    for member in (cast.ada, cast.ben):
        told = await everything_read(member, application)
        assert SECRET in told and "SECRET-OF-THE-TEAM" in told


async def test_their_own_application_is_to_them_what_it_was_before_they_were_on_the_team(cast: Cast) -> None:
    scene = await opening(cast)
    application = await judged(scene, scene.eve)
    paths = [at(application), f"{at(application)}?as_of=1", at(application, "history"), "/v1/notes", "/v1/applications"]
    before = [(await scene.eve.get(path)).json() for path in paths]
    await on_the_team(scene, scene.eve, "owner")
    assert [(await scene.eve.get(path)).json() for path in paths] == before


async def test_of_others_they_read_all_that_the_team_reads(cast: Cast) -> None:
    scene = await opening(cast)
    await judged(scene, scene.eve)
    zoe = await cast.join("Zoe")
    await on_the_team(scene, scene.eve)
    of_zoe = await judged(scene, zoe)
    for member in (scene.eve, cast.ben):
        assert (await member.get(at(of_zoe))).json()["rating"] == 2
        assert f"Is {SECRET}" in (await member.get(f"/v1/notes?application_id={of_zoe['id']}")).text


async def test_lists_count_and_export_without_what_is_kept_from_them(cast: Cast) -> None:
    scene = await opening(cast)
    application = await judged(scene, scene.eve)
    await on_the_team(scene, scene.eve)
    await indexed(cast)
    of_eve, by_ada = f"application_id={application['id']}", f"author_id={cast.ada.id}"
    for query, count in (("", 1), (of_eve, 1), (by_ada, 1), ("audience=team", 0), (f"q={SECRET}", 0)):
        counted = await scene.eve.get(f"/v1/notes?{query}", prefer="count=exact")
        assert counted.json()["page"]["total"] == len(ids(counted)) == count
    for form in ("csv", "ndjson", "guildhouse", "json"):
        for noun in ("notes", "applications"):
            answer = await scene.eve.get(f"/v1/{noun}:export?format={form}")
            assert answer.status_code == 200 and nothing_of_the_team(answer.text)
    joined = await scene.eve.get("/v1/notes:export?format=csv&fields=id,application.rating,application.team_note,body")
    assert "Come at ten" in joined.text and nothing_of_the_team(joined.text)
    made = await exported(scene.eve, "notes")
    assert made["total"] == 1 and nothing_of_the_team((await scene.eve.get(f"/v1/exports/{made['id']}/file")).text)


async def exported(who: Caller, noun: str) -> Body:
    """An export that is made in the background, once it is."""
    row = await who.made("/v1/exports", {"resource": noun, "format": "ndjson"})
    while not row["finished_at"]:
        await sleep(0.02)
        row = (await who.get(f"/v1/exports/{row['id']}")).json()
    return row


async def test_a_search_neither_finds_nor_counts_nor_suggests_it(cast: Cast) -> None:
    scene = await opening(cast)
    application = await judged(scene, scene.eve)
    await on_the_team(scene, scene.eve)
    await indexed(cast)
    for path in (f"/v1/notes?q={SECRET}", f"/v1/notes?q={SECRET}&highlights=true", f"/v1/search?q={SECRET}"):
        assert SECRET in (await cast.ben.get(path)).json()["data"][0].__repr__()
        answer = (await scene.eve.get(path)).json()
        assert answer["data"] == [] and answer.get("page", {}).get("total", 0) == 0
    for path in ("/v1/search/suggest?q=unpun&kinds=notes", "/v1/search/suggest?q=unpunctuel&kinds=notes"):
        assert (await scene.eve.get(path)).json()["data"] == []
    assert (await cast.ben.get("/v1/search/suggest?q=unpun&kinds=notes")).json()["data"] != []
    for who, meant in ((cast.ben, SECRET), (scene.eve, None)):
        assert (await who.get("/v1/notes?q=unpunctaul")).json()["search"]["did_you_mean"] == meant
    assert (await scene.eve.get("/v1/notes?q=ten")).json()["page"]["total"] == 1
    assert application["id"] in (await scene.eve.get("/v1/applications?q=engine")).text


async def test_they_guess_nothing_and_change_nothing_of_it(cast: Cast) -> None:
    scene = await opening(cast)
    application = await judged(scene, scene.eve)
    await on_the_team(scene, scene.eve)
    for field, guesses in (("rating", (2, None)), ("team_note", ("SECRET-OF-THE-TEAM", None))):
        answers = [await scene.eve.patch(at(application), {field: guess}) for guess in guesses]
        assert [refusal(each) for each in answers] == [(403, "field-not-yours")] * 2
        ops = [{"op": "change", "id": application["id"], "data": {field: guess}} for guess in guesses]
        told = (await scene.eve.made("/v1/applications:batch", {"ops": ops}, prefer="tx=rollback"))["body"]["results"]
        assert {each["problem"]["code"] for each in told} == {"field-not-yours"}
        for query in (f"{field}[isnull]=false", f"sort={field}", f"facets={field}"):
            assert (await scene.eve.get(f"/v1/applications?{query}")).status_code == 400
    for version in (2, 3):
        assert refusal(await scene.eve.post(at(application, "undo"), {"version": version}))[0] == 409
    assert refusal(await scene.eve.post(at(application, "rate"), {"rating": 5})) == (403, "denied")
    assert (await cast.ada.get(at(application))).json()["rating"] == 2


async def test_a_note_on_them_is_not_there_for_any_write_of_theirs(cast: Cast) -> None:
    scene = await opening(cast)
    application = await judged(scene, scene.eve)
    await on_the_team(scene, scene.eve, "owner")
    note = (await cast.ada.get(f"/v1/notes?application_id={application['id']}&audience=team")).json()["data"][0]
    ops = [{"op": "change", "id": note["id"], "data": {"body": "x"}}, {"op": "remove", "id": note["id"]}]
    told = (await scene.eve.made("/v1/notes:batch", {"ops": ops}))["results"]
    assert [each["problem"]["code"] for each in told] == ["not-found"] * 2
    for wanted in ({"filter": {"audience": "team"}, "op": "remove"}, {"ids": [note["id"]], "op": "remove"}):
        answer = await scene.eve.post("/v1/notes:batch", wanted)
        if answer.status_code == 202:
            assert (await finished(scene.eve, answer.json()["id"]))["written"] == 0
        assert note["id"] not in answer.text
    assert (await cast.ada.get(f"/v1/notes/{note['id']}")).json() == note


async def test_what_is_followed_live_shows_them_no_more_than_what_is_read(cast: Cast) -> None:
    scene = await opening(cast)
    application = await judged(scene, scene.eve)
    await on_the_team(scene, scene.eve)
    async with listening(cast, scene.eve, at(application)) as stream:
        first = await stream.event()
        assert first and first["data"]["rating"] is None
        await cast.ada.made(at(application, "rate"), {"rating": 5})
        second = await stream.event()
        assert second and (second["data"]["rating"], second["data"]["team_note"]) == (None, None)


async def test_a_take_out_has_nothing_of_the_team_in_it(cast: Cast) -> None:
    scene = await opening(cast)
    await judged(scene, scene.eve)
    await on_the_team(scene, scene.eve, "owner")
    archive = await taken(scene.eve)
    everything = b"".join(archive.read(name) for name in archive.namelist()).decode("utf-8", "replace")
    assert "Come at ten" in everything and nothing_of_the_team(everything)


async def test_a_saved_search_of_theirs_does_not_tell_of_a_note_on_them(cast: Cast) -> None:
    scene = await opening(cast)
    await on_the_team(scene, scene.eve)
    by_word, all_notes = await saved(scene.eve, "notes", q=SECRET), await saved(scene.eve, "notes", audience="team")
    of_ben = await saved(cast.ben, "notes", q=SECRET)
    await judged(scene, scene.eve)
    assert len(await matched(cast.ben, of_ben, 1)) == 1
    await caught_up(cast)
    assert await rows_of(scene.eve, by_word) == await rows_of(scene.eve, all_notes) == []
    await judged(scene, await cast.join("Zoe"))
    assert len(await matched(scene.eve, by_word, 1)) == len(await matched(scene.eve, all_notes, 1)) == 1


async def test_what_a_saved_search_has_told_them_of_a_candidate_goes_once_it_is_them(cast: Cast) -> None:
    scene = await opening(cast)
    ivy = await cast.join("Ivy")
    await on_the_team(scene, ivy)
    searches = [await saved(ivy, noun) for noun in ("candidates", "applications", "notes")]
    candidate = await known(scene)
    application = await applied(scene, candidate)
    await noted(cast.ada, application, "team")
    for search in searches:
        assert len(await matched(ivy, search, 1)) == 1
    await claimed(ivy, await link(scene, candidate))
    for search, count in zip(searches, (0, 1, 0), strict=True):
        assert len(await matched(ivy, search, count)) == count


async def test_a_note_that_goes_with_a_move_is_kept_from_them_too(cast: Cast) -> None:
    scene = await opening(cast)
    application = await judged(scene, scene.eve)
    await on_the_team(scene, scene.eve)
    await cast.ben.made(at(application, "move"), {"stage": "screening", "note": f"Still {SECRET}"})
    assert f"Still {SECRET}" in (await cast.ada.get("/v1/notes")).text
    assert f"Still {SECRET}" not in (await scene.eve.get("/v1/notes")).text
    assert (await scene.eve.get(at(application))).json()["stage"] == "screening"


async def test_in_the_trash_it_is_kept_from_them_too(cast: Cast) -> None:
    scene = await opening(cast)
    await judged(scene, scene.eve)
    await on_the_team(scene, scene.eve, "owner")
    note = (await cast.ada.get("/v1/notes?audience=team")).json()["data"][0]
    await cast.ada.delete(f"/v1/notes/{note['id']}")
    assert ids(await cast.ada.get("/v1/notes?trash=only")) == [note["id"]]
    for query in ("", f"&q={SECRET}"):
        assert ids(await scene.eve.get(f"/v1/notes?trash=only{query}")) == []
    assert ids(await cast.ada.get(f"/v1/notes?trash=only&q={SECRET}")) == [note["id"]]
    assert refusal(await scene.eve.post(f"/v1/notes/{note['id']}/restore")) == (404, "not-found")


async def test_a_dry_run_does_not_tell_an_applicant_that_anybody_of_the_team_has_noted_something(cast: Cast) -> None:
    scene = await opening(cast)
    application = await judged(scene, scene.eve)
    await noted(cast.ben, application, "private", "My own doubt")
    told = await scene.eve.made(
        f"/v1/people/{scene.eve.id}/erase", {"email": "eve@example.org"}, prefer="tx=rollback"
    )  # fmt: skip
    gone = [each["id"] for each in told["changes"] if each["event"] == "note.erased"]
    assert gone == ids(await cast.ada.get(f"/v1/notes?application_id={application['id']}&audience=shared"))
    assert len(ids(await cast.ben.get("/v1/notes"))) == 3


def row(**values: Any) -> Application:
    return Application.of({"applicant_id": None, "candidate_id": None, "submitted_at": None, **values})


def test_an_application_is_about_its_applicant_or_else_its_candidate() -> None:
    assert themselves(row(applicant_id="eve")) == ["person:eve"]
    assert themselves(row(candidate_id="mary")) == ["candidate:mary"]
    assert themselves(row()) == []


def test_a_draft_and_what_is_only_tracked_are_their_persons_alone() -> None:
    assert list(of_both(row(applicant_id="eve", organization_id=None))) == ["person:eve"]
    assert list(of_both(row(applicant_id="eve", organization_id="1"))) == ["person:eve"]
