"""Across the whole server: one's own writes are read, quotas hold, languages, browsers, and what a crash may not cost."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from guildhouse.kernel.limits import QUOTAS
from guildhouse.kernel.log.sequencer import new_epoch
from tests.cast import Cast
from tests.commands.processes import BURY, Place, Up, Writer, psql, wait_until
from tests.organizations.scenes import ids, refusal

BODY = {"text": "Call", "due_at": "2030-01-01T08:00:00Z"}
CREDENTIALS = {"email": "ada@example.org", "password": "not the right password"}
ORIGIN = "https://app.example.org"


@pytest.mark.anyio
async def test_a_read_that_waits_for_a_write_sees_it(cast: Cast) -> None:
    other = await cast.nobody.get("/v1/jobs")
    for n in range(10):
        made = await cast.ada.post("/v1/reminders", BODY)
        listed = await cast.ada.get("/v1/reminders?limit=200", wait_for=made.headers["log-position"])
        assert made.json()["id"] in ids(listed)
        again = await cast.ada.get("/v1/reminders?limit=200", if_none_match=listed.headers["etag"])
        assert again.status_code == 304, n
    # Nobody else's list has changed by it.
    assert (await cast.nobody.get("/v1/jobs", if_none_match=other.headers["etag"])).status_code == 304


@pytest.mark.anyio
async def test_every_write_that_changes_nothing_has_a_position_too(cast: Cast) -> None:
    row = await cast.ada.made("/v1/reminders", BODY)
    same = await cast.ada.patch(f"/v1/reminders/{row['id']}", {"text": "Call"})
    assert (await cast.ada.get("/v1/reminders", wait_for=same.headers["log-position"])).status_code == 200


@pytest.mark.anyio
async def test_positions_of_another_time_or_of_nothing_are_refused(cast: Cast) -> None:
    position = (await cast.ada.post("/v1/reminders", BODY)).headers["log-position"]
    epoch, _, place = position.partition(".")
    for wrong in ("5", "x.y", f"{epoch}.", f"{epoch}.-1", f"{epoch}.{'9' * 30}", f"{epoch}.x"):
        response = await cast.ada.get("/v1/reminders", wait_for=wrong)
        assert response.status_code == 400, wrong
    assert refusal(await cast.ada.get("/v1/reminders", wait_for=f"zzzzzz.{place}")) == (410, "stale-epoch")
    restarted = asyncio.Event()
    cast.server.tail.subscribe(lambda _changes: None, restarted.set)
    async with cast.server.database.writing_once() as connection:
        await new_epoch(connection)
    await asyncio.wait_for(restarted.wait(), 20)
    assert refusal(await cast.ada.get("/v1/reminders", wait_for=position)) == (410, "stale-epoch")
    fresh = (await cast.ada.post("/v1/reminders", BODY)).headers["log-position"]
    assert len(ids(await cast.ada.get("/v1/reminders", wait_for=fresh))) == 2


@pytest.mark.anyio
async def test_quotas_count_down_and_say_when_to_come_back(starting: Callable[..., Any]) -> None:
    factor = 0.01
    async with starting(limits=factor, workers="none") as cast:
        writes = int(QUOTAS["write"].units * factor)
        left = []
        for _ in range(writes):
            made = await cast.ada.post("/v1/reminders", BODY)
            assert made.headers["ratelimit-policy"] == f'"write";q={writes};w=60'
            left.append(int(made.headers["ratelimit"].split("r=")[1].split(";")[0]))
        assert (left[0], left[-1]) == (writes - 1, 0)
        assert left == sorted(left, reverse=True)
        refused = await cast.ada.post("/v1/reminders", BODY)
        assert refusal(refused) == (429, "too-many-requests")
        assert 0 < int(refused.headers["retry-after"]) <= 60
        assert refused.json()["retryable"] is True
        assert "r=0" in refused.headers["ratelimit"]
        assert (await cast.ben.post("/v1/reminders", BODY)).status_code == 201
        assert (await cast.ada.get("/v1/reminders/x")).status_code == 404


@pytest.mark.anyio
async def test_strangers_share_the_quota_of_their_address(starting: Callable[..., Any]) -> None:
    async with starting(limits=0.05, workers="none") as cast:
        tries = int(QUOTAS["sign-in"].units * 0.05)
        account = {"name": "Eve", "password": "correct horse battery staple"}
        codes = [
            (await cast.nobody.post("/v1/people", {**account, "email": f"eve{n}@example.org"})).status_code
            for n in range(tries + 1)
        ]
        assert codes == [201] * tries + [429]
        bad = await cast.nobody.post("/v1/reminders", BODY, authorization="Bearer x")
        assert refusal(bad) == (429, "too-many-requests")
        assert (await cast.ada.post("/v1/reminders", BODY)).status_code == 201
        assert (await cast.nobody.get("/v1/jobs")).status_code == 200


@pytest.mark.anyio
async def test_the_password_of_one_account_is_guessed_a_few_times_only(starting: Callable[..., Any]) -> None:
    async with starting(limits=0.3, workers="none") as cast:
        tries = int(QUOTAS["account"].units * 0.3)
        answers = [await cast.nobody.post("/v1/sessions", CREDENTIALS) for _ in range(tries + 1)]
        assert [each.status_code for each in answers] == [401] * tries + [429]
        assert '"account"' in answers[-1].headers["ratelimit-policy"]
        shouted = await cast.nobody.post("/v1/sessions", {**CREDENTIALS, "email": " ADA@example.org"})
        assert shouted.status_code == 429
        other = await cast.nobody.post("/v1/sessions", {**CREDENTIALS, "email": "ben@example.org"})
        assert other.status_code == 401


@pytest.mark.anyio
async def test_problems_speak_the_language_that_is_asked_for_or_chosen(cast: Cast) -> None:
    english = (await cast.ada.get("/v1/reminders/x")).json()
    asked = await cast.ada.get("/v1/reminders/x", accept_language="zh-TW, en;q=0.5")
    assert asked.json()["detail"] != english["detail"]
    assert asked.json()["title"].isascii() is False
    assert asked.headers["content-language"] == "zh-TW"
    assert {name for name in english if english[name] != asked.json()[name]} == {"title", "detail", "trace_id"}
    await cast.ada.patch(f"/v1/people/{cast.ada.id}", {"language": "zh-TW"})
    await cast.server.tail.wait_for((await cast.ada.post("/v1/reminders", BODY)).headers["log-position"])
    assert (await cast.ada.get("/v1/reminders/x")).json()["detail"] == asked.json()["detail"]
    assert (await cast.ada.get("/v1/reminders/x", accept_language="en")).json()["detail"] == english["detail"]
    fault = await cast.ada.post("/v1/api-keys", {"name": "k", "expires_at": "2020-01-01T00:00:00Z"})
    assert not fault.json()["errors"][0]["detail"].isascii()


@pytest.mark.anyio
async def test_a_browser_app_of_a_named_origin_may_ask_before_it_calls(starting: Callable[..., Any]) -> None:
    preflight = {"access-control-request-method": "PATCH", "access-control-request-headers": "if-match,authorization"}
    async with starting(cors=(ORIGIN,), workers="none") as cast:
        asked = await cast.nobody.call("OPTIONS", "/v1/jobs/x", origin=ORIGIN, **dashes(preflight))
        assert asked.status_code == 200
        assert asked.headers["access-control-allow-origin"] == ORIGIN
        assert "if-match" in asked.headers["access-control-allow-headers"].lower()
        assert "access-control-allow-credentials" not in asked.headers
        called = await cast.ada.get("/v1/jobs", origin=ORIGIN)
        assert called.headers["access-control-allow-origin"] == ORIGIN
        assert "log-position" in called.headers["access-control-expose-headers"].lower()
        stranger = await cast.nobody.call("OPTIONS", "/v1/jobs/x", origin="https://evil.example", **dashes(preflight))
        assert stranger.status_code == 400
        assert "access-control-allow-origin" not in stranger.headers


def dashes(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("-", "_"): value for name, value in headers.items()}


@pytest.mark.anyio
async def test_a_server_that_is_about_to_stop_sends_requests_elsewhere(lone_cast: Cast) -> None:
    cast = lone_cast  # which stops
    cast.edge.drain()
    refused = await cast.ada.post("/v1/reminders", BODY)
    assert refusal(refused) == (503, "unavailable")
    assert refused.headers["retry-after"]
    assert (await cast.nobody.get("/health")).status_code == 200
    assert (await cast.nobody.get("/ready")).status_code == 503
    assert await cast.server.database.pool.fetchval("SELECT count(*) FROM reminders") == 0


@pytest.fixture
def place(tmp_path: Path) -> Place:
    data = tmp_path / "data"
    data.mkdir()
    return Place(data)


@pytest.fixture
def server(place: Place, dsn: str) -> Iterator[Up]:
    """A server process on a fresh database, with its admin."""
    with place.up(DATABASE_URL=dsn) as up:
        up.become_admin()
        yield up


def test_a_server_that_is_killed_while_it_writes_loses_nothing_that_it_acknowledged(
    server: Up, place: Place, dsn: str
) -> None:
    lines = b"".join(b'{"op":"create","data":{"title":"Load %d"}}\n' % n for n in range(6000))
    with server.client() as client, Writer(server).at_work() as writer:
        writer.wait_for(20)
        sent = client.post("/v1/jobs:batch", content=lines, headers={"content-type": "application/x-ndjson"})
        wait_until(lambda: client.get(sent.headers["location"]).json()["created"])
        server.kill()
    psql(dsn, BURY)
    with place.up(DATABASE_URL=dsn) as again:
        again.sign_in()
        with again.client() as client:
            for job_id in writer.acknowledged:
                history = client.get(f"/v1/jobs/{job_id}/history").json()["data"]
                assert [each["event"] for each in history] == ["job.created"]
            operation = worked_off(client, sent.json()["id"])
            assert (operation["status"], operation["created"], operation["total"]) == ("done", 6000, 6000)
            total = client.get("/v1/jobs?limit=1", headers={"prefer": "count=exact"}).json()["page"]["total"]
            wait_until(lambda: indexed(client) == total)
    # What the server had written when it was killed and could not say any more may be there, too: one request of one writer.
    assert len(writer.acknowledged) + 6000 <= total <= len(writer.acknowledged) + 6000 + 1


def indexed(client: Any) -> int:
    """How many jobs the search index has."""
    return sum(
        each["count"] for each in client.get("/v1/jobs?limit=1&facets=status").json()["search"]["facets"]["status"]
    )


def worked_off(client: Any, operation_id: str) -> dict[str, Any]:
    """The operation, once it has come to an end."""
    found: dict[str, Any] = {}

    def is_over() -> bool:
        found.update(client.get(f"/v1/operations/{operation_id}").json())
        return found["finished_at"] is not None

    wait_until(is_over)
    return found
