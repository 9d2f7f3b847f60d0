"""One thing is done to all rows of a filter: which rows those are is fixed, how many has to be said, the rest is judged."""

from typing import Any

import pytest

from guildhouse.kernel.operating import selecting
from tests.cast import Caller, Cast
from tests.jobs.openings import hiring, posted, tracked
from tests.kernel.uploads import reminders, report, upload, worked
from tests.organizations.scenes import Body, refusal

pytestmark = pytest.mark.anyio
PATH = "/v1/jobs:batch"


async def selected(cast: Cast, caller: Caller, op: str, data: Any = None, path: str = PATH, **query: str) -> Body:
    """The operation, worked off."""
    answer = await caller.post(path, {"filter": query, "op": op, "data": data})
    assert answer.status_code == 202, answer.text
    return await worked(cast, caller, answer.json())


def counted(operation: Body) -> dict[str, int]:
    names = ("created", "changed", "unchanged", "removed", "restored", "failed")
    return {name: operation[name] for name in names if operation[name]}


async def titles(caller: Caller, query: str = "") -> list[str]:
    return sorted(row["title"] for row in (await caller.get(f"/v1/jobs?limit=200{query}")).json()["data"])


async def test_all_rows_of_a_filter_are_changed_and_no_others(cast: Cast) -> None:
    for n in range(3):
        await tracked(cast.ada, title=f"Job {n}", city="Taipei")
    await tracked(cast.ada, title="Elsewhere", city="Tainan")
    after = await selected(cast, cast.ada, "change", {"city": "Hualien"}, city="Taipei")
    assert (after["status"], after["kind"], after["total"], counted(after)) == ("done", "selection", 3, {"changed": 3})
    assert after["asked"] == {"filter": {"city": "Taipei"}, "op": "change", "data": {"city": "Hualien"}}
    assert await titles(cast.ada, "&city=Hualien") == ["Job 0", "Job 1", "Job 2"]
    assert await titles(cast.ada, "&city=Tainan") == ["Elsewhere"]


async def test_rows_are_removed_and_brought_back_out_of_the_trash(cast: Cast) -> None:
    for n in range(2):
        await tracked(cast.ada, title=f"Job {n}")
    assert counted(await selected(cast, cast.ada, "remove")) == {"removed": 2}
    assert await titles(cast.ada) == []
    assert counted(await selected(cast, cast.ada, "restore", **{"title[startswith]": "Job"})) == {"restored": 2}
    assert await titles(cast.ada) == ["Job 0", "Job 1"]


async def test_a_verb_is_done_to_each_row_that_it_may_be_done_to(cast: Cast) -> None:
    organization = await hiring(cast)
    drafts = [await posted(cast, organization, status="draft", title=f"Draft {n}") for n in range(2)]
    await posted(cast, organization, title="Open")
    after = await selected(cast, cast.ada, "publish", organization_id=organization["id"])
    assert counted(after) == {"changed": 2, "failed": 1}
    failed = await report(cast.ada, after, "?status=failed")
    assert [each["problem"]["code"] for each in failed] == ["denied"]
    history = (await cast.ada.get(f"/v1/jobs/{drafts[0]['id']}/history")).json()["data"][0]
    assert (history["event"], history["reason"]) == ("job.published", f"operation {after['id']}")


async def test_a_verb_with_a_body_takes_it_as_data(cast: Cast) -> None:
    answer = await cast.otto.post(
        "/v1/people:batch", {"filter": {"name": "Cleo"}, "op": "assign-role", "data": {"role": "coach"}}
    )
    assert counted(await worked(cast, cast.otto, answer.json())) == {"changed": 1}
    assert (await cast.otto.get(f"/v1/people/{cast.cleo.id}")).json()["role"] == "coach"
    wrong = await cast.otto.post("/v1/people:batch", {"filter": {}, "op": "assign-role", "data": {"role": "king"}})
    assert refusal(wrong) == (422, "invalid")


async def test_what_takes_a_secret_is_stored_for_nobody(cast: Cast) -> None:
    passwords = {"current": "one that must not be kept", "new": "another that must not be kept"}
    body = {"filter": {"name": "Ada"}, "op": "change-password", "data": passwords}
    assert refusal(await cast.ada.post("/v1/people:batch", body)) == (422, "secret-sent")
    person = {"email": "eve@example.org", "name": "Eve", "password": "one that must not be kept"}
    assert refusal(await upload(cast.otto, "/v1/people:batch", [person])) == (422, "secret-sent")
    ops = {"ops": [{"op": "create", "data": person}]}
    assert refusal(await cast.otto.post("/v1/people:batch", ops, prefer="respond-async")) == (422, "secret-sent")
    assert (await cast.otto.made("/v1/people:batch", ops))["created"] == 1
    pool = cast.server.database.pool
    assert await pool.fetchval("SELECT count(*) FROM operations") == 0
    assert await pool.fetchval("SELECT count(*) FROM changes WHERE after::text LIKE '%must not be kept%'") == 0


async def test_nobody_reaches_rows_that_they_do_not_see_or_may_not_change(cast: Cast) -> None:
    organization = await hiring(cast)
    await posted(cast, organization, title="Public")
    await tracked(cast.ada, title="Private")
    after = await selected(cast, cast.cleo, "remove")
    assert (after["total"], counted(after)) == (1, {"failed": 1}), "the public one, which is not hers to remove"
    assert await titles(cast.ada) == ["Private", "Public"]


async def test_the_rows_are_those_of_the_moment_of_the_request(idle: Cast) -> None:
    early = await tracked(idle.ada, title="Early")
    answer = await idle.ada.post(PATH, {"filter": {}, "op": "remove"})
    late = await tracked(idle.ada, title="Late")
    await idle.ada.patch(f"/v1/jobs/{early['id']}", {"title": "Early, renamed"})
    assert counted(await worked(idle, idle.ada, answer.json())) == {"removed": 1}
    assert await titles(idle.ada) == [late["title"]]


async def test_many_rows_have_to_be_meant(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "FEW", 2)
    for n in range(3):
        await tracked(cast.ada, title=f"Job {n}")
    body = {"filter": {}, "op": "remove"}
    unsaid = await cast.ada.post(PATH, body)
    assert refusal(unsaid) == (428, "how-many-are-meant")
    assert "3 rows" in unsaid.json()["detail"]
    assert refusal(await cast.ada.post(PATH, body, prefer="max-affected=2")) == (422, "too-many-affected")
    assert (await cast.ada.get("/v1/operations")).json()["data"] == []
    answer = await cast.ada.post(PATH, body, prefer="max-affected=3")
    assert counted(await worked(cast, cast.ada, answer.json())) == {"removed": 3}


async def test_a_dry_run_says_how_many_and_tries_the_first(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "TRIED", 2)
    organization = await hiring(cast)
    await posted(cast, organization, title="Not Cleo's")
    rows = [await tracked(cast.cleo, title=f"Job {n}") for n in range(3)]
    answer = await cast.cleo.post(PATH, {"filter": {}, "op": "remove"}, prefer="tx=rollback")
    told = answer.json()
    assert (answer.status_code, told["dry_run"], told["status"], told["body"]["total"]) == (200, True, 202, 4)
    assert [each["status"] for each in told["body"]["sample"]] == ["failed", "removed"]
    assert [each["event"] for each in told["changes"]] == ["job.removed"]
    assert (await cast.cleo.get(f"/v1/jobs/{rows[0]['id']}")).status_code == 200
    assert (await cast.cleo.get("/v1/operations")).json()["data"] == []


async def test_a_dry_run_judges_those_behind_the_first_too_and_tells_what_would_fail(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(selecting, "SHOWN", 1)
    for n in range(3):
        await tracked(cast.cleo, title=f"Job {n}")
    public = await posted(cast, await hiring(cast), title="Not Cleo's")
    body = (await cast.cleo.post(PATH, {"filter": {}, "op": "remove"}, prefer="tx=rollback")).json()["body"]
    assert (body["total"], body["judged"], body["would"]) == (4, 4, {"removed": 3, "failed": 1})
    assert [each["status"] for each in body["sample"]] == ["removed"]
    assert [(each["id"], each["problem"]["code"]) for each in body["more_failures"]] == [(public["id"], "denied")]
    assert len((await cast.cleo.get("/v1/jobs")).json()["data"]) == 4


async def test_a_dry_run_of_a_verb_judges_a_tenth_as_many(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selecting, "TRIED", 20)
    organization = await hiring(cast)
    for n in range(3):
        await posted(cast, organization, title=f"Job {n}")
    body = (await cast.ada.post(PATH, {"filter": {}, "op": "pause"}, prefer="tx=rollback")).json()["body"]
    assert (body["total"], body["judged"], body["would"]) == (3, 2, {"changed": 2})
    none = (await cast.ada.post(PATH, {"filter": {"title": "no"}, "op": "pause"}, prefer="tx=rollback")).json()["body"]
    assert none == {"total": 0, "judged": 0, "would": {}, "sample": [], "more_failures": []}


async def test_the_same_request_again_does_nothing_twice(cast: Cast) -> None:
    await tracked(cast.ada)
    body = {"filter": {}, "op": "remove"}
    first = await cast.ada.post(PATH, body, idempotency_key="k")
    await worked(cast, cast.ada, first.json())
    again = await cast.ada.post(PATH, body, idempotency_key="k")
    assert (again.json()["id"], again.headers["idempotent-replayed"]) == (first.json()["id"], "true")
    assert refusal(await cast.ada.post(PATH, {**body, "op": "close"}, idempotency_key="k")) == (
        422, "idempotency-key-reused",
    )  # fmt: skip


async def test_an_atomic_selection_is_done_to_all_or_to_none(cast: Cast) -> None:
    organization = await hiring(cast)
    await posted(cast, organization, title="Not Cleo's")
    await tracked(cast.cleo, title="Hers")
    answer = await cast.cleo.post(PATH, {"filter": {}, "op": "remove", "mode": "atomic"})
    after = await worked(cast, cast.cleo, answer.json())
    assert (after["status"], after["problem"]["code"], after["written"]) == ("failed", "batch-refused", 0)
    assert await titles(cast.cleo) == ["Hers", "Not Cleo's"]


async def test_a_selection_may_do_no_more_than_the_key_that_asked(cast: Cast) -> None:
    await tracked(cast.ada)
    key = (await cast.ada.made("/v1/api-keys", {"name": "k", "permissions": ["reminders.write"]}))["key"]
    answer = await cast.nobody.post(PATH, {"filter": {}, "op": "remove"}, authorization=f"Bearer {key}")
    assert refusal(answer) == (403, "denied")


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"filter": {}, "op": "destroy"}, (400, "not-done-to-many")),
        ({"filter": {}, "op": "create", "data": {"title": "x"}}, (400, "not-done-to-many")),
        ({"filter": {"nonsense": "1"}, "op": "remove"}, (400, "unknown-parameter")),
        ({"filter": {"status": "lost"}, "op": "remove"}, (400, "wrong-filter-value")),
        ({"filter": {"city[flies]": "x"}, "op": "remove"}, (400, "wrong-operator")),
        ({"filter": {"scopes": "x' OR true --"}, "op": "remove"}, (400, "unknown-parameter")),
        ({"filter": {"limit": "1"}, "op": "remove"}, (400, "unknown-parameter")),
        ({"filter": {"city": 7}, "op": "remove"}, (422, "invalid")),
        ({"filter": [], "op": "remove"}, (422, "invalid")),
        ({"filter": {}}, (422, "invalid")),
        ({"filter": {}, "op": "remove", "data": {"city": "x"}}, (400, "no-data-taken")),
        ({"filter": {}, "op": "close", "data": {"city": "x"}}, (400, "no-data-taken")),
        ({"filter": {}, "op": "change", "data": {"salary_min": -1}}, (422, "invalid")),
        ({"filter": {}, "op": "change", "data": {"deleted_at": None}}, (400, "unknown-fields")),
        ({"filter": {}, "op": "remove", "ops": []}, (400, "unknown-fields")),
        ({"filter": {}, "op": "remove", "mode": "maybe"}, (422, "invalid")),
    ],
)
async def test_what_makes_no_sense_is_refused_before_anything_is_stored(
    cast: Cast, body: Body, wanted: tuple[int, str]
) -> None:
    assert refusal(await cast.ada.post(PATH, body)) == wanted
    assert (await cast.ada.get("/v1/operations")).json()["data"] == []


async def test_the_real_worker_does_it(cast: Cast) -> None:
    await cast.ada.made("/v1/reminders:batch", {"ops": reminders(3)})
    answer = await cast.ada.post("/v1/reminders:batch", {"filter": {"due_at[gt]": "2029-01-01"}, "op": "remove"})
    after = await worked(cast, cast.ada, answer.json())
    assert (after["status"], after["written"], after["remaining"]) == ("done", 3, 0)
