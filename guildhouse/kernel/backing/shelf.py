"""The shelf: the place where a server's backups stand, each as a record of what it consists of, and the pieces of all.

    records/<server>/20261121T021700Z-1f0c....json    a backup: its manifest, and the pieces of each of its files
    pieces/<server>/<SHA-256>                         a piece of one backup, or of many

The files are those of the dump, one for each table, and the server's own. A piece that an earlier backup had is there
already, and is not stored again: a file that did not change, a table that nobody wrote to, the log but for its end, because
what only grows is compressed to the same bytes up to where it grew. A record is written when all its pieces are there, so
that whatever is cut off in the middle looks like nothing.
"""

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator, Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from guildhouse.kernel.backing.dump import Manifest
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.files import Directory, Entry, Files, NoSuchFile

DATABASE, FILES = "database", "files"
PIECE = 1024 * 1024
TIME = "%Y%m%dT%H%M%SZ"
RECORD = re.compile(r"records/([0-9a-f]{8})/(\d{8}T\d{6}Z)-([0-9a-f]{16})\.json")
# A file that was written shortly before it was backed up may have been written once more within the same tick of a clock.
SETTLED = timedelta(seconds=5)
# A piece that no record names yet may be one of a backup that a copy of this server is just taking.
IN_THE_MAKING = timedelta(days=1)
Name = Annotated[
    str, StringConstraints(pattern=rf"^({DATABASE}|{FILES})(/[A-Za-z0-9_-][A-Za-z0-9._-]{{0,99}}){{1,6}}$")
]


class Damaged(NotDone):
    """A backup is not as it was written."""


class Piece(BaseModel):
    """Some bytes of a file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int


class Content(BaseModel):
    """A file as its pieces, one after the other; `written_at` is when it was written, null for the rows of a table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    pieces: tuple[Piece, ...]
    written_at: datetime | None = None

    @property
    def size(self) -> int:
        """Its bytes."""
        return sum(piece.size for piece in self.pieces)


class Record(BaseModel):
    """A backup: what it is of, and the files that it consists of."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    manifest: Manifest
    contents: dict[Name, Content]

    @property
    def size(self) -> int:
        """Its bytes; some of them are other backups' as well."""
        return sum(content.size for content in self.contents.values())

    @property
    def files(self) -> int:
        """How many files of the server it holds."""
        return sum(name.startswith(f"{FILES}/") for name in self.contents)

    @property
    def pieces(self) -> dict[str, int]:
        """The sizes of its pieces, by their SHA-256."""
        return {piece.sha256: piece.size for content in self.contents.values() for piece in content.pieces}


@dataclass(frozen=True)
class Standing:
    """A backup that stands on a shelf, by its name."""

    name: str

    @property
    def server(self) -> str:
        """Which server it is of."""
        return self.matched()[1]

    @property
    def taken_at(self) -> datetime:
        """When it was taken."""
        return datetime.strptime(self.matched()[2], TIME).replace(tzinfo=UTC)

    @property
    def short(self) -> str:
        """What people call it."""
        return self.name.rpartition("/")[2].removesuffix(".json")

    def matched(self) -> re.Match[str]:
        """The parts of the name."""
        found = RECORD.fullmatch(self.name)
        assert found
        return found


async def standing(files: Files, server: str = "") -> list[Standing]:
    """The backups in a place, of one server or of all, the oldest first. What has another name is none of ours."""
    names = await files.names(f"records/{server}")
    return sorted(
        (Standing(each) for each in names if RECORD.fullmatch(each)), key=lambda each: (each.taken_at, each.name)
    )


async def read(files: Files, backup: Standing) -> Record:
    """The record of a backup. Raises `Damaged`."""
    content = b"".join([piece async for piece in files.read(backup.name)])
    if not sha256(content).hexdigest().startswith(backup.matched()[3]):
        raise Damaged(f"The record {backup.short} is damaged. Take another backup.")
    try:
        return Record.model_validate_json(content)
    except ValidationError as error:
        raise Damaged(
            f"The record {backup.short} is of a format that this Guildhouse does not know: {error}"
        ) from error


@dataclass
class Shelf:
    """The backups of one server, to be added to and thinned out. Only one process does so at a time."""

    files: Files
    server: str

    async def put(self, manifest: Manifest, dump: Path, kept: Files) -> tuple[Standing, Record, set[str]]:
        """Put a backup on the shelf: the files of a dump, and all that are kept. Says which pieces are new."""
        before, there = await self.newest(), set(await self.sizes())
        had, contents = set(there), dict[str, Content]()
        for path in await asyncio.to_thread(lambda: sorted(dump.iterdir())):
            contents[f"{DATABASE}/{path.name}"] = Content(pieces=await self.store(bytes_of(path), there))
        for entry in await kept.entries():
            name = f"{FILES}/{entry.name}"
            with suppress(NoSuchFile):  # removed since it was listed
                contents[name] = same(entry, name, before, there) or Content(
                    pieces=await self.store(kept.read(entry.name), there), written_at=entry.written_at
                )
        record = Record(manifest=manifest, contents=contents)
        text = record.model_dump_json(indent=1).encode()
        stamp = f"{manifest.created_at:{TIME}}-{sha256(text).hexdigest()[:16]}"
        backup = Standing(f"records/{self.server}/{stamp}.json")
        await self.files.write(backup.name, once(text))
        return backup, record, there - had

    async def store(self, chunks: AsyncIterable[bytes], there: set[str]) -> tuple[Piece, ...]:
        """Store the pieces of a file that are not there, and note that they are."""
        found = []
        async for content in in_pieces(chunks):
            digest = await digest_of(content)
            if digest not in there:
                await self.files.write(self.path(digest), once(content))
                there.add(digest)
            found.append(Piece(sha256=digest, size=len(content)))
        return tuple(found)

    async def newest(self) -> Record | None:
        """The newest backup that can be read."""
        for backup in reversed(await standing(self.files, self.server)):
            try:
                return await read(self.files, backup)
            except (Damaged, NoSuchFile):
                continue
        return None

    async def sizes(self) -> dict[str, int]:
        """The sizes of the pieces that are there, by their SHA-256."""
        prefix = self.path("")
        return {each.name.removeprefix(prefix): each.size for each in await self.files.entries(prefix)}

    async def verify(self, record: Record, afresh: Collection[str]) -> None:
        """Show that a backup could be fetched: all its pieces are there, and these of them read as they were written."""
        there = await self.sizes()
        missing = [digest for digest, size in record.pieces.items() if there.get(digest) != size]
        if missing:
            raise Damaged(f"{len(missing)} pieces are missing, such as {missing[0]}. Take another backup.")
        for digest in afresh:
            await self.piece(digest)

    async def piece(self, digest: str) -> bytes:
        """A piece. Raises `Damaged` where it is not as it was written."""
        try:
            content = b"".join([chunk async for chunk in self.files.read(self.path(digest))])
        except NoSuchFile:
            raise Damaged(f"The piece {digest} is missing. Take another backup.") from None
        if await digest_of(content) != digest:
            raise Damaged(f"The piece {digest} is not as it was written. Take another backup.")
        return content

    async def fetch(self, record: Record, into: Path) -> None:
        """Bring all files of a backup into a directory, under their names. Raises `Damaged`."""
        for name, content in record.contents.items():
            target = into / name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            with target.open("xb") as file:
                for piece in content.pieces:
                    await asyncio.to_thread(file.write, await self.piece(piece.sha256))

    async def thin_out(self, gone: Collection[Standing]) -> int:
        """Remove backups, then the pieces that no other one has; says how many. Where a record is damaged, they stay."""
        for backup in gone:
            await self.files.remove(backup.name)
        try:
            records = [await read(self.files, backup) for backup in await standing(self.files, self.server)]
        except Damaged:
            return 0
        needed = {self.path(digest) for record in records for digest in record.pieces}
        old = datetime.now(UTC) - IN_THE_MAKING
        there = await self.files.entries(self.path(""))
        unneeded = [each.name for each in there if each.name not in needed and each.written_at < old]
        for name in unneeded:
            await self.files.remove(name)
        if isinstance(self.files, Directory):
            await self.files.tidy(self.path(""), old)
        return len(unneeded)

    def path(self, digest: str) -> str:
        """Where a piece is."""
        return f"pieces/{self.server}/{digest}"


def same(entry: Entry, name: str, before: Record | None, there: Collection[str]) -> Content | None:
    """A file as it was in the last backup, if it is still that one: then nobody needs to read it."""
    was = before.contents.get(name) if before else None
    if before is None or was is None or (was.size, was.written_at) != (entry.size, entry.written_at):
        return None
    settled = entry.written_at < before.manifest.created_at - SETTLED
    return was if settled and all(piece.sha256 in there for piece in was.pieces) else None


async def digest_of(content: bytes) -> str:
    """The SHA-256 of a piece."""
    return (await asyncio.to_thread(sha256, content)).hexdigest()


async def bytes_of(path: Path) -> AsyncIterator[bytes]:
    """A file of this machine."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while chunk := await asyncio.to_thread(file.read, PIECE):
            yield chunk


async def in_pieces(chunks: AsyncIterable[bytes]) -> AsyncIterator[bytes]:
    """The chunks in pieces of one size, the last one shorter."""
    waiting = bytearray()
    async for chunk in chunks:
        waiting += chunk
        while len(waiting) >= PIECE:
            yield bytes(waiting[:PIECE])
            del waiting[:PIECE]
    if waiting:
        yield bytes(waiting)


async def once(content: bytes) -> AsyncIterator[bytes]:
    """All at once."""
    yield content
