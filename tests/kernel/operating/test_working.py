"""The task of operations: what it says when it cannot go on, and what is known of lines that it did not come to."""

from typing import Any

import pytest

from guildhouse.kernel.errors import Unavailable
from guildhouse.kernel.operating import selecting, working
from guildhouse.kernel.operating.chunks import CHUNK_LINES, chunks_of, count_lines, lines_of
from tests.cast import Cast
from tests.jobs.openings import tracked
from tests.kernel.uploads import caused, done, now, reminders, report, stored, upload, worked
from tests.organizations.scenes import refusal

pytestmark = pytest.mark.anyio
PATH = "/v1/reminders:batch"


async def test_a_task_that_is_given_up_before_it_began_leaves_no_operation_waiting(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(2))
    await working.give_up(await caused(idle, operation), ConnectionError("the network is gone"))
    after = await now(idle.ada, operation)
    assert [after[name] for name in ("status", "written", "remaining")] == ["failed", 0, 2]
    assert (after["problem"]["code"], after["problem"]["retryable"]) == ("unavailable", True)
    assert (await done(idle, idle.ada, operation))["status"] == "failed", "it is over"
    assert [each["status"] for each in await report(idle.ada, operation)] == ["not-written"] * 2


async def test_what_may_succeed_later_is_tried_again(idle: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    operation = await stored(idle.ada, PATH, reminders(1))

    async def busy(*_: object) -> Any:
        raise Unavailable(why="the database is restarting")

    with monkeypatch.context() as patch, pytest.raises(Unavailable):
        patch.setitem(working.KINDS, "batch", busy)  # type: ignore[arg-type]
        await working.run_operation(await caused(idle, operation))
    assert (await now(idle.ada, operation))["status"] == "running"
    assert (await done(idle, idle.ada, operation))["created"] == 1


async def test_a_load_that_ends_at_its_limit_says_which_lines_were_not_written(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(CHUNK_LINES + 2), prefer=f"max-affected={CHUNK_LINES}")
    after = await done(idle, idle.ada, operation)
    assert [after[name] for name in ("status", "written", "remaining")] == ["failed", CHUNK_LINES, 2]
    rest = await report(idle.ada, operation, "?status=not-written")
    assert [each["line"] for each in rest] == [CHUNK_LINES + 1, CHUNK_LINES + 2]


async def test_while_it_works_the_report_has_the_lines_that_are_done(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(CHUNK_LINES + 1))
    work = await caused(idle, operation)
    running = await working.started(work)
    assert running
    actor = await idle.server.actor_of(running.person_id, running.narrowed)
    await working.run_chunk(work, running, actor, 0, await working.read_chunk(idle.server, running.id, 0))
    assert len(await report(idle.ada, operation)) == CHUNK_LINES
    assert (await now(idle.ada, operation))["remaining"] == 1


async def test_a_selection_that_is_cancelled_keeps_what_it_did(idle: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        await tracked(idle.ada, title=f"Job {n}")
    monkeypatch.setattr(selecting, "CHUNK_LINES", 2)
    body = {"filter": {}, "op": "close"}
    operation = (await idle.ada.post("/v1/jobs:batch", body)).json()
    work = await caused(idle, operation)
    running = await working.started(work)
    assert running
    actor = await idle.server.actor_of(running.person_id, running.narrowed)
    await working.run_chunk(work, running, actor, 0, await working.read_chunk(idle.server, running.id, 0))
    await idle.ada.made(f"/v1/operations/{operation['id']}/cancel", {})
    after = await done(idle, idle.ada, operation)
    assert [after[name] for name in ("status", "changed", "remaining")] == ["cancelled", 2, 1]
    closed = (await idle.ada.get("/v1/jobs?status=closed")).json()["data"]
    assert sorted(row["id"] for row in closed) == sorted(
        each["id"] for each in await report(idle.ada, operation, "?status=changed")
    )


async def test_an_operation_of_before_the_role_was_taken_writes_nothing(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(1))
    await idle.otto.made(f"/v1/people/{idle.ada.id}/assign-role", {"role": "guest"})
    after = await done(idle, idle.ada, operation)
    assert (after["status"], after["problem"]["code"], after["written"]) == ("failed", "denied", 0)


async def test_an_answer_that_is_to_be_short_has_no_body(cast: Cast) -> None:
    body = {"filter": {"due_at[lt]": "2000-01-01"}, "op": "remove"}
    answer = await cast.ada.post(PATH, body, prefer="return=minimal")
    assert (answer.status_code, answer.content) == (202, b"")
    operation = (await cast.ada.get(answer.headers["location"])).json()
    after = await worked(cast, cast.ada, operation)
    assert (after["total"], after["status"]) == (0, "done")


async def test_a_batch_whose_limit_is_nonsense_is_not_stored(cast: Cast) -> None:
    for said in ("many", "-1", "1e3", "9999999999"):
        answer = await upload(cast.ada, PATH, reminders(1), prefer=f"max-affected={said}")
        assert refusal(answer) == (400, "wrong-max-affected")


def test_lines_are_cut_into_chunks_and_counted_over_all_of_them() -> None:
    chunks = chunks_of([b"%d" % n for n in range(CHUNK_LINES + 2)])
    assert ([number for number, _ in chunks], count_lines(chunks)) == ([0, 1], CHUNK_LINES + 2)
    assert lines_of(*chunks[1]) == [(CHUNK_LINES + 1, b"1000"), (CHUNK_LINES + 2, b"1001")]
    assert lines_of(2, b"\n \na\n\n") == [(2 * CHUNK_LINES + 3, b"a")]
    assert chunks_of([]) == []


@pytest.mark.parametrize("mode", ["each", "atomic"])
async def test_a_report_and_the_problem_at_the_end_are_in_the_language_of_the_person(idle: Cast, mode: str) -> None:
    await idle.ada.patch(f"/v1/people/{idle.ada.id}", {"language": "zh-TW"})
    operation = await stored(idle.ada, f"{PATH}?mode={mode}", [*reminders(1), {"op": "create", "data": {}}])
    after = await done(idle, idle.ada, operation)
    [failed] = await report(idle.ada, operation, "?status=failed")
    assert "內容有誤" in failed["problem"]["title"]
    assert (after["problem"] or {"title": "批次未寫入"})["title"] == "批次未寫入"
    assert (after["status"], after["problem"] is None) == (("failed", False) if mode == "atomic" else ("done", True))


async def test_who_is_not_let_in_any_more_is_told_in_english_that_it_failed(idle: Cast) -> None:
    operation = await stored(idle.ada, PATH, reminders(1))
    await idle.ada.patch(f"/v1/people/{idle.ada.id}", {"language": "zh-TW"})
    await idle.otto.made(f"/v1/people/{idle.ada.id}/suspend", {})
    await working.run_operation(await caused(idle, operation))
    problem = await idle.server.database.pool.fetchval("SELECT problem FROM operations WHERE id = $1", operation["id"])
    assert (problem["code"], problem["title"].isascii()) == ("not-found", True)
