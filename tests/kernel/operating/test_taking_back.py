"""An operation is taken back as a whole: made rows go, changed ones go back, removed ones return; later changes stay."""

import pytest

from guildhouse.kernel.db import Note
from guildhouse.kernel.operating.chunks import CHUNK_LINES
from tests.cast import Caller, Cast
from tests.jobs.openings import hiring, posted, tracked
from tests.kernel.uploads import now, reminders, report, stored, texts, worked
from tests.organizations.scenes import Body, approved, refusal

pytestmark = pytest.mark.anyio
PATH = "/v1/reminders:batch"


async def taken_back(cast: Cast, caller: Caller, operation: Body, **headers: str) -> Body:
    """The operation that takes one back, worked off."""
    answer = await caller.post(f"/v1/operations/{operation['id']}/take-back", **headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/operations/{answer.json()['id']}"
    return await worked(cast, caller, answer.json())


async def load(cast: Cast, path: str, lines: list[Body]) -> Body:
    return await worked(cast, cast.ada, await stored(cast.ada, path, lines))


def counted(operation: Body) -> dict[str, int]:
    names = ("changed", "unchanged", "removed", "restored", "kept", "failed")
    return {name: operation[name] for name in names if operation[name]}


async def test_all_kinds_of_writes_are_taken_back(cast: Cast) -> None:
    changed, removed, back = [await tracked(cast.ada, title=title) for title in ("Changed", "Removed", "Restored")]
    await cast.ada.delete(f"/v1/jobs/{back['id']}")
    before = (await cast.ada.get("/v1/jobs?sort=title")).json()["data"]
    operation = await load(cast, "/v1/jobs:batch", [
        {"op": "create", "data": {"title": "Created"}}, {"op": "create", "data": {"title": ""}},
        {"op": "change", "id": changed["id"], "data": {"title": "Other", "city": "Oslo", "country": "NO"}},
        {"op": "remove", "id": removed["id"]}, {"op": "restore", "id": back["id"]},
    ])  # fmt: skip
    undo = await taken_back(cast, cast.ada, operation)
    assert (undo["status"], undo["kind"], undo["undoes"], undo["total"]) == ("done", "undo", operation["id"], 4)
    assert counted(undo) == {"removed": 2, "changed": 1, "restored": 1}
    after = (await cast.ada.get("/v1/jobs?sort=title")).json()["data"]
    same = before[0].keys() - {"version", "updated_at"}
    assert [{n: row[n] for n in same} for row in after] == [{n: row[n] for n in same} for row in before]
    assert (await now(cast.ada, operation))["undone_by"] == undo["id"]
    history = (await cast.ada.get(f"/v1/jobs/{changed['id']}/history")).json()["data"][0]
    assert history["reason"] == f"operation {undo['id']}"


async def test_rows_that_somebody_has_changed_since_are_listed_and_stay(cast: Cast) -> None:
    operation = await load(cast, PATH, reminders(4))
    rows = {row["text"]: row["id"] for row in (await cast.ada.get("/v1/reminders")).json()["data"]}
    await cast.ada.patch(f"/v1/reminders/{rows['Call 1']}", {"text": "Mine now"})
    await cast.ada.delete(f"/v1/reminders/{rows['Call 2']}")
    for verb in ("remove", "purge"):
        path = f"/v1/reminders/{rows['Call 3']}"
        assert (await (cast.ada.delete(path) if verb == "remove" else cast.ada.post(f"{path}/purge"))).is_success
    undo = await taken_back(cast, cast.ada, operation)
    assert counted(undo) == {"removed": 1, "unchanged": 1, "kept": 2}
    kept = {each["id"]: each["problem"]["code"] for each in await report(cast.ada, undo, "?status=kept")}
    assert kept == {rows["Call 1"]: "changed-meanwhile", rows["Call 3"]: "not-found"}
    assert await texts(cast.ada) == ["Mine now"]


async def test_changes_that_were_undone_are_no_reason_to_stay(cast: Cast) -> None:
    made = await load(cast, "/v1/jobs:batch", [{"op": "create", "data": {"title": f"Job {n}"}} for n in range(2)])
    answer = await cast.ada.post("/v1/jobs:batch", {"filter": {}, "op": "change", "data": {"city": "Oslo"}})
    changed = await worked(cast, cast.ada, answer.json())
    await taken_back(cast, cast.ada, changed)
    first, second = (await cast.ada.get("/v1/jobs")).json()["data"]
    await cast.ada.patch(f"/v1/jobs/{first['id']}", {"city": "Rome"})
    assert counted(await taken_back(cast, cast.ada, made)) == {"removed": 1, "kept": 1}
    assert [row["id"] for row in (await cast.ada.get("/v1/jobs?trash=only")).json()["data"]] == [second["id"]]


async def test_a_row_that_was_written_twice_goes_back_to_before_the_first_time(cast: Cast) -> None:
    mine = await tracked(cast.ada, title="First", city="Bern")
    change = {"op": "change", "id": mine["id"]}
    lines = [{**change, "data": {"title": "Second"}}, {**change, "data": {"title": "Third", "city": "Basel"}}]
    undo = await taken_back(cast, cast.ada, await load(cast, "/v1/jobs:batch", lines))
    assert counted(undo) == {"changed": 1}
    row = (await cast.ada.get(f"/v1/jobs/{mine['id']}")).json()
    assert (row["title"], row["city"]) == ("First", "Bern")


async def test_a_write_of_somebody_in_between_is_not_lost(idle: Cast) -> None:
    key = {"organization_id": (await hiring(idle))["id"], "source": "ats", "external_id": "1"}
    first = await stored(idle.ada, "/v1/jobs:batch", [{**key, "title": "A"}])
    await worked(idle, idle.ada, first)
    job = (await idle.ada.get("/v1/jobs")).json()["data"][0]
    await idle.ben.patch(f"/v1/jobs/{job['id']}", {"city": "Ghent"})
    # As if the same operation had come to the row a second time, after Ben.
    seq = await idle.server.database.pool.fetchval(
        "SELECT seq FROM changes WHERE row_id = $1 AND version = 1", first["id"]
    )
    await idle.ada.patch(f"/v1/jobs/{job['id']}", {"title": "B"})
    async with idle.server.database.writing(Note()) as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("UPDATE changes SET caused_by = $1 WHERE row_id = $2 AND version = 3", seq, job["id"])
    undo = await taken_back(idle, idle.ada, first)
    assert counted(undo) == {"kept": 1}
    assert (await idle.ada.get(f"/v1/jobs/{job['id']}")).json()["city"] == "Ghent"


async def test_what_verbs_did_to_all_rows_of_a_filter_is_taken_back(cast: Cast) -> None:
    organization = await approved(cast)
    for n in range(3):
        await posted(cast, organization, title=f"Job {n}")
    answer = await cast.ada.post("/v1/jobs:batch", {"filter": {"status": "open"}, "op": "pause"})
    operation = await worked(cast, cast.ada, answer.json())
    assert operation["changed"] == 3
    assert counted(await taken_back(cast, cast.ada, operation)) == {"changed": 3}
    found = (await cast.ada.get("/v1/jobs?status=open")).json()["data"]
    assert len(found) == 3


async def test_what_the_rules_do_not_allow_fails_with_its_problem(cast: Cast) -> None:
    organization = await approved(cast)
    await posted(cast, organization, status="draft")
    answer = await cast.ada.post("/v1/jobs:batch", {"filter": {"status": "draft"}, "op": "publish"})
    undo = await taken_back(cast, cast.ada, await worked(cast, cast.ada, answer.json()))
    assert counted(undo) == {"failed": 1}
    assert [each["problem"]["code"] for each in await report(cast.ada, undo)] == ["move-not-allowed"]


async def test_an_undo_is_taken_back_as_well(cast: Cast) -> None:
    operation = await load(cast, PATH, reminders(2))
    undo = await taken_back(cast, cast.ada, operation)
    assert await texts(cast.ada) == []
    redo = await taken_back(cast, cast.ada, undo)
    assert (counted(redo), await texts(cast.ada)) == ({"restored": 2}, ["Call 0", "Call 1"])


async def test_a_dry_run_says_what_would_come_back_and_changes_nothing(cast: Cast) -> None:
    operation = await load(cast, PATH, reminders(2))
    undo = await taken_back(cast, cast.ada, operation, prefer="tx=rollback")
    assert (undo["dry_run"], undo["removed"], undo["written"]) == (True, 2, 0)
    assert await texts(cast.ada) == ["Call 0", "Call 1"]
    assert (await now(cast.ada, operation))["undone_by"] is None
    assert counted(await taken_back(cast, cast.ada, operation)) == {"removed": 2}


async def test_an_undo_that_was_cancelled_is_begun_again_and_finds_the_rest(idle: Cast) -> None:
    operation = await load(idle, PATH, reminders(2))
    first = await idle.ada.made(f"/v1/operations/{operation['id']}/take-back", {})
    await idle.ada.made(f"/v1/operations/{first['id']}/cancel", {})
    assert (await worked(idle, idle.ada, first))["status"] == "cancelled"
    rows = (await idle.ada.get("/v1/reminders")).json()["data"]
    await idle.ada.delete(f"/v1/reminders/{rows[0]['id']}")
    assert counted(await taken_back(idle, idle.ada, operation)) == {"removed": 1, "unchanged": 1}


async def test_an_undo_that_had_to_leave_rows_is_done_again_for_them(cast: Cast) -> None:
    operation = await load(cast, PATH, reminders(2))
    row = (await cast.ada.get("/v1/reminders")).json()["data"][0]
    path = f"/v1/reminders/{row['id']}"
    await cast.ada.patch(path, {"text": "By hand"})
    assert counted(await taken_back(cast, cast.ada, operation)) == {"removed": 1, "kept": 1}
    await cast.ada.patch(path, {"text": row["text"]})
    assert counted(await taken_back(cast, cast.ada, operation)) == {"removed": 1, "unchanged": 1}
    assert refusal(await cast.ada.post(f"/v1/operations/{operation['id']}/take-back")) == (409, "taken-back-already")


async def test_max_affected_guards_an_undo_too(cast: Cast) -> None:
    operation = await load(cast, PATH, reminders(3))
    path = f"/v1/operations/{operation['id']}/take-back"
    assert refusal(await cast.ada.post(path, prefer="max-affected=2")) == (422, "too-many-affected")
    assert counted(await taken_back(cast, cast.ada, operation, prefer="max-affected=3")) == {"removed": 3}


async def test_what_cannot_be_taken_back_says_why(idle: Cast) -> None:
    queued = await stored(idle.ada, PATH, reminders(1))
    path = f"/v1/operations/{queued['id']}/take-back"
    assert refusal(await idle.ada.post(path)) == (409, "still-at-work")
    await worked(idle, idle.ada, queued)
    assert refusal(await idle.ben.post(path)) == (404, "not-found")
    assert refusal(await idle.otto.post(path)) == (404, "not-found")
    await taken_back(idle, idle.ada, queued)
    assert refusal(await idle.ada.post(path)) == (409, "taken-back-already")
    nothing = await load(idle, PATH, [{"op": "create", "data": {}}])
    assert refusal(await idle.ada.post(f"/v1/operations/{nothing['id']}/take-back")) == (409, "nothing-written")
    tried = await worked(idle, idle.ada, await stored(idle.ada, PATH, reminders(1), prefer="tx=rollback"))
    assert refusal(await idle.ada.post(f"/v1/operations/{tried['id']}/take-back")) == (409, "nothing-written")


async def test_who_may_no_longer_write_takes_nothing_back(cast: Cast) -> None:
    operation = await load(cast, PATH, reminders(1))
    await cast.otto.made(f"/v1/people/{cast.ada.id}/assign-role", {"role": "guest"})
    assert refusal(await cast.ada.post(f"/v1/operations/{operation['id']}/take-back")) == (403, "denied")


async def test_many_chunks_are_taken_back(cast: Cast) -> None:
    operation = await load(cast, PATH, reminders(CHUNK_LINES + 2))
    undo = await taken_back(cast, cast.ada, operation)
    assert (undo["removed"], undo["remaining"]) == (CHUNK_LINES + 2, 0)
    assert await texts(cast.ada) == []


async def batch(caller: Caller, path: str, *ops: Body, **headers: str) -> str:
    """A batch that is answered at once; the position it was answered with."""
    answer = await caller.post(path, {"ops": list(ops)}, **headers)
    assert answer.status_code == 200, answer.text
    return str(answer.headers["log-position"])


async def undone(cast: Cast, caller: Caller, path: str, position: str, **headers: str) -> Body:
    """The operation that takes back what was answered with a position, worked off."""
    answer = await caller.post(path, {"position": position}, **headers)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/v1/operations/{answer.json()['id']}"
    return await worked(cast, caller, answer.json())


async def test_a_batch_that_was_answered_at_once_is_taken_back(cast: Cast) -> None:
    changed, removed, back = [await tracked(cast.ada, title=title) for title in ("Changed", "Removed", "Restored")]
    await cast.ada.delete(f"/v1/jobs/{back['id']}")
    before = (await cast.ada.get("/v1/jobs?sort=title&fields=id,title,city,country")).json()["data"]
    position = await batch(
        cast.ada, "/v1/jobs:batch",
        {"op": "create", "data": {"title": "Created"}}, {"op": "create", "data": {"title": ""}},
        {"op": "change", "id": changed["id"], "data": {"city": "Oslo", "country": "NO"}},
        {"op": "change", "id": changed["id"], "data": {"title": "Other"}},
        {"op": "remove", "id": removed["id"]}, {"op": "restore", "id": back["id"]},
    )  # fmt: skip
    undo = await undone(cast, cast.ada, "/v1/jobs:take-back", position)
    assert (undo["status"], undo["kind"], undo["resource"], undo["total"]) == ("done", "undo", "jobs", 4)
    assert undo["asked"] == {"position": position}
    assert counted(undo) == {"removed": 2, "changed": 1, "restored": 1}
    assert (await cast.ada.get("/v1/jobs?sort=title&fields=id,title,city,country")).json()["data"] == before


async def test_a_single_write_is_taken_back_like_a_batch_of_one(cast: Cast) -> None:
    answer = await cast.ada.post("/v1/jobs", {"title": "Slip"})
    undo = await undone(cast, cast.ada, "/v1/jobs:take-back", answer.headers["log-position"])
    assert counted(undo) == {"removed": 1}
    assert (await cast.ada.get("/v1/jobs")).json()["data"] == []


async def test_what_was_changed_since_a_batch_stays_and_is_told(cast: Cast) -> None:
    position = await batch(cast.ada, PATH, *reminders(3))
    rows = {row["text"]: row["id"] for row in (await cast.ada.get("/v1/reminders")).json()["data"]}
    await cast.ada.patch(f"/v1/reminders/{rows['Call 1']}", {"text": "Mine now"})
    undo = await undone(cast, cast.ada, "/v1/reminders:take-back", position)
    assert counted(undo) == {"removed": 2, "kept": 1}
    assert [each["id"] for each in await report(cast.ada, undo, "?status=kept")] == [rows["Call 1"]]
    assert await texts(cast.ada) == ["Mine now"]


async def test_a_batch_that_is_taken_back_twice_is_taken_back_once(cast: Cast) -> None:
    position = await batch(cast.ada, PATH, *reminders(2))
    first = await undone(cast, cast.ada, "/v1/reminders:take-back", position)
    assert counted(await undone(cast, cast.ada, "/v1/reminders:take-back", position)) == {"unchanged": 2}
    assert counted(await taken_back(cast, cast.ada, first)) == {"restored": 2}
    assert counted(await undone(cast, cast.ada, "/v1/reminders:take-back", position)) == {"removed": 2}


async def test_taking_a_batch_back_is_tried_first_and_kept_small(cast: Cast) -> None:
    position = await batch(cast.ada, PATH, *reminders(2))
    tried = await undone(cast, cast.ada, "/v1/reminders:take-back", position, prefer="tx=rollback")
    assert (tried["dry_run"], tried["removed"], tried["written"]) == (True, 2, 0)
    assert len(await texts(cast.ada)) == 2
    answer = await cast.ada.post("/v1/reminders:take-back", {"position": position}, prefer="max-affected=1")
    assert refusal(answer) == (422, "too-many-affected")


async def test_only_ones_own_batches_are_taken_back_and_only_where_they_wrote(cast: Cast) -> None:
    position = await batch(cast.ada, PATH, *reminders(1))
    for caller, path in ((cast.cleo, "/v1/reminders"), (cast.otto, "/v1/reminders"), (cast.ada, "/v1/jobs")):
        answer = await caller.post(f"{path}:take-back", {"position": position})
        assert refusal(answer) == (409, "not-your-writes")
    assert (await cast.nobody.post("/v1/reminders:take-back", {"position": position})).status_code == 401
    assert len(await texts(cast.ada)) == 1


async def test_a_position_that_is_none_or_at_which_nothing_was_written_is_refused(cast: Cast) -> None:
    mine = (await cast.ada.made("/v1/jobs", {"title": "Same"}))["id"]
    empty = await batch(cast.ada, "/v1/jobs:batch", {"op": "change", "id": mine, "data": {"title": "Same"}})
    epoch = cast.server.tail.epoch
    for position, expected in (
        (empty, (409, "not-your-writes")),
        (f"{epoch}.x1", (409, "not-your-writes")),
        (f"{epoch}.x999999999999999999", (409, "not-your-writes")),
        ("0000.x1", (410, "stale-epoch")),
        ("yesterday", (400, "wrong-position")),
    ):
        assert refusal(await cast.ada.post("/v1/jobs:take-back", {"position": position})) == expected
    assert (await cast.ada.post("/v1/jobs:take-back", {})).status_code == 422
