"""Jobs by the thousand: feeds that come again and again, and what they cost."""

from collections import Counter
from typing import Any

import pytest

from guildhouse.kernel import context
from tests.cast import Cast
from tests.jobs.openings import posted
from tests.organizations.scenes import Body, approved, found, ids

pytestmark = pytest.mark.anyio


def feed(organization: Body, count: int, **values: Any) -> list[Body]:
    return [
        {
            "organization_id": organization["id"],
            "source": "ats",
            "external_id": f"job-{n}",
            "title": f"Job {n}",
            **values,
        }
        for n in range(count)
    ]


def upserts(rows: list[Body]) -> Body:
    return {"ops": [{"op": "upsert", "data": row} for row in rows]}


async def test_a_feed_creates_changes_and_leaves_alone(cast: Cast) -> None:
    organization = await approved(cast)
    rows = feed(organization, 5, status="open", posted_at="2026-01-01T00:00:00Z")
    assert (await cast.ada.made("/v1/jobs:batch", upserts(rows)))["created"] == 5
    assert (await cast.ada.made("/v1/jobs:batch", upserts(rows)))["unchanged"] == 5
    rows[3]["title"] = "Another title"
    again = await cast.ada.made("/v1/jobs:batch", upserts(rows))
    assert (again["unchanged"], again["changed"], again["failed"]) == (4, 1, 0)
    found = (await cast.nobody.get("/v1/jobs?external_id=job-3&source=ats")).json()["data"]
    assert [(each["title"], each["status"]) for each in found] == [("Another title", "open")]


async def test_a_feed_does_not_reopen_what_people_have_closed(cast: Cast) -> None:
    organization = await approved(cast)
    rows = feed(organization, 1, status="open")
    job_id = (await cast.ada.made("/v1/jobs:batch", upserts(rows)))["results"][0]["id"]
    await cast.ada.made(f"/v1/jobs/{job_id}/close", {})
    assert (await cast.ada.made("/v1/jobs:batch", upserts(rows)))["unchanged"] == 1
    assert (await cast.ada.get(f"/v1/jobs/{job_id}")).json()["status"] == "closed"


async def test_the_same_key_in_two_organizations_is_two_jobs(cast: Cast) -> None:
    first, second = await approved(cast, "First"), await approved(cast, "Second")
    for organization in (first, second):
        assert (await cast.ada.made("/v1/jobs:batch", upserts(feed(organization, 2))))["created"] == 2
    response = await cast.ada.post("/v1/jobs", feed(first, 1)[0])
    assert (response.status_code, response.json()["code"]) == (409, "already-exists")


async def test_each_line_is_judged_for_itself(cast: Cast) -> None:
    organization, other = await approved(cast), await approved(cast, "Cleo's", founder=cast.cleo)
    rows = [*feed(organization, 3), *feed(other, 1), {"title": "Tracked"}]
    rows[1]["salary_min"] = 5
    made = await cast.ada.made("/v1/jobs:batch", {"ops": [{"op": "create", "data": row} for row in rows]})
    assert Counter(each["status"] for each in made["results"]) == {"created": 3, "failed": 2}
    assert [each["problem"]["code"] for each in made["results"] if each["status"] == "failed"] == ["invalid", "denied"]


async def test_an_atomic_batch_is_all_or_nothing(cast: Cast) -> None:
    rows = feed(await approved(cast), 3)
    rows[2]["country"] = "Atlantis"
    batch = {"mode": "atomic", "ops": [{"op": "create", "data": row} for row in rows]}
    assert (await cast.ada.post("/v1/jobs:batch", batch)).status_code == 422
    assert ids(await cast.ada.get("/v1/jobs")) == []


async def test_the_rules_ask_for_an_organization_once_in_a_batch(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    organization = await found(cast)
    asked = Counter[str]()
    row_by_id = context.row_by_id

    async def counting(connection: Any, resource: Any, row_id: str, *, lock: bool = False) -> Any:
        asked[resource.name] += 1
        return await row_by_id(connection, resource, row_id, lock=lock)

    monkeypatch.setattr(context, "row_by_id", counting)
    batch = {"ops": [{"op": "create", "data": row} for row in feed(organization, 300, status="open")]}
    refused = await cast.ada.made("/v1/jobs:batch", batch)
    assert refused["failed"] == 300
    assert refused["results"][0]["problem"]["code"] == "organization-not-approved"
    assert asked["organizations"] == 1


async def test_the_newest_open_jobs_are_read_from_an_index(cast: Cast) -> None:
    organization = await approved(cast)
    await posted(cast, organization)
    pool = cast.server.database.pool
    await pool.execute(
        """INSERT INTO jobs (id, organization_id, title, skills, tags, posted_at, source, status, scopes)
           SELECT gen_random_uuid(), $1, 'Job ' || n, '{}', '{}', now() - n * interval '1 minute', '',
                  CASE WHEN n % 20 = 0 THEN 'open' ELSE 'closed' END, scopes
           FROM generate_series(1, 5000) n, (SELECT scopes FROM jobs LIMIT 1) s""",
        organization["id"],
    )
    await pool.execute("ANALYZE jobs")
    plan = "\n".join(
        record[0]
        for record in await pool.fetch(
            "EXPLAIN SELECT * FROM jobs WHERE scopes && $1 AND deleted_at IS NULL AND status = $2 "
            "ORDER BY posted_at DESC, id DESC LIMIT 51",
            ["public", f"person:{cast.cleo.id}"],
            "open",
        )
    )
    assert "ix_jobs_status_posted_at_id" in plan
    assert "Sort" not in plan
