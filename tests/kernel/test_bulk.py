"""Many writes in one request: each is judged as if it came alone, and each says what became of it."""

from asyncio import create_task, gather
from typing import Any

import pytest
from spine import until

from guildhouse.kernel.db import Note
from tests.cast import Caller, Cast
from tests.contracts.conftest import settled
from tests.jobs.openings import posted
from tests.kernel.uploads import reminders, texts
from tests.organizations.scenes import approved, refusal

pytestmark = pytest.mark.anyio
Body = dict[str, Any]


async def batch(caller: Caller, path: str, *ops: Body, mode: str = "each", **headers: str) -> Body:
    return await caller.made(f"/v1/{path}:batch", {"mode": mode, "ops": list(ops)}, **headers)


def statuses(answer: Body) -> list[str]:
    return [each.get("problem", {}).get("code") or each["status"] for each in answer["results"]]


async def reminder(caller: Caller, text: str = "Call") -> Body:
    return await caller.made("/v1/reminders", {"text": text, "due_at": "2030-01-01T08:00:00Z"})


async def test_each_kind_of_write_says_what_became_of_it(cast: Cast, wrote: Any) -> None:
    kept, gone, back = [await reminder(cast.ada, text) for text in ("kept", "gone", "back")]
    await cast.ada.delete(f"/v1/reminders/{back['id']}")
    answer = await batch(
        cast.ada, "reminders", *reminders(1), {"op": "change", "id": kept["id"], "data": {"text": "better"}},
        {"op": "remove", "id": gone["id"]}, {"op": "restore", "id": back["id"]},
        {"op": "change", "id": kept["id"].upper(), "data": {"text": "better"}}, {"op": "remove", "id": cast.ada.id},
    )  # fmt: skip
    assert statuses(answer) == ["created", "changed", "removed", "restored", "unchanged", "not-found"]
    assert [each.get("version") for each in answer["results"]] == [1, 2, 2, 3, 2, None]
    assert [answer[name] for name in ("created", "changed", "removed", "restored", "unchanged", "failed")] == [1] * 6
    assert await texts(cast.ada) == ["Call 0", "back", "better"]
    names = ["created"] * 3 + ["removed", "created", "changed", "removed", "restored"]
    await wrote(*(f"reminder.{name}" for name in names))


async def test_a_later_write_of_the_same_row_finds_what_an_earlier_one_wrote(cast: Cast) -> None:
    row = await reminder(cast.ada)
    ops = [{"op": "change", "id": row["id"], "data": {"text": text}} for text in ("one", "two", "three")]
    answer = await batch(cast.ada, "reminders", *ops, {"op": "remove", "id": row["id"]}, ops[0])
    assert statuses(answer) == ["changed", "changed", "changed", "removed", "not-found"]
    assert [each.get("version") for each in answer["results"]] == [2, 3, 4, 5, None]
    trash = (await cast.ada.get("/v1/reminders?trash=only")).json()["data"]
    assert [(each["text"], each["version"]) for each in trash] == [("three", 5)]


async def test_a_stale_version_fails_alone(cast: Cast) -> None:
    rows = [await reminder(cast.ada) for _ in range(3)]
    versions = ['"1"', '"2"', "nonsense"]
    ops = [
        {"op": "change", "id": row["id"], "if_match": etag, "data": {"text": "new"}}
        for row, etag in zip(rows, versions, strict=True)
    ]
    assert statuses(await batch(cast.ada, "reminders", *ops)) == ["changed", "precondition-failed", "wrong-etag"]


async def test_what_the_database_refuses_fails_alone(cast: Cast) -> None:
    organization = await approved(cast)
    await posted(cast, organization, source="ats", external_id="5")
    ops: list[Body] = [
        {"op": "create", "data": {"organization_id": organization["id"], "title": "Job", "source": "ats", **more}}
        for more in [{"external_id": str(n)} for n in range(9)]
    ]
    answer = await batch(cast.ada, "jobs", *ops)
    assert statuses(answer) == ["created"] * 5 + ["already-exists"] + ["created"] * 3
    assert "organization_id" in answer["results"][5]["problem"]["detail"]


async def test_two_new_rows_with_one_key_are_one_row_by_upsert(cast: Cast) -> None:
    organization = await approved(cast)
    key = {"organization_id": organization["id"], "source": "ats", "external_id": "1"}
    shouted = {**key, "organization_id": organization["id"].upper()}
    ops: list[Body] = [{"op": "upsert", "data": {"title": title, **k}} for title, k in [("A", key), ("B", shouted)]]
    answer = await batch(cast.ada, "jobs", *ops)
    assert statuses(answer) == ["created", "changed"]
    assert answer["results"][0]["id"] == answer["results"][1]["id"]


@pytest.mark.parametrize("wrong", ["nonsense", {"a": 1}, 7, ["x"], True])
async def test_a_key_of_the_wrong_kind_spoils_its_own_line_only(cast: Cast, wrong: Any) -> None:
    organization = await approved(cast)
    key = {"organization_id": organization["id"], "source": "ats", "external_id": "1"}
    ops: list[Body] = [{"op": "upsert", "data": {"title": "T", **k}} for k in (key, {**key, "organization_id": wrong})]
    answer = await batch(cast.ada, "jobs", *ops)
    assert statuses(answer) == ["created", "invalid"]
    assert answer["results"][1]["problem"]["errors"][0]["pointer"] == "/organization_id"


async def test_an_upsert_needs_a_key_that_the_resource_has(cast: Cast) -> None:
    answer = await batch(cast.ada, "reminders", {"op": "upsert", "data": reminders(1)[0]["data"]})
    assert statuses(answer) == ["no-upsert"]


async def test_who_names_a_new_row_by_an_id_is_told_that_it_gets_one(cast: Cast) -> None:
    organization = await approved(cast)
    mine = "01a20000-0000-7000-8000-000000000001"
    data = {"organization_id": organization["id"], "source": "ats", "external_id": "1", "title": "Job"}
    answer = await batch(cast.ada, "jobs", *({"op": op, "id": mine, "data": data} for op in ("create", "upsert")))
    assert statuses(answer) == ["invalid", "not-found"]
    assert answer["results"][0]["problem"]["errors"][0]["pointer"] == "/id"
    assert (await cast.ada.get("/v1/jobs")).json()["data"] == []


async def test_an_upsert_of_what_is_in_the_trash_makes_a_new_one(cast: Cast) -> None:
    organization = await approved(cast)
    data = {"organization_id": organization["id"], "source": "ats", "external_id": "1", "title": "Job"}
    first = await cast.ada.made("/v1/jobs", data)
    await cast.ada.delete(f"/v1/jobs/{first['id']}")
    answer = await batch(cast.ada, "jobs", {"op": "upsert", "data": data})
    assert statuses(answer) == ["created"]
    assert answer["results"][0]["id"] != first["id"]


async def test_rows_of_others_are_not_there(cast: Cast) -> None:
    row = await reminder(cast.ada)
    ops: list[Body] = [{"op": name, "id": row["id"], "data": {"text": "mine"}} for name in ("change", "remove")]
    answer = await batch(cast.ben, "reminders", *ops, {"op": "restore", "id": row["id"]})
    assert statuses(answer) == ["not-found"] * 3
    assert (await cast.ada.get(f"/v1/reminders/{row['id']}")).json() == row


async def test_permissions_and_stages_are_asked_for_each_row(cast: Cast) -> None:
    mine, other = await approved(cast), await approved(cast, "Cleo's", founder=cast.cleo)
    rows = [await posted(cast, mine), await posted(cast, other, by=cast.cleo)]
    await settled(cast)
    ops: list[Body] = [{"op": "change", "id": row["id"], "data": {"title": "Mine"}} for row in rows]
    assert statuses(await batch(cast.ada, "jobs", *ops)) == ["changed", "denied"]
    ops = [{"op": "change", "id": rows[0]["id"], "data": {"status": "filled"}}]
    assert statuses(await batch(cast.ada, "jobs", *ops)) == ["unknown-fields"]


async def test_a_required_value_cannot_be_taken_away(cast: Cast) -> None:
    row = await reminder(cast.ada)
    answer = await batch(cast.ada, "reminders", {"op": "change", "id": row["id"], "data": {"text": None}})
    assert statuses(answer) == ["invalid"]


async def test_more_rows_than_expected_are_not_written(cast: Cast, wrote: Any) -> None:
    body = {"ops": reminders(3)}
    refused = await cast.ada.post("/v1/reminders:batch", body, prefer="max-affected=2")
    assert refusal(refused) == (422, "too-many-affected")
    await wrote()
    taken = await cast.ada.post("/v1/reminders:batch", body, prefer="max-affected=3")
    assert taken.json()["created"] == 3
    for wrong in ("-1", "three", ""):
        response = await cast.ada.post("/v1/reminders:batch", body, prefer=f"max-affected={wrong}")
        assert refusal(response) == (400, "wrong-max-affected")
    await wrote(*["reminder.created"] * 3)


async def test_a_dry_run_of_a_batch_tells_all_and_keeps_nothing(cast: Cast, wrote: Any) -> None:
    ops = [*reminders(2), {"op": "create", "data": {}}]
    dry = await cast.ada.made("/v1/reminders:batch", {"ops": ops}, prefer="tx=rollback")
    assert (dry["dry_run"], dry["status"]) == (True, 200)
    assert statuses(dry["body"]) == ["created", "created", "invalid"]
    assert [each["event"] for each in dry["changes"]] == ["reminder.created"] * 2
    assert await texts(cast.ada) == []
    await wrote()


async def test_more_than_a_thousand_writes_are_too_many_for_one_answer(cast: Cast) -> None:
    refused = await cast.ada.post("/v1/reminders:batch", {"ops": reminders(1001)})
    assert refusal(refused) == (422, "invalid")
    assert refused.json()["errors"][0]["pointer"] == "/ops"
    assert (await batch(cast.ada, "reminders", *reminders(1000)))["created"] == 1000
    assert (await batch(cast.ada, "reminders"))["results"] == []


async def test_secrets_are_shown_this_once_beside_the_results(cast: Cast) -> None:
    ops: list[Body] = [{"op": "create", "data": {"name": name}} for name in ("one", "", "three")]
    body = {"ops": ops}
    answer = await cast.ada.made("/v1/api-keys:batch", body, idempotency_key="keys")
    assert [each["n"] for each in answer["revealed"]] == [0, 2]
    keys = [each["key"] for each in answer["revealed"]]
    for key, place in zip(keys, (0, 2), strict=True):
        found = await cast.nobody.get("/v1/api-keys", authorization=f"Bearer {key}")
        assert answer["results"][place]["id"] in [row["id"] for row in found.json()["data"]]
    again = await cast.ada.made("/v1/api-keys:batch", body, idempotency_key="keys")
    assert "revealed" not in again
    assert again["results"] == answer["results"]


async def test_a_batch_writes_the_log_that_its_single_writes_would(cast: Cast) -> None:
    single = await reminder(cast.ada, "same")
    await cast.ada.patch(f"/v1/reminders/{single['id']}", {"text": "other"})
    await cast.ada.delete(f"/v1/reminders/{single['id']}")
    made = await batch(cast.ada, "reminders", {"op": "create", "data": {"text": "same", "due_at": single["due_at"]}})
    row_id = made["results"][0]["id"]
    ops: list[Body] = [{"op": "change", "id": row_id, "data": {"text": "other"}}, {"op": "remove", "id": row_id}]
    await batch(cast.ada, "reminders", *ops)
    records = await cast.server.database.pool.fetch(
        "SELECT row_id, version, verb, actor, before - '{deleted_at,created_at}'::text[] AS before, "
        "after - '{deleted_at,created_at}'::text[] AS after, scopes_before, scopes_after "
        "FROM changes WHERE resource = 'reminders' ORDER BY seq"
    )
    logged = {each: [tuple(r)[1:] for r in records if r["row_id"] == each] for each in (single["id"], row_id)}
    assert logged[single["id"]] == logged[row_id]
    assert len(logged[row_id]) == 3


async def test_batches_that_meet_on_the_same_rows_never_deadlock(cast: Cast) -> None:
    rows = [await reminder(cast.ada) for _ in range(20)]
    forward: list[Body] = [{"op": "change", "id": row["id"], "data": {"text": "forward"}} for row in rows]
    back: list[Body] = [{"op": "change", "id": row["id"], "data": {"text": "back"}} for row in reversed(rows)]
    answers = await gather(*(batch(cast.ada, "reminders", *ops) for ops in (forward, back) * 3))
    assert [answer["failed"] for answer in answers] == [0] * 6
    assert len(set(await texts(cast.ada))) == 1


async def test_batches_that_upsert_the_same_new_rows_at_once_all_succeed(cast: Cast) -> None:
    organization = await approved(cast)
    key = {"organization_id": organization["id"], "source": "ats"}

    def ops(title: str) -> list[Body]:
        return [{"op": "upsert", "data": {**key, "external_id": str(n), "title": title}} for n in range(30)]

    answers = await gather(*(batch(cast.ada, "jobs", *ops(title)) for title in ("one", "one", "two", "two")))
    assert [answer["failed"] for answer in answers] == [0] * 4
    assert sum(answer["created"] for answer in answers) == 30
    rows = await cast.server.database.pool.fetch("SELECT version, title FROM jobs")
    assert len(rows) == 30
    assert len({row["title"] for row in rows}) == 1


async def test_an_upsert_that_was_overtaken_is_judged_by_the_row_that_is_there(cast: Cast) -> None:
    organization = await approved(cast)
    data = {"organization_id": organization["id"], "source": "ats", "external_id": "1", "title": "Theirs"}
    async with cast.server.database.writing(Note()) as other:
        await other.execute(
            "INSERT INTO jobs (id, organization_id, source, external_id, title, skills, tags, posted_at, status, scopes) "
            "VALUES (gen_random_uuid(), $1, 'ats', '1', 'Theirs', '{}', '{}', now(), 'draft', $2)",
            organization["id"], [f"organization:{organization['id']}:members"],
        )  # fmt: skip
        late = [
            create_task(batch(cast.ada, "jobs", {"op": "upsert", "data": {**data, "title": t}}))
            for t in ("Theirs", "Ours")
        ]
        create = create_task(batch(cast.ada, "jobs", {"op": "create", "data": data}))
        await until(lambda: waiting(cast, 3))
    assert [statuses(await each) for each in late] in ([["changed"], ["changed"]], [["unchanged"], ["changed"]])
    assert statuses(await create) == ["already-exists"]


async def waiting(cast: Cast, count: int) -> bool:
    """Whether so many statements wait for somebody's lock."""
    sql = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
    return int(await cast.server.database.pool.fetchval(sql)) >= count
