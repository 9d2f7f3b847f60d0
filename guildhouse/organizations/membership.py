"""Memberships: who belongs to an organization, and as what. One comes from founding or from an accepted invitation."""

from typing import Literal

from sqlalchemy import CheckConstraint, ForeignKey, Index, Uuid, bindparam, func, select
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.accounts.person import Person, people
from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Connection, fetch
from guildhouse.kernel.errors import Conflict, Denied, invalid
from guildhouse.kernel.manifest import Grant
from guildhouse.kernel.may import is_person, nobody
from guildhouse.kernel.resource import Find, Keep, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.shapes import Id, ReadShape, Shape
from guildhouse.organizations.organization import NOBODY, Organization, approves, organizations
from guildhouse.organizations.teams import in_organization, members, owners, scopes_of_role

Role = Literal["viewer", "interviewer", "recruiter", "owner"]


class LastOwner(Conflict):
    """This is the organization's only owner. Make somebody else an owner first."""


class OwnerStands(Conflict):
    """This organization has an owner who can act: owners make other owners themselves."""


class NotBackByYourself(Denied):
    """A membership that ended can be brought back by an owner of the organization only."""


class Membership(Row):
    """A person's place in an organization: owner, recruiter, interviewer or viewer."""

    __tablename__ = "memberships"

    organization_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("organizations.id", ondelete="CASCADE")
    )
    person_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("people.id", ondelete="CASCADE"))
    role: Mapped[str]

    __table_args__ = (
        CheckConstraint("role IN ('viewer', 'interviewer', 'recruiter', 'owner')", name="role"),
        Index(
            "uq_memberships_organization_id_person_id",
            "organization_id",
            "person_id",
            unique=True,
            postgresql_where="deleted_at IS NULL",
        ),
        Index("ix_memberships_organization_id", "organization_id"),
        Index("ix_memberships_person_id", "person_id"),
        Index("ix_memberships_role", "role"),
        Index("ix_memberships_created_at_id", "created_at", "id"),
        Index("ix_memberships_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A membership."""

    organization_id: str
    person_id: str
    role: str


class NewOwner(Shape):
    """Who is to own the organization."""

    person_id: Id


class NewMembershipRole(Shape):
    """The role to give."""

    role: Role


# Those who can act: the membership of somebody whose account is suspended, or in the trash, is there and helps nobody.
OTHER_OWNERS = (
    select(func.count(Membership.id))
    .join(Person, Person.id == Membership.person_id)
    .where(
        Membership.organization_id == bindparam("organization_id"),
        Membership.id.is_distinct_from(bindparam("own")),
        Membership.role == "owner",
        Membership.deleted_at.is_(None),
        Person.status == "active",
        Person.deleted_at.is_(None),
    )
)
OF_PERSON = select(Membership).where(
    Membership.organization_id == bindparam("organization_id"),
    Membership.person_id == bindparam("person_id"),
    Membership.deleted_at.is_(None),
)


async def an_owner_stays(ctx: Context, before: Membership | None, after: Membership) -> None:
    """An organization keeps an owner."""
    if before is None or not owns(before) or owns(after):
        return
    # The organization's row is the lock: of two owners who leave at once, the second one counts after the first.
    await ctx.find(organizations, before.organization_id, lock=True)
    if not await ctx.value(OTHER_OWNERS, organization_id=before.organization_id, own=before.id):
        raise LastOwner


def owns(row: Membership) -> bool:
    """Whether this is a live membership of an owner."""
    return row.role == "owner" and row.deleted_at is None


def owners_bring_back(ctx: Context, before: Membership | None, after: Membership) -> None:
    """Who may end a membership may not always bring it back: a person who was removed stays so."""
    back = before is not None and before.deleted_at is not None and after.deleted_at is None
    if back and owners(after.organization_id) not in ctx.actor.scopes:
        raise NotBackByYourself


is_owner = in_organization("owners")
is_self = is_person("person_id")

memberships = Resource(
    table=Membership,
    shapes=Shapes(read=Read),
    scopes=lambda row: [scope("person", row.person_id), members(row.organization_id)],
    may=May(create=nobody, change=nobody, remove=is_owner | is_self, history=is_owner | is_self),
    rules=(an_owner_stays, owners_bring_back),
    find=Find(
        filter=("organization_id", "person_id", "role"),
        sort=("created_at",),
        expand={"organization": "organizations", "person": "people"},
    ),
    keep=Keep(shelve=True),
)


async def assign_role(ctx: Context, row: Membership, body: NewMembershipRole) -> Membership:
    """Give a member another role in the organization."""
    return await store.change(ctx, memberships, row, {"role": body.role}, verb="role_assigned")


async def appoint_owner(ctx: Context, row: Organization, body: NewOwner) -> Organization:
    """Make somebody the owner of an organization that has none who can act, as when the last one's account is gone.

    What came in from a list is theirs from then on as if they had founded it.
    """
    await ctx.find(organizations, row.id, lock=True)
    if await ctx.value(OTHER_OWNERS, organization_id=row.id, own=None):
        raise OwnerStands
    person = await ctx.find(people, body.person_id)
    if person is None or person.status != "active":
        raise invalid("/person_id", "not-found", "nobody with an active account has this id")
    place = {"organization_id": row.id, "person_id": person.id}
    if found := await ctx.all(OF_PERSON, **place):
        await store.change(ctx, memberships, Membership.of(found[0]), {"role": "owner"}, verb="role_assigned")
    else:
        await store.create(ctx, memberships, {**place, "role": "owner"}, verb="joined")
    if row.founder_id == NOBODY:
        return await store.change(ctx, organizations, row, {"founder_id": person.id}, verb="taken_over")
    return row


verbs = (Verb(memberships, assign_role, may=is_owner), Verb(organizations, appoint_owner, may=approves))

ROLES_OF = select(Membership.organization_id, Membership.role).where(
    Membership.person_id == bindparam("person_id"), Membership.deleted_at.is_(None)
)


async def scopes_of(connection: Connection, person_id: str) -> set[str]:
    """Every scope that a person's memberships give."""
    records = await fetch(connection, ROLES_OF, person_id=person_id)
    return set().union(*(scopes_of_role(each["organization_id"], each["role"]) for each in records))


grant = Grant(resources=(memberships,), scopes_of=scopes_of)
