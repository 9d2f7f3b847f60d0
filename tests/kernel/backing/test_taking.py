"""Taking backups: by a server at work, told where they fail, thinned out by the rule, restored to what they were."""

import asyncio
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from guildhouse.config import load
from guildhouse.kernel.backing import taking
from guildhouse.kernel.backing.dump import Manifest
from guildhouse.kernel.backing.shelf import Shelf, Standing, once, read, standing
from guildhouse.kernel.files import Files, FilesOutOfReach
from guildhouse.kernel.health import before_last
from guildhouse.kernel.tasks import Work
from tests.cast import Cast
from tests.object_storage import BUCKET, ObjectStorage

pytestmark = pytest.mark.anyio


@pytest.fixture
async def at_work(starting: Callable[..., Any], tmp_path: Path) -> AsyncIterator[Cast]:
    """A server that backs itself up into a directory."""
    async with starting(data=tmp_path / "data", backups=str(tmp_path / "backups")) as cast:
        yield cast


async def backed_up(cast: Cast) -> dict[str, Any]:
    """A backup that the admin asked for, once it has ended."""
    row = await cast.otto.made("/v1/backups", {})
    return await ended(cast, row["id"])


async def ended(cast: Cast, row_id: str) -> dict[str, Any]:
    async with asyncio.timeout(40):
        while not (row := (await cast.otto.get(f"/v1/backups/{row_id}")).json())["finished_at"]:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return dict(row)


async def ready(cast: Cast) -> dict[str, Any]:
    return dict((await cast.ada.get("/ready")).json()["checks"]["backups"])


async def metric(cast: Cast, name: str) -> float:
    text = (await cast.otto.get("/metrics")).text
    return float(next(line for line in text.splitlines() if line.startswith(f"{name} ")).split()[1])


async def test_a_backup_is_taken_by_a_server_at_work_and_told_to_its_admin(at_work: Cast, tmp_path: Path) -> None:
    assert (await ready(at_work))["status"] == "warn"  # there is none yet
    job = await at_work.ada.made("/v1/jobs", {"title": "Kept"})
    await at_work.server.files.write("imports/a/upload", once(b"upload"))
    answered, asking = 0, asyncio.create_task(backed_up(at_work))
    while not asking.done():
        answered += (await at_work.ada.get(f"/v1/jobs/{job['id']}")).status_code == 200
    row = asking.result()
    assert (row["status"], row["problem"], row["files"]) == ("done", None, 1)
    assert row["size"] >= row["added"] > 10_000 and row["rows"] > 10 and row["verified_at"]
    assert answered > 20  # requests go on meanwhile
    assert await ready(at_work) == {
        "status": "pass", "detail": {"seconds_since": 0, "verified": True, "failed": False}
    }  # fmt: skip
    assert await metric(at_work, "guildhouse_backup_size_bytes") == row["size"]
    assert time.time() - 60 < await metric(at_work, "guildhouse_backup_timestamp_seconds") < time.time() + 1
    assert [path for path in (tmp_path / "data").iterdir() if path.name.startswith("backing-up")] == []


async def test_the_next_backup_stores_only_what_changed(at_work: Cast) -> None:
    await at_work.server.files.write("imports/a/upload", once(os.urandom(1_000_000)))
    shelf = taking.shelf_of(at_work.server)
    first = await backed_up(at_work)
    one = await read(shelf.files, (await standing(shelf.files))[0])
    await at_work.ada.made("/v1/jobs", {"title": "New"})
    second = await backed_up(at_work)
    assert first["added"] > 1_000_000 > second["added"] > 0
    assert second["size"] > 1_000_000
    two = await read(shelf.files, (await standing(shelf.files))[-1])
    unchanged = {name for name, content in two.contents.items() if one.contents.get(name) == content}
    assert len(unchanged) > len(two.contents) / 2  # the tables that nobody wrote to, and the file


async def test_only_an_admin_sees_and_takes_backups(at_work: Cast) -> None:
    row = await backed_up(at_work)
    assert (await at_work.ada.get(f"/v1/backups/{row['id']}")).status_code == 404
    assert (await at_work.ada.post("/v1/backups", {})).status_code == 403
    assert (await at_work.ada.get("/v1/backups")).json()["data"] == []


async def test_a_second_one_is_not_asked_for_while_one_is_taken(at_work: Cast) -> None:
    async with taking.alone(at_work.server):
        row = await at_work.otto.made("/v1/backups", {})
        refused = await at_work.otto.post("/v1/backups", {})
        assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (409, "backup-under-way")
        await taking.ask(Work(at_work.server, None, "", 1))  # the schedule comes round: there is nothing to add
    assert (await ended(at_work, row["id"]))["status"] == "done"
    assert len((await at_work.otto.get("/v1/backups")).json()["data"]) == 1


async def test_the_schedule_asks_for_a_backup(at_work: Cast) -> None:
    await taking.ask(Work(at_work.server, None, "", 1))
    row = (await at_work.otto.get("/v1/backups")).json()["data"][0]
    assert (await ended(at_work, row["id"]))["status"] == "done"
    config = load(backups="/b", backup_schedule="*/5 * * * *")
    assert [schedule.due(config) for schedule in taking.schedules] == ["*/5 * * * *"]
    assert [schedule.due(load()) for schedule in taking.schedules] == [None]


async def test_a_backup_that_fails_says_why_and_leaves_the_last_good_one(
    starting: Callable[..., Any], tmp_path: Path
) -> None:
    place = tmp_path / "backups"
    async with starting(data=tmp_path / "data", backups=str(place), workers="none") as cast:
        work = await asked(cast)
        await taking.take(work)
        good = await ended(cast, work.row_id)
        shutil.move(place, tmp_path / "moved")
        place.write_text("not a directory")
        work = await asked(cast)
        with pytest.raises(FileExistsError) as error:
            await taking.take(work)
        await taking.tasks[0].give_up(work, error.value)
        failed = await ended(cast, work.row_id)
        assert failed["status"] == "failed" and failed["problem"].endswith("backups: File exists.")
        check = await ready(cast)
        assert (check["status"], check["detail"]["failed"], check["detail"]["verified"]) == ("warn", True, True)
        assert await metric(cast, "guildhouse_backup_failed") == 1
        place.unlink()
        shutil.move(tmp_path / "moved", place)
        assert [each.short for each in await standing(taking.shelf_of(cast.server).files)] == [good["name"]]
        again = await asked(cast)
        await taking.take(again)
        assert (await ready(cast))["status"] == "pass"
        there = await standing(taking.shelf_of(cast.server).files)
        assert (await ended(cast, again.row_id))["name"] in {each.short for each in there}
        await taking.take(again)  # a second run of a task that is done does nothing
        assert await standing(taking.shelf_of(cast.server).files) == there


async def asked(cast: Cast) -> Work:
    """A backup that is asked for, to be taken by the test."""
    return Work(cast.server, None, (await cast.otto.made("/v1/backups", {}))["id"], 1)


async def test_a_server_without_a_place_for_backups_says_so(starting: Callable[..., Any], tmp_path: Path) -> None:
    async with starting(data=tmp_path) as cast:
        assert await ready(cast) == {"status": "pass", "detail": {}}
        row = await ended(cast, (await cast.otto.made("/v1/backups", {}))["id"])
        assert row["status"] == "failed" and "Set GUILDHOUSE_BACKUPS" in row["problem"]


async def test_storage_that_refuses_is_told_in_words(
    starting: Callable[..., Any], tmp_path: Path, object_storage: ObjectStorage
) -> None:
    settings = {**object_storage.settings, "s3_secret": "wrong"}
    async with starting(data=tmp_path, backups=f"s3://{BUCKET}/refused", workers="none", **settings) as cast:
        work = await asked(cast)
        with pytest.raises(FilesOutOfReach) as error:
            await taking.take(work)
        await taking.fail(work, error.value)
        problem = (await ended(cast, work.row_id))["problem"]
        assert "refuses the key for the bucket guild" in problem and "wrong" not in problem


async def test_the_rule_is_kept_and_the_new_one_is_spared(at_work: Cast) -> None:
    shelf = taking.shelf_of(at_work.server)
    now = datetime.now(UTC)
    times = [now - timedelta(days=n) for n in range(1, 500, 3)] + [now + timedelta(days=400)]
    there = sorted(
        (Standing(f"records/{shelf.server}/{at:%Y%m%dT%H%M%SZ}-{n:016x}.json") for n, at in enumerate(times)),
        key=lambda each: each.taken_at,
    )
    gone = taking.superfluous(there, at_work.server.config)
    assert len(there) - len(gone) <= 7 + 4 + 12 and there[-1] not in gone
    assert there[0] in gone and there[0] not in taking.superfluous(there, at_work.server.config, there[0])


async def test_old_backups_go_when_a_new_one_is_taken(starting: Callable[..., Any], tmp_path: Path) -> None:
    async with starting(data=tmp_path / "d", backups=str(tmp_path / "b"), backup_keep="1d", workers="none") as cast:
        shelf = taking.shelf_of(cast.server)
        work = await asked(cast)
        await taking.take(work)
        (first,) = await standing(shelf.files)
        manifest = (await read(shelf.files, first)).manifest
        (tmp_path / "dump").mkdir()
        older = manifest.model_copy(update={"created_at": manifest.created_at - timedelta(days=2)})
        await shelf.put(older, tmp_path / "dump", cast.server.files)
        assert len(await standing(shelf.files)) == 2
        work = await asked(cast)
        await taking.take(work)
        left = [each.short for each in await standing(shelf.files)]
        assert (await ended(cast, work.row_id))["name"] in left
        assert f"{older.created_at:%Y%m%dT%H%M%SZ}" not in {name[:16] for name in left}


async def test_two_runs_of_one_task_take_one_backup(starting: Callable[..., Any], tmp_path: Path) -> None:
    async with starting(data=tmp_path / "data", backups=str(tmp_path / "backups"), workers="none") as cast:
        work = await asked(cast)
        await asyncio.gather(taking.take(work), taking.take(work))
        assert len(await standing(taking.shelf_of(cast.server).files)) == 1
        assert (await ended(cast, work.row_id))["status"] == "done"


async def test_a_run_that_is_cut_short_by_a_stopping_server_is_made_up_for_by_the_next(
    starting: Callable[..., Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with starting(data=tmp_path / "data", backups=str(tmp_path / "backups"), workers="none") as cast:
        work, begun = await asked(cast), asyncio.Event()

        async def endless(_shelf: Shelf, _manifest: Manifest, _dump: Path, _kept: Files) -> None:
            begun.set()
            await asyncio.sleep(600)

        with monkeypatch.context() as patched:
            patched.setattr(Shelf, "put", endless)
            running = asyncio.create_task(taking.take(work))
            await asyncio.wait_for(begun.wait(), 20)
            running.cancel()
            with pytest.raises(asyncio.CancelledError):
                await running
        assert list((tmp_path / "data").glob("backing-up-*")) == []
        assert (await cast.otto.get(f"/v1/backups/{work.row_id}")).json()["status"] == "running"
        await taking.take(work)
        assert (await ended(cast, work.row_id))["status"] == "done"


async def test_a_backup_whose_row_was_removed_is_not_taken(starting: Callable[..., Any], tmp_path: Path) -> None:
    async with starting(data=tmp_path / "data", backups=str(tmp_path / "backups"), workers="none") as cast:
        work = await asked(cast)
        assert (await cast.otto.delete(f"/v1/backups/{work.row_id}")).status_code in (200, 204)
        await taking.take(work)
        assert await standing(taking.shelf_of(cast.server).files) == []
        assert (await asked(cast)).row_id != work.row_id


async def test_files_of_a_bucket_are_backed_up_into_a_directory(
    starting: Callable[..., Any], tmp_path: Path, object_storage: ObjectStorage
) -> None:
    place = {**object_storage.settings, "files": f"s3://{BUCKET}/{uuid4().hex}", "backups": str(tmp_path / "backups")}
    async with starting(data=tmp_path / "data", workers="none", **place) as cast:
        content = os.urandom(2_500_000)
        await cast.server.files.write("imports/a/upload", once(content))
        work = await asked(cast)
        await taking.take(work)
        shelf = taking.shelf_of(cast.server)
        record = await read(shelf.files, (await standing(shelf.files))[-1])
        assert [piece.size for piece in record.contents["files/imports/a/upload"].pieces] == [1 << 20, 1 << 20, 402_848]
        await shelf.fetch(record, tmp_path / "out")
        assert (tmp_path / "out" / "files" / "imports" / "a" / "upload").read_bytes() == content


async def test_what_a_killed_run_left_is_removed_by_the_next(at_work: Cast, tmp_path: Path) -> None:
    left = tmp_path / "data" / "backing-up-killed"
    left.mkdir(parents=True)
    (left / "3001.dat.gz").write_bytes(b"half")
    assert (await backed_up(at_work))["status"] == "done"
    assert not left.exists()


def test_late_is_what_is_older_than_the_last_time_but_one() -> None:
    late = before_last("17 2 * * *")
    assert timedelta(days=1) <= datetime.now(UTC) - late <= timedelta(days=2, seconds=5)
    assert (late.hour, late.minute) == (2, 17)
