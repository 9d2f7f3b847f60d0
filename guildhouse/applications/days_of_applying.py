"""Days of applying: from which day to which a job takes applications, whatever clock the applicant lives by."""

from datetime import datetime

from guildhouse.jobs.job import Job, first_today, today_everywhere
from guildhouse.kernel.errors import Conflict


class NotYetOpen(Conflict):
    """This job takes applications from {opens_on} on. Keep yours as a draft until then."""


class TooLateToApply(Conflict):
    """The last day to apply for this job was {closes_on}. Keep yours as a draft, or look for another job."""


def check_days(job: Job, now: datetime) -> None:
    """Raise before the job's first day has begun anywhere, and after its last is over everywhere.

    An hour may pass until such a job is closed by itself (`jobs/closing.py`); it takes nothing in that hour.
    """
    if job.opens_on and job.opens_on > first_today(now):
        raise NotYetOpen(opens_on=job.opens_on)
    if job.closes_on and job.closes_on < today_everywhere(now):
        raise TooLateToApply(closes_on=job.closes_on)
