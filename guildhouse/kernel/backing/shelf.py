"""The shelf: the place where a server's backups stand, each as a record of what it consists of, and the parts themselves.

    records/<server>/20261121T021700Z-1f0c....json    a backup: its manifest, and its parts by their names
    parts/<server>/<SHA-256>                          a part of one backup, or of many

A part is a file, or the rows of a table. One that has not changed since the last backup is there already, and is not
stored again: not the months of the log that are over, and not the files. A record is written when all its parts are
there, so that whatever is cut off in the middle looks like nothing.
"""

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator, Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from guildhouse.kernel.backing.dump import Manifest
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.files import PIECE, Directory, Entry, Files, NoSuchFile

DATABASE, FILES = "database", "files"
TIME = "%Y%m%dT%H%M%SZ"
RECORD = re.compile(r"records/([0-9a-f]{8})/(\d{8}T\d{6}Z)-([0-9a-f]{16})\.json")
# A file that was written shortly before it was backed up may have been written once more within the same tick of a clock.
SETTLED = timedelta(seconds=5)
# A part that no record names yet may be one of a backup that a copy of this server is just taking.
IN_THE_MAKING = timedelta(days=1)
PartName = Annotated[
    str, StringConstraints(pattern=rf"^({DATABASE}|{FILES})(/[A-Za-z0-9_-][A-Za-z0-9._-]{{0,99}}){{1,6}}$")
]


class Damaged(NotDone):
    """A backup is not as it was written."""


class Changed(Exception):
    """A file was replaced by another one while it was read."""


class Part(BaseModel):
    """One part of a backup; `written_at` is when its file was, null for the rows of a table."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int
    written_at: datetime | None = None


class Record(BaseModel):
    """A backup: what it is of, and its parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    manifest: Manifest
    parts: dict[PartName, Part]

    @property
    def size(self) -> int:
        """Its bytes; some of them are other backups' as well."""
        return sum(part.size for part in self.parts.values())

    @property
    def files(self) -> int:
        """How many files it holds."""
        return sum(name.startswith(f"{FILES}/") for name in self.parts)


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
        """Put a backup on the shelf: the files of a dump, and all that are kept. Says which parts are new."""
        before, there = await self.newest(), set(await self.parts())
        parts, new = dict[str, Part](), set[str]()
        for path in await asyncio.to_thread(lambda: sorted(dump.iterdir())):
            part = await asyncio.to_thread(part_of, path)
            await self.store(part, pieces(path), there, new)
            parts[f"{DATABASE}/{path.name}"] = part
        for entry in await kept.entries():
            if stored := await self.put_file(kept, entry, before, there, new):
                parts[f"{FILES}/{entry.name}"] = stored
        record = Record(manifest=manifest, parts=parts)
        content = record.model_dump_json(indent=1).encode()
        stamp = f"{manifest.created_at:{TIME}}-{sha256(content).hexdigest()[:16]}"
        backup = Standing(f"records/{self.server}/{stamp}.json")
        await self.files.write(backup.name, once(content))
        return backup, record, new

    async def put_file(
        self, kept: Files, entry: Entry, before: Record | None, there: set[str], new: set[str]
    ) -> Part | None:
        """Put a file on the shelf; None for one that was removed since it was listed."""
        for _ in range(3):
            try:
                part = same(entry, before) or await hashed(kept, entry)
                await self.store(part, kept.read(entry.name), there, new)
            except NoSuchFile:
                return None
            except Changed:
                entry, before = await kept.entry(entry.name), None
            else:
                return part
        raise NotDone(f"The file {entry.name} changes all the time, and cannot be backed up.")

    async def store(self, part: Part, content: AsyncIterator[bytes], there: set[str], new: set[str]) -> None:
        """Store a part, unless it is there."""
        if part.sha256 not in there:
            await self.files.write(self.path(part.sha256), proved(content, part.sha256))
            there.add(part.sha256)
            new.add(part.sha256)

    async def newest(self) -> Record | None:
        """The newest backup that can be read."""
        for backup in reversed(await standing(self.files, self.server)):
            try:
                return await read(self.files, backup)
            except (Damaged, NoSuchFile):
                continue
        return None

    async def parts(self) -> dict[str, int]:
        """The sizes of the parts that are there, by their SHA-256."""
        prefix = self.path("")
        return {each.name.removeprefix(prefix): each.size for each in await self.files.entries(prefix)}

    async def verify(self, record: Record, afresh: Collection[str]) -> None:
        """Show that a backup could be fetched: all its parts are there, and these of them read as they were written."""
        there = await self.parts()
        for name, part in record.parts.items():
            if there.get(part.sha256) != part.size:
                raise Damaged(f"The part {part.sha256} of {name} is missing. Take another backup.")
        for digest in afresh:
            try:
                async for _ in proved(self.files.read(self.path(digest)), digest):
                    pass
            except Changed:
                raise Damaged(f"The part {digest} does not read as it was written. Take another backup.") from None

    async def fetch(self, record: Record, into: Path) -> None:
        """Bring all parts of a backup into a directory, under their names. Raises `Damaged`."""
        for name, part in record.parts.items():
            target = into / name
            target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                with target.open("xb") as file:
                    async for piece in proved(self.files.read(self.path(part.sha256)), part.sha256):
                        await asyncio.to_thread(file.write, piece)
            except (NoSuchFile, Changed):
                raise Damaged(
                    f"The part of {name} ({part.sha256}) is missing or damaged. Take another backup."
                ) from None

    async def thin_out(self, gone: Collection[Standing]) -> int:
        """Remove backups, then the parts that no other one has; says how many. Where a record is damaged, parts stay."""
        for backup in gone:
            await self.files.remove(backup.name)
        try:
            records = [await read(self.files, backup) for backup in await standing(self.files, self.server)]
        except Damaged:
            return 0
        needed = {self.path(part.sha256) for record in records for part in record.parts.values()}
        old = datetime.now(UTC) - IN_THE_MAKING
        there = await self.files.entries(self.path(""))
        unneeded = [each.name for each in there if each.name not in needed and each.written_at < old]
        for name in unneeded:
            await self.files.remove(name)
        if isinstance(self.files, Directory):
            await self.files.tidy()
        return len(unneeded)

    def path(self, digest: str) -> str:
        """Where a part is."""
        return f"parts/{self.server}/{digest}"


def same(entry: Entry, before: Record | None) -> Part | None:
    """The part that a file was in the last backup, if the file is still that one."""
    part = before.parts.get(f"{FILES}/{entry.name}") if before else None
    if before is None or part is None or (part.size, part.written_at) != (entry.size, entry.written_at):
        return None
    return part if entry.written_at < before.manifest.created_at - SETTLED else None


async def hashed(kept: Files, entry: Entry) -> Part:
    """The part that a file is."""
    digest, size = sha256(), 0
    async for piece in kept.read(entry.name):
        await asyncio.to_thread(digest.update, piece)
        size += len(piece)
    return Part(sha256=digest.hexdigest(), size=size, written_at=entry.written_at)


def part_of(path: Path) -> Part:
    """The part that a file of a dump is."""
    with path.open("rb") as file:
        return Part(sha256=file_digest(file, "sha256").hexdigest(), size=path.stat().st_size)


async def pieces(path: Path) -> AsyncIterator[bytes]:
    """A file of this machine."""
    with await asyncio.to_thread(path.open, "rb") as file:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece


async def proved(chunks: AsyncIterable[bytes], digest: str) -> AsyncIterator[bytes]:
    """The chunks; raises `Changed` at the end, where they are others than these."""
    found = sha256()
    async for chunk in chunks:
        await asyncio.to_thread(found.update, chunk)
        yield chunk
    if found.hexdigest() != digest:
        raise Changed


async def once(content: bytes) -> AsyncIterator[bytes]:
    """All at once."""
    yield content
