"""Organizations: who offers work or stands behind people. One is founded by a person and approved by a moderator.

Many can be brought in from a list by those who approve. Nobody has founded these, and nobody acts for them until an owner is
appointed; until then, those who approve keep their entries in order.
"""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import ARRAY, CheckConstraint, Index, Text, Uuid, any_, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import fetch
from guildhouse.kernel.may import Predicate, anyone, holds, value_in
from guildhouse.kernel.resource import Carry, Find, Keep, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import PUBLIC
from guildhouse.kernel.shapes import Country, Line, Prose, ReadShape, Shape, Url
from guildhouse.kernel.stages import Stages
from guildhouse.organizations.teams import in_organization, members

Kind = Literal["employer", "school", "union", "guild", "city", "other"]
Slug = Annotated[str, StringConstraints(max_length=80, pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$")]

# Who has founded what came in from a list (RFC 9562: the id that says there is none).
NOBODY = "00000000-0000-0000-0000-000000000000"
NAMESAKES = 50  # organizations of one name that get a slug of that name

LinkedInId = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,18}$")]


class Organization(Row):
    """An employer, a school, a union, a guild, a city: whoever acts here as more than one person."""

    __tablename__ = "organizations"

    name: Mapped[str]
    slug: Mapped[str]
    kind: Mapped[str]
    website: Mapped[str | None]
    description: Mapped[str | None]
    city: Mapped[str | None]
    region: Mapped[str | None]
    country: Mapped[str | None]
    # The number of its page on LinkedIn, which LinkedIn's feed names it by.
    linkedin_id: Mapped[str | None]
    # No foreign key: an organization outlives the account of the person who founded it.
    founder_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    status: Mapped[str] = mapped_column(default="pending")
    status_reason: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("kind IN ('employer', 'school', 'union', 'guild', 'city', 'other')", name="kind"),
        CheckConstraint("status IN ('pending', 'approved', 'rejected', 'suspended')", name="status"),
        Index("uq_organizations_slug", "slug", unique=True, postgresql_where="deleted_at IS NULL"),
        Index("ix_organizations_name_id", "name", "id"),
        Index("ix_organizations_created_at_id", "created_at", "id"),
        Index("ix_organizations_kind", "kind"),
        Index("ix_organizations_status", "status"),
        Index("ix_organizations_city", "city"),
        Index("ix_organizations_region", "region"),
        Index("ix_organizations_country", "country"),
        Index("ix_organizations_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """An organization. `status_reason`, why it was rejected or suspended, is for its members and the moderators.

    `founder_id` is 00000000-0000-0000-0000-000000000000 while it stands in a list only and nobody acts for it.
    """

    name: str
    slug: str
    kind: str
    website: str | None
    description: str | None
    city: str | None
    region: str | None
    country: str | None
    linkedin_id: str | None
    founder_id: str
    status: str
    status_reason: str | None


class Create(Shape):
    """Found an organization. `slug` names it in addresses; without one it is made from the name.

    `linkedin_id` is the number in the address of its LinkedIn page as the page's admins see it. In a batch, or from a file,
    those who approve organizations bring in many, which nobody has founded: they are approved.
    """

    name: Line = Field(examples=["Analytical Engines"])
    slug: Slug | None = Field(default=None, examples=["analytical-engines"])
    kind: Kind = "employer"
    website: Url | None = Field(default=None, examples=["https://engines.example.org"])
    description: Prose | None = None
    city: Line | None = None
    region: Line | None = None
    country: Country | None = None
    linkedin_id: LinkedInId | None = Field(default=None, examples=["1035"])


class Update(Shape):
    """Change an organization's profile."""

    name: Line = ""
    slug: Slug = ""
    kind: Kind = "other"
    website: Url | None = None
    description: Prose | None = None
    city: Line | None = None
    region: Line | None = None
    country: Country | None = None
    linkedin_id: LinkedInId | None = Field(default=None, examples=["1035"])


class StatusReason(Shape):
    """Why; the organization's members read it."""

    reason: Line = Field(examples=["We could not reach anybody at this address."])


async def derive(ctx: Context, before: Organization | None, after: Organization) -> Mapping[str, Any]:
    """Every organization has a slug; a name that has no Latin letters in it gives way to the id."""
    slug = after.slug or slug_of(after.name) or after.id
    if before is not None or after.values()["founder_id"]:
        return {"slug": slug}
    return {"founder_id": NOBODY, "status": "approved", "slug": await own_slug(ctx, slug, after)}


TAKEN = select(Organization.slug).where(
    Organization.slug == any_(bindparam("slugs", type_=ARRAY(Text))), Organization.deleted_at.is_(None)
)


async def own_slug(ctx: Context, slug: str, row: Organization) -> str:
    """The slug that was chosen; else the name's, with the first number behind it that is free: lists have several of a name.
    After many, the id.

    What the rows before have got is remembered, so that a batch need not be written for it; the index guards the rest.
    """
    given: set[str] = ctx.memo.setdefault("slugs given", set())
    if not row.slug:
        numbered = [slug, *(f"{slug[:76].rstrip('-')}-{n}" for n in range(2, NAMESAKES + 1))]
        records = await fetch(await ctx.asking(guarded=True), TAKEN, slugs=numbered)
        taken = {each["slug"] for each in records} | given
        slug = next((each for each in numbered if each not in taken), row.id)
    given.add(slug)
    return slug


def slug_of(name: str) -> str:
    """A name as an address holds it: `Café des Arts` is `cafe-des-arts`."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain)[:80].strip("-")


def seen_by(row: Organization) -> Iterable[str]:
    """Everybody sees an approved organization; its members and the moderators see it in any state."""
    return [members(row.id), "moderators", *([PUBLIC] if row.status == "approved" else [])]


is_member = in_organization("members", "id")
is_owner = in_organization("owners", "id")
approves = holds("organizations.approve")
is_in_lists_only = Predicate("nobody has founded it", lambda _actor, row: row.founder_id == NOBODY)
keeps = is_owner | (approves & is_in_lists_only)

STAGES = Stages(
    "status",
    initial=("pending", "approved"),
    moves={
        "pending": {"approved": approves, "rejected": approves},
        "approved": {"suspended": approves},
        "suspended": {"approved": approves},
        "rejected": {"pending": is_owner},
    },
)

# What people call these columns and kinds in their lists.
HEADERS = {
    "name": (
        "organization",
        "organisation",
        "company",
        "employer",
        "school",
        "university",
        "institution",
        "公司",
        "學校",
        "單位",
        "機構",
    ),
    "linkedin_id": ("linkedin company id", "linkedin", "領英公司編號", "LinkedIn 公司編號"),
}
KINDS = {
    "employer": ("company", "business", "firm", "公司", "企業", "企业", "雇主"),
    "school": ("university", "college", "institute", "academy", "學校", "学校", "大學", "大学"),
    "union": ("trade union", "labor union", "工會", "工会"),
    "guild": ("association", "society", "公會", "協會", "协会"),
    "city": ("municipality", "town", "城市", "縣市"),
    "other": ("其他",),
}

organizations = Resource(
    table=Organization,
    shapes=Shapes(
        read=Read,
        create=Create,
        update=Update,
        derive=derive,
        audience={"status_reason": lambda row: [members(row.id), "moderators"]},
    ),
    scopes=seen_by,
    may=May(read=anyone, create=approves, change=keeps, remove=keeps, history=is_member | approves),
    stages=STAGES,
    find=Find(
        filter=("name", "slug", "kind", "status", "city", "region", "country"),
        sort=("created_at", "name"),
        text={"name": "A", "city": "C", "description": "C"},
        facets={"kind": (), "country": (), "region": (), "city": (), "status": ()},
    ),
    carry=Carry(
        key=("slug",),
        columns=("slug", "name", "kind", "website", "description", "city", "region", "country", "linkedin_id"),
        alike=(("name", "country"),),
        kinds={"name": "exact"},
        headers=HEADERS,
        words={"kind": KINDS},
    ),
    keep=Keep(shelve=True),
)


async def approve(ctx: Context, row: Organization) -> Organization:
    """Approve an organization: everybody sees it, and it may open jobs."""
    return await move(ctx, row, "approved", None, "approved")


async def reject(ctx: Context, row: Organization, body: StatusReason) -> Organization:
    """Reject an organization; its owners read why, and may submit it again."""
    return await move(ctx, row, "rejected", body.reason, "rejected")


async def resubmit(ctx: Context, row: Organization) -> Organization:
    """Ask for approval again after a rejection."""
    return await move(ctx, row, "pending", None, "resubmitted")


async def suspend(ctx: Context, row: Organization, body: StatusReason) -> Organization:
    """Suspend an organization: others see it no more, and its open jobs are paused."""
    return await move(ctx, row, "suspended", body.reason, "suspended")


async def reinstate(ctx: Context, row: Organization) -> Organization:
    """End a suspension. Jobs that were paused stay so until a recruiter resumes them."""
    return await move(ctx, row, "approved", None, "reinstated")


async def move(ctx: Context, row: Organization, status: str, reason: str | None, verb: str) -> Organization:
    """Give an organization another status, and say why."""
    return await store.change(ctx, organizations, row, {"status": status, "status_reason": reason}, verb=verb)


verbs = (
    Verb(organizations, approve, may=approves & value_in("status", "pending")),
    Verb(organizations, reject, may=approves),
    Verb(organizations, resubmit, may=is_owner),
    Verb(organizations, suspend, may=approves),
    Verb(organizations, reinstate, may=approves & value_in("status", "suspended")),
)
