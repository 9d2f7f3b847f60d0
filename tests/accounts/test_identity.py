"""Who calls, remembered for a while and forgotten in time."""

from dataclasses import replace
from time import monotonic
from typing import Any

import pytest

from guildhouse.accounts import identity
from guildhouse.accounts.identity import SECONDS, Accounts, Memory
from guildhouse.app import HOUSE
from guildhouse.kernel.actor import ANONYMOUS, Actor
from guildhouse.kernel.errors import NotFound
from tests.cast import Cast
from tests.contracts.conftest import settled
from tests.organizations.scenes import heard, refusal

pytestmark = pytest.mark.anyio
ADA = Actor("a", frozenset({"person:a", "members"}), frozenset({"*.read"}))
BEN = Actor("b", frozenset({"person:b", "members"}), frozenset({"*.read"}))


@pytest.fixture
def memory() -> Memory:
    found = Memory(HOUSE)
    found.put("ada", ADA, 60)
    found.put("ben", BEN, 60)
    return found


def test_an_actor_is_remembered_for_seconds_at_most(memory: Memory, monkeypatch: pytest.MonkeyPatch) -> None:
    assert (memory.get("ada"), memory.get("nobody")) == (ADA, None)
    memory.put("soon", ADA, 5)
    start = monotonic()
    monkeypatch.setattr(identity, "monotonic", lambda: start + 6)
    assert (memory.get("soon"), memory.get("ada")) == (None, ADA)
    monkeypatch.setattr(identity, "monotonic", lambda: start + SECONDS + 1)
    assert memory.get("ada") is None


@pytest.mark.parametrize("table", ["people", "sessions", "api_keys", "memberships"])
def test_whose_rights_changed_is_forgotten_and_nobody_else(memory: Memory, table: str) -> None:
    memory.forget([(table, ["person:a", "moderators"])])
    assert (memory.get("ada"), memory.get("ben")) == (None, BEN)


def test_rows_that_give_no_rights_and_scopes_of_many_forget_nobody(memory: Memory) -> None:
    memory.forget([("reminders", ["person:a"]), ("people", ["members"])])
    assert (memory.get("ada"), memory.get("ben")) == (ADA, BEN)


def test_after_a_restore_everybody_is_forgotten(memory: Memory) -> None:
    memory.forget_all()
    assert memory.get("ada") is None


def test_when_there_are_too_many_those_used_longest_ago_are_forgotten(
    memory: Memory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(identity, "MOST", 2)
    memory.put("cleo", ANONYMOUS, 60)
    assert [memory.get(token) for token in ("ada", "ben", "cleo")] == [None, BEN, ANONYMOUS]


async def test_a_change_by_another_process_counts_as_soon_as_the_log_comes_round(cast: Cast) -> None:
    assert (await cast.ada.get("/v1/people")).status_code == 200
    await cast.server.database.pool.execute("UPDATE people SET status = 'suspended' WHERE id = $1", cast.ada.id)
    await settled(cast)
    assert refusal(await cast.ada.get("/v1/people")) == (401, "unauthenticated")


async def test_whoever_founds_an_organization_acts_as_its_owner_in_the_next_request(cast: Cast) -> None:
    made = await cast.ada.made("/v1/organizations", {"name": "Analytical Engines"})
    assert (await cast.ada.patch(f"/v1/organizations/{made['id']}", {"city": "Tainan"})).status_code == 200


async def test_the_actor_of_a_person_has_their_role_and_their_grants(cast: Cast) -> None:
    made = await heard(cast, await cast.ada.post("/v1/organizations", {"name": "Analytical Engines"}))
    accounts = Accounts(cast.server.house)
    async with cast.server.database.reading() as connection:
        actor = await accounts.actor_of(connection, cast.ada.id)
        with pytest.raises(NotFound):
            await accounts.actor_of(connection, made["id"])
    assert {"public", "members", f"person:{cast.ada.id}"} < actor.scopes
    assert any(scope.startswith(f"organization:{made['id']}") for scope in actor.scopes)
    assert (actor.id, actor.narrowed) == (cast.ada.id, None)


async def test_the_token_of_a_session_that_is_gone_from_the_database_is_worth_nothing(cast: Cast) -> None:
    await cast.server.database.pool.execute("DELETE FROM sessions WHERE person_id = $1", cast.ada.id)
    await settled(cast)
    assert (await cast.ada.get("/v1/people")).status_code == 401
    assert (await cast.ben.get("/v1/people")).status_code == 200


async def test_without_a_token_one_is_nobody_and_with_a_bad_one_refused_even_where_all_may_read(cast: Cast) -> None:
    assert (await cast.nobody.get("/v1/jobs")).status_code == 200
    assert refusal(await cast.nobody.get("/v1/jobs", authorization="Bearer x")) == (401, "unauthenticated")


def test_a_narrowed_actor_is_another_value() -> None:
    narrowed: Any = replace(ADA, narrowed=frozenset({"jobs.read"}))
    assert narrowed != ADA
    assert not narrowed.can("people.read")
