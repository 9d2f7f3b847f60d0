"""The whole list: one moment of the database, whoever writes meanwhile; nothing stays behind when the reader leaves."""

import asyncio
import csv
import io
from dataclasses import replace
from typing import Any

import orjson
import pytest

from guildhouse.kernel.answer import Stream
from guildhouse.kernel.db import Note
from guildhouse.kernel.exporting import snapshot as snapshots
from guildhouse.kernel.exporting.encoding import ENCODERS, text_rows
from guildhouse.kernel.exporting.snapshot import snapshot
from guildhouse.kernel.exporting.telling import Telling
from guildhouse.kernel.exporting.wanted import wanted_of
from guildhouse.kernel.formats import NDJSON, cell
from guildhouse.kernel.pages import Cursor
from tests.cast import Cast

pytestmark = pytest.mark.anyio

# Each line is one that some reader of CSV or JSON has stumbled over.
HOSTILE = [
    "=1+1", "'=1+1", "''@x", "+886 2", "-1", "@SUM(A1)", "\ttab", "\uff1dA1", "plain", "a,b;c", 'say "hi"', "back\\slash",
    "\\.", "two\nlines", "cr\r\nlf", "\x01\x02", "\x7f\u2028", "臺北 👩‍💻", "שלום עולם", "ܫܠܡܐ", "{}", "null", "NULL",
    "  blank  ",
]  # fmt: skip


async def tracked(cast: Cast, **values: Any) -> dict[str, Any]:
    return await cast.ada.made("/v1/jobs", {"title": "Baker", **values})


async def test_every_text_comes_out_as_it_went_in(cast: Cast) -> None:
    for text in HOSTILE:
        await tracked(cast, title="x", description=text, tags=[text.strip()[:70], "b"])
    await tracked(cast, title="x", description="", tags=[])
    query = "sort=created_at&fields=description,tags"
    page = (await cast.ada.get(f"/v1/jobs?{query}&limit=200")).json()["data"]
    whole = await cast.ada.get(f"/v1/jobs:export?format=ndjson&{query}")
    assert [orjson.loads(line) for line in whole.content.split(b"\n")[:-1]] == page
    assert [row["description"] for row in page] == [*HOSTILE, ""]
    text = (await cast.ada.get(f"/v1/jobs:export?format=csv&{query}")).content.decode()
    read = list(csv.reader(io.StringIO(text, newline="")))
    assert read[1:] == [[cell(row["description"]), cell(row["tags"])] for row in page]


async def test_numbers_times_and_places_are_those_of_the_page(cast: Cast) -> None:
    await tracked(cast, latitude=25.033, longitude=-0.0000001, salary_min=0.1, salary_max=9_999_999_999,
                  salary_currency="TWD", salary_period="month", posted_at="2026-01-01T00:00:00Z")  # fmt: skip
    await tracked(cast, posted_at="2026-01-01T00:00:00.123Z", closes_on="2030-01-31")
    page = (await cast.ada.get("/v1/jobs?sort=created_at")).json()["data"]
    whole = (await cast.ada.get("/v1/jobs:export?sort=created_at")).json()["data"]
    assert whole == page
    assert [row["posted_at"] for row in whole] == ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00.123000Z"]


async def test_an_empty_list_is_still_a_file(cast: Cast) -> None:
    assert (await cast.ada.get("/v1/jobs:export")).json() == {"data": []}
    assert (await cast.ada.get("/v1/jobs:export?format=csv&fields=id,title")).text == "id,title\n"
    assert (await cast.ada.get("/v1/jobs:export?format=ndjson")).content == b""


async def test_an_expansion_shows_only_what_the_actor_sees(cast: Cast) -> None:
    place = await cast.ada.made("/v1/organizations", {"name": "=Hidden", "kind": "employer"})
    await cast.otto.made(f"/v1/organizations/{place['id']}/approve", {})
    job = await cast.ada.made("/v1/jobs", {"organization_id": place["id"], "title": "Baker"})
    await cast.ada.made(f"/v1/jobs/{job['id']}/publish", {})
    address = "/v1/jobs:export?fields=title,organization.name,organization.status"
    assert (await cast.ben.get(f"{address}&format=csv")).text.splitlines()[1] == "Baker,'=Hidden,approved"
    await cast.otto.made(f"/v1/organizations/{place['id']}/suspend", {"reason": "unreachable"})
    assert (await cast.ben.get(f"{address}&format=csv")).text.splitlines()[1] == "Baker,,"
    assert (await cast.ben.get(address)).json() == {"data": [{"title": "Baker", "organization": None}]}
    assert (await cast.ada.get(address)).json()["data"][0]["organization"]["status"] == "suspended"


async def test_a_key_without_the_permission_may_not_export(cast: Cast) -> None:
    key = (await cast.ada.made("/v1/api-keys", {"name": "k", "permissions": ["jobs.read"]}))["key"]
    assert (await cast.nobody.get("/v1/jobs:export", authorization=f"Bearer {key}")).status_code == 200
    assert (await cast.nobody.get("/v1/people:export", authorization=f"Bearer {key}")).status_code == 403
    refused = await cast.nobody.get("/v1/jobs:export?expand=organization", authorization=f"Bearer {key}")
    assert refused.status_code == 403


async def test_it_shows_one_moment_and_says_which(cast: Cast) -> None:
    await tracked(cast, title="before")
    async with snapshot(cast.server.database) as view:
        await tracked(cast, title="after")
        wanted = wanted_of(cast.server.house, cast.server.house.resources["jobs"], [("fields", "title")], NDJSON)
        actor = await cast.server.identity.actor_of(view.connection, cast.ada.id)
        pieces = [each async for each in ENCODERS[NDJSON](view, wanted, Telling(actor, "en", "G"))]
    assert b"".join(pieces) == b'{"title":"before"}\n'
    whole = await cast.ada.get("/v1/jobs:export")
    assert whole.headers["log-position"].startswith(cast.server.tail.epoch)


async def test_a_part_of_it_begins_behind_a_row(cast: Cast) -> None:
    for title in ("a", "b", "c", "d"):
        await tracked(cast, title=title)
    house = cast.server.house
    for fields in ("title,id", "id"):
        wanted = wanted_of(house, house.resources["jobs"], [("sort", "title"), ("fields", fields)], NDJSON)
        assert wanted.after is None and not wanted.is_judged
    row = (await cast.ada.get("/v1/jobs?title=b")).json()["data"][0]
    async with snapshot(cast.server.database) as view:
        actor = await cast.server.identity.actor_of(view.connection, cast.ada.id)
        asked = wanted_of(house, house.resources["jobs"], [("sort", "title"), ("fields", "title")], NDJSON)
        part = replace(asked, after=Cursor(("b", row["id"])), most=1)
        assert b"".join([each async for each in text_rows(view, part, actor)]) == b'{"title":"c"}\n'


async def test_there_are_only_so_many_at_once(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(snapshots, "MOST_AT_ONCE", 1)
    async with snapshot(cast.server.database):
        refused = await cast.ada.get("/v1/jobs:export")
        assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert (await cast.ada.get("/v1/jobs:export")).status_code == 200


async def test_asking_for_the_head_opens_and_leaves_nothing(cast: Cast) -> None:
    response = await cast.ada.call("HEAD", "/v1/jobs:export?format=csv")
    assert (response.status_code, response.content) == (200, b"")
    assert await open_snapshots(cast) == 0


async def open_snapshots(cast: Cast) -> int:
    """Sessions that are in a transaction, or in a statement, beside the one that asks."""
    await asyncio.sleep(0)
    for _ in range(100):
        count = await cast.server.database.pool.fetchval(
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND (state LIKE 'idle in%' OR query ILIKE 'COPY%' AND state = 'active')"
        )
        if count == 0:
            break
        await asyncio.sleep(0.02)
    return int(count)


async def test_a_reader_who_hangs_up_frees_the_cursor(cast: Cast) -> None:
    async with cast.server.database.writing(Note()) as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute(
            "INSERT INTO jobs (id, person_id, title, description, skills, tags, posted_at, source, status, scopes) "
            "SELECT gen_random_uuid(), $1, 'n' || n, repeat('x', 2000), '{}', '{}', now(), '', 'open', $2 "
            "FROM generate_series(1, 20000) n",
            cast.ada.id, [f"person:{cast.ada.id}"],
        )  # fmt: skip
    sent, gone = 0, asyncio.Event()
    token = cast.ada.client.headers["authorization"].encode()

    async def receive() -> dict[str, Any]:
        await gone.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        nonlocal sent
        sent += len(message.get("body", b""))
        if sent > 100_000:
            gone.set()
            await asyncio.sleep(3600)

    scope = {
        "type": "http", "method": "GET", "path": "/v1/jobs:export", "query_string": b"format=ndjson",
        "raw_path": b"/v1/jobs:export", "headers": [(b"authorization", token)], "client": ("127.0.0.1", 1),
    }  # fmt: skip
    await asyncio.wait_for(cast.edge(scope, receive, send), 10)
    assert 100_000 < sent < 10_000_000
    assert await open_snapshots(cast) == 0


async def test_a_reader_who_stands_still_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("guildhouse.kernel.answer.STALLED", 0.01)

    async def chunks() -> Any:
        yield b"a"

    async def never(_message: Any = None) -> Any:
        await asyncio.sleep(3600)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.body":
            await never()

    with pytest.raises(TimeoutError):
        await Stream(200, chunks=chunks(), receive=never).send(send)
