"""Retained files: rows that were purged by schedule, kept in the house's own format for a while; for admins only.

Owns the row of such a file. `shelving.py` writes and removes the files.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, Index
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel.answer import Answer, Stream
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Denied, NotFound
from guildhouse.kernel.formats import MEDIA_TYPES, OWN
from guildhouse.kernel.may import holds as permits
from guildhouse.kernel.may import nobody, signed_in
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Carry, Find, Keep, Log, May, Resource, Shapes
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import ADMINS
from guildhouse.kernel.select import fetch_one
from guildhouse.kernel.shapes import ReadShape

runs_the_place = permits("retained_files.admin")


class RetainedFile(Row):
    """Rows of one noun that were purged together, as a file. It is removed after `expires_at`."""

    __tablename__ = "retained_files"

    resource: Mapped[str]
    total: Mapped[int]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    expires_at: Mapped[datetime]
    # The file is written anew, under another number, when somebody in it is erased.
    edition: Mapped[int] = mapped_column(default=0)
    # The lines, counted from 0, that are of a person, by their id.
    persons: Mapped[dict[str, Any]]

    __table_args__ = (
        Index("ix_retained_files_scopes", "scopes", postgresql_using="gin"),
        Index("ix_retained_files_created_at_id", "created_at", "id"),
        Index("ix_retained_files_resource", "resource"),
        Index("ix_retained_files_expires_at", "expires_at"),
        Index("ix_retained_files_persons", "persons", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A file of purged rows: of which noun, how many, how large, and when it goes."""

    resource: str
    total: int
    size: int
    sha256: str
    expires_at: datetime


retained_files = Resource(
    table=RetainedFile,
    shapes=Shapes(read=Read),
    scopes=lambda _row: [ADMINS],
    may=May(read=signed_in, create=nobody, remove=runs_the_place),
    find=Find(filter=("resource",), sort=("created_at", "expires_at")),
    carry=Carry(stays=True),
    log=Log(hidden=("persons",)),
    keep=Keep(trash_days=1),
)


def place_of(file_id: str, edition: int) -> str:
    """Where a file is kept."""
    return f"retention/{file_id}/{edition}"


async def send_retained(call: Call) -> Answer:
    """The rows of a file, in the house's own format."""
    if not runs_the_place(call.actor, None):
        raise Denied
    async with call.server.database.reading() as connection:
        record = await fetch_one(connection, retained_files, call.actor, call.row_id, "*")
    if record is None:
        raise NotFound
    row = RetainedFile.of(record)
    name = f"{row.resource.replace('_', '-')}-purged-{row.created_at:%Y-%m-%d}.guildhouse.ndjson"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "private, no-store"}
    place = place_of(row.id, row.edition)
    await call.server.files.entry(place)  # raises where it is not there any more
    chunks = call.server.files.read(place)
    return Stream(200, b"", MEDIA_TYPES[OWN], headers, chunks=chunks, receive=call.receive, size=row.size)


doors = (
    Door("GET", "/v1/retained-files/{id}/file", "retained_files.read", "The rows of a retained file", send_retained,
         retained_files, kind="read", cost=10, media=(MEDIA_TYPES[OWN],)),
)  # fmt: skip
