"""Welcome: a person whose account came from elsewhere chooses a password, once, by a link that only an admin makes."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from guildhouse.accounts.moving_in import welcome
from guildhouse.accounts.moving_in.welcome import PURPOSE, WelcomeOver, person_of
from tests.cast import Cast
from tests.organizations.scenes import refusal

pytestmark = pytest.mark.anyio
PASSWORD = "a password of some length"


async def token_for(cast: Cast, person_id: str) -> str:
    answer = await cast.otto.made(f"/v1/people/{person_id}/welcome", {})
    assert answer["link"] == f"/welcome#{answer['token']}"
    return str(answer["token"])


async def claimed(cast: Cast, token: str, password: str = PASSWORD) -> tuple[int, str]:
    answer = await cast.nobody.post("/v1/people:claim", {"token": token, "password": password})
    return (204, "") if answer.status_code == 204 else refusal(answer)


async def test_a_link_lets_its_person_in_once(cast: Cast, wrote: Callable[..., Any]) -> None:
    token = await token_for(cast, cast.cleo.id)
    assert await claimed(cast, token) == (204, "")
    signed = await cast.nobody.post("/v1/sessions", {"email": "cleo@example.org", "password": PASSWORD})
    assert signed.json()["person_id"] == cast.cleo.id
    assert await claimed(cast, token) == (404, "welcome-over")
    assert refusal(await cast.otto.post(f"/v1/people/{cast.cleo.id}/welcome")) == (409, "has-password")
    await wrote("person.claimed", "session.created")


async def test_the_log_says_that_it_was_used_and_not_how(cast: Cast) -> None:
    await claimed(cast, await token_for(cast, cast.cleo.id))
    change = await cast.server.database.pool.fetchrow(
        "SELECT actor, before, after FROM changes WHERE row_id = $1 AND verb = 'claimed'", cast.cleo.id
    )
    assert dict(change) == {"actor": None, "before": {"password_hash": None}, "after": {"password_hash": None}}


async def test_a_link_is_an_admins_to_make(cast: Cast) -> None:
    for who in (cast.ada, cast.cleo):
        assert refusal(await who.post(f"/v1/people/{cast.cleo.id}/welcome")) == (403, "denied")
    assert (await cast.nobody.post(f"/v1/people/{cast.cleo.id}/welcome")).status_code == 401
    assert refusal(await cast.otto.post(f"/v1/people/{cast.server.secret.hex()[:8]}/welcome")) == (404, "not-found")


async def test_what_is_no_link_of_this_server_opens_nothing(cast: Cast) -> None:
    token = await token_for(cast, cast.cleo.id)
    person, expires, signed = token.split(".")
    soon = int(time.time()) + 60
    for wrong in (
        "", "x", "..", "a.b.c", f"{person}.{expires}.", f"{person}.{expires}.{signed[:-1]}", f"{person}.{soon}.{signed}",
        f"{cast.ada.id}.{expires}.{signed}", f"{person.upper()}.{expires}.{signed}", f"{person}.²{expires}.{signed}",
        f"{person}.{'9' * 40}.{signed}",
    ):  # fmt: skip
        assert await claimed(cast, wrong) == (404, "welcome-over"), wrong
    assert await claimed(cast, token, "short") == (422, "invalid")


async def test_a_link_ends_after_its_days(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    over = int(time.time()) - 1
    with pytest.raises(WelcomeOver):
        person_of(cast.server, f"{cast.cleo.id}.{over}.{cast.server.signature(PURPOSE, cast.cleo.id, over)}")
    monkeypatch.setattr(welcome, "SECONDS", -1)
    assert await claimed(cast, await token_for(cast, cast.cleo.id)) == (404, "welcome-over")


async def test_who_is_suspended_or_gone_is_not_let_in(cast: Cast) -> None:
    token, other = await token_for(cast, cast.cleo.id), await token_for(cast, cast.ben.id)
    await cast.otto.made(f"/v1/people/{cast.cleo.id}/suspend", {})
    assert await claimed(cast, token) == (404, "welcome-over")
    await cast.otto.made(f"/v1/people/{cast.cleo.id}/reinstate", {})
    assert await claimed(cast, token) == (204, "")
    assert (await cast.ben.delete(f"/v1/people/{cast.ben.id}")).status_code == 204
    assert await claimed(cast, other) == (404, "welcome-over")
