"""Reckoning: with another table of rates, all jobs are compared by it soon, and nothing is left half done."""

import asyncio
from pathlib import Path

import pytest

from guildhouse.jobs import reckoning
from guildhouse.jobs.pay_rates import rates
from guildhouse.jobs.reckoning import reckon_pay, reckon_some
from guildhouse.kernel.tasks import Work
from tests.cast import Cast
from tests.jobs.openings import posted, tracked
from tests.jobs.test_pay import paid
from tests.jobs.test_pay_rates import OWN, own
from tests.organizations.scenes import Body, approved

pytestmark = pytest.mark.anyio
__all__ = ["own"]


async def seen(cast: Cast, job: Body) -> Body:
    row: Body = (await cast.ada.get(f"/v1/jobs/{job['id']}")).json()
    return row


def by_another_table(own: Path) -> None:
    own.write_text(OWN, encoding="utf-8")
    rates.cache_clear()


def work(cast: Cast) -> Work:
    return Work(cast.server, None, "", 1)


@pytest.fixture
def shipped(own: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The table that ships, until `by_another_table`."""
    own.write_text(Path(reckoning.__file__).with_name("pay_rates.toml").read_text(encoding="utf-8"), encoding="utf-8")
    rates.cache_clear()
    return own


async def test_all_jobs_with_pay_are_reckoned_by_the_new_table(cast: Cast, shipped: Path) -> None:
    organization = await approved(cast)
    job = await posted(cast, organization, **paid(1000, 2000, "USD", "month"))
    mine = await tracked(cast.ada, **paid(100, None, "TWD", "hour"))
    unknown = await tracked(cast.ada, **paid(100, None, "GBP", "hour"))
    silent = await tracked(cast.ada)
    by_another_table(shipped)
    await reckon_pay(work(cast))
    assert (await seen(cast, job))["yearly_pay_max"] == 2000 * 13 * 32
    assert (await seen(cast, mine))["yearly_pay_min"] == 150_000
    gone = await seen(cast, unknown)
    assert (gone["yearly_pay_min"], gone["pay_rates"]) == (None, rates().name)
    assert await seen(cast, silent) == silent
    last = (await cast.ada.get(f"/v1/jobs/{job['id']}/history")).json()["data"][0]
    assert (last["event"], last["actor_id"]) == ("job.reckoned", None)
    assert set(last["changes"]) == {"yearly_pay_min", "yearly_pay_max", "pay_rates"}


async def test_what_is_reckoned_is_left_alone(cast: Cast, shipped: Path) -> None:
    job = await tracked(cast.ada, **paid(100, None, "TWD", "hour"))
    await reckon_pay(work(cast))
    assert await seen(cast, job) == job


async def test_a_run_that_was_cut_off_is_gone_on_with(
    cast: Cast, shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reckoning, "AT_A_TIME", 2)
    monkeypatch.setattr(reckoning, "STALE", tuple(each.limit(2) for each in reckoning.STALE))
    jobs = [await tracked(cast.ada, **paid(100 + n, None, "TWD", "hour")) for n in range(5)]
    by_another_table(shipped)
    assert sum([await reckon_some(work(cast), stale) for stale in reckoning.STALE]) == 2
    await asyncio.gather(*(reckon_pay(work(cast)) for _ in range(2)))
    await reckon_pay(work(cast))
    rows = [await seen(cast, job) for job in jobs]
    assert [row["yearly_pay_min"] for row in rows] == [1500 * (100 + n) for n in range(5)]
    assert {row["version"] for row in rows} == {2}


async def test_rows_from_before_there_was_a_table_are_reckoned_too(cast: Cast) -> None:
    job = await tracked(cast.ada, **paid(100, 200, "EUR", "year"))
    sql = "UPDATE jobs SET pay_rates = NULL, yearly_pay_min = NULL, yearly_pay_max = NULL WHERE id = $1"
    await cast.server.database.pool.execute(sql, job["id"])
    await reckon_pay(work(cast))
    found = await seen(cast, job)
    assert (found["yearly_pay_min"], found["yearly_pay_max"], found["pay_rates"]) == (100, 200, rates().name)


async def test_a_job_in_the_trash_is_reckoned_when_it_comes_back(cast: Cast, shipped: Path) -> None:
    job = await tracked(cast.ada, **paid(100, None, "TWD", "hour"))
    await cast.ada.delete(f"/v1/jobs/{job['id']}")
    by_another_table(shipped)
    await reckon_pay(work(cast))
    back = await cast.ada.made(f"/v1/jobs/{job['id']}/restore", {})
    assert back["yearly_pay_min"] == 150_000
