"""Signing in, refreshing, the list of devices, and what ends a session."""

import pytest

from guildhouse.accounts import session
from guildhouse.accounts.secrets import hash_token
from tests.cast import Caller, Cast, client_of
from tests.organizations.scenes import refusal

pytestmark = pytest.mark.anyio
PASSWORD = "correct horse battery staple"


async def registered(cast: Cast, email: str = "eve@example.org") -> dict[str, str]:
    person = await cast.nobody.made("/v1/people", {"email": email, "name": "Eve", "password": PASSWORD})
    return {"email": email, "password": PASSWORD, "id": person["id"]}


async def sign_in(cast: Cast, email: str, password: str = PASSWORD) -> dict[str, str]:
    return await cast.nobody.made("/v1/sessions", {"email": email, "password": password, "device": "phone"})


def with_token(cast: Cast, tokens: dict[str, str]) -> Caller:
    return Caller(client_of(cast.edge, tokens["access_token"]), tokens["person_id"])


async def test_a_registered_person_signs_in_and_is_known(cast: Cast) -> None:
    account = await registered(cast)
    tokens = await sign_in(cast, "EVE@example.org ")
    eve = with_token(cast, tokens)
    me = (await eve.get(f"/v1/people/{account['id']}")).json()
    assert me["email"] == "eve@example.org"
    assert tokens["expires_in"] == 900


@pytest.mark.parametrize("email", ["eve@example.org", "nobody@example.org"])
async def test_a_wrong_password_and_an_unknown_address_look_the_same(cast: Cast, email: str) -> None:
    await registered(cast)
    response = await cast.nobody.post("/v1/sessions", {"email": email, "password": "a wrong password 123"})
    assert response.status_code == 401
    assert response.json()["code"] == "wrong-credentials"
    assert "password 123" not in response.text


async def test_a_refresh_token_works_once_and_its_theft_closes_the_session(cast: Cast) -> None:
    await registered(cast)
    first = await sign_in(cast, "eve@example.org")
    second = await cast.nobody.made("/v1/sessions:refresh", {"refresh_token": first["refresh_token"]})
    assert second["refresh_token"] != first["refresh_token"]
    stolen = await cast.nobody.post("/v1/sessions:refresh", {"refresh_token": first["refresh_token"]})
    assert (stolen.status_code, stolen.json()["code"]) == (401, "refresh-token-reused")
    after = await cast.nobody.post("/v1/sessions:refresh", {"refresh_token": second["refresh_token"]})
    assert (after.status_code, after.json()["code"]) == (401, "session-over")


async def test_a_removed_session_stops_working(cast: Cast) -> None:
    await registered(cast)
    eve = with_token(cast, await sign_in(cast, "eve@example.org"))
    listed = (await eve.get("/v1/sessions")).json()["data"]
    assert [each["device"] for each in listed] == ["phone"]
    removed = await eve.delete(f"/v1/sessions/{listed[0]['id']}")
    assert removed.status_code == 204
    gone = await eve.get("/v1/people", wait_for=removed.headers["log-position"])
    if gone.status_code == 200:  # the token was still remembered when the request came in
        gone = await eve.get("/v1/people")
    assert gone.status_code == 401


async def test_nobody_sees_the_sessions_of_others(cast: Cast) -> None:
    assert len((await cast.ada.get("/v1/sessions")).json()["data"]) == 1
    mine = (await cast.ada.get("/v1/sessions")).json()["data"][0]
    assert (await cast.otto.get(f"/v1/sessions/{mine['id']}")).status_code == 404


async def test_a_suspended_person_is_out_at_once(cast: Cast) -> None:
    suspended = await cast.otto.post(f"/v1/people/{cast.ada.id}/suspend")
    assert suspended.status_code == 200, suspended.text
    await cast.server.tail.wait_for(suspended.headers["log-position"])
    assert (await cast.ada.get("/v1/people")).status_code == 401


async def test_secrets_never_enter_the_log(cast: Cast) -> None:
    await registered(cast)
    tokens = await sign_in(cast, "eve@example.org")
    logged = await cast.server.database.pool.fetchval("SELECT string_agg(changes::text, '') FROM changes")
    assert hash_token(tokens["refresh_token"]) not in logged
    assert "argon2" not in logged
    assert session.DAYS == 30


@pytest.mark.parametrize("way", ["restore", "undo"])
async def test_a_session_that_has_ended_does_not_come_back(cast: Cast, way: str) -> None:
    account = await registered(cast)
    stolen, own = await sign_in(cast, account["email"]), await sign_in(cast, account["email"])
    eve = with_token(cast, own)
    await eve.delete(f"/v1/sessions/{stolen['id']}")
    refused = await eve.post(f"/v1/sessions/{stolen['id']}/{way}", {})
    assert refusal(refused) == (409, "ended-for-good")
    assert (await with_token(cast, stolen).get("/v1/sessions")).status_code == 401
    refreshed = await cast.nobody.post("/v1/sessions:refresh", {"refresh_token": stolen["refresh_token"]})
    assert refusal(refreshed) == (401, "session-over")
