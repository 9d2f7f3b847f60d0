"""The file of an export: whole, or the bytes that a reader still lacks (RFC 9110); by a link for those without a key."""

import hmac
import re
import time
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime

from pydantic import Field

from guildhouse.kernel.answer import Answer, Stream
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Conflict, Denied, Gone, NotFound, Problem, Unauthenticated
from guildhouse.kernel.etag import matches
from guildhouse.kernel.exporting.export import Export, exports
from guildhouse.kernel.exporting.making import part_name
from guildhouse.kernel.exporting.whole_list import named
from guildhouse.kernel.files import Files, NoSuchFile
from guildhouse.kernel.formats import MEDIA_TYPES, dumps
from guildhouse.kernel.may import anyone
from guildhouse.kernel.request import Call
from guildhouse.kernel.select import fetch_one
from guildhouse.kernel.shapes import Shape

LINK_SECONDS = 3600


class NotMadeYet(Conflict):
    """This export is {status}: there is no file to fetch. Wait until its status is `done`."""


class LinkOver(Denied):
    """This link is not valid, or not any more. Get a new one from the export's `link`."""


class ExportExpired(Gone):
    """The file of this export was removed. Ask for a new export."""


class RangeNotSatisfiable(Problem):
    """The file has {size} bytes, and none of those that were asked for."""

    status = 416


class Link(Shape):
    """An address that anybody may fetch the file from until it expires. Pass it on to nobody who must not see the file."""

    link: str = Field(
        examples=["/v1/exports/019a9f3c-7c00-7000-8000-000000000001/file?expires=1795344000&signature=Zm9v"]
    )
    expires_at: datetime


async def make_link(call: Call) -> Answer:
    """An address of the file with a signature in it, good for an hour."""
    row = await own_export(call)
    expires = int(time.time()) + LINK_SECONDS
    link = f"/v1/exports/{row.id}/file?expires={expires}&signature={signature(call, row.id, expires)}"
    body = Link(link=link, expires_at=datetime.fromtimestamp(expires, UTC))
    return Answer(200, dumps(body.model_dump()), headers={"Cache-Control": "no-store"})


def signature(call: Call, export_id: str, expires: int) -> str:
    """What only this server can write below an export's id and a time."""
    return hmac.new(call.server.key("export-link"), f"{export_id}.{expires}".encode(), "sha256").hexdigest()


async def own_export(call: Call) -> Export:
    """The export of the address, if the actor sees it."""
    async with call.server.database.reading() as connection:
        record = await fetch_one(connection, exports, call.actor, call.row_id, "*")
    if record is None:
        raise NotFound
    return Export.of(record)


async def export_to_fetch(call: Call) -> Export:
    """The export whose file is fetched: by its owner, or by a link that is still good."""
    signed, until = call.param("signature"), call.param("expires")
    if signed is None:
        if not call.actor.signed_in:
            raise Unauthenticated
        return await own_export(call)
    if until is None or not re.fullmatch(r"\d{1,12}", until, re.ASCII) or int(until) < time.time():
        raise LinkOver
    if not hmac.compare_digest(signature(call, call.row_id, int(until)).encode(), signed.encode()):
        raise LinkOver
    async with call.server.database.reading() as connection:
        record = await connection.fetchrow(
            f'SELECT * FROM "{exports.name}" WHERE id = $1 AND deleted_at IS NULL', call.row_id
        )
    if record is None:
        raise ExportExpired
    return Export.of(record)


async def send_file(call: Call) -> Answer:
    """The file, or a range of it."""
    row = await export_to_fetch(call)
    if row.status != "done":
        raise NotMadeYet(status=row.status)
    etag = f'"{row.id}"'
    headers = {"ETag": etag, "Accept-Ranges": "bytes", "Cache-Control": "private, no-cache"}
    if matches(call.header("if-none-match"), etag):
        return Answer(304, headers=headers)
    await refuse_removed(call.server.files, row.id)
    first, last = whole = (0, row.size - 1)
    if call.header("if-range") in (None, etag):
        first, last = byte_range(call.header("range"), row.size) or whole
    if (first, last) != whole:
        headers["Content-Range"] = f"bytes {first}-{last}/{row.size}"
    name = named(call.server.house.resources[row.resource], row.format, row.created_at)
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    chunks = stretch(call.server.files, row.id, row.parts, first, last)
    status = 206 if "Content-Range" in headers else 200
    size = last - first + 1
    return Stream(status, b"", MEDIA_TYPES[row.format], headers, chunks=chunks, receive=call.receive, size=size)


async def refuse_removed(files: Files, export_id: str) -> None:
    """Raise `ExportExpired` where the file is not there any more: the row may have been taken out of the trash."""
    try:
        await files.entry(part_name(export_id, 0))
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


async def stretch(files: Files, export_id: str, sizes: Sequence[int], first: int, last: int) -> AsyncIterator[bytes]:
    """The bytes from the first to the last one, over the parts that they are in."""
    begin = 0
    for number, size in enumerate(sizes):
        start, stop = max(first - begin, 0), min(last - begin + 1, size)
        if start < stop:
            left = stop - start
            async for piece in files.read(part_name(export_id, number), start):
                yield piece[:left]
                left -= min(left, len(piece))
                if not left:
                    break
        begin += size


doors = (
    Door("GET", "/v1/exports/{id}/file", "exports.read", "The file of an export", send_file, exports,
         kind="read", cost=10, open_to=anyone, media=tuple(MEDIA_TYPES.values())),
    Door("GET", "/v1/exports/{id}/link", "exports.read", "A link to the file of an export, good for an hour", make_link,
         exports, kind="read", gives=Link),
)  # fmt: skip
