"""Operations: work that a person waits for or watches. A resource like any other: read, listed, followed live.

Owns the row of an operation and its input and report, kept in chunks. `operating/` does the work.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, LargeBinary, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel import store
from guildhouse.kernel.bulk_writing import WRITES
from guildhouse.kernel.context import Context
from guildhouse.kernel.may import Predicate, is_person, nobody, signed_in, value_in
from guildhouse.kernel.resource import Carry, Find, Keep, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Base, Row
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.shapes import ReadShape
from guildhouse.kernel.stages import Stages

anyone_of_the_house: Predicate = Predicate("the server itself", lambda actor, _row: actor.id is None)
is_owner = is_person("person_id")


def stages_of_work(may_cancel: Predicate) -> Stages:
    """The states of a row that stands for background work: the server moves it, and somebody may cancel it."""
    house = anyone_of_the_house
    return Stages(
        "status",
        initial=("queued",),
        moves={
            "queued": {"running": house, "cancelled": may_cancel, "failed": house},
            "running": {"done": house, "failed": house, "cancelled": may_cancel},
        },
    )


class Operation(Row):
    """Background work that somebody waits for: its state, its progress, and what came of it."""

    __tablename__ = "operations"

    person_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    # `batch`: lines that were sent; `selection`: the rows of a filter; `undo`: what another operation wrote.
    kind: Mapped[str]
    resource: Mapped[str]
    asked: Mapped[dict[str, Any] | None]
    mode: Mapped[str]
    dry_run: Mapped[bool] = mapped_column(default=False)
    status: Mapped[str] = mapped_column(default="queued")
    total: Mapped[int] = mapped_column(default=0)
    created: Mapped[int] = mapped_column(default=0)
    changed: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    removed: Mapped[int] = mapped_column(default=0)
    restored: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    kept: Mapped[int] = mapped_column(default=0)
    written: Mapped[int] = mapped_column(default=0)
    remaining: Mapped[int] = mapped_column(default=0)
    undoes: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    undone_by: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    most: Mapped[int | None]
    # The permissions of the API key that asked for it: the work is not to do more than the request could.
    narrowed: Mapped[list[str] | None]
    problem: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("status IN ('queued', 'running', 'done', 'failed', 'cancelled')", name="status"),
        CheckConstraint("mode IN ('atomic', 'each')", name="mode"),
        Index("ix_operations_scopes", "scopes", postgresql_using="gin"),
        Index("ix_operations_created_at_id", "created_at", "id"),
        Index("ix_operations_status", "status"),
        Index("ix_operations_finished_at", "finished_at"),
    )


class OperationChunk(Base):
    """Some lines of an operation's input, and what became of each. Written in the transaction of what they made."""

    __tablename__ = "operation_chunks"

    operation_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("operations.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    lines: Mapped[bytes] = mapped_column(LargeBinary)
    report: Mapped[list[Any] | None] = mapped_column(JSONB)


class Read(ReadShape):
    """An operation as its owner reads it. The counts grow while it runs.

    Of its `total` lines, `written` have changed a row and `remaining` were not come to, also when it was cancelled; its
    report says which. `kept` are rows that an undo left alone, because somebody has changed them since.
    """

    person_id: str
    kind: str
    resource: str
    asked: dict[str, Any] | None
    mode: str
    dry_run: bool
    status: str
    total: int
    written: int
    remaining: int
    created: int
    changed: int
    unchanged: int
    removed: int
    restored: int
    failed: int
    kept: int
    undoes: str | None
    undone_by: str | None
    problem: dict[str, Any] | None
    started_at: datetime | None
    finished_at: datetime | None


async def derive(_ctx: Context, _before: Operation | None, after: Operation) -> Mapping[str, Any]:
    """How many lines have changed a row, and how many were not come to. A dry run changes none."""
    written = sum(getattr(after, name) for name in WRITES)
    come_to = written + after.unchanged + after.failed + after.kept
    return {"written": 0 if after.dry_run else written, "remaining": after.total - come_to}


operations = Resource(
    table=Operation,
    shapes=Shapes(read=Read, derive=derive),
    scopes=lambda row: [scope("person", row.person_id)],
    may=May(read=signed_in, create=nobody),
    stages=stages_of_work(is_owner),
    find=Find(filter=("status",), sort=("created_at",)),
    carry=Carry(stays=True),
    keep=Keep(total_days=365, since="finished_at"),
)


async def cancel(ctx: Context, row: Operation) -> Operation:
    """Stop an operation. What it has written stays; the report says which lines, and `take-back` undoes them."""
    return await store.change(ctx, operations, row, {"status": "cancelled", "finished_at": ctx.now}, verb="cancelled")


verbs = (Verb(operations, cancel, may=is_owner & value_in("status", "queued", "running")),)
