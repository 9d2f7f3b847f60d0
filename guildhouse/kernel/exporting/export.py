"""Exports: whole lists that are made in the background as files, to be fetched for a week. A resource like any other.

Owns the row of an export. `making.py` makes the file, `export_file.py` hands it out.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import BigInteger, CheckConstraint, Index, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import BadRequest, Conflict, Denied
from guildhouse.kernel.exporting.encoding import prepared
from guildhouse.kernel.exporting.keeping import files_of
from guildhouse.kernel.exporting.wanted import refuse_unseen
from guildhouse.kernel.i18n import choose_language
from guildhouse.kernel.may import is_person, signed_in, value_in
from guildhouse.kernel.operation import anyone_of_the_house, stages_of_work
from guildhouse.kernel.resource import Carry, Find, Keep, Log, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.shapes import ReadShape, Shape

MOST_UNFINISHED, MOST_KEPT = 5, 50
Name = Annotated[str, Field(max_length=100)]
Value = Annotated[str, Field(max_length=2000)]


class UnknownNoun(BadRequest):
    """There is no list `{resource}` to export. There are: {known}."""


class TooManyExports(Conflict):
    """You have {unfinished} exports that are not finished, and {kept} in all. Wait for them, or remove some."""


class Export(Row):
    """A whole list as a file, made in the background. `done` of its `total` rows are written; it is kept for a week."""

    __tablename__ = "exports"

    person_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    resource: Mapped[str]
    format: Mapped[str]
    query: Mapped[dict[str, Any]]
    language: Mapped[str]
    status: Mapped[str] = mapped_column(default="queued")
    total: Mapped[int | None]
    done: Mapped[int] = mapped_column(default=0)
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    # The position of the log that the oldest part of the file shows.
    position: Mapped[str | None]
    # The bytes of each part that is written, and the values of the row that the last one ends with.
    parts: Mapped[list[Any]] = mapped_column(JSONB)
    ended_with: Mapped[list[Any] | None] = mapped_column(JSONB)
    # The permissions of the API key that asked for it: the file is not to hold more than the request could.
    narrowed: Mapped[list[str] | None]
    problem: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    expires_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("status IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="status"),
        Index("ix_exports_scopes", "scopes", postgresql_using="gin"),
        Index("ix_exports_created_at_id", "created_at", "id"),
        Index("ix_exports_status", "status"),
        Index("ix_exports_expires_at", "expires_at"),
    )


class Read(ReadShape):
    """An export as its owner reads it. Once it is `done`, its file has `size` bytes and shows the log up to `position`."""

    person_id: str
    resource: str
    format: str
    query: dict[str, Any]
    language: str
    status: str
    total: int | None
    done: int
    size: int
    position: str | None
    problem: dict[str, Any] | None
    started_at: datetime | None
    finished_at: datetime | None
    expires_at: datetime | None


class Create(Shape):
    """Ask for a whole list as a file. `query` is what the list's own query string says: filters, `fields`, `sort`..."""

    resource: Name = Field(examples=["operations"], description="The noun as addresses have it: `api-keys`.")
    format: Literal["json", "ndjson", "csv", "xlsx", "pdf", "guildhouse"] = "csv"
    query: dict[Name, Value] = Field(default={}, max_length=100, examples=[{"status": "done", "sort": "created_at"}])
    language: Literal["en", "zh-TW"] | None = Field(default=None, description="Of headings; yours, if not given.")


async def derive(ctx: Context, before: Export | None, after: Export) -> Mapping[str, Any]:
    """A new export is its asker's, can do what they can, and asks for nothing unknown."""
    if before is not None:
        return {}
    wanted = prepared(ctx.house, listed(ctx, after.resource), list(after.query.items()), after.format)
    refuse_unseen(ctx.actor, wanted)
    return {
        "person_id": ctx.actor.id,
        "resource": wanted.resource.name,
        "language": after.language or choose_language(None, ctx.actor.language),
        "narrowed": ctx.actor.key_permissions,
        "parts": [],
    }


def listed(ctx: Context, noun: str) -> Resource[Any]:
    """The resource of a noun, if the actor may export it. Raises `UnknownNoun`, `Denied`."""
    resource = ctx.house.paths.get(noun) or ctx.house.resources.get(noun)
    if resource is None:
        raise UnknownNoun(resource=noun, known=", ".join(ctx.house.paths))
    if not (resource.may.export(ctx.actor, None) and ctx.actor.can(f"{resource.name}.read")):
        raise Denied
    return resource


async def not_too_many(ctx: Context, before: Export | None, after: Export) -> None:
    """Files take room: one person has so many of them, and so many being made."""
    if before is not None:
        return
    kept, unfinished = await files_of(ctx, exports, after.person_id)
    if unfinished >= MOST_UNFINISHED or kept >= MOST_KEPT:
        raise TooManyExports(unfinished=unfinished, kept=kept)


is_owner = is_person("person_id")

exports = Resource(
    table=Export,
    shapes=Shapes(read=Read, create=Create, derive=derive),
    scopes=lambda row: [scope("person", row.person_id)],
    may=May(read=signed_in, create=signed_in, remove=is_owner | anyone_of_the_house),
    rules=(not_too_many,),
    stages=stages_of_work(is_owner),
    find=Find(filter=("status",), sort=("created_at",)),
    log=Log(hidden=("ended_with",)),
    carry=Carry(stays=True),
    keep=Keep(trash_days=1),
)


async def cancel(ctx: Context, row: Export) -> Export:
    """Stop making an export. What was written of it is removed."""
    return await store.change(ctx, exports, row, {"status": "cancelled", "finished_at": ctx.now}, verb="cancelled")


verbs = (Verb(exports, cancel, may=is_owner & value_in("status", "queued", "running")),)
