"""Pay: jobs compare over currencies and periods; a job that says nothing of pay is not found by it and comes last."""

from typing import Any

import pytest

from tests.cast import Cast
from tests.jobs.openings import posted, tracked
from tests.organizations.scenes import approved, refusal

pytestmark = pytest.mark.anyio


def paid(low: float | None, high: float | None, currency: str, period: str) -> dict[str, Any]:
    return {"salary_min": low, "salary_max": high, "salary_currency": currency, "salary_period": period}


@pytest.fixture
async def rows(cast: Cast) -> None:
    """Open jobs: about 58,000 to 77,000, 21,000 to 28,000, 62,000, 45,000, and 20,000 EUR a year; two without."""
    organization = await approved(cast)
    jobs: dict[str, dict[str, Any]] = {
        "dollars": paid(60_000, 80_000, "USD", "year"),
        "taiwan": paid(60_000, 80_000, "TWD", "month"),
        "hourly": paid(30, None, "EUR", "hour"),
        "up to": paid(None, 45_000, "EUR", "year"),
        "yen": paid(3_261_999, 3_262_001, "JPY", "year"),
        "silent": {},
        "beads": paid(1, 2, "XAU", "day"),
    }
    for title, values in jobs.items():
        await posted(cast, organization, title=title, **values)


async def titles(cast: Cast, query: str, door: str = "jobs") -> list[str]:
    response = await cast.nobody.get(f"/v1/{door}?{query}")
    assert response.status_code == 200, response.text
    return [row["title"] for row in response.json()["data"]]


async def test_pay_is_compared_over_currencies_and_periods(cast: Cast, rows: None) -> None:
    expected = {
        "pay[gte]=60000&pay_in=EUR/year": ["dollars", "hourly"],
        "pay[gte]=60000&pay_in=USD/year": ["dollars", "hourly"],
        "pay[gte]=78000&pay_in=usd/year": ["dollars"],
        "pay[gte]=5000&pay_in=EUR/month": ["dollars", "hourly"],
        "pay[gte]=200000&pay_in=TWD/month": ["dollars"],
        "pay[lte]=75000&pay_in=TWD/month": ["taiwan", "yen"],
        "pay[lte]=3262000&pay_in=JPY/year": ["yen"],
        "pay[between]=70000,75000&pay_in=TWD/month": ["taiwan"],
        "pay[gte]=20&pay[lte]=25&pay_in=EUR/hour": ["up to"],
        "pay[gte]=0&pay_in=EUR/hour": ["dollars", "hourly", "taiwan", "up to", "yen"],
        "yearly_pay_max[gte]=70000": ["dollars"],
        "pay[gte]=60000&pay_in=USD/year&salary_currency=EUR": ["hourly"],
    }
    for query, found in expected.items():
        assert await titles(cast, f"{query}&sort=title") == found, query


async def test_the_best_paid_come_first_and_those_without_pay_last(cast: Cast, rows: None) -> None:
    assert await titles(cast, "sort=-yearly_pay_max,title") == [
        "dollars", "hourly", "up to", "taiwan", "yen", "beads", "silent",
    ]  # fmt: skip
    assert (await titles(cast, "sort=yearly_pay_min,title"))[-2:] == ["beads", "silent"]
    first = await cast.nobody.get("/v1/jobs?sort=-yearly_pay_max&limit=3")
    rest = await titles(cast, f"sort=-yearly_pay_max&limit=3&cursor={first.json()['page']['next']}")
    assert rest[:2] == ["taiwan", "yen"]


async def test_exports_and_deeds_to_many_take_the_same(cast: Cast, rows: None) -> None:
    query = "pay[gte]=60000&pay_in=USD/year"
    whole = await cast.cleo.get(f"/v1/jobs:export?{query}&format=json&fields=title&sort=title")
    assert [row["title"] for row in whole.json()["data"]] == ["dollars", "hourly"]
    body = {"filter": {"pay[gte]": "60000", "pay_in": "USD/year"}, "op": "pause"}
    tried = await cast.ada.post("/v1/jobs:batch", body, prefer="tx=rollback")
    assert tried.json()["body"]["total"] == 2


async def test_a_job_says_what_it_pays_in_a_year_and_by_which_table(cast: Cast) -> None:
    job = await tracked(cast.ada, **paid(60_000, None, "TWD", "month"))
    assert job["yearly_pay_min"] == job["yearly_pay_max"] == pytest.approx(19_895.0)
    assert job["pay_rates"].startswith("EUR 2026-09-29 ")
    address = f"/v1/jobs/{job['id']}"
    changed = (await cast.ada.patch(address, {"salary_max": 100_000})).json()
    assert (changed["yearly_pay_min"], changed["yearly_pay_max"]) == (job["yearly_pay_min"], pytest.approx(33_158.33))
    weekly = (await cast.ada.patch(address, {"salary_period": "week"})).json()
    assert weekly["yearly_pay_max"] > 4 * changed["yearly_pay_max"]
    gone = (await cast.ada.patch(address, {"salary_min": None, "salary_max": None})).json()
    assert (gone["yearly_pay_min"], gone["yearly_pay_max"], gone["pay_rates"]) == (None, None, None)


async def test_nobody_sets_what_is_reckoned(cast: Cast) -> None:
    for name in ("yearly_pay_min", "yearly_pay_max", "pay_rates"):
        assert refusal(await cast.ada.post("/v1/jobs", {"title": "x", name: None})) == (400, "unknown-fields")
        job = await tracked(cast.ada)
        assert refusal(await cast.ada.patch(f"/v1/jobs/{job['id']}", {name: None})) == (400, "unknown-fields")


async def test_the_largest_pay_of_all_has_room(cast: Cast) -> None:
    job = await tracked(cast.ada, **paid(9_999_999_999, 9_999_999_999, "KWD", "hour"))
    assert job["yearly_pay_max"] == pytest.approx(9_999_999_999 * 2080 / 0.3507, rel=1e-9)
    assert await cast.ada.get("/v1/jobs?pay[gte]=9999999999&pay_in=KWD/hour")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("pay[gte]=60000", "half-measure"),
        ("pay_in=USD/year", "half-measure"),
        ("pay[gte]=60000&pay_in=dollars", "wrong-pay-unit"),
        ("pay[gte]=60000&pay_in=XAU/year", "wrong-pay-unit"),
        ("pay[gte]=much&pay_in=USD/year", "wrong-filter-value"),
        ("pay[gte]=-1&pay_in=USD/year", "wrong-filter-value"),
        ("pay[gte]=1e300&pay_in=USD/year", "wrong-filter-value"),
        ("pay=60000&pay_in=USD/year", "unknown-parameter"),
        ("sort=pay", "unknown-sort"),
    ],
)
async def test_what_makes_no_sense_about_pay_is_a_400(cast: Cast, query: str, code: str) -> None:
    assert refusal(await cast.nobody.get(f"/v1/jobs?{query}")) == (400, code)


async def test_the_document_tells_of_pay(cast: Cast) -> None:
    document = (await cast.nobody.get("/openapi.json")).json()
    names = {each.get("name") for each in document["paths"]["/v1/jobs"]["get"]["parameters"]}
    assert {"pay[gte]", "pay[lte]", "pay[between]", "pay_in"} <= names
    assert "PayRates" in document["components"]["schemas"]
