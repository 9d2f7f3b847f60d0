"""The page of a welcome link: its form gives an account the first password, once, and says what is wrong in words."""

from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response

from tests.accounts.test_welcome import PASSWORD, token_for
from tests.cast import Cast

pytestmark = pytest.mark.anyio


async def sent(cast: Cast, token: str, password: str = PASSWORD, **headers: str) -> Response:
    return await cast.nobody.client.post("/welcome", data={"token": token, "password": password}, headers=headers)


async def test_the_page_has_a_form_and_hears_of_no_token_before_it_is_sent(cast: Cast) -> None:
    page = await cast.nobody.get("/welcome")
    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert 'id="token" name="token" value=""' in page.text and "behind its #" in page.text
    assert '<script src="/welcome.js" defer></script>' in page.text
    script = await cast.nobody.get("/welcome.js")
    assert script.headers["content-type"].startswith("text/javascript") and "location.hash" in script.text
    assert "script-src 'self'" in page.headers["content-security-policy"]


async def test_its_form_gives_the_account_its_password_once(cast: Cast, wrote: Callable[..., Any]) -> None:
    token = await token_for(cast, cast.cleo.id)
    done = await sent(cast, token)
    assert done.status_code == 200 and "cleo@example.org" in done.text and PASSWORD not in done.text
    signed = await cast.nobody.post("/v1/sessions", {"email": "cleo@example.org", "password": PASSWORD})
    assert signed.json()["person_id"] == cast.cleo.id
    again = await sent(cast, token, "another password, long enough")
    assert again.status_code == 404 and "Ask the people who run this server" in again.text and "<form" not in again.text
    await wrote("person.claimed", "session.created")


async def test_a_password_that_is_too_short_keeps_the_link(cast: Cast, wrote: Callable[..., Any]) -> None:
    token = await token_for(cast, cast.cleo.id)
    short = await sent(cast, token, "short")
    assert short.status_code == 422 and "password:" in short.text and f'value="{token}"' in short.text
    assert '"short"' not in short.text
    await wrote()


async def test_it_speaks_the_readers_language_in_all_its_states(cast: Cast) -> None:
    token = await token_for(cast, cast.cleo.id)
    chinese = {"accept-language": "zh-TW"}
    assert "請為它設定密碼" in (await cast.nobody.client.get("/welcome", headers=chinese)).text
    assert "password: " in (await sent(cast, token, "short", **chinese)).text
    assert "您的帳號已設定密碼" in (await sent(cast, token, **chinese)).text
    over = await sent(cast, token, **chinese)
    assert over.status_code == 404 and "Ask the people" not in over.text and '<html lang="zh-TW">' in over.text


@pytest.mark.parametrize("token", ["", "x", "a.b.c", '"><script>alert(1)</script>', "\u0000", "ə" * 500])
async def test_what_is_no_link_of_this_server_opens_nothing_and_becomes_no_part_of_the_page(
    cast: Cast, token: str, wrote: Callable[..., Any]
) -> None:
    answer = await sent(cast, token)
    assert answer.status_code in (404, 422) and "<script>" not in answer.text
    await wrote()


async def test_who_was_suspended_since_is_not_let_in(cast: Cast) -> None:
    token = await token_for(cast, cast.cleo.id)
    await cast.otto.made(f"/v1/people/{cast.cleo.id}/suspend", {})
    assert (await sent(cast, token)).status_code == 404
