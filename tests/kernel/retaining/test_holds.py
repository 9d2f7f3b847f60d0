"""What an admin holds is not deleted for good: not by hand, by schedule, by an erasure, or behind the server's back."""

from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import pytest

from guildhouse.kernel.retaining import retention
from guildhouse.kernel.tasks import Work
from tests.cast import Caller, Cast
from tests.jobs.openings import hiring, posted, tracked
from tests.kernel.uploads import reminders
from tests.organizations.scenes import Body, Wrote, refusal

pytestmark = pytest.mark.anyio
WHY = "Smith v. Acme"


async def held(cast: Cast, resource: str, row_id: str, **more: Any) -> Body:
    return await cast.otto.made("/v1/holds", {"resource": resource, "row_id": row_id, "reason": WHY, **more})


async def removed(caller: Caller, **values: Any) -> Body:
    """A job in somebody's trash."""
    job = await tracked(caller, **values)
    await caller.delete(f"/v1/jobs/{job['id']}")
    return job


async def count(cast: Cast, table: str, row_id: str) -> int:
    return int(await cast.server.database.pool.fetchval(f"SELECT count(*) FROM {table} WHERE id = $1", row_id))


async def test_a_held_row_is_purged_by_nobody_until_the_hold_is_released(cast: Cast, wrote: Wrote) -> None:
    job = await removed(cast.ada)
    hold = await held(cast, "jobs", job["id"])
    assert (hold["status"], hold["placed_by"], hold["until"]) == ("placed", cast.otto.id, None)
    refused = await cast.ada.post(f"/v1/jobs/{job['id']}/purge")
    assert refusal(refused) == (409, "held")
    assert hold["id"] in refused.json()["detail"]
    assert WHY not in refused.text, "why it is held is for admins"
    await cast.server.database.pool.execute("UPDATE jobs SET deleted_at = now() - interval '40 days'")
    await retention.purge_trash(Work(cast.server, None, "", 1))
    assert await count(cast, "jobs", job["id"]) == 1
    released = await cast.otto.made(f"/v1/holds/{hold['id']}/release", {})
    assert released["status"] == "released" and released["released_at"]
    await retention.purge_trash(Work(cast.server, None, "", 1))
    assert await count(cast, "jobs", job["id"]) == 0
    await wrote("job.created", "job.removed", "hold.created", "job.changed", "hold.released", "job.purged")


async def test_what_is_held_can_be_changed_removed_and_restored(cast: Cast) -> None:
    job = await tracked(cast.ada)
    await held(cast, "jobs", job["id"])
    path = f"/v1/jobs/{job['id']}"
    assert (await cast.ada.patch(path, {"title": "Other"})).status_code == 200
    assert (await cast.ada.delete(path)).status_code == 204
    assert (await cast.ada.post(f"{path}/restore")).status_code == 200


async def test_a_hold_on_everything_of_a_person_keeps_all_that_is_theirs_and_the_account(cast: Cast) -> None:
    hold = await held(cast, "people", cast.ada.id, everything=True)
    job = await removed(cast.ada)
    assert refusal(await cast.ada.post(f"/v1/jobs/{job['id']}/purge")) == (409, "held")
    farewell = {"email": "ada@example.org"}
    refused = await cast.otto.post(f"/v1/people/{cast.ada.id}/erase", farewell)
    assert refusal(refused) == (409, "held")
    assert hold["id"] in refused.json()["detail"]
    assert await count(cast, "people", cast.ada.id) == 1
    mine = await removed(cast.ben)
    assert (await cast.ben.post(f"/v1/jobs/{mine['id']}/purge")).status_code == 204, "of others it holds nothing"
    await cast.otto.made(f"/v1/holds/{hold['id']}/release", {})
    assert (await cast.otto.post(f"/v1/people/{cast.ada.id}/erase", farewell)).status_code == 204


async def test_a_hold_on_the_account_alone_leaves_the_rest_free(cast: Cast) -> None:
    await held(cast, "people", cast.ada.id)
    job = await removed(cast.ada)
    assert (await cast.ada.post(f"/v1/jobs/{job['id']}/purge")).status_code == 204
    refused = await cast.otto.post(f"/v1/people/{cast.ada.id}/erase", {"email": "ada@example.org"})
    assert refusal(refused) == (409, "held")


async def test_one_held_row_keeps_a_person_from_being_erased_and_nothing_of_them_goes(cast: Cast) -> None:
    kept, other = await tracked(cast.ada, title="Held"), await tracked(cast.ada, title="Free")
    await held(cast, "jobs", kept["id"])
    refused = await cast.ada.post(f"/v1/people/{cast.ada.id}/erase", {"email": "ada@example.org"})
    assert refusal(refused) == (409, "held")
    assert (await cast.ada.get(f"/v1/jobs/{other['id']}")).json()["title"] == "Free"


async def test_a_hold_on_everything_of_an_organization_keeps_its_jobs(cast: Cast) -> None:
    organization = await hiring(cast)
    job = await posted(cast, organization)
    await held(cast, "organizations", organization["id"], everything=True)
    await cast.ada.delete(f"/v1/jobs/{job['id']}")
    assert refusal(await cast.ada.post(f"/v1/jobs/{job['id']}/purge")) == (409, "held")


async def test_what_would_go_with_another_row_is_kept_as_well(cast: Cast) -> None:
    organization = await hiring(cast)
    job = await posted(cast, organization, status="draft")
    await held(cast, "jobs", job["id"])
    await cast.ada.delete(f"/v1/organizations/{organization['id']}")
    refused = await cast.ada.post(f"/v1/organizations/{organization['id']}/purge")
    assert refusal(refused) == (409, "held")
    assert await count(cast, "organizations", organization["id"]) == 1


async def test_the_database_itself_refuses(cast: Cast) -> None:
    job = await tracked(cast.ada)
    hold = await held(cast, "jobs", job["id"])
    with pytest.raises(asyncpg.RestrictViolationError, match="is held"):
        await cast.server.database.pool.execute("DELETE FROM jobs WHERE id = $1", job["id"])
    with pytest.raises(asyncpg.RestrictViolationError, match="is held"):
        await cast.server.database.pool.execute("DELETE FROM people WHERE id = $1", cast.ada.id)
    await cast.server.database.pool.execute(
        "UPDATE holds SET until = now() - interval '1 second' WHERE id = $1", hold["id"]
    )
    await cast.server.database.pool.execute("DELETE FROM jobs WHERE id = $1", job["id"])


async def test_the_database_tells_which_hold_keeps_what(cast: Cast) -> None:
    pool = cast.server.database.pool

    async def hold_on(noun: str, row_id: str, *scopes: str) -> str | None:
        found: str | None = await pool.fetchval("SELECT hold_on($1, $2, $3)", noun, row_id, list(scopes))
        return found

    ada, ben, job = cast.ada.id, cast.ben.id, (await tracked(cast.ada))["id"]
    assert await hold_on("jobs", job, f"person:{ada}") is None
    first = (await held(cast, "people", ada))["id"]
    assert await hold_on("people", ada) == first
    assert await hold_on("jobs", ada) is None, "the same id of another noun"
    assert await hold_on("jobs", job, f"person:{ada}") is None, "the account alone"
    second = (await held(cast, "people", ada, everything=True))["id"]
    assert await hold_on("people", ada) == first, "the oldest of several"
    for scopes in ([f"person:{ada}"], ["public", f"person:{ada}"], [f"person:{ada}:files"]):
        assert await hold_on("jobs", job, *scopes) == second
    for scopes in ([], ["public"], [f"person:{ben}"], [ada], [f"{ada}:person"]):
        assert await hold_on("jobs", job, *scopes) is None
    await cast.otto.made(f"/v1/holds/{second}/release", {})
    assert await hold_on("jobs", job, f"person:{ada}") is None
    await pool.execute("UPDATE holds SET until = now() + interval '1 hour' WHERE id = $1", first)
    assert await hold_on("people", ada) == first
    await pool.execute("UPDATE holds SET until = now() WHERE id = $1", first)
    assert await hold_on("people", ada) is None


async def test_a_batch_that_erases_nothing_may_remove_what_is_held(cast: Cast) -> None:
    made = await cast.ada.made("/v1/reminders:batch", {"ops": reminders(2)})
    await held(cast, "reminders", made["results"][0]["id"])
    ops = [{"op": "remove", "id": each["id"]} for each in made["results"]]
    assert (await cast.ada.made("/v1/reminders:batch", {"ops": ops}))["removed"] == 2


async def test_holds_are_for_admins_alone(cast: Cast) -> None:
    hold = await held(cast, "people", cast.cleo.id)
    body = {"resource": "people", "row_id": cast.cleo.id, "reason": "me"}
    for caller in (cast.cleo, await cast.join("Mo", "moderator")):
        assert refusal(await caller.post("/v1/holds", body)) == (403, "denied")
        assert (await caller.get("/v1/holds")).json()["data"] == []
        assert refusal(await caller.get(f"/v1/holds/{hold['id']}")) == (404, "not-found")
        assert refusal(await caller.post(f"/v1/holds/{hold['id']}/release")) == (404, "not-found")
        assert refusal(await caller.get("/v1/retention")) == (403, "denied")
    assert refusal(await cast.nobody.get("/v1/retention")) == (401, "unauthenticated")
    listed = (await cast.otto.get(f"/v1/holds?row_id={cast.cleo.id}&status=placed")).json()["data"]
    assert [each["id"] for each in listed] == [hold["id"]]


async def test_a_hold_can_be_prolonged_and_not_once_it_is_released(cast: Cast) -> None:
    soon = (datetime.now(UTC) + timedelta(days=1)).isoformat()
    hold = await held(cast, "people", cast.cleo.id, until=soon)
    path = f"/v1/holds/{hold['id']}"
    assert (await cast.otto.patch(path, {"until": None, "reason": "Longer"})).json()["until"] is None
    await cast.otto.made(f"{path}/release", {})
    assert refusal(await cast.otto.patch(path, {"reason": "Again"})) == (403, "denied")
    assert refusal(await cast.otto.post(f"{path}/release")) == (403, "denied")
    assert (await cast.otto.delete(path)).status_code == 405, "that it was placed stays on record"


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"resource": "unicorns"}, "/resource"),
        ({"resource": "people; DROP TABLE people"}, "/resource"),
        ({"row_id": "019a9f3c-7c00-7000-8000-000000000001"}, "/row_id"),
        ({"row_id": "x"}, "/row_id"),
        ({"reason": ""}, "/reason"),
        ({"until": "2020-01-01T00:00:00Z"}, "/until"),
    ],
)
async def test_a_hold_on_nothing_is_refused(cast: Cast, body: Body, pointer: str) -> None:
    answer = await cast.otto.post("/v1/holds", {"resource": "people", "row_id": cast.cleo.id, "reason": WHY, **body})
    assert answer.status_code == 422, answer.text
    assert [each["pointer"] for each in answer.json()["errors"]] == [pointer]
    assert (await cast.otto.get("/v1/holds")).json()["data"] == []
