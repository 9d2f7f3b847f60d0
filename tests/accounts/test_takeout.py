"""Take-outs: everything of one person's own in one archive, whole after a crash, for them alone, and gone after a week."""

import io
import zipfile
from hashlib import sha256
from typing import Any

import orjson
import pytest

from guildhouse.accounts.leaving import packing
from guildhouse.accounts.leaving.takeout_page import shown
from guildhouse.accounts.leaving.zipping import safe_name
from guildhouse.kernel.exporting import keeping
from guildhouse.kernel.tasks import Work
from tests.cast import Caller, Cast
from tests.contracts.samples import packed, rested
from tests.jobs.openings import posted, tracked
from tests.organizations.scenes import approved, refusal

pytestmark = pytest.mark.anyio
Told = dict[str, Any]


async def taken(caller: Caller, **body: Any) -> zipfile.ZipFile:
    """The archive of a take-out."""
    row = await packed(caller, (await caller.made("/v1/takeouts", body))["id"])
    assert (row["status"], row["problem"], row["done"]) == ("done", None, row["total"])
    content = (await caller.get(f"/v1/takeouts/{row['id']}/file")).content
    assert (len(content), sha256(content).hexdigest()) == (row["size"], row["sha256"])
    return zipfile.ZipFile(io.BytesIO(content))


def lines(archive: zipfile.ZipFile, path: str) -> list[Told]:
    return [orjson.loads(line) for line in archive.read(path).splitlines()]


async def lived(cast: Cast) -> Told:
    """Cleo applies at Ada's, both write notes, Cleo tracks a job and wants to be reminded."""
    job = await posted(cast, await approved(cast))
    application = await cast.cleo.made("/v1/applications", {"job_id": job["id"], "private_note": "ask about tea"})
    await cast.cleo.made(f"/v1/applications/{application['id']}/submit", {})
    for who, audience, body in (
        (cast.cleo, "private", "hope so"), (cast.ada, "team", "too shy"), (cast.ada, "shared", "come by"),
        (cast.ada, "private", "my own doubt"),
    ):  # fmt: skip
        await who.made("/v1/notes", {"application_id": application["id"], "audience": audience, "body": body})
    await cast.ada.made(f"/v1/applications/{application['id']}/rate", {"rating": 2})
    await tracked(cast.cleo, title="A secret hope")
    await cast.cleo.made("/v1/reminders", {"text": "Call them", "due_at": "2030-01-01T08:00:00Z"})
    return application


async def test_an_archive_holds_all_that_is_ones_own_and_nothing_of_others(cast: Cast) -> None:
    await lived(cast)
    archive = await taken(cast.cleo)
    manifest = orjson.loads(archive.read("manifest.json"))
    assert manifest["person"] == {"id": cast.cleo.id, "name": "Cleo", "email": "cleo@example.org"}
    assert {noun: each["rows"] for noun, each in manifest["nouns"].items()} == {
        "people": 1, "sessions": 1, "takeouts": 1, "jobs": 1, "applications": 1, "notes": 2, "reminders": 1,
    }  # fmt: skip
    assert [noun for noun, each in manifest["nouns"].items() if not each["loads_elsewhere"]] == ["sessions", "takeouts"]
    assert sorted(each["body"] for each in lines(archive, "data/notes.guildhouse.ndjson")[1:]) == ["come by", "hope so"]
    application = lines(archive, "data/applications.guildhouse.ndjson")[1]
    assert (application["private_note"], application["rating"]) == ("ask about tea", None)
    everything = b"".join(archive.read(name) for name in archive.namelist())
    for secret in (b"too shy", b"my own doubt", b"argon2", b"refresh_hash", b'"rating":2'):
        assert secret not in everything, secret
    events = [each["event"] for each in lines(archive, "history/applications.ndjson")]
    assert events == ["application.submitted", "application.created"]


async def test_what_is_in_the_trash_is_taken_along_by_itself(cast: Cast) -> None:
    for text in ("Kept", "Dropped"):
        await cast.cleo.made("/v1/reminders", {"text": text, "due_at": "2030-01-01T08:00:00Z"})
    dropped = (await cast.cleo.get("/v1/reminders?sort=-created_at")).json()["data"][0]
    job = await tracked(cast.cleo, title="A passing hope")
    for path in (f"/v1/reminders/{dropped['id']}", f"/v1/jobs/{job['id']}"):
        await cast.cleo.delete(path)
    archive = await taken(cast.cleo)
    nouns = orjson.loads(archive.read("manifest.json"))["nouns"]
    assert {n: (nouns[n]["rows"], nouns[n]["trash"]) for n in ("jobs", "reminders")} == {
        "jobs": (0, 1), "reminders": (1, 1),
    }  # fmt: skip
    assert [each["text"] for each in lines(archive, "data/reminders.guildhouse.ndjson")[1:]] == ["Kept"]
    about, row = lines(archive, "trash/reminders.guildhouse.ndjson")
    there = (await cast.cleo.get("/v1/reminders?trash=only")).json()["data"][0]
    assert (row["text"], row["id"]) == (there["text"], there["id"]) == ("Dropped", dropped["id"])
    assert "deleted_at" in about["fields"] and row["deleted_at"] > row["created_at"]
    assert lines(archive, "data/jobs.guildhouse.ndjson")[1:] == []
    events = [(each["id"], each["event"]) for each in lines(archive, "history/reminders.ndjson")]
    assert (dropped["id"], "reminder.removed") in events
    page = archive.read("index.html").decode()
    assert page.count('<td class="n"><a href="trash/reminders.guildhouse.ndjson">1</a></td>') == 2
    assert "trash/people" not in page


async def test_a_recruiter_takes_no_notes_of_the_team_along(cast: Cast) -> None:
    await lived(cast)
    archive = await taken(cast.ada)
    assert "data/applications.guildhouse.ndjson" not in archive.namelist()
    assert not [name for name in archive.namelist() if "notes" in name or "stages" in name]


async def test_the_manifest_has_the_size_and_digest_of_every_file(cast: Cast) -> None:
    sent = await cast.ada.client.post(
        "/v1/imports?resource=reminders&name=../etc/my calls.csv", content=b"text\nCall\n"
    )
    await rested(cast.ada, sent.json()["id"])
    archive = await taken(cast.ada)
    files = orjson.loads(archive.read("manifest.json"))["files"]
    assert {each["path"] for each in files} == set(archive.namelist()) - {"manifest.json"}
    for each in files:
        content = archive.read(each["path"])
        assert (len(content), sha256(content).hexdigest()) == (each["size"], each["sha256"])
    assert archive.read(f"files/imports/{sent.json()['id']}/my_calls.csv") == b"text\nCall\n"


async def test_the_page_is_in_both_languages_and_runs_nothing(cast: Cast) -> None:
    await cast.ada.patch(f"/v1/people/{cast.ada.id}", {"headline": "<script>alert(1)</script>"})
    page = (await taken(cast.ada, language="zh-TW")).read("index.html").decode()
    assert page.index('<section id="zh-TW"') < page.index('<section id="en"')
    assert "您的一切資料" in page and "Everything of yours" in page
    assert "<script" not in page and "&lt;script&gt;alert(1)" in page
    assert 'href="data/people.guildhouse.ndjson"' in page
    assert shown("2026-11-21T13:49:33.024757Z", {}) == "2026-11-21 13:49 UTC"
    assert shown([{"a": True}, None], {"yes": "是"}) == "a: 是, "
    assert shown("x" * 301, {}) == "x" * 300 + "…"


async def test_a_person_takes_out_their_own_and_an_admin_says_why_for_whom(cast: Cast) -> None:
    other = {"person_id": cast.ada.id}
    assert refusal(await cast.cleo.post("/v1/takeouts", other)) == (403, "not-your-takeout")
    assert refusal(await cast.otto.post("/v1/takeouts", other)) == (422, "invalid")
    unknown = {"person_id": "019a9f3c-7c00-7000-8000-000000000001", "reason": "asked"}
    assert refusal(await cast.otto.post("/v1/takeouts", unknown)) == (404, "not-found")
    archive = await taken(cast.otto, **other, reason="asked by letter")
    assert lines(archive, "data/people.guildhouse.ndjson")[1]["email"] == "ada@example.org"
    row = (await cast.ada.get("/v1/takeouts")).json()["data"][0]
    assert (row["asked_by"], row["reason"]) == (cast.otto.id, "asked by letter")
    assert refusal(await cast.cleo.get(f"/v1/takeouts/{row['id']}/file")) == (404, "not-found")


async def test_a_key_that_sees_less_takes_nothing_out(cast: Cast) -> None:
    for permissions, status in ((["takeouts.*"], 403), (["*.read", "takeouts.write"], 201)):
        key = (await cast.ada.made("/v1/api-keys", {"name": "k", "permissions": permissions}))["key"]
        headers = {"authorization": f"Bearer {key}"}
        answer = await cast.nobody.client.post("/v1/takeouts", json={}, headers=headers)
        assert answer.status_code == status


async def test_a_link_hands_the_archive_to_whoever_has_it_for_an_hour(cast: Cast) -> None:
    row = await packed(cast.ada, (await cast.ada.made("/v1/takeouts", {}))["id"])
    link = (await cast.ada.get(f"/v1/takeouts/{row['id']}/link")).json()["link"]
    answer = await cast.nobody.get(link)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/zip")
    assert 'filename="take-out-' in answer.headers["content-disposition"]
    assert (await cast.nobody.get(link, range="bytes=0-3")).content == b"PK\x03\x04"
    other = await packed(cast.cleo, (await cast.cleo.made("/v1/takeouts", {}))["id"])
    forged = link.replace(row["id"], other["id"])
    assert refusal(await cast.nobody.get(forged)) == (403, "link-over")


async def test_there_is_one_in_the_making_and_few_are_kept(starting: Any, tmp_path: Any) -> None:
    async with starting(workers="none", data=tmp_path) as cast:
        row = await cast.ada.made("/v1/takeouts", {})
        assert refusal(await cast.ada.post("/v1/takeouts", {})) == (409, "too-many-takeouts")
        assert (await cast.ada.made(f"/v1/takeouts/{row['id']}/cancel", {}))["status"] == "cancelled"
        await packing.make(Work(cast.server, None, row["id"], 1))
        assert await cast.server.files.names("takeouts/") == []
        assert refusal(await cast.ada.get(f"/v1/takeouts/{row['id']}/file")) == (409, "not-made-yet")


async def test_a_run_that_was_killed_begins_anew_and_a_cancelled_one_leaves_nothing(
    starting: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with starting(workers="none", data=tmp_path) as cast:
        row = await cast.ada.made("/v1/takeouts", {})
        work = Work(cast.server, None, row["id"], 1)
        with monkeypatch.context() as patch:
            patch.setattr(packing, "page_of", lambda *_: 1 / 0)
            with pytest.raises(ZeroDivisionError):
                await packing.make(work)
        halfway = (await cast.ada.get(f"/v1/takeouts/{row['id']}")).json()
        assert (halfway["status"], halfway["done"]) == ("running", halfway["total"])
        assert await cast.server.files.names("takeouts/") == []
        await packing.make(work)
        done = (await cast.ada.get(f"/v1/takeouts/{row['id']}")).json()
        assert (done["status"], len(await cast.server.files.names("takeouts/"))) == ("done", 1)
        monkeypatch.setattr(keeping, "KEPT", -keeping.KEPT)
        again = await cast.ada.made("/v1/takeouts", {})
        await packing.make(Work(cast.server, None, again["id"], 1))
        await packing.KEEPER.remove_expired(work)
        assert [each["id"] for each in (await cast.ada.get("/v1/takeouts")).json()["data"]] == [row["id"]]
        third = await cast.ada.made("/v1/takeouts", {})
        await packing.KEEPER.give_up(Work(cast.server, None, third["id"], 1), RuntimeError("broken"))
        failed = (await cast.ada.get(f"/v1/takeouts/{third['id']}")).json()
        assert (failed["status"], failed["problem"]["code"]) == ("failed", "internal-error")


async def test_an_archive_is_erased_with_its_person(cast: Cast) -> None:
    await packed(cast.cleo, (await cast.cleo.made("/v1/takeouts", {}))["id"])
    gone = await cast.cleo.post(f"/v1/people/{cast.cleo.id}/erase", {"email": "cleo@example.org"})
    assert gone.status_code == 204
    assert (
        await cast.server.database.pool.fetchval("SELECT count(*) FROM takeouts WHERE person_id = $1", cast.cleo.id)
        == 0
    )
    removal = next(task for task in packing.tasks if task.name == "remove-takeout-files")
    assert "takeout.erased" in removal.on


def test_names_of_files_lead_nowhere_else() -> None:
    assert [safe_name(each) for each in ("../../etc/passwd", "履歷 2026.pdf", "...", "a\\b:c", "x" * 300)] == [
        "etc_passwd", "履歷_2026.pdf", "file", "a_b_c", "x" * 100,
    ]  # fmt: skip
