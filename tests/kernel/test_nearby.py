"""Nearby: the circles of SQL are those of an exact geodesic, boxes cut nothing off, and pages walk outwards whole.

The oracle is geographiclib (Karney's algorithm, exact to nanometres), which shares nothing with what is tried.
"""

import math
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import pytest
from geographiclib.geodesic import Geodesic
from hypothesis import given, settings
from hypothesis import strategies as st

from guildhouse.app import HOUSE
from guildhouse.jobs.job import jobs
from guildhouse.kernel.actor import ANONYMOUS
from guildhouse.kernel.asked_rows import asked_rows
from guildhouse.kernel.db import Connection, Database
from guildhouse.kernel.errors import BadRequest, UnknownParameter
from guildhouse.kernel.fields import Selection
from guildhouse.kernel.ids import new_id
from guildhouse.kernel.manifest import House
from guildhouse.kernel.nearby import (
    DISTANCE,
    HALFWAY,
    Around,
    NearIsMissing,
    WrongPoint,
    WrongRadius,
    WrongRemote,
    around_of,
    parameters,
    point_of,
    reach,
)
from guildhouse.kernel.pages import Cursor, UnknownSort, parse_sort
from guildhouse.kernel.select import Listing, Page, fetch_page, numbered, statement
from tests.kernel.gadget import gadgets
from tests.kernel.gadget import house as small_house

EARTH = Geodesic.WGS84
Point = tuple[float, float]
CENTRES: dict[str, Point] = {
    "Taipei": (25.05306, 121.52639),
    "the equator": (0.0, 13.4),
    "the equator on the 180th meridian": (0.0, 180.0),
    "Taveuni, on the 180th meridian": (-16.85, -179.99),
    "Suva side of it": (-18.14, 179.95),
    "the north pole": (90.0, 0.0),
    "the south pole": (-90.0, 77.0),
    "beside the north pole": (89.9, -170.0),
    "Longyearbyen": (78.22334, 15.64689),
    "Punta Arenas": (-53.15483, -70.91129),
    "Greenwich": (51.48, 0.0),
}


def beside(centre: Point, bearing: float, metres: float) -> Point:
    """The point that one comes to."""
    found = EARTH.Direct(*centre, bearing, metres)
    return found["lat2"], (found["lon2"] + 540) % 360 - 180


def apart(one: Point, other: Point) -> float:
    """The exact distance in metres."""
    return float(EARTH.Inverse(*one, *other)["s12"])


def scattered(centre: Point, radius: float, how_many: int, seed: int) -> list[Point]:
    """Points around the edge of a circle, inside it, outside, on the other side of the earth."""
    chance = random.Random(seed)
    edge = [beside(centre, chance.uniform(0, 360), radius * chance.uniform(0.98, 1.02)) for _ in range(how_many)]
    inside = [beside(centre, chance.uniform(0, 360), radius * math.sqrt(chance.random())) for _ in range(how_many)]
    anywhere = [(math.degrees(math.asin(chance.uniform(-1, 1))), chance.uniform(-180, 180)) for _ in range(how_many)]
    return [*edge, *inside, *anywhere, centre, (90.0, 0.0), (-90.0, 0.0), (centre[0], -180.0), (centre[0], 180.0)]


@pytest.fixture
async def rows(database: Database) -> AsyncIterator[Connection]:
    """A connection with a table of places in it, which stands in front of the house's own table of jobs."""
    async with database.reading() as connection:
        await connection.execute(
            "CREATE TEMP TABLE jobs (id uuid, n integer, latitude float8, longitude float8, workplace text, "
            "scopes text[] DEFAULT '{public}', deleted_at timestamptz)"
        )
        yield connection
        await connection.execute("DROP TABLE pg_temp.jobs")


async def lay(connection: Connection, points: Sequence[Point | None], workplace: str | None = None) -> None:
    """Rows at these points, numbered; None lies nowhere."""
    await connection.execute("TRUNCATE pg_temp.jobs")
    await connection.executemany(
        "INSERT INTO jobs (id, n, latitude, longitude, workplace) VALUES ($1, $2, $3, $4, $5)",
        [(new_id(), n, *(point or (None, None)), workplace) for n, point in enumerate(points)],
    )


async def found_by(connection: Connection, around: Around) -> dict[int, float | None]:
    """The numbers of the rows that SQL finds, and how far away it says they are."""
    sql, values = statement(jobs, f'n, "{DISTANCE}"', around.conditions(), around)
    return {record["n"]: record[DISTANCE] for record in await connection.fetch(numbered(sql), *values)}


@pytest.mark.anyio
@pytest.mark.parametrize("radius", [500.0, 5_000.0, 25_000.0, 50_000.0, 500_000.0])
async def test_a_circle_is_that_of_the_exact_geodesic(rows: Connection, radius: float) -> None:
    allowed = 0.002 if radius <= 50_000 else 1.0
    for seed, (name, centre) in enumerate(CENTRES.items()):
        points = scattered(centre, radius, 120, seed)
        await lay(rows, points)
        found = await found_by(rows, Around(jobs, *centre, radius))
        exact = {n: apart(centre, point) for n, point in enumerate(points)}
        unsure = {n for n, metres in exact.items() if abs(metres - radius) < allowed}
        wanted = {n for n, metres in exact.items() if metres <= radius}
        assert found.keys() - unsure == wanted - unsure, name
        assert len(wanted) > 120, name
        for n, kilometres in found.items():
            assert kilometres is not None and abs(kilometres * 1000 - exact[n]) <= 0.5 + allowed, name


@given(
    st.floats(-90, 90), st.floats(-180, 180), st.floats(500, 20_000_000), st.floats(0, 360), st.floats(0, 1)
)  # fmt: skip
def test_a_box_cuts_nothing_off(latitude: float, longitude: float, radius: float, bearing: float, share: float) -> None:
    inside = beside((latitude, longitude), bearing, radius * share)
    values = box_values(Around(jobs, latitude, longitude), radius)
    sides = [values[n : n + 4] for n in range(0, len(values), 4)]
    assert any(south <= inside[0] <= north and west <= inside[1] <= east for south, north, west, east in sides)


def box_values(around: Around, radius: float) -> list[float]:
    return [value for each in around.box(radius) for value in each.values]


def test_a_box_over_the_180th_meridian_is_two_and_one_at_a_pole_goes_all_round() -> None:
    assert len(box_values(Around(jobs, -18.0, 179.9), 50_000)) == 8
    assert len(box_values(Around(jobs, -18.0, -179.9), 50_000)) == 8
    assert len(box_values(Around(jobs, 25.0, 121.5), 50_000)) == 4
    assert box_values(Around(jobs, 89.9, 121.5), 50_000)[2:] == [-180.0, 180.0]


def test_a_box_that_is_one_is_judged_by_the_search_index_too() -> None:
    judged = [each.on for each in Around(jobs, 25.0, 121.5, 5000.0, "exclude").conditions()]
    assert judged == [("latitude", "between"), ("longitude", "between"), None, ("workplace", "ne")]
    assert [each.on for each in Around(jobs, 25.0, 121.5, None).conditions()] == [("latitude", "there")]


def test_a_box_is_hardly_larger_than_its_circle() -> None:
    south, north, west, east = box_values(Around(jobs, 25.0, 121.5), 10_000)
    assert apart((south, 121.5), (north, 121.5)) < 20_300
    assert apart((25.0, west), (25.0, east)) < 20_100


@pytest.mark.anyio
async def test_the_index_finds_the_box(rows: Connection) -> None:
    await lay(rows, scattered(CENTRES["Taipei"], 10_000, 1000, 1))
    await rows.execute("CREATE INDEX ON pg_temp.jobs (latitude, longitude)")
    await rows.execute("ANALYZE pg_temp.jobs")
    for longitude in (0.0, 179.99):
        sql, values = statement(jobs, "n", Around(jobs, -60.0, longitude, 1000).conditions())
        plan = await rows.fetchval(numbered(f"EXPLAIN (FORMAT JSON) {sql}"), *values)
        assert "Index" in plan and "Seq Scan" not in plan


async def page_of(connection: Connection, around: Around, limit: int, cursor: Cursor | None, sort: str) -> Page:
    order = parse_sort(jobs, sort, around.orders)
    asked = Listing(Selection(("id", DISTANCE)), around.conditions(), order, limit, cursor, around)
    return await fetch_page(connection, jobs, ANONYMOUS, asked)


async def walked(connection: Connection, around: Around, limit: int, sort: str = "distance") -> list[Any]:
    """The ids of all pages, forwards; each page was met again on the way back."""
    pages: list[Page] = []
    cursor = None
    while True:
        pages.append(await page_of(connection, around, limit, cursor, sort))
        cursor = pages[-1].next
        if cursor is None:
            break
    ids = [[row["id"] for row in page.rows] for page in pages]
    for before, page in zip(reversed(ids[:-1]), reversed(pages[1:]), strict=True):
        back = await page_of(connection, around, limit, page.previous, sort)
        assert [row["id"] for row in back.rows] == before
    return [each for page in ids for each in page]


async def by_distance(connection: Connection, centre: Point) -> list[str]:
    """All ids, sorted by Python: those that lie nowhere last."""
    records = await connection.fetch("SELECT id, latitude, longitude FROM jobs ORDER BY id")

    def far(record: Any) -> tuple[bool, int]:
        if record["latitude"] is None:
            return True, 0
        return False, round(apart(centre, (record["latitude"], record["longitude"])))

    return [record["id"] for record in sorted(records, key=far)]


@pytest.mark.anyio
@pytest.mark.parametrize("limit", [1, 7, 60])
async def test_the_nearest_come_first_through_all_pages_there_and_back(rows: Connection, limit: int) -> None:
    centre = CENTRES["Taveuni, on the 180th meridian"]
    chance = random.Random(limit)
    points = [beside(centre, chance.uniform(0, 360), 10 ** chance.uniform(0, 5.6)) for _ in range(40)]
    await lay(rows, [*points, *points[:5]])  # some are at one distance
    expected = await by_distance(rows, centre)
    assert await walked(rows, Around(jobs, *centre, 500_000.0), limit) == expected
    assert await walked(rows, Around(jobs, *centre, None), limit) == expected


@pytest.mark.anyio
async def test_any_distance_reaches_the_other_side_of_the_earth(rows: Connection) -> None:
    centre = CENTRES["Taipei"]
    points = [beside(centre, 40, metres) for metres in (0, 30_000, 3_000_000, 12_000_000, 20_003_000)]
    await lay(rows, points)
    around = Around(jobs, *centre, None)
    assert len(await walked(rows, around, 2)) == 5
    assert await walked(rows, around, 50) == await by_distance(rows, centre)
    exact = [apart(centre, point) / 1000 for point in points]
    found = [kilometres for _, kilometres in sorted((await found_by(rows, around)).items())]
    assert found == pytest.approx(exact, rel=0.004, abs=0.001)


@pytest.mark.anyio
async def test_a_nearest_page_reads_a_ring_and_not_the_world(rows: Connection) -> None:
    centre = CENTRES["Taipei"]
    rings = list(Around(jobs, *centre, None).rings(parse_sort(jobs, "id"), None))
    assert rings == [()]  # another order reads as ever
    order = parse_sort(jobs, "distance", Around(jobs, *centre, None).orders)
    rings = list(Around(jobs, *centre, None).rings(order, None))
    assert rings[-1] == () and len(rings) == 1 + math.ceil(math.log2(HALFWAY / 25_000))
    behind = list(Around(jobs, *centre, None).rings(order, Cursor((400.0, "id"))))
    assert behind[0][0].values != rings[0][0].values and len(behind) < len(rings)
    assert len(list(Around(jobs, *centre, None).rings(order, Cursor((400.0, "id"), backwards=True)))) == 1
    bounded = list(Around(jobs, *centre, 5000.0, "include").rings(order, None))
    assert len(bounded) == 2 and "DISTINCT" in bounded[0][-1].sql and bounded[1] == ()
    asked: list[str] = []
    await lay(rows, [beside(centre, 10, 1000 * n) for n in range(30)])

    class Listening:
        async def fetch(self, sql: str, *values: Any) -> Any:
            asked.append(sql)
            return await rows.fetch(sql, *values)

    page = await page_of(Listening(), Around(jobs, *centre, None), 10, None, "distance")  # type: ignore[arg-type]
    assert len(page.rows) == 10 and len(asked) == 1 and "BETWEEN" in asked[0]


@pytest.mark.anyio
async def test_what_is_everywhere_is_in_or_out_as_one_asks(rows: Connection) -> None:
    centre = CENTRES["Taipei"]
    near, far = beside(centre, 0, 1000), beside(centre, 0, 400_000)
    await lay(rows, [near, far, None, near, far])
    await rows.execute("UPDATE jobs SET workplace = CASE WHEN n < 3 THEN 'remote' WHEN n = 3 THEN 'hybrid' END")
    around = Around(jobs, *centre, 5000)
    assert await found_by(rows, around) == {0: 1.0, 3: 1.0}
    assert await found_by(rows, replace(around, remote="exclude")) == {3: 1.0}
    assert await found_by(rows, replace(around, remote="include")) == {0: None, 1: None, 2: None, 3: 1.0}
    ids = {record["n"]: record["id"] for record in await rows.fetch("SELECT n, id FROM jobs")}
    for limit in (1, 2, 9):
        wide = Around(jobs, *centre, None, "include")
        assert await walked(rows, wide, limit) == [ids[3], ids[4], *sorted([ids[0], ids[1], ids[2]])]


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("25.03,121.56", (25.03, 121.56)),
        (" -90 , +180 ", (-90.0, 180.0)),
        ("0,0", (0.0, 0.0)),
        ("-33.86785,151.207320000001", (-33.86785, 151.207320000001)),
    ],
)
def test_a_point_is_two_numbers(text: str, point: Point) -> None:
    assert point_of(small_house, text) == point


@pytest.mark.parametrize("text", ["", "25.03", "91,0", "0,181", "25,03,121", "25.03;121.56", "1,", "+,-"])
def test_what_is_no_point_is_refused(text: str) -> None:
    for house in (small_house, HOUSE):
        with pytest.raises(WrongPoint):
            point_of(house, text)


def test_a_name_needs_somebody_who_knows_places() -> None:
    with pytest.raises(WrongPoint):
        point_of(small_house, "Atlantis")
    knowing = House((replace(small_house.domains[0], locate=lambda name: (float(len(name)), 0.0)),))
    assert point_of(knowing, "Atlantis") == (8.0, 0.0)


@pytest.mark.parametrize(
    ("text", "metres"),
    [
        (None, 25_000), ("20km", 20_000), ("0.5km", 500), ("500 m", 500), ("800m", 800), ("10mi", 16_093.44),
        ("500km", 500_000), ("any", None),
    ],
)  # fmt: skip
def test_a_radius_has_its_unit(text: str | None, metres: float | None) -> None:
    assert reach(text) == metres


# Text that ends as a radius does may be one: chance has written `1km`.
@given(
    st.text().filter(lambda text: not text.strip().endswith(("m", "mi", "any")))
    | st.sampled_from(["20", "499m", "501km", "0.49km", "400mi", "20 miles", "-5km", "1e3m", "ANY", "٢0km"])
)
def test_any_other_radius_is_refused(text: str) -> None:
    with pytest.raises(WrongRadius):
        reach(text)


def test_what_says_something_beside_near_only_is_refused_alone() -> None:
    for name, value in (("radius", "20km"), ("remote", "include")):
        with pytest.raises(NearIsMissing):
            around_of(HOUSE, jobs, [(name, value)])
    with pytest.raises(WrongRemote):
        around_of(HOUSE, jobs, [("near", "1,2"), ("remote", "only")])
    assert around_of(HOUSE, jobs, [("status", "open")]) is None


def test_only_what_has_a_place_is_found_near_one() -> None:
    assert parameters(gadgets) == ()
    with pytest.raises(UnknownParameter):
        asked_rows(small_house, gadgets, [("near", "1,2")], frozenset())
    around, found = asked_rows(HOUSE, jobs, [("near", "1,2"), ("status", "open")], frozenset())
    assert around == Around(jobs, 1.0, 2.0) and found[0].sql == '"status" = ?' and len(found) == 4


def test_one_sorts_by_distance_beside_near_only_and_one_way() -> None:
    with pytest.raises(UnknownSort):
        parse_sort(jobs, "distance")
    for text in ("-distance", "distance_km", "--distance"):
        with pytest.raises(UnknownSort):
            parse_sort(jobs, text, Around(jobs, 0, 0).orders)


@settings(deadline=None)  # the first look-up loads the table
@given(st.text(max_size=40))
def test_any_text_is_a_place_or_a_400(text: str) -> None:
    try:
        latitude, longitude = point_of(HOUSE, text)
    except BadRequest:
        return
    assert abs(latitude) <= 90 and abs(longitude) <= 180
