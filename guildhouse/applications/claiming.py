"""Claiming: a candidate who has registered shows that it is them, and what the team did for them is theirs from then on.

The team makes a link and sends it to where it knows the candidate; whoever is signed in and has it is the candidate. An
e-mail address alone proves nothing here: anybody can register with any. The link is signed and kept nowhere; it is good
for 14 days, and until anything of the candidate changes.
"""

from collections.abc import Mapping, Sequence

from pydantic import Field
from sqlalchemy import bindparam, select

from guildhouse.applications.application import Application, applications
from guildhouse.applications.candidate import Candidate, candidates, hires_here
from guildhouse.applications.eyes import APPLICANTS_EYES
from guildhouse.applications.note import Note, notes
from guildhouse.kernel import store
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Connection, fetch
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Conflict, Denied, NotFound
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.manifest import Grant
from guildhouse.kernel.request import Call
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.select import fetch_one
from guildhouse.kernel.server import Server
from guildhouse.kernel.shapes import Shape
from guildhouse.kernel.signed_link import SignedLink, Token, link_answer
from guildhouse.kernel.writing import held, perform

SECONDS = 14 * 86_400
PURPOSE = "candidate"
THEIRS = (
    select(Application)
    .where(Application.candidate_id == bindparam("candidate_id"), Application.deleted_at.is_(None))
    .order_by(Application.id)
    .with_for_update(key_share=True)
)
JOBS_OF = select(Application.job_id).where(
    Application.applicant_id == bindparam("person_id"), Application.deleted_at.is_(None)
)
CLAIMED = select(Application).where(Application.id == bindparam("id")).with_for_update(key_share=True)
NOTED = (
    select(Note)
    .where(Note.application_id == bindparam("application_id"), Note.audience == "team")
    .order_by(Note.id)
    .with_for_update(key_share=True)
)
CANDIDATES = select(Candidate.id).where(Candidate.person_id == bindparam("person_id"))


class AlreadyClaimed(Conflict):
    """This candidate is somebody with an account already. If it is somebody else, release the candidate first."""


class NotClaimed(Conflict):
    """This candidate is nobody with an account: there is nothing to release."""


class ClaimOver(NotFound):
    """This link is not good (any more), or was used. Ask the hiring team for a new one."""


class ClaimLink(SignedLink):
    """A link for the candidate alone: whoever has it can say that it is them. `token` is what stands behind its `#`."""


class ClaimToken(Shape):
    """The token out of the link."""

    token: str = Field(max_length=200)


class Joined(Shape):
    """What has gone over, as ids of applications, and what has stayed where it was.

    To the person goes what the team did for the candidate, but for jobs to which the person has applied themselves. Back
    to the team goes the same, but for what the person has written notes on.
    """

    candidate_id: str
    person_id: str | None
    applications: list[str]
    kept: list[str]


async def make_link(call: Call) -> Answer:
    """Make a link by which a candidate who has registered takes over their applications; send it to nobody else."""
    async with call.server.database.reading() as connection:
        record = await fetch_one(connection, candidates, call.actor, call.row_id, "*")
    if record is None:
        raise NotFound
    row = Candidate.of(record)
    if not hires_here(call.actor, row):
        raise Denied
    if row.person_id is not None:
        raise AlreadyClaimed
    return link_answer(call.server, PURPOSE, row.id, as_they_are(row), SECONDS)


def as_they_are(row: Candidate) -> str:
    """What is signed of a candidate: a link is good until anything of them changes."""
    return f"{row.id} {row.version}"


async def claim(call: Call) -> Answer:
    """Say that you are the candidate whom a hiring team knows: their applications are yours from then on."""
    token = (await call.shaped(ClaimToken)).token

    async def act(ctx: Context) -> Answer:
        row = await candidate_of(call.server, ctx, token)
        own = {each["job_id"] for each in await ctx.all(JOBS_OF, person_id=ctx.actor.id)}
        found = [Application.of(each) for each in await ctx.all(THEIRS, candidate_id=row.id)]
        moving = [each for each in found if each.job_id not in own]
        for each in moving:
            await hand_over(ctx, each, {"applicant_id": ctx.actor.id, "candidate_id": None}, "claimed")
        now = {"person_id": ctx.actor.id, "claimed": [each.id for each in moving]}
        row = await store.change(ctx, candidates, row, now, verb="claimed")
        return told(row, moving, [each for each in found if each.job_id in own])

    return await perform(call, act)


async def candidate_of(server: Server, ctx: Context, token: str) -> Candidate:
    """The candidate of a token that this server made and that is not over, locked. Raises `ClaimOver`."""
    found = Token.parse(token)
    row = await ctx.find(candidates, found.row_id, lock=True) if found else None
    if found is None or row is None or row.person_id is not None:
        raise ClaimOver
    if not found.is_signed(server, PURPOSE, as_they_are(row)):
        raise ClaimOver
    return row


async def release(call: Call) -> Answer:
    """Undo a claim, as when the link went to somebody else: what went over is the candidate's again."""

    async def act(ctx: Context) -> Answer:
        row: Candidate = await held(call, ctx, candidates)
        if not hires_here(ctx.actor, row):
            raise Denied
        if row.person_id is None:
            raise NotClaimed
        records = [each for row_id in row.claimed or () for each in await ctx.all(CLAIMED, id=row_id)]
        found = [each for each in map(Application.of, records) if each.applicant_id == row.person_id]
        moving = [each for each in found if each.deleted_at is None and not has_notes(each)]
        for each in moving:
            await hand_over(ctx, each, {"applicant_id": None, "candidate_id": row.id}, "released")
        row = await store.change(ctx, candidates, row, {"person_id": None, "claimed": None}, verb="released")
        return told(row, moving, [each for each in found if each not in moving])

    return await perform(call, act)


async def hand_over(ctx: Context, row: Application, whose: Mapping[str, str | None], verb: str) -> None:
    """An application goes over to somebody else, and with it what the team has noted: that is not for whom it is about."""
    await store.change(ctx, applications, row, whose, verb=verb)
    for record in await ctx.all(NOTED, application_id=row.id):
        await store.change(ctx, notes, Note.of(record), whose, verb=verb)


async def candidates_of(connection: Connection, person_id: str) -> set[str]:
    """The scope of each candidate that a person turned out to be: what is about these is kept from them by it."""
    records = await fetch(connection, CANDIDATES, person_id=person_id)
    return {scope("candidate", each["id"]) for each in records}


grant = Grant(resources=(candidates,), scopes_of=candidates_of)


def has_notes(row: Application) -> bool:
    """Whether the applicant has written what is for their own eyes."""
    return any(getattr(row, name) is not None for name in APPLICANTS_EYES)


def told(row: Candidate, moved: Sequence[Application], kept: Sequence[Application]) -> Answer:
    """What came of it."""
    body = Joined(candidate_id=row.id, person_id=row.person_id, applications=[each.id for each in moved],
                  kept=[each.id for each in kept])  # fmt: skip
    return Answer(200, dumps(body.model_dump()))


doors = (
    Door("POST", "/v1/candidates/{id}/claim-link", "candidates.write", "A link by which a candidate takes over their own",
         make_link, candidates, gives=ClaimLink),
    Door("POST", "/v1/candidates:claim", "candidates.write", "Take over what a team did for you as a candidate", claim,
         candidates, takes=ClaimToken, gives=Joined),
    Door("POST", "/v1/candidates/{id}/release", "candidates.write", "Undo a claim", release, candidates, gives=Joined),
)  # fmt: skip
