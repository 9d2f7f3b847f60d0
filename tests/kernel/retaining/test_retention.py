"""What leaves by itself, and when."""

import os
import time
from dataclasses import replace
from typing import Any

import pytest

from guildhouse.kernel.errors import Denied
from guildhouse.kernel.files import Directory
from guildhouse.kernel.retaining import retention
from guildhouse.kernel.tasks import Work
from tests.cast import Cast
from tests.jobs.openings import tracked
from tests.kernel.uploads import done, reminders, report, stored
from tests.organizations.scenes import Body

pytestmark = pytest.mark.anyio


def work(cast: Cast) -> Work:
    return Work(cast.server, None, "", 1)


async def in_trash(cast: Cast, days: float) -> Body:
    """A reminder of Ada's that was removed so many days ago."""
    row = await cast.ada.made("/v1/reminders", reminders(1)[0]["data"])
    await cast.ada.delete(f"/v1/reminders/{row['id']}")
    await age(cast, "reminders", row, days)
    return row


async def age(cast: Cast, table: str, row: Body, days: float) -> None:
    """Make it as if a row had been removed earlier."""
    sql = f"UPDATE {table} SET deleted_at = now() - make_interval(secs => $2) WHERE id = $1"
    await cast.server.database.pool.execute(sql, row["id"], days * 86400)


async def left(cast: Cast, table: str) -> list[str]:
    return [record["id"] for record in await cast.server.database.pool.fetch(f"SELECT id FROM {table} ORDER BY id")]


async def test_the_trash_is_emptied_after_its_days_and_not_before(idle: Cast) -> None:
    old, young = await in_trash(idle, 30.01), await in_trash(idle, 29.99)
    live = await idle.ada.made("/v1/reminders", reminders(1)[0]["data"])
    await retention.purge_trash(work(idle))
    assert await left(idle, "reminders") == sorted([young["id"], live["id"]])
    verbs = await idle.server.database.pool.fetch(
        "SELECT verb, actor FROM changes WHERE row_id = $1 ORDER BY seq DESC", old["id"]
    )
    assert tuple(verbs[0]) == ("purged", None)


async def test_what_others_lead_to_stays_and_holds_up_nothing_behind_it(
    idle: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "AT_A_TIME", 2)
    held = [await tracked(idle.ada, title=f"Held {n}") for n in range(3)]
    pool = idle.server.database.pool
    await pool.execute("CREATE TABLE pins (job_id uuid REFERENCES jobs)")
    await pool.executemany("INSERT INTO pins VALUES ($1)", [(job["id"],) for job in held])
    free = [await tracked(idle.ada, title=f"Free {n}") for n in range(3)]
    for days, job in zip(range(60, 50, -1), [*held, *free], strict=False):
        await pool.execute("UPDATE jobs SET deleted_at = now() WHERE id = $1", job["id"])
        await age(idle, "jobs", job, days)
    await retention.purge_trash(work(idle))
    assert await left(idle, "jobs") == sorted(job["id"] for job in held)
    await pool.execute("DELETE FROM pins")
    await retention.purge_trash(work(idle))
    assert await left(idle, "jobs") == []


async def test_answers_are_forgotten_after_a_day(idle: Cast) -> None:
    body = reminders(1)[0]["data"]
    for key, hours in (("old", 24.01), ("young", 23.99)):
        await idle.ada.made("/v1/reminders", body, idempotency_key=key)
        await idle.server.database.pool.execute(
            "UPDATE idempotency_keys SET created_at = now() - make_interval(secs => $2) WHERE key = $1",
            key,
            hours * 3600,
        )
    await retention.forget_answers(work(idle))
    records = await idle.server.database.pool.fetch("SELECT key FROM idempotency_keys")
    assert [record["key"] for record in records] == ["young"]


async def test_lines_and_reports_of_old_operations_go_and_the_operation_stays(idle: Cast) -> None:
    old, young = [await stored(idle.ada, "/v1/reminders:batch", reminders(1)) for _ in range(2)]
    for operation, days in ((old, 31), (young, 29)):
        await done(idle, idle.ada, operation)
        await idle.server.database.pool.execute(
            "UPDATE operations SET finished_at = now() - make_interval(days => $2) WHERE id = $1", operation["id"], days
        )
    await retention.forget_answers(work(idle))
    assert await report(idle.ada, old) == []
    assert len(await report(idle.ada, young)) == 1
    assert (await idle.ada.get(f"/v1/operations/{old['id']}")).json()["created"] == 1


async def test_rows_leave_for_the_trash_after_the_days_of_their_noun(idle: Cast) -> None:
    old, young, unfinished = [await stored(idle.ada, "/v1/reminders:batch", reminders(1)) for _ in range(3)]
    for operation, days in ((old, 366), (young, 364)):
        await done(idle, idle.ada, operation)
        await idle.server.database.pool.execute(
            "UPDATE operations SET finished_at = now() - make_interval(days => $2) WHERE id = $1", operation["id"], days
        )
    await idle.server.database.pool.execute(
        "UPDATE operations SET created_at = now() - interval '9 years' WHERE id = $1", unfinished["id"]
    )
    await retention.remove_old(work(idle))
    listed = [row["id"] for row in (await idle.ada.get("/v1/operations")).json()["data"]]
    assert sorted(listed) == sorted([young["id"], unfinished["id"]])
    assert await left(idle, "operations") == sorted([old["id"], young["id"], unfinished["id"]]), "it can be restored"
    verb = "SELECT verb FROM changes WHERE row_id = $1 ORDER BY seq DESC LIMIT 1"
    assert await idle.server.database.pool.fetchval(verb, old["id"]) == "removed"
    await age(idle, "operations", old, 31)
    await retention.purge_trash(work(idle))
    assert await left(idle, "operations") == sorted([young["id"], unfinished["id"]])


async def test_what_a_rule_keeps_from_the_trash_holds_up_nothing_behind_it(
    idle: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [await idle.ada.made("/v1/reminders", each["data"]) for each in reminders(3)]
    await idle.server.database.pool.execute("UPDATE reminders SET created_at = now() - interval '2 days'")
    resource = idle.server.house.resources["reminders"]

    def one_stays(_ctx: Any, before: Any, _after: Any) -> None:
        if before is not None and before.id == rows[0]["id"]:
            raise Denied

    monkeypatch.setattr(retention, "AT_A_TIME", 1)
    kept = replace(resource, keep=replace(resource.keep, total_days=1), rules=(one_stays,))
    last: str | None = retention.NIL
    while last is not None:
        last = await retention.remove_some(work(idle), kept, last)
    assert [row["id"] for row in (await idle.ada.get("/v1/reminders")).json()["data"]] == [rows[0]["id"]]


async def test_half_a_file_of_a_killed_server_is_removed_some_hours_later(cast: Cast) -> None:
    files = cast.server.files
    assert isinstance(files, Directory)
    whole, old, young = [files.root / "exports" / each for each in ("000000", ".0123456789abcdef", ".fedcba9876543210")]
    whole.parent.mkdir(parents=True, exist_ok=True)
    for path in (whole, old, young):
        path.write_bytes(b"half")
    for path in (whole, old):
        os.utime(path, (time.time() - 86_400,) * 2)
    await retention.tidy_files(work(cast))
    assert [path.exists() for path in (whole, old, young)] == [True, False, True]
    for path in (whole, young):
        path.unlink()
