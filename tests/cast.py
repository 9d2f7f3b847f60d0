"""The cast: Ada owns, Ben is on her team, Cleo must see nothing of theirs, Otto is the admin. Fresh in every test."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from httpx2 import ASGITransport, AsyncClient, Response

from guildhouse.accounts.access_token import make_access_token
from guildhouse.accounts.person import Person, people
from guildhouse.accounts.session import sessions
from guildhouse.kernel import store
from guildhouse.kernel.actor import HOUSE
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.headers import Edge
from guildhouse.kernel.server import Server


@dataclass
class Caller:
    """Somebody with an HTTP client: `await ada.get("/v1/jobs")`. `id` is the person's."""

    client: AsyncClient
    id: str = ""
    name: str = "anonymous"

    async def call(self, method: str, path: str, json: Any = None, **headers: str) -> Response:
        """One request; keyword arguments are headers: `if_match='"1"'`."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return await self.client.request(method, path, json=json, headers=named) if json is not None else (
            await self.client.request(method, path, headers=named)
        )  # fmt: skip

    async def get(self, path: str, **headers: str) -> Response:
        return await self.call("GET", path, **headers)

    async def post(self, path: str, json: Any = None, **headers: str) -> Response:
        return await self.call("POST", path, json, **headers)

    async def patch(self, path: str, json: Any, **headers: str) -> Response:
        return await self.call("PATCH", path, json, **headers)

    async def delete(self, path: str, **headers: str) -> Response:
        return await self.call("DELETE", path, **headers)

    async def made(self, path: str, json: Any, **headers: str) -> dict[str, Any]:
        """POST that must succeed; the body of its answer."""
        response = await self.post(path, json, **headers)
        assert response.status_code in (200, 201, 202), response.text
        body: dict[str, Any] = response.json()
        return body


@dataclass
class Cast:
    """Everybody, and the server they are on."""

    server: Server
    edge: Edge
    ada: Caller
    ben: Caller
    cleo: Caller
    otto: Caller
    nobody: Caller

    def again(self) -> "Cast":
        """The same people with clients of their own, for another test."""
        callers = (self.ada, self.ben, self.cleo, self.otto, self.nobody)
        return Cast(self.server, self.edge, *(Caller(client_like(self.edge, c.client), c.id, c.name) for c in callers))

    async def join(self, name: str, role: str = "member", **values: Any) -> Caller:
        """One more person, signed in."""
        return await signed_in(self.server, self.edge, name, role, values)


async def assemble(server: Server, edge: Edge) -> Cast:
    """The whole cast in a fresh database, in one transaction: most tests begin so."""
    roles = {"ada": "member", "ben": "member", "cleo": "member", "otto": "admin"}
    async with by_the_house(server) as ctx:
        callers = {
            name: await welcomed(ctx, server, edge, await new_person(ctx, name.capitalize(), role, {}))
            for name, role in roles.items()
        }
    return Cast(server, edge, **callers, nobody=Caller(client_of(edge)))


async def signed_in(server: Server, edge: Edge, name: str, role: str, values: Mapping[str, Any]) -> Caller:
    """A person with a session."""
    async with by_the_house(server) as ctx:
        return await welcomed(ctx, server, edge, await new_person(ctx, name, role, values))


async def at_home(server: Server, edge: Edge, person: Caller) -> Caller:
    """A person of whom this server has a row, signed in there."""
    async with by_the_house(server) as ctx:
        return await welcomed(ctx, server, edge, person)


@asynccontextmanager
async def by_the_house(server: Server) -> AsyncIterator[Context]:
    """A transaction in the name of the house."""
    note = Note(reason="cast")
    async with server.database.writing(note) as connection:
        yield Context(server.house, connection, HOUSE, note)


async def new_person(ctx: Context, name: str, role: str, values: Mapping[str, Any]) -> Person:
    """A row for a person; no password is hashed, because that takes longer than most tests."""
    return await store.create(ctx, people, {
        "email": f"{name.lower()}@example.org", "name": name, "role": role, **values,
    }, verb="created")  # fmt: skip


async def welcomed(ctx: Context, server: Server, edge: Edge, person: Person | Caller) -> Caller:
    """A person with a session of theirs."""
    now = datetime.now(UTC)
    session = await store.create(ctx, sessions, {
        "person_id": person.id, "device": "test", "address": "local", "refresh_hash": person.id,
        "spent_hashes": [], "last_seen_at": now, "expires_at": now + timedelta(days=1),
    }, verb="created")  # fmt: skip
    return Caller(client_of(edge, make_access_token(server, session)), person.id, person.name)


def client_of(edge: Edge, token: str | None = None) -> AsyncClient:
    """An HTTP client whose requests go straight into the application."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return AsyncClient(transport=ASGITransport(app=edge), base_url="http://guildhouse.test", headers=headers)


def client_like(edge: Edge, client: AsyncClient) -> AsyncClient:
    """Another client of the same person."""
    return client_of(edge, client.headers.get("authorization", "").removeprefix("Bearer ") or None)
