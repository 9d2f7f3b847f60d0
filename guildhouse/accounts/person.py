"""People: an account and its profile in one row. Each field of the profile has the audience that its person chose."""

from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints
from sqlalchemy import CheckConstraint, Index, select, text
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.accounts.roles import ROLES
from guildhouse.accounts.secrets import hash_password
from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import Conflict, Denied, invalid
from guildhouse.kernel.may import Predicate, anyone, holds, is_person
from guildhouse.kernel.resource import Carry, Find, Log, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import MEMBERS, PUBLIC, ScopesOf, scope
from guildhouse.kernel.shapes import SECRET, Country, Line, Prose, ReadShape, Shape, Tag, Url
from guildhouse.kernel.stages import Stages
from guildhouse.vocabulary import Words, skills_of


class RoleTooHigh(Denied):
    """You can give roles up to your own, to people whose role is not above yours."""


class LastAdmin(Conflict):
    """This is the only admin. Make somebody else an admin first."""


Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, to_lower=True, max_length=254, pattern=r"^[^@\s]+@[^@\s]+\.[^@\s.]+$"),
]
# NIST SP 800-63B-4: 15 characters where the password is the only factor; any character, no rules of composition.
Password = Annotated[str, Field(min_length=15, max_length=200, json_schema_extra=SECRET)]
Eyes = Literal["me", "coaches", "members", "public"]
NARROWER: tuple[Eyes, ...] = ("me", "coaches", "members", "public")
# The fields whose audience a person chooses, and the one they have until then.
PROFILE: Mapping[str, Eyes] = {
    "email": "me",
    "phone": "me",
    "headline": "members",
    "about": "members",
    "city": "members",
    "country": "members",
    "website": "members",
    "skills": "members",
}


class Person(Row):
    """A person with an account: a member, a coach, a moderator or an admin."""

    __tablename__ = "people"

    email: Mapped[str]
    name: Mapped[str]
    password_hash: Mapped[str | None]
    role: Mapped[str] = mapped_column(default="member")
    status: Mapped[str] = mapped_column(default="active")
    language: Mapped[str] = mapped_column(default="en")
    headline: Mapped[str | None]
    about: Mapped[str | None]
    phone: Mapped[str | None]
    city: Mapped[str | None]
    country: Mapped[str | None]
    website: Mapped[str | None]
    skills: Mapped[list[str]]
    found_skills: Mapped[list[str] | None]
    listed: Mapped[bool] = mapped_column(default=True)
    keeps_searches: Mapped[bool] = mapped_column(default=True, server_default=text("true"))
    audience: Mapped[dict[str, Any]]

    __table_args__ = (
        CheckConstraint("role IN ('guest', 'member', 'coach', 'moderator', 'admin')", name="role"),
        CheckConstraint("status IN ('active', 'suspended')", name="status"),
        Index("uq_people_email", "email", unique=True, postgresql_where="deleted_at IS NULL"),
        Index("ix_people_created_at_id", "created_at", "id"),
        Index("ix_people_name_id", "name", "id"),
        Index("ix_people_role", "role"),
        Index("ix_people_status", "status"),
        Index("ix_people_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A person. Fields that their audience keeps from you are null.

    `found_skills` are those that the profile's words speak of, by one name each; who sees them sees all of these words.
    """

    name: str
    role: str
    status: str
    language: str
    email: str | None
    headline: str | None
    about: str | None
    phone: str | None
    city: str | None
    country: str | None
    website: str | None
    skills: list[str] | None
    found_skills: list[str] | None
    listed: bool
    keeps_searches: bool | None
    audience: dict[str, str] | None


class Create(Shape):
    """Register. The first sign-in follows with the same e-mail address and password.

    Without `password`, who holds `people.admin` brings others in, one or a whole list. They are listed for nobody until they
    have chosen a password by a link (`/welcome`), and say so.
    """

    email: Email = Field(examples=["ada@example.org"])
    name: Line = Field(examples=["Ada Byron"])
    password: Password | None = Field(default=None, examples=["correct horse battery staple"], json_schema_extra=SECRET)
    language: Literal["en", "zh-TW"] = "en"
    headline: Line | None = None
    about: Prose | None = None
    phone: Line | None = None
    city: Line | None = None
    country: Country | None = None
    website: Url | None = None
    skills: list[Tag] = Field(default_factory=list, max_length=100)


class Update(Shape):
    """Change your profile. `audience` says for a field who sees it, null for the default; `listed: false` hides you.

    With `keeps_searches: false` nothing is kept of what you search from then on.
    """

    name: Line = ""
    language: Literal["en", "zh-TW"] = "en"
    headline: Line | None = None
    about: Prose | None = None
    phone: Line | None = None
    city: Line | None = None
    country: Country | None = None
    website: Url | None = None
    skills: list[Tag] = Field(default_factory=list, max_length=100)
    listed: bool = True
    keeps_searches: bool = True
    audience: dict[str, Eyes | None] = Field(default_factory=dict)


class NewRole(Shape):
    """The role to give."""

    role: Literal["guest", "member", "coach", "moderator", "admin"]


def eyes(person_id: str, chosen: str) -> Iterable[str]:
    """The scopes of an audience; a person always sees themselves."""
    wider = {"me": (), "coaches": ("coaches",), "members": (MEMBERS,), "public": (MEMBERS, PUBLIC)}
    return (scope("person", person_id), *wider[chosen])


def audience_of(field: str) -> ScopesOf:
    """The scopes that see a field of the profile, as its person chose."""
    return lambda row: eyes(row.id, row.audience.get(field, PROFILE[field]))


def own(row: Person) -> Iterable[str]:
    """The scope of the person, and of nobody else."""
    return [scope("person", row.id)]


def sees_all_words(row: Person) -> Iterable[str]:
    """The scopes that see whatever of the profile skills are found in: none sees by them what is kept from it."""
    chosen = [row.audience.get(field, PROFILE[field]) for field in WORDS.read if getattr(row, field)]
    return eyes(row.id, min(chosen, key=NARROWER.index, default="me"))


def found_in(row: Person) -> Mapping[str, Any]:
    """What a profile's own words say of its person."""
    return {"found_skills": skills_of(row.skills, row.headline, row.about)}


WORDS = Words(read=("headline", "about", "skills"), found=("found_skills",), find=found_in)


async def derive(ctx: Context, before: Person | None, after: Person) -> Mapping[str, Any]:
    """What is found in the words of a profile; a new person's password is kept as its hash only.

    Who is brought in by others has no password, and is listed when they say so themselves.
    """
    found = await WORDS.derived(before, after)
    if before is not None:
        return found
    password = after.values().get("password")
    hashed = await hash_password(password) if password else after.values().get("password_hash")
    brought_in = hashed is None and ctx.actor.id is not None
    fresh = {"skills": after.skills or [], "audience": after.audience or {}, "listed": after.listed and not brought_in}
    return {**found, **fresh, "password_hash": hashed}


def chooses_a_password(ctx: Context, before: Person | None, after: Person) -> None:
    """Who registers chooses a password; only those whom an admin brings in choose theirs later."""
    if before is None and after.password_hash is None and not ctx.actor.can("people.admin"):
        raise invalid("/password", "required", "this field must have a value")


def audience_names_fields(_ctx: Context, _before: Person | None, after: Person) -> None:
    """An audience can be chosen for the fields of the profile only."""
    for name in after.audience:
        if name not in PROFILE:
            raise invalid(
                "/audience", "unknown-field", "an audience can be chosen for: {known}", known=", ".join(PROFILE)
            )


ADMINS = select(Person.id).where(Person.role == "admin", Person.status == "active", Person.deleted_at.is_(None))
# Locked, so that two admins who step down at the same moment do so one after the other.
ADMINS_HELD = ADMINS.order_by(Person.id).with_for_update(key_share=True)


async def an_admin_stays(ctx: Context, before: Person | None, after: Person) -> None:
    """There is always somebody who can run the server."""
    stays = after.role == "admin" and after.status == "active" and after.deleted_at is None
    was = before is not None and before.role == "admin" and before.status == "active" and before.deleted_at is None
    if was and not stays and len(await ctx.all(ADMINS_HELD)) <= 1:
        raise LastAdmin


is_self = is_person("id")
moderates = holds("people.moderate")
ranks_above: Predicate = Predicate(
    "is not outranked", lambda actor, row: row.role != "admin" or actor.can("people.admin")
)

STAGES = Stages(
    "status",
    initial=("active",),
    moves={"active": {"suspended": moderates & ranks_above}, "suspended": {"active": moderates}},
)

people = Resource(
    table=Person,
    shapes=Shapes(
        read=Read,
        create=Create,
        update=Update,
        derive=derive,
        found=WORDS.found,
        audience={
            **{name: audience_of(name) for name in PROFILE},
            "found_skills": sees_all_words,
            "audience": own,
            "keeps_searches": own,
        },
    ),
    scopes=lambda row: [scope("person", row.id), "moderators", *([MEMBERS] if row.listed else [])],
    may=May(create=anyone, change=is_self, remove=is_self | holds("people.admin"), history=is_self | moderates),
    rules=(chooses_a_password, audience_names_fields, an_admin_stays),
    stages=STAGES,
    find=Find(
        filter=("name", "role", "status"),
        sort=("created_at", "name"),
        text={"name": "A", "headline": "B", "skills": "B", "city": "C", "about": "C"},
        facets={"role": ()},
    ),
    log=Log(
        hidden=("password_hash",),
        personal=("email", "name", "headline", "about", "found_skills", "phone", "city", "website"),
    ),
    carry=Carry(
        key=("email",),
        columns=("email", "name", "language"),
        headers={
            "website": (
                "links",
                "link",
                "portfolio",
                "profile",
                "profile url",
                "linkedin",
                "連結",
                "個人連結",
                "作品集",
            ),
            "headline": ("job title", "title", "position", "occupation", "職稱", "頭銜"),
            "about": ("bio", "biography", "introduction", "自我介紹"),
        },
        shapes=("guildhouse.accounts.resumes:JSON_RESUME", "guildhouse.accounts.resumes:LINKEDIN_PROFILE"),
    ),
)


async def assign_role(ctx: Context, row: Person, body: NewRole) -> Person:
    """Give a person another role."""
    mine = await ctx.get(people, ctx.actor.id)
    if max(ROLES.index(row.role), ROLES.index(body.role)) > ROLES.index(mine.role):
        raise RoleTooHigh
    return await store.change(ctx, people, row, {"role": body.role}, verb="role_assigned")


async def suspend(ctx: Context, row: Person) -> Person:
    """Suspend a person: their sessions and keys stop working at once; nothing of theirs is lost."""
    return await store.change(ctx, people, row, {"status": "suspended"}, verb="suspended")


async def reinstate(ctx: Context, row: Person) -> Person:
    """Let a suspended person in again."""
    return await store.change(ctx, people, row, {"status": "active"}, verb="reinstated")


verbs = (
    Verb(people, assign_role, may=moderates),
    Verb(people, suspend, may=moderates & ranks_above),
    Verb(people, reinstate, may=moderates),
)
