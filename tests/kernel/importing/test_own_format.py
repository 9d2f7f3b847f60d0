"""The house's own format, read back: who may, what is refused, what is never overwritten, and the way back."""

from typing import Any

import orjson
import pytest

from guildhouse.kernel.importing import applying, import_doors, judging, own_format, unpacking
from guildhouse.kernel.importing.running import run_import
from tests.cast import Caller, Cast
from tests.kernel.importing.intake import Told, brought, judged, rows, told, told_to, work_on
from tests.organizations.scenes import approved, refusal

pytestmark = pytest.mark.anyio
FIELDS = ["id", "created_at", "person_id", "application_id", "text", "due_at", "done_at", "notified_at"]


def an_id(n: int) -> str:
    return f"019a9f3c-7c00-7000-8000-{n:012}"


def reminder(cast: Cast, n: int, **other: Any) -> Told:
    """A reminder of Ada's as it was elsewhere."""
    return {
        "id": an_id(n), "created_at": "2025-01-02T03:04:05.678901Z", "person_id": cast.ada.id, "application_id": None,
        "text": f"Call {n}", "due_at": "2025-02-01T08:00:00Z", "done_at": "2025-02-01T09:00:00Z", "notified_at": None,
        **other,
    }  # fmt: skip


def own_file(found: list[Told], noun: str = "reminders", fields: list[str] | None = None, version: int = 1) -> bytes:
    about = {"guildhouse": version, "resource": noun, "fields": fields or list(found[0])}
    return b"".join(orjson.dumps(each) + b"\n" for each in (about, *found))


async def kept(caller: Caller) -> list[Told]:
    """What somebody has, in the house's own format."""
    content = (await caller.get("/v1/reminders:export?format=guildhouse")).content
    return [orjson.loads(line) for line in content.splitlines()[1:]]


async def test_a_state_is_put_back_as_it_was_and_taken_back_as_a_whole(idle: Cast) -> None:
    found = [reminder(idle, 1), reminder(idle, 2, done_at=None)]
    row = await judged(idle, idle.otto, own_file(found), "reminders", "moved.ndjson")
    assert (row["found"]["format"], row["found"]["holds"], row["total"]) == ("guildhouse", "reminders", 2)
    assert (row["status"], row["judged"], await kept(idle.ada)) == ("judged", {"create": 2}, [])
    row = await told_to(idle, idle.otto, row, "apply")
    assert (row["status"], row["written"], await kept(idle.ada)) == ("applied", {"created": 2}, found)
    assert (await idle.ada.patch(f"/v1/reminders/{an_id(2)}", {"text": "Write"})).status_code == 200
    row = await told_to(idle, idle.otto, row, "take-back")
    assert row["taken_back"] == {"taken_back": 1, "changed_since": 1}
    assert [each["id"] for each in await kept(idle.ada)] == [an_id(2)]
    history = await idle.server.database.pool.fetch("SELECT verb FROM changes WHERE row_id = $1 ORDER BY seq", an_id(1))
    assert [each["verb"] for each in history] == ["loaded", "taken_back"]


async def test_what_was_taken_back_can_be_loaded_again(idle: Cast) -> None:
    content = own_file([reminder(idle, 1)])
    row = await told_to(idle, idle.otto, await judged(idle, idle.otto, content), "apply")
    await told_to(idle, idle.otto, row, "take-back")
    row = await judged(idle, idle.otto, content)
    assert row["judged"] == {"create": 1}
    row = await told_to(idle, idle.otto, row, "apply")
    assert (row["written"], await kept(idle.ada)) == ({"created": 1}, [reminder(idle, 1)])


async def test_what_somebody_has_removed_stays_in_the_trash(idle: Cast) -> None:
    row = await told_to(idle, idle.otto, await judged(idle, idle.otto, own_file([reminder(idle, 1)])), "apply")
    assert row["written"] == {"created": 1}
    assert (await idle.ada.delete(f"/v1/reminders/{an_id(1)}")).status_code == 204
    row = await judged(idle, idle.otto, own_file([reminder(idle, 1)]))
    assert [each["code"] for each in (await rows(idle.otto, row))[0]["faults"]] == ["in-trash"]


async def test_a_row_that_says_when_it_was_removed_comes_into_the_trash(idle: Cast) -> None:
    content = own_file([{**reminder(idle, 1), "deleted_at": "2026-11-01T08:00:00Z"}])
    row = await told_to(idle, idle.otto, await judged(idle, idle.otto, content), "apply")
    assert (row["written"], await kept(idle.ada)) == ({"created": 1}, [])
    assert (await judged(idle, idle.otto, content))["judged"] == {"same": 1}
    trash = (await idle.ada.get("/v1/reminders?trash=only")).json()["data"]
    assert [each["id"] for each in trash] == [an_id(1)]
    assert (await idle.ada.post(f"/v1/reminders/{an_id(1)}/restore")).status_code == 200
    assert await kept(idle.ada) == [reminder(idle, 1)]


async def test_an_older_file_without_a_field_says_nothing_about_it(idle: Cast) -> None:
    await told_to(idle, idle.otto, await judged(idle, idle.otto, own_file([reminder(idle, 1)])), "apply")
    older = {name: value for name, value in reminder(idle, 1).items() if name != "done_at"}
    assert (await judged(idle, idle.otto, own_file([older])))["judged"] == {"same": 1}


async def test_what_is_here_is_never_overwritten(idle: Cast) -> None:
    first = await judged(idle, idle.otto, own_file([reminder(idle, 1)]))
    await told_to(idle, idle.otto, first, "apply")
    row = await judged(idle, idle.otto, own_file([reminder(idle, 1, text="Obey"), reminder(idle, 2)]))
    assert row["judged"] == {"wrong": 1, "create": 1}
    assert [each["code"] for each in (await rows(idle.otto, row))[0]["faults"]] == ["id-taken"]
    row = await told_to(idle, idle.otto, row, "apply")
    assert row["written"] == {"failed": 1, "created": 1}
    assert [each["text"] for each in await kept(idle.ada)] == ["Call 1", "Call 2"]


async def test_every_wrong_row_is_told_of_and_comes_back_in_the_same_format(idle: Cast) -> None:
    found: list[Told] = [
        reminder(idle, 1), reminder(idle, 1), reminder(idle, 3, person_id=an_id(9)), reminder(idle, 4, id="me"),
        reminder(idle, 5, due_at=None), reminder(idle, 6, text="a\0b"), reminder(idle, 7, due_at="soon"),
        reminder(idle, 8, colour="red"), reminder(idle, 9, text=7),
    ]  # fmt: skip
    row = await judged(idle, idle.otto, own_file(found) + b'{"id": "cut in the mid')
    assert row["judged"] == {"create": 1, "wrong": 9}
    codes = [[(each["pointer"], each["code"]) for each in told_["faults"]] for told_ in await rows(idle.otto, row)]
    assert codes == [
        [], [("/id", "comes-twice")], [("/person_id", "not-found")], [("/id", "id")], [("/due_at", "not-seen")],
        [("", "holds-nul")], [("/due_at", "datetime-from-date-parsing")], [("", "other-fields")],
        [("/text", "string-type")], [("", "broken-json")],
    ]  # fmt: skip
    lines = (await idle.otto.get(f"/v1/imports/{row['id']}/wrong-rows.csv")).content.splitlines()
    about, wrong = orjson.loads(lines[0]), [orjson.loads(each) for each in lines[1:]]
    assert [each.get("id") for each in wrong][:2] == [an_id(1), an_id(3)]
    assert "comes earlier" in about["what is wrong"]["2"]
    mended = [{**wrong[1], "person_id": idle.ada.id}]
    again = await judged(idle, idle.otto, lines[0] + b"\n" + orjson.dumps(mended[0]))
    assert again["judged"] == {"create": 1}


async def test_only_who_may_load_does(idle: Cast) -> None:
    row = await brought(idle, idle.ada, own_file([reminder(idle, 1)]))
    assert (row["status"], row["problem"]["code"]) == ("failed", "not-yours-to-load")
    row = await judged(idle, idle.otto, own_file([reminder(idle, 1)]))
    await idle.server.database.pool.execute("UPDATE people SET role = 'moderator' WHERE id = $1", idle.otto.id)
    row = await told_to(idle, idle.otto, row, "apply")
    assert (row["status"], row["problem"]["code"], await kept(idle.ada)) == ("failed", "not-yours-to-load", [])


async def test_a_key_loads_only_where_its_permissions_say_so(idle: Cast) -> None:
    for permissions, status in ((["*.read", "*.write"], "failed"), (["*.write", "imports.*"], "ready")):
        key = (await idle.otto.made("/v1/api-keys", {"name": "k", "permissions": permissions}))["key"]
        sent = await idle.nobody.client.post(
            "/v1/imports?resource=reminders", content=own_file([reminder(idle, 1)]),
            headers={"authorization": f"Bearer {key}"},
        )  # fmt: skip
        await run_import(work_on(idle, sent.json()))
        assert (await idle.otto.get(f"/v1/imports/{sent.json()['id']}")).json()["status"] == status


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b'{"guildhouse":2,"resource":"reminders","fields":["id"]}\n', "file-unreadable"),
        (b'{"guildhouse":1,"resource":7,"fields":["id"]}\n', "file-unreadable"),
        (b'{"guildhouse":1,"resource"', "file-unreadable"),
        (b'{"guildhouse":1,"resource":"jobs","fields":["id"]}\n', "another-noun"),
        (b'{"guildhouse":1,"resource":"\\ud83d","fields":["id"]}\n', "file-unreadable"),
        (b'{"guildhouse":1,"resource":"reminders","fields":["id","scopes"]}\n', "invalid"),
    ],
)
async def test_a_first_line_that_promises_something_else_is_refused(idle: Cast, content: bytes, code: str) -> None:
    row = await brought(idle, idle.otto, content)
    assert (row["status"], row["problem"]["code"]) == ("failed", code)


async def test_there_is_nothing_to_plan_but_rows_can_be_left_out(idle: Cast) -> None:
    row = await judged(idle, idle.otto, own_file([reminder(idle, 1), reminder(idle, 2)]))
    plan = {"plan": {"columns": [], "constants": {"text": "x"}}}
    assert refusal(await idle.otto.patch(f"/v1/imports/{row['id']}", plan)) == (409, "as-it-was")
    assert (await idle.otto.patch(f"/v1/imports/{row['id']}", {"decisions": {"0": "skip"}})).status_code == 200
    row = await told_to(idle, idle.otto, row, "apply")
    assert row["written"] == {"skipped": 1, "created": 1}
    assert told(await kept(idle.ada), "text") == ["Call 2"]


async def test_rows_that_nobody_creates_by_hand_come_in_this_format_only(idle: Cast) -> None:
    row = await brought(idle, idle.otto, "role,person_id\nowner,me\n", "memberships", "m.csv")
    assert (row["status"], row["problem"]["code"]) == ("failed", "only-as-it-was")


async def test_the_halves_that_two_people_took_with_them_come_together(idle: Cast) -> None:
    """A field of another audience is empty in a file of somebody who does not see it; that empties nothing here."""
    job = (await idle.ada.made("/v1/jobs", {"title": "Clerk"}))["id"]
    application = await idle.ada.made("/v1/applications", {"job_id": job, "private_note": "ask about tea"})
    content = (await idle.ada.get("/v1/applications:export?format=guildhouse")).content
    about, mine = map(orjson.loads, content.splitlines())
    for field in ("rating", "team_note", "private_note"):
        mine[field] = None
    await idle.server.database.pool.execute("DELETE FROM applications")
    for half, expected in (
        ({"private_note": "ask about tea"}, "create"), ({"rating": 4}, "change"), ({"rating": None}, "same"),
        ({"rating": 2}, "wrong"),
    ):  # fmt: skip
        row = await judged(idle, idle.otto, own_file([{**mine, **half}], "applications"), "applications")
        assert row["judged"] == {expected: 1}, half
        row = await told_to(idle, idle.otto, row, "apply")
    found = await idle.server.database.pool.fetchrow("SELECT rating, private_note, version FROM applications")
    assert tuple(found) == (4, "ask about tea", 2)
    assert about["fields"] == list(mine) and application["id"] == mine["id"]


async def test_a_row_that_nobody_could_be_shown_is_refused(idle: Cast) -> None:
    content = (await idle.ada.get(f"/v1/people:export?format=guildhouse&name={idle.ada.name}")).content
    ada = orjson.loads(content.splitlines()[1])
    bad = {**ada, "id": an_id(1), "email": "zoe@example.org", "audience": {"phone": "everybody"}}
    row = await judged(idle, idle.otto, own_file([bad], "people"), "people")
    assert row["judged"] == {"wrong": 1}
    right = {**bad, "audience": {}}
    row = await judged(idle, idle.otto, own_file([right, {**right, "id": an_id(2)}], "people"), "people")
    assert row["judged"] == {"create": 1, "wrong": 1}
    assert [each["code"] for each in (await rows(idle.otto, row, "&verdict=wrong"))[0]["faults"]] == ["already-exists"]


async def test_all_rows_are_loaded_or_none_where_it_is_asked_so(idle: Cast) -> None:
    row = await brought(idle, idle.otto, own_file([reminder(idle, 1), reminder(idle, 2, person_id=an_id(9))]))
    assert (await idle.otto.patch(f"/v1/imports/{row['id']}", {"mode": "atomic"})).status_code == 200
    row = await told_to(idle, idle.otto, row, "judge")
    assert refusal(await idle.otto.post(f"/v1/imports/{row['id']}/apply")) == (422, "wrong-rows-in-atomic")
    row = await brought(idle, idle.otto, own_file([reminder(idle, 1), reminder(idle, 2)]))
    await idle.otto.patch(f"/v1/imports/{row['id']}", {"mode": "atomic"})
    row = await told_to(idle, idle.otto, await told_to(idle, idle.otto, row, "judge"), "apply")
    assert (row["written"], len(await kept(idle.ada))) == ({"created": 2}, 2)


async def test_a_load_that_was_cut_off_goes_on_and_none_is_lost_or_doubled(
    idle: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (unpacking, judging, import_doors, applying):
        monkeypatch.setattr(module, "CHUNK_ROWS", 2)
    row = await judged(idle, idle.otto, own_file([reminder(idle, n) for n in range(1, 6)]))
    assert row["judged"] == {"create": 5}
    row = await idle.otto.made(f"/v1/imports/{row['id']}/apply", {})
    real, runs = own_format.load, 0

    async def dying(*given: Any) -> Any:
        nonlocal runs
        runs += 1
        found = await real(*given)
        if runs == 2:
            raise RuntimeError("the power went")
        return found

    with monkeypatch.context() as patch:
        patch.setattr(own_format, "load", dying)
        with pytest.raises(RuntimeError):
            await run_import(work_on(idle, row))
    assert len(await kept(idle.ada)) == 2
    await run_import(work_on(idle, row))
    row = (await idle.otto.get(f"/v1/imports/{row['id']}")).json()
    assert (row["status"], row["written"]) == ("applied", {"created": 5})
    assert [each["id"] for each in await kept(idle.ada)] == [an_id(n) for n in range(1, 6)]


async def test_a_state_that_nobody_could_move_to_now_is_put_back(idle: Cast) -> None:
    """Hired for a job that is closed: no stage is gone through again, no rule is asked."""
    organization = await approved(idle)
    job = await idle.ada.made("/v1/jobs", {"organization_id": organization["id"], "title": "Clerk"})
    application = {
        "id": an_id(7), "created_at": "2025-01-02T03:04:05Z", "job_id": job["id"], "applicant_id": idle.cleo.id,
        "organization_id": organization["id"], "job_title": "Clerk", "organization_name": "Acme", "stage": "hired",
        "documents": [{"title": "CV", "url": "https://cleo.example.org/cv.pdf"}], "submitted_at": "2025-01-03T00:00:00Z",
        "decided_at": "2025-02-03T00:00:00Z", "next_step_on": "2025-01-09", "rating": 5,
    }  # fmt: skip
    row = await judged(idle, idle.otto, own_file([application], "applications"), "applications")
    row = await told_to(idle, idle.otto, row, "apply")
    assert row["written"] == {"created": 1}
    hers = (await idle.cleo.get(f"/v1/applications/{an_id(7)}")).json()
    assert {name: hers[name] for name in application if name != "rating"} == {
        name: value for name, value in application.items() if name != "rating"
    }
    assert (hers["rating"], hers["version"]) == (None, 1)
    assert (await idle.ada.get(f"/v1/applications/{an_id(7)}")).json()["rating"] == 5
    for wrong in ({"stage": "promoted"}, {"rating": 9}, {"contact_email": "nobody"}, {"next_step_on": "soon"}):
        bad = {**application, "id": an_id(8), "applicant_id": idle.ben.id, **wrong}
        row = await judged(idle, idle.otto, own_file([bad], "applications"), "applications")
        assert row["judged"] == {"wrong": 1}, wrong


async def test_a_membership_that_is_loaded_gives_its_sight_and_a_secret_opens_nothing(idle: Cast) -> None:
    organization = (await approved(idle))["id"]
    membership = {
        "id": an_id(1), "created_at": "2025-01-02T03:04:05Z", "organization_id": organization,
        "person_id": idle.cleo.id, "role": "recruiter",
    }  # fmt: skip
    row = await judged(idle, idle.otto, own_file([membership], "memberships"), "memberships")
    await told_to(idle, idle.otto, row, "apply")
    assert (await idle.cleo.made("/v1/jobs", {"organization_id": organization, "title": "Clerk"}))["status"] == "draft"
    invited = {
        "id": an_id(2), "created_at": "2025-01-02T03:04:05Z", "organization_id": organization, "role": "viewer",
        "email": "ben@example.org", "expires_at": "2099-01-01T00:00:00Z", "status": "pending",
    }  # fmt: skip
    row = await judged(idle, idle.otto, own_file([invited], "invitations"), "invitations")
    row = await told_to(idle, idle.otto, row, "apply")
    assert row["written"] == {"created": 1}
    digest = await idle.server.database.pool.fetchval("SELECT token_hash FROM invitations")
    for token in (digest, ""):
        assert refusal(await idle.ben.post("/v1/invitations:accept", {"token": token}))[1] == "unknown-invitation"
    renewed = await idle.ada.made(f"/v1/invitations/{an_id(2)}/renew", {})
    assert (await idle.ben.post("/v1/invitations:accept", {"token": renewed["token"]})).status_code == 200


async def test_a_file_of_nothing_and_one_with_fewer_fields_are_files(idle: Cast) -> None:
    row = await judged(idle, idle.otto, own_file([], fields=FIELDS))
    assert (row["status"], row["total"], row["judged"]) == ("judged", 0, {})
    fewer = {name: value for name, value in reminder(idle, 1).items() if name not in ("application_id", "done_at")}
    row = await told_to(idle, idle.otto, await judged(idle, idle.otto, own_file([fewer])), "apply")
    assert (await kept(idle.ada))[0]["done_at"] is None and row["written"] == {"created": 1}


async def test_a_file_of_this_format_can_be_read_as_plain_rows_by_anybody(idle: Cast) -> None:
    row = await brought(idle, idle.ada, own_file([reminder(idle, 1)]), options={"format": "ndjson"})
    row = await told_to(idle, idle.ada, row, "judge")
    assert row["judged"] == {"create": 1, "wrong": 1}, "the first line is no reminder"
    await told_to(idle, idle.ada, row, "apply")
    found = await kept(idle.ada)
    assert found[0]["text"] == "Call 1" and found[0]["id"] != an_id(1)
