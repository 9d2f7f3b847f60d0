"""Writes are undone out of the log: to before the first, if the row is still as the last one left it."""

from typing import Any

import pytest

from guildhouse.accounts.person import people
from guildhouse.jobs.job import jobs
from guildhouse.kernel.bulk_writing import Outcome
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.reverting import Written, revert
from tests.cast import Caller, Cast
from tests.jobs.openings import hiring, posted, tracked
from tests.organizations.scenes import Body

pytestmark = pytest.mark.anyio


async def reverted(cast: Cast, caller: Caller, resource: Any, *writes: Written) -> list[Outcome]:
    """What becomes of these writes when somebody undoes them."""
    actor = await cast.server.actor_of(caller.id, None)
    async with cast.server.database.writing(Note(actor=caller.id)) as connection:
        return await revert(Context(cast.server.house, connection, actor, Note(actor=caller.id)), resource, writes)


def said(outcomes: list[Outcome]) -> list[tuple[str, str | None]]:
    return [(each.status, each.problem.code() if each.problem else None) for each in outcomes]


async def retitled(caller: Caller, job: Body, *titles: str) -> None:
    for title in titles:
        assert (await caller.patch(f"/v1/jobs/{job['id']}", {"title": title})).status_code == 200


async def now(caller: Caller, job: Body) -> Body:
    row: Body = (await caller.get(f"/v1/jobs/{job['id']}")).json()
    return row


async def test_some_versions_are_undone_at_once(cast: Cast) -> None:
    job = await tracked(cast.ada, title="1")
    await retitled(cast.ada, job, "2", "3", "4")
    assert said(await reverted(cast, cast.ada, jobs, Written(job["id"], False, 3, 4))) == [("changed", None)]
    assert ((await now(cast.ada, job))["title"], (await now(cast.ada, job))["version"]) == ("2", 5)


async def test_each_outcome_is_at_the_place_of_its_write(cast: Cast) -> None:
    rows = [await tracked(cast.ada, title=f"{n}") for n in range(3)]
    await retitled(cast.ada, rows[1], "other")
    gone = Written("019a9f3c-7c00-7000-8000-000000000001", True, 1, 1)
    writes = [Written(rows[0]["id"], True, 1, 1), gone, Written(rows[1]["id"], True, 1, 1)]
    found = await reverted(cast, cast.ada, jobs, *writes, Written(rows[2]["id"], True, 1, 1))
    assert said(found) == [("removed", None), ("kept", "not-found"), ("kept", "changed-meanwhile"), ("removed", None)]
    assert [each.id for each in found] == [rows[0]["id"], gone.id, rows[1]["id"], rows[2]["id"]]


async def test_what_one_does_not_see_or_may_not_change_stays(cast: Cast) -> None:
    private, public = await tracked(cast.ada), await posted(cast, await hiring(cast))
    writes = Written(private["id"], True, 1, 1), Written(public["id"], True, 1, 1)
    assert said(await reverted(cast, cast.cleo, jobs, *writes)) == [("kept", "not-found"), ("failed", "denied")]
    assert (await now(cast.ada, public))["version"] == public["version"]


async def test_values_that_the_log_does_not_hold_cannot_come_back(cast: Cast) -> None:
    async with cast.server.database.writing(Note()) as connection:
        sql = "UPDATE people SET password_hash = 'x', version = version + 1 WHERE id = $1 RETURNING version"
        version = await connection.fetchval(sql, cast.ada.id)
    write = Written(cast.ada.id, False, version, version)
    assert said(await reverted(cast, cast.ada, people, write)) == [("kept", "not-in-the-log")]


async def test_a_write_that_the_log_never_heard_of_cannot_come_back(cast: Cast) -> None:
    job = await tracked(cast.ada)
    await retitled(cast.ada, job, "2")
    write = Written(job["id"], False, 2, 2)
    async with cast.server.database.writing(Note()) as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("DELETE FROM changes WHERE row_id = $1", job["id"])
    assert said(await reverted(cast, cast.ada, jobs, write)) == [("kept", "not-in-the-log")]


async def test_a_removal_with_a_change_needs_both_permissions_and_brings_both_back(cast: Cast) -> None:
    job = await tracked(cast.ada, title="Before")
    await retitled(cast.ada, job, "After")
    await cast.ada.delete(f"/v1/jobs/{job['id']}")
    assert said(await reverted(cast, cast.ada, jobs, Written(job["id"], False, 2, 3))) == [("restored", None)]
    assert (await now(cast.ada, job))["title"] == "Before"


async def test_a_restoration_is_undone_into_the_trash(cast: Cast) -> None:
    job = await tracked(cast.ada)
    await cast.ada.delete(f"/v1/jobs/{job['id']}")
    await cast.ada.post(f"/v1/jobs/{job['id']}/restore")
    assert said(await reverted(cast, cast.ada, jobs, Written(job["id"], False, 3, 3))) == [("removed", None)]
    assert said(await reverted(cast, cast.ada, jobs, Written(job["id"], False, 3, 3))) == [("unchanged", None)]


async def test_a_unique_value_that_is_taken_by_now_fails_alone(cast: Cast) -> None:
    organization = await hiring(cast)
    key = {"organization_id": organization["id"], "source": "ats", "external_id": "1"}
    first, second = await posted(cast, organization, **key), await posted(cast, organization, title="Other")
    for job in (first, second):
        await cast.ada.delete(f"/v1/jobs/{job['id']}")
    await posted(cast, organization, **key)
    writes = [Written(each["id"], False, 2, 2) for each in (first, second)]
    assert said(await reverted(cast, cast.ada, jobs, *writes)) == [("failed", "already-exists"), ("restored", None)]
