"""The outlook: what retention would take away now, and what holds keep from it. Nothing is changed by looking."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import Field

from guildhouse.kernel.answer import Answer
from guildhouse.kernel.db import Connection
from guildhouse.kernel.door import Door
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.manifest import House
from guildhouse.kernel.may import holds as permits
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.retaining.hold import holds
from guildhouse.kernel.retaining.retained_file import retained_files
from guildhouse.kernel.retaining.retention import old
from guildhouse.kernel.shapes import Shape


class NounOutlook(Shape):
    """What would become of one noun's rows: live ones that are too old go to the trash, old trash goes for good."""

    resource: str = Field(examples=["operations"])
    total_days: int | None = Field(description="Live rows go to the trash after so many days; null: never.")
    to_remove: int = Field(description="Live rows that are older.")
    trash_days: int | None = Field(description="The trash goes for good after so many days; null: never.")
    in_trash: int
    to_purge: int = Field(description="Rows that have been in the trash for longer.")
    oldest: datetime | None = Field(description="Since when the oldest of those has been in the trash.")
    held: int = Field(description="Of both, those that a hold keeps.")
    held_by: list[str] = Field(description="The holds that keep them.", examples=[[]])
    is_shelved: bool = Field(description="Whether what is purged is kept as a file for a while.")


class Outlook(Shape):
    """What retention would do if it ran now."""

    keep_purged_days: int = Field(description="How long purged rows are kept as files; 0: not at all.", examples=[90])
    files_to_remove: int = Field(description="Files whose time is over.", examples=[0])
    nouns: list[NounOutlook]


async def outlook(connection: Connection, house: House, keep_purged_days: int) -> Outlook:
    """What would go now."""
    nouns = [await outlook_of(connection, each, keep_purged_days) for each in house.resources.values()]
    expired = f'SELECT count(*) FROM "{retained_files.name}" WHERE expires_at < now()'
    return Outlook(
        keep_purged_days=keep_purged_days,
        files_to_remove=await connection.fetchval(expired),
        nouns=nouns,
    )


async def outlook_of(connection: Connection, resource: Resource[Any], keep_purged_days: int) -> NounOutlook:
    """What would go of one noun. Rows that others still lead to are counted, too: only trying tells."""
    keep = resource.keep
    trash = await counted(connection, resource, "deleted_at < now() - make_interval(days => $1)", keep.trash_days)
    live = await counted(connection, resource, old(resource), keep.total_days)
    in_trash = f'SELECT count(*) FROM "{resource.name}" WHERE deleted_at IS NOT NULL'
    return NounOutlook(
        resource=resource.path,
        total_days=keep.total_days,
        to_remove=live[0],
        trash_days=keep.trash_days,
        in_trash=await connection.fetchval(in_trash),
        to_purge=trash[0],
        oldest=trash[2],
        held=live[1] + trash[1],
        held_by=sorted({*(live[3] or ()), *(trash[3] or ())}),
        is_shelved=keep.shelve and keep_purged_days > 0,
    )


async def counted(connection: Connection, resource: Resource[Any], where: str, days: int | None) -> Sequence[Any]:
    """How many rows, how many of them held, since when the oldest is in the trash, and the holds."""
    if days is None:
        return (0, 0, None, None)
    rows = f'SELECT deleted_at, hold_on($2, id, scopes) AS hold FROM "{resource.name}" WHERE {where} OFFSET 0'
    told = "count(*), count(hold), min(deleted_at), array_agg(DISTINCT hold) FILTER (WHERE hold IS NOT NULL)"
    sql = f"SELECT {told} FROM ({rows}) r"
    record = await connection.fetchrow(sql, days, resource.name)
    assert record
    return tuple(record)


async def read_outlook(call: Call) -> Answer:
    """What retention would take away if it ran now: a dry run."""
    async with call.server.database.reading() as connection:
        found = await outlook(connection, call.server.house, call.server.config.keep_purged_days)
    return Answer(200, dumps(found.model_dump()), headers={"Cache-Control": "private, no-store"})


doors = (
    Door("GET", "/v1/retention", "holds.read", "What retention would take away now", read_outlook, holds, kind="read",
         cost=100, open_to=permits("holds.admin"), gives=Outlook),
)  # fmt: skip
