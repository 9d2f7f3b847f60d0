"""API keys: what they open, what they do not, and when they stop."""

from datetime import UTC, datetime, timedelta
from time import monotonic
from typing import Any

import pytest

from guildhouse.accounts.roles import ADDED, NOUNS_OF_ROLES
from guildhouse.accounts.secrets import new_key
from guildhouse.app import HOUSE
from guildhouse.kernel.http import doors_of
from tests.cast import Caller, Cast, client_of
from tests.contracts.conftest import settled
from tests.organizations.scenes import refusal

pytestmark = pytest.mark.anyio


async def key_of(caller: Caller, *permissions: str, **values: Any) -> str:
    body = {"name": "import", **({"permissions": list(permissions)} if permissions else {}), **values}
    return str((await caller.made("/v1/api-keys", body))["key"])


async def by_key(cast: Cast, caller: Caller, *permissions: str, **values: Any) -> Caller:
    """Somebody, by a key of theirs."""
    return Caller(client_of(cast.edge, await key_of(caller, *permissions, **values)), caller.id)


async def test_a_key_acts_as_its_person_and_is_shown_once(cast: Cast) -> None:
    made = await cast.ada.made("/v1/api-keys", {"name": "import", "permissions": ["*"]})
    ada = Caller(client_of(cast.edge, made["key"]))
    assert made["key"].startswith(made["prefix"])
    job = await ada.made("/v1/jobs", {"title": "T"})
    assert (await cast.ada.get(f"/v1/jobs/{job['id']}")).json()["person_id"] == cast.ada.id
    for response in (await cast.ada.get("/v1/api-keys"), await cast.ada.get(f"/v1/api-keys/{made['id']}/history")):
        assert made["key"] not in response.text
        assert "key_hash" not in response.text


@pytest.mark.parametrize(
    ("permissions", "allowed"),
    [
        ([], {"GET /v1/jobs", "GET /v1/people", "GET /v1/api-keys"}),
        (["jobs.read"], {"GET /v1/jobs"}),
        (["jobs.*"], {"GET /v1/jobs", "POST /v1/jobs"}),
        (["*.write"], {"POST /v1/jobs", "POST /v1/reminders"}),
        (["people.*", "reminders.write"], {"GET /v1/people", "POST /v1/reminders"}),
        (["organizations.approve"], set()),
    ],
)
async def test_a_key_opens_what_it_was_made_for(cast: Cast, permissions: list[str], allowed: set[str]) -> None:
    caller = await by_key(cast, cast.ada, *permissions)
    bodies = {"/v1/jobs": {"title": "T"}, "/v1/reminders": {"text": "T", "due_at": "2030-01-01T00:00:00Z"}}
    found = set()
    for door in ("GET /v1/jobs", "POST /v1/jobs", "GET /v1/people", "GET /v1/api-keys", "POST /v1/reminders"):
        method, path = door.split()
        response = await caller.call(method, path, bodies.get(path) if method == "POST" else None)
        assert response.is_success or refusal(response) == (403, "denied"), door
        found |= {door} if response.is_success else set()
    assert found == allowed


async def test_a_key_holds_no_more_than_its_person(cast: Cast) -> None:
    caller = await by_key(cast, cast.ada, "*", "people.moderate")
    assert refusal(await caller.post(f"/v1/people/{cast.ben.id}/suspend")) == (403, "denied")
    admin = await by_key(cast, cast.otto, "*.write")
    assert refusal(await admin.post(f"/v1/people/{cast.ben.id}/suspend")) == (403, "denied")
    admin = await by_key(cast, cast.otto, "people.write", "people.moderate")
    assert (await admin.post(f"/v1/people/{cast.ben.id}/suspend")).status_code == 200


async def test_a_key_shows_nothing_of_what_it_may_not_read_by_way_of_something_else(cast: Cast) -> None:
    made = await cast.ada.made("/v1/organizations", {"name": "Analytical Engines"})
    await settled(cast)
    await cast.ada.made("/v1/jobs", {"title": "T", "organization_id": made["id"]})
    caller = await by_key(cast, cast.ada, "jobs.read")
    assert refusal(await caller.get("/v1/jobs?expand=organization")) == (403, "denied")
    wider = await by_key(cast, cast.ada, "jobs.read", "organizations.read")
    assert (await wider.get("/v1/jobs?expand=organization")).json()["data"][0]["organization"]["id"] == made["id"]


async def test_a_key_makes_no_key_that_may_do_more_than_itself(cast: Cast) -> None:
    caller = await by_key(cast, cast.ada, "api_keys.*", "jobs.read", "*.read")
    for permissions in (["*"], ["jobs.write"], ["jobs.*"], ["*.write"], ["jobs.read", "people.write"]):
        refused = await caller.post("/v1/api-keys", {"name": "wider", "permissions": permissions})
        assert refusal(refused) == (403, "key-too-wide"), permissions
        assert permissions[-1] in refused.json()["detail"]
    for permissions in (["jobs.read"], ["people.read"], ["*.read"], ["api_keys.write"]):
        await caller.made("/v1/api-keys", {"name": "narrower", "permissions": permissions})
    ops = [{"op": "create", "data": {"name": "wider", "permissions": ["*"]}}]
    batch = await caller.made("/v1/api-keys:batch", {"ops": ops})
    assert batch["results"][0]["problem"]["code"] == "key-too-wide"
    assert "revealed" not in batch


@pytest.mark.parametrize(
    "permission", ["jobs", "*.*", "jobs.read.write", ".read", "jobs.", "JOBS.read", "", "jobs read"]
)
async def test_a_permission_has_one_of_four_forms(cast: Cast, permission: str) -> None:
    refused = await cast.ada.post("/v1/api-keys", {"name": "k", "permissions": [permission]})
    assert refusal(refused) == (422, "invalid")


async def test_a_revoked_key_and_one_whose_time_is_over_open_nothing(cast: Cast) -> None:
    made = await cast.ada.made("/v1/api-keys", {"name": "import"})
    caller = Caller(client_of(cast.edge, made["key"]))
    assert (await caller.get("/v1/jobs")).status_code == 200
    removed = await cast.ada.delete(f"/v1/api-keys/{made['id']}")
    await cast.server.tail.wait_for(removed.headers["log-position"])
    assert refusal(await caller.get("/v1/jobs")) == (401, "unauthenticated")
    late = await by_key(cast, cast.ada, expires_at=(datetime.now(UTC) + timedelta(hours=1)).isoformat())
    assert (await late.get("/v1/jobs")).status_code == 200
    await cast.server.database.pool.execute("UPDATE api_keys SET expires_at = now() - interval '1 second'")
    await settled(cast)
    assert refusal(await late.get("/v1/jobs")) == (401, "unauthenticated")


async def test_a_key_that_ends_soon_is_not_remembered_for_longer(cast: Cast) -> None:
    soon = datetime.now(UTC) + timedelta(seconds=20)
    caller = await by_key(cast, cast.ada, expires_at=soon.isoformat())
    for _ in range(2):  # that the first use was noted makes it forgotten
        assert (await caller.get("/v1/jobs")).status_code == 200
        await settled(cast)
    (known,) = [each for each in cast.server.identity.memory.known.values() if each.actor.narrowed]  # type: ignore[attr-defined]
    assert known.until - monotonic() <= 20


async def test_a_key_cannot_be_made_for_the_past(cast: Cast) -> None:
    refused = await cast.ada.post("/v1/api-keys", {"name": "k", "expires_at": "2020-01-01T00:00:00Z"})
    assert refused.json()["errors"][0]["pointer"] == "/expires_at"


async def test_the_use_of_a_key_is_noted_once_an_hour(cast: Cast, wrote: Any) -> None:
    caller = await by_key(cast, cast.ada, "api_keys.read")
    for _ in range(3):
        (row,) = (await caller.get("/v1/api-keys")).json()["data"]
        await settled(cast)
    assert row["last_used_at"] is not None
    await wrote("api_key.created", "api_key.used")
    await cast.server.database.pool.execute("UPDATE api_keys SET last_used_at = now() - interval '61 minutes'")
    await settled(cast)
    await caller.get("/v1/api-keys")
    await wrote("api_key.changed", "api_key.used")


async def test_no_database_is_asked_about_a_mistyped_key(cast: Cast) -> None:
    key = new_key()
    for wrong in (key, key[:-1], key + "0", key.upper(), f"gh_{'a' * 40}", "gh_", "Bearer"):
        response = await cast.nobody.get("/v1/people", authorization=f"Bearer {wrong}")
        assert refusal(response) == (401, "unauthenticated")


async def test_the_person_the_secret_and_the_use_are_not_the_clients_to_say(cast: Cast) -> None:
    for field in ({"person_id": cast.ben.id}, {"key_hash": "0"}, {"prefix": "gh_"}, {"last_used_at": None}):
        refused = await cast.ada.post("/v1/api-keys", {"name": "k", **field})
        assert refusal(refused) == (400, "unknown-fields")
    made = await cast.ada.made("/v1/api-keys", {"name": "k"})
    refused = await cast.ada.patch(f"/v1/api-keys/{made['id']}", {"permissions": ["*"]})
    assert refusal(refused) == (400, "unknown-fields")


@pytest.mark.parametrize("wrong", ["job.read", "application.*", "jbos.write"])
async def test_a_permission_of_a_noun_that_is_none_is_refused_with_those_that_are(cast: Cast, wrong: str) -> None:
    refused = await cast.ada.post("/v1/api-keys", {"name": "k", "permissions": ["jobs.read", wrong]})
    assert refusal(refused) == (422, "invalid")
    [fault] = refused.json()["errors"]
    assert (fault["pointer"], fault["code"]) == ("/permissions/1", "unknown-noun")
    assert " jobs," in fault["detail"] and " metrics," in fault["detail"]


def test_every_permission_that_anything_asks_for_can_be_given_to_a_key() -> None:
    asked = {door.permission for door in doors_of(HOUSE)} | {each for given in ADDED.values() for each in given}
    nouns = {"*", *HOUSE.resources, *NOUNS_OF_ROLES}
    assert {each.partition(".")[0] for each in asked} <= nouns


async def test_a_narrow_key_brings_no_wider_key_back(cast: Cast) -> None:
    wide = await cast.ada.made("/v1/api-keys", {"name": "wide", "permissions": ["*"]})
    await cast.ada.delete(f"/v1/api-keys/{wide['id']}")
    narrow = await by_key(cast, cast.ada, "api_keys.*")
    for way in ("restore", "undo"):
        assert refusal(await narrow.post(f"/v1/api-keys/{wide['id']}/{way}", {})) == (403, "key-too-wide")
    assert (await cast.ada.post(f"/v1/api-keys/{wide['id']}/restore", {})).status_code == 200
