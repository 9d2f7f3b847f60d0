"""Backups: those that the server takes of itself, by its schedule or when an admin asks. A resource like any other.

Owns the row of a backup, which says how it went. What it is and where it stands, `shelf.py` says.
"""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, Index, func, select
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import Conflict
from guildhouse.kernel.may import holds, signed_in
from guildhouse.kernel.operation import anyone_of_the_house
from guildhouse.kernel.resource import Carry, Find, May, Resource, Shapes
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import ADMINS
from guildhouse.kernel.shapes import ReadShape, Shape
from guildhouse.kernel.stages import Stages


class BackupUnderWay(Conflict):
    """A backup is being taken already, since {since}. Wait for it."""


class Backup(Row):
    """A backup that the server took of itself, or tried to."""

    __tablename__ = "backups"

    status: Mapped[str] = mapped_column(default="queued")
    name: Mapped[str | None]
    size: Mapped[int] = mapped_column(BigInteger, default=0)
    added: Mapped[int] = mapped_column(BigInteger, default=0)
    rows: Mapped[int] = mapped_column(BigInteger, default=0)
    files: Mapped[int] = mapped_column(default=0)
    problem: Mapped[str | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
    verified_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint("status IN ('queued', 'running', 'done', 'failed')", name="status"),
        Index("ix_backups_scopes", "scopes", postgresql_using="gin"),
        Index("ix_backups_created_at_id", "created_at", "id"),
        Index("ix_backups_status", "status"),
    )


class Read(ReadShape):
    """A backup. `size` are all its bytes, `added` those that no earlier one had; `verified_at` is when it was read back.

    `name` is what `guildhouse backups list` calls it, for as long as the settings keep it.
    """

    status: str
    name: str | None
    size: int
    added: int
    rows: int
    files: int
    problem: str | None
    started_at: datetime | None
    finished_at: datetime | None
    verified_at: datetime | None


class Create(Shape):
    """Take a backup now, to the place that the settings name."""


UNFINISHED = select(func.min(Backup.created_at)).where(
    Backup.status.in_(("queued", "running")), Backup.deleted_at.is_(None)
)


async def one_at_a_time(ctx: Context, before: Backup | None, _after: Backup) -> None:
    """Two at once would only slow each other down."""
    if before is not None:
        return
    if since := await ctx.value(UNFINISHED):
        raise BackupUnderWay(since=f"{since:%Y-%m-%d %H:%M} UTC")


STAGES = Stages(
    "status",
    initial=("queued",),
    moves={
        "queued": {"running": anyone_of_the_house, "failed": anyone_of_the_house},
        "running": {"done": anyone_of_the_house, "failed": anyone_of_the_house},
    },
)

runs_the_server = holds("backups.admin")

backups = Resource(
    table=Backup,
    shapes=Shapes(read=Read, create=Create),
    scopes=lambda _row: [ADMINS],
    may=May(read=signed_in, create=runs_the_server, remove=runs_the_server),
    rules=(one_at_a_time,),
    stages=STAGES,
    find=Find(filter=("status",), sort=("created_at",)),
    carry=Carry(stays=True),
)

# What is known of the backups: the last one that was good, and how the last one of all ended.
LAST = f"""
SELECT name, size, finished_at, verified_at,
    (SELECT problem FROM "{backups.name}" WHERE status IN ('done', 'failed') AND deleted_at IS NULL
        ORDER BY created_at DESC, id DESC LIMIT 1) AS problem
FROM (SELECT) here LEFT JOIN LATERAL (SELECT * FROM "{backups.name}" WHERE status = 'done' AND deleted_at IS NULL
    ORDER BY created_at DESC, id DESC LIMIT 1) good ON true
"""
