"""A load is tried: every line is judged as it would be, one after the other, and nothing of it is kept."""

from typing import Any

import pytest

from guildhouse.kernel.operating import working
from guildhouse.kernel.operating.chunks import CHUNK_LINES, read_chunk
from tests.cast import Cast
from tests.jobs.openings import tracked
from tests.kernel.uploads import caused, done, now, reminders, report, stored, upload
from tests.organizations.scenes import approved

pytestmark = pytest.mark.anyio
PATH = "/v1/reminders:batch"
DRY = {"prefer": "tx=rollback"}


async def count(cast: Cast, table: str = "reminders") -> int:
    return int(await cast.server.database.pool.fetchval(f"SELECT count(*) FROM {table}"))


async def test_every_line_is_judged_and_nothing_is_written(idle: Cast) -> None:
    mine = await tracked(idle.ada)
    lines = [
        {"op": "create", "data": {"title": "New"}}, {"op": "create", "data": {"title": ""}},
        {"op": "change", "id": mine["id"], "data": {"title": "Other"}}, {"op": "remove", "id": mine["id"]},
        {"op": "change", "id": mine["id"], "data": {"title": "Removed above"}},
    ]  # fmt: skip
    answer = await upload(idle.ada, "/v1/jobs:batch", lines, **DRY)
    assert (answer.status_code, answer.headers["preference-applied"]) == (202, "tx=rollback")
    before = await idle.server.database.pool.fetchval("SELECT count(*) FROM changes WHERE resource = 'jobs'")
    after = await done(idle, idle.ada, answer.json())
    assert [after[n] for n in ("status", "dry_run", "created", "changed", "removed", "failed")] == [
        "done", True, 1, 1, 1, 2,
    ]  # fmt: skip
    assert (after["written"], after["remaining"]) == (0, 0)
    told = await report(idle.ada, after)
    assert [each["status"] for each in told] == ["created", "failed", "changed", "removed", "failed"]
    assert "id" not in told[0], "a row that is not kept has no id"
    assert (await idle.ada.get(f"/v1/jobs/{mine['id']}")).json() == mine
    assert await idle.server.database.pool.fetchval("SELECT count(*) FROM changes WHERE resource = 'jobs'") == before


async def test_later_chunks_meet_what_earlier_ones_would_have_made(idle: Cast) -> None:
    key = {"organization_id": (await approved(idle))["id"], "source": "ats", "external_id": "1"}
    rows = [{**key, "title": "Job"}, *[{**key, "title": "Job", "external_id": f"x{n}"} for n in range(CHUNK_LINES)]]
    operation = await stored(idle.ada, "/v1/jobs:batch", [*rows, {**key, "title": "Again"}], **DRY)
    after = await done(idle, idle.ada, operation)
    assert [after[name] for name in ("created", "changed", "unchanged")] == [CHUNK_LINES + 1, 1, 0]
    assert await count(idle, "jobs") == 0


async def test_an_atomic_dry_run_fails_where_the_load_would(idle: Cast) -> None:
    lines = [*reminders(2), {"op": "create", "data": {}}]
    after = await done(idle, idle.ada, await stored(idle.ada, f"{PATH}?mode=atomic", lines, **DRY))
    assert (after["status"], after["problem"]["code"]) == ("failed", "batch-refused")
    assert [each["status"] for each in await report(idle.ada, after)] == ["created", "created", "failed"]


async def test_max_affected_counts_in_a_dry_run_too(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(CHUNK_LINES + 2), prefer="tx=rollback, max-affected=1001")
    after = await done(idle, idle.ada, operation)
    assert (after["status"], after["problem"]["code"], await count(idle)) == ("failed", "too-many-affected", 0)


async def test_max_affected_counts_over_all_chunks_of_an_atomic_load(idle: Cast) -> None:
    lines = reminders(CHUNK_LINES + 2)
    operation = await stored(idle.ada, f"{PATH}?mode=atomic", lines, prefer=f"max-affected={CHUNK_LINES + 1}")
    after = await done(idle, idle.ada, operation)
    assert (after["status"], after["problem"]["code"], await count(idle)) == ("failed", "too-many-affected", 0)


async def test_a_dry_run_that_was_cut_off_begins_anew_and_counts_nothing_twice(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(CHUNK_LINES + 1), **DRY)
    work = await caused(idle, operation)
    running = await working.started(work)
    assert running
    lines = await read_chunk(idle.server, running.id, 0)
    actor = await idle.server.actor_of(running.person_id, running.narrowed)
    await working.note_rehearsed(work, running, actor, 0, lines, [working.Outcome("created")] * CHUNK_LINES)
    after = await done(idle, idle.ada, operation)
    assert [after[name] for name in ("status", "created", "remaining")] == ["done", CHUNK_LINES + 1, 0]


async def test_a_dry_run_can_be_cancelled_between_its_chunks(idle: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = await stored(idle.ada, PATH, reminders(CHUNK_LINES + 1), **DRY)
    note = working.note_rehearsed

    async def noted(*given: Any) -> Any:
        row = await note(*given)
        await idle.ada.made(f"/v1/operations/{operation['id']}/cancel", {})
        return row

    monkeypatch.setattr(working, "note_rehearsed", noted)
    after = await done(idle, idle.ada, operation)
    assert [after[name] for name in ("status", "created", "remaining")] == ["cancelled", CHUNK_LINES, 1]
    assert await count(idle) == 0


async def test_a_key_is_not_spent_on_a_dry_run(idle: Cast) -> None:
    tried = await stored(idle.ada, PATH, reminders(1), idempotency_key="k", **DRY)
    real = await stored(idle.ada, PATH, reminders(1), idempotency_key="k")
    assert (tried["dry_run"], real["dry_run"], tried["id"] != real["id"]) == (True, False, True)
    await done(idle, idle.ada, real)
    again = await upload(idle.ada, PATH, reminders(1), idempotency_key="k")
    assert (again.json()["id"], again.headers["idempotent-replayed"]) == (real["id"], "true")
    await done(idle, idle.ada, real)
    assert await count(idle) == 1


async def test_a_chunk_that_two_runs_take_is_written_once(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(3))
    work = await caused(idle, operation)
    running = await working.started(work)
    assert running
    actor = await idle.server.actor_of(running.person_id, running.narrowed)
    lines = await read_chunk(idle.server, running.id, 0)
    for _ in range(2):
        await working.run_chunk(work, running, actor, 0, lines)
    assert ((await now(idle.ada, operation))["created"], await count(idle)) == (3, 3)


async def test_an_atomic_load_that_two_runs_take_is_written_once(idle: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = await stored(idle.ada, f"{PATH}?mode=atomic", reminders(3))
    work = await caused(idle, operation)
    running = await working.started(work)
    assert running
    actor = await idle.server.actor_of(running.person_id, running.narrowed)

    async def not_yet(*_: object) -> None:
        """The first run is held up between its commit and its last word."""

    with monkeypatch.context() as patch:
        patch.setattr(working, "finish", not_yet)
        await working.run_atomic(work, running, actor)
    await idle.server.database.pool.execute(
        "UPDATE operation_chunks SET report = NULL"
    )  # as the second run had seen it
    with pytest.raises(working.CancelledMeanwhile):
        await working.run_atomic(work, running, actor)
    assert await count(idle) == 3


async def test_a_report_is_asked_for_by_statuses_that_exist(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(1))
    answer = await idle.ada.get(f"/v1/operations/{operation['id']}/report?status=lost")
    assert (answer.status_code, answer.json()["code"]) == (400, "wrong-report-status")


async def test_a_json_batch_that_is_not_waited_for_is_an_operation(idle: Cast) -> None:
    body = {"mode": "atomic", "ops": reminders(2)}
    answer = await idle.ada.post(PATH, body, prefer="respond-async")
    assert (answer.status_code, answer.headers["location"]) == (202, f"/v1/operations/{answer.json()['id']}")
    after = await done(idle, idle.ada, answer.json())
    assert [after[name] for name in ("status", "mode", "created")] == ["done", "atomic", 2]
