"""Rows that rules read again and again are remembered, and yet nothing is written or refused by an old one."""

from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from guildhouse.kernel import remembered
from guildhouse.kernel.context import Context
from guildhouse.kernel.remembered import Remembered
from tests.cast import Cast
from tests.organizations.scenes import approved, refusal

pytestmark = pytest.mark.anyio
Body = dict[str, Any]


def job(organization: Body, status: str = "open") -> Body:
    return {"organization_id": organization["id"], "title": "Job", "status": status}


async def elsewhere(cast: Cast, organization: Body, **values: str) -> None:
    """Another process changes the organization: this one hears of it some milliseconds later."""
    sets = ", ".join(f"{name} = '{value}'" for name, value in values.items())
    await cast.server.database.pool.execute(f"UPDATE organizations SET {sets} WHERE id = $1", organization["id"])


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The ids that rules had to ask the database for."""
    asked: list[str] = []
    recalled: Callable[..., Awaitable[Any]] = Context.recalled

    async def noted(ctx: Context, memory: Remembered, resource: Any, key: Any) -> Any:
        row, known = await recalled(ctx, memory, resource, key), key in ctx.relied
        asked.extend([] if known else [key[1]])
        return row

    monkeypatch.setattr(Context, "recalled", noted)
    return asked


async def test_a_second_create_reads_nothing_again(cast: Cast, reads: list[str]) -> None:
    organization = await approved(cast)
    for _ in range(3):
        assert (await cast.ada.made("/v1/jobs", job(organization)))["organization_name"] == organization["name"]
    assert reads == [organization["id"]]


async def test_nothing_is_written_by_a_row_that_is_not_the_same_any_more(cast: Cast) -> None:
    organization = await approved(cast)
    await cast.ada.made("/v1/jobs", job(organization))
    await elsewhere(cast, organization, name="Renamed")
    assert (await cast.ada.made("/v1/jobs", job(organization)))["organization_name"] == "Renamed"
    await elsewhere(cast, organization, status="suspended")
    assert refusal(await cast.ada.post("/v1/jobs", job(organization))) == (409, "organization-not-approved")
    assert await cast.server.database.pool.fetchval("SELECT count(*) FROM jobs") == 2


async def test_nothing_is_refused_by_a_row_that_is_not_the_same_any_more(cast: Cast) -> None:
    organization = await approved(cast)
    await elsewhere(cast, organization, status="pending")
    assert (await cast.ada.made("/v1/jobs", job(organization, "draft")))["status"] == "draft"
    await elsewhere(cast, organization, status="approved")
    assert (await cast.ada.made("/v1/jobs", job(organization)))["status"] == "open"


async def test_what_was_removed_meanwhile_is_not_there(cast: Cast) -> None:
    organization = await approved(cast)
    await cast.ada.made("/v1/jobs", job(organization))
    await elsewhere(cast, organization, deleted_at="2026-01-01")
    assert refusal(await cast.ada.post("/v1/jobs", job(organization))) == (409, "organization-not-approved")


async def test_only_writes_of_one_statement_rely_on_memory(cast: Cast, reads: list[str]) -> None:
    organization = await approved(cast)
    await cast.ada.made("/v1/jobs", job(organization), prefer="tx=rollback")
    await cast.ada.made("/v1/jobs", job(organization), idempotency_key="k")
    assert reads == []
    assert cast.server.remembered.get(("organizations", organization["id"])) is None


def test_it_forgets_the_oldest_what_it_is_told_to_and_what_is_old(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, now = Remembered(most=2), 100.0
    monkeypatch.setattr(remembered, "monotonic", lambda: now)
    for name in "abc":
        memory.put(("jobs", name), name, 7)
    memory.forget(("jobs", "b"))
    found = memory.get(("jobs", "c"))
    assert [memory.get(("jobs", name)) for name in "ab"] == [None, None]
    assert found and (found.row, found.xmin) == ("c", 7)
    now += remembered.SECONDS
    assert memory.get(("jobs", "c")) is None
