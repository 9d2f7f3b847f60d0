"""Recent searches: one's own, few, forgotten for good, and kept only for those who want that."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from guildhouse.kernel.searching.heard import Searched
from guildhouse.kernel.tasks import Work
from guildhouse.searches import recent_search
from guildhouse.searches.recent_search import forget_old
from tests.accounts.test_takeout import lines, taken
from tests.cast import Caller, Cast
from tests.organizations.scenes import Wrote, ids, refusal
from tests.searches.looking import told

pytestmark = pytest.mark.anyio
IN_LOG = "SELECT count(*) FROM changes WHERE resource = 'recent_searches' AND coalesce(after, before)::text ILIKE $1"


def search(cast: Cast, caller: Caller, q: str, resource: str | None = "jobs", **more: Any) -> None:
    """Somebody searches; the list's door says so."""
    values = {"found": 3, "shown": 3, "milliseconds": 5.0, **more}
    cast.server.ear.hear(Searched(resource, q, caller.id or None, **values))


async def recent(caller: Caller) -> list[dict[str, Any]]:
    """What somebody searched last."""
    rows: list[dict[str, Any]] = (await caller.get("/v1/recent-searches")).json()["data"]
    return rows


async def test_what_was_searched_is_there_for_its_person_alone(cast: Cast) -> None:
    search(cast, cast.cleo, "nurse", query={"country": "TW"}, found=7)
    search(cast, cast.nobody, "baker")
    search(cast, cast.cleo, "   ")
    await told(cast)
    rows = await recent(cast.cleo)
    said = [(each["resource"], each["q"], each["query"], each["found"], each["times"]) for each in rows]
    assert said == [("jobs", "nurse", {"country": "TW"}, 7, 1)]
    assert rows[0]["address"] == "/v1/jobs?country=TW&q=nurse"
    for other in (cast.ada, cast.otto):
        assert await recent(other) == []
        assert (await other.get(f"/v1/recent-searches/{rows[0]['id']}")).status_code == 404
        assert (await other.delete(f"/v1/recent-searches/{rows[0]['id']}")).status_code == 404


async def test_the_server_writes_it_down_by_itself(cast: Cast) -> None:
    search(cast, cast.cleo, "nurse")
    async with asyncio.timeout(5):
        while not (rows := await recent(cast.cleo)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert [each["q"] for each in rows] == ["nurse"]


async def test_the_same_search_again_is_the_same_row(cast: Cast, wrote: Wrote) -> None:
    begun = datetime.now(UTC)
    for minutes, q in enumerate(("nurse", "baker", "nurse")):
        search(cast, cast.cleo, q, found=minutes, at=begun + timedelta(minutes=minutes))
        await told(cast)
    search(cast, cast.cleo, "nurse", None, found=None, at=begun - timedelta(minutes=1))
    await told(cast)
    rows = await recent(cast.cleo)
    assert [(each["resource"], each["q"], each["times"], each["found"]) for each in rows] == [
        ("jobs", "nurse", 2, 2), ("jobs", "baker", 1, 1), (None, "nurse", 1, None),
    ]  # fmt: skip
    assert rows[2]["address"] == "/v1/search?q=nurse"
    await wrote(*["recent_search.created"] * 3, "recent_search.repeated")


async def test_what_somebody_types_is_one_search_whichever_process_heard_it(cast: Cast) -> None:
    begun = datetime.now(UTC)
    for second, q in enumerate(("nu", "nurse", "nurse ni", "nurse night", "nurse ni")):
        search(cast, cast.cleo, q, at=begun + timedelta(seconds=second))
        await told(cast)
        cast.server.ear.latest = {}  # as another process knows nothing of it
    search(cast, cast.cleo, "nurse nights", at=begun + timedelta(minutes=1))
    search(cast, cast.ben, "nurse")
    search(cast, cast.cleo, "nurse", "people")
    await told(cast)
    mine = [(each["resource"], each["q"]) for each in await recent(cast.cleo)]
    assert sorted(mine) == [("jobs", "nurse night"), ("jobs", "nurse nights"), ("people", "nurse")]
    assert [each["q"] for each in await recent(cast.ben)] == ["nurse"]
    assert await cast.server.database.pool.fetchval(IN_LOG, '%"nurse ni"%') == 0


async def test_a_search_that_was_made_before_is_not_taken_for_typing(cast: Cast) -> None:
    begun = datetime.now(UTC)
    for minutes in (0, 5):
        search(cast, cast.cleo, "nurse", at=begun + timedelta(minutes=minutes))
        await told(cast)
    search(cast, cast.cleo, "nurse night", at=begun + timedelta(minutes=5, seconds=3))
    await told(cast)
    assert [(each["q"], each["times"]) for each in await recent(cast.cleo)] == [("nurse night", 1), ("nurse", 2)]


async def test_only_the_newest_are_kept_and_of_the_others_nothing(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recent_search, "TOO_MANY", recent_search.TOO_MANY.replace("> 50", "> 3"))
    begun = datetime.now(UTC)
    for n in range(5):
        search(cast, cast.cleo, f"search {n}", at=begun + timedelta(seconds=n))
    search(cast, cast.ben, "another's")
    await told(cast)
    assert [each["q"] for each in await recent(cast.cleo)] == ["search 4", "search 3", "search 2"]
    assert [each["q"] for each in await recent(cast.ben)] == ["another's"]
    assert await cast.server.database.pool.fetchval(IN_LOG, "%search 0%") == 0
    assert await cast.server.database.pool.fetchval(IN_LOG, "%search 4%") == 1


async def test_one_is_forgotten_and_then_all_and_the_log_forgets_with_them(cast: Cast) -> None:
    for q in ("secret illness", "glazier", "baker"):
        search(cast, cast.cleo, q)
    search(cast, cast.ben, "welder")
    await told(cast)
    secret = next(each for each in await recent(cast.cleo) if each["q"] == "secret illness")
    assert (await cast.cleo.delete(f"/v1/recent-searches/{secret['id']}")).status_code == 204
    assert (await cast.cleo.delete(f"/v1/recent-searches/{secret['id']}")).status_code == 404
    assert len(await recent(cast.cleo)) == 2
    assert await cast.server.database.pool.fetchval(IN_LOG, "%illness%") == 0
    dry = (await cast.cleo.post("/v1/recent-searches:clear", prefer="tx=rollback")).json()
    assert [each["event"] for each in dry["changes"]].count("recent_search.erased") == 2
    assert len(await recent(cast.cleo)) == 2
    assert (await cast.cleo.post("/v1/recent-searches:clear")).status_code == 204
    assert await recent(cast.cleo) == []
    assert await cast.server.database.pool.fetchval(IN_LOG, "%glazier%") == 0
    assert [each["q"] for each in await recent(cast.ben)] == ["welder"]
    assert (await cast.nobody.post("/v1/recent-searches:clear")).status_code == 401


async def test_a_person_can_have_none_kept(cast: Cast) -> None:
    assert (await cast.cleo.get(f"/v1/people/{cast.cleo.id}")).json()["keeps_searches"] is True
    await cast.cleo.patch(f"/v1/people/{cast.cleo.id}", {"keeps_searches": False})
    search(cast, cast.cleo, "nurse")
    await told(cast)
    assert await recent(cast.cleo) == []
    await cast.cleo.patch(f"/v1/people/{cast.cleo.id}", {"keeps_searches": True})
    search(cast, cast.cleo, "baker")
    await told(cast)
    assert [each["q"] for each in await recent(cast.cleo)] == ["baker"]


async def test_the_choice_is_nobody_elses_to_see_or_make(cast: Cast) -> None:
    address = f"/v1/people/{cast.cleo.id}"
    assert (await cast.otto.get(address)).json()["keeps_searches"] is None
    assert (await cast.nobody.get(address)).status_code in (401, 404)
    assert refusal(await cast.ben.patch(address, {"keeps_searches": False})) == (403, "denied")


async def test_old_ones_are_forgotten_by_themselves(cast: Cast) -> None:
    now = datetime.now(UTC)
    search(cast, cast.cleo, "long ago", at=now - timedelta(days=31))
    search(cast, cast.cleo, "lately", at=now - timedelta(days=29))
    await told(cast)
    await forget_old(Work(cast.server, None, "", 1))
    assert [each["q"] for each in await recent(cast.cleo)] == ["lately"]
    assert await cast.server.database.pool.fetchval(IN_LOG, "%long ago%") == 0


async def test_what_is_held_is_not_forgotten(cast: Cast) -> None:
    search(cast, cast.cleo, "evidence", at=datetime.now(UTC) - timedelta(days=31))
    await told(cast)
    body = {"resource": "people", "row_id": cast.cleo.id, "everything": True, "reason": "A lawsuit"}
    hold = await cast.otto.made("/v1/holds", body)
    await forget_old(Work(cast.server, None, "", 1))
    row = (await recent(cast.cleo))[0]
    assert refusal(await cast.cleo.delete(f"/v1/recent-searches/{row['id']}")) == (409, "held")
    await cast.otto.made(f"/v1/holds/{hold['id']}/release", {})
    assert (await cast.cleo.delete(f"/v1/recent-searches/{row['id']}")).status_code == 204


async def test_all_that_somebody_searched_goes_with_them(cast: Cast) -> None:
    search(cast, cast.cleo, "where to run")
    await cast.cleo.made(
        "/v1/saved-searches", {"name": "Away from here", "resource": "jobs", "query": {"city": "Lisbon"}}
    )
    await told(cast)
    assert (await cast.otto.post(f"/v1/people/{cast.cleo.id}/erase", {"email": "cleo@example.org"})).status_code == 204
    for table in ("recent_searches", "saved_searches", "search_matches"):
        assert await cast.server.database.pool.fetchval(f"SELECT count(*) FROM {table}") == 0
    texts = "SELECT string_agg(concat(before::text, after::text), ' ') FROM changes WHERE resource LIKE '%search%'"
    said = await cast.server.database.pool.fetchval(texts)
    assert not any(word in said for word in ("where to run", "Lisbon", "Away from here"))


async def test_it_is_in_the_take_out(cast: Cast) -> None:
    search(cast, cast.cleo, "nurse")
    await told(cast)
    await cast.cleo.made("/v1/saved-searches", {"name": "Mine", "resource": "jobs"})
    archive = await taken(cast.cleo)
    assert [each["q"] for each in lines(archive, "data/recent-searches.guildhouse.ndjson")[1:]] == ["nurse"]
    assert [each["name"] for each in lines(archive, "data/saved-searches.guildhouse.ndjson")[1:]] == ["Mine"]


async def test_what_is_too_long_to_be_typed_again_is_not_kept(cast: Cast) -> None:
    search(cast, cast.cleo, "x" * 10_000)
    search(cast, cast.cleo, "護" * 200)
    search(cast, cast.cleo, "nurse", query={"city": "y" * 3_000})
    await told(cast)
    assert [each["q"] for each in await recent(cast.cleo)] == ["護" * 200]


async def test_a_list_of_them_is_filtered_like_any_other(cast: Cast) -> None:
    search(cast, cast.cleo, "nurse")
    search(cast, cast.cleo, "guild", "organizations")
    await told(cast)
    assert len(ids(await cast.cleo.get("/v1/recent-searches?resource=organizations"))) == 1
    assert len(ids(await cast.cleo.get("/v1/recent-searches?searched_at[within]=1h"))) == 2


async def test_of_many_searches_at_once_only_those_that_are_kept_are_ever_written(cast: Cast) -> None:
    begun = datetime.now(UTC)
    for n in range(recent_search.MOST * 3):
        search(cast, cast.cleo, f"{n:03} nurses", at=begun + timedelta(milliseconds=n))
    async with cast.server.database.reading() as connection:
        before = await connection.fetchval("SELECT count(*) FROM changes")
        await told(cast)
        written = await connection.fetchval("SELECT count(*) FROM changes") - before
    assert written == recent_search.MOST
    searched = [each["q"] for each in (await cast.cleo.get("/v1/recent-searches?limit=100")).json()["data"]]
    assert searched == [f"{n:03} nurses" for n in reversed(range(recent_search.MOST * 2, recent_search.MOST * 3))]


async def test_of_several_people_each_has_their_own_written_with_one_statement_for_all(
    cast: Cast, wrote: Wrote
) -> None:
    begun = datetime.now(UTC)
    for n, caller in enumerate((cast.ada, cast.ben, cast.cleo)):
        search(cast, caller, "nurs", at=begun)
        search(cast, caller, f"baker {n}", at=begun)
    await told(cast)
    for n, caller in enumerate((cast.ada, cast.ben, cast.cleo)):  # all go on to type; Ada repeats what she had
        search(cast, caller, "nurse", at=begun + timedelta(seconds=5))
        search(cast, caller, f"baker {0 if n == 0 else n + 7}", at=begun + timedelta(seconds=6))
    await told(cast)
    found = [sorted((each["q"], each["times"]) for each in await recent(each)) for each in (cast.ada, cast.ben)]
    assert found == [[("baker 0", 2), ("nurse", 1)], [("baker 1", 1), ("baker 8", 1), ("nurse", 1)]]
    gone = ["recent_search.erased", "recent_search.forgotten"] * 3
    await wrote(*["recent_search.created"] * 11, "recent_search.repeated", *gone)
