"""Origin: how an application comes to be, and what it takes from its job and from whom it is of.

A person begins one for themselves, as a draft or handed in. The hiring team begins one for a candidate, and anybody one
for a job that they merely track: these may have come a long way elsewhere, and start at the stage that they are in.
"""

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from guildhouse.accounts.person import people
from guildhouse.applications.candidate import candidates
from guildhouse.applications.eyes import APPLICANTS_EYES
from guildhouse.jobs.job import Job, jobs
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import NotFound, invalid
from guildhouse.kernel.store import FieldNotYours

if TYPE_CHECKING:
    from guildhouse.applications.application import Application

# What says where an application stands that has come a way elsewhere.
CAME_ALONG = ("submitted_at", "decided_at", "rejection_reason", "team_note")


async def begun(ctx: Context, after: "Application") -> Mapping[str, Any]:
    """What a new application takes from its job, and from its applicant or candidate."""
    job = await ctx.once(jobs, after.job_id)
    if job is None or not ctx.actor.sees(job.scopes):
        raise NotFound
    of_job = {
        "organization_id": job.organization_id,
        "job_title": job.title,
        "organization_name": job.organization_name,
    }
    if after.candidate_id is not None:
        return {**of_job, **await for_candidate(ctx, job, after)}
    return {**of_job, **await for_oneself(ctx, job, after)}


async def for_candidate(ctx: Context, job: Job, after: "Application") -> Mapping[str, Any]:
    """The contact of a candidate of the organization that hires; such an application was never a draft."""
    candidate = await ctx.once(candidates, after.candidate_id)
    if candidate is None or candidate.organization_id != job.organization_id or not ctx.actor.sees(candidate.scopes):
        raise invalid("/candidate_id", "not-found", "the organization that hires for this job has no such candidate")
    not_theirs(after, APPLICANTS_EYES)
    if after.stage == "draft":
        raise invalid("/stage", "no-draft", "an application of a candidate is submitted, or further")
    return {
        "applicant_id": None,
        "stage": after.stage or "submitted",
        "contact_name": after.contact_name or candidate.name,
        "contact_email": after.contact_email or candidate.email,
        "contact_phone": after.contact_phone or candidate.phone,
    }


async def for_oneself(ctx: Context, job: Job, after: "Application") -> Mapping[str, Any]:
    """The person's own; an employer is told how to reach them, and begins with it where everybody begins."""
    own = {"applicant_id": ctx.actor.id, "stage": after.stage or "draft"}
    if job.organization_id is None:
        return own
    not_theirs(after, CAME_ALONG)
    if own["stage"] not in ("draft", "submitted"):
        raise invalid("/stage", "starts-elsewhere", "begin with draft or submitted; the hiring team moves it onward")
    person = await ctx.once(people, ctx.actor.id)
    if person is None:
        raise NotFound
    contact = {
        "contact_name": after.contact_name or person.name,
        "contact_email": after.contact_email or person.email,
    }
    return {**own, **contact}


def not_theirs(after: "Application", fields: Iterable[str]) -> None:
    """Raise where a new application says what is not for its maker to say."""
    if foreign := [name for name in fields if getattr(after, name) is not None]:
        raise FieldNotYours(fields=", ".join(foreign))
