"""The feeds: an organization's open jobs as the XML that Indeed and LinkedIn fetch. A job that closes is not in the next."""

import re
from collections.abc import Callable, Iterable, Iterator
from email.utils import format_datetime

from guildhouse.jobs.job import Job
from guildhouse.jobs.job_posting import EMPLOYMENT
from guildhouse.jobs.open_jobs import Board, as_html, board_door, last_moment, money, place_of
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.door import Door
from guildhouse.kernel.request import Call

MEDIA_TYPE = "application/xml; charset=utf-8"
NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f\ud800-\udfff\ufdd0-\ufdef\ufffe\uffff]")
INDEED_TYPES = {
    "full_time": "fulltime",
    "part_time": "parttime",
    "contract": "contract",
    "temporary": "temporary",
    "seasonal": "temporary",
    "internship": "internship",
    "apprenticeship": "apprenticeship",
    "volunteer": "volunteer",
}
INDEED_REMOTE = {"remote": "Fully remote", "hybrid": "Hybrid remote"}
LINKEDIN_TYPES = {**EMPLOYMENT, "internship": "INTERNSHIP", "contract": "CONTRACT"}
LINKEDIN_PLACES = {"remote": "Remote", "hybrid": "Hybrid", "on_site": "On-site"}
LINKEDIN_PERIODS = {"hour": "HOURLY", "day": "DAILY", "week": "WEEKLY", "month": "MONTHLY", "year": "YEARLY"}


def element(name: str, text: str | None) -> str:
    """An element whose text is taken as it is; nothing for no text. What XML cannot hold is left out."""
    if not text:
        return ""
    safe = NOT_XML.sub("", text).replace("]]>", "]]]]><![CDATA[>")
    return f"<{name}><![CDATA[{safe}]]></{name}>"


def parent(name: str, children: Iterable[str]) -> str:
    """An element with others in it; nothing where they are nothing."""
    inside = "".join(children)
    return f"<{name}>{inside}</{name}>" if inside else ""


def indeed_job(board: Board, job: Job) -> Iterator[str]:
    """A job as Indeed reads it."""
    yield element("title", job.title)
    yield element("date", job.posted_at.isoformat())
    yield element("referencenumber", job.id)
    yield element("requisitionid", job.external_id or job.id)
    yield element("url", board.url_of(job))
    yield element("company", board.organization.name)
    yield element("sourcename", board.organization.name)
    yield element("city", job.city or board.organization.city)
    yield element("state", job.region or board.organization.region)
    yield element("country", job.country or board.organization.country)
    yield element("description", without_entities(as_html(job.description) or as_html(job.title)))
    yield element("salary", salary_in_words(job))
    yield element("jobtype", INDEED_TYPES.get(job.employment_type or ""))
    yield element("category", job.unit)
    yield element("expirationdate", last_moment(job.closes_on) if job.closes_on else None)
    yield element("remotetype", INDEED_REMOTE.get(job.workplace or ""))


def without_entities(markup: str) -> str:
    """HTML with the signs themselves: Indeed wants no entities anywhere in a feed."""
    return markup.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def salary_in_words(job: Job) -> str | None:
    """What is paid: `TWD 60000 - 80000 per month`."""
    ends = dict.fromkeys(money(each) for each in (job.salary_min, job.salary_max) if each is not None)
    return f"{job.salary_currency} {' - '.join(ends)} per {job.salary_period}" if ends else None


def linkedin_job(board: Board, job: Job) -> Iterator[str]:
    """A job as LinkedIn reads it. Its id has the 32 digits alone: more than 40 characters are refused there."""
    yield element("partnerJobId", job.id.replace("-", ""))
    yield element("company", board.organization.name)
    yield element("companyId", board.organization.linkedin_id)
    yield element("title", job.title)
    yield element("description", as_html(job.description) or as_html(job.title))
    yield element("applyUrl", board.url_of(job))
    yield element("location", place_of(job) or ", ".join(each for each in home_of(board) if each))
    yield element("city", job.city)
    yield element("state", job.region)
    yield element("country", job.country or board.organization.country)
    yield element("workplaceTypes", LINKEDIN_PLACES.get(job.workplace or ""))
    yield element("jobtype", LINKEDIN_TYPES.get(job.employment_type or ""))
    yield parent("skills", (element("skill", each) for each in job.skills))
    yield parent("salaries", [parent("salary", linkedin_salary(job))])
    yield element("listDate", job.posted_at.isoformat())
    yield element("expirationDate", last_moment(job.closes_on) if job.closes_on else None)


def home_of(board: Board) -> tuple[str | None, str | None, str | None]:
    """Where the organization is."""
    return board.organization.city, board.organization.region, board.organization.country


def linkedin_salary(job: Job) -> Iterator[str]:
    """What is paid."""
    if job.salary_min is None and job.salary_max is None:
        return
    for name, amount in (("highEnd", job.salary_max), ("lowEnd", job.salary_min)):
        if amount is not None:
            yield parent(name, [element("amount", money(amount)), element("currencyCode", job.salary_currency)])
    yield element("period", LINKEDIN_PERIODS.get(job.salary_period or ""))
    yield element("type", "BASE_SALARY")


def indeed_feed(board: Board, publisher: str) -> str:
    """The whole feed for Indeed."""
    about = [element("publisher", publisher), element("publisherurl", board.address), built_at(board)]
    return parent("source", [*about, *(parent("job", indeed_job(board, job)) for job in board.jobs)])


def linkedin_feed(board: Board, publisher: str) -> str:
    """The whole feed for LinkedIn."""
    about = [
        built_at(board), element("publisherUrl", board.address), element("publisher", publisher),
        element("expectedJobCount", str(len(board.jobs))),
    ]  # fmt: skip
    return parent("source", [*about, *(parent("job", linkedin_job(board, job)) for job in board.jobs)])


def built_at(board: Board) -> str:
    """When anything of it changed last: the same feed is the same bytes, whenever it is fetched."""
    return element("lastBuildDate", format_datetime(board.changed_at, usegmt=True))


def feed_door(tail: str, summary: str, feed: Callable[[Board, str], str]) -> Door:
    """The door of a feed."""

    def tell(call: Call, board: Board) -> Answer:
        body = '<?xml version="1.0" encoding="utf-8"?>\n' + feed(board, call.server.config.name) + "\n"
        return Answer(200, body.encode(), MEDIA_TYPE, board.headers)

    return board_door(f"/{tail}", summary, tell, media=(MEDIA_TYPE,))


doors = (
    feed_door("indeed.xml", "An organization's open jobs for Indeed", indeed_feed),
    feed_door("linkedin.xml", "An organization's open jobs for LinkedIn", linkedin_feed),
)
