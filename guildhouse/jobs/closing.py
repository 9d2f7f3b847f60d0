"""Closing: every hour, jobs whose last day is over everywhere on earth are closed by themselves."""

from sqlalchemy import bindparam, select

from guildhouse.jobs.job import Job, jobs, today_everywhere
from guildhouse.kernel import store
from guildhouse.kernel.tasks import Schedule, Task, Work

AT_A_TIME = 200
OVERDUE = (
    select(Job)
    .where((Job.status == "open") | (Job.status == "paused"))
    .where(Job.closes_on < bindparam("today"), Job.deleted_at.is_(None))
    .order_by(Job.closes_on, Job.id)
    .limit(AT_A_TIME)
    .with_for_update(key_share=True, skip_locked=True)
)


async def close_overdue(work: Work) -> None:
    """Close all jobs that are due, some in each transaction."""
    while await close_some(work) == AT_A_TIME:
        pass


async def close_some(work: Work) -> int:
    """Close the jobs that are longest overdue; says how many."""
    async with work.writing() as ctx:
        records = await ctx.all(OVERDUE, today=today_everywhere(ctx.now))
        for record in records:
            await store.change(ctx, jobs, Job.of(record), {"status": "closed"}, verb="closed")
    return len(records)


CLOSE_OVERDUE = Task("close-overdue-jobs", close_overdue)
schedules = (Schedule(CLOSE_OVERDUE, "7 * * * *"),)
