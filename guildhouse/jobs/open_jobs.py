"""Open jobs: what an organization offers just now to everybody, for boards and feeds, and how a job is told in public.

What is public is the same for every caller. It is asked again and again, so it has an ETag that costs no list.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from html import escape
from typing import Any
from uuid import UUID

from sqlalchemy import bindparam, or_, select

from guildhouse.jobs.job import Job, jobs, today_everywhere
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.db import Connection, fetch
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import NotFound
from guildhouse.kernel.etag import list_etag, matches
from guildhouse.kernel.may import anyone
from guildhouse.kernel.request import Call
from guildhouse.organizations.organization import Organization, organizations
from guildhouse.organizations.teams import members

FOR_ALL = {"Access-Control-Allow-Origin": "*"}  # pages of any site may read it
EXACT = 2**53 - 1  # whole numbers up to here are the same in every reader of JSON
ORGANIZATION = (
    select(Organization)
    .where(Organization.slug == bindparam("slug"), Organization.status == "approved")
    .where(Organization.deleted_at.is_(None))
)
OPEN = (
    select(Job)
    .where(Job.organization_id == bindparam("organization_id"), Job.status == "open", Job.deleted_at.is_(None))
    .where(or_(Job.closes_on.is_(None), Job.closes_on >= bindparam("today")))
    .order_by(Job.posted_at.desc(), Job.id.desc())
)


@dataclass(frozen=True)
class Board:
    """An organization and its open jobs, the newest first. `address` is this server's.

    `headers` were made before the jobs were read: an ETag may be older than what it is sent with, never newer.
    """

    address: str
    headers: dict[str, str]
    organization: Organization
    jobs: Sequence[Job]

    def url_of(self, job: Job) -> str:
        """Where one reads of a job, and applies."""
        return url_of(self.address, job)

    @property
    def changed_at(self) -> datetime:
        """When anything of it changed last."""
        return max([self.organization.updated_at, *(job.updated_at for job in self.jobs)])


Tell = Callable[[Call, Board], Answer]
Check = Callable[[Call], None]


def board_door(
    tail: str, summary: str, handle: Tell, known: frozenset[str] = frozenset(), check: Check | None = None, **more: Any
) -> Door:
    """A door of a board that everybody may enter; `handle` makes the answer, once `check` has passed the request."""

    async def read(call: Call) -> Answer:
        if check:
            check(call)
        board = await read_board(call, known)
        return board if isinstance(board, Answer) else handle(call, board)

    return Door("GET", f"/v1/boards/{{slug}}{tail}", "jobs.read", summary, read, jobs, kind="read", cost=10,
                open_to=anyone, **more)  # fmt: skip


async def read_board(call: Call, known: frozenset[str]) -> Board | Answer:
    """The board of the organization in the address, or a 304 where the caller has it. Raises `NotFound`."""
    call.refuse_others(sorted(known))
    async with call.server.database.reading() as connection:
        organization, headers = await owner_of(call, connection)
        if matches(call.header("if-none-match"), headers["ETag"]):
            return Answer(304, headers=headers)
        today = today_everywhere(datetime.now(UTC))
        records = await fetch(connection, OPEN, organization_id=organization.id, today=today)
    return Board(call.server.config.address, headers, organization, [Job.of(record) for record in records])


async def owner_of(call: Call, connection: Connection) -> tuple[Organization, dict[str, str]]:
    """The organization in the address, and the headers of what is told of it. Raises `NotFound`."""
    found = await fetch(connection, ORGANIZATION, slug=call.row_id)
    if not found:
        raise NotFound(headers=FOR_ALL)
    organization = Organization.of(found[0])
    return organization, headers_of(call, organization)


def headers_of(call: Call, organization: Organization) -> dict[str, str]:
    """The ETag: the position of the log up to which nothing of the organization and its jobs changed, and the day."""
    tail, scopes = call.server.tail, [members(organization.id)]
    position = max(tail.last(jobs.name, scopes), tail.last(organizations.name, scopes))
    query = call.scope["query_string"].decode("latin-1")
    today = today_everywhere(datetime.now(UTC)).isoformat()
    etag = list_etag(position, tail.epoch, call.scope["path"], query, str(organization.version), today)
    return {"ETag": etag, "Cache-Control": "public, no-cache", **FOR_ALL}


def url_of(address: str, job: Job) -> str:
    """The job's own page where it names one, else its address here."""
    return job.url or f"{address}/v1/jobs/{job.id}"


def number_of(key: str) -> int:
    """An id as a whole number, for programs that take no other: stable, and different for different ids in practice."""
    return UUID(key).int & EXACT


def as_html(text: str | None) -> str:
    """Plain text as HTML: paragraphs where there are blank lines, breaks where lines end."""
    paragraphs = [each for each in re.split(r"\n\s*\n", (text or "").replace("\r\n", "\n").strip()) if each.strip()]
    return "".join(f"<p>{escape(each.strip(), quote=False).replace(chr(10), '<br>')}</p>" for each in paragraphs)


def place_of(job: Job) -> str:
    """Where a job is, in words: `Tainan, TW`; one that is done from anywhere says so."""
    words = ", ".join(part for part in (job.city, job.region, job.country) if part)
    if job.workplace == "remote":
        return f"Remote ({words})" if words else "Remote"
    return words


def money(amount: float) -> str:
    """An amount without cents that are none."""
    return f"{amount:.2f}".removesuffix(".00")


def last_moment(day: date) -> str:
    """The end of a day in the last place on earth."""
    return f"{day.isoformat()}T23:59:59-12:00"
