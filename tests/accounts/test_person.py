"""People: registering, what of a profile whom is shown, roles, suspension."""

import asyncio
import csv
import io
from typing import Any

import pytest

from tests.accounts.test_session import PASSWORD, registered, sign_in, with_token
from tests.cast import Caller, Cast
from tests.contracts.conftest import settled
from tests.organizations.scenes import heard, ids, refusal

pytestmark = pytest.mark.anyio
NEW = {"email": "eve@example.org", "name": "Eve", "password": PASSWORD}


def me(caller: Caller) -> str:
    return f"/v1/people/{caller.id}"


async def assign(cast: Cast, by: Caller, to: Caller, role: str) -> Any:
    response = await by.post(f"{me(to)}/assign-role", {"role": role})
    await settled(cast)
    return response


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"password": "14 characters!"}, "/password"),
        ({"password": "x" * 201}, "/password"),
        ({"email": "eve"}, "/email"),
        ({"email": "eve@example"}, "/email"),
        ({"email": "e ve@example.org"}, "/email"),
        ({"email": f"{'x' * 250}@example.org"}, "/email"),
        ({"name": " "}, "/name"),
        ({"language": "xx"}, "/language"),
    ],
)
async def test_what_is_wrong_is_told_at_its_place(cast: Cast, change: dict[str, str], pointer: str) -> None:
    refused = await cast.nobody.post("/v1/people", {**NEW, **change})
    assert refusal(refused) == (422, "invalid")
    assert [fault["pointer"] for fault in refused.json()["errors"]] == [pointer]
    assert change.get("password", "no secret") not in refused.text


async def test_nobody_registers_with_a_role_or_an_id_of_their_choice(cast: Cast) -> None:
    for field in ({"role": "admin"}, {"id": cast.ada.id}, {"status": "active"}, {"scopes": ["admins"]}):
        assert refusal(await cast.nobody.post("/v1/people", {**NEW, **field})) == (400, "unknown-fields")


async def test_an_address_is_one_however_it_is_written_and_taken_once(cast: Cast) -> None:
    person = await cast.nobody.made("/v1/people", {**NEW, "email": " Eve@Example.ORG "})
    assert (await cast.otto.get(f"/v1/people/{person['id']}")).json()["email"] is None
    taken = await cast.nobody.post("/v1/people", {**NEW, "email": "EVE@example.org"})
    assert refusal(taken) == (409, "already-exists")
    assert "eve@" not in taken.text.lower()
    eve = with_token(cast, await sign_in(cast, "eve@example.org"))
    assert (await eve.get(me(eve))).json()["email"] == "eve@example.org"


async def test_of_two_who_register_one_address_at_once_one_succeeds(cast: Cast) -> None:
    answers = await asyncio.gather(*(cast.nobody.post("/v1/people", NEW) for _ in range(3)))
    assert sorted(each.status_code for each in answers) == [201, 409, 409]


async def test_a_password_is_15_characters_of_any_kind(cast: Cast) -> None:
    for n, password in enumerate(["十五個字元的中文密碼也是可以的喔", " " * 15, "x" * 200]):
        account = {"email": f"eve{n}@example.org", "name": "Eve", "password": password}
        await cast.nobody.made("/v1/people", account)
        await sign_in(cast, account["email"], password)


@pytest.mark.parametrize(
    ("audience", "seen_by"),
    [
        ("me", {"ada"}),
        ("coaches", {"ada", "cara", "otto"}),
        ("members", {"ada", "ben", "cara", "otto"}),
        ("public", {"ada", "ben", "cara", "otto"}),
    ],
)
async def test_a_field_is_shown_to_its_audience_at_every_door(cast: Cast, audience: str, seen_by: set[str]) -> None:
    cara = await cast.join("Cara", "coach")
    await heard(cast, await cast.ada.patch(me(cast.ada), {"phone": "0800-1", "audience": {"phone": audience}}))
    eyes = {"ada": cast.ada, "ben": cast.ben, "cara": cara, "otto": cast.otto}
    for name, caller in eyes.items():
        alone = (await caller.get(me(cast.ada))).json()
        listed = (await caller.get("/v1/people?limit=200")).json()["data"]
        table = csv.DictReader(io.StringIO((await caller.get("/v1/people?format=csv&limit=200")).text))
        rows = [alone, *(row for row in [*listed, *table] if row["id"] == cast.ada.id)]
        assert [row["phone"] or None for row in rows] == ["0800-1" if name in seen_by else None] * 3, name
        assert (alone["audience"] is None) == (name != "ada")
        sparse = (await caller.get(f"{me(cast.ada)}?fields=phone")).json()
        assert sparse == {"phone": rows[0]["phone"]}


async def test_until_it_is_chosen_contacts_are_ones_own_and_the_profile_is_for_members(cast: Cast) -> None:
    await cast.ada.patch(me(cast.ada), {"phone": "1", "city": "Tainan", "headline": "Analyst"})
    seen = (await cast.ben.get(me(cast.ada))).json()
    assert [seen[name] for name in ("email", "phone", "city", "headline")] == [None, None, "Tainan", "Analyst"]
    await cast.ada.patch(me(cast.ada), {"audience": {"city": "me"}})
    await cast.ada.patch(me(cast.ada), {"audience": {"phone": "members"}})
    assert (await cast.ada.get(me(cast.ada))).json()["audience"] == {"city": "me", "phone": "members"}
    await cast.ada.patch(me(cast.ada), {"audience": {"city": None}})
    assert (await cast.ada.get(me(cast.ada))).json()["audience"] == {"phone": "members"}


async def test_an_audience_is_of_a_field_of_the_profile(cast: Cast) -> None:
    for wrong in ({"name": "me"}, {"role": "me"}, {"phone": "everybody"}):
        refused = await cast.ada.patch(me(cast.ada), {"audience": wrong})
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["pointer"].startswith("/audience")


async def test_a_masked_field_can_neither_be_filtered_nor_sorted_by(cast: Cast) -> None:
    for query in ("phone=1", "email=ada@example.org", "sort=phone", "phone[like]=0*"):
        assert (await cast.ben.get(f"/v1/people?{query}")).status_code == 400, query


async def test_who_is_not_listed_is_hidden_from_members_and_not_from_moderators(cast: Cast) -> None:
    await heard(cast, await cast.ada.patch(me(cast.ada), {"listed": False}))
    assert refusal(await cast.ben.get(me(cast.ada))) == (404, "not-found")
    assert cast.ada.id not in ids(await cast.ben.get("/v1/people?limit=200"))
    assert cast.ada.id in ids(await cast.otto.get("/v1/people?limit=200"))
    assert (await cast.ada.get(me(cast.ada))).status_code == 200
    await heard(cast, await cast.ada.patch(me(cast.ada), {"listed": True}))
    assert cast.ada.id in ids(await cast.ben.get("/v1/people?limit=200"))


async def test_nobody_changes_another_person_not_even_an_admin(cast: Cast) -> None:
    for caller in (cast.ben, cast.otto):
        assert refusal(await caller.patch(me(cast.ada), {"name": "Mallory"})) == (403, "denied")
    for field in ("role", "status", "password_hash", "email"):
        assert refusal(await cast.ada.patch(me(cast.ada), {field: "admin"})) == (400, "unknown-fields")


async def test_a_new_password_ends_the_other_sessions_and_leaves_the_keys(cast: Cast, wrote: Any) -> None:
    account = await registered(cast)
    phone, laptop = [with_token(cast, await sign_in(cast, account["email"])) for _ in range(2)]
    key = (await phone.made("/v1/api-keys", {"name": "import"}))["key"]
    wrong = await phone.post(f"{me(phone)}/change-password", {"current": "not my password", "new": "x" * 15})
    assert refusal(wrong) == (403, "wrong-password")
    assert (await laptop.get("/v1/sessions")).status_code == 200
    body = {"current": PASSWORD, "new": "another password of mine"}
    await heard(cast, await phone.post(f"{me(phone)}/change-password", body))
    assert (await laptop.get("/v1/sessions")).status_code == 401
    assert len(ids(await phone.get("/v1/sessions"))) == 1
    assert (await cast.nobody.get("/v1/people", authorization=f"Bearer {key}")).status_code == 200
    old = await cast.nobody.post("/v1/sessions", {"email": account["email"], "password": PASSWORD})
    assert refusal(old) == (401, "wrong-credentials")
    await sign_in(cast, account["email"], body["new"])
    sessions = ["session.created"] * 3
    await wrote("person.created", *sessions, "api_key.created", "session.removed", "person.password_changed",
                "api_key.used")  # fmt: skip


async def test_the_refresh_token_of_an_ended_session_is_over(cast: Cast) -> None:
    account = await registered(cast)
    kept, ended = [await sign_in(cast, account["email"]) for _ in range(2)]
    phone = with_token(cast, kept)
    await phone.made(f"{me(phone)}/change-password", {"current": PASSWORD, "new": "another password of mine"})
    over = await cast.nobody.post("/v1/sessions:refresh", {"refresh_token": ended["refresh_token"]})
    assert refusal(over) == (401, "session-over")
    await cast.nobody.made("/v1/sessions:refresh", {"refresh_token": kept["refresh_token"]})


async def test_a_short_new_password_is_refused(cast: Cast) -> None:
    refused = await cast.ada.post(f"{me(cast.ada)}/change-password", {"current": PASSWORD, "new": "short"})
    assert (refusal(refused), refused.json()["errors"][0]["pointer"]) == ((422, "invalid"), "/new")


async def test_roles_are_given_up_to_ones_own_to_people_who_are_not_above(cast: Cast) -> None:
    mona = await cast.join("Mona", "moderator")
    assert refusal(await assign(cast, cast.ada, cast.ben, "coach")) == (403, "denied")
    assert (await assign(cast, mona, cast.ben, "moderator")).json()["role"] == "moderator"
    assert refusal(await assign(cast, mona, cast.ben, "admin")) == (403, "role-too-high")
    assert refusal(await assign(cast, mona, cast.otto, "member")) == (403, "role-too-high")
    assert refusal(await assign(cast, mona, mona, "admin")) == (403, "role-too-high")
    assert (await assign(cast, cast.otto, mona, "admin")).json()["role"] == "admin"


async def test_a_new_role_counts_from_the_next_request(cast: Cast) -> None:
    assert refusal(await assign(cast, cast.ada, cast.ben, "coach")) == (403, "denied")
    await assign(cast, cast.otto, cast.ada, "moderator")
    assert (await assign(cast, cast.ada, cast.ben, "coach")).status_code == 200
    await assign(cast, cast.otto, cast.ada, "guest")
    assert refusal(await cast.ada.patch(me(cast.ada), {"name": "Ada B."})) == (403, "denied")
    assert refusal(await cast.ada.get(me(cast.ben))) == (404, "not-found")


async def test_the_last_admin_stays(cast: Cast) -> None:
    for attempt in (
        assign(cast, cast.otto, cast.otto, "member"),
        cast.otto.post(f"{me(cast.otto)}/suspend"),
        cast.otto.delete(me(cast.otto)),
    ):
        assert refusal(await attempt) == (409, "last-admin")
    await assign(cast, cast.otto, cast.ada, "admin")
    assert (await assign(cast, cast.otto, cast.otto, "member")).status_code == 200
    assert refusal(await assign(cast, cast.ada, cast.ada, "coach")) == (409, "last-admin")


async def test_of_two_admins_who_step_down_at_once_one_stays(cast: Cast) -> None:
    await assign(cast, cast.otto, cast.ada, "admin")
    steps = [each.post(f"{me(each)}/assign-role", {"role": "member"}) for each in (cast.ada, cast.otto)]
    answers = await asyncio.gather(*steps)
    codes = sorted(each.json().get("code", "done") for each in answers)
    assert codes in (["done", "last-admin"], ["done", "raced"])
    assert await cast.server.database.pool.fetchval("SELECT count(*) FROM people WHERE role = 'admin'") == 1


async def test_a_suspended_person_and_their_keys_are_out_until_they_are_reinstated(cast: Cast) -> None:
    account = await registered(cast)
    tokens = await sign_in(cast, account["email"])
    eve = with_token(cast, tokens)
    key = (await eve.made("/v1/api-keys", {"name": "import"}))["key"]
    bearer = {"authorization": f"Bearer {key}"}
    assert (await cast.nobody.get("/v1/people", **bearer)).status_code == 200
    await heard(cast, await cast.otto.post(f"{me(eve)}/suspend"))
    for response in (await eve.get("/v1/people"), await cast.nobody.get("/v1/people", **bearer)):
        assert response.status_code == 401
    refreshed = await cast.nobody.post("/v1/sessions:refresh", {"refresh_token": tokens["refresh_token"]})
    assert refusal(refreshed) == (401, "account-suspended")
    credentials = {"email": account["email"], "password": PASSWORD}
    assert refusal(await cast.nobody.post("/v1/sessions", credentials)) == (401, "account-suspended")
    wrong = {**credentials, "password": "a wrong password 123"}
    assert refusal(await cast.nobody.post("/v1/sessions", wrong)) == (401, "wrong-credentials")
    await heard(cast, await cast.otto.post(f"{me(eve)}/reinstate"))
    assert (await eve.get("/v1/people")).status_code == 200
    assert (await cast.nobody.get("/v1/people", **bearer)).status_code == 200


async def test_moderators_suspend_members_and_never_an_admin(cast: Cast) -> None:
    mona = await cast.join("Mona", "moderator")
    assert refusal(await cast.ada.post(f"{me(cast.ben)}/suspend")) == (403, "denied")
    assert refusal(await mona.post(f"{me(cast.otto)}/suspend")) == (403, "denied")
    versions = [(await mona.made(f"{me(cast.ben)}/suspend", {}))["version"] for _ in range(2)]
    assert versions == [2, 2]


async def test_who_removes_their_account_is_out_and_the_address_is_free_again(cast: Cast) -> None:
    account = await registered(cast)
    eve = with_token(cast, await sign_in(cast, account["email"]))
    assert refusal(await cast.ben.delete(me(eve))) == (403, "denied")
    removed = await eve.delete(me(eve))
    await cast.server.tail.wait_for(removed.headers["log-position"])
    assert (await eve.get("/v1/people")).status_code == 401
    assert refusal(await cast.ben.get(me(eve))) == (404, "not-found")
    assert (await cast.nobody.post("/v1/people", NEW)).status_code == 201
