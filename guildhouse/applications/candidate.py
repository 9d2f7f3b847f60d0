"""Candidates: people as an organization's hiring team knows them, who have no account here that applied.

They were found, recommended, or came along from the hiring system that the organization used before. What they apply for
is an application like any other, with a candidate in the place of an applicant, and the team moves it alone.
"""

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import ForeignKey, Index, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.accounts.person import Email
from guildhouse.jobs.job import Tags
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import invalid
from guildhouse.kernel.importing.values import whole_name
from guildhouse.kernel.resource import Carry, Find, Log, May, Resource, Shapes
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import AllBut, scope
from guildhouse.kernel.shapes import Country, Id, Line, Prose, ReadShape, Shape, Url
from guildhouse.organizations.teams import in_organization, interviewers

Key = Annotated[str, StringConstraints(strip_whitespace=True, max_length=200)]


class Candidate(Row):
    """Somebody whom an organization may hire, in the words of its hiring team."""

    __tablename__ = "candidates"

    organization_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("organizations.id", ondelete="CASCADE")
    )
    name: Mapped[str]
    email: Mapped[str | None]
    phone: Mapped[str | None]
    headline: Mapped[str | None]
    company: Mapped[str | None]
    city: Mapped[str | None]
    country: Mapped[str | None]
    profile_url: Mapped[str | None]
    links: Mapped[list[str]]
    skills: Mapped[list[str]]
    tags: Mapped[list[str]]
    about: Mapped[str | None]
    source: Mapped[str] = mapped_column(default="")
    external_id: Mapped[str | None]
    # Whose account it turned out to be, and the applications that went over to it then (`claiming.py`).
    person_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False), ForeignKey("people.id", ondelete="CASCADE"))
    claimed: Mapped[list[str] | None]

    __table_args__ = (
        Index(
            "uq_candidates_organization_id_source_external_id",
            "organization_id",
            "source",
            "external_id",
            unique=True,
            postgresql_where="deleted_at IS NULL",
        ),
        # By these, two rows are told to be the same person.
        Index("ix_candidates_lower_email", text("lower(email)")),
        Index("ix_candidates_phone_digits", text("right(regexp_replace(phone, '[^0-9]', '', 'g'), 9)")),
        Index(
            "ix_candidates_profile_address",
            text("lower(regexp_replace(profile_url, '^https?://(www[.])?|/*([?#].*)?$', '', 'gi'))"),
        ),
        Index("ix_candidates_created_at_id", "created_at", "id"),
        Index("ix_candidates_name_id", "name", "id"),
        Index("ix_candidates_email", "email"),
        Index("ix_candidates_person_id", "person_id"),
        Index("ix_candidates_source", "source"),
        Index("ix_candidates_external_id", "external_id"),
        Index("ix_candidates_skills", "skills", postgresql_using="gin"),
        Index("ix_candidates_tags", "tags", postgresql_using="gin"),
        Index("ix_candidates_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A candidate. `source` and `external_id` name them in the system that they came from.

    `person_id` is the account of a candidate who has registered and followed the team's link.
    """

    organization_id: str
    name: str
    email: str | None
    phone: str | None
    headline: str | None
    company: str | None
    city: str | None
    country: str | None
    profile_url: str | None
    links: list[str]
    skills: list[str]
    tags: list[str]
    about: str | None
    source: str
    external_id: str | None
    person_id: str | None


class Create(Shape):
    """A new candidate of an organization: with a `name`, or with `first_name` and `last_name`."""

    organization_id: Id
    name: Line | None = Field(default=None, examples=["Mary Somerville"])
    first_name: Line | None = None
    last_name: Line | None = None
    email: Email | None = Field(default=None, examples=["mary@example.org"])
    phone: Line | None = None
    headline: Line | None = Field(default=None, description="What they do: the title of their work.")
    company: Line | None = Field(default=None, description="Where they work now.")
    city: Line | None = None
    country: Country | None = None
    profile_url: Url | None = Field(default=None, examples=["https://www.linkedin.com/in/mary"])
    links: list[Url] = Field(default=[], max_length=20)
    skills: Tags = Field(default=[])
    tags: Tags = Field(default=[])
    about: Prose | None = None
    source: Key = Field(default="", examples=["greenhouse"])
    external_id: Key | None = None


class Update(Shape):
    """Change what is known of a candidate."""

    name: Line = ""
    email: Email | None = None
    phone: Line | None = None
    headline: Line | None = None
    company: Line | None = None
    city: Line | None = None
    country: Country | None = None
    profile_url: Url | None = None
    links: list[Url] = Field(default=[], max_length=20)
    skills: Tags = Field(default=[])
    tags: Tags = Field(default=[])
    about: Prose | None = None
    source: Key = ""
    external_id: Key | None = None


async def derive(_ctx: Context, before: Candidate | None, after: Candidate) -> Mapping[str, Any]:
    """A name that came in two parts is one."""
    if before is not None:
        return {}
    given = after.values()
    name = given.get("name") or whole_name(given.get("first_name"), given.get("last_name"))[:200]
    if not name:
        raise invalid("/name", "required", "write a name, or first_name and last_name")
    return {"name": name}


def whose_account(row: Candidate) -> Sequence[str]:
    """The person that a candidate turned out to be: who is on the team does not read how it knows them."""
    return [scope("person", row.person_id)] if row.person_id else []


hires_here = in_organization("recruiters")

candidates = Resource(
    table=Candidate,
    shapes=Shapes(read=Read, create=Create, update=Update, derive=derive),
    scopes=AllBut(whose_account, lambda row: [interviewers(row.organization_id)]),
    may=May(create=hires_here, change=hires_here, remove=hires_here),
    find=Find(
        filter=("organization_id", "name", "email", "source", "external_id", "skills", "tags", "created_at", "person_id"),
        sort=("created_at", "name"),
        expand={"organization": "organizations", "person": "people"},
        text={"name": "A", "headline": "B", "company": "B", "skills": "B", "about": "C"},
    ),
    log=Log(personal=("name", "email", "phone", "headline", "company", "city", "profile_url", "links", "about")),
    carry=Carry(
        key=("organization_id", "source", "external_id"),
        columns=("organization_id", "source", "external_id", "name", "email", "phone", "headline", "company", "city",
                 "country", "profile_url", "links", "skills", "tags", "about"),
        alike=(("email", "organization_id"), ("phone", "organization_id"), ("profile_url", "organization_id")),
        kinds={"phone": "phone", "profile_url": "link"},
        headers={
            "name": ("candidate", "candidate name", "applicant", "student", "student name", "應徵者", "求職者", "候選人"),
            "first_name": ("given name", "forename", "student first name", "名"),
            "last_name": ("surname", "family name", "student last name", "姓", "姓氏"),
            "email": ("student email", "candidate email"),
            "headline": ("title", "job title", "current title", "position", "職稱", "現職"),
            "company": ("employer", "current company", "organization", "公司", "任職公司", "現職公司"),
            "profile_url": ("linkedin", "linkedin url", "linkedin profile", "profile", "social media", "個人檔案"),
            "links": ("websites", "portfolio", "作品集"),
            "about": ("notes", "summary", "bio", "備註", "自我介紹", "簡介"),
            "external_id": ("candidate id", "student id", "applicant id", "編號"),
        },
        shapes=("guildhouse.applications.harvest:CANDIDATES",),
    ),
)  # fmt: skip
