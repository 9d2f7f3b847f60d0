"""City coordinates: a job lies where its city does, as long as nobody says otherwise and there is but one city."""

import asyncio
from typing import Any

import pytest

from guildhouse.kernel.db import Note
from tests.cast import Cast
from tests.jobs.openings import posted, tracked
from tests.kernel.importing.intake import judged, told_to
from tests.organizations.scenes import Wrote, approved, ids

pytestmark = pytest.mark.anyio

TAIPEI, KAOHSIUNG = (25.053, 121.526), (22.616, 120.313)


def at(job: dict[str, Any]) -> tuple[float | None, float | None]:
    return job["latitude"], job["longitude"]


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"city": "Taipei"}, TAIPEI),
        ({"city": "臺北市", "country": "TW"}, TAIPEI),
        ({"city": "Portland", "region": "Oregon", "country": "US"}, (45.523, -122.676)),
        ({"city": "Portland", "country": "US"}, (None, None)),
        ({"city": "Portland"}, (None, None)),
        ({"city": "Taipei", "country": "FR"}, (None, None)),
        ({"city": "Nowhere in particular"}, (None, None)),
        ({"country": "TW"}, (None, None)),
        ({"city": "Taipei", "latitude": 25.1, "longitude": 121.6}, (25.1, 121.6)),
        ({"city": "Taipei", "workplace": "remote"}, TAIPEI),
    ],
)
async def test_a_new_job_lies_where_its_city_does(
    cast: Cast, said: dict[str, Any], where: tuple[float | None, float | None]
) -> None:
    assert at(await tracked(cast.ada, **said)) == where


async def test_coordinates_move_with_the_city_unless_they_were_given(cast: Cast) -> None:
    job = await tracked(cast.ada, city="Taipei")
    address = f"/v1/jobs/{job['id']}"

    async def changed(**values: Any) -> tuple[float | None, float | None]:
        return at((await cast.ada.patch(address, values)).json())

    assert await changed(city="Kaohsiung") == KAOHSIUNG
    assert await changed(title="Another") == KAOHSIUNG
    assert await changed(city="Portland") == (None, None)
    assert await changed(region="OR", country="US") == (45.523, -122.676)
    assert await changed(city=None) == (None, None)
    assert await changed(city="Taipei", region=None, country=None) == TAIPEI
    assert await changed(latitude=25.1, longitude=121.6) == (25.1, 121.6)
    assert await changed(city="Kaohsiung") == (25.1, 121.6)
    assert await changed(latitude=None, longitude=None) == KAOHSIUNG


async def test_half_a_place_is_still_refused(cast: Cast) -> None:
    for values in ({"latitude": 25.0}, {"longitude": 121.0}):
        refused = await cast.ada.post("/v1/jobs", {"title": "x", "city": "Taipei", **values})
        assert refused.status_code == 422


async def test_saying_again_what_the_server_knows_better_changes_nothing(cast: Cast, wrote: Wrote) -> None:
    job = await tracked(cast.ada, city="Taipei")
    again = await cast.ada.patch(f"/v1/jobs/{job['id']}", {"latitude": None, "longitude": None})
    assert again.json() == job
    op = {"op": "change", "id": job["id"], "data": {"latitude": None, "longitude": None}}
    result = (await cast.ada.post("/v1/jobs:batch", {"ops": [op]})).json()
    assert (result["unchanged"], result["changed"]) == (1, 0)
    await wrote("job.created")


async def test_a_batch_puts_its_rows_on_the_map_as_single_writes_do(cast: Cast) -> None:
    organization = await approved(cast)
    cities = ["Taipei", "台北", "Portland", "Kaohsiung"]
    ops = [
        {"op": "create", "data": {"organization_id": organization["id"], "title": city, "status": "open", "city": city}}
        for city in cities
    ]
    made = (await cast.ada.post("/v1/jobs:batch", {"ops": ops})).json()
    assert made["created"] == 4
    single = await posted(cast, organization, title="one", city="Taipei")
    found = ids(await cast.nobody.get("/v1/jobs?near=Taipei&radius=10km&sort=distance"))
    assert sorted(found) == sorted([made["results"][0]["id"], made["results"][1]["id"], single["id"]])


async def test_taking_a_change_of_the_city_back_brings_the_coordinates_back(cast: Cast) -> None:
    job = await tracked(cast.ada, city="Taipei")
    await cast.ada.patch(f"/v1/jobs/{job['id']}", {"city": "Kaohsiung"})
    back = await cast.ada.made(f"/v1/jobs/{job['id']}/undo", {})
    assert (back["city"], at(back)) == ("Taipei", TAIPEI)


async def test_an_import_puts_its_rows_on_the_map(idle: Cast) -> None:
    table = "Job title,Company,City\nBaker,The Oven,高雄\nMiller,The Mill,Portland\n"
    row = await told_to(idle, idle.ada, await judged(idle, idle.ada, table, "jobs"), "apply")
    assert row["written"] == {"created": 2}
    rows = {row["title"]: row for row in (await idle.ada.get("/v1/jobs")).json()["data"]}
    assert (at(rows["Baker"]), at(rows["Miller"])) == (KAOHSIUNG, (None, None))


UNPLACED = "UPDATE jobs SET latitude = NULL, longitude = NULL, version = version + 1"


async def placed(cast: Cast, title: str) -> Any:
    """Where a job lies and its version, once the reader has gone through what the log has now."""
    pool = cast.server.database.pool
    end = await pool.fetchval("SELECT max(seq) FROM changes WHERE resource = 'jobs'")
    behind = """SELECT NOT EXISTS (SELECT FROM change_pos WHERE seq = $1) OR EXISTS (
        SELECT FROM readers r JOIN change_pos p ON p.pos > r.cursor WHERE r.name = 'job-places' AND p.seq <= $1)"""
    async with asyncio.timeout(10):
        while await pool.fetchval(behind, end):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return await pool.fetchrow("SELECT latitude, longitude, version FROM jobs WHERE title = $1", title)


async def test_jobs_from_before_it_was_so_are_placed_by_the_reader_and_once(cast: Cast, wrote: Wrote) -> None:
    await tracked(cast.ada, title="Taipei", city="Taipei")
    await tracked(cast.ada, title="Nowhere", city="Nowhere in particular")
    await tracked(cast.ada, title="Somewhere", latitude=1.5, longitude=2.5)
    async with cast.server.database.writing(Note()) as connection:
        await connection.execute(f"{UNPLACED} WHERE title <> 'Somewhere'")
    assert tuple(await placed(cast, "Taipei")) == (*TAIPEI, 3)
    assert tuple(await placed(cast, "Nowhere")) == (None, None, 2)
    assert tuple(await placed(cast, "Somewhere")) == (1.5, 2.5, 1)
    assert tuple(await placed(cast, "Taipei")) == (*TAIPEI, 3)
    await wrote(*["job.created"] * 3, "job.changed", "job.words_read")
    near = await cast.ada.get("/v1/jobs?near=Taipei&radius=5km&fields=title")
    assert [row["title"] for row in near.json()["data"]] == ["Taipei"]


async def test_many_jobs_that_nobody_has_read_or_placed_are_both_though_two_readers_write_them(cast: Cast) -> None:
    ops = [{"op": "create", "data": {"title": f"Barista {n}", "city": "Taipei"}} for n in range(250)]
    assert (await cast.ada.made("/v1/jobs:batch", {"ops": ops}))["created"] == 250
    async with cast.server.database.writing(Note()) as connection:
        await connection.execute(f"{UNPLACED}, found_skills = NULL")
    await placed(cast, "Barista 249")
    pool = cast.server.database.pool
    async with asyncio.timeout(10):
        while await pool.fetchval("SELECT count(*) FROM jobs WHERE found_skills IS NULL OR latitude IS NULL"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert await pool.fetchval("SELECT count(*) FROM dead_letters") == 0
    assert await pool.fetchval("SELECT max(version) FROM jobs") <= 4
