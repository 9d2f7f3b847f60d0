"""A small house for the kernel's tests: gadgets and their makers. It says nothing of any domain."""

from collections.abc import Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any, Literal

from pydantic import Field
from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, Numeric, Table, UniqueConstraint, Uuid
from sqlalchemy.orm import Mapped, configure_mappers, mapped_column
from sqlalchemy.schema import CreateIndex, CreateTable

from guildhouse.config import load
from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import DIALECT, Connection
from guildhouse.kernel.ids import new_id
from guildhouse.kernel.limits import Limits
from guildhouse.kernel.log.triggers import statements
from guildhouse.kernel.manifest import House, Manifest
from guildhouse.kernel.may import anyone, holds, is_person, nobody, signed_in, value_in
from guildhouse.kernel.resource import Carry, Find, Log, May, Resource, Shapes, Verb
from guildhouse.kernel.retaining import guard
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import PUBLIC, scope
from guildhouse.kernel.server import Server
from guildhouse.kernel.shapes import Day, Id, Line, Money, ReadShape, Shape, Tag
from guildhouse.kernel.stages import Stages


def apart(*tables: type[Row]) -> None:
    """Take tables out of the metadata of the real house, whose migrations know nothing of them."""
    configure_mappers()
    for each in tables:
        assert isinstance(each.__table__, Table)
        Row.metadata.remove(each.__table__)


class Maker(Row):
    """Somebody who makes gadgets."""

    __tablename__ = "makers"

    name: Mapped[str]

    __table_args__ = (
        Index("ix_makers_name_id", "name", "id"),
        Index("ix_makers_scopes", "scopes", postgresql_using="gin"),
    )


class Gadget(Row):
    """A gadget: made by a maker, drafted first and then shown.

    It has a column of every type that can be filtered.
    """

    __tablename__ = "gadgets"

    maker_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("makers.id"))
    title: Mapped[str]
    status: Mapped[str] = mapped_column(default="draft")
    weight: Mapped[int | None]
    views: Mapped[int] = mapped_column(BigInteger, default=0)
    price: Mapped[Decimal | None] = mapped_column(Numeric(12, 2))
    sold: Mapped[bool] = mapped_column(default=False)
    made_on: Mapped[date | None] = mapped_column(Date)
    shown_at: Mapped[datetime | None]
    tags: Mapped[list[str]]
    note: Mapped[str | None]
    secret: Mapped[str | None]

    __table_args__ = (
        CheckConstraint("status IN ('draft', 'shown', 'gone')", name="status"),
        UniqueConstraint("maker_id", "title"),
        Index("ix_gadgets_status", "status"),
        Index("ix_gadgets_title_id", "title", "id"),
        Index("ix_gadgets_weight_id", "weight", "id"),
        Index("ix_gadgets_views", "views"),
        Index("ix_gadgets_price", "price"),
        Index("ix_gadgets_sold", "sold"),
        Index("ix_gadgets_made_on", "made_on"),
        Index("ix_gadgets_shown_at", "shown_at"),
        Index("ix_gadgets_created_at_id", "created_at", "id"),
        Index("ix_gadgets_tags", "tags", postgresql_using="gin"),
        Index("ix_gadgets_scopes", "scopes", postgresql_using="gin"),
    )


apart(Gadget, Maker)


class ReadMaker(ReadShape):
    """A maker as everybody reads it."""

    name: str


class Read(ReadShape):
    """A gadget as it is read. `note` is for its maker."""

    maker_id: str
    title: str
    status: Literal["draft", "shown", "gone"]
    weight: int | None = Field(description="In grams.", examples=[120])
    views: int
    price: float | None
    sold: bool
    made_on: date | None
    shown_at: datetime | None
    tags: list[str]
    note: str | None


class Create(Shape):
    """A new gadget."""

    maker_id: Id
    title: Line = Field(examples=["Egg timer"])
    weight: int | None = Field(default=None, ge=1, le=100_000)
    price: Money | None = None
    made_on: Day | None = None
    tags: list[Tag] = Field(default=[], max_length=20)
    note: Line | None = None


class Update(Shape):
    """What may be changed of a gadget."""

    title: Line = ""
    weight: int | None = Field(default=None, ge=1, le=100_000)
    price: Money | None = None


class Showing(Shape):
    """Where a gadget is shown."""

    place: Line


is_maker = is_person("maker_id")
STAGES = Stages(
    "status",
    initial=("draft",),
    moves={"draft": {"shown": is_maker}, "shown": {"gone": is_maker | holds("gadgets.moderate"), "draft": is_maker}},
)

makers = Resource(
    table=Maker,
    shapes=Shapes(read=ReadMaker),
    scopes=lambda _row: [PUBLIC],
    may=May(read=anyone, create=nobody),
    find=Find(filter=("name",), sort=("name",), default="name"),
)

gadgets = Resource(
    table=Gadget,
    shapes=Shapes(
        read=Read, create=Create, update=Update, audience={"note": lambda row: [scope("person", row.maker_id)]}
    ),
    scopes=lambda row: [PUBLIC] if row.status == "shown" else [scope("person", row.maker_id)],
    may=May(read=anyone, create=signed_in, change=is_maker & value_in("status", "draft"), remove=is_maker),
    stages=STAGES,
    find=Find(
        filter=("status", "title", "weight", "views", "price", "sold", "maker_id", "made_on", "shown_at", "tags"),
        sort=("created_at", "title", "weight"),
        expand={"maker": "makers"},
    ),
    log=Log(hidden=("secret",), personal=("note",)),
    carry=Carry(key=("maker_id", "title")),
)


async def show(ctx: Context, row: Gadget, body: Showing) -> Gadget:
    """Show a gadget to everybody."""
    return await store.change(ctx, gadgets, row, {"status": "shown", "note": body.place}, verb="shown")


house = House((Manifest("gadgets", resources=(makers, gadgets), verbs=(Verb(gadgets, show, may=is_maker),)),))


def row_of(**values: Any) -> dict[str, Any]:
    """The values of a gadget that was never written, these among them."""
    now = datetime(2026, 11, 20, 8, tzinfo=UTC)
    fresh = {
        "id": new_id(),
        "maker_id": new_id(),
        "version": 1,
        "created_at": now,
        "updated_at": now,
        "scopes": [PUBLIC],
    }
    plain = {"title": "Egg timer", "status": "draft", "views": 0, "sold": False, "tags": []}
    return {**dict.fromkeys(gadgets.columns), **fresh, **plain, **values}


def gadget(**values: Any) -> Gadget:
    """A gadget that was never written."""
    return Gadget.of(row_of(**values))


async def lay_gadgets(connection: Connection, rows: Sequence[dict[str, Any]] = ()) -> None:
    """The tables of this house, under the log, with these gadgets and their makers in them."""
    for table, hidden in ((Maker.__table__, ()), (Gadget.__table__, gadgets.log.hidden)):
        assert isinstance(table, Table)
        for made in (CreateTable(table), *map(CreateIndex, sorted(table.indexes, key=lambda index: str(index.name)))):
            await connection.execute(str(made.compile(dialect=DIALECT)))
        for statement in (*statements(table, hidden), guard.statement(table)):
            await connection.execute(statement)
    await connection.executemany(
        "INSERT INTO makers (id, name, scopes) VALUES ($1, 'Ada', '{public}') ON CONFLICT DO NOTHING",
        [(row["maker_id"],) for row in rows],
    )
    columns = tuple(gadgets.columns)
    marks = ", ".join(f"${n}" for n in range(1, len(columns) + 1))
    await connection.executemany(
        f"INSERT INTO gadgets ({', '.join(columns)}) VALUES ({marks})",
        [tuple(row[name] for name in columns) for row in rows],
    )


def server_of(**settings: Any) -> Server:
    """A server of this house for what needs no database: nothing runs in it, and nobody can sign in."""
    nothing: Any = None
    return Server(load(**settings), house, nothing, nothing, Limits(0), nothing, bytes(32), nothing)
