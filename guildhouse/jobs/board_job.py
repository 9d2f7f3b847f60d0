"""One job of a board, in the JSON shape of Greenhouse's; 410 once it is not open any more."""

from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy import BigInteger, bindparam, literal_column, select

from guildhouse.jobs.board import told_job
from guildhouse.jobs.job import Job, jobs
from guildhouse.jobs.job_posting import NotPosted, is_over
from guildhouse.jobs.open_jobs import EXACT, FOR_ALL, Board, owner_of
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.db import Connection, fetch
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import BadRequest, NotFound
from guildhouse.kernel.etag import matches
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.may import anyone
from guildhouse.kernel.request import Call
from guildhouse.kernel.shapes import Shape
from guildhouse.organizations.organization import Organization

# `open_jobs.number_of`, as the database reckons it.
own_number = literal_column(
    f"(('x' || right(replace(jobs.id::text, '-', ''), 16))::bit(64)::bigint & {EXACT})", BigInteger
)
ONE = select(Job).where(Job.organization_id == bindparam("organization_id"), own_number == bindparam("number"))
ASKED = ("pay_transparency", "questions")


class WrongAddition(BadRequest):
    """`{name}` takes `true` or `false`."""


class BoardJob(Shape):
    """A job with its text, unit and place; with `?pay_transparency=true` what is paid, with `?questions=true` no questions.

    Who applies here is asked nothing beforehand.
    """

    id: int
    internal_job_id: int
    title: str
    company_name: str
    absolute_url: str
    requisition_id: str
    location: dict[str, str]
    content: str
    departments: list[dict[str, Any]]
    offices: list[dict[str, Any]]
    data_compliance: list[dict[str, Any]]
    metadata: list[dict[str, Any]] | None
    updated_at: datetime
    first_published: datetime | None
    pay_input_ranges: list[dict[str, Any]] = Field(default=[])
    questions: list[dict[str, Any]] = Field(default=[])
    location_questions: list[dict[str, Any]] = Field(default=[])


async def read_board_job(call: Call) -> Answer:
    """An open job of the organization in the address. Raises `NotPosted` for one that was open before."""
    wanted = {name: asked(call, name) for name in ASKED}
    call.refuse_others(ASKED)
    async with call.server.database.reading() as connection:
        organization, headers = await owner_of(call, connection)
        job = await job_of(call, connection, organization)
    if matches(call.header("if-none-match"), headers["ETag"]):
        return Answer(304, headers=headers)
    told = told_job(Board(call.server.config.address, headers, organization, [job]), job, whole=True)
    if wanted["pay_transparency"]:
        told["pay_input_ranges"] = ranges(job)
    if wanted["questions"]:
        told["questions"] = told["location_questions"] = []
    return Answer(200, dumps(told), headers=headers)


def asked(call: Call, name: str) -> bool:
    """Whether an addition is asked for. Raises `WrongAddition`."""
    said = call.param(name) or "false"
    if said not in ("true", "false"):
        raise WrongAddition(name=name)
    return said == "true"


async def job_of(call: Call, connection: Connection, organization: Organization) -> Job:
    """The open job of this number. Raises `NotFound`, or `NotPosted`."""
    number = int(call.number) if call.number.isascii() and call.number.isdecimal() and len(call.number) < 17 else None
    found = await fetch(connection, ONE, organization_id=organization.id, number=number) if number is not None else []
    if not found or found[0]["status"] == "draft":
        raise NotFound(headers=FOR_ALL)
    job = Job.of(found[0])
    if job.deleted_at is not None or job.status != "open" or is_over(job):
        status = "closed" if job.status == "open" else job.status
        raise NotPosted(status=status, headers=FOR_ALL)
    return job


def ranges(job: Job) -> list[dict[str, Any]]:
    """What is paid, in hundredths of the currency."""
    if job.salary_min is None and job.salary_max is None:
        return []
    low, high = (None if each is None else round(each * 100) for each in (job.salary_min, job.salary_max))
    title = f"per {job.salary_period}"
    return [{"min_cents": low, "max_cents": high, "currency_type": job.salary_currency, "title": title, "blurb": None}]


doors = (
    Door("GET", "/v1/boards/{slug}/jobs/{number}", "jobs.read", "One open job as a Greenhouse board has it", read_board_job,
         jobs, kind="read", cost=2, open_to=anyone, gives=BoardJob,
         asked={"pay_transparency": "`true` tells what is paid.", "questions": "`true` tells that nothing is asked."}),
)  # fmt: skip
