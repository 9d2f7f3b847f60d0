"""Welcome: a link by which a person whose account was loaded from elsewhere chooses a password, once.

The link is signed and good for 14 days, and only as long as the account has no password; nothing of it is kept.
"""

from pydantic import Field

from guildhouse.accounts.person import Password, Person, people
from guildhouse.accounts.secrets import hash_password
from guildhouse.kernel import store
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.context import Context
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Conflict, Denied, NotFound
from guildhouse.kernel.may import anyone, holds
from guildhouse.kernel.request import Call
from guildhouse.kernel.select import fetch_one
from guildhouse.kernel.server import Server
from guildhouse.kernel.shapes import Shape
from guildhouse.kernel.signed_link import SignedLink, Token, link_answer
from guildhouse.kernel.writing import perform

SECONDS = 14 * 86_400
PURPOSE = "welcome"
may_welcome = holds("people.admin")


class HasPassword(Conflict):
    """This account has a password already: its person signs in with it."""


class WelcomeOver(NotFound):
    """This link is not good (any more), or was used. Ask the people who run this server for a new one."""


class Welcome(SignedLink):
    """A link for the person alone: whoever has it first, has the account. `token` is what stands behind its `#`."""


class Claim(Shape):
    """The token of a welcome link, and the password that its person chooses."""

    token: str = Field(max_length=200)
    password: Password


async def make_welcome(call: Call) -> Answer:
    """Make a link for a person who has no password yet; pass it on to nobody else."""
    if not may_welcome(call.actor, None):
        raise Denied
    async with call.server.database.reading() as connection:
        record = await fetch_one(connection, people, call.actor, call.row_id, "*")
    if record is None:
        raise NotFound
    if record["password_hash"] is not None:
        raise HasPassword
    return link_answer(call.server, PURPOSE, record["id"], record["id"], SECONDS)


def person_of(server: Server, token: str) -> str:
    """The id in a token that this server made and that is not over. Raises `WelcomeOver`."""
    found = Token.parse(token)
    if found is None or not found.is_signed(server, PURPOSE, found.row_id):
        raise WelcomeOver
    return found.row_id


async def claim(call: Call) -> Answer:
    """Choose the password of an account that has none, by its welcome link. Sign in with it then."""
    body = await call.shaped(Claim)
    person_id = person_of(call.server, body.token)
    hashed = await hash_password(body.password)

    async def act(ctx: Context) -> Answer:
        await choose_password(ctx, person_id, hashed)
        return Answer(204)

    return await perform(call, act)


async def choose_password(ctx: Context, person_id: str, hashed: str) -> Person:
    """Give an account its first password. Raises `WelcomeOver` for one that has a password, or is not to sign in."""
    row: Person | None = await ctx.find(people, person_id, lock=True)
    if row is None or row.password_hash is not None or row.status != "active":
        raise WelcomeOver
    return await store.change(ctx, people, row, {"password_hash": hashed}, verb="claimed")


doors = (
    Door("POST", "/v1/people/{id}/welcome", "people.write", "A link to choose the first password of a loaded account",
         make_welcome, people, gives=Welcome),
    Door("POST", "/v1/people:claim", "people.write", "Choose the first password, by a welcome link", claim, people,
         open_to=anyone, takes=Claim),
)  # fmt: skip
