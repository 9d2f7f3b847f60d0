"""What is purged by schedule is kept as a file for a while: whole, on the disk before it goes, without the erased."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from guildhouse.kernel import files
from guildhouse.kernel.retaining import retention, shelving
from guildhouse.kernel.tasks import Work
from tests.cast import Caller, Cast
from tests.jobs.openings import hiring, posted, tracked
from tests.kernel.importing.intake import judged, told_to
from tests.kernel.uploads import reminders
from tests.organizations.scenes import Body, refusal

pytestmark = pytest.mark.anyio


@pytest.fixture
async def idle(starting: Any, tmp_path: Path) -> AsyncIterator[Cast]:
    """A server that keeps what is purged for 90 days, and whose tasks wait to be run by hand."""
    async with starting(workers="none", keep_purged_days=90, data=tmp_path) as cast:
        yield cast


def work(cast: Cast, row_id: str = "") -> Work:
    return Work(cast.server, None, row_id, 1)


async def purged(cast: Cast, caller: Caller, *rows: Body) -> None:
    """These jobs, gone by schedule."""
    for row in rows:
        await caller.delete(f"/v1/jobs/{row['id']}")
    await cast.server.database.pool.execute(
        "UPDATE jobs SET deleted_at = now() - interval '31 days' WHERE deleted_at IS NOT NULL"
    )
    await retention.purge_trash(work(cast))


async def shelf(cast: Cast) -> list[Body]:
    rows: list[Body] = (await cast.otto.get("/v1/retained-files?sort=created_at")).json()["data"]
    return rows


async def content(cast: Cast, file: Body) -> list[Any]:
    response = await cast.otto.get(f"/v1/retained-files/{file['id']}/file")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/vnd.guildhouse+ndjson"
    assert (len(response.content), sha256(response.content).hexdigest()) == (file["size"], file["sha256"])
    return [orjson.loads(line) for line in response.content.splitlines()]


async def test_purged_rows_are_in_a_file_as_they_were(idle: Cast) -> None:
    first, second = [await tracked(idle.ada, title=title, city="臺北") for title in ("One", "Two")]
    await purged(idle, idle.ada, first, second)
    (file,) = await shelf(idle)
    assert (file["resource"], file["total"]) == ("jobs", 2)
    head, *rows = await content(idle, file)
    assert (head["guildhouse"], head["resource"]) == (1, "jobs")
    assert [{name: row[name] for name in head["fields"]} for row in rows] == rows
    as_read = [{name: each[name] for name in head["fields"]} for each in (first, second)]
    assert sorted(rows, key=lambda row: str(row["id"])) == as_read
    assert (await idle.server.database.pool.fetchval("SELECT count(*) FROM jobs")) == 0


async def test_the_rows_of_a_file_can_be_imported_again(idle: Cast) -> None:
    await purged(idle, idle.ada, await tracked(idle.ada, title="Back again", city="臺北"))
    (file,) = await shelf(idle)
    kept = (await idle.otto.get(f"/v1/retained-files/{file['id']}/file")).content
    row = await judged(idle, idle.ada, kept.partition(b"\n")[2], "jobs", "jobs.ndjson")
    assert row["judged"] == {"create": 1}
    applied = await told_to(idle, idle.ada, row, "apply")
    assert applied["written"] == {"created": 1}
    (job,) = (await idle.ada.get("/v1/jobs")).json()["data"]
    assert (job["title"], job["city"], job["person_id"]) == ("Back again", "臺北", idle.ada.id)


async def test_what_goes_along_by_foreign_keys_is_kept_too(idle: Cast) -> None:
    job = await posted(idle, await hiring(idle))
    application = await idle.cleo.made("/v1/applications", {"job_id": job["id"]})
    note = {"application_id": application["id"], "audience": "private", "body": "Ask about tea"}
    await idle.cleo.made("/v1/notes", note)
    await idle.cleo.delete(f"/v1/applications/{application['id']}")
    await idle.server.database.pool.execute("UPDATE applications SET deleted_at = now() - interval '31 days'")
    await retention.purge_trash(work(idle))
    by_noun = {file["resource"]: await content(idle, file) for file in await shelf(idle)}
    assert by_noun.keys() == {"applications", "notes"}
    assert by_noun["notes"][1]["body"] == "Ask about tea"


async def test_nouns_that_are_not_shelved_and_purges_by_hand_leave_no_file(idle: Cast) -> None:
    reminder = await idle.ada.made("/v1/reminders", reminders(1)[0]["data"])
    await idle.ada.delete(f"/v1/reminders/{reminder['id']}")
    await idle.server.database.pool.execute("UPDATE reminders SET deleted_at = now() - interval '31 days'")
    await retention.purge_trash(work(idle))
    job = await tracked(idle.ada)
    await idle.ada.delete(f"/v1/jobs/{job['id']}")
    assert (await idle.ada.post(f"/v1/jobs/{job['id']}/purge")).status_code == 204
    assert (await shelf(idle), await idle.server.files.names("retention/")) == ([], [])


async def test_without_the_setting_no_file_is_kept(cast: Cast) -> None:
    job = await tracked(cast.ada)
    await purged(cast, cast.ada, job)
    assert (await shelf(cast), await cast.server.files.names("retention/")) == ([], [])


async def test_a_file_that_cannot_be_written_keeps_the_rows(idle: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(idle.server.files, "write", full, raising=False)
    job = await tracked(idle.ada)
    with pytest.raises(OSError, match="No space"):
        await purged(idle, idle.ada, job)
    assert await idle.server.database.pool.fetchval("SELECT count(*) FROM jobs WHERE id = $1", job["id"]) == 1


async def test_the_file_is_there_before_the_rows_are_gone_and_a_stray_one_is_swept(
    idle: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = await tracked(idle.ada)

    async def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt  # as if the process had died between the file and the commit

    with monkeypatch.context() as patch:
        patch.setattr(shelving.store, "create", killed)
        with pytest.raises(KeyboardInterrupt):
            await purged(idle, idle.ada, job)
    (stray,) = await idle.server.files.names("retention/")
    assert await idle.server.database.pool.fetchval("SELECT count(*) FROM jobs") == 1
    await shelving.sweep_files(work(idle))
    assert await idle.server.files.names("retention/") == [stray], "it may be of a purge that is going on"
    await retention.purge_trash(work(idle))
    monkeypatch.setattr(files, "made_at", lambda _id: datetime(2020, 1, 1, tzinfo=UTC))
    await shelving.sweep_files(work(idle))
    (kept,) = await shelf(idle)
    assert await idle.server.files.names("retention/") == [f"retention/{kept['id']}/0"]


async def test_files_go_when_their_time_is_over(idle: Cast) -> None:
    await purged(idle, idle.ada, await tracked(idle.ada))
    await shelving.remove_expired(work(idle))
    (file,) = await shelf(idle)
    await idle.server.database.pool.execute("UPDATE retained_files SET expires_at = now() - interval '1 second'")
    await shelving.remove_expired(work(idle))
    await shelving.remove_files(work(idle, file["id"]))
    assert (await shelf(idle), await idle.server.files.names("retention/")) == ([], [])
    assert (await idle.otto.get(f"/v1/retained-files/{file['id']}/file")).status_code == 404


async def test_whoever_is_erased_is_in_no_file_any_more(idle: Cast) -> None:
    jobs = [await tracked(who, title=f"{who.name}'s") for who in (idle.ada, idle.cleo, idle.ben)]
    for who, job in zip((idle.ada, idle.cleo, idle.ben), jobs, strict=True):
        await who.delete(f"/v1/jobs/{job['id']}")
    await purged(idle, idle.ada)
    assert (await idle.cleo.post(f"/v1/people/{idle.cleo.id}/erase", {"email": "cleo@example.org"})).status_code == 204
    for _ in range(2):  # a task may run again
        await shelving.forget_person(work(idle), idle.cleo.id)
    (file,) = await shelf(idle)
    rows = (await content(idle, file))[1:]
    assert sorted(row["title"] for row in rows) == ["Ada's", "Ben's"]
    assert (file["total"], await idle.server.files.names("retention/")) == (2, [f"retention/{file['id']}/1"])
    await shelving.forget_person(work(idle), idle.ben.id)
    (file,) = await shelf(idle)
    assert [row["title"] for row in (await content(idle, file))[1:]] == ["Ada's"], "lines are counted anew"
    assert idle.cleo.id not in str(await idle.server.database.pool.fetch("SELECT * FROM retained_files"))


async def test_what_a_team_said_of_somebody_who_is_erased_is_in_no_file_either(idle: Cast) -> None:
    job = await posted(idle, await hiring(idle))
    for who in (idle.cleo, await idle.join("Zoe")):
        application = await who.made("/v1/applications", {"job_id": job["id"], "stage": "submitted"})
        body = {"application_id": application["id"], "audience": "team", "body": f"{who.name} is shy"}
        await idle.ada.made("/v1/notes", body)
    pool = idle.server.database.pool
    await pool.execute("UPDATE notes SET deleted_at = now() - interval '31 days', version = version + 1")
    await retention.purge_trash(work(idle))
    await shelving.forget_person(work(idle), idle.cleo.id)
    assert [row["body"] for row in (await content(idle, (await shelf(idle))[0]))[1:]] == ["Zoe is shy"]


async def test_a_file_that_was_lost_says_so_and_keeps_nobody_from_being_erased(idle: Cast) -> None:
    await purged(idle, idle.ada, await tracked(idle.ada))
    (file,) = await shelf(idle)
    await idle.server.files.remove(f"retention/{file['id']}/0")
    assert refusal(await idle.otto.get(f"/v1/retained-files/{file['id']}/file")) == (404, "no-such-file")
    await shelving.forget_person(work(idle), idle.ada.id)
    assert await idle.server.database.pool.fetchval("SELECT persons FROM retained_files") == {}


async def test_the_erasure_of_a_person_asks_for_it(cast: Cast) -> None:
    task = cast.server.house.tasks["forget-in-files"]
    assert task.on == ("person.erased",)
    await task.run(Work(cast.server, None, cast.cleo.id, 1))


async def test_files_are_for_admins(idle: Cast) -> None:
    await purged(idle, idle.ada, await tracked(idle.ada))
    (file,) = await shelf(idle)
    for caller in (idle.ada, await idle.join("Mo", "moderator")):
        assert (await caller.get("/v1/retained-files")).json()["data"] == []
        assert refusal(await caller.get(f"/v1/retained-files/{file['id']}/file"))[0] in (403, 404)
    assert (await idle.otto.delete(f"/v1/retained-files/{file['id']}")).status_code == 204
    await retention.purge_trash(work(idle))
    assert await idle.server.database.pool.fetchval("SELECT count(*) FROM retained_files") == 1, "not yet: trash first"


async def test_the_outlook_tells_what_would_go_and_takes_nothing(idle: Cast) -> None:
    jobs = [await tracked(idle.ada, title=f"Job {n}") for n in range(3)]
    for job in jobs:
        await idle.ada.delete(f"/v1/jobs/{job['id']}")
    pool = idle.server.database.pool
    await pool.execute("UPDATE jobs SET deleted_at = '2020-02-03' WHERE id = $1", jobs[0]["id"])
    await pool.execute("UPDATE jobs SET deleted_at = '2021-02-03' WHERE id = $1", jobs[1]["id"])
    hold = await idle.otto.made("/v1/holds", {"resource": "jobs", "row_id": jobs[1]["id"], "reason": "x"})
    before = await pool.fetchval("SELECT count(*) FROM changes")
    told = (await idle.otto.get("/v1/retention")).json()
    assert (told["keep_purged_days"], told["files_to_remove"]) == (90, 0)
    nouns = {each["resource"]: each for each in told["nouns"]}
    assert nouns["jobs"] == {
        "resource": "jobs", "total_days": None, "to_remove": 0, "trash_days": 30, "in_trash": 3, "to_purge": 2,
        "oldest": "2020-02-03T00:00:00Z", "held": 1, "held_by": [hold["id"]], "is_shelved": True,
    }  # fmt: skip
    assert (nouns["operations"]["total_days"], nouns["operations"]["is_shelved"]) == (365, False)
    assert nouns.keys() == idle.server.house.paths.keys()
    assert await pool.fetchval("SELECT count(*) FROM changes") == before
