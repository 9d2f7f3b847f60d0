"""Operations: their owner's alone, moved by the server, cancelled by their owner."""

import pytest

from tests.cast import Cast
from tests.contracts.samples import finished
from tests.kernel.uploads import reminders, report, stored
from tests.organizations.scenes import refusal

pytestmark = pytest.mark.anyio
PATH = "/v1/reminders:batch"


async def test_a_worker_of_the_server_works_it_off_and_the_log_says_who_and_why(lone_cast: Cast) -> None:
    cast = lone_cast  # its log holds nothing of other tests
    operation = await stored(cast.ada, PATH, reminders(2), change_reason="moving%20house")
    after = await finished(cast.ada, operation["id"])
    assert (after["status"], after["created"]) == ("done", 2)
    pool = cast.server.database.pool
    records = await pool.fetch("SELECT verb, actor, caused_by FROM changes WHERE resource = 'operations' ORDER BY seq")
    first = await pool.fetchval("SELECT min(seq) FROM changes WHERE resource = 'operations'")
    assert [tuple(each) for each in records[:1]] == [("created", cast.ada.id, None)]
    assert {each["caused_by"] for each in records[1:]} == {first}
    assert [each["verb"] for each in records] == ["created", "started", "progressed", "finished"]
    rows = await pool.fetch("SELECT actor, caused_by FROM changes WHERE resource = 'reminders'")
    assert [tuple(each) for each in rows] == [(cast.ada.id, first)] * 2
    history = (await cast.ada.get(f"/v1/operations/{operation['id']}/history")).json()["data"]
    assert history[-1]["reason"] == "moving house"


async def test_nobody_else_sees_it_or_its_report_not_even_an_admin(cast: Cast) -> None:
    operation = await stored(cast.ada, PATH, reminders(1))
    await finished(cast.ada, operation["id"])
    address = f"/v1/operations/{operation['id']}"
    for caller in (cast.ben, cast.otto):
        for path in (address, f"{address}/report", f"{address}/history"):
            assert refusal(await caller.get(path)) == (404, "not-found")
        assert refusal(await caller.post(f"{address}/cancel")) == (404, "not-found")
        assert (await caller.get("/v1/operations")).json()["data"] == []
    assert refusal(await cast.nobody.get(f"{address}/report")) == (401, "unauthenticated")


async def test_nobody_makes_changes_or_removes_one_by_hand(cast: Cast) -> None:
    operation = await stored(cast.ada, PATH, reminders(1))
    address = f"/v1/operations/{operation['id']}"
    for method, path in (("POST", "/v1/operations"), ("PATCH", address), ("DELETE", address)):
        assert (await cast.ada.call(method, path, {})).status_code == 405


async def test_operations_are_found_by_their_status(cast: Cast) -> None:
    operation = await stored(cast.ada, PATH, reminders(1))
    await finished(cast.ada, operation["id"])
    found = (await cast.ada.get("/v1/operations?status=done")).json()["data"]
    assert [each["id"] for each in found] == [operation["id"]]
    assert (await cast.ada.get("/v1/operations?status=failed")).json()["data"] == []
    assert [each["status"] for each in await report(cast.ada, operation)] == ["created"]
