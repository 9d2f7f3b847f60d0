"""The first admin: one link, one page, one account."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
from httpx2 import AsyncClient, Response

from guildhouse.accounts.first_admin import first_admin_link
from guildhouse.app import running
from guildhouse.kernel.server import Server
from tests.cast import client_of

pytestmark = pytest.mark.anyio
PASSWORD = "correct horse battery staple"


@dataclass
class Fresh:
    """A server that nobody runs yet."""

    server: Server
    client: AsyncClient

    async def token(self) -> str:
        link = await first_admin_link(self.server.database, "http://here")
        assert link and link.startswith("http://here/first-admin?token=")
        return link.partition("token=")[2]

    async def send(self, token: str, /, **changed: str) -> Response:
        form = {"email": "ada@example.org", "name": "Ada", "password": PASSWORD, "token": token}
        return await self.client.post("/first-admin", data={**form, **changed})

    async def admins(self) -> int:
        return int(await self.server.database.pool.fetchval("SELECT count(*) FROM people WHERE role = 'admin'"))


@pytest.fixture
async def fresh(config: Any, dsn: str) -> AsyncIterator[Fresh]:
    async with running(config, dsn) as made:
        yield Fresh(made.server, client_of(made.asgi))


async def test_the_link_leads_to_a_form_and_the_form_to_an_admin(fresh: Fresh) -> None:
    token = await fresh.token()
    form = await fresh.client.get(f"/first-admin?token={token}")
    assert form.status_code == 200
    assert f'value="{token}"' in form.text
    assert form.headers["content-security-policy"].startswith("default-src 'none'")
    made = await fresh.send(token)
    assert (made.status_code, await fresh.admins()) == (201, 1)
    assert PASSWORD not in made.text
    tokens = await fresh.client.post("/v1/sessions", json={"email": "ada@example.org", "password": PASSWORD})
    bearer = {"authorization": f"Bearer {tokens.json()['access_token']}"}
    me = await fresh.client.get(f"/v1/people/{tokens.json()['person_id']}", headers=bearer)
    assert me.json()["role"] == "admin"


async def test_a_link_works_once_and_afterwards_there_is_none(fresh: Fresh) -> None:
    token = await fresh.token()
    await fresh.send(token)
    again = await fresh.send(token, email="mallory@example.org")
    assert (again.status_code, await fresh.admins()) == (404, 1)
    assert (await fresh.client.get(f"/first-admin?token={token}")).status_code == 404
    assert await first_admin_link(fresh.server.database, "") is None


async def test_of_two_who_use_it_at_once_one_becomes_the_admin(fresh: Fresh) -> None:
    token = await fresh.token()
    sent = [fresh.send(token, email=f"{name}@example.org") for name in ("ada", "ben", "cleo")]
    answers = await asyncio.gather(*sent)
    assert sorted(each.status_code for each in answers) == [201, 404, 404]
    assert await fresh.admins() == 1


async def test_a_wrong_an_old_or_a_replaced_token_opens_nothing(fresh: Fresh) -> None:
    replaced, token = await fresh.token(), await fresh.token()
    for wrong in ("", "x", replaced):
        assert (await fresh.client.get(f"/first-admin?token={wrong}")).status_code == 404
        assert (await fresh.send(wrong)).status_code in (404, 422)
    pool = fresh.server.database.pool
    await pool.execute("UPDATE secrets SET made_at = now() - interval '24 hours 1 second' WHERE name = 'first-admin'")
    assert (await fresh.send(token)).status_code == 404
    assert await fresh.admins() == 0


async def test_faults_are_shown_and_what_was_typed_is_kept_but_the_password(fresh: Fresh) -> None:
    token = await fresh.token()
    refused = await fresh.send(token, password="too short", email="not an address", name="Ada Byron")
    assert refused.status_code == 422
    assert refused.headers["content-type"].startswith("text/html")
    for shown in ("email:", "password:", 'value="Ada Byron"', 'value="not an address"', token):
        assert shown in refused.text
    assert "too short" not in refused.text
    assert (await fresh.send(token)).status_code == 201


async def test_the_page_of_a_fault_speaks_the_readers_language(fresh: Fresh) -> None:
    token = await fresh.token()
    page = await fresh.client.get(f"/first-admin?token={token}", headers={"accept-language": "zh-TW"})
    assert '<html lang="zh-TW">' in page.text
    assert "建立帳號" in page.text


async def test_what_is_typed_never_becomes_part_of_the_page(fresh: Fresh) -> None:
    token = await fresh.token()
    attack = '"><script>alert(1)</script>'
    for field in ("name", "email", "token"):
        answer = await fresh.send(token, **{"password": "short", field: attack})
        assert "<script>" not in answer.text, field
    made = await fresh.send(token, name=attack, email="<b>@example.org")
    assert made.status_code == 201
    assert "<b>" not in made.text and "<script>" not in made.text


async def test_the_address_of_somebody_who_has_registered_is_a_fault_of_the_form(fresh: Fresh) -> None:
    account = {"email": "ada@example.org", "name": "Ada", "password": PASSWORD}
    assert (await fresh.client.post("/v1/people", json=account)).status_code == 201
    token = await fresh.token()
    refused = await fresh.send(token, name="Ada Byron")
    assert refused.status_code == 422
    assert "email: " in refused.text and 'value="Ada Byron"' in refused.text
    assert (await fresh.send(token, email="admin@example.org")).status_code == 201
