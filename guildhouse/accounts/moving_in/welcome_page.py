"""The page behind a welcome link: who has it chooses a password there, and can sign in."""

from typing import Annotated

from fastapi import Form, Request
from fastapi.responses import HTMLResponse

from guildhouse.accounts.moving_in.welcome import Claim, WelcomeOver, choose_password, person_of
from guildhouse.accounts.secrets import hash_password
from guildhouse.kernel.actor import ANONYMOUS
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.errors import Problem
from guildhouse.kernel.request import conform
from guildhouse.kernel.server import Server
from guildhouse.kernel.web_page import WebPage

# What the page says, in English; other languages have a section of this name in their catalogue.
page = WebPage(
    "guildhouse.accounts",
    "welcome",
    {
        "title": "Welcome",
        "intro": "Your account is here already. Choose a password for it.",
        "incomplete": "Open the whole link, with all that stands behind its #, in a browser that runs scripts.",
        "password": "Password, at least 15 characters",
        "choose": "Choose this password",
        "done": "Your account has its password now:",
        "next": "Sign in over the API; the answer has your access token:",
        "docs": "Go on with the documentation",
    },
)
router = page.router()


@router.post("/welcome")
async def welcome(request: Request, token: Annotated[str, Form()], password: Annotated[str, Form()]) -> HTMLResponse:
    """Choose the password, and use the link up."""
    server: Server = request.app.state.server
    try:
        person_id = person_of(server, token)
        hashed = await hash_password(conform(Claim, {"token": token, "password": password}).password)
        async with server.database.writing(Note()) as connection:
            person = await choose_password(Context(server.house, connection, ANONYMOUS, Note()), person_id, hashed)
    except WelcomeOver as problem:
        return page.refused(request, problem)
    except Problem as problem:
        return page.corrected(request, problem, token=token)
    return page.answered(request, done=True, email=person.email)
