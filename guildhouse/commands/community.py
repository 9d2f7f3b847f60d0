"""The community of the demonstration: who does what and when, each in their own name and within their own permissions.

Everything is written by the store, as if it had been done at its time; only the log knows when it was really written.
"""

import tomllib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib.resources import files
from random import Random
from typing import Any, TypeVar

from sqlalchemy import bindparam, select

from guildhouse import app
from guildhouse.accounts.identity import Accounts
from guildhouse.accounts.person import Person, people
from guildhouse.applications.application import Application, applications
from guildhouse.applications.application import Create as NewApplication
from guildhouse.applications.moving import Move, Rating, Rejection, Withdrawal
from guildhouse.applications.note import Create as NewNote
from guildhouse.applications.note import notes
from guildhouse.applications.reminder import Create as NewReminder
from guildhouse.applications.reminder import reminders
from guildhouse.applications.stage import Create as NewStage
from guildhouse.applications.stage import stages
from guildhouse.jobs.job import Create as NewJob
from guildhouse.jobs.job import Job, jobs
from guildhouse.kernel import store
from guildhouse.kernel.actor import HOUSE
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Connection, Note
from guildhouse.kernel.errors import Denied
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import Row
from guildhouse.organizations.invitation import Create as NewInvitation
from guildhouse.organizations.invitation import invitations
from guildhouse.organizations.membership import Role, memberships
from guildhouse.organizations.organization import Create as NewOrganization
from guildhouse.organizations.organization import Organization, organizations

R = TypeVar("R", bound=Row)
DATA: Mapping[str, Any] = tomllib.loads(files("guildhouse.commands").joinpath("demo.toml").read_text(encoding="utf-8"))
REASON = "Demonstration"
DAYS = 150  # how far the past of the community goes back
DOMAIN = "@demo.example.org"

# The ways that applications go after the first thought; each one stops where the present begins.
JOURNEYS = (
    ("submitted", "screening", "interviewing", "offered", "hired"),
    ("submitted", "screening", "interviewing", "rejected"),
    ("submitted", "screening"),
    ("submitted", "rejected"),
    ("submitted", "screening", "interviewing", "offered"),
    (),
    ("submitted",),
    ("submitted", "screening", "withdrawn"),
    ("submitted", "screening", "interviewing"),
)
# What becomes of a job in the end.
ENDS = ("", "", "pause", "close", "", "draft")

DEMO_PEOPLE = select(Person.id, Person.email).where(Person.email.like(f"%{DOMAIN}"), Person.deleted_at.is_(None))
BY_SLUG = select(Organization.id).where(Organization.slug == bindparam("slug"), Organization.deleted_at.is_(None))
TRACKED_BY = select(Job.id).where(Job.person_id == bindparam("person_id"), Job.deleted_at.is_(None)).limit(1)


@dataclass
class Hand:
    """Writes in somebody's name, at some time. `made` counts the rows of each table."""

    connection: Connection
    made: Counter[str]
    identity: Accounts = field(default_factory=lambda: Accounts(app.HOUSE))

    async def acting(self, person_id: str | None, at: datetime) -> Context:
        """The context of a person, or of the house itself, at a time."""
        actor = await self.identity.actor_of(self.connection, person_id) if person_id else HOUSE
        return Context(app.HOUSE, self.connection, actor, Note(actor=person_id, reason=REASON), now=at)

    async def create(
        self,
        person_id: str | None,
        at: datetime,
        resource: Resource[R],
        values: Mapping[str, Any],
        verb: str | None = None,
    ) -> R:
        """Make a row."""
        row = await store.create(await self.acting(person_id, at), resource, values, verb=verb)
        self.made[resource.name] += 1
        return row

    async def do(self, person_id: str, at: datetime, resource: Resource[R], verb: str, row: R, *body: Any) -> R:
        """Act on a row by a verb; raises `Denied` where its door would."""
        ctx = await self.acting(person_id, at)
        declared = app.HOUSE.verbs[resource.name, verb]
        if not declared.may(ctx.actor, row):
            raise Denied
        done: Any = await declared.act(ctx, row, *body)
        return resource.table.of(done.values())


@dataclass
class Team:
    """An organization and who hires for it, from its founding on."""

    organization: Organization
    owner: str
    recruiter: str
    interviewer: str
    founded_at: datetime
    stage_id: str = ""


async def settle(hand: Hand, number: int, chance: Random) -> dict[str, str]:
    """The first people, as many as asked for: their ids by e-mail address. Those who are there already stay."""
    present = {email: each for each, email in await (await hand.acting(None, datetime.now(UTC))).all(DEMO_PEOPLE)}
    found = {}
    for n in range(number):
        values = person(n, chance)
        if values["email"] not in present:
            at = datetime.now(UTC) - timedelta(days=DAYS, hours=chance.uniform(0, 500))
            row = await hand.create(None, at, people, values, verb="created")
            present[row.email] = row.id
        found[values["email"]] = present[values["email"]]
    return found


def person(n: int, chance: Random) -> dict[str, Any]:
    """The n-th person: one of those described, after them made-up ones. Nobody has a password."""
    if n < len(DATA["people"]):
        values = dict(DATA["people"][n])
        language = "zh-TW" if values["country"] == "TW" else "en"
        return {**values, "email": values.pop("at") + DOMAIN, "language": language}
    names = DATA["made_up"]
    given, family = n % len(names["given"]), chance.randrange(len(names["family"]))
    city, country = chance.choice(names["places"])
    return {
        "name": f"{names['given'][given]} {names['family'][family]}",
        "email": f"{names['given_at'][given]}.{names['family'][family].lower()}.{n}{DOMAIN}",
        "city": city,
        "country": country,
        "skills": chance.sample(["Python", "teaching", "accounting", "welding", "nursing", "Excel"], 2),
    }


def organization(n: int) -> dict[str, Any]:
    """The n-th organization: one of those described, after them made-up ones."""
    if n < len(DATA["organizations"]):
        return dict(DATA["organizations"][n])
    (city, country), trades = DATA["made_up"]["places"][n % 10], DATA["made_up"]["trades"]
    language = "zh" if country == "TW" else "en"
    name = f"{city} {trades[n % len(trades)]}"
    return {"name": name, "slug": f"demo-{n}", "language": language, "city": city, "country": country}


async def found(hand: Hand, values: Mapping[str, Any], team: list[str], moderator: str, chance: Random) -> Team:
    """Found an organization, let its people join, and have it approved unless it is to wait."""
    at = datetime.now(UTC) - timedelta(days=chance.uniform(DAYS - 30, DAYS))
    owner, recruiter, interviewer = team
    fields = {name: value for name, value in values.items() if name in NewOrganization.model_fields}
    new = {**NewOrganization(**fields).model_dump(), "founder_id": owner}
    row = await hand.create(owner, at, organizations, new, verb="founded")
    roles: list[tuple[str, Role]] = [(owner, "owner"), (recruiter, "recruiter"), (interviewer, "interviewer")]
    for person_id, role in roles:
        member = {"organization_id": row.id, "person_id": person_id, "role": role}
        await hand.create(person_id, at, memberships, member, verb="joined")
    invited = NewInvitation(organization_id=row.id, email="newcomer@example.net", role="viewer").model_dump()
    await hand.create(owner, at + timedelta(days=1), invitations, invited)
    if not values.get("pending"):
        row = await hand.do(moderator, at + timedelta(days=2), organizations, "approve", row)
    return Team(row, owner, recruiter, interviewer, at + timedelta(days=2))


async def hire(hand: Hand, team: Team, applicants: list[str], language: str, postings: int, chance: Random) -> None:
    """The organization's own stage, its jobs, and who applies for them."""
    own = NewStage(
        organization_id=team.organization.id, name=DATA["words"][language]["stage"], outcome="interviewing", position=10
    )
    team.stage_id = (await hand.create(team.recruiter, team.founded_at, stages, own.model_dump())).id
    first = chance.randrange(len(JOURNEYS))
    for n in range(postings):
        at = team.founded_at + timedelta(days=chance.uniform(1, DAYS - 40))
        job = await post(hand, team, language, n, at, chance)
        if team.organization.status != "approved" or ENDS[n % len(ENDS)] == "draft":
            continue
        job = await hand.do(team.recruiter, at + timedelta(days=1), jobs, "publish", job)
        hired = False
        for k, applicant in enumerate(chance.sample(applicants, 5)):
            journey = JOURNEYS[(first + n * 5 + k) % len(JOURNEYS)]
            hired |= await apply(hand, team, job, applicant, journey, language, chance) == "hired"
        if end := "fill" if hired else ENDS[n % len(ENDS)]:
            await hand.do(team.recruiter, datetime.now(UTC), jobs, end, job)


async def post(hand: Hand, team: Team, language: str, n: int, at: datetime, chance: Random) -> Job:
    """A draft of a job, out of those described for the language."""
    described = DATA["jobs"][language]
    chosen = described[(n + len(team.organization.slug)) % len(described)]
    low, high, currency = chosen["salary"]
    new = NewJob(
        title=chosen["title"],
        description=chosen["text"],
        organization_id=team.organization.id,
        employment_type="part_time" if "part time" in chosen["title"] else "full_time",
        workplace=chance.choice(["on_site", "on_site", "hybrid", "remote"]),
        city=team.organization.city,
        country=team.organization.country,
        salary_min=low,
        salary_max=high,
        salary_currency=currency,
        salary_period="month",
        skills=chosen["skills"],
        closes_on=(at + timedelta(days=DAYS + 60)).date(),
    )
    return await hand.create(team.recruiter, at, jobs, new.model_dump())


async def apply(
    hand: Hand, team: Team, job: Job, applicant: str, journey: tuple[str, ...], language: str, chance: Random
) -> str:
    """An application from the first thought as far as it has come by now; says its stage."""
    words = DATA["words"][language]
    at = job.posted_at + chance.uniform(0.1, 0.9) * min(timedelta(days=25), datetime.now(UTC) - job.posted_at)
    new = NewApplication(
        job_id=job.id,
        cover_letter=chance.choice(words["letters"]),
        source=chance.choice(["a friend", "fair", "search"]),
        private_note=chance.choice(words["private"]),
        excitement=chance.randint(1, 5),
        next_step=words["next_step"],
    )
    row = await hand.create(applicant, at, applications, new.model_dump())
    await remind(hand, row, applicant, words, chance)
    for stage in journey:
        at += timedelta(days=chance.uniform(0.5, 9))
        if at >= datetime.now(UTC):
            break
        row = await move(hand, team, row, stage, at, words, chance)
    return row.stage


async def move(
    hand: Hand, team: Team, row: Application, stage: str, at: datetime, words: Mapping[str, Any], chance: Random
) -> Application:
    """One step of an application, by whoever takes it; the team writes down what it thinks, and some of it is shared."""
    if stage == "submitted":
        return await hand.do(str(row.applicant_id), at, applications, "submit", row)
    if stage == "withdrawn":
        return await hand.do(str(row.applicant_id), at, applications, "withdraw", row, Withdrawal())
    if stage == "rejected":
        return await hand.do(team.recruiter, at, applications, "reject", row, Rejection(reason="another_person"))
    if stage != "interviewing":
        note = chance.choice(words["team"])
        return await hand.do(team.recruiter, at, applications, "move", row, Move(stage=stage, note=note))  # type: ignore[arg-type]
    row = await hand.do(team.recruiter, at, applications, "move", row, Move(stage_id=team.stage_id))
    shared = NewNote(application_id=row.id, audience="shared", body=words["shared"])
    await hand.create(team.interviewer, at, notes, shared.model_dump())
    return await hand.do(team.recruiter, at, applications, "rate", row, Rating(rating=chance.randint(2, 5)))


async def remind(hand: Hand, row: Application, applicant: str, words: Mapping[str, Any], chance: Random) -> None:
    """A reminder of every other application, and a note for oneself."""
    if chance.random() < 0.5:
        due = datetime.now(UTC) + timedelta(days=chance.uniform(-20, 20))
        new = NewReminder(text=words["reminder"], due_at=due, application_id=row.id)
        reminder = await hand.create(applicant, row.created_at, reminders, new.model_dump())
        if due < datetime.now(UTC):
            await hand.do(applicant, due, reminders, "complete", reminder)
    else:
        private = NewNote(application_id=row.id, body=chance.choice(words["private"]))
        await hand.create(applicant, row.created_at, notes, private.model_dump())


async def track(hand: Hand, person_id: str, n: int, chance: Random) -> None:
    """A job that somebody found elsewhere, and moves by themselves; whoever tracks one already gets no other."""
    at = datetime.now(UTC) - timedelta(days=chance.uniform(5, 60))
    if await (await hand.acting(person_id, at)).value(TRACKED_BY, person_id=person_id):
        return
    job = await hand.create(person_id, at, jobs, NewJob(**DATA["tracked"]["jobs"][n % 4]).model_dump())
    row = await hand.create(person_id, at, applications, NewApplication(job_id=job.id, excitement=4).model_dump())
    stage: Any = chance.choice(["submitted", "screening", "interviewing", "rejected"])
    await hand.do(person_id, at + timedelta(days=2), applications, "move", row, Move(stage=stage))
