"""Reckoning: jobs whose pay was compared by another table of rates are compared by the one in force, soon after a start.

Each job says by which table its pay was reckoned, so that what is left to do is always known, whatever was killed.
"""

from typing import Any

from sqlalchemy import BindParameter, Select, bindparam, or_, select

from guildhouse.jobs.job import Job, jobs
from guildhouse.jobs.pay_rates import PayRates, rates
from guildhouse.kernel import store
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.db import Note
from guildhouse.kernel.door import Door
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.may import anyone
from guildhouse.kernel.request import Call
from guildhouse.kernel.tasks import Schedule, Task, Work

AT_A_TIME = 200
REASON = "Pay is compared by another table of rates."
PAID = (
    select(Job)
    .where(or_(Job.salary_min.is_not(None), Job.salary_max.is_not(None)), Job.deleted_at.is_(None))
    .limit(AT_A_TIME)
    .with_for_update(key_share=True, skip_locked=True)
)
# By none, by a smaller name, by a larger one: each is a stretch of an index, "by another" is not.
NAME: BindParameter[str] = bindparam("name")
STALE = tuple(PAID.where(each) for each in (Job.pay_rates.is_(None), Job.pay_rates < NAME, Job.pay_rates > NAME))


async def reckon_pay(work: Work) -> None:
    """Reckon all that is left, some jobs in each transaction."""
    for stale in STALE:
        while await reckon_some(work, stale) == AT_A_TIME:
            pass


async def reckon_some(work: Work, stale: Select[Any]) -> int:
    """Reckon the pay of some jobs; says how many."""
    name = rates().name
    async with work.writing(Note(reason=REASON)) as ctx:
        records = await ctx.all(stale, name=name)
        for record in records:
            await store.change(ctx, jobs, Job.of(record), {"pay_rates": name}, verb="reckoned")
    return len(records)


async def read_rates(_call: Call) -> Answer:
    """The table in force."""
    return Answer(200, dumps(rates().model_dump()), headers={"Cache-Control": "public, max-age=300"})


RECKON_PAY = Task("reckon-pay", reckon_pay)
schedules = (Schedule(RECKON_PAY, "*/5 * * * *"),)
doors = (
    Door("GET", "/v1/pay-rates", "jobs.read", "The rates that pay is compared by", read_rates, jobs, kind="read",
         open_to=anyone, gives=PayRates),
)  # fmt: skip
