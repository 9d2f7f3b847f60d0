"""Take-outs: everything that is one person's own, as an archive that they can read, keep, and take to another server.

Owns the row of a take-out. `packing.py` makes the archive; it is kept for a week.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import BigInteger, CheckConstraint, Index, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.accounts.person import people
from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import Conflict, Denied, NotFound, invalid
from guildhouse.kernel.exporting.handing import Handout
from guildhouse.kernel.exporting.keeping import files_of
from guildhouse.kernel.i18n import choose_language
from guildhouse.kernel.may import is_person, signed_in, value_in
from guildhouse.kernel.operation import anyone_of_the_house, stages_of_work
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Carry, Find, Keep, Log, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.shapes import Id, Line, ReadShape, Shape

MOST_KEPT = 5
ZIP = "application/zip"


class NotYourTakeout(Denied):
    """You can take out what is your own. For somebody else an admin does it (`people.admin`), and says why."""


class KeyTooNarrow(Denied):
    """A take-out holds everything that is yours, so an API key needs the permission `*.read` to ask for one."""


class TooManyTakeouts(Conflict):
    """There is a take-out being made, or there are {kept} already. Wait for it, or remove one."""


class Takeout(Row):
    """Everything that is one person's own, as an archive. `done` of its `total` rows are packed; it is kept for a week."""

    __tablename__ = "takeouts"

    person_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    # Who asked for it: the person, or an admin for them, with a reason.
    asked_by: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    reason: Mapped[str | None]
    language: Mapped[str]
    status: Mapped[str] = mapped_column(default="queued")
    total: Mapped[int | None]
    done: Mapped[int] = mapped_column(default=0)
    parts: Mapped[list[Any]] = mapped_column(JSONB)
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    sha256: Mapped[str | None]
    position: Mapped[str | None]
    problem: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("status IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="status"),
        Index("ix_takeouts_scopes", "scopes", postgresql_using="gin"),
        Index("ix_takeouts_created_at_id", "created_at", "id"),
        Index("ix_takeouts_status", "status"),
        Index("ix_takeouts_person_id", "person_id"),
        Index("ix_takeouts_expires_at", "expires_at"),
    )


class Read(ReadShape):
    """A take-out. Once it is `done`, its archive has `size` bytes and this `sha256`, and shows the log up to `position`."""

    person_id: str
    asked_by: str
    reason: str | None
    language: str
    status: str
    total: int | None
    done: int
    size: int
    sha256: str | None
    position: str | None
    problem: dict[str, Any] | None
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None


class Create(Shape):
    """Take out everything that is yours. An admin names the `person_id` of somebody who asked for it, and the `reason`."""

    person_id: Id | None = Field(default=None, examples=[None])
    reason: Line | None = Field(default=None, examples=[None])
    language: Literal["en", "zh-TW"] | None = Field(default=None, description="Of its page; yours, if not given.")


async def derive(ctx: Context, before: Takeout | None, after: Takeout) -> Mapping[str, Any]:
    """A new take-out is of the one who asks, where they name nobody else."""
    if before is not None:
        return {}
    language = after.language or choose_language(None, ctx.actor.language)
    person_id = after.person_id or ctx.actor.id
    return {"person_id": person_id, "asked_by": ctx.actor.id, "language": language, "parts": []}


async def is_ones_own_or_an_admins(ctx: Context, before: Takeout | None, after: Takeout) -> None:
    """Nobody takes out what is somebody else's, but an admin whom they asked; nor by a key that sees less."""
    if before is not None:
        return
    if not all(ctx.actor.can(f"{name}.read") for name in ctx.house.resources):
        raise KeyTooNarrow
    if after.person_id == ctx.actor.id:
        return
    if not ctx.actor.can("people.admin"):
        raise NotYourTakeout
    if await ctx.find(people, after.person_id) is None:
        raise NotFound
    if after.reason is None:
        raise invalid("/reason", "required", "say why you take out what is somebody else's; it is logged")


async def not_too_many(ctx: Context, before: Takeout | None, after: Takeout) -> None:
    """Archives take room: a person has so many, and one being made."""
    if before is not None:
        return
    kept, unfinished = await files_of(ctx, takeouts, after.person_id)
    if unfinished or kept >= MOST_KEPT:
        raise TooManyTakeouts(kept=kept)


def seen_by(row: Takeout) -> list[str]:
    """The person, and the admin who asked for them."""
    return sorted({scope("person", row.person_id), scope("person", row.asked_by)})


def called(_call: Call, row: Takeout) -> tuple[str, str]:
    """The name of the archive, and its media type."""
    return f"take-out-{row.created_at:%Y-%m-%d}.zip", ZIP


is_theirs = is_person("person_id") | is_person("asked_by")

takeouts = Resource(
    table=Takeout,
    shapes=Shapes(read=Read, create=Create, derive=derive),
    scopes=seen_by,
    may=May(create=signed_in, remove=is_theirs | anyone_of_the_house),
    rules=(is_ones_own_or_an_admins, not_too_many),
    stages=stages_of_work(is_theirs),
    find=Find(filter=("status", "person_id"), sort=("created_at",)),
    log=Log(personal=("reason",)),
    carry=Carry(stays=True),
    keep=Keep(trash_days=1),
)


async def cancel(ctx: Context, row: Takeout) -> Takeout:
    """Stop making a take-out. What was packed of it is removed."""
    return await store.change(ctx, takeouts, row, {"status": "cancelled", "finished_at": ctx.now}, verb="cancelled")


verbs = (Verb(takeouts, cancel, may=is_theirs & value_in("status", "queued", "running")),)
doors = Handout(takeouts, called, (ZIP,)).doors
