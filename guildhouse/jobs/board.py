"""The board: an organization's open jobs in the JSON shape of Greenhouse's job boards, which many programs read."""

from collections.abc import Sequence
from hashlib import blake2b
from html import escape
from typing import Any

from guildhouse.jobs.job import Job
from guildhouse.jobs.open_jobs import EXACT, Board, as_html, board_door, number_of, place_of
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.formats import dumps
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


def check_content(call: Call) -> None:
    """Raise `WrongContent` for what is neither yes nor no."""
    if (call.param("content") or "false") not in ("true", "false"):
        raise WrongContent


def tell_name(_call: Call, board: Board) -> Answer:
    """Whose board it is, and what they say of themselves."""
    about = as_html(board.organization.description)
    return answered(board, {"name": board.organization.name, "content": escape(about)})


def tell_jobs(call: Call, board: Board) -> Answer:
    """The open jobs."""
    told = [told_job(board, job, whole=call.param("content") == "true") for job in board.jobs]
    return answered(board, {"jobs": told, "meta": {"total": len(told)}})


def tell_departments(_call: Call, board: Board) -> Answer:
    """The open jobs by unit."""
    return answered(board, {"departments": departments(board, board.jobs)})


def tell_offices(_call: Call, board: Board) -> Answer:
    """The open jobs by place, and there by unit."""
    found = []
    for place in dict.fromkeys(place_of(job) for job in board.jobs):
        there = [job for job in board.jobs if place_of(job) == place]
        found.append({**office(board, there[0]), "departments": departments(board, there)})
    return answered(board, {"offices": found})


def answered(board: Board, body: Any) -> Answer:
    """The board's JSON."""
    return Answer(200, dumps(body), headers=board.headers)


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


doors = (
    board_door("", "An organization as a board", tell_name, gives=BoardBody),
    board_door("/jobs", "An organization's open jobs as a Greenhouse board has them", tell_jobs,
               frozenset({"content"}), check_content, gives=BoardJobs),
    board_door("/departments", "The same by unit", tell_departments, gives=BoardDepartments),
    board_door("/offices", "The same by place", tell_offices, gives=BoardOffices),
)  # fmt: skip
