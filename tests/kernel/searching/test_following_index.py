"""The index follows the log, whatever happens to its files."""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from guildhouse import app
from guildhouse.config import load
from guildhouse.kernel.searching import following_index
from guildhouse.kernel.searching.engine import is_broken
from guildhouse.kernel.searching.following_index import WANTED, IndexFollower, Pace
from guildhouse.kernel.searching.index_schema import schema_of
from guildhouse.kernel.searching.index_set import IndexSet, Rows
from guildhouse.kernel.searching.search_index import READY, SearchIndex, Stand
from tests.cast import Caller, Cast, client_of
from tests.kernel.searching.scenes import Body, add, found, indexed, opened, titles

pytestmark = pytest.mark.anyio


async def ready(cast: Cast) -> IndexSet:
    """The index, once there is one."""
    async with asyncio.timeout(20):
        while cast.server.search.indexes is None:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return cast.server.search.indexes


@asynccontextmanager
async def again(dsn: str, data: Path) -> AsyncIterator[Cast]:
    """Another server on the same database and the same directory, for those who are not signed in."""
    async with app.running(load(data=data, limits=0, pool=5, workers="none"), dsn) as running:
        caller = Caller(client_of(running.asgi))
        yield Cast(running.server, running.asgi, caller, caller, caller, caller, caller)


async def in_index(cast: Cast) -> set[str]:
    """The ids of all open jobs in the index, as everybody sees them."""
    body = await found(cast.nobody, "q=clerk&limit=200")
    assert body["search"]["engine"] == "index"
    return {row["id"] for row in body["data"]}


async def in_table(cast: Cast) -> set[str]:
    return {
        each["id"] for each in await cast.server.database.pool.fetch("SELECT id FROM jobs WHERE deleted_at IS NULL")
    }


async def test_the_index_has_what_the_table_has(cast: Cast) -> None:
    organization = await opened(cast, [{"title": f"Clerk {n}"} for n in range(20)])
    ids = await add(cast, organization, [{"title": f"Clerk {n}"} for n in range(20, 40)])
    for n, row_id in enumerate(ids):
        response = await (
            cast.ada.delete(f"/v1/jobs/{row_id}") if n % 2 else cast.ada.patch(f"/v1/jobs/{row_id}", {"unit": "x"})
        )
        assert response.status_code in (200, 204)
    await indexed(cast, response.headers["log-position"])
    assert await in_index(cast) == await in_table(cast)


async def test_a_server_that_starts_again_goes_on_with_its_index(
    starting: Callable[..., Any], tmp_path: Path, dsn: str
) -> None:
    async with starting() as cast:
        await ready(cast)
        await opened(cast, [{"title": "Clerk"}])
        stood = cast.server.search.pos
    (place,) = (tmp_path / "search").glob("*-*-*")
    async with again(dsn, tmp_path) as cast:
        index = await ready(cast)
        assert index.path == place
        assert index.stand and index.stand.pos <= stood
        assert await in_index(cast) == await in_table(cast)


async def test_files_that_are_gone_or_damaged_are_built_anew(
    starting: Callable[..., Any], tmp_path: Path, dsn: str
) -> None:
    async with starting() as cast:
        await ready(cast)
        await opened(cast, [{"title": "Clerk"}])
    for damage in (lambda path: path.write_bytes(b"nonsense" * 100), lambda path: path.unlink()):
        (place,) = (tmp_path / "search").glob("*-*-*")
        for file in place.rglob("*.*"):
            if file.suffix in (".term", ".idx", ".store", ".json"):
                damage(file)
        async with again(dsn, tmp_path) as cast:
            await ready(cast)
            async with asyncio.timeout(20):
                while (await found(cast.nobody, "q=clerk"))["search"]["engine"] != "index":  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            assert await in_index(cast) == await in_table(cast)


async def test_files_that_go_while_it_runs_are_built_anew(starting: Callable[..., Any], tmp_path: Path) -> None:
    async with starting() as cast:
        await ready(cast)
        organization = await opened(cast, [{"title": "Clerk"}])
        (place,) = (tmp_path / "search").glob("*-*-*")
        shutil.rmtree(place)
        body = {"organization_id": organization["id"], "title": "Clerk of the new", "status": "open"}
        made = await cast.ada.post("/v1/jobs", body)
        async with asyncio.timeout(20):
            while made.json()["id"] not in {row["id"] for row in (await found(cast.nobody, "q=clerk"))["data"]}:  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        await ready(cast)
        assert await in_index(cast) == await in_table(cast)


async def test_until_there_is_an_index_the_database_searches(
    starting: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    built, go_on = IndexFollower.build, asyncio.Event()

    async def wait(self: IndexFollower, *arguments: Any) -> IndexSet:
        await go_on.wait()
        return await built(self, *arguments)

    monkeypatch.setattr(IndexFollower, "build", wait)
    async with starting() as cast:
        await opened(
            cast, [{"title": "Registered nurses"}, {"title": "\u8b77\u7406\u5e2b"}, {"title": "Nurse", "country": "TW"}]
        )
        body = await found(cast.nobody, "q=nurse&facets=country&highlights=true")
        assert {row["title"] for row in body["data"]} == {"Registered nurses", "Nurse"}
        assert (body["search"]["engine"], bool(body["search"]["notice"])) == ("database", True)
        assert body["search"]["facets"]["country"] == [{"value": "TW", "count": 1}]
        assert await titles(cast.nobody, "q=\u62a4\u7406\u5e08") == ["\u8b77\u7406\u5e2b"]
        assert await titles(cast.nobody, "q=nurse+-registered") == ["Nurse"]
        assert await titles(cast.nobody, "q=title:nurse&country=TW") == ["Nurse"]
        assert (await cast.nobody.get("/v1/search?q=nurse")).json()["engine"] == "database"
        assert (await cast.nobody.get("/v1/search/suggest?q=nur")).json() == {"data": []}
        chinese = await cast.nobody.get("/v1/jobs?q=nurse", accept_language="zh-TW")
        assert "\u7d22\u5f15" in chinese.json()["search"]["notice"]
        assert (await cast.nobody.get("/ready")).json()["checks"]["search"]["status"] == "warn"
        go_on.set()
        await ready(cast)
        assert (await found(cast.nobody, "q=nurse"))["search"]["engine"] == "index"


async def test_pages_without_an_index_go_on_too(starting: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: Any) -> IndexSet:
        await asyncio.Event().wait()
        raise AssertionError

    monkeypatch.setattr(IndexFollower, "build", never)
    async with starting() as cast:
        await opened(cast, [{"title": f"Clerk {n}"} for n in range(7)])
        seen: list[str] = []
        cursor = ""
        while cursor is not None:
            body = await found(cast.nobody, "q=clerk&limit=3" + (f"&cursor={cursor}" if cursor else ""))
            seen += [row["title"] for row in body["data"]]
            cursor = body["page"]["next"]
        assert sorted(seen) == [f"Clerk {n}" for n in range(7)]


async def test_a_new_index_is_built_while_the_old_one_answers(starting: Callable[..., Any], tmp_path: Path) -> None:
    async with starting() as cast:
        old = await ready(cast)
        await opened(cast, [{"title": "Clerk"}])
        (tmp_path / "search" / WANTED).touch()
        async with asyncio.timeout(20):
            while cast.server.search.indexes is old:
                assert (await found(cast.nobody, "q=clerk&limit=9"))["search"]["engine"] == "index"
                await asyncio.sleep(0.01)
        assert await in_index(cast) == await in_table(cast)
        async with asyncio.timeout(20):
            while len(list((tmp_path / "search").iterdir())) > 1:  # noqa: ASYNC110 - the old one is taken away
                await asyncio.sleep(0.01)


async def test_of_two_processes_one_writes_and_both_find(
    starting: Callable[..., Any], tmp_path: Path, dsn: str
) -> None:
    async with starting() as first:
        await ready(first)
        await opened(first, [{"title": "Clerk"}])
        async with again(dsn, tmp_path) as second:
            await ready(second)
            assert await titles(second.nobody, "q=clerk") == ["Clerk"]
            organization = (await first.nobody.get("/v1/organizations")).json()["data"][0]
            await add(first, organization, [{"title": "Clerk of the new"}])
            async with asyncio.timeout(20):
                while len(await titles(second.nobody, "q=clerk")) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)


@pytest.fixture
def takings(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many rows each commit of an index took in; three changes are many here."""
    found: list[int] = []
    take_in = IndexSet.take_in

    def noted(self: IndexSet, rows: Sequence[Rows], *stands: Stand) -> None:
        take_in(self, rows, *stands)
        found.append(sum(len(records) for _, _, records in rows))

    monkeypatch.setattr(IndexSet, "take_in", noted)
    monkeypatch.setattr(following_index, "MANY", 3)
    return found


async def write_in_turn(cast: Cast, organization: Body, times: int) -> None:
    """Some batches, one after the other, that nobody waits for to be found."""
    values = {"organization_id": organization["id"], "status": "open", "title": "Clerk"}
    for _ in range(times):
        response = await cast.ada.post("/v1/jobs:batch", {"ops": [{"op": "create", "data": values}] * 4})
        assert response.status_code == 200, response.text


async def taken(takings: list[int], rows: int, seconds: float) -> None:
    """Wait until the index has taken so many rows in."""
    async with asyncio.timeout(seconds):
        while sum(takings) < rows:  # noqa: ASYNC110
            await asyncio.sleep(0.02)


async def test_of_many_rows_more_are_left_to_gather_so_that_few_commits_have_them(
    cast: Cast, takings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_index, "STILL", 0.5)
    organization = await opened(cast, [{"title": "Clerk"}])
    takings.clear()
    await write_in_turn(cast, organization, 8)
    await taken(takings, 32, seconds=20)
    assert len(takings) <= 2
    assert await in_index(cast) == await in_table(cast)


async def test_rows_that_are_written_quickly_one_by_one_gather_too(
    cast: Cast, takings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_index, "MANY", 10)
    organization = await opened(cast, [{"title": "Clerk"}])
    takings.clear()
    values = {"organization_id": organization["id"], "status": "open", "title": "Clerk"}
    for _ in range(40):  # so slowly that a few have come whenever the index looks, and in a second many
        await cast.ada.made("/v1/jobs", values)
        await asyncio.sleep(0.02)
    await taken(takings, 40, seconds=20)
    assert max(takings) >= 15
    assert await in_index(cast) == await in_table(cast)


@pytest.mark.parametrize(
    ("looks", "pace"),
    [
        ([(0.0, 100)], 0),
        ([(0.0, 100), (0.1, 300)], 200),
        ([(0.0, 100), (0.5, 200), (1.0, 300)], 200),
        ([(0.0, 100), (0.5, 200), (1.0, 300), (1.5, 1000)], 800),
        ([(0.0, 100), (2.0, 500)], 200),
        ([(0.0, 100), (2.0, 500), (2.5, 500), (3.0, 500)], 0),
        ([(0.0, 0), (0.25, 200), (0.5, 200), (0.75, 200), (1.0, 200), (1.25, 200)], 0),
    ],
)
def test_the_pace_is_that_of_the_last_second(
    looks: list[tuple[float, int]], pace: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = iter(at for at, _ in looks)
    monkeypatch.setattr(following_index, "monotonic", lambda: next(now))
    of = Pace()
    assert [of.at(pos) for _, pos in looks][-1] == pace


async def test_while_many_come_they_are_taken_in_now_and_then(
    cast: Cast, takings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_index, "STILL", 30.0)
    monkeypatch.setattr(following_index, "LONGEST_GATHERING", 0.2)
    organization = await opened(cast, [{"title": "Clerk"}])
    takings.clear()
    await write_in_turn(cast, organization, 1)
    await taken(takings, 4, seconds=5)


async def test_who_waits_for_rows_to_be_found_ends_their_gathering(
    cast: Cast, takings: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(following_index, "STILL", 30.0)
    monkeypatch.setattr(following_index, "LONGEST_GATHERING", 30.0)
    organization = await opened(cast, [{"title": "Clerk"}])
    await write_in_turn(cast, organization, 1)
    async with asyncio.timeout(5):
        await add(cast, organization, [{}] * 4)
    assert len(await in_index(cast)) == 9


def test_an_index_and_its_position_are_committed_together(tmp_path: Path) -> None:
    schema = schema_of(app.HOUSE).schemas["jobs"]
    index = SearchIndex(schema, tmp_path)
    assert index.claim()
    index.commit(Stand("e1", 7, READY))
    index.write(["jobs:1"], [])
    again = SearchIndex(schema, tmp_path)
    assert again.stand == Stand("e1", 7, READY)
    assert not again.claim()
    index.close()
    assert again.claim()


def test_a_fault_of_a_question_is_no_fault_of_the_index() -> None:
    assert not is_broken(ValueError("An invalid argument was passed: 'x'"))
    assert not is_broken(ConnectionRefusedError())
    assert is_broken(ValueError("Data corrupted: 'x'"))
    assert is_broken(FileNotFoundError())
