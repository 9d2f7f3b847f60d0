"""Statistics: true counts for staff, no words that few have used, and nobody behind any of them."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from guildhouse.kernel.searching.heard import Searched
from guildhouse.kernel.tasks import Work
from guildhouse.searches.tally import forget_counts, normalised
from tests.cast import Cast
from tests.organizations.scenes import refusal
from tests.searches.looking import told

pytestmark = pytest.mark.anyio
Told = dict[str, Any]


def search(cast: Cast, q: str, who: str | None, resource: str | None = "jobs", **more: Any) -> None:
    """Somebody, by an id, searches; the list's door says so."""
    cast.server.ear.hear(Searched(resource, q, who, **{"found": 3, "shown": 3, "milliseconds": 10.0, **more}))


def person(n: int) -> str:
    """The id of somebody."""
    return str(UUID(int=n + 1))


def crowd(cast: Cast, q: str, people: int, **more: Any) -> None:
    """So many different people search the same."""
    for n in range(people):
        search(cast, q, person(n), **more)


async def statistics(cast: Cast, resource: str | None = "jobs", query: str = "") -> Told:
    """What staff is told of one list."""
    await told(cast)
    response = await cast.otto.get(f"/v1/search-statistics{query}")
    assert response.status_code == 200, response.text
    found: list[Told] = [each for each in response.json()["data"] if each["resource"] == resource]
    return found[0]


def words(counts: list[Told]) -> list[str]:
    return [each["q"] for each in counts]


async def everything_stored(cast: Cast) -> str:
    """All that any table says, but for those of the persons' own searches."""
    tables = ("search_tallies", "search_askers", "search_ranks")
    pool = cast.server.database.pool
    return " ".join([str(await pool.fetch(f"SELECT * FROM {table}")) for table in tables])


async def test_staff_reads_them_and_nobody_else(cast: Cast) -> None:
    coach, moderator = await cast.join("Cora", "coach"), await cast.join("Mo", "moderator")
    for caller in (cast.otto, coach, moderator):
        assert (await caller.get("/v1/search-statistics")).json() == {"days": 30, "people_needed": 5, "data": []}
    for stranger in (cast.ada, cast.cleo):
        assert refusal(await stranger.get("/v1/search-statistics")) == (403, "denied")
    assert refusal(await cast.nobody.get("/v1/search-statistics")) == (401, "unauthenticated")


async def test_words_are_shown_once_enough_different_people_have_used_them(cast: Cast) -> None:
    crowd(cast, "nurse", 4)
    for _ in range(20):
        search(cast, "nurse", person(0))
        search(cast, "nurse", None)
    found = await statistics(cast)
    assert (found["searches"], found["unnamed"], found["most_frequent"]) == (44, 44, [])
    assert "nurse" not in await everything_stored(cast)
    search(cast, " NURSE ", person(4))
    found = await statistics(cast)
    assert (found["searches"], found["unnamed"]) == (45, 0)
    assert [(each["q"], each["searches"]) for each in found["most_frequent"]] == [("nurse", 45)]


async def test_how_many_are_enough_is_a_setting(cast: Cast) -> None:
    cast.server.config, kept = cast.server.config.model_copy(update={"search_privacy": 2}), cast.server.config
    crowd(cast, "nurse", 1)
    crowd(cast, "baker", 2)
    try:
        assert words((await statistics(cast))["most_frequent"]) == ["baker"]
    finally:
        cast.server.config = kept


async def test_nothing_that_is_stored_names_a_person(cast: Cast) -> None:
    everybody = [cast.ada, cast.ben, cast.cleo, cast.otto, await cast.join("Eve")]
    for caller in everybody:
        search(cast, "nurse", caller.id)
        search(cast, "baker", caller.id)
    await told(cast)
    stored = await everything_stored(cast)
    assert "nurse" in stored
    assert not any(each.id in stored or each.name.lower() in stored.lower() for each in everybody)
    pool = cast.server.database.pool
    assert await pool.fetchval("SELECT count(DISTINCT person) FROM search_askers") == 10  # nobody is the same twice


async def test_what_finds_nothing_and_what_is_slow(cast: Cast) -> None:
    crowd(cast, "nurse", 5)
    crowd(cast, "alchemist", 5, found=0, shown=0)
    crowd(cast, "unicorn tamer", 3, found=0, shown=0)
    crowd(cast, "engineer", 5, found=None, shown=0, milliseconds=900.0)
    search(cast, "nurse", None, found=0, shown=0)
    found = await statistics(cast)
    assert [(each["q"], each["found_nothing"]) for each in found["finding_nothing"]] == [
        ("alchemist", 5), ("engineer", 5), ("nurse", 1),
    ]  # fmt: skip
    assert (found["found_nothing"], found["unnamed"], found["slow"]) == (14, 3, 5)
    assert next((each["q"], each["mean_ms"]) for each in found["slowest"]) == ("engineer", 900.0)
    assert found["slowest_ms"] == 900.0
    assert found["mean_ms"] == pytest.approx((14 * 10 + 5 * 900) / 19, abs=0.1)


async def test_lists_are_told_apart_and_so_is_the_search_over_all(cast: Cast) -> None:
    crowd(cast, "nurse", 5)
    crowd(cast, "nurse", 5, resource=None)
    crowd(cast, "nurse", 4, resource="organizations")
    assert (await statistics(cast))["searches"] == 5
    assert words((await statistics(cast, None))["most_frequent"]) == ["nurse"]
    assert (await statistics(cast, "organizations"))["most_frequent"] == []


async def test_clicks_by_the_place_that_was_opened(cast: Cast) -> None:
    crowd(cast, "nurse", 5, shown=3)
    search(cast, "nurse", None, shown=1)
    for rank in (1, 1, 1, 2, 70):
        body = {"resource": "jobs", "q": "Nurse", "rank": rank}
        assert (await cast.cleo.post("/v1/search:click", body)).status_code == 204
    assert (await cast.nobody.post("/v1/search:click", {"resource": "jobs", "q": "rare", "rank": 3})).status_code == 204
    found = await statistics(cast)
    assert [(each["rank"], each["shown"], each["clicks"], each["rate"]) for each in found["ranks"]] == [
        (1, 6, 3, 0.5), (2, 5, 1, 0.2), (3, 5, 1, 0.2),
    ]  # fmt: skip
    assert (found["clicks"], found["most_frequent"][0]["clicks"]) == (6, 5)
    assert "rare" not in await everything_stored(cast)


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"resource": "sessions", "q": "x", "rank": 1}, "/resource"),
        ({"resource": "jobs", "q": "x", "rank": 0}, "/rank"),
        ({"resource": "jobs", "q": "", "rank": 1}, "/q"),
        ({"resource": "jobs", "q": "x", "rank": 1.5}, "/rank"),
    ],
)
async def test_a_click_that_cannot_be_is_refused(cast: Cast, body: Told, pointer: str) -> None:
    response = await cast.cleo.post("/v1/search:click", body)
    assert refusal(response) == (422, "invalid")
    assert [each["pointer"] for each in response.json()["errors"]] == [pointer]


async def test_the_days_that_are_asked_for(cast: Cast) -> None:
    now = datetime.now(UTC)
    crowd(cast, "nurse", 5, at=now - timedelta(days=3))
    search(cast, "nurse", person(0), at=now)
    assert (await statistics(cast, query="?days=7"))["searches"] == 6
    assert (await statistics(cast, query="?days=1"))["searches"] == 1
    for query in ("days=0", "days=401", "days=x", "days=-1", "days=1.5", "days=99999999999999999999", "day=3"):
        response = await cast.otto.get(f"/v1/search-statistics?{query}")
        assert refusal(response)[0] == 400, query


async def test_digests_go_after_a_month_and_counts_after_a_year(cast: Cast) -> None:
    pool = cast.server.database.pool
    for days_later in (469, 31, 0):
        crowd(cast, "nurse", 5)
        crowd(cast, "rare", 1)
        await told(cast)
        for table in ("search_tallies", "search_askers", "search_ranks"):
            await pool.execute(f"UPDATE {table} SET day = day - $1::int", days_later)
    await forget_counts(Work(cast.server, None, "", 1))
    ages = await pool.fetch("SELECT DISTINCT current_date - day AS age, words FROM search_tallies WHERE digest <> ''")
    assert {tuple(each) for each in ages} == {(0, "nurse"), (31, "nurse"), (0, None)}
    assert await pool.fetchval("SELECT max(current_date - day) FROM search_askers") == 0
    found = await statistics(cast, query="?days=60")
    assert (found["searches"], found["unnamed"]) == (12, 2)


async def test_people_of_long_ago_do_not_count_with_those_of_today(cast: Cast) -> None:
    crowd(cast, "nurse", 4, at=datetime.now(UTC) - timedelta(days=31))
    search(cast, "nurse", person(9))
    assert (await statistics(cast, query="?days=60"))["most_frequent"] == []


async def test_two_servers_count_beside_each_other(cast: Cast) -> None:
    heard = [Searched("jobs", "nurse", person(n), 1, 1, 1.0) for n in range(6)]
    for half in (heard[:3], heard[3:]):
        cast.server.ear.heard.extend(half)
        await cast.server.ear.tell(cast.server)
    found = await statistics(cast)
    assert [(each["q"], each["searches"]) for each in found["most_frequent"]] == [("nurse", 6)]


def test_words_are_counted_alike_whatever_their_case_width_and_blanks() -> None:
    assert normalised("  ＮＵＲＳＥ \t job ") == normalised("nurse  JOB") == "nurse job"
    assert normalised("護理師") != normalised("護士")


async def test_hostile_searches_are_counted_and_nothing_breaks(cast: Cast) -> None:
    for q in ("x" * 10_000, "' OR 1=1 --", "🦄" * 50, "\u202e", "{}", "%s %(x)s", "\\"):
        crowd(cast, q, 5)
    found = await statistics(cast)
    assert found["searches"] == 35
    assert all(len(q) <= 200 for q in words(found["most_frequent"]))


async def test_what_somebody_types_counts_once_whenever_it_is_told(cast: Cast) -> None:
    begun = datetime.now(UTC)
    for n in range(6):
        for second, (q, found) in enumerate((("nur", 0), ("nurse", 9), ("nurse n", 0), ("nurse night", 2))):
            at = begun + timedelta(seconds=second)
            search(cast, q, person(n), found=found, shown=found, milliseconds=100.0 - second, at=at)
            if n % 2:
                await told(cast)
    search(cast, "nur", None, found=1, shown=1, milliseconds=1.0)
    listed = await statistics(cast)
    assert (listed["searches"], listed["found_nothing"], listed["slowest_ms"]) == (7, 0, 100.0)
    assert [(each["q"], each["searches"]) for each in listed["most_frequent"]] == [("nurse night", 6)]
    assert [(each["rank"], each["shown"]) for each in listed["ranks"] if each["shown"]] == [(1, 7), (2, 6)]
    assert listed["mean_ms"] == pytest.approx((6 * 97 + 1) / 7, abs=0.1)
    assert await cast.server.database.pool.fetchval("SELECT count(*) FROM search_askers") == 6
