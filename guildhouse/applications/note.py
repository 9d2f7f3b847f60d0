"""Notes on applications: for oneself, for the hiring team, or shared between the applicant and the team."""

from collections.abc import Iterable, Mapping
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import CheckConstraint, ForeignKey, Index, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.applications.application import applications
from guildhouse.applications.eyes import themselves
from guildhouse.applications.progress import is_applicant, reviews
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import Conflict, Denied, NotFound
from guildhouse.kernel.may import is_person
from guildhouse.kernel.resource import Find, Keep, Log, May, Resource, Shapes
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import AllBut, scope
from guildhouse.kernel.shapes import Id, Prose, ReadShape, Shape
from guildhouse.organizations.teams import interviewers


class NotOnTheTeam(Denied):
    """Notes for the team are written by the organization's hiring team only. Choose the audience `private` or `shared`."""


class NobodyToShareWith(Conflict):
    """Nobody else would read it: this is a draft, its job is only tracked, or its candidate has no account. Choose another
    audience."""


class Note(Row):
    """A note on an application. Its author chose who reads it: `private`, `team` or `shared`."""

    __tablename__ = "notes"

    application_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("applications.id", ondelete="CASCADE"))
    organization_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    applicant_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    candidate_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    # No foreign key: the team keeps its notes when the person who wrote them goes.
    author_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    audience: Mapped[str]
    body: Mapped[str]

    __table_args__ = (
        CheckConstraint("audience IN ('private', 'team', 'shared')", name="audience"),
        Index("ix_notes_application_id", "application_id"),
        Index("ix_notes_author_id", "author_id"),
        Index("ix_notes_audience", "audience"),
        Index("ix_notes_created_at_id", "created_at", "id"),
        Index("ix_notes_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A note."""

    application_id: str
    organization_id: str | None
    applicant_id: str | None
    candidate_id: str | None
    author_id: str
    audience: str
    body: str


class Create(Shape):
    """A new note: `private` for yourself, `team` for the hiring team, `shared` for the applicant and the team."""

    application_id: Id
    audience: Literal["private", "team", "shared"] = "private"
    body: Prose = Field(min_length=1, examples=["Asked good questions."])


class Update(Shape):
    """Change what a note says; who reads it stays."""

    body: Prose = Field(default="", min_length=1)


async def derive(ctx: Context, before: Note | None, after: Note) -> Mapping[str, Any]:
    """A note is of an application that its author sees."""
    if before is not None:
        return {}
    application = await ctx.once(applications, after.application_id)
    if application is None or not ctx.actor.sees(application.scopes):
        raise NotFound
    return {
        "organization_id": application.organization_id,
        "applicant_id": application.applicant_id,
        "candidate_id": application.candidate_id,
        "author_id": ctx.actor.id,
    }


def team_writes_to_team(ctx: Context, before: Note | None, after: Note) -> None:
    """What the team says among itself, it says itself."""
    if before is None and after.audience == "team" and not reviews(ctx.actor, after):
        raise NotOnTheTeam


async def shared_with_somebody(ctx: Context, before: Note | None, after: Note) -> None:
    """A note on a draft would tell the employer of it: it can be shared once the application is submitted."""
    if before is not None or after.audience == "private":
        return
    application = await ctx.once(applications, after.application_id)
    team = application is not None and application.organization_id and application.submitted_at
    if not team or (after.audience == "shared" and after.applicant_id is None):
        raise NobodyToShareWith


def not_for(note: Note) -> Iterable[str]:
    """From whom a note is kept, though they may be on the team: what the team says among itself, from whom it is about."""
    return themselves(note) if note.audience == "team" else []


def seen_by(note: Note) -> Iterable[str]:
    """Who reads a note, by its audience."""
    if note.audience == "private":
        return [scope("person", note.author_id)]
    team = interviewers(note.organization_id)
    return [team] if note.audience == "team" else [team, scope("person", str(note.applicant_id))]


is_author = is_person("author_id")

notes = Resource(
    table=Note,
    shapes=Shapes(read=Read, create=Create, update=Update, derive=derive),
    scopes=AllBut(not_for, seen_by),
    may=May(create=is_applicant | reviews, change=is_author, remove=is_author),
    rules=(team_writes_to_team, shared_with_somebody),
    find=Find(
        filter=("application_id", "author_id", "audience"),
        sort=("created_at",),
        expand={"application": "applications", "author": "people"},
        text={"body": "A"},
    ),
    log=Log(personal=("body",)),
    keep=Keep(shelve=True),
)
