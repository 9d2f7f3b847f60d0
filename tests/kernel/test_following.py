"""A row is followed live: as it is now, each time that it changes, for as long as one may see it."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from guildhouse.kernel import following
from guildhouse.kernel.log.readers import watchers
from tests.cast import Cast
from tests.contracts.samples import finished
from tests.jobs.openings import hiring, posted, tracked
from tests.kernel.live import listening
from tests.kernel.uploads import reminders, stored
from tests.organizations.scenes import refusal, suspend

pytestmark = pytest.mark.anyio


async def test_it_begins_with_the_row_and_tells_every_change(cast: Cast) -> None:
    job = await tracked(cast.ada)
    path = f"/v1/jobs/{job['id']}"
    async with listening(cast, cast.ada, path) as stream:
        assert (stream.status, stream.headers["content-type"]) == (200, "text/event-stream")
        assert (stream.headers["cache-control"], stream.headers["x-accel-buffering"]) == ("no-store", "no")
        first = await stream.event()
        assert first and (first["event"], first["data"]) == ("row", job)
        await cast.ada.patch(path, {"title": "Stoker"})
        second = await stream.event()
        assert second and (second["data"]["title"], second["data"]["version"]) == ("Stoker", 2)
        assert second["id"].startswith(f"{cast.server.tail.epoch}.")
        assert (await cast.ada.get(path)).json() == second["data"]


async def test_an_operation_is_followed_to_its_end(cast: Cast) -> None:
    operation = await stored(cast.ada, "/v1/reminders:batch", reminders(3000))
    async with listening(cast, cast.ada, f"/v1/operations/{operation['id']}") as stream:
        seen = [event async for event in every(stream)]
    *rows, end = seen
    assert (end["event"], end["data"]) == ("end", {"why": "over"})
    written = [row["data"]["written"] for row in rows]
    assert (written == sorted(written), written[-1], rows[-1]["data"]["status"]) == (True, 3000, "done")
    again = await cast.ada.get(f"/v1/operations/{operation['id']}", accept="text/event-stream", last_event_id=end["id"])
    assert (again.status_code, again.content) == (204, b""), "a browser that comes back is told to stay away"


async def every(stream: Any) -> AsyncIterator[dict[str, Any]]:
    while (event := await stream.event(20)) is not None:
        yield event


async def test_who_comes_back_hears_only_of_what_they_missed(cast: Cast) -> None:
    path = f"/v1/jobs/{(await tracked(cast.ada))['id']}"
    async with listening(cast, cast.ada, path) as stream:
        await stream.event()
        await cast.ada.patch(path, {"title": "Stoker"})
        seen = await stream.event()
    assert seen
    async with listening(cast, cast.ada, path, last_event_id=seen["id"]) as stream:
        await cast.ada.patch(path, {"title": "Captain"})
        after = await stream.event()
        assert after and after["data"]["title"] == "Captain", "the one that was seen is not told again"
    async with listening(cast, cast.ada, path, last_event_id=seen["id"]) as stream:
        missed = await stream.event()
        assert missed and missed["data"]["title"] == "Captain"
    async with listening(cast, cast.ada, path, last_event_id="ffffffff.1") as stream:
        assert await stream.event(), "after a restore it starts over"
    wrong = await cast.ada.get(path, accept="text/event-stream", last_event_id="7")
    assert refusal(wrong) == (400, "wrong-position")


async def test_fields_are_chosen_as_in_any_read(cast: Cast) -> None:
    path = f"/v1/jobs/{(await tracked(cast.ada, city='Oslo'))['id']}"
    async with listening(cast, cast.ada, f"{path}?fields=city") as stream:
        first = await stream.event()
        assert first and first["data"] == {"city": "Oslo"}
        await cast.ada.patch(path, {"title": "Not asked for"})
        await cast.ada.patch(path, {"city": "Bergen"})
        second = await stream.event()
        assert second and second["data"] == {"city": "Bergen"}
    assert refusal(await cast.ada.get(f"{path}?fields=x", accept="text/event-stream"))[0] == 400


async def test_strangers_and_those_not_signed_in_get_no_stream(cast: Cast) -> None:
    path = f"/v1/jobs/{(await tracked(cast.ada))['id']}"
    assert refusal(await cast.cleo.get(path, accept="text/event-stream")) == (404, "not-found")
    assert refusal(await cast.nobody.get(path, accept="text/event-stream")) == (404, "not-found")
    operation = await stored(cast.ada, "/v1/reminders:batch", reminders(1))
    await finished(cast.ada, operation["id"])
    path = f"/v1/operations/{operation['id']}"
    assert refusal(await cast.nobody.get(path, accept="text/event-stream")) == (401, "unauthenticated")
    assert refusal(await cast.otto.get(path, accept="text/event-stream")) == (404, "not-found")


async def test_a_public_row_is_followed_without_an_account_and_ends_when_it_goes_out_of_sight(cast: Cast) -> None:
    organization = await hiring(cast)
    job = await posted(cast, organization)
    path = f"/v1/jobs/{job['id']}"
    async with listening(cast, cast.nobody, path) as stream:
        await stream.event()
        await cast.ada.delete(path)
        end = await stream.event()
        assert end and (end["event"], end["data"]["problem"]["code"]) == ("end", "not-found")
        assert await stream.event() is None


async def test_whoever_is_suspended_or_signs_out_is_cut_off(cast: Cast) -> None:
    path = f"/v1/jobs/{(await tracked(cast.ada))['id']}"
    async with listening(cast, cast.ada, path) as stream:
        await stream.event()
        await cast.otto.made(f"/v1/people/{cast.ada.id}/suspend", {})
        end = await stream.event()
        assert end and end["data"]["problem"]["code"] == "unauthenticated"


async def test_a_key_that_is_removed_ends_its_streams(cast: Cast) -> None:
    path = f"/v1/jobs/{(await tracked(cast.ada))['id']}"
    key = await cast.ada.made("/v1/api-keys", {"name": "k", "permissions": ["jobs.read"]})
    async with listening(cast, cast.nobody, path, authorization=f"Bearer {key['key']}") as stream:
        await stream.event()
        await cast.ada.delete(f"/v1/api-keys/{key['id']}")
        end = await stream.event()
        assert end and end["data"]["problem"]["code"] == "unauthenticated"


async def test_who_loses_sight_of_a_row_hears_nothing_more_of_it(cast: Cast) -> None:
    organization = await hiring(cast)
    draft = await posted(cast, organization, status="draft")
    membership = (await cast.ada.get(f"/v1/memberships?person_id={cast.ben.id}")).json()["data"][0]
    async with listening(cast, cast.ben, f"/v1/jobs/{draft['id']}") as stream:
        await stream.event()
        assert (await cast.ada.delete(f"/v1/memberships/{membership['id']}")).is_success
        end = await stream.event()
        assert end and (end["event"], end["data"]["problem"]["code"]) == ("end", "not-found")


async def test_while_nothing_happens_it_says_that_it_is_there_and_holds_no_connection(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following, "HEARTBEAT", 0.05)
    monkeypatch.setattr(following, "PAUSE", 0.01)
    path = f"/v1/jobs/{(await tracked(cast.ada))['id']}"
    streams = [listening(cast, cast.ada, path) for _ in range(8)]  # more than the pool has connections
    opened = [await each.__aenter__() for each in streams]
    for stream in opened:
        assert await stream.event()
    assert [await opened[0].block() for _ in range(2)] == [": still here", ": still here"]
    monkeypatch.setattr(following, "HEARTBEAT", 30)
    pool = cast.server.database.pool
    async with asyncio.timeout(5):  # others use the pool, too, now and then
        while pool.get_idle_size() < pool.get_size():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    for each in streams:
        await each.__aexit__(None, None, None)


async def test_one_person_has_so_many_streams_and_gets_them_back(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "MOST_OF_ONE", 1)
    path = f"/v1/jobs/{(await tracked(cast.ada))['id']}"
    async with listening(cast, cast.ada, path) as stream:
        await stream.event()
        second = await cast.ada.get(path, accept="text/event-stream")
        assert refusal(second) == (429, "too-many-streams")
        assert second.headers["retry-after"] == "5"
    async with listening(cast, cast.ada, path) as stream:
        assert stream.status == 200
    assert not cast.server.watchers._waiting and not cast.server.watchers._of


async def test_a_process_has_so_many_streams_as_well(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watchers, "MOST", 1)
    path = f"/v1/jobs/{(await tracked(cast.ada))['id']}"
    async with listening(cast, cast.ada, path) as stream:
        await stream.event()
        assert refusal(await cast.ada.get(path, accept="text/event-stream")) == (503, "unavailable")


async def test_a_refused_stream_takes_nobodys_place(cast: Cast) -> None:
    path = f"/v1/jobs/{(await tracked(cast.ada))['id']}"
    assert (await cast.cleo.get(path, accept="text/event-stream")).status_code == 404
    assert not cast.server.watchers._waiting and not cast.server.watchers._of


async def test_a_server_that_stops_ends_its_streams(idle: Cast) -> None:
    path = f"/v1/jobs/{(await tracked(idle.ada))['id']}"
    async with listening(idle, idle.ada, path) as stream:
        await stream.event()
        idle.edge.drain()
        assert await stream.event() is None, "without a farewell: the reader is to come back"


async def test_imports_and_exports_are_followed_as_well(cast: Cast) -> None:
    export = await cast.ada.made("/v1/exports", {"resource": "jobs"})
    async with listening(cast, cast.ada, f"/v1/exports/{export['id']}") as stream:
        *_, last, end = [event async for event in every(stream)]
    assert (last["data"]["status"], end["event"]) == ("done", "end")
    import_ = (await cast.ada.client.post("/v1/imports?resource=reminders", content=b"text\nCall\n")).json()
    async with listening(cast, cast.ada, f"/v1/imports/{import_['id']}") as stream:
        status = ""
        while status != "ready":
            event = await stream.event(20)
            assert event
            status = event["data"]["status"]


async def test_a_row_that_people_change_is_followed_beyond_its_last_stage(cast: Cast) -> None:
    hold = await cast.otto.made("/v1/holds", {"resource": "people", "row_id": cast.ada.id, "reason": "x"})
    await cast.otto.made(f"/v1/holds/{hold['id']}/release", {})
    async with listening(cast, cast.otto, f"/v1/holds/{hold['id']}") as stream:
        event = await stream.event()
        assert event and event["data"]["status"] == "released"
        with pytest.raises(TimeoutError):
            await stream.event(0.3)


async def test_other_ways_to_ask_for_a_row_are_as_before(cast: Cast) -> None:
    path = f"/v1/jobs/{(await tracked(cast.ada))['id']}"
    for accept in ("application/json, text/event-stream;q=0.5", "*/*"):
        answer = await cast.ada.get(path, accept=accept)
        assert answer.headers["content-type"] == "application/json"
    assert (await cast.ada.get(f"{path}?format=json", accept="text/event-stream")).json()["id"] in path
    assert refusal(await cast.ada.get(f"{path}?as_of=1", accept="text/event-stream")) == (406, "not-acceptable")
    assert (await cast.ada.call("HEAD", path, accept="text/event-stream")).headers[
        "content-type"
    ] == "text/event-stream"
    assert refusal(await cast.ada.get("/v1/jobs", accept="text/event-stream")) == (406, "not-acceptable")


async def test_a_suspended_organizations_paused_jobs_are_heard_of(cast: Cast) -> None:
    organization = await hiring(cast)
    job = await posted(cast, organization)
    async with listening(cast, cast.ada, f"/v1/jobs/{job['id']}") as stream:
        await stream.event()
        await suspend(cast, organization)
        event = await stream.event(20)
        assert event and event["data"]["status"] == "paused"
