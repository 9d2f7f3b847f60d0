"""Stages: the steps of hiring as an organization names them. Each has an outcome, one of the steps that all share."""

from typing import Literal

from pydantic import Field
from sqlalchemy import CheckConstraint, ForeignKey, Index, Uuid
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel.resource import Find, Keep, May, Resource, Shapes
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import PUBLIC
from guildhouse.kernel.shapes import Id, Line, ReadShape, Shape
from guildhouse.organizations.teams import in_organization, members

Outcome = Literal["submitted", "screening", "interviewing", "offered", "hired", "rejected"]


class Stage(Row):
    """A step in an organization's hiring, such as "Call with the team". Applicants read its name."""

    __tablename__ = "stages"

    organization_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("organizations.id", ondelete="CASCADE")
    )
    name: Mapped[str]
    outcome: Mapped[str]
    position: Mapped[int] = mapped_column(default=0)

    __table_args__ = (
        CheckConstraint(
            "outcome IN ('submitted', 'screening', 'interviewing', 'offered', 'hired', 'rejected')", name="outcome"
        ),
        Index(
            "uq_stages_organization_id_name",
            "organization_id",
            "name",
            unique=True,
            postgresql_where="deleted_at IS NULL",
        ),
        Index("ix_stages_outcome", "outcome"),
        Index("ix_stages_position_id", "position", "id"),
        Index("ix_stages_created_at_id", "created_at", "id"),
        Index("ix_stages_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A stage. `position` orders the stages of an organization."""

    organization_id: str
    name: str
    outcome: str
    position: int


class Create(Shape):
    """A new stage. An application that is moved to it gets `outcome` as its `stage`."""

    organization_id: Id
    name: Line = Field(examples=["Call with the team"])
    outcome: Outcome
    position: int = Field(default=0, ge=0, le=10_000)


class Update(Shape):
    """Rename a stage, or move it. What it leads to stays: applications are in it already."""

    name: Line = ""
    position: int = Field(default=0, ge=0, le=10_000)


recruits = in_organization("recruiters")

stages = Resource(
    table=Stage,
    shapes=Shapes(read=Read, create=Create, update=Update),
    scopes=lambda row: [PUBLIC, members(row.organization_id)],
    may=May(create=recruits, change=recruits, remove=recruits, history=in_organization("members")),
    find=Find(filter=("organization_id", "outcome"), sort=("position", "created_at"), default="position"),
    keep=Keep(shelve=True),
)
