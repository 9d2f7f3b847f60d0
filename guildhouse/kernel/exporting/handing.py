"""Handing out a made file: whole, or the bytes that a reader still lacks (RFC 9110); by a link for those without a key."""

import hmac
import re
import time
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic import Field

from guildhouse.kernel.answer import Answer, Stream
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Conflict, Denied, Gone, NotFound, Problem, Unauthenticated
from guildhouse.kernel.etag import matches
from guildhouse.kernel.exporting.keeping import part_name
from guildhouse.kernel.files import Files, NoSuchFile
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.may import anyone
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource, one_of
from guildhouse.kernel.select import fetch_one
from guildhouse.kernel.shapes import Shape

LINK_SECONDS = 3600


class NotMadeYet(Conflict):
    """What makes this file is {status}: there is no file to fetch. Wait until the status is `done`."""


class LinkOver(Denied):
    """This link is not valid, or not any more. Get a new one from the file's `link`."""


class ExportExpired(Gone):
    """This file was removed. Ask for a new one."""


class RangeNotSatisfiable(Problem):
    """The file has {size} bytes, and none of those that were asked for."""

    status = 416


class Link(Shape):
    """An address that anybody may fetch the file from until it expires. Pass it on to nobody who must not see the file."""

    link: str = Field(
        examples=["/v1/exports/019a9f3c-7c00-7000-8000-000000000001/file?expires=1795344000&signature=Zm9v"]
    )
    expires_at: datetime


def signature(call: Call, resource: Resource[Any], row_id: str, expires: int) -> str:
    """What only this server can write below a row's id and a time."""
    return call.server.signature(f"{resource.singular}-link", row_id, expires)


async def own_row(call: Call, resource: Resource[Any]) -> Any:
    """The row of the address, if the actor sees it."""
    async with call.server.database.reading() as connection:
        record = await fetch_one(connection, resource, call.actor, call.row_id, "*")
    if record is None:
        raise NotFound
    return resource.table.of(record)


async def row_to_fetch(call: Call, resource: Resource[Any]) -> Any:
    """The row whose file is fetched: by its owner, or by a link that is still good."""
    signed, until = call.param("signature"), call.param("expires")
    if signed is None:
        if not call.actor.signed_in:
            raise Unauthenticated
        return await own_row(call, resource)
    if until is None or not re.fullmatch(r"\d{1,12}", until, re.ASCII) or int(until) < time.time():
        raise LinkOver
    if not hmac.compare_digest(signature(call, resource, call.row_id, int(until)).encode(), signed.encode()):
        raise LinkOver
    async with call.server.database.reading() as connection:
        record = await connection.fetchrow(
            f'SELECT * FROM "{resource.name}" WHERE id = $1 AND deleted_at IS NULL', call.row_id
        )
    if record is None:
        raise ExportExpired
    return resource.table.of(record)


async def refuse_removed(files: Files, resource: Resource[Any], row_id: str) -> None:
    """Raise `ExportExpired` where the file is not there any more: the row may have been taken out of the trash."""
    try:
        await files.entry(part_name(resource, row_id, 0))
    except NoSuchFile as error:
        raise ExportExpired from error


def byte_range(header: str | None, size: int) -> tuple[int, int] | None:
    """The first and the last byte that a Range header asks for; None where it asks for all, or for several ranges.

    Raises `RangeNotSatisfiable` for one that begins behind the end.
    """
    found = re.fullmatch(r"bytes=(\d{0,18})-(\d{0,18})", (header or "").replace(" ", ""), re.ASCII)
    if not found or found[0] == "bytes=-" or (found[1] and found[2] and int(found[2]) < int(found[1])):
        return None
    first = int(found[1]) if found[1] else max(size - int(found[2]), 0)
    last = min(int(found[2]), size - 1) if found[1] and found[2] else size - 1
    if first > last:
        raise RangeNotSatisfiable(size=size, headers={"Content-Range": f"bytes */{size}"})
    return first, last


async def stretch(
    files: Files, names: Sequence[str], sizes: Sequence[int], first: int, last: int
) -> AsyncIterator[bytes]:
    """The bytes from the first to the last one, over the parts that they are in."""
    begin = 0
    for name, size in zip(names, sizes, strict=True):
        start, stop = max(first - begin, 0), min(last - begin + 1, size)
        if start < stop:
            left = stop - start
            async for piece in files.read(name, start):
                yield piece[:left]
                left -= min(left, len(piece))
                if not left:
                    break
        begin += size


@dataclass(frozen=True)
class Handout:
    """Hands out the files of one resource; `named` tells a file's name and its media type."""

    resource: Resource[Any]
    named: Callable[[Call, Any], tuple[str, str]]
    media: tuple[str, ...]

    async def make_link(self, call: Call) -> Answer:
        """An address of the file with a signature in it, good for an hour."""
        row = await own_row(call, self.resource)
        expires = int(time.time()) + LINK_SECONDS
        signed = signature(call, self.resource, row.id, expires)
        link = f"/v1/{self.resource.path}/{row.id}/file?expires={expires}&signature={signed}"
        body = Link(link=link, expires_at=datetime.fromtimestamp(expires, UTC))
        return Answer(200, dumps(body.model_dump()), headers={"Cache-Control": "no-store"})

    async def send_file(self, call: Call) -> Answer:
        """The file, or a range of it."""
        row = await row_to_fetch(call, self.resource)
        if row.status != "done":
            raise NotMadeYet(status=row.status)
        etag = f'"{row.id}"'
        headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
        if matches(call.header("if-none-match"), etag):
            return Answer(304, headers=headers)
        await refuse_removed(call.server.files, self.resource, row.id)
        first, last = whole = (0, row.size - 1)
        if call.header("if-range") in (None, etag):
            first, last = byte_range(call.header("range"), row.size) or whole
        if (first, last) != whole:
            headers["Content-Range"] = f"bytes {first}-{last}/{row.size}"
        name, media = self.named(call, row)
        headers["Content-Disposition"] = f'attachment; filename="{name}"'
        names = [part_name(self.resource, row.id, number) for number in range(len(row.parts))]
        chunks = stretch(call.server.files, names, row.parts, first, last)
        status = 206 if "Content-Range" in headers else 200
        size = last - first + 1
        return Stream(status, b"", media, headers, chunks=chunks, receive=call.receive, size=size)

    @property
    def doors(self) -> tuple[Door, ...]:
        """The file, and the link to it."""
        base, noun = f"/v1/{self.resource.path}/{{id}}", one_of(self.resource)
        permission, about = f"{self.resource.name}.read", f"The file of {noun}"
        return (
            Door("GET", f"{base}/file", permission, about, self.send_file, self.resource,
                 kind="read", cost=10, open_to=anyone, media=self.media),
            Door("GET", f"{base}/link", permission, f"A link to the file of {noun}, good for an hour", self.make_link,
                 self.resource, kind="read", gives=Link),
        )  # fmt: skip
