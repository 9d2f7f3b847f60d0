"""Loads too large for one answer: stored at once, worked off chunk by chunk, each line written once or reported."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from guildhouse.kernel.operating import working
from guildhouse.kernel.operating.chunks import CHUNK_LINES, read_chunk
from guildhouse.kernel.operating.working import CancelledMeanwhile, run_operation
from guildhouse.kernel.tasks import Work
from tests.cast import Cast
from tests.jobs.test_job_batch import feed
from tests.kernel.uploads import done, in_pieces, ndjson, now, reminders, report, stored, texts, upload, work_of
from tests.organizations.scenes import approved, refusal

pytestmark = pytest.mark.anyio
PATH = "/v1/reminders:batch"
NDJSON = {"content-type": "application/x-ndjson"}


@pytest.fixture
async def idle(starting: Any) -> AsyncIterator[Cast]:
    """A server whose tasks wait to be run by hand."""
    async with starting(workers="none", max_upload=400_000, max_body=20_000) as cast:
        yield cast


async def run_chunk(work: Work, operation: Any, actor: Any, number: int) -> None:
    lines = await read_chunk(work.server, operation.id, number)
    await working.run_chunk(work, operation, actor, number, lines)


async def count(cast: Cast) -> int:
    return int(await cast.server.database.pool.fetchval("SELECT count(*) FROM reminders"))


async def test_a_load_is_stored_watched_and_reported_line_by_line(idle: Cast) -> None:
    lines = [*reminders(2), {"op": "create", "data": {"text": ""}}, *reminders(1, start=2)]
    operation = await stored(idle.ada, PATH, lines)
    assert [operation[name] for name in ("status", "total", "created", "mode")] == ["queued", 4, 0, "each"]
    assert await report(idle.ada, operation) == []
    after = await done(idle, idle.ada, operation)
    assert [after[name] for name in ("status", "total", "created", "failed")] == ["done", 4, 3, 1]
    assert after["started_at"] <= after["finished_at"]
    reported = await report(idle.ada, operation)
    assert [(each["line"], each["status"]) for each in reported] == [
        (1, "created"), (2, "created"), (3, "failed"), (4, "created"),
    ]  # fmt: skip
    assert [each["line"] for each in await report(idle.ada, operation, "?status=failed")] == [3]
    assert await texts(idle.ada) == ["Call 0", "Call 1", "Call 2"]


async def test_broken_lines_fail_alone_and_blank_ones_are_none(idle: Cast) -> None:
    good = ndjson(reminders(1))
    broken = [b"{", b"[1]", b'"text"', b"\xff", b'{"op":"fly"}', b'{"op":"create","data":{"text":"\\u0000"}}', b"nul\0"]
    body = b"\n \n" + good + b"\r\n" + b"\n".join(broken) + b"\n\n" + good.rstrip(b"\n").replace(b",", b",\r", 1)
    after = await done(idle, idle.ada, operation := await stored(idle.ada, PATH, body))
    assert [after[name] for name in ("total", "created", "failed")] == [9, 2, 7]
    failed = await report(idle.ada, operation, "?status=failed")
    assert [each["line"] for each in failed] == [5, 6, 7, 8, 9, 10, 11], "blank lines are counted as an editor does"
    codes = [each["problem"]["code"] for each in failed]
    assert codes == ["wrong-json", "invalid", "invalid", "wrong-json", "invalid", "wrong-json", "wrong-json"]


async def test_whole_chunks_of_blank_lines_are_counted_and_not_kept(idle: Cast) -> None:
    good = ndjson(reminders(1))
    operation = await stored(idle.ada, PATH, b"\r\n" * (3 * CHUNK_LINES + 4) + good + b"\n" * CHUNK_LINES + good)
    kept = await idle.server.database.pool.fetch("SELECT number FROM operation_chunks ORDER BY number")
    assert ([record["number"] for record in kept], operation["total"]) == ([3, 4], 2)
    await done(idle, idle.ada, operation)
    assert [each["line"] for each in await report(idle.ada, operation)] == [3 * CHUNK_LINES + 5, 4 * CHUNK_LINES + 6]


async def test_a_line_that_failed_repeats_the_key_that_it_named(idle: Cast) -> None:
    organization = await approved(idle)
    key = {"organization_id": organization["id"], "source": "ats", "external_id": "7" * 300}
    lines = [
        {**key, "title": "Job"},
        {**key, "external_id": {"a": 1}},
        {**key, "external_id": 7, "organization_id": None},
    ]
    await done(idle, idle.ada, operation := await stored(idle.ada, "/v1/jobs:batch", lines))
    assert [each["key"] for each in await report(idle.ada, operation)] == [
        {**key, "external_id": "7" * 200}, {"organization_id": organization["id"], "source": "ats"},
        {"source": "ats", "external_id": "7"},
    ]  # fmt: skip


async def test_a_line_may_come_in_any_pieces(idle: Cast) -> None:
    body = ndjson(reminders(3))
    pieces = in_pieces(*(body[n : n + 7] for n in range(0, len(body), 7)))
    response = await idle.ada.client.post(PATH, content=pieces, headers=NDJSON)
    after = await done(idle, idle.ada, response.json())
    assert (after["total"], after["created"]) == (3, 3)


async def test_bare_data_is_an_upsert_and_a_second_load_changes_nothing(idle: Cast) -> None:
    rows = feed(await approved(idle), CHUNK_LINES + 50)
    for verdict in ("created", "unchanged"):
        after = await done(idle, idle.ada, await stored(idle.ada, "/v1/jobs:batch", rows))
        assert (after["status"], after[verdict]) == ("done", CHUNK_LINES + 50)
    assert await idle.server.database.pool.fetchval("SELECT max(version) FROM jobs") == 1


async def test_an_atomic_load_with_a_fault_writes_nothing_and_reports_the_lines(idle: Cast) -> None:
    lines = [*reminders(CHUNK_LINES + 1), {"op": "create", "data": {}}]
    operation = await stored(idle.ada, f"{PATH}?mode=atomic", lines)
    after = await done(idle, idle.ada, operation)
    assert [after[name] for name in ("status", "created", "failed")] == ["failed", 0, 1]
    assert after["problem"]["code"] == "batch-refused"
    *others, last = await report(idle.ada, operation)
    assert (last["line"], last["status"]) == (CHUNK_LINES + 2, "failed")
    assert others == [{"line": n, "status": "not-written"} for n in range(1, CHUNK_LINES + 2)]
    assert await count(idle) == 0


async def test_an_atomic_load_without_a_fault_is_written_whole(idle: Cast) -> None:
    operation = await stored(idle.ada, f"{PATH}?mode=atomic", reminders(CHUNK_LINES + 1))
    after = await done(idle, idle.ada, operation)
    assert (after["status"], after["created"], await count(idle)) == ("done", CHUNK_LINES + 1, CHUNK_LINES + 1)


async def test_a_cancelled_load_stops_and_keeps_what_it_wrote(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(CHUNK_LINES + 5))
    work = work_of(idle, operation)
    running = await working.started(work)
    assert running
    actor = await idle.server.actor_of(running.person_id, running.narrowed)
    await run_chunk(work, running, actor, 0)
    cancelled = await idle.ada.made(f"/v1/operations/{operation['id']}/cancel", {})
    assert [cancelled[name] for name in ("status", "created", "total")] == ["cancelled", CHUNK_LINES, CHUNK_LINES + 5]
    with pytest.raises(CancelledMeanwhile):
        await run_chunk(work, running, actor, 1)
    after = await done(idle, idle.ada, operation)
    assert (after, await count(idle)) == (cancelled, CHUNK_LINES)
    assert [cancelled[name] for name in ("written", "remaining")] == [CHUNK_LINES, 5]
    assert len(await report(idle.ada, operation, "?status=created")) == CHUNK_LINES
    rest = await report(idle.ada, operation, "?status=not-written")
    assert [each["line"] for each in rest] == list(range(CHUNK_LINES + 1, CHUNK_LINES + 6))
    assert refusal(await idle.ada.post(f"/v1/operations/{operation['id']}/cancel")) == (403, "denied")


async def test_an_atomic_load_cancelled_while_it_runs_writes_nothing(idle: Cast) -> None:
    operation = await stored(idle.ada, f"{PATH}?mode=atomic", reminders(3))
    work = work_of(idle, operation)
    running = await working.started(work)
    assert running
    await idle.ada.made(f"/v1/operations/{operation['id']}/cancel", {})
    with pytest.raises(CancelledMeanwhile):
        await working.run_atomic(work, running, await idle.server.actor_of(running.person_id, running.narrowed))
    assert ((await now(idle.ada, operation))["status"], await count(idle)) == ("cancelled", 0)


async def test_a_worker_that_dies_between_chunks_is_taken_over_without_loss_or_doubles(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(2 * CHUNK_LINES + 1))
    work = work_of(idle, operation)
    running = await working.started(work)
    assert running
    await run_chunk(work, running, await idle.server.actor_of(running.person_id, running.narrowed), 0)
    for _ in range(2):  # the second run finds it done
        after = await done(idle, idle.ada, operation)
        assert (after["status"], after["created"], after["failed"]) == ("done", 2 * CHUNK_LINES + 1, 0)
    found = await idle.server.database.pool.fetchval("SELECT count(DISTINCT text) FROM reminders")
    assert (found, await count(idle)) == (2 * CHUNK_LINES + 1,) * 2
    assert [each["line"] for each in await report(idle.ada, operation)] == list(range(1, 2 * CHUNK_LINES + 2))


async def test_a_chunk_and_its_report_are_one_transaction(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(1))
    work = work_of(idle, operation)
    running = await working.started(work)
    assert running
    actor = await idle.server.actor_of(running.person_id, running.narrowed)
    await idle.server.database.pool.execute("ALTER TABLE operation_chunks ADD CHECK (report IS NULL)")
    with pytest.raises(Exception, match="check constraint"):
        await run_chunk(work, running, actor, 0)
    assert (await count(idle), (await now(idle.ada, operation))["created"]) == (0, 0)


async def test_what_is_refused_for_good_ends_the_operation_at_once(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(3), prefer="max-affected=2")
    after = await done(idle, idle.ada, operation)
    assert (after["status"], after["problem"]["code"], await count(idle)) == ("failed", "too-many-affected", 0)


async def test_the_rows_affected_are_counted_over_all_chunks(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(CHUNK_LINES + 2), prefer=f"max-affected={CHUNK_LINES + 1}")
    after = await done(idle, idle.ada, operation)
    assert (after["status"], after["created"]) == ("failed", CHUNK_LINES)


async def test_a_stored_report_holds_no_secrets(idle: Cast) -> None:
    operation = await stored(idle.ada, "/v1/api-keys:batch", [{"op": "create", "data": {"name": "import"}}])
    after = await done(idle, idle.ada, operation)
    assert (after["status"], after["problem"]["code"]) == ("failed", "shown-once")
    assert (await idle.ada.get("/v1/api-keys")).json()["data"] == []


async def test_a_person_who_was_suspended_meanwhile_writes_nothing(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(1))
    await idle.otto.made(f"/v1/people/{idle.ada.id}/suspend", {})
    await run_operation(work_of(idle, operation))
    status = await idle.server.database.pool.fetchval("SELECT status FROM operations WHERE id = $1", operation["id"])
    assert (status, await count(idle)) == ("failed", 0)


async def test_a_load_may_do_no_more_than_the_key_that_sent_it(idle: Cast) -> None:
    organization = await approved(idle)
    job = await idle.ada.made("/v1/jobs", {"organization_id": organization["id"], "title": "T", "status": "open"})
    lines = [{"op": "remove", "id": job["id"]}]
    for permissions, verdict in (["jobs.write"], "failed"), (["jobs.write", "jobs.moderate"], "removed"):
        key = (await idle.otto.made("/v1/api-keys", {"name": "k", "permissions": permissions}))["key"]
        operation = await stored(idle.nobody, "/v1/jobs:batch", lines, authorization=f"Bearer {key}")
        assert (await done(idle, idle.otto, operation))[verdict] == 1


async def test_the_same_upload_again_is_the_same_operation(idle: Cast) -> None:
    first = await upload(idle.ada, PATH, reminders(2), idempotency_key="load-1")
    again = await upload(idle.ada, PATH, reminders(2), idempotency_key="load-1")
    assert again.json() == first.json()
    assert again.headers["idempotent-replayed"] == "true"
    other = await upload(idle.ada, PATH, reminders(3), idempotency_key="load-1")
    assert refusal(other) == (422, "idempotency-key-reused")
    assert len((await idle.ada.get("/v1/operations")).json()["data"]) == 1


async def test_what_is_too_large_or_in_a_wrong_mode_is_not_stored(idle: Cast) -> None:
    large = await upload(idle.ada, PATH, ndjson(reminders(1)) * 6000)
    assert refusal(large) == (413, "too-large")
    pieces = in_pieces(*[ndjson(reminders(100))] * 60)
    undeclared = await idle.ada.client.post(PATH, content=pieces, headers=NDJSON)
    assert refusal(undeclared) == (413, "too-large")
    endless = await upload(idle.ada, PATH, b"x" * 30_000)
    assert refusal(endless) == (413, "too-large")
    assert refusal(await upload(idle.ada, f"{PATH}?mode=maybe", reminders(1))) == (400, "wrong-batch-mode")
    csv = await idle.ada.client.post(PATH, content=b"a,b", headers={"content-type": "text/csv"})
    assert refusal(csv) == (415, "unsupported-media-type")
    assert (await idle.ada.get("/v1/operations")).json()["data"] == []


async def test_an_empty_upload_is_done_at_once(idle: Cast) -> None:
    after = await done(idle, idle.ada, await stored(idle.ada, PATH, b"\n\n"))
    assert (after["status"], after["total"]) == ("done", 0)


async def test_a_load_writes_the_log_that_single_writes_would(idle: Cast) -> None:
    line = reminders(1)[0]
    await idle.ada.made("/v1/reminders", line["data"])
    await done(idle, idle.ada, await stored(idle.ada, PATH, [line]))
    records = await idle.server.database.pool.fetch(
        "SELECT actor, verb, version, after - 'created_at' AS after, scopes_after FROM changes "
        "WHERE resource = 'reminders' ORDER BY seq"
    )
    assert len(records) == 2
    assert tuple(records[0]) == tuple(records[1])
