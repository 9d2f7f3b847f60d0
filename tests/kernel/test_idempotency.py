"""A request repeated with its key is answered again and not done again."""

import asyncio
from collections import Counter
from typing import Any

import pytest

from guildhouse.kernel.db import Connection
from tests.cast import Cast
from tests.kernel.uploads import texts
from tests.organizations.scenes import refusal

pytestmark = pytest.mark.anyio
BODY = {"text": "Call", "due_at": "2030-01-01T08:00:00Z"}


async def test_of_the_same_request_many_times_at_once_one_is_done(cast: Cast) -> None:
    answers = await asyncio.gather(*(cast.ada.post("/v1/reminders", BODY, idempotency_key="k") for _ in range(8)))
    counted = Counter(each.status_code for each in answers)
    assert counted.keys() <= {201, 409}
    assert len({each.json()["id"] for each in answers if each.status_code == 201}) == 1
    for each in answers:
        if each.status_code == 409:
            assert (each.json()["code"], each.json()["retryable"]) == ("still-running", True)
    assert await texts(cast.ada) == ["Call"]


async def until_blocked_by(connection: Connection) -> None:
    """Until somebody waits for this connection. Not by pg_stat_activity: a transaction sees it as it was at first."""
    blocked = "SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid)))"
    async with asyncio.timeout(10):
        while not await connection.fetchval(blocked):  # noqa: ASYNC110 - PostgreSQL has no event for it
            await asyncio.sleep(0.01)


async def test_a_first_request_that_still_runs_refuses_the_second(cast: Cast) -> None:
    row = await cast.ada.made("/v1/reminders", BODY)
    path = f"/v1/reminders/{row['id']}"
    async with cast.server.database.pool.acquire() as connection, connection.transaction():
        await connection.execute("SELECT 1 FROM reminders WHERE id = $1 FOR UPDATE", row["id"])
        first = asyncio.create_task(cast.ada.patch(path, {"text": "Write"}, idempotency_key="k"))
        await until_blocked_by(connection)
        second = await cast.ada.patch(path, {"text": "Write"}, idempotency_key="k")
        assert refusal(second) == (409, "still-running")
    assert (await first).status_code == 200
    third = await cast.ada.patch(path, {"text": "Write"}, idempotency_key="k")
    assert (third.json(), third.headers["idempotent-replayed"]) == ((await first).json(), "true")


async def test_a_failure_is_not_stored(cast: Cast) -> None:
    refused = await cast.ada.post("/v1/reminders", {**BODY, "text": ""}, idempotency_key="k")
    assert refused.status_code == 422
    assert (await cast.ada.post("/v1/reminders", BODY, idempotency_key="k")).status_code == 201


async def test_the_same_key_of_somebody_else_or_elsewhere_is_another_key(cast: Cast) -> None:
    made = [await caller.made("/v1/reminders", BODY, idempotency_key="k") for caller in (cast.ada, cast.ben)]
    made.append(await cast.ada.made("/v1/jobs", {"title": "T"}, idempotency_key="k"))
    assert len({each["id"] for each in made}) == 3


async def test_changes_removals_and_verbs_are_done_once(cast: Cast, wrote: Any) -> None:
    row = await cast.ada.made("/v1/reminders", BODY)
    path = f"/v1/reminders/{row['id']}"
    for method, where, body in [
        ("PATCH", path, {"text": "Write"}),
        ("POST", f"{path}/complete", None),
        ("POST", f"{path}/undo", None),
        ("DELETE", path, None),
    ]:
        first = await cast.ada.call(method, where, body, idempotency_key="k")
        again = await cast.ada.call(method, where, body, idempotency_key="k")
        assert first.is_success, first.text
        assert (again.status_code, again.content) == (first.status_code, first.content)
        assert "idempotent-replayed" not in first.headers
        for name in ("etag", "log-position"):
            assert again.headers.get(name) == first.headers.get(name)
    await wrote(*(f"reminder.{verb}" for verb in ("created", "changed", "completed", "changed", "removed")))


async def test_another_precondition_query_or_body_is_another_request(cast: Cast) -> None:
    row = await cast.ada.made("/v1/reminders", BODY)
    path = f"/v1/reminders/{row['id']}"
    await cast.ada.patch(path, {"text": "Write"}, idempotency_key="k", if_match='"1"')
    other = await cast.ada.patch(path, {"text": "Write"}, idempotency_key="k")
    assert refusal(other) == (422, "idempotency-key-reused")
    other = await cast.ada.patch(path, {"text": "Sing"}, idempotency_key="k", if_match='"1"')
    assert refusal(other) == (422, "idempotency-key-reused")


async def test_what_was_shown_once_is_not_in_a_replay_nor_in_the_database(cast: Cast) -> None:
    first = await cast.ada.made("/v1/api-keys", {"name": "import"}, idempotency_key="k")
    again = await cast.ada.made("/v1/api-keys", {"name": "import"}, idempotency_key="k")
    assert first.pop("key").startswith("gh_")
    assert again == first


async def test_after_a_day_a_key_is_new(cast: Cast) -> None:
    first = await cast.ada.made("/v1/reminders", BODY, idempotency_key="k")
    await cast.server.database.pool.execute(
        "UPDATE idempotency_keys SET created_at = now() - interval '24 hours 1 second'"
    )
    second = await cast.ada.made("/v1/reminders", {**BODY, "text": "Write"}, idempotency_key="k")
    assert second["id"] != first["id"]
    assert (await cast.ada.made("/v1/reminders", {**BODY, "text": "Write"}, idempotency_key="k")) == second


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "caf\xe9"])
async def test_a_key_is_some_printable_characters(cast: Cast, key: str) -> None:
    headers = {b"idempotency-key": key.encode("latin-1")}
    response = await cast.ada.client.post("/v1/reminders", json=BODY, headers=headers)
    assert refusal(response) == (400, "wrong-idempotency-key")


async def test_a_dry_run_with_a_key_is_not_the_answer_to_the_real_one(cast: Cast) -> None:
    dry = await cast.ada.post("/v1/reminders", BODY, idempotency_key="k", prefer="tx=rollback")
    assert dry.json()["dry_run"]
    assert (await cast.ada.post("/v1/reminders", BODY, idempotency_key="k")).status_code == 201
    assert await texts(cast.ada) == ["Call"]


async def test_a_dry_run_is_not_answered_by_what_was_really_done(cast: Cast) -> None:
    await cast.ada.made("/v1/reminders", BODY, idempotency_key="k")
    dry = await cast.ada.post("/v1/reminders", BODY, idempotency_key="k", prefer="tx=rollback")
    assert dry.json()["dry_run"]
