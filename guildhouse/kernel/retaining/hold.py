"""Holds: what must not be deleted for good, such as for a lawsuit. A row, or everything of a person or an organization.

Owns the row of a hold. `guard.py` has the database refuse; what is held can still be changed and removed, since the log
and the trash keep what was.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field
from sqlalchemy import CheckConstraint, Index, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import invalid
from guildhouse.kernel.may import holds as permits
from guildhouse.kernel.may import nobody, signed_in, value_in
from guildhouse.kernel.resource import Find, Keep, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import ADMINS
from guildhouse.kernel.shapes import Id, Moment, ReadShape, Shape
from guildhouse.kernel.stages import Stages

Reason = Annotated[str, Field(min_length=1, max_length=2000)]


class Hold(Row):
    """A hold: what it keeps from being deleted for good, why, and until when."""

    __tablename__ = "holds"

    resource: Mapped[str]
    row_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    everything: Mapped[bool] = mapped_column(default=False)
    reason: Mapped[str]
    until: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(default="placed")
    placed_by: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    released_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("status IN ('placed', 'released')", name="status"),
        Index("ix_holds_scopes", "scopes", postgresql_using="gin"),
        Index("ix_holds_created_at_id", "created_at", "id"),
        Index("ix_holds_resource", "resource"),
        Index("ix_holds_row_id", "row_id"),
        Index("ix_holds_status", "status"),
    )


class Read(ReadShape):
    """A hold as admins read it. After `until` it holds nothing any more, whatever its status."""

    resource: str
    row_id: str
    everything: bool
    reason: str
    until: datetime | None
    status: str
    placed_by: str
    released_at: datetime | None


class Create(Shape):
    """Hold a row. With `everything`, also all that is seen by right of it: all of a person, all of an organization."""

    resource: Annotated[str, Field(max_length=100, examples=["operations"])]
    row_id: Id
    everything: bool = False
    reason: Reason = Field(examples=["Smith v. Acme, 2026-114"])
    until: Moment | None = None


class Update(Shape):
    """Say another reason, or another end."""

    reason: Reason = ""
    until: Moment | None = None


async def derive(ctx: Context, before: Hold | None, after: Hold) -> Mapping[str, Any]:
    """Who places it, and the noun by its one name."""
    if before is not None:
        return {}
    return {"placed_by": ctx.actor.id, "resource": after.resource.replace("-", "_")}


async def row_is_there(ctx: Context, before: Hold | None, after: Hold) -> None:
    """What is held exists, in the trash or not; nobody deletes it while this is being found out."""
    if before is not None:
        return
    resource = ctx.house.resources.get(after.resource)
    if resource is None:
        known = ", ".join(ctx.house.paths)
        raise invalid("/resource", "unknown-noun", "the nouns are: {known}", known=known)
    sql = f'SELECT true FROM "{resource.name}" WHERE id = $1 FOR KEY SHARE'
    if not await (await ctx.asking()).fetchval(sql, after.row_id):
        raise invalid("/row_id", "not-found", "nothing with this id exists")


def end_is_to_come(ctx: Context, before: Hold | None, after: Hold) -> None:
    """A hold that is over as it begins would be a mistake."""
    is_new = before is None or before.until != after.until
    if is_new and after.until is not None and after.until <= ctx.now:
        raise invalid("/until", "too-early", "this time is over already; to end a hold, release it")


runs_the_place = permits("holds.admin")

STAGES = Stages("status", initial=("placed",), moves={"placed": {"released": runs_the_place}})

holds = Resource(
    table=Hold,
    shapes=Shapes(read=Read, create=Create, update=Update, derive=derive),
    scopes=lambda _row: [ADMINS],
    may=May(read=signed_in, create=runs_the_place, change=runs_the_place & value_in("status", "placed"), remove=nobody),
    rules=(row_is_there, end_is_to_come),
    stages=STAGES,
    find=Find(filter=("resource", "row_id", "status"), sort=("created_at",)),
    keep=Keep(trash_days=None),
)


async def release(ctx: Context, row: Hold) -> Hold:
    """End a hold: what it held may be deleted again. That it was placed, and why, stays on record."""
    return await store.change(ctx, holds, row, {"status": "released", "released_at": ctx.now}, verb="released")


verbs = (Verb(holds, release, may=runs_the_place & value_in("status", "placed")),)
