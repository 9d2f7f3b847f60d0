"""Applications: a person's interest in a job, from the first thought to the decision.

The row in the applicant's tracker and the one in the employer's list are the same row with two projections: some fields
are for the applicant's eyes, some for the hiring team's. Until it is submitted, nobody but the applicant sees it at all.
A job that is merely tracked has no hiring team; there the applicant moves every stage. An application of a candidate has
no applicant; there the team does.
"""

from collections.abc import Iterable, Mapping
from datetime import date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import CheckConstraint, ForeignKey, Index, Uuid, bindparam, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.accounts.person import Email
from guildhouse.applications.days_of_applying import check_days
from guildhouse.applications.eyes import APPLICANTS_EYES, AUDIENCE, TEAMS_EYES, seen_by
from guildhouse.applications.headings import CARRY
from guildhouse.applications.origin import begun
from guildhouse.applications.progress import (
    DECIDED,
    IN_HAND,
    STAGES,
    hires,
    is_applicant,
    of_candidate,
    reviews,
    speaks,
    tracked,
)
from guildhouse.applications.stage import stages
from guildhouse.jobs.job import Job, jobs
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import fetch
from guildhouse.kernel.errors import Conflict, invalid
from guildhouse.kernel.may import value_in
from guildhouse.kernel.resource import Find, Keep, Log, May, Resource, Shapes
from guildhouse.kernel.row import Row
from guildhouse.kernel.shapes import Day, Id, Line, Moment, Prose, ReadShape, Shape, Url
from guildhouse.kernel.store import FieldNotYours


class JobNotOpen(Conflict):
    """This job is {status} and takes no applications. Keep yours as a draft, or look for a job that is open."""


class AlreadyApplied(Conflict):
    """There is an application for this job already: {id}. Go on with that one; if it is withdrawn, submit it again."""


class LetterIsSent(Conflict):
    """The employer has it already, so this stays as it was sent: {fields}. Write a shared note to add something."""


Score = Annotated[int, Field(ge=1, le=5)]
RejectionReason = Literal[
    "qualifications", "experience", "skills", "location", "salary", "work_permit", "another_person", "job_cancelled",
    "no_answer", "other",
]  # fmt: skip


class Application(Row):
    """A person's application for a job, or a candidate's. Each has at most one for each job."""

    __tablename__ = "applications"

    # No foreign keys to the job, its organization and the stage: an application outlives them in its person's tracker.
    job_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    organization_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    applicant_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False), ForeignKey("people.id", ondelete="CASCADE"))
    candidate_id: Mapped[str | None] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("candidates.id", ondelete="CASCADE")
    )
    job_title: Mapped[str]
    organization_name: Mapped[str | None]
    stage: Mapped[str] = mapped_column(default="draft")
    stage_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    cover_letter: Mapped[str | None]
    contact_name: Mapped[str | None]
    contact_email: Mapped[str | None]
    contact_phone: Mapped[str | None]
    documents: Mapped[list[Any]] = mapped_column(JSONB)
    source: Mapped[str | None]
    rejection_reason: Mapped[str | None]
    withdrawal_reason: Mapped[str | None]
    submitted_at: Mapped[datetime | None]
    decided_at: Mapped[datetime | None]
    private_note: Mapped[str | None]
    excitement: Mapped[int | None]
    next_step: Mapped[str | None]
    next_step_on: Mapped[date | None]
    rating: Mapped[int | None]
    team_note: Mapped[str | None]

    __table_args__ = (
        CheckConstraint(
            "stage IN ('draft', 'submitted', 'screening', 'interviewing', 'offered', 'hired', 'rejected', 'withdrawn')",
            name="stage",
        ),
        CheckConstraint("(applicant_id IS NULL) <> (candidate_id IS NULL)", name="is_of_one"),
        CheckConstraint("excitement BETWEEN 1 AND 5", name="excitement_is_1_to_5"),
        CheckConstraint("rating BETWEEN 1 AND 5", name="rating_is_1_to_5"),
        Index(
            "uq_applications_applicant_id_job_id",
            "applicant_id",
            "job_id",
            unique=True,
            postgresql_where="deleted_at IS NULL",
        ),
        Index(
            "uq_applications_candidate_id_job_id",
            "candidate_id",
            "job_id",
            unique=True,
            postgresql_where="deleted_at IS NULL",
        ),
        Index("ix_applications_job_id_submitted_at_id", "job_id", "submitted_at", "id"),
        Index("ix_applications_organization_id_submitted_at_id", "organization_id", "submitted_at", "id"),
        Index("ix_applications_submitted_at_id", "submitted_at", "id"),
        Index("ix_applications_created_at_id", "created_at", "id"),
        Index("ix_applications_decided_at_id", "decided_at", "id"),
        Index("ix_applications_stage", "stage"),
        Index("ix_applications_stage_id", "stage_id"),
        Index("ix_applications_source", "source"),
        Index("ix_applications_scopes", "scopes", postgresql_using="gin"),
    )


class ApplicationDocument(Shape):
    """A document that goes with an application, by its address."""

    title: Line = Field(examples=["Résumé"])
    url: Url = Field(examples=["https://ada.example.org/resume.pdf"])


class Read(ReadShape):
    """An application. `job_title` and `organization_name` are as they were when it was made.

    `private_note`, `excitement`, `next_step` and `next_step_on` are null to everybody but the applicant; `rating` and
    `team_note` to everybody but the hiring team, and to an applicant who is on it. `stage_id` is the organization's own
    stage, where it uses some.
    """

    job_id: str
    organization_id: str | None
    applicant_id: str | None
    candidate_id: str | None
    job_title: str
    organization_name: str | None
    stage: str
    stage_id: str | None
    cover_letter: str | None
    contact_name: str | None
    contact_email: str | None
    contact_phone: str | None
    documents: list[ApplicationDocument]
    source: str | None
    rejection_reason: str | None
    withdrawal_reason: str | None
    submitted_at: datetime | None
    decided_at: datetime | None
    private_note: str | None
    excitement: int | None
    next_step: str | None
    next_step_on: date | None
    rating: int | None
    team_note: str | None


class Create(Shape):
    """A new application: a draft that only you see, or with `"stage": "submitted"`, sent at once.

    Name and e-mail address of an application to an organization are those of your account where you give no others. The
    hiring team begins one for a candidate with `candidate_id`. A candidate's, and one for a job that you track, may say
    where it stands already: `stage`, `submitted_at`, `decided_at`, `rejection_reason`, and a candidate's `team_note`.
    """

    job_id: Id
    candidate_id: Id | None = Field(default=None, examples=[None])
    stage: (
        Literal["draft", "submitted", "screening", "interviewing", "offered", "hired", "rejected", "withdrawn"] | None
    ) = Field(default=None, description="A draft if not given; a candidate's is submitted.", examples=["draft"])
    cover_letter: Prose | None = None
    contact_name: Line | None = None
    contact_email: Email | None = None
    contact_phone: Line | None = None
    documents: list[ApplicationDocument] = Field(default=[], max_length=20)
    source: Line | None = Field(default=None, examples=["a friend"])
    private_note: Prose | None = None
    excitement: Score | None = None
    next_step: Line | None = Field(default=None, examples=["Call them"])
    next_step_on: Day | None = None
    submitted_at: Moment | None = Field(default=None, examples=[None])
    decided_at: Moment | None = Field(default=None, examples=[None])
    rejection_reason: RejectionReason | None = Field(default=None, examples=[None])
    team_note: Prose | None = Field(default=None, examples=[None])


class Update(Shape):
    """Change an application. `rating` and `team_note` are the hiring team's to change, all else is the applicant's."""

    cover_letter: Prose | None = None
    contact_name: Line | None = None
    contact_email: Email | None = None
    contact_phone: Line | None = None
    documents: list[ApplicationDocument] = Field(default=[], max_length=20)
    source: Line | None = None
    private_note: Prose | None = None
    excitement: Score | None = None
    next_step: Line | None = None
    next_step_on: Day | None = None
    rating: Score | None = None
    team_note: Prose | None = None


LETTER = ("cover_letter", "documents")
SAID = (
    *LETTER,
    "contact_name",
    "contact_email",
    "contact_phone",
    "source",
    "withdrawal_reason",
)
TEAMS = (*TEAMS_EYES, "stage_id", "rejection_reason")
# These go with a move between stages, and whoever may make it sets them.
MOVED_ALONG = ("stage_id", "rejection_reason", "withdrawal_reason")


async def derive(ctx: Context, before: Application | None, after: Application) -> Mapping[str, Any]:
    """What follows from the job at the start, and from a move between stages at any time."""
    if before is None:
        found = await begun(ctx, after)
        return {**found, **moved_along(ctx, None, Application.of({**after.values(), **found}))}
    return moved_along(ctx, before, after) if before.stage != after.stage else {}


def moved_along(ctx: Context, before: Application | None, after: Application) -> Mapping[str, Any]:
    """The dates of a stage, and what was only true of the stage before."""
    same_step = before is not None and before.stage_id == after.stage_id
    return {
        "stage_id": None if same_step else after.stage_id,
        "submitted_at": submitted_at(ctx, before, after),
        "decided_at": decided_at(ctx, before, after),
        "rejection_reason": after.rejection_reason if after.stage == "rejected" else None,
        "withdrawal_reason": after.withdrawal_reason if after.stage == "withdrawn" else None,
    }


def submitted_at(ctx: Context, before: Application | None, after: Application) -> datetime | None:
    """When the employer got it last; a draft that is withdrawn never was submitted."""
    if after.stage == "draft":
        return None
    if before is not None and is_submitting(before, after):
        return ctx.now
    return after.submitted_at or (ctx.now if after.stage != "withdrawn" else None)


def decided_at(ctx: Context, before: Application | None, after: Application) -> datetime | None:
    """When it came to an end, if it has."""
    if after.stage not in DECIDED:
        return None
    return ctx.now if before is not None else after.decided_at or ctx.now


def is_submitting(before: Application | None, after: Application) -> bool:
    """Whether the applicant hands it in with this write; the team may also move it back to `submitted`."""
    return after.stage == "submitted" and (before is None or before.stage in IN_HAND)


async def job_is_open(ctx: Context, before: Application | None, after: Application) -> None:
    """Only a job that is open takes applications, on its days; one that is only tracked takes any, and so does the team."""
    if after.organization_id is None or after.candidate_id is not None or not is_submitting(before, after):
        return
    job: Job | None = await ctx.once(jobs, after.job_id)
    if job is None or job.status != "open":
        raise JobNotOpen(status=job.status if job else "gone")
    check_days(job, ctx.now)


OTHERS_FOR_JOB = {
    name: select(Application.id).where(
        getattr(Application, name) == bindparam("whose"),
        Application.job_id == bindparam("job_id"),
        Application.deleted_at.is_(None),
    )
    for name in ("applicant_id", "candidate_id")
}


async def not_already_applied(ctx: Context, before: Application | None, after: Application) -> None:
    """One application for each person and job; of two at the same moment the unique index takes one."""
    if before is not None and before.deleted_at is None:
        return
    name = "applicant_id" if after.applicant_id else "candidate_id"
    asking = await ctx.asking(guarded=True)
    if others := await fetch(asking, OTHERS_FOR_JOB[name], whose=getattr(after, name), job_id=after.job_id):
        raise AlreadyApplied(id=others[0]["id"])


def letter_stays(_ctx: Context, before: Application | None, after: Application) -> None:
    """What the employer has read does not change under their eyes."""
    if before is None or before.applicant_id is None or before.organization_id is None or before.stage in IN_HAND:
        return
    if sent := changed(before, after, LETTER):
        raise LetterIsSent(fields=", ".join(sent))


def fields_are_yours(ctx: Context, before: Application | None, after: Application) -> None:
    """The applicant changes the applicant's fields, the hiring team the team's; also when a change is taken back."""
    if before is None:
        return
    foreign = [
        *([] if is_applicant(ctx.actor, before) else changed(before, after, APPLICANTS_EYES)),
        *([] if speaks(ctx.actor, before) else changed(before, after, SAID)),
        *([] if hires(ctx.actor, before) else changed(before, after, TEAMS)),
    ]
    if before.stage != after.stage:
        foreign = [name for name in foreign if name not in MOVED_ALONG]
    if foreign:
        raise FieldNotYours(fields=", ".join(foreign))


def changed(before: Application, after: Application, fields: Iterable[str]) -> list[str]:
    """Which of these fields differ."""
    return [name for name in fields if getattr(before, name) != getattr(after, name)]


async def stage_is_the_organizations(ctx: Context, before: Application | None, after: Application) -> None:
    """An own stage that is moved to is one of the organization that hires, and its outcome is the new stage."""
    if after.stage_id is None or (before is not None and before.stage_id == after.stage_id):
        return
    stage = await ctx.once(stages, after.stage_id)
    if stage is None or stage.organization_id != after.organization_id or stage.outcome != after.stage:
        raise invalid("/stage_id", "not-found", "this organization has no such stage")


applications = Resource(
    table=Application,
    shapes=Shapes(
        read=Read,
        create=Create,
        update=Update,
        derive=derive,
        audience=AUDIENCE,
    ),
    scopes=seen_by,
    may=May(
        create=is_applicant | hires,
        change=is_applicant | hires,
        remove=(is_applicant & (tracked | value_in("stage", *IN_HAND))) | (hires & of_candidate),
        history=is_applicant | reviews,
    ),
    rules=(not_already_applied, job_is_open, stage_is_the_organizations, letter_stays, fields_are_yours),
    stages=STAGES,
    find=Find(
        filter=(
            "stage", "stage_id", "job_id", "organization_id", "applicant_id", "candidate_id", "source", "submitted_at",
            "decided_at", "created_at",
        ),
        sort=("created_at", "submitted_at", "decided_at"),
        expand={"job": "jobs", "organization": "organizations", "applicant": "people",
                "candidate": "candidates"},
        text={"job_title": "A", "contact_name": "A", "organization_name": "B", "cover_letter": "C"},
    ),
    log=Log(
        personal=(
            "cover_letter", "contact_name", "contact_email", "contact_phone", "documents", "withdrawal_reason",
            "private_note", "next_step", "team_note",
        )
    ),
    carry=CARRY,
    keep=Keep(shelve=True),
)  # fmt: skip
