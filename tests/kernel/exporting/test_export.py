"""Exports in the background: made in parts, fetched in ranges, gone on with after a crash, and gone when they are over."""

import asyncio
from typing import Any

import orjson
import pytest

from guildhouse.kernel.exporting import handing, keeping, making
from guildhouse.kernel.exporting.handing import byte_range
from guildhouse.kernel.tasks import Work
from tests.cast import Caller, Cast
from tests.kernel.searching.scenes import indexed

pytestmark = pytest.mark.anyio


async def titles(cast: Cast, count: int) -> None:
    ops = [{"op": "create", "data": {"title": f"Job {n:03}"}} for n in range(count)]
    await cast.ada.made("/v1/jobs:batch", {"ops": ops})


async def settled(caller: Caller, export_id: str, *states: str) -> dict[str, Any]:
    """The export, once its status is one of these."""
    for _ in range(300):
        row: dict[str, Any] = (await caller.get(f"/v1/exports/{export_id}")).json()
        if row["status"] in states:
            return row
        await asyncio.sleep(0.03)
    raise AssertionError(row)


async def done(caller: Caller, **body: Any) -> dict[str, Any]:
    made = await caller.made("/v1/exports", {"resource": "jobs", **body})
    return await settled(caller, made["id"], "done", "failed")


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "PART_ROWS", 4)


@pytest.mark.parametrize("form", ["csv", "ndjson", "json", "guildhouse"])
async def test_the_file_is_what_the_stream_would_have_been(cast: Cast, form: str) -> None:
    await titles(cast, 10)
    query = {} if form == "guildhouse" else {"sort": "-title", "fields": "id,title", "title[ne]": "Job 003"}
    row = await done(cast.ada, format=form, query=query)
    rows = 10 if form == "guildhouse" else 9
    assert (row["status"], row["total"], row["done"]) == ("done", rows, rows), row
    fetched = await cast.ada.get(f"/v1/exports/{row['id']}/file")
    streamed = await cast.ada.client.get("/v1/jobs:export", params={**query, "format": form})
    assert fetched.content == streamed.content
    assert fetched.headers["content-length"] == str(row["size"])
    assert fetched.headers["content-type"] == streamed.headers["content-type"]
    assert row["position"].startswith(cast.server.tail.epoch) and row["expires_at"]


async def test_what_words_find_is_exported_too(cast: Cast) -> None:
    await titles(cast, 6)
    made = await cast.ada.post("/v1/jobs", {"title": "Registered nurse"})
    await indexed(cast, made.headers["log-position"])
    row = await done(cast.ada, format="csv", query={"q": "nurse", "fields": "title"})
    assert (row["status"], row["total"]) == ("done", 1), row
    fetched = await cast.ada.get(f"/v1/exports/{row['id']}/file")
    assert fetched.text == "title\nRegistered nurse\n"
    refused = await cast.ada.post("/v1/exports", {"resource": "jobs", "format": "csv", "query": {"q": "..."}})
    assert refused.status_code in (400, 422), refused.text


async def test_an_empty_list_and_a_list_that_ends_with_a_part(cast: Cast) -> None:
    for count in (0, 4, 4):
        await titles(cast, count)
        row = await done(cast.ada, format="json")
        data = orjson.loads((await cast.ada.get(f"/v1/exports/{row['id']}/file")).content)["data"]
        assert len(data) == row["done"] == row["total"]


@pytest.mark.parametrize(("form", "begins"), [("xlsx", b"PK"), ("pdf", b"%PDF")])
async def test_workbooks_and_documents(cast: Cast, form: str, begins: bytes) -> None:
    await titles(cast, 6)
    row = await done(cast.ada, format=form, language="zh-TW")
    assert (row["status"], row["done"]) == ("done", 6), row
    assert (await cast.ada.get(f"/v1/exports/{row['id']}/file")).content.startswith(begins)


async def test_a_range_of_the_file(cast: Cast) -> None:
    await titles(cast, 10)
    row = await done(cast.ada, query={"fields": "title"})
    address = f"/v1/exports/{row['id']}/file"
    whole = (await cast.ada.get(address)).content
    for asked, part in {
        "0-0": whole[:1],
        "5-60": whole[5:61],
        "20-": whole[20:],
        "-7": whole[-7:],
        "0-9999": whole,
    }.items():
        response = await cast.ada.get(address, range=f"bytes={asked}")
        assert response.content == part, asked
        assert response.status_code == (200 if part == whole else 206)
        assert response.headers["accept-ranges"] == "bytes"
    middle = await cast.ada.get(address, range="bytes=5-60")
    assert middle.headers["content-range"] == f"bytes 5-60/{len(whole)}"
    beyond = await cast.ada.get(address, range="bytes=9999-")
    assert (beyond.status_code, beyond.headers["content-range"]) == (416, f"bytes */{len(whole)}")
    other = await cast.ada.get(address, range="bytes=5-60", if_range='"another"')
    assert (other.status_code, other.content) == (200, whole)
    assert (await cast.ada.get(address, if_none_match=middle.headers["etag"])).status_code == 304
    head = await cast.ada.call("HEAD", address)
    assert (head.content, head.headers["content-length"]) == (b"", str(len(whole)))


@pytest.mark.parametrize(
    ("header", "found"),
    [
        (None, None), ("", None), ("bytes=-", None), ("bytes=1-0", None), ("items=0-1", None), ("bytes=0-1,3-4", None),
        ("bytes=a-b", None), ("bytes=0-", (0, 9)), ("bytes=-3", (7, 9)), ("bytes=-30", (0, 9)), ("bytes= 2 - 4 ", (2, 4)),
    ],
)  # fmt: skip
def test_ranges(header: str | None, found: Any) -> None:
    assert byte_range(header, 10) == found


async def test_a_link_serves_those_without_a_key_for_an_hour(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    await titles(cast, 1)
    row = await done(cast.ada)
    other = await done(cast.ada)
    link = (await cast.ada.get(f"/v1/exports/{row['id']}/link")).json()["link"]
    assert (await cast.nobody.get(link)).text == (await cast.ada.get(f"/v1/exports/{row['id']}/file")).text
    for wrong in (link[:-1], link.replace("expires=", "expires=9"), link.replace(row["id"], other["id"]), link + "é"):
        refused = await cast.nobody.get(wrong)
        assert (refused.status_code, refused.json()["code"]) == (403, "link-over"), wrong
    assert (await cast.nobody.get(f"/v1/exports/{row['id']}/file")).status_code == 401
    monkeypatch.setattr(handing, "LINK_SECONDS", -1)
    late = (await cast.ada.get(f"/v1/exports/{row['id']}/link")).json()["link"]
    assert (await cast.nobody.get(late)).json()["code"] == "link-over"
    await cast.ada.delete(f"/v1/exports/{row['id']}")
    assert (await cast.nobody.get(link)).json()["code"] == "export-expired"


async def test_a_stranger_gets_neither_row_nor_file_nor_link(cast: Cast) -> None:
    row = await done(cast.ada)
    for path in ("", "/file", "/link"):
        assert (await cast.cleo.get(f"/v1/exports/{row['id']}{path}")).status_code == 404


async def test_what_cannot_be_made_is_refused_at_once(cast: Cast) -> None:
    key = (await cast.ada.made("/v1/api-keys", {"name": "k", "permissions": ["exports.*", "people.read"]}))["key"]
    refused = await cast.nobody.post("/v1/exports", {"resource": "jobs"}, authorization=f"Bearer {key}")
    assert refused.status_code == 403
    for body, code in [
        ({"resource": "spoons"}, "unknown-noun"),
        ({"query": {"fields": "nothing"}}, "unknown-field"),
        ({"query": {"limit": "5"}}, "unknown-parameter"),
        ({"query": {"salary_max[gte]": "much"}}, "wrong-filter-value"),
        (
            {"format": "pdf", "query": {"fields": ",".join(cast.server.house.resources["jobs"].readable)}},
            "too-many-columns",
        ),
    ]:
        response = await cast.ada.post("/v1/exports", {"resource": "jobs", **body})
        assert (response.status_code, response.json()["code"]) == (400, code)


async def test_it_holds_what_its_owner_sees(cast: Cast) -> None:
    await titles(cast, 2)
    row = await done(cast.ben)
    assert (row["status"], row["done"]) == ("done", 0)


async def test_a_list_that_is_too_long_fails_and_says_why(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(making, "MOST_ROWS_LATER", {"xlsx": 1})
    await titles(cast, 2)
    row = await done(cast.ada, format="xlsx")
    assert (row["status"], row["problem"]["code"]) == ("failed", "too-many-rows")
    refused = await cast.ada.get(f"/v1/exports/{row['id']}/file")
    assert (refused.status_code, refused.json()["code"]) == (409, "not-made-yet")


async def parts_of(cast: Cast, export_id: str) -> list[str]:
    return await cast.server.files.names(f"exports/{export_id}/")


async def test_removing_it_removes_its_file(cast: Cast) -> None:
    await titles(cast, 5)
    row = await done(cast.ada)
    assert len(await parts_of(cast, row["id"])) == 2
    await cast.ada.delete(f"/v1/exports/{row['id']}")
    for _ in range(200):
        if not await parts_of(cast, row["id"]):
            return
        await asyncio.sleep(0.03)
    raise AssertionError("the file is still there")


async def test_one_person_has_only_so_many(starting: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    async with starting(workers="none", data=tmp_path) as cast:
        made = [await cast.ada.made("/v1/exports", {"resource": "jobs"}) for _ in range(5)]
        refused = await cast.ada.post("/v1/exports", {"resource": "jobs"})
        assert (refused.status_code, refused.json()["code"]) == (409, "too-many-exports")
        await cast.ben.made("/v1/exports", {"resource": "jobs"})
        await cast.ada.made(f"/v1/exports/{made[0]['id']}/cancel", {})
        await cast.ada.made("/v1/exports", {"resource": "jobs"})
        for each in made:
            await cast.ada.delete(f"/v1/exports/{each['id']}")
        monkeypatch.setattr("guildhouse.kernel.exporting.export.MOST_KEPT", 1)
        assert (await cast.ada.post("/v1/exports", {"resource": "jobs"})).status_code == 409


async def test_a_file_that_is_gone_is_gone(cast: Cast) -> None:
    row = await done(cast.ada)
    for name in await parts_of(cast, row["id"]):
        await cast.server.files.remove(name)
    gone = await cast.ada.get(f"/v1/exports/{row['id']}/file")
    assert (gone.status_code, gone.json()["code"]) == (410, "export-expired")


async def test_it_is_over_after_a_week(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "KEPT", -keeping.KEPT)
    row = await done(cast.ada)
    await making.KEEPER.remove_expired(Work(cast.server, None, "", 1))
    assert (await cast.ada.get(f"/v1/exports/{row['id']}")).status_code == 404
    await making.KEEPER.remove_expired(Work(cast.server, None, "", 1))


class Killed(BaseException):
    """What no code catches: as if the process had gone."""


async def queued(cast: Cast, **body: Any) -> Work:
    """An export that no worker takes: the test runs its task itself."""
    made = await cast.ada.made("/v1/exports", {"resource": "jobs", **body})
    return Work(cast.server, None, made["id"], 1)


@pytest.mark.parametrize("form", ["csv", "json"])
async def test_a_run_that_was_killed_is_gone_on_with(starting: Any, tmp_path: Any, form: str) -> None:
    async with starting(workers="none", data=tmp_path) as cast:
        await titles(cast, 14)
        work = await queued(cast, format=form, query={"sort": "title", "fields": "title"})
        write, written = cast.server.files.write, list[str]()

        async def dies(name: str, chunks: Any) -> Any:
            if len(written) == 2:
                raise Killed
            written.append(name)
            return await write(name, chunks)

        cast.server.files.write = dies
        with pytest.raises(Killed):
            await making.make(work)
        row = (await cast.ada.get(f"/v1/exports/{work.row_id}")).json()
        assert (row["status"], row["done"], row["total"]) == ("running", 8, 14)
        await cast.ada.made("/v1/jobs", {"title": "Job 001 is already written"})
        await cast.ada.made("/v1/jobs", {"title": "Job 999"})
        cast.server.files.write = write
        await making.make(work)
        again = (await cast.ada.get(f"/v1/exports/{work.row_id}")).json()
        assert (again["status"], again["done"], again["position"]) == ("done", 15, row["position"])
        text = (await cast.ada.get(f"/v1/exports/{work.row_id}/file")).text
        told = [each["title"] for each in orjson.loads(text)["data"]] if form == "json" else text.splitlines()[1:]
        assert told == [*(f"Job {n:03}" for n in range(14)), "Job 999"]
        await making.make(work)
        assert (await cast.ada.get(f"/v1/exports/{work.row_id}")).json()["version"] == again["version"]


async def test_cancelling_stops_it_and_leaves_nothing(starting: Any, tmp_path: Any) -> None:
    async with starting(workers="none", data=tmp_path) as cast:
        await titles(cast, 9)
        work = await queued(cast)
        write = cast.server.files.write

        async def cancelled_meanwhile(name: str, chunks: Any) -> Any:
            stored = await write(name, chunks)
            await cast.ada.made(f"/v1/exports/{work.row_id}/cancel", {})
            return stored

        cast.server.files.write = cancelled_meanwhile
        await making.make(work)
        row = (await cast.ada.get(f"/v1/exports/{work.row_id}")).json()
        assert (row["status"], await parts_of(cast, work.row_id)) == ("cancelled", [])
        await making.KEEPER.give_up(work, RuntimeError())
        assert (await cast.ada.get(f"/v1/exports/{work.row_id}")).json()["status"] == "cancelled"


async def test_a_task_that_fails_for_good_says_so(starting: Any, tmp_path: Any) -> None:
    async with starting(workers="none", data=tmp_path) as cast:
        work = await queued(cast)
        await making.KEEPER.give_up(work, RuntimeError("broken"))
        row = (await cast.ada.get(f"/v1/exports/{work.row_id}")).json()
        assert (row["status"], row["problem"]["code"]) == ("failed", "internal-error")


async def test_progress_is_told_while_a_workbook_is_made(
    starting: Any, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(making, "HEARD_EVERY", 1)
    monkeypatch.setattr("guildhouse.kernel.exporting.fetching.AT_A_TIME", 2)
    async with starting(workers="none", data=tmp_path) as cast:
        await titles(cast, 5)
        work = await queued(cast, format="xlsx", query={"fields": "title"})
        await making.make(work)
        history = (await cast.ada.get(f"/v1/exports/{work.row_id}/history")).json()["data"]
        seen = [each["changes"]["done"]["to"] for each in reversed(history) if "done" in each["changes"]]
        assert seen == [0, 2, 4, 5]
