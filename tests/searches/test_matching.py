"""Matching: what comes to fit is recorded within a second, once, and only while its person sees it."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from time import monotonic

import asyncpg
import pytest

from guildhouse.accounts.person import people
from guildhouse.app import HOUSE
from guildhouse.jobs.job import jobs
from guildhouse.kernel import actor, store
from guildhouse.kernel.actor import Actor
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Connection, Database, Note
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.log.readers.reader import ReaderLoop
from guildhouse.kernel.log.sequencer import stamp
from guildhouse.kernel.log.wake import Wake
from guildhouse.searches.matching import search_matcher
from guildhouse.searches.saved_search import saved_searches
from guildhouse.searches.search_match import search_matches
from guildhouse.searches.sight import Sight
from tests.cast import Cast
from tests.jobs.openings import hiring, posted, tracked
from tests.organizations.scenes import Wrote, ids, refusal
from tests.searches.looking import caught_up, matched, rows_of, saved

pytestmark = pytest.mark.anyio


async def test_a_new_job_that_fits_is_a_match_within_a_second(cast: Cast) -> None:
    organization = await hiring(cast)
    wanted = await saved(cast.cleo, **{"status": "open", "country": "TW", "salary_max[gte]": "50000"})
    pay = {"salary_max": 60000, "salary_currency": "TWD", "salary_period": "month"}
    fits = await posted(cast, organization, country="TW", **pay)
    begun = monotonic()
    assert await matched(cast.cleo, wanted, 1) == [fits["id"]]
    assert monotonic() - begun < 1
    await posted(cast, organization, country="JP", **pay)
    await posted(cast, organization, country="TW")
    await posted(cast, organization, country="TW", status="draft", **pay)
    await caught_up(cast)
    match = (await cast.cleo.get("/v1/search-matches?expand=saved_search")).json()["data"]
    assert [(each["row_id"], each["resource"], each["seen_at"]) for each in match] == [(fits["id"], "jobs", None)]
    assert match[0]["saved_search"]["name"] == "What I look for"


async def test_a_choice_that_is_called_by_the_words_is_a_match_once_it_is_made(cast: Cast) -> None:
    organization = await hiring(cast)
    wanted = await saved(cast.cleo, q="遠端 護理師")
    job = await posted(cast, organization, title="Registered nurse", workplace="on_site")
    await caught_up(cast)
    assert await rows_of(cast.cleo, wanted) == []
    await cast.ada.patch(f"/v1/jobs/{job['id']}", {"workplace": "remote"})
    assert await matched(cast.cleo, wanted, 1) == [job["id"]]


async def test_a_row_that_changes_so_that_it_fits_is_a_match_once(cast: Cast) -> None:
    organization = await hiring(cast)
    wanted = await saved(cast.cleo, **{"status": "open", "salary_max[gte]": "50000"})
    pay = {"salary_max": 40000, "salary_currency": "TWD", "salary_period": "month"}
    job = await posted(cast, organization, status="draft", **pay)
    await cast.ada.made(f"/v1/jobs/{job['id']}/publish", {})
    await caught_up(cast)
    assert await rows_of(cast.cleo, wanted) == []
    await cast.ada.patch(f"/v1/jobs/{job['id']}", {"salary_max": 70000})
    assert await matched(cast.cleo, wanted, 1) == [job["id"]]
    await cast.ada.patch(f"/v1/jobs/{job['id']}", {"salary_max": 80000, "title": "Another"})
    await caught_up(cast)
    assert await rows_of(cast.cleo, wanted) == [job["id"]]


async def test_what_was_there_before_is_no_news_when_something_else_of_it_changes(cast: Cast) -> None:
    organization = await hiring(cast)
    job = await posted(cast, organization, country="TW")
    wanted = await saved(cast.cleo, status="open", country="TW")
    await cast.ada.patch(f"/v1/jobs/{job['id']}", {"description": "Better said"})
    await caught_up(cast)
    assert await rows_of(cast.cleo, wanted) == []
    await cast.ada.made(f"/v1/jobs/{job['id']}/pause", {})
    await cast.ada.made(f"/v1/jobs/{job['id']}/resume", {})
    assert await matched(cast.cleo, wanted, 1) == [job["id"]]


async def test_a_batch_matches_like_single_writes(cast: Cast) -> None:
    organization = await hiring(cast)
    wanted = await saved(cast.cleo, status="open", **{"title[startswith]": "nurse"})
    titles = [f"{'Nurse' if n % 2 else 'Baker'} {n}" for n in range(10)]
    data = [{"organization_id": organization["id"], "title": title, "status": "open"} for title in titles]
    await cast.ada.made("/v1/jobs:batch", {"ops": [{"op": "create", "data": each} for each in data]})
    assert len(await matched(cast.cleo, wanted, 5)) == 5
    await caught_up(cast)
    assert len(await rows_of(cast.cleo, wanted)) == 5


async def test_equal_searches_are_asked_once_and_answer_each_of_their_persons(cast: Cast) -> None:
    organization = await hiring(cast)
    first, second = await saved(cast.cleo, status="open"), await saved(cast.otto, status="open")
    third = await saved(cast.otto, "organizations", kind="employer")
    job = await posted(cast, organization)
    assert await matched(cast.cleo, first, 1) == await matched(cast.otto, second, 1) == [job["id"]]
    assert await rows_of(cast.otto, third) == []


async def test_nobody_is_told_of_what_they_do_not_see(cast: Cast) -> None:
    organization = await hiring(cast)
    everything = {each.name: await saved(each) for each in (cast.ada, cast.ben, cast.cleo, cast.otto)}
    draft = await posted(cast, organization, status="draft")
    own = await tracked(cast.cleo)
    assert await matched(cast.cleo, everything["Cleo"], 1) == [own["id"]]
    assert await matched(cast.ada, everything["Ada"], 1) == [draft["id"]]
    assert await matched(cast.ben, everything["Ben"], 1) == [draft["id"]]
    await caught_up(cast)
    assert await rows_of(cast.otto, everything["Otto"]) == []
    assert len(await rows_of(cast.cleo, everything["Cleo"])) == 1
    await cast.ada.made(f"/v1/jobs/{draft['id']}/publish", {})
    assert draft["id"] in await matched(cast.cleo, everything["Cleo"], 2)
    for stranger in (cast.ada, cast.otto):
        match = (await cast.cleo.get("/v1/search-matches")).json()["data"][0]
        assert (await stranger.get(f"/v1/search-matches/{match['id']}")).status_code == 404


async def test_who_may_see_more_since_today_is_told_from_then_on(cast: Cast) -> None:
    organization = await hiring(cast)
    wanted = await saved(cast.cleo)
    await posted(cast, organization, status="draft")
    await caught_up(cast)
    assert await rows_of(cast.cleo, wanted) == []
    token = (await cast.ada.made("/v1/invitations", {
        "organization_id": organization["id"], "email": "cleo@example.org", "role": "viewer",
    }))["token"]  # fmt: skip
    await cast.cleo.made("/v1/invitations:accept", {"token": token})
    job = await posted(cast, organization, status="draft")
    assert await matched(cast.cleo, wanted, 1) == [job["id"]]


async def test_a_match_goes_with_the_sight_of_its_row(cast: Cast) -> None:
    organization = await hiring(cast)
    kept = await posted(cast, organization)
    cleos, bens = await saved(cast.cleo), await saved(cast.ben)
    draft, job = await posted(cast, organization, status="draft"), await posted(cast, organization)
    assert await matched(cast.cleo, cleos, 1) == [job["id"]]
    assert set(await matched(cast.ben, bens, 2)) == {draft["id"], job["id"]}
    await cast.ada.delete(f"/v1/jobs/{job['id']}")
    assert await matched(cast.cleo, cleos, 0) == []
    assert await matched(cast.ben, bens, 1) == [draft["id"]]
    membership = (await cast.ben.get(f"/v1/memberships?person_id={cast.ben.id}")).json()["data"][0]
    await cast.ada.delete(f"/v1/memberships/{membership['id']}")
    assert await matched(cast.ben, bens, 0) == []
    await cast.ada.made(f"/v1/jobs/{job['id']}/restore", {})
    assert await matched(cast.cleo, cleos, 1) == [job["id"]]
    assert kept["id"] not in await rows_of(cast.cleo, cleos)


async def test_who_is_suspended_is_told_nothing(cast: Cast) -> None:
    organization = await hiring(cast)
    wanted, others = await saved(cast.cleo), await saved(cast.otto)
    first = await posted(cast, organization)
    await matched(cast.cleo, wanted, 1)
    await cast.otto.made(f"/v1/people/{cast.cleo.id}/suspend", {})
    second = await posted(cast, organization)
    assert set(await matched(cast.otto, others, 2)) == {first["id"], second["id"]}
    await caught_up(cast)
    count = f"SELECT count(*) FROM {search_matches.name} WHERE person_id = $1"
    assert await cast.server.database.pool.fetchval(count, cast.cleo.id) == 0


async def test_a_search_that_pauses_or_is_removed_records_nothing(cast: Cast) -> None:
    organization = await hiring(cast)
    wanted, others = await saved(cast.cleo), await saved(cast.otto)
    address = f"/v1/saved-searches/{wanted['id']}"
    await cast.cleo.made(f"{address}/pause", {})
    first = await posted(cast, organization)
    assert await matched(cast.otto, others, 1) == [first["id"]]
    assert await rows_of(cast.cleo, wanted) == []
    await cast.cleo.made(f"{address}/resume", {})
    second = await posted(cast, organization)
    assert await matched(cast.cleo, wanted, 1) == [second["id"]]
    await cast.cleo.delete(address)
    assert await matched(cast.cleo, wanted, 0) == []
    await posted(cast, organization)
    await matched(cast.otto, others, 3)
    await cast.cleo.made(f"{address}/restore", {})
    third = await posted(cast, organization)
    assert await matched(cast.cleo, wanted, 1) == [third["id"]]


async def test_another_query_is_asked_from_then_on(cast: Cast) -> None:
    organization = await hiring(cast)
    wanted = await saved(cast.cleo, country="TW")
    await cast.cleo.patch(f"/v1/saved-searches/{wanted['id']}", {"query": {"country": "JP"}})
    await posted(cast, organization, country="TW")
    japan = await posted(cast, organization, country="JP")
    assert await matched(cast.cleo, wanted, 1) == [japan["id"]]
    await caught_up(cast)
    assert await rows_of(cast.cleo, wanted) == [japan["id"]]


async def test_a_match_is_seen_and_kept_among_the_new_ones_again(cast: Cast, wrote: Wrote) -> None:
    wanted = await saved(cast.cleo)
    await tracked(cast.cleo)
    await matched(cast.cleo, wanted, 1)
    match = (await cast.cleo.get("/v1/search-matches?seen_at[isnull]=true")).json()["data"][0]
    address = f"/v1/search-matches/{match['id']}"
    seen = (await cast.cleo.patch(address, {"seen_at": "2026-11-20T08:00:00Z"})).json()
    assert seen["seen_at"] == "2026-11-20T08:00:00Z"
    assert ids(await cast.cleo.get("/v1/search-matches?seen_at[isnull]=true")) == []
    assert (await cast.cleo.patch(address, {"seen_at": None})).json()["seen_at"] is None
    assert (await cast.cleo.post(f"{address}/undo")).json()["seen_at"] == seen["seen_at"]
    assert refusal(await cast.otto.patch(address, {"seen_at": None})) == (404, "not-found")
    assert (await cast.cleo.delete(address)).status_code == 204
    assert (await cast.cleo.post(f"{address}/restore")).status_code == 200
    await wrote(
        "saved_search.created", "job.created", "search_match.created", "search_match.changed", "search_match.changed",
        "search_match.changed", "search_match.removed", "search_match.restored",
    )  # fmt: skip


async def test_all_that_was_found_is_seen_at_once(cast: Cast) -> None:
    wanted, other = await saved(cast.cleo), await saved(cast.cleo, source="")
    for _ in range(3):
        await tracked(cast.cleo)
    await matched(cast.cleo, wanted, 3)
    await matched(cast.cleo, other, 3)
    row = await cast.cleo.made(f"/v1/saved-searches/{wanted['id']}/see-matches", {})
    assert row["id"] == wanted["id"]
    unseen = (await cast.cleo.get("/v1/search-matches?seen_at[isnull]=true")).json()["data"]
    assert {each["saved_search_id"] for each in unseen} == {other["id"]}
    assert len(unseen) == 3


async def test_a_match_says_what_caused_it(cast: Cast) -> None:
    wanted = await saved(cast.cleo)
    job = await tracked(cast.cleo)
    await matched(cast.cleo, wanted, 1)
    async with cast.server.database.reading() as connection:
        cause = (await changes.of_row(connection, "jobs", job["id"]))[-1]
        effects = await changes.caused_by(connection, cause.seq)
    assert [(each.resource, each.verb) for each in effects] == [("search_matches", "created")]


async def test_what_is_held_is_not_taken_back(cast: Cast) -> None:
    wanted = await saved(cast.cleo)
    job = await tracked(cast.cleo)
    await matched(cast.cleo, wanted, 1)
    body = {"resource": "people", "row_id": cast.cleo.id, "everything": True, "reason": "A lawsuit"}
    hold = await cast.otto.made("/v1/holds", body)
    await cast.cleo.delete(f"/v1/jobs/{job['id']}")
    await caught_up(cast)
    assert await rows_of(cast.cleo, wanted) == [job["id"]]
    await cast.otto.made(f"/v1/holds/{hold['id']}/release", {})


async def test_another_process_goes_on_with_what_is_saved_by_then(cast: Cast) -> None:
    """A reader that took the lease anew has forgotten what it knew, and knows what others have learnt."""
    reader = search_matcher(cast.server.house)
    assert set(reader.resources or ()) == {"saved_searches"}
    wanted = await saved(cast.cleo, city="Tainan")
    async with cast.server.database.reading() as connection:
        assert reader.begin
        await reader.begin(connection)
        assert {"jobs", "saved_searches", people.name, "memberships", "candidates"} == set(reader.resources or ())
    await cast.cleo.delete(f"/v1/saved-searches/{wanted['id']}")
    async with cast.server.database.reading() as connection:
        await reader.begin(connection)
        assert set(reader.resources or ()) == {"saved_searches"}


async def test_what_is_handled_twice_is_recorded_once(cast: Cast) -> None:
    organization = await hiring(cast)
    wanted = await saved(cast.cleo, country="TW")
    jobs = [await posted(cast, organization, country="TW") for _ in range(3)]
    assert len(await matched(cast.cleo, wanted, 3)) == 3
    again = search_matcher(cast.server.house)
    async with cast.server.database.writing(Note()) as connection:
        assert again.begin
        await again.begin(connection)
        batch = [each for job in jobs for each in await changes.of_row(connection, "jobs", job["id"])]
        await again.handle(connection, batch)
    assert len(await rows_of(cast.cleo, wanted)) == 3


async def test_a_search_and_a_job_of_one_moment_meet(cast: Cast) -> None:
    """The job's change may be in the same look at the log as that of the search by which the list is followed at all."""
    wanted, job = await asyncio.gather(saved(cast.cleo, source="x"), tracked(cast.cleo, source="y"))
    later = [await tracked(cast.cleo, source="x") for _ in range(5)]
    assert set(await matched(cast.cleo, wanted, 5)) == {each["id"] for each in later}
    assert job["id"] not in await rows_of(cast.cleo, wanted)


async def test_the_words_of_a_search_decide_as_they_do_in_the_list(cast: Cast) -> None:
    organization = await hiring(cast)
    said = ("nurses", "導覽員", '"night shift"', "nurse -night", "title:nurse", "nur*", "nurse OR baker", "plumber")
    wanted = {q: await saved(cast.cleo, q=q, status="open") for q in said}
    night = await posted(cast, organization, title="Registered nurse", description="Night shift in Tainan")
    day = await posted(cast, organization, title="导览员", description="早班, nurse, shift by day, no night")
    baker = await posted(cast, organization, title="Baker")
    expected = {
        "nurses": {night["id"], day["id"]}, "導覽員": {day["id"]}, '"night shift"': {night["id"]},
        "nurse -night": set(), "title:nurse": {night["id"]}, "nur*": {night["id"]},
        "nurse OR baker": {night["id"], day["id"], baker["id"]}, "plumber": set(),
    }  # fmt: skip
    await matched(cast.cleo, wanted["nurse OR baker"], 3)
    await caught_up(cast)
    for q, search in wanted.items():
        assert set(await rows_of(cast.cleo, search)) == expected[q], q
        listed = await cast.cleo.get(search["address"], wait_for=str(cast.server.tail.position))
        assert set(ids(listed)) == expected[q], q


async def test_words_and_filters_are_asked_together(cast: Cast) -> None:
    organization = await hiring(cast)
    wanted = await saved(cast.cleo, q="nurse", country="TW", sort="relevance")
    await posted(cast, organization, title="Nurse", country="JP")
    await posted(cast, organization, title="Baker", country="TW")
    job = await posted(cast, organization, title="Cook", country="TW")
    await caught_up(cast)
    assert await rows_of(cast.cleo, wanted) == []
    await cast.ada.patch(f"/v1/jobs/{job['id']}", {"description": "Cook, or nurse"})
    assert await matched(cast.cleo, wanted, 1) == [job["id"]]


async def test_words_that_only_some_may_read_match_for_those_alone(cast: Cast) -> None:
    searches = {each.name: await saved(each, "people", q="glassblower") for each in (cast.ada, cast.ben, cast.otto)}
    body = {"headline": "Glassblower", "audience": {"headline": "coaches"}}
    await cast.ada.patch(f"/v1/people/{cast.ada.id}", body)
    assert await matched(cast.otto, searches["Otto"], 1) == [cast.ada.id]
    assert await matched(cast.ada, searches["Ada"], 1) == [cast.ada.id]
    await caught_up(cast)
    assert await rows_of(cast.ben, searches["Ben"]) == []
    await cast.ada.patch(f"/v1/people/{cast.ada.id}", {"audience": {"headline": "members"}})
    assert await matched(cast.ben, searches["Ben"], 1) == [cast.ada.id]


async def test_what_was_rolled_back_is_matched_again_and_once(database: Database) -> None:
    """A process that dies between the effect and the cursor: both are one transaction."""
    reader = search_matcher(HOUSE)
    calls: list[int] = []

    async def fails_first(connection: Connection, batch: Sequence[Change]) -> None:
        await reader.handle(connection, batch)
        calls.append(await connection.fetchval(f"SELECT count(*) FROM {search_matches.name}"))
        if len(calls) == 1:
            raise asyncpg.DeadlockDetectedError("the moment of the fault")

    loop = ReaderLoop(replace(reader, handle=fails_first), database, Wake(database))
    await loop.drain()
    async with database.writing(Note()) as connection:
        ctx = Context(HOUSE, connection, actor.HOUSE, Note())
        cleo = await store.create(ctx, people, {"email": "c@example.org", "name": "Cleo"}, verb="created")
        ctx.actor = Actor(cleo.id, frozenset({f"person:{cleo.id}"}), frozenset({"*"}))
        await store.create(ctx, saved_searches, {"name": "All", "resource": "jobs", "query": {}})
        for n in range(3):
            await store.create(ctx, jobs, {"title": f"Found {n}", "source": "", "skills": [], "tags": []})
    async with database.reading() as connection:
        await stamp(connection)
    with pytest.raises(asyncpg.DeadlockDetectedError):
        await loop.drain()
    await loop.release()
    await loop.drain()
    assert await loop.drain() == 0
    assert calls == [3, 3]
    assert await database.pool.fetchval(f"SELECT count(*) FROM {search_matches.name}") == 3


async def test_a_search_near_a_place_hears_of_jobs_there(cast: Cast) -> None:
    organization = await hiring(cast)
    query = {"near": "Taipei", "radius": "20km", "pay[gte]": "15000", "pay_in": "USD/year"}
    wanted = await saved(cast.cleo, **query)
    pay = {"salary_max": 80_000, "salary_currency": "TWD", "salary_period": "month"}
    job = await posted(cast, organization, latitude=25.04, longitude=121.53, **pay)
    await posted(cast, organization, latitude=22.99, longitude=120.21, **pay)
    await posted(cast, organization, latitude=25.04, longitude=121.53)
    assert await matched(cast.cleo, wanted, 1) == [job["id"]]
    await caught_up(cast)
    assert await rows_of(cast.cleo, wanted) == [job["id"]]
    assert ids(await cast.cleo.get(wanted["address"])) == [job["id"]]


@pytest.mark.parametrize(
    ("scopes", "expected"),
    [
        ("public", True), ("team:1", True), ("person:x", True), ("person:y", False), ("team:2", False), ("", False),
        ("team:1 except:person:y", True), ("team:1 except:person:x", False), ("team:1 except:candidate:1", False),
        ("public except:candidate:1", False), ("person:x except:candidate:1", False),
    ],
)  # fmt: skip
async def test_what_a_person_sees_follows_from_their_role_and_from_what_domains_grant(
    cast: Cast, scopes: str, expected: bool
) -> None:
    sight = Sight(HOUSE)
    sight.plain = {"x": frozenset({"public", "person:x"}), "gone": frozenset()}
    sight.granted = {"x": frozenset({"public", "person:x", "team:1", "candidate:1"})}
    async with cast.server.database.reading() as connection:
        assert await sight.sees(connection, "x", scopes.split()) == expected
        assert not await sight.sees(connection, "gone", scopes.split())
