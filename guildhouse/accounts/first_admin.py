"""The first admin: a one-time link that `guildhouse up` prints, and the page behind it. There is no default password."""

from collections.abc import Mapping
from typing import Annotated, Any

import structlog
from asyncpg import UniqueViolationError
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse

from guildhouse.accounts.person import ADMINS, Create, people
from guildhouse.accounts.secrets import hash_token, new_token
from guildhouse.kernel import store
from guildhouse.kernel.actor import HOUSE
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Connection, Database, Note, fetch
from guildhouse.kernel.errors import NotFound, Problem
from guildhouse.kernel.problems import already_exists
from guildhouse.kernel.request import conform
from guildhouse.kernel.server import Server
from guildhouse.kernel.web_page import WebPage

log = structlog.get_logger()
NAME = "first-admin"
HOURS = 24
router = APIRouter(include_in_schema=False)
# What the page says, in English; other languages have a section of this name in their catalogue.
page = WebPage(
    "guildhouse.accounts",
    NAME,
    {
        "title": "The first admin",
        "intro": "Nobody runs this server yet. Make your account; it will be the admin's.",
        "name": "Name",
        "email": "E-mail address",
        "password": "Password, at least 15 characters",
        "make": "Make the account",
        "done": "You are the admin of this server now:",
        "next": "Sign in over the API; the answer has your access token:",
        "docs": "Go on with the documentation",
    },
)


class LinkUsed(NotFound):
    """This link is not good any more. Start the server again: as long as there is no admin, it prints a new one."""


async def first_admin_link(database: Database, address: str) -> str | None:
    """The link to make the first admin with, good for a day; None when there is an admin already."""
    token = new_token()
    async with database.reading() as connection:
        if await has_admin(connection):
            return None
        await connection.execute(
            "INSERT INTO secrets (name, value) VALUES ($1, $2) "
            "ON CONFLICT (name) DO UPDATE SET value = excluded.value, made_at = now()",
            NAME,
            hash_token(token).encode(),
        )
    return f"{address}/first-admin?token={token}"


async def has_admin(connection: Connection) -> bool:
    """Whether somebody can run this server already."""
    return bool(await fetch(connection, ADMINS))


async def check(connection: Connection, token: str) -> None:
    """Raise `LinkUsed` unless this is the token of the last link, it is young enough, and there is no admin."""
    stored = await connection.fetchval(
        "SELECT value FROM secrets WHERE name = $1 AND made_at > now() - make_interval(hours => $2)", NAME, HOURS
    )
    if stored != hash_token(token).encode() or await has_admin(connection):
        raise LinkUsed


async def use_up(connection: Connection, token: str) -> None:
    """Raise `LinkUsed` unless the link is good; of two who use it at once, the second waits for the first here."""
    await check(connection, token)
    if await connection.fetchval("DELETE FROM secrets WHERE name = $1 RETURNING true", NAME) is None:
        raise LinkUsed


@router.get("/first-admin")
async def show_form(request: Request, token: str = "") -> HTMLResponse:
    """The form for the first admin's account."""
    server: Server = request.app.state.server
    async with server.database.reading() as connection:
        try:
            await check(connection, token)
        except LinkUsed as problem:
            return page.refused(request, problem)
    return page.answered(request, token=token)


@router.post("/first-admin")
async def make_first_admin(
    request: Request,
    token: Annotated[str, Form()],
    email: Annotated[str, Form()],
    name: Annotated[str, Form()],
    password: Annotated[str, Form()],
) -> HTMLResponse:
    """Make the account, and use the link up, in one transaction."""
    server: Server = request.app.state.server
    values = {"email": email, "name": name}
    try:
        person = conform(Create, {**values, "password": password}).model_dump()
        async with server.database.writing(Note(reason="first admin")) as connection:
            await use_up(connection, token)
            ctx = Context(server.house, connection, HOUSE, Note(reason="first admin"))
            await create_admin(ctx, person)
    except LinkUsed as problem:
        return page.refused(request, problem)
    except Problem as problem:
        return page.corrected(request, problem, token=token, **values)
    log.info("the first admin was made")
    return page.answered(request, 201, done=True, email=person["email"])


async def create_admin(ctx: Context, person: Mapping[str, Any]) -> None:
    """Write the account. Raises `AlreadyExists` for the address of somebody who has registered already."""
    try:
        await store.create(ctx, people, {**person, "role": "admin"}, verb="created")
    except UniqueViolationError as error:
        raise already_exists(error) from error
