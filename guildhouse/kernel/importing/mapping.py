"""Mappings: which column of a file fills which field. Kept by name, they are used again for files with the same header."""

from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import Index, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel.context import Context
from guildhouse.kernel.importing.suggesting import fingerprint_of
from guildhouse.kernel.may import is_person, signed_in
from guildhouse.kernel.resource import Find, May, Resource, Shapes
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.shapes import Line, ReadShape, Shape

FieldName = Annotated[str, Field(min_length=1, max_length=100)]


class ColumnPlan(Shape):
    """A column (from 0), the field that it fills, and what it answers where a cell could be read in two ways.

    `order` is that of days such as 03/04/2026, `decimal` the mark before decimals, `separator` what stands between the
    parts of a list, `values` what the file's own words mean.
    """

    column: int = Field(ge=0, lt=500)
    field: FieldName
    order: Literal["dmy", "mdy"] | None = None
    decimal: Literal[".", ","] | None = None
    separator: str | None = Field(default=None, min_length=1, max_length=3)
    values: dict[str, str] = Field(default={}, max_length=500)
    why: Literal["name", "values", "shape", "saved"] | None = None


class Plan(Shape):
    """How the rows of a file become ours: its columns, what is the same for all rows, and the zone of times without one."""

    columns: list[ColumnPlan] = Field(default=[], max_length=500)
    constants: dict[str, Any] = Field(default={}, max_length=100)
    timezone: str = Field(default="UTC", max_length=60, examples=["Asia/Taipei"])


class Mapping(Row):
    """A way to read the files of one source: which column fills which field, under a name."""

    __tablename__ = "mappings"

    person_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    name: Mapped[str]
    resource: Mapped[str]
    header: Mapped[list[str]]
    fingerprint: Mapped[str]
    plan: Mapped[dict[str, Any]] = mapped_column(JSONB)

    __table_args__ = (
        Index("ix_mappings_person_id_fingerprint", "person_id", "fingerprint"),
        Index("ix_mappings_created_at_id", "created_at", "id"),
        Index("ix_mappings_name_id", "name", "id"),
        Index("ix_mappings_resource", "resource"),
        Index("ix_mappings_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A mapping. `fingerprint` is what files with the same header have in common."""

    person_id: str
    name: str
    resource: str
    header: list[str]
    fingerprint: str
    plan: dict[str, Any]


class Create(Shape):
    """Keep a mapping for files with this header. The plan is as an import has it."""

    name: Line = Field(examples=["The weekly list of the city"])
    resource: Line = Field(description="The noun, as in addresses.")
    header: list[Annotated[str, Field(max_length=200)]] = Field(max_length=500, examples=[["Job title", "Town"]])
    plan: Plan


class Update(Shape):
    """Change a mapping."""

    name: Line = ""
    plan: Plan = Plan()


async def derive(ctx: Context, before: Mapping | None, after: Mapping) -> dict[str, Any]:
    """A mapping is its maker's, and known by its header."""
    if before is not None:
        return {}
    return {"person_id": ctx.actor.id, "fingerprint": fingerprint_of(after.header)}


is_owner = is_person("person_id")

mappings = Resource(
    table=Mapping,
    shapes=Shapes(read=Read, create=Create, update=Update, derive=derive),
    scopes=lambda row: [scope("person", row.person_id)],
    may=May(create=signed_in, change=is_owner, remove=is_owner),
    find=Find(filter=("resource", "name"), sort=("created_at", "name")),
)
