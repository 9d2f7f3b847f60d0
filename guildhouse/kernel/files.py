"""Files: where the house keeps what is too large for a row. One small protocol, and a directory that keeps it.

A file is written whole or not at all, and never changed: what `write` has answered for is on the disk.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterable, AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from stat import S_ISREG
from typing import IO, Protocol

from guildhouse.kernel.errors import NotFound, Problem
from guildhouse.kernel.ids import as_id, made_at

PIECE = 1 << 20  # bytes that are written, or read, at a time
SEGMENT = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,99}")  # starts with no dot: those are the ones being written
DEEPEST = 6
BESIDE = re.compile(r"\.[0-9a-f]{16}")  # what a file is called until it is whole


class NoSuchFile(NotFound):
    """There is no file of this name; it may have been removed meanwhile."""


class FilesOutOfReach(Problem):
    """The place where files are kept cannot be reached just now. Try again in a moment."""

    status = 503
    retryable = True

    def __init__(self, reason: str = "") -> None:
        super().__init__(headers={"Retry-After": "5"})
        self.reason = reason  # for whoever runs the server: it names the place


class WrongFileName(ValueError):
    """A name that could lead out of the place where files are kept."""


@dataclass(frozen=True, slots=True)
class Stored:
    """A file that was written: its bytes, and their SHA-256 in hexadecimal."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A file that is kept: its name, its bytes, and when it was written."""

    name: str
    size: int
    written_at: datetime


class Files(Protocol):
    """Where files are kept. A name reads `imports/<id>/upload`: segments of letters, digits, `.`, `_` and `-`."""

    async def write(self, name: str, chunks: AsyncIterable[bytes]) -> Stored:
        """Keep these bytes under a name, in place of what it had; durable when it returns, nothing when it raises."""

    def read(self, name: str, offset: int = 0) -> AsyncIterator[bytes]:
        """The bytes from `offset` on, in pieces. Raises `NoSuchFile`."""

    async def entry(self, name: str) -> Entry:
        """What is known of a file. Raises `NoSuchFile`."""

    def lent(self, name: str) -> AbstractAsyncContextManager[Path]:
        """The file as a path of this machine for as long as the block lasts, to be read only. Raises `NoSuchFile`."""

    async def remove(self, name: str) -> None:
        """Remove a file; one that is not there is no error."""

    async def entries(self, prefix: str = "") -> list[Entry]:
        """The files whose names start so, in the order of their names."""

    async def names(self, prefix: str = "") -> list[str]:
        """The names that start so, in order."""

    async def check(self) -> None:
        """Raise `FilesOutOfReach` where files cannot be looked for just now."""


async def aged(files: Files, noun: str) -> list[tuple[str, str]]:
    """The names of a noun's files whose row was made, or was to be made, more than a day ago, each with the id of the row.

    To be asked before the rows are: what is written meanwhile is not among these. Those without a row were left behind
    when a server was killed.
    """
    before = datetime.now(UTC) - timedelta(days=1)
    owners = [(name, as_id(name.split("/")[1])) for name in await files.names(f"{noun}/")]
    return [(name, owner) for name, owner in owners if owner and made_at(owner) < before]


def checked_name(name: str) -> str:
    """The name, if it is one: no way up, no hidden file, nothing that a file system reads differently."""
    segments = name.split("/")
    if len(segments) > DEEPEST or not all(SEGMENT.fullmatch(each) for each in segments):
        raise WrongFileName(name[:200])
    return name


class Directory:
    """Files in a directory of this machine that only the server's own account can enter. Made when it is first needed."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def path(self, name: str) -> Path:
        """Where a file of this name is, or would be."""
        return self.root / checked_name(name)

    async def write(self, name: str, chunks: AsyncIterable[bytes]) -> Stored:
        """Written beside its place, flushed to the disk, then moved there, and the move flushed, too."""
        path = self.path(name)
        beside = path.with_name(f".{token_hex(8)}")
        file = await asyncio.to_thread(opened_new, self.root, beside)
        try:
            with file:
                stored = await poured(file, chunks)
            await asyncio.to_thread(beside.replace, path)
        except BaseException:
            beside.unlink(missing_ok=True)  # at once: the task may be cancelled, and nothing may wait here
            raise
        await asyncio.to_thread(flush_directories, path.parent, self.root)
        return stored

    async def read(self, name: str, offset: int = 0) -> AsyncIterator[bytes]:
        """The bytes from `offset` on."""
        file = await asyncio.to_thread(opened, self.path(name))
        with file:
            file.seek(offset)
            while piece := await asyncio.to_thread(file.read, PIECE):
                yield piece

    async def entry(self, name: str) -> Entry:
        """What the file system says of a file."""
        found = await asyncio.to_thread(entry_of, self.path(name), self.root)
        if found is None:
            raise NoSuchFile
        return found

    @asynccontextmanager
    async def lent(self, name: str) -> AsyncIterator[Path]:
        """The file itself."""
        await self.entry(name)
        yield self.path(name)

    async def remove(self, name: str) -> None:
        """Remove a file, and what is left empty above it."""
        await asyncio.to_thread(removed, self.path(name), self.root)

    async def entries(self, prefix: str = "") -> list[Entry]:
        """The files whose names start so; what is being written just now has no name yet."""
        within = self.root / prefix.rpartition("/")[0]
        found = await asyncio.to_thread(lambda: [entry_of(path, self.root) for path in within.rglob("[!.]*")])
        return sorted((each for each in found if each and each.name.startswith(prefix)), key=lambda each: each.name)

    async def names(self, prefix: str = "") -> list[str]:
        """The names that start so, in order."""
        return [each.name for each in await self.entries(prefix)]

    async def check(self) -> None:
        """A directory is where it is: the first write makes it."""

    async def tidy(self, prefix: str, before: datetime) -> None:
        """Remove what writers left behind that were killed, under a prefix and since before then."""
        for path in await asyncio.to_thread(lambda: [*(self.root / prefix).rglob(".*")]):
            left = entry_of(path, self.root)
            if left and left.written_at < before and BESIDE.fullmatch(path.name):
                path.unlink(missing_ok=True)


def entry_of(path: Path, root: Path) -> Entry | None:
    """A file as it is listed; None for a directory, and for a file that has just gone."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    if not S_ISREG(found.st_mode):
        return None
    return Entry(path.relative_to(root).as_posix(), found.st_size, datetime.fromtimestamp(found.st_mtime, UTC))


def opened_new(root: Path, path: Path) -> IO[bytes]:
    """A new file for the server's own account, with the directories above it."""
    for directory in [root, *reversed([each for each in path.parents if root in each.parents])]:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb", buffering=0)


def opened(path: Path) -> IO[bytes]:
    """An existing file, to read."""
    try:
        return path.open("rb")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NoSuchFile from error


async def poured(file: IO[bytes], chunks: AsyncIterable[bytes]) -> Stored:
    """Write the chunks as they come, in larger pieces, and flush them to the disk."""
    digest, size, waiting = sha256(), 0, bytearray()

    def write() -> None:
        digest.update(waiting)
        view = memoryview(waiting)
        while view:
            view = view[file.write(view) :]

    async for chunk in chunks:
        size += len(chunk)
        waiting += chunk
        if len(waiting) >= PIECE:
            await asyncio.to_thread(write)
            waiting = bytearray()
    await asyncio.to_thread(write)
    await asyncio.to_thread(os.fsync, file.fileno())
    return Stored(size, digest.hexdigest())


def flush_directories(directory: Path, root: Path) -> None:
    """Make the entries of these directories durable: a file whose name is lost is lost."""
    for each in (directory, *directory.parents):
        flush_directory(each)
        if each == root.parent:
            return


def flush_directory(directory: Path) -> None:
    """Make what was named, renamed and removed in a directory survive a power cut."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def removed(path: Path, root: Path) -> None:
    """Remove a file and the directories that it leaves empty, or with what a killed process had begun to write only."""
    path.unlink(missing_ok=True)
    beside: list[Path] = []
    with suppress(FileNotFoundError):  # whoever removed the last file beside it was quicker
        beside = [Path(each) for each in os.scandir(path.parent)] if path.parent != root else []
    if all(each.name.startswith(".") for each in beside):
        for each in beside:
            each.unlink(missing_ok=True)
    for directory in path.parents:
        if directory == root or root not in directory.parents:
            return
        try:
            directory.rmdir()
        except OSError:  # something else is in there
            return
