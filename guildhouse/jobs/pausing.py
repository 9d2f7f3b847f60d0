"""Pausing: the open jobs of an organization that is suspended or removed are paused, because of that change."""

from sqlalchemy import bindparam, select

from guildhouse.jobs.job import Job, jobs
from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.tasks import Task, Work
from guildhouse.organizations.organization import organizations

AT_A_TIME = 200
REASON = "The organization was suspended or removed."
OPEN_JOBS = (
    select(Job)
    .where(Job.organization_id == bindparam("organization_id"), Job.status == "open", Job.deleted_at.is_(None))
    .order_by(Job.id)
    .limit(AT_A_TIME)
    .with_for_update(key_share=True)
)


async def pause_jobs(work: Work) -> None:
    """Pause all open jobs of the organization that the change was about."""
    while await pause_some(work) == AT_A_TIME:
        pass


async def pause_some(work: Work) -> int:
    """Pause some of them; says how many. None, if the organization is in good standing again meanwhile."""
    async with work.writing(Note(reason=REASON)) as ctx:
        if await stands(ctx, work.row_id):
            return 0
        records = await ctx.all(OPEN_JOBS, organization_id=work.row_id)
        for record in records:
            await store.change(ctx, jobs, Job.of(record), {"status": "paused"}, verb="paused")
    return len(records)


async def stands(ctx: Context, organization_id: str) -> bool:
    """Whether an organization may have open jobs."""
    organization = await ctx.find(organizations, organization_id)
    return organization is not None and organization.status == "approved"


tasks = (Task("pause-jobs", pause_jobs, on=("organization.suspended", "organization.removed")),)
