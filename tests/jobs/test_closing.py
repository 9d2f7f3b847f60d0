"""Jobs that close by themselves after their last day, and pause when their organization is suspended."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime

import pytest

from guildhouse.jobs.closing import close_overdue
from guildhouse.jobs.job import today_everywhere
from guildhouse.jobs.pausing import pause_jobs
from guildhouse.kernel.tasks import Work
from tests.cast import Cast
from tests.jobs.openings import posted, tracked
from tests.organizations.scenes import Body, approved, heard, suspend

pytestmark = pytest.mark.anyio


async def state_of(cast: Cast, job: Body) -> str:
    status: str = await cast.server.database.pool.fetchval("SELECT status FROM jobs WHERE id = $1", job["id"])
    return status


async def becomes(test: Callable[[], Awaitable[bool]]) -> None:
    for _ in range(200):
        if await test():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it never came true")


async def test_jobs_past_their_last_day_are_closed_in_the_name_of_the_house(cast: Cast) -> None:
    organization = await approved(cast)
    over = await posted(cast, organization, closes_on="2026-01-31")
    paused = await posted(cast, organization, closes_on="2026-01-31")
    await cast.ada.made(f"/v1/jobs/{paused['id']}/pause", {})
    draft = await posted(cast, organization, closes_on="2026-01-31", status="draft")
    mine = await tracked(cast.cleo, closes_on="2026-01-31")
    running = await posted(cast, organization, closes_on="2999-01-31")
    endless = await posted(cast, organization)
    await close_overdue(Work(cast.server, None, "", 1))
    states = [await state_of(cast, job) for job in (over, paused, draft, mine, running, endless)]
    assert states == ["closed", "closed", "draft", "closed", "open", "open"]
    last = (await cast.ada.get(f"/v1/jobs/{over['id']}/history")).json()["data"][0]
    assert (last["event"], last["actor_id"]) == ("job.closed", None)


async def test_closing_goes_on_until_all_are_closed(cast: Cast) -> None:
    organization = await approved(cast)
    rows = [{"organization_id": organization["id"], "title": f"{n}", "status": "open", "closes_on": "2026-01-01"}
            for n in range(450)]  # fmt: skip
    await cast.ada.made("/v1/jobs:batch", {"ops": [{"op": "create", "data": row} for row in rows]})
    await asyncio.gather(*(close_overdue(Work(cast.server, None, "", 1)) for _ in range(2)))
    sql = "SELECT count(*) FROM changes WHERE verb = 'closed' AND row_id IN (SELECT id FROM jobs)"
    assert await cast.server.database.pool.fetchval(sql) == 450
    assert await cast.server.database.pool.fetchval("SELECT count(*) FROM jobs WHERE status <> 'closed'") == 0


@pytest.mark.parametrize(
    ("now", "today"),
    [("2026-05-02T11:59:00", date(2026, 5, 1)), ("2026-05-02T12:01:00", date(2026, 5, 2))],
)
async def test_a_day_ends_where_it_ends_last(now: str, today: date) -> None:
    assert today_everywhere(datetime.fromisoformat(now).replace(tzinfo=UTC)) == today


async def test_a_suspension_pauses_the_open_jobs_and_says_so(cast: Cast) -> None:
    organization = await approved(cast)
    open_job, closed = await posted(cast, organization), await posted(cast, organization)
    draft = await posted(cast, organization, status="draft")
    other = await posted(cast, await approved(cast, "Another"))
    await cast.ada.made(f"/v1/jobs/{closed['id']}/close", {})
    await suspend(cast, organization)

    async def is_paused() -> bool:
        return await state_of(cast, open_job) == "paused"

    await becomes(is_paused)
    assert [await state_of(cast, job) for job in (closed, draft, other)] == ["closed", "draft", "open"]
    last = (await cast.ada.get(f"/v1/jobs/{open_job['id']}/history")).json()["data"][0]
    assert (last["event"], last["actor_id"]) == ("job.paused", None)
    assert last["reason"] == "The organization was suspended or removed."
    cause = await cast.server.database.pool.fetchrow(
        "SELECT verb, resource FROM changes WHERE seq = ("
        "SELECT caused_by FROM changes WHERE verb = 'paused' AND row_id = $1)",
        open_job["id"],
    )
    assert cause and tuple(cause) == ("suspended", "organizations")
    refused = await cast.ada.post(f"/v1/jobs/{open_job['id']}/resume")
    assert (refused.status_code, refused.json()["code"]) == (409, "organization-not-approved")


async def test_a_removed_organization_has_no_open_jobs(cast: Cast) -> None:
    organization = await approved(cast)
    job = await posted(cast, organization)
    await cast.ada.delete(f"/v1/organizations/{organization['id']}")

    async def is_paused() -> bool:
        return await state_of(cast, job) == "paused"

    await becomes(is_paused)


async def test_who_is_reinstated_before_the_pause_keeps_its_jobs_open(cast: Cast) -> None:
    organization = await approved(cast)
    job = await posted(cast, organization)
    await pause_jobs(Work(cast.server, None, organization["id"], 1))
    assert await state_of(cast, job) == "open"


async def test_reinstating_leaves_the_jobs_to_the_recruiters(cast: Cast) -> None:
    organization = await approved(cast)
    job = await posted(cast, organization)
    await suspend(cast, organization)
    await pause_jobs(Work(cast.server, None, organization["id"], 1))
    await heard(cast, await cast.otto.post(f"/v1/organizations/{organization['id']}/reinstate"))
    assert await state_of(cast, job) == "paused"
    await cast.ada.made(f"/v1/jobs/{job['id']}/resume", {})
