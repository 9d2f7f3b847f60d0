"""Jobs: vacancies. An organization posts them; a person may track one that was found elsewhere, for their eyes only."""

from collections.abc import Iterable, Mapping
from datetime import date, datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import CheckConstraint, ForeignKey, Index, Uuid, text
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.jobs.carried import CARRY
from guildhouse.jobs.city_coordinates import Latitude, Longitude, place_is_whole, placed
from guildhouse.jobs.job_choices import CALLED, Employment, Term, Workplace
from guildhouse.jobs.job_words import WORDS
from guildhouse.jobs.pay import PAY, Amount, Period, YearlyAmount, comparable, salary_makes_sense
from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import Conflict, invalid
from guildhouse.kernel.may import anyone, holds, is_person, value_in
from guildhouse.kernel.resource import Find, Keep, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import PUBLIC, scope
from guildhouse.kernel.shapes import Country, Currency, Day, Id, Line, Moment, Money, Prose, ReadShape, Shape, Tag, Url
from guildhouse.kernel.stages import Stages
from guildhouse.organizations.organization import organizations
from guildhouse.organizations.teams import in_organization, members

Key = Annotated[str, Field(max_length=200)]
Tags = Annotated[list[Tag], Field(max_length=100)]


class OrganizationNotApproved(Conflict):
    """Only an organization that is approved can have open jobs; this one is {status}. Keep the job as a draft."""


class LastDayOver(Conflict):
    """The last day to apply was {closes_on}. Give the job a later `closes_on`, or none, then open it."""


class Job(Row):
    """A vacancy: of an organization, or tracked by one person (then `person_id` is set and nobody else sees it)."""

    __tablename__ = "jobs"

    organization_id: Mapped[str | None] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("organizations.id", ondelete="CASCADE")
    )
    person_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False), ForeignKey("people.id", ondelete="CASCADE"))
    organization_name: Mapped[str | None]
    unit: Mapped[str | None]
    title: Mapped[str]
    description: Mapped[str | None]
    employment_type: Mapped[str | None]
    term: Mapped[str | None]
    workplace: Mapped[str | None]
    city: Mapped[str | None]
    region: Mapped[str | None]
    country: Mapped[str | None]
    latitude: Mapped[float | None]
    longitude: Mapped[float | None]
    salary_min: Mapped[float | None] = mapped_column(Amount)
    salary_max: Mapped[float | None] = mapped_column(Amount)
    salary_currency: Mapped[str | None]
    salary_period: Mapped[str | None]
    yearly_pay_min: Mapped[float | None] = mapped_column(YearlyAmount)
    yearly_pay_max: Mapped[float | None] = mapped_column(YearlyAmount)
    pay_rates: Mapped[str | None]
    skills: Mapped[list[str]]
    found_skills: Mapped[list[str] | None]
    occupation: Mapped[str | None]
    tags: Mapped[list[str]]
    opens_on: Mapped[date | None]
    closes_on: Mapped[date | None]
    posted_at: Mapped[datetime]
    source: Mapped[str]
    external_id: Mapped[str | None]
    url: Mapped[str | None]
    status: Mapped[str] = mapped_column(default="draft")

    __table_args__ = (
        CheckConstraint("status IN ('draft', 'open', 'paused', 'closed', 'filled')", name="status"),
        CheckConstraint("num_nonnulls(organization_id, person_id) = 1", name="has_one_owner"),
        CheckConstraint("salary_min <= salary_max", name="salary_min_is_not_above_salary_max"),
        CheckConstraint("opens_on <= closes_on", name="closes_on_is_not_before_opens_on"),
        CheckConstraint("num_nonnulls(latitude, longitude) <> 1", name="latitude_comes_with_longitude"),
        Index(
            "uq_jobs_organization_id_source_external_id",
            "organization_id",
            "source",
            "external_id",
            unique=True,
            postgresql_where="deleted_at IS NULL",
        ),
        # The list that everybody opens: the newest open jobs, of all organizations or of one.
        Index("ix_jobs_status_posted_at_id", "status", "posted_at", "id"),
        Index("ix_jobs_organization_id_posted_at_id", "organization_id", "posted_at", "id"),
        Index("ix_jobs_posted_at_id", "posted_at", "id"),
        Index("ix_jobs_created_at_id", "created_at", "id"),
        Index("ix_jobs_title_id", "title", "id"),
        Index("ix_jobs_lower_title", text("lower(title)")),
        Index("ix_jobs_closes_on_id", "closes_on", "id"),
        Index("ix_jobs_salary_max_id", "salary_max", "id"),
        Index("ix_jobs_salary_min", "salary_min"),
        Index("ix_jobs_salary_currency", "salary_currency"),
        Index("ix_jobs_yearly_pay_max_id", "yearly_pay_max", "id"),
        Index("ix_jobs_best_paid", text("yearly_pay_max DESC NULLS LAST"), text("id DESC")),
        Index("ix_jobs_yearly_pay_min_id", "yearly_pay_min", "id"),
        Index("ix_jobs_pay_rates", "pay_rates", postgresql_where="salary_min IS NOT NULL OR salary_max IS NOT NULL"),
        Index("ix_jobs_opens_on", "opens_on"),
        Index("ix_jobs_employment_type", "employment_type"),
        Index("ix_jobs_workplace", "workplace"),
        Index("ix_jobs_country", "country"),
        Index("ix_jobs_latitude_longitude", "latitude", "longitude"),
        Index("ix_jobs_region", "region"),
        Index("ix_jobs_city", "city"),
        Index("ix_jobs_source", "source"),
        Index("ix_jobs_external_id", "external_id"),
        Index("ix_jobs_person_id", "person_id"),
        Index("ix_jobs_skills", "skills", postgresql_using="gin"),
        Index("ix_jobs_found_skills", "found_skills", postgresql_using="gin"),
        Index("ix_jobs_occupation", "occupation"),
        Index("ix_jobs_tags", "tags", postgresql_using="gin"),
        Index("ix_jobs_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A job. Salaries are amounts of `salary_currency` per `salary_period`; `closes_on` is the last day to apply.

    `yearly_pay_min` and `yearly_pay_max` are what they are in a year, in the currency that `pay_rates` begins with.
    `skills` are in the words of whoever posted it; `found_skills` are those that its words speak of, by one name each;
    `occupation` is the code of the O*NET occupation that its title names, if it names one.
    """

    organization_id: str | None
    person_id: str | None
    organization_name: str | None
    unit: str | None
    title: str
    description: str | None
    employment_type: str | None
    term: str | None
    workplace: str | None
    city: str | None
    region: str | None
    country: str | None
    latitude: float | None
    longitude: float | None
    salary_min: float | None
    salary_max: float | None
    salary_currency: str | None
    salary_period: str | None
    yearly_pay_min: float | None
    yearly_pay_max: float | None
    pay_rates: str | None
    skills: list[str]
    found_skills: list[str] | None
    occupation: str | None
    tags: list[str]
    opens_on: date | None
    closes_on: date | None
    posted_at: datetime
    source: str
    external_id: str | None
    url: str | None
    status: str


class Create(Shape):
    """Post a job for an organization, or without `organization_id`, track one that you found elsewhere.

    `source` and `external_id` name a job in the system that it comes from; an upsert finds it by them.
    """

    title: Line = Field(examples=["Engine programmer"])
    organization_id: Id | None = None
    organization_name: Line | None = Field(default=None, description="Of a tracked job; a posted one has its own.")
    status: Literal["draft", "open"] | None = Field(default=None, description="A tracked job is open, another a draft.")
    unit: Line | None = None
    description: Prose | None = None
    employment_type: Employment | None = None
    term: Term | None = None
    workplace: Workplace | None = None
    city: Line | None = None
    region: Line | None = None
    country: Country | None = None
    latitude: Latitude | None = Field(default=None, description="Those of the city, if not given and there is but one.")
    longitude: Longitude | None = None
    salary_min: Money | None = Field(default=None, examples=[60000])
    salary_max: Money | None = Field(default=None, examples=[80000])
    salary_currency: Currency | None = Field(default=None, examples=["TWD"])
    salary_period: Period | None = Field(default=None, examples=["month"])
    skills: Tags = Field(default=[])
    tags: Tags = Field(default=[])
    opens_on: Day | None = None
    closes_on: Day | None = None
    posted_at: Moment | None = Field(default=None, description="When it was first posted; now, if not given.")
    source: Key = ""
    external_id: Key | None = None
    url: Url | None = None


class Update(Shape):
    """Change a job. Its status moves by its verbs."""

    title: Line = ""
    organization_name: Line | None = None
    unit: Line | None = None
    description: Prose | None = None
    employment_type: Employment | None = None
    term: Term | None = None
    workplace: Workplace | None = None
    city: Line | None = None
    region: Line | None = None
    country: Country | None = None
    latitude: Latitude | None = None
    longitude: Longitude | None = None
    salary_min: Money | None = None
    salary_max: Money | None = None
    salary_currency: Currency | None = None
    salary_period: Period | None = None
    skills: Tags = Field(default=[])
    tags: Tags = Field(default=[])
    opens_on: Day | None = None
    closes_on: Day | None = None
    source: Key = ""
    external_id: Key | None = None
    url: Url | None = None


async def derive(ctx: Context, before: Job | None, after: Job) -> Mapping[str, Any]:
    """A posted job carries its organization's name; one without an organization is tracked by who makes it."""
    found = {
        "organization_name": await name_of_organization(ctx, after),
        **await placed(before, after),
        **comparable(after),
        **await WORDS.derived(before, after),
    }
    if before is not None:
        published = before.status == "draft" and after.status == "open"
        return {**found, "posted_at": ctx.now if published else after.posted_at}
    tracked = after.organization_id is None
    return {
        **found,
        "person_id": ctx.actor.id if tracked else None,
        "status": after.status or ("open" if tracked else "draft"),
        "posted_at": after.posted_at or ctx.now,
    }


async def name_of_organization(ctx: Context, job: Job) -> str | None:
    """The name of the organization that posts a job; of a tracked job, the one it was given."""
    organization = await ctx.once(organizations, job.organization_id)
    return organization.name if organization else job.organization_name


def closes_after_it_opens(_ctx: Context, _before: Job | None, job: Job) -> None:
    """The last day is not before the first."""
    if job.opens_on and job.closes_on and job.closes_on < job.opens_on:
        raise invalid("/closes_on", "before-opening", "this is before opens_on")


async def opens_for_approved(ctx: Context, before: Job | None, job: Job) -> None:
    """An organization opens jobs once it is approved."""
    if job.organization_id is None or not opens(before, job):
        return
    organization = await ctx.once(organizations, job.organization_id)
    if organization is None or organization.status != "approved":
        raise OrganizationNotApproved(status=organization.status if organization else "gone")


def opens_in_time(ctx: Context, before: Job | None, job: Job) -> None:
    """A job is not opened again after its last day; one that is new may be past it, and is soon closed."""
    if before is not None and opens(before, job) and job.closes_on and job.closes_on < today_everywhere(ctx.now):
        raise LastDayOver(closes_on=job.closes_on)


def opens(before: Job | None, job: Job) -> bool:
    """Whether a change makes a job open that was not."""
    return is_open(job) and (before is None or not is_open(before))


def is_open(job: Job) -> bool:
    """Whether a job takes applications."""
    return job.status == "open" and job.deleted_at is None


def today_everywhere(now: datetime) -> date:
    """The day it still is in the last place on earth (UTC-12): days before it are over for everybody."""
    return (now - timedelta(hours=12)).date()


def first_today(now: datetime) -> date:
    """The day it is already in the first place on earth (UTC+14): days after it have begun for nobody."""
    return (now + timedelta(hours=14)).date()


def seen_by(job: Job) -> Iterable[str]:
    """A tracked job is its person's own; a draft is its organization's; the rest is public."""
    if job.person_id is not None:
        return [scope("person", job.person_id)]
    team = members(job.organization_id)
    return [team] if job.status == "draft" else [team, "moderators", PUBLIC]


recruits = in_organization("recruiters")
tracks = is_person("person_id")
moderates = holds("jobs.moderate")
runs = recruits | tracks

STAGES = Stages(
    "status",
    initial=("draft", "open"),
    moves={
        "draft": {"open": runs},
        "open": {"paused": runs | moderates, "closed": runs | moderates, "filled": runs},
        "paused": {"open": runs, "closed": runs | moderates},
        "closed": {"open": runs},
        "filled": {"open": runs, "closed": runs},
    },
)

jobs = Resource(
    table=Job,
    shapes=Shapes(read=Read, create=Create, update=Update, derive=derive, found=WORDS.found),
    scopes=seen_by,
    may=May(read=anyone, create=runs, change=runs, remove=runs | moderates, history=runs | moderates),
    rules=(salary_makes_sense, closes_after_it_opens, place_is_whole, opens_for_approved, opens_in_time),
    stages=STAGES,
    find=Find(
        filter=(
            "status", "employment_type", "workplace", "organization_id", "city", "region", "country", "salary_min",
            "salary_max", "salary_currency", "posted_at", "opens_on", "closes_on", "skills", "found_skills", "occupation",
            "tags", "source", "external_id", "title", "yearly_pay_min", "yearly_pay_max",
        ),
        sort=("posted_at", "created_at", "title", "closes_on", "salary_max", "yearly_pay_min", "yearly_pay_max"),
        expand={"organization": "organizations"},
        text={
            "title": "A", "organization_name": "B", "skills": "B", "city": "C", "unit": "C", "tags": "C", "description": "C",
        },
        words=CALLED,
        facets={
            "employment_type": (), "workplace": (), "organization_id": (), "country": (), "region": (), "city": (),
            "skills": (), "found_skills": (), "occupation": (), "status": (), "posted_at": (),
            "yearly_pay_max": (20_000, 30_000, 40_000, 60_000, 80_000, 120_000),
        },
        default="-posted_at",
        place=("latitude", "longitude"),
        everywhere=("workplace", "remote"),
        measures={"pay": PAY},
    ),
    carry=CARRY,
    keep=Keep(shelve=True),
)  # fmt: skip


async def publish(ctx: Context, row: Job) -> Job:
    """Open a draft: everybody sees it and may apply. It counts as posted now."""
    return await store.change(ctx, jobs, row, {"status": "open"}, verb="published")


async def pause(ctx: Context, row: Job) -> Job:
    """Take no applications for a while."""
    return await store.change(ctx, jobs, row, {"status": "paused"}, verb="paused")


async def resume(ctx: Context, row: Job) -> Job:
    """Take applications again after a pause."""
    return await store.change(ctx, jobs, row, {"status": "open"}, verb="resumed")


async def close(ctx: Context, row: Job) -> Job:
    """Take no more applications. Those that were made stay as they are."""
    return await store.change(ctx, jobs, row, {"status": "closed"}, verb="closed")


async def fill(ctx: Context, row: Job) -> Job:
    """Somebody was found: take no more applications."""
    return await store.change(ctx, jobs, row, {"status": "filled"}, verb="filled")


async def reopen(ctx: Context, row: Job) -> Job:
    """Open a job again that was closed or filled. One whose last day is over needs a later `closes_on` first."""
    return await store.change(ctx, jobs, row, {"status": "open"}, verb="reopened")


verbs = (
    Verb(jobs, publish, may=runs & value_in("status", "draft")),
    Verb(jobs, pause, may=runs | moderates),
    Verb(jobs, resume, may=runs & value_in("status", "paused")),
    Verb(jobs, close, may=runs | moderates),
    Verb(jobs, fill, may=runs),
    Verb(jobs, reopen, may=runs & value_in("status", "closed", "filled")),
)
