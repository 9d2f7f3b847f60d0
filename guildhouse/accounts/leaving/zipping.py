"""Zipping: a ZIP archive that leaves as it is made, with the size and the SHA-256 of every file in it."""

import asyncio
import re
from collections.abc import AsyncIterable, AsyncIterator
from datetime import datetime
from hashlib import sha256
from typing import IO, Any, cast
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo


class Sink:
    """What was written and not yet taken."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []

    def write(self, piece: bytes) -> int:
        """Keep a piece."""
        self.pieces.append(bytes(piece))
        return len(piece)

    def flush(self) -> None:
        """Nothing waits anywhere else."""

    def take(self) -> bytes:
        """What came since the last time."""
        taken, self.pieces = b"".join(self.pieces), []
        return taken


class Zipping:
    """An archive in the making, of one time. `entries` are the files that are in it."""

    def __init__(self, at: datetime) -> None:
        self.sink = Sink()
        self.zip = ZipFile(cast("IO[bytes]", self.sink), "w", ZIP_DEFLATED)
        self.at = at.timetuple()[:6]
        self.entries: list[dict[str, Any]] = []

    async def put(self, path: str, pieces: AsyncIterable[bytes], *, large: bool = False) -> AsyncIterator[bytes]:
        """One file of the archive; what it adds to the archive comes out at once."""
        info, size, digest = ZipInfo(path, self.at), 0, sha256()
        info.compress_type, info.external_attr = ZIP_DEFLATED, 0o600 << 16
        with self.zip.open(info, "w", force_zip64=large) as file:
            async for piece in pieces:
                size += len(piece)
                digest.update(piece)
                await asyncio.to_thread(file.write, piece)
                yield self.sink.take()
        self.entries.append({"path": path, "size": size, "sha256": digest.hexdigest()})
        yield self.sink.take()

    def close(self) -> bytes:
        """The end of the archive."""
        self.zip.close()
        return self.sink.take()


async def only(content: bytes) -> AsyncIterator[bytes]:
    """A file that is there as a whole."""
    yield content


def safe_name(name: str) -> str:
    """A file's name as any system takes it: no way up, nothing hidden, no signs with a meaning."""
    return re.sub(r"[^\w.-]+", "_", name).strip("._")[-100:] or "file"
