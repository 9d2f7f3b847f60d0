"""The past of a row: told, read as it was, taken back."""

from typing import Any

import pytest

from guildhouse.kernel import history as history_module
from guildhouse.kernel.db import Note
from guildhouse.kernel.log import changes
from tests.applications.hiring_scenes import at, opening
from tests.cast import Caller, Cast
from tests.contracts.conftest import settled
from tests.jobs.openings import hiring, posted, tracked
from tests.organizations.scenes import Body, heard, refusal

pytestmark = pytest.mark.anyio
UNKNOWN = "019a9f3c-7c00-7000-8000-000000000001"


async def retitled(cast: Cast, *titles: str) -> tuple[str, list[Body]]:
    """The address of a job that Ada tracks, and the job after each change of its title."""
    job = await tracked(cast.ada, title=titles[0])
    path = f"/v1/jobs/{job['id']}"
    rows = [job] + [await heard(cast, await cast.ada.patch(path, {"title": title})) for title in titles[1:]]
    return path, rows


async def undone(caller: Caller, path: str, version: int | None = None) -> Any:
    return await caller.post(f"{path}/undo", {"version": version} if version else None)


async def history(caller: Caller, path: str) -> list[Body]:
    response = await caller.get(f"{path}/history")
    assert response.status_code == 200, response.text
    found: list[Body] = response.json()["data"]
    return found


async def test_a_row_is_read_as_it_was_at_a_version_a_time_or_a_position(cast: Cast) -> None:
    path, rows = await retitled(cast, "One", "Two", "Three")
    entries = list(reversed(await history(cast.ada, path)))
    for row, entry in zip(rows, entries, strict=True):
        for wanted in (str(row["version"]), entry["at"].replace("+00:00", "Z"), entry["position"]):
            response = await cast.ada.get(f"{path}?as_of={wanted}")
            assert response.status_code == 200, (wanted, response.text)
            found = response.json()
            assert (found["title"], found["version"]) == (row["title"], row["version"]), wanted
            assert found["created_at"] == row["created_at"]


async def test_before_it_was_made_there_is_nothing(cast: Cast) -> None:
    path, _ = await retitled(cast, "One", "Two")
    for wanted in ("0", "2020-01-01T00:00:00Z", f"{cast.server.tail.epoch}.0"):
        assert refusal(await cast.ada.get(f"{path}?as_of={wanted}")) == (404, "not-found"), wanted


async def test_a_position_of_another_epoch_is_over_and_nonsense_is_refused(cast: Cast) -> None:
    path, _ = await retitled(cast, "One")
    assert refusal(await cast.ada.get(f"{path}?as_of=zzzzzz.5")) == (410, "stale-epoch")
    for wanted in ("yesterday", "-1", "1.5e3x", "2026-13-45T00:00:00Z"):
        assert (await cast.ada.get(f"{path}?as_of={wanted}")).status_code == 400, wanted


async def test_the_position_that_a_write_answers_with_is_a_time_too(cast: Cast) -> None:
    job = await tracked(cast.ada, title="One")
    path = f"/v1/jobs/{job['id']}"
    position = (await cast.ada.patch(path, {"title": "Two"})).headers["log-position"]
    assert (await cast.ada.get(f"{path}?as_of={position}")).json()["title"] == "Two"
    await heard(cast, await cast.ada.patch(path, {"title": "Three"}))
    assert (await cast.ada.get(f"{path}?as_of={position}")).json()["title"] == "Two"


async def test_a_position_that_the_log_has_not_come_to_is_no_past(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    path, _ = await retitled(cast, "One")
    waited: list[str] = []

    async def at_once(position: Any) -> bool:
        waited.append(str(position))
        return False

    monkeypatch.setattr(cast.server.tail, "wait_for", at_once)
    position = f"{cast.server.tail.epoch}.x999999999"
    for asked in (f"{path}?as_of={position}", f"{path}/history"):
        refused = await cast.ada.get(asked, **({} if "as_of" in asked else {"wait-for": position}))
        assert refusal(refused) == (503, "position-not-reached")
    assert waited == [position, position]


async def test_a_history_goes_on_page_after_page_to_its_first_change(cast: Cast) -> None:
    path, _ = await retitled(cast, *"ABCDE")
    found, cursor = [], ""
    while True:
        answer = await cast.ada.get(f"{path}/history?limit=2{cursor}")
        body = answer.json()
        found += [each["version"] for each in body["data"]]
        assert body["page"]["has_more"] == (body["page"]["next"] is not None) == ("link" in answer.headers)
        if not body["page"]["next"]:
            break
        assert answer.headers["link"] == f'<{path}/history?limit=2&cursor={body["page"]["next"]}>; rel="next"'
        cursor = f"&cursor={body['page']['next']}"
    assert found == [5, 4, 3, 2, 1]
    whole = (await cast.ada.get(f"{path}/history")).json()
    assert [each["version"] for each in whole["data"]] == found
    assert whole["page"] == {"next": None, "has_more": False, "limit": 200}


async def test_a_page_of_a_history_is_full_though_some_changes_are_for_other_eyes(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    for n in range(1, 5):
        await cast.ada.patch(at(application), {"rating": n})
    first = (await scene.eve.get(f"{at(application)}/history?limit=1")).json()
    assert [each["event"] for each in first["data"]] == ["application.created"]
    assert first["page"]["next"] is None


async def test_a_cursor_of_a_history_is_good_for_that_row_and_limit_only(cast: Cast) -> None:
    path, _ = await retitled(cast, "One", "Two")
    other, _ = await retitled(cast, "Three", "Four")
    cursor = (await cast.ada.get(f"{path}/history?limit=1")).json()["page"]["next"]
    for wrong in (f"{other}/history?limit=1&cursor={cursor}", f"{path}/history?limit=2&cursor={cursor}"):
        assert refusal(await cast.ada.get(wrong)) == (400, "cursor-mismatch")
    of_list = (await cast.ada.get("/v1/jobs?limit=1")).json()["page"]["next"]
    assert refusal(await cast.ada.get(f"{path}/history?limit=1&cursor={of_list}")) == (400, "cursor-mismatch")


async def test_a_long_history_is_told_past_what_is_read_at_once(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history_module, "MOST", 2)
    path, _ = await retitled(cast, *"ABCDEFG")
    cursor = (await cast.ada.get(f"{path}/history?limit=3")).json()["page"]["next"]
    rest = (await cast.ada.get(f"{path}/history?limit=3&cursor={cursor}")).json()
    assert [each["version"] for each in rest["data"]] == [4, 3, 2]


async def test_an_undo_is_refused_where_the_row_has_moved_on(cast: Cast) -> None:
    path, _ = await retitled(cast, "One", "Two")
    stale = await cast.ada.post(f"{path}/undo", {}, if_match='"1"')
    assert refusal(stale) == (412, "precondition-failed")
    assert (await cast.ada.post(f"{path}/undo", {}, if_match='"2"')).json()["title"] == "One"


async def test_nobody_sees_a_row_as_it_was_before_they_could_see_it(cast: Cast) -> None:
    job = await posted(cast, await hiring(cast), status="draft")
    path = f"/v1/jobs/{job['id']}"
    await heard(cast, await cast.ada.post(f"{path}/publish"))
    await heard(cast, await cast.ada.patch(path, {"title": "Open to all"}))
    assert (await cast.ben.get(f"{path}?as_of=1")).json()["status"] == "draft"
    assert refusal(await cast.otto.get(f"{path}?as_of=1")) == (404, "not-found")
    assert (await cast.otto.get(f"{path}?as_of=2")).json()["status"] == "open"
    assert [each["event"] for each in await history(cast.otto, path)] == ["job.changed", "job.published"]
    assert refusal(await cast.cleo.get(f"{path}/history")) == (403, "denied")


async def test_while_it_was_in_the_trash_there_was_nothing(cast: Cast) -> None:
    path, _ = await retitled(cast, "One")
    await cast.ada.delete(path)
    await cast.ada.made(f"{path}/restore", {})
    assert refusal(await cast.ada.get(f"{path}?as_of=2")) == (404, "not-found")
    assert (await cast.ada.get(f"{path}?as_of=1")).json()["title"] == "One"


async def test_an_older_change_is_taken_back_where_nothing_later_touched_it(cast: Cast) -> None:
    path, _ = await retitled(cast, "One", "Two")
    await cast.ada.patch(path, {"city": "Tainan"})
    row = (await undone(cast.ada, path, 2)).json()
    assert (row["title"], row["city"], row["version"]) == ("One", "Tainan", 4)
    assert (await undone(cast.ada, path)).json()["title"] == "Two"


async def test_what_was_changed_again_later_is_not_taken_back(cast: Cast) -> None:
    path, _ = await retitled(cast, "One", "Two", "Three")
    refused = await undone(cast.ada, path, 2)
    assert refusal(refused) == (409, "changed-since")
    assert "title" in refused.json()["detail"]


@pytest.mark.parametrize("version", [9, 4])
async def test_a_version_that_never_was_cannot_be_taken_back(cast: Cast, version: int) -> None:
    path, _ = await retitled(cast, "One", "Two")
    assert refusal(await undone(cast.ada, path, version)) == (409, "nothing-to-undo")


async def test_the_creation_a_removal_and_a_restoration_can_be_taken_back(cast: Cast) -> None:
    path, _ = await retitled(cast, "One")
    assert (await undone(cast.ada, path)).status_code == 200
    assert refusal(await cast.ada.get(path)) == (404, "not-found")
    assert (await undone(cast.ada, path)).status_code == 200  # the removal
    assert (await cast.ada.get(path)).status_code == 200
    assert (await undone(cast.ada, path)).status_code == 200  # the restoration
    assert refusal(await cast.ada.get(path)) == (404, "not-found")
    assert [each["event"] for each in reversed(await trashed_history(cast, path))] == [
        "job.created", "job.removed", "job.restored", "job.removed",
    ]  # fmt: skip


async def trashed_history(cast: Cast, path: str) -> list[Body]:
    """The history of a row in the trash, brought back to be asked."""
    await cast.ada.made(f"{path}/restore", {})
    return (await history(cast.ada, path))[1:]


async def test_in_the_trash_nothing_but_the_removal_is_taken_back(cast: Cast, wrote: Any) -> None:
    path, _ = await retitled(cast, "One", "Two")
    await cast.ada.delete(path)
    for version in (1, 2):
        assert refusal(await undone(cast.ada, path, version)) == (409, "nothing-to-undo")
    await wrote("job.created", "job.changed", "job.removed")


async def test_a_move_of_the_stage_is_taken_back_only_where_the_table_allows_it(cast: Cast) -> None:
    job = await posted(cast, await hiring(cast), status="draft")
    path = f"/v1/jobs/{job['id']}"
    await heard(cast, await cast.ada.post(f"{path}/publish"))
    assert refusal(await undone(cast.ada, path)) == (409, "move-not-allowed")
    await heard(cast, await cast.ada.post(f"{path}/pause"))
    assert (await undone(cast.ada, path)).json()["status"] == "open"


async def test_only_who_may_change_a_row_takes_its_changes_back_also_those_of_others(cast: Cast) -> None:
    job = await posted(cast, await hiring(cast))
    path = f"/v1/jobs/{job['id']}"
    await heard(cast, await cast.ada.patch(path, {"title": "Other"}))
    assert refusal(await undone(cast.cleo, path)) == (403, "denied")
    assert refusal(await cast.nobody.post(f"{path}/undo")) == (401, "unauthenticated")
    assert (await undone(cast.ben, path)).json()["title"] == job["title"]


async def test_a_hidden_column_cannot_be_taken_back(cast: Cast) -> None:
    password = {"email": "eve@example.org", "name": "Eve", "password": "correct horse battery staple"}
    person = await cast.nobody.made("/v1/people", password)
    tokens = await cast.nobody.made("/v1/sessions", {k: password[k] for k in ("email", "password")})
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    path = f"/v1/people/{person['id']}"
    body = {"current": password["password"], "new": "another password of mine"}
    await cast.nobody.made(f"{path}/change-password", body, **headers)
    assert refusal(await cast.nobody.post(f"{path}/undo", **headers)) == (409, "nothing-to-undo")


async def test_fields_of_other_audiences_are_in_no_history(cast: Cast) -> None:
    path = f"/v1/people/{cast.ada.id}"
    await cast.ada.patch(path, {"phone": "+111"})
    await cast.ada.patch(path, {"phone": "+222", "city": "Tainan"})
    moderator = await cast.join("Mona", "moderator")
    assert "phone" not in str(await history(moderator, path))
    assert "+222" in str(await history(cast.ada, path))
    assert (await moderator.get(f"{path}?as_of=2")).json()["phone"] is None
    assert (await cast.ada.get(f"{path}?as_of=2")).json()["phone"] == "+111"


async def test_what_was_hidden_then_stays_hidden_when_the_audience_grows(cast: Cast) -> None:
    path = f"/v1/people/{cast.ada.id}"
    for body in ({"phone": "+111"}, {"phone": "+222"}, {"audience": {"phone": "members"}}, {"phone": "+333"}):
        await cast.ada.patch(path, body)
    moderator = await cast.join("Mona", "moderator")
    told = str(await history(moderator, path))
    assert ("+111" in told, "+333" in told) == (False, True)


async def test_what_is_hidden_now_is_hidden_in_the_past(cast: Cast) -> None:
    path = f"/v1/people/{cast.ada.id}"
    for body in ({"audience": {"phone": "members"}}, {"phone": "+111"}, {"audience": {"phone": "me"}}):
        await cast.ada.patch(path, body)
    moderator = await cast.join("Mona", "moderator")
    assert "+111" not in str(await history(moderator, path))
    assert (await moderator.get(f"{path}?as_of=3")).json()["phone"] is None


async def test_what_was_erased_is_in_no_history_and_not_brought_back(cast: Cast) -> None:
    path = f"/v1/people/{cast.ada.id}"
    await cast.ada.patch(path, {"phone": "02-111"})
    await cast.ada.patch(path, {"phone": "02-222"})
    await cast.ada.patch(path, {"city": "Tainan"})
    async with cast.server.database.writing(Note(reason="on request")) as connection:
        await changes.forget(connection, "people", [cast.ada.id], ["phone"])
    await settled(cast)
    entries = await history(cast.ada, path)
    assert "02-111" not in str(entries) and "02-222" not in str(entries)
    assert (entries[0]["event"], entries[0]["reason"]) == ("person.forgotten", "on request")
    assert (await cast.ada.get(f"{path}?as_of=2")).json()["phone"] is None
    assert refusal(await undone(cast.ada, path, 3)) == (409, "changed-since")
    assert (await undone(cast.ada, path)).json()["city"] is None
    assert (await cast.ada.get(path)).json()["phone"] == "02-222"


async def test_a_purged_or_unknown_row_has_no_history(cast: Cast) -> None:
    path, _ = await retitled(cast, "One")
    await cast.ada.delete(path)
    await cast.ada.post(f"{path}/purge")
    for where in (path, f"/v1/jobs/{UNKNOWN}"):
        assert refusal(await cast.ada.get(f"{where}/history")) == (404, "not-found")
        assert refusal(await undone(cast.ada, where)) == (404, "not-found")


async def test_a_row_as_it_was_takes_fields_and_refuses_what_is_unknown(cast: Cast) -> None:
    job = await cast.ada.made("/v1/jobs", {"title": "One"})
    path = f"/v1/jobs/{job['id']}"
    await cast.ada.patch(path, {"title": "Two"})
    told = await cast.ada.get(f"{path}?as_of=1&fields=title,version")
    assert told.json() == {"title": "One", "version": 1}
    assert (
        await cast.ada.get(f"{path}?as_of=1&fields=title,version", if_none_match=told.headers["etag"])
    ).status_code == 304
    assert told.headers["etag"] != (await cast.ada.get(f"{path}?as_of=1")).headers["etag"]
    packed = await cast.ada.get(f"{path}?as_of=1&format=msgpack")
    assert packed.headers["content-type"] == "application/vnd.msgpack"
    for query, code in [
        ("colour=red", "unknown-parameter"),
        ("fields=nothing", "unknown-field"),
        ("expand=organization", "not-then"),
    ]:
        assert refusal(await cast.ada.get(f"{path}?as_of=1&{query}")) == (400, code)


async def test_a_version_that_is_still_to_come_is_not_there(cast: Cast) -> None:
    job = await cast.ada.made("/v1/jobs", {"title": "One"})
    response = await cast.ada.get(f"/v1/jobs/{job['id']}?as_of=2")
    assert refusal(response) == (404, "version-not-reached")
    assert response.json()["detail"] == "There is no version 2 of this row: it is at version 1."
    assert refusal(await cast.ada.get(f"/v1/jobs/{job['id']}?as_of=")) == (400, "wrong-as-of")


async def test_all_times_of_a_history_have_one_form(cast: Cast) -> None:
    job = await cast.ada.made("/v1/jobs", {"title": "One", "posted_at": "2026-01-01T09:00:00+08:00"})
    entry = (await cast.ada.get(f"/v1/jobs/{job['id']}/history")).json()["data"][0]
    assert entry["at"].endswith("Z")
    assert entry["changes"]["posted_at"]["to"] == "2026-01-01T01:00:00Z" == job["posted_at"]
    assert entry["changes"]["created_at"]["to"] == job["created_at"]
