"""The tracker: applications for jobs that were found elsewhere, which their person moves alone."""

from itertools import product

import pytest

from guildhouse.applications.progress import STAGES
from tests.applications.hiring_scenes import at
from tests.cast import Caller, Cast
from tests.jobs.openings import tracked
from tests.organizations.scenes import Body, ids, refusal

pytestmark = pytest.mark.anyio


async def entry(caller: Caller, **values: str) -> Body:
    job = await tracked(caller)
    return await caller.made("/v1/applications", {"job_id": job["id"], **values})


async def test_an_entry_starts_as_a_saved_job_that_nobody_else_sees(cast: Cast) -> None:
    saved = await entry(cast.cleo, private_note="Ask Uncle")
    assert (saved["stage"], saved["organization_id"], saved["organization_name"]) == ("draft", None, "The Coast")
    assert (saved["contact_email"], saved["private_note"]) == (None, "Ask Uncle")
    await cast.cleo.made(at(saved, "move"), {"stage": "interviewing"})
    for other in (cast.ada, cast.otto):
        assert (await other.get(at(saved))).status_code == 404
        assert ids(await other.get("/v1/applications")) == []


async def test_its_person_moves_it_anywhere(cast: Cast) -> None:
    saved = await entry(cast.cleo)
    stage = "draft"
    ends = {("hired", "rejected"), ("rejected", "hired"), ("rejected", "withdrawn"), ("withdrawn", "rejected"),
            ("withdrawn", "hired")}  # fmt: skip
    for before, after in product(STAGES.names(), STAGES.names()):
        if before == after or (before, after) in ends:
            continue
        if stage != before:
            await reach(cast.cleo, saved, stage, before)
        moved = await cast.cleo.made(at(saved, "move"), {"stage": after})
        assert moved["stage"] == stage_of(moved) == after
        stage = after


async def reach(caller: Caller, saved: Body, stage: str, wanted: str) -> None:
    for step in ([] if stage == "draft" else ["draft"]) + ([] if wanted == "draft" else [wanted]):
        await caller.made(at(saved, "move"), {"stage": step})


def stage_of(row: Body) -> str:
    decided = row["decided_at"] is not None
    assert decided == (row["stage"] in ("hired", "rejected", "withdrawn"))
    if row["stage"] == "draft":
        assert row["submitted_at"] is None
    elif row["stage"] != "withdrawn":
        assert row["submitted_at"] is not None
    stage: str = row["stage"]
    return stage


async def test_its_verbs_work_without_a_team(cast: Cast) -> None:
    saved = await entry(cast.cleo)
    await cast.cleo.made(at(saved, "submit"), {})
    rejected = await cast.cleo.made(at(saved, "reject"), {"reason": "no_answer"})
    assert rejected["rejection_reason"] == "no_answer"
    moved = await cast.cleo.made(at(saved, "move"), {"stage": "offered", "note": "They called after all"})
    assert moved["rejection_reason"] is None
    notes = (await cast.cleo.get("/v1/notes")).json()["data"]
    assert [(each["body"], each["audience"]) for each in notes] == [("They called after all", "private")]


async def test_a_closed_posting_can_still_be_tracked(cast: Cast) -> None:
    job = await tracked(cast.cleo)
    await cast.cleo.made(f"/v1/jobs/{job['id']}/close", {})
    saved = await cast.cleo.made("/v1/applications", {"job_id": job["id"], "stage": "submitted"})
    assert saved["stage"] == "submitted"


async def test_its_letter_stays_its_persons_to_change(cast: Cast) -> None:
    saved = await entry(cast.cleo, stage="submitted")
    changed = await cast.cleo.patch(at(saved), {"cover_letter": "As I sent it"})
    assert changed.json()["cover_letter"] == "As I sent it"


async def test_it_can_be_removed_in_any_stage(cast: Cast) -> None:
    saved = await entry(cast.cleo, stage="submitted")
    assert (await cast.cleo.delete(at(saved))).status_code == 204


async def test_it_has_no_own_stages(cast: Cast) -> None:
    saved = await entry(cast.cleo)
    organization = await cast.cleo.post("/v1/organizations", {"name": "Cleo's"})
    await cast.server.tail.wait_for(organization.headers["log-position"])
    body = {"organization_id": organization.json()["id"], "name": "Call", "outcome": "screening"}
    stage = await cast.cleo.made("/v1/stages", body)
    assert refusal(await cast.cleo.post(at(saved, "move"), {"stage_id": stage["id"]})) == (422, "invalid")


async def test_many_entries_come_in_one_batch(cast: Cast) -> None:
    jobs = {"ops": [{"op": "create", "data": {"title": f"Job {n}"}} for n in range(50)]}
    made = (await cast.cleo.made("/v1/jobs:batch", jobs))["results"]
    entries = {"ops": [{"op": "create", "data": {"job_id": each["id"], "excitement": 3}} for each in made]}
    assert (await cast.cleo.made("/v1/applications:batch", entries))["created"] == 50
    assert (await cast.cleo.made("/v1/applications:batch", entries))["failed"] == 50
