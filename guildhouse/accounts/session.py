"""Sessions: sign-ins of a person, one a device. Short access tokens, and refresh tokens that change with every use."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field
from sqlalchemy import ForeignKey, Index, Uuid, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.accounts.access_token import ACCESS_SECONDS, make_access_token
from guildhouse.accounts.person import Email, Password, Person, is_self, people
from guildhouse.accounts.secrets import hash_password, hash_token, new_token, password_fits
from guildhouse.kernel import store
from guildhouse.kernel.answer import Answer, problem_answer
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import fetch
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Conflict, Denied, Unauthenticated
from guildhouse.kernel.may import anyone, is_person
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Carry, Find, Keep, Log, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.shapes import SECRET, ReadShape, Shape
from guildhouse.kernel.writing import perform, row_answer

DAYS = 30


class WrongCredentials(Unauthenticated):
    """This e-mail address and password do not belong together."""


class WrongPassword(Denied):
    """The current password is not right."""


class AccountSuspended(Unauthenticated):
    """This account is suspended. Ask the people who run this server."""


class SessionOver(Unauthenticated):
    """This session has ended. Sign in again."""


class RefreshTokenReused(Unauthenticated):
    """This refresh token was used before, so somebody may have copied it: the session is closed. Sign in again."""


class EndedForGood(Conflict):
    """A session that has ended stays so. Sign in again."""


class Session(Row):
    """A sign-in on one device. To end it is to remove it."""

    __tablename__ = "sessions"

    person_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("people.id", ondelete="CASCADE"))
    device: Mapped[str]
    address: Mapped[str]
    refresh_hash: Mapped[str]
    spent_hashes: Mapped[list[str]]
    last_seen_at: Mapped[datetime]
    expires_at: Mapped[datetime]

    __table_args__ = (
        Index("ix_sessions_person_id", "person_id"),
        Index("ix_sessions_refresh_hash", "refresh_hash"),
        Index("ix_sessions_spent_hashes", "spent_hashes", postgresql_using="gin"),
        Index("ix_sessions_created_at_id", "created_at", "id"),
        Index("ix_sessions_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A session in the list of one's devices. `last_seen_at` is when it last got new tokens."""

    person_id: str
    device: str
    address: str
    last_seen_at: datetime
    expires_at: datetime


class Credentials(Shape):
    """Sign in."""

    email: Email = Field(examples=["ada@example.org"])
    password: str = Field(max_length=200, examples=["correct horse battery staple"])
    device: str = Field(default="", max_length=200, examples=["Ada's laptop"])


class NewPassword(Shape):
    """A new password, and the current one as proof."""

    current: str = Field(max_length=200, json_schema_extra=SECRET)
    new: Password


class RefreshToken(Shape):
    """The refresh token that the last answer gave."""

    refresh_token: str = Field(max_length=200)


class Tokens(Read):
    """A session with its tokens. The access token is good for 15 minutes, the refresh token once, within 30 days."""

    access_token: str
    refresh_token: str
    expires_in: int


def what_ended_stays_so(_ctx: Context, before: Session | None, after: Session) -> None:
    """One ends a session because somebody else may have its tokens: no restoring makes them good again."""
    if before is not None and before.deleted_at is not None and after.deleted_at is None:
        raise EndedForGood


sessions = Resource(
    table=Session,
    shapes=Shapes(read=Read),
    scopes=lambda row: [scope("person", row.person_id)],
    may=May(remove=is_person("person_id")),
    rules=(what_ended_stays_so,),
    find=Find(sort=("created_at",)),
    log=Log(hidden=("refresh_hash", "spent_hashes"), personal=("device", "address")),
    carry=Carry(stays=True),
    keep=Keep(trash_days=30),
)

BY_EMAIL = select(Person).where(Person.email == bindparam("email"), Person.deleted_at.is_(None))
BY_REFRESH = select(Session).where(
    (Session.refresh_hash == bindparam("hash")) | Session.spent_hashes.contains(bindparam("hashes")),
)
OTHERS = select(Session).where(
    Session.person_id == bindparam("person_id"),
    Session.id.is_distinct_from(bindparam("own")),
    Session.deleted_at.is_(None),
)


async def sign_in(call: Call) -> Answer:
    """Sign in with e-mail address and password. The password is checked outside of any transaction: it takes a while."""
    credentials = await call.shaped(Credentials)
    call.server.limits.take("account", credentials.email)
    async with call.server.database.reading() as connection:
        records = await fetch(connection, BY_EMAIL, email=credentials.email)
    person = Person.of(records[0]) if records else None
    fits = await password_fits(credentials.password, person.password_hash if person else None)
    if person is None or not fits:
        raise WrongCredentials
    if person.status != "active":
        raise AccountSuspended

    async def act(ctx: Context) -> Answer:
        return await begun(call, ctx, person, credentials.device)

    return await perform(call, act)


async def begun(call: Call, ctx: Context, person: Person, device: str) -> Answer:
    """A new session with its first tokens."""
    refresh = new_token()
    row = await store.create(ctx, sessions, {
        "person_id": person.id, "device": device or (call.header("user-agent") or "unknown")[:200],
        "address": call.client, "refresh_hash": hash_token(refresh), "spent_hashes": [],
        "last_seen_at": ctx.now, "expires_at": ctx.now + timedelta(days=DAYS),
    }, verb="created")  # fmt: skip
    return answer_with_tokens(call, ctx, row, refresh, 201)


def answer_with_tokens(call: Call, ctx: Context, row: Session, refresh: str, status: int = 200) -> Answer:
    """The session, and its tokens this once."""
    ctx.reveal({"access_token": make_access_token(call.server, row), "refresh_token": refresh})
    answer = row_answer(call, ctx, sessions, row, status, {"expires_in": ACCESS_SECONDS})
    answer.headers["Cache-Control"] = "no-store"
    return answer


async def refresh(call: Call) -> Answer:
    """Get new tokens for the refresh token, which is thereby spent. A spent one closes its session."""
    token = (await call.shaped(RefreshToken)).refresh_token

    async def act(ctx: Context) -> Answer:
        row = await session_of(ctx, token)
        if hash_token(token) != row.refresh_hash:
            await store.remove(ctx, sessions, row, verb="stolen")
            # Answered, not raised: the session's end must be committed.
            return problem_answer(RefreshTokenReused(), call.language, call.request_id)
        renewed = new_token()
        row = await store.change(ctx, sessions, row, turned(ctx, row, renewed), verb="refreshed")
        return answer_with_tokens(call, ctx, row, renewed)

    return await perform(call, act)


async def session_of(ctx: Context, token: str) -> Session:
    """The live session that a refresh token is or was of, locked."""
    hashed = hash_token(token)
    records = await ctx.all(BY_REFRESH, hash=hashed, hashes=[hashed])
    row = await ctx.find(sessions, records[0]["id"], lock=True) if records else None
    if row is None or row.expires_at < ctx.now:
        raise SessionOver
    person = await ctx.find(people, row.person_id)
    if person is None or person.status != "active":
        raise AccountSuspended
    return row


def turned(ctx: Context, row: Session, token: str) -> Mapping[str, Any]:
    """The session after a refresh: the old token is remembered as spent."""
    return {
        "refresh_hash": hash_token(token),
        "spent_hashes": [*row.spent_hashes[-20:], row.refresh_hash],
        "last_seen_at": ctx.now,
        "expires_at": ctx.now + timedelta(days=DAYS),
    }


async def change_password(ctx: Context, row: Person, body: NewPassword) -> Person:
    """Change your password; your other sessions end. API keys stay: revoke them one by one."""
    if not await password_fits(body.current, row.password_hash):
        raise WrongPassword
    for record in await ctx.all(OTHERS, person_id=row.id, own=ctx.actor.session_id):
        await store.remove(ctx, sessions, Session.of(record), verb="removed")
    return await store.change(
        ctx, people, row, {"password_hash": await hash_password(body.new)}, verb="password_changed"
    )


verbs = (Verb(people, change_password, may=is_self),)

doors = (
    Door("POST", "/v1/sessions", "sessions.write", "Sign in", sign_in, sessions, open_to=anyone,
         takes=Credentials, gives=Tokens),
    Door("POST", "/v1/sessions:refresh", "sessions.write", "Get new tokens", refresh, sessions, open_to=anyone,
         takes=RefreshToken, gives=Tokens),
)  # fmt: skip
