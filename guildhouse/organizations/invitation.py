"""Invitations: how a person comes into an organization. Whoever holds the link and is signed in may accept it, once."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from pydantic import Field
from sqlalchemy import CheckConstraint, ForeignKey, Index, Uuid, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.accounts.person import Email
from guildhouse.accounts.secrets import hash_token, new_token
from guildhouse.kernel import store
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.context import Context
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Conflict, NotFound
from guildhouse.kernel.may import signed_in, value_in
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Find, Log, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.shapes import Id, ReadShape, Shape
from guildhouse.kernel.stages import Stages
from guildhouse.kernel.writing import perform, row_answer
from guildhouse.organizations import membership
from guildhouse.organizations.membership import Membership, Role, memberships
from guildhouse.organizations.organization import organizations
from guildhouse.organizations.teams import in_organization, owners

DAYS = 14


class UnknownInvitation(NotFound):
    """There is no such invitation (any more). See that the link is whole, or ask the organization for a new one."""


class InvitationUsed(Conflict):
    """This invitation was {status} already. Ask the organization for a new one."""


class InvitationExpired(Conflict):
    """This invitation was good for 14 days, and they are over. Ask the organization for a new link."""


class AlreadyMember(Conflict):
    """You belong to this organization already. An owner can give you another role."""


class Invitation(Row):
    """An invitation into an organization. The link is shown to the owner who makes it, who passes it on."""

    __tablename__ = "invitations"

    organization_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("organizations.id", ondelete="CASCADE")
    )
    email: Mapped[str]
    role: Mapped[str]
    token_hash: Mapped[str]
    expires_at: Mapped[datetime]
    status: Mapped[str] = mapped_column(default="pending")
    person_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))

    __table_args__ = (
        CheckConstraint("role IN ('viewer', 'interviewer', 'recruiter', 'owner')", name="role"),
        CheckConstraint("status IN ('pending', 'accepted', 'declined', 'revoked')", name="status"),
        Index("uq_invitations_token_hash", "token_hash", unique=True),
        Index("ix_invitations_organization_id", "organization_id"),
        Index("ix_invitations_email", "email"),
        Index("ix_invitations_status", "status"),
        Index("ix_invitations_created_at_id", "created_at", "id"),
        Index("ix_invitations_expires_at_id", "expires_at", "id"),
        Index("ix_invitations_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """An invitation, for the organization's owners. `person_id` is who accepted or declined it."""

    organization_id: str
    email: str
    role: str
    expires_at: datetime
    status: str
    person_id: str | None


class Create(Shape):
    """Invite a person. The answer shows `token` and `link` this once, a JSON batch `revealed`; `renew` gives new ones."""

    organization_id: Id
    email: Email = Field(examples=["ben@example.org"])
    role: Role = "viewer"


class InvitationToken(Shape):
    """The token out of an invitation's link."""

    token: str = Field(max_length=200)


async def derive(ctx: Context, before: Invitation | None, _after: Invitation) -> Mapping[str, Any]:
    """A new invitation gets its token."""
    return fresh_token(ctx) if before is None else {}


def fresh_token(ctx: Context) -> Mapping[str, Any]:
    """A token for the next 14 days, of which only the hash is kept. In the link it follows a `#`: servers log no such."""
    token = new_token()
    ctx.reveal({"token": token, "link": f"/invitation#{token}"})
    return {"token_hash": hash_token(token), "expires_at": ctx.now + timedelta(days=DAYS)}


is_owner = in_organization("owners")

STAGES = Stages(
    "status",
    initial=("pending",),
    moves={"pending": {"accepted": signed_in, "declined": signed_in, "revoked": is_owner}},
)

invitations = Resource(
    table=Invitation,
    shapes=Shapes(read=Read, create=Create, derive=derive),
    scopes=lambda row: [owners(row.organization_id)],
    may=May(create=is_owner, remove=is_owner),
    stages=STAGES,
    find=Find(
        filter=("organization_id", "email", "status", "expires_at"),
        sort=("created_at", "expires_at"),
        expand={"organization": "organizations", "person": "people"},
    ),
    log=Log(hidden=("token_hash",), personal=("email",)),
)


async def renew(ctx: Context, row: Invitation) -> Invitation:
    """Make a new link for 14 more days; the old one stops working."""
    return await store.change(ctx, invitations, row, fresh_token(ctx), verb="renewed")


async def revoke(ctx: Context, row: Invitation) -> Invitation:
    """Take an invitation back: its link stops working."""
    return await store.change(ctx, invitations, row, {"status": "revoked"}, verb="revoked")


verbs = (
    Verb(invitations, renew, may=is_owner & value_in("status", "pending")),
    Verb(invitations, revoke, may=is_owner),
)

# Locked: of two people with the same link, the second one finds it used.
BY_TOKEN = (
    select(Invitation)
    .where(Invitation.token_hash == bindparam("hash"), Invitation.deleted_at.is_(None))
    .with_for_update(key_share=True)
)
MEMBERSHIP = select(Membership.id).where(
    Membership.organization_id == bindparam("organization_id"),
    Membership.person_id == bindparam("person_id"),
    Membership.deleted_at.is_(None),
)


async def accept(call: Call) -> Answer:
    """Accept an invitation: the answer is one's new membership."""

    async def act(ctx: Context, row: Invitation) -> Answer:
        place = {"organization_id": row.organization_id, "person_id": ctx.actor.id}
        if await ctx.value(MEMBERSHIP, **place):
            raise AlreadyMember
        await store.change(ctx, invitations, row, {"status": "accepted", "person_id": ctx.actor.id}, verb="accepted")
        joined = await store.create(ctx, memberships, {**place, "role": row.role}, verb="joined")
        return row_answer(call, ctx, memberships, joined)

    return await with_token(call, act)


async def decline(call: Call) -> Answer:
    """Decline an invitation: its link stops working."""

    async def act(ctx: Context, row: Invitation) -> Answer:
        values = {"status": "declined", "person_id": ctx.actor.id}
        declined = await store.change(ctx, invitations, row, values, verb="declined")
        return row_answer(call, ctx, invitations, declined)

    return await with_token(call, act)


async def with_token(call: Call, act: Callable[[Context, Invitation], Awaitable[Answer]]) -> Answer:
    """Do something with the invitation whose token is in the body, if it still can be used."""
    token = (await call.shaped(InvitationToken)).token

    async def act_on_invitation(ctx: Context) -> Answer:
        return await act(ctx, await usable(ctx, token))

    return await perform(call, act_on_invitation)


async def usable(ctx: Context, token: str) -> Invitation:
    """The invitation of a token, locked; raises what makes it unusable."""
    records = await ctx.all(BY_TOKEN, hash=hash_token(token))
    row = Invitation.of(records[0]) if records else None
    if row is None or await ctx.find(organizations, row.organization_id) is None:
        raise UnknownInvitation
    if row.status != "pending":
        raise InvitationUsed(status=row.status)
    if row.expires_at <= ctx.now:
        raise InvitationExpired
    return row


doors = (
    Door("POST", "/v1/invitations:accept", "invitations.write", "Accept an invitation", accept, invitations,
         takes=InvitationToken, gives=membership.Read),
    Door("POST", "/v1/invitations:decline", "invitations.write", "Decline an invitation", decline, invitations,
         takes=InvitationToken),
)  # fmt: skip
