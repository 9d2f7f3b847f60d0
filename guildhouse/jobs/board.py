"""The board: an organization's open jobs in the JSON shape of Greenhouse's job boards, which many programs read."""

from collections.abc import Sequence
from hashlib import blake2b
from html import escape
from typing import Any

from guildhouse.jobs.job import Job, jobs
from guildhouse.jobs.open_jobs import EXACT, Board, as_html, headers_of, number_of, place_of, read_board
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.may import anyone
from guildhouse.kernel.request import Call
from guildhouse.kernel.shapes import Shape

NO_UNIT = "No Department"


class WrongContent(BadRequest):
    """`content` takes `true` or `false`."""


class BoardBody(Shape):
    """An organization as a board."""

    name: str
    content: str


class BoardJobs(Shape):
    """Open jobs; each has `content` (HTML, escaped), `departments` and `offices` with `?content=true`."""

    jobs: list[dict[str, Any]]
    meta: dict[str, int]


class BoardDepartments(Shape):
    """The units that have open jobs, with the jobs of each."""

    departments: list[dict[str, Any]]


class BoardOffices(Shape):
    """The places that have open jobs, with the units and jobs of each."""

    offices: list[dict[str, Any]]


async def read_name(call: Call) -> Answer:
    """Whose board it is, and what they say of themselves."""
    board = await read_board(call)
    if isinstance(board, Answer):
        return board
    about = as_html(board.organization.description)
    return answered(call, board, {"name": board.organization.name, "content": escape(about)})


async def read_jobs(call: Call) -> Answer:
    """The open jobs."""
    wanted = call.param("content") or "false"
    if wanted not in ("true", "false"):
        raise WrongContent
    board = await read_board(call, frozenset({"content"}))
    if isinstance(board, Answer):
        return board
    told = [told_job(board, job, whole=wanted == "true") for job in board.jobs]
    return answered(call, board, {"jobs": told, "meta": {"total": len(told)}})


async def read_departments(call: Call) -> Answer:
    """The open jobs by unit."""
    board = await read_board(call)
    if isinstance(board, Answer):
        return board
    return answered(call, board, {"departments": departments(board, board.jobs)})


async def read_offices(call: Call) -> Answer:
    """The open jobs by place, and there by unit."""
    board = await read_board(call)
    if isinstance(board, Answer):
        return board
    places = dict.fromkeys(place_of(job) for job in board.jobs)
    found = []
    for place in places:
        there = [job for job in board.jobs if place_of(job) == place]
        found.append({**office(board, there[0]), "departments": departments(board, there)})
    return answered(call, board, {"offices": found})


def answered(call: Call, board: Board, body: Any) -> Answer:
    """The board's JSON."""
    return Answer(200, dumps(body), headers=headers_of(call, board.organization))


def departments(board: Board, of: Sequence[Job]) -> list[dict[str, Any]]:
    """The units of some jobs, each with its jobs."""
    units = dict.fromkeys(job.unit for job in of)
    return [
        {**department(board, unit), "jobs": [told_job(board, job, whole=False) for job in of if job.unit == unit]}
        for unit in units
    ]


def told_job(board: Board, job: Job, *, whole: bool) -> dict[str, Any]:
    """One job; `whole` with its text, unit and place."""
    number = number_of(job.id)
    told = {
        "absolute_url": board.url_of(job),
        "data_compliance": [],
        "internal_job_id": number,
        "location": {"name": place_of(job)},
        "metadata": None,
        "id": number,
        "updated_at": job.updated_at,
        "requisition_id": job.external_id or job.id,
        "title": job.title,
        "company_name": board.organization.name,
        "first_published": job.posted_at,
    }
    if not whole:
        return told
    content = {"content": escape(as_html(job.description))}
    return {**told, **content, "departments": [department(board, job.unit)], "offices": [office(board, job)]}


def department(board: Board, unit: str | None) -> dict[str, Any]:
    """A unit of the organization."""
    return {"id": number_for(board, "unit", unit or ""), "name": unit or NO_UNIT, "child_ids": [], "parent_id": None}


def office(board: Board, job: Job) -> dict[str, Any]:
    """A place of the organization."""
    place = place_of(job)
    number = number_for(board, "place", place)
    return {"id": number, "name": place, "location": place or None, "child_ids": [], "parent_id": None}


def number_for(board: Board, kind: str, name: str) -> int:
    """The number of what has only a name: always the same for the same name."""
    digest = blake2b(f"{board.organization.id} {kind} {name}".encode(), digest_size=8).digest()
    return int.from_bytes(digest) & EXACT


def board_door(tail: str, summary: str, handle: Any, gives: type[Shape]) -> Door:
    """One door of a board; everybody may enter."""
    return Door("GET", f"/v1/boards/{{slug}}{tail}", "jobs.read", summary, handle, jobs, kind="read", cost=10,
                open_to=anyone, gives=gives)  # fmt: skip


doors = (
    board_door("", "An organization as a board", read_name, BoardBody),
    board_door("/jobs", "An organization's open jobs as a Greenhouse board has them", read_jobs, BoardJobs),
    board_door("/departments", "The same by unit", read_departments, BoardDepartments),
    board_door("/offices", "The same by place", read_offices, BoardOffices),
)
