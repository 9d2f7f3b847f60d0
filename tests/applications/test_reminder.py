"""Reminders: one's own, and due once."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from guildhouse.applications.reminder import remind
from guildhouse.kernel.tasks import Work
from tests.applications.hiring_scenes import opening
from tests.cast import Caller, Cast
from tests.organizations.scenes import Body, Wrote, ids, refusal

pytestmark = pytest.mark.anyio


async def reminder(caller: Caller, minutes: float, **values: str) -> Body:
    due = (datetime.now(UTC) + timedelta(minutes=minutes)).isoformat()
    return await caller.made("/v1/reminders", {"text": "Ask how it goes", "due_at": due, **values})


async def tick(cast: Cast) -> None:
    await remind(Work(cast.server, None, "", 1))


async def test_a_reminder_is_its_persons_own(cast: Cast) -> None:
    made = await reminder(cast.cleo, 5)
    assert made["person_id"] == cast.cleo.id
    for other in (cast.ada, cast.otto):
        assert ids(await other.get("/v1/reminders")) == []
        assert (await other.get(f"/v1/reminders/{made['id']}")).status_code == 404
        assert (await other.post(f"/v1/reminders/{made['id']}/complete")).status_code == 404


async def test_a_reminder_is_of_an_application_that_one_sees(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    made = await reminder(cast.ben, 5, application_id=application["id"])
    read = (await cast.ben.get(f"/v1/reminders/{made['id']}?expand=application")).json()
    assert read["application"]["job_title"] == "Engine programmer"
    body = {"text": "x", "due_at": "2027-01-01T00:00:00Z", "application_id": application["id"]}
    assert refusal(await cast.cleo.post("/v1/reminders", body)) == (404, "not-found")


async def test_what_is_due_is_told_once(cast: Cast, wrote: Wrote) -> None:
    due, later = await reminder(cast.cleo, -1), await reminder(cast.cleo, 60)
    done = await reminder(cast.cleo, -1)
    await cast.cleo.made(f"/v1/reminders/{done['id']}/complete", {})
    await asyncio.gather(tick(cast), tick(cast))
    await tick(cast)
    rows = {row["id"]: row for row in (await cast.cleo.get("/v1/reminders")).json()["data"]}
    assert rows[due["id"]]["notified_at"] is not None
    assert rows[later["id"]]["notified_at"] is None
    assert rows[done["id"]]["notified_at"] is None
    await wrote(
        "reminder.created", "reminder.created", "reminder.created", "reminder.completed", "reminder.fell_due"
    )  # fmt: skip


async def test_another_time_makes_it_fall_due_again(cast: Cast) -> None:
    made = await reminder(cast.cleo, -1)
    await tick(cast)
    changed = await cast.cleo.patch(f"/v1/reminders/{made['id']}", {"text": "Ask again"})
    assert changed.json()["notified_at"] is not None
    past = (datetime.now(UTC) - timedelta(seconds=30)).isoformat()
    changed = await cast.cleo.patch(f"/v1/reminders/{made['id']}", {"due_at": past})
    assert changed.json()["notified_at"] is None
    await tick(cast)
    assert (await cast.cleo.get(f"/v1/reminders/{made['id']}")).json()["notified_at"] is not None


async def test_done_and_not_done_after_all(cast: Cast) -> None:
    made = await reminder(cast.cleo, 5)
    address = f"/v1/reminders/{made['id']}"
    done = await cast.cleo.made(f"{address}/complete", {})
    assert done["done_at"] is not None
    assert (await cast.cleo.made(f"{address}/complete", {}))["version"] == done["version"]
    assert ids(await cast.cleo.get("/v1/reminders?done_at[isnull]=true")) == []
    assert (await cast.cleo.made(f"{address}/reopen", {}))["done_at"] is None
