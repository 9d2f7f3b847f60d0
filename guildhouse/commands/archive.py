"""The archive: a backup is one tar file that says what is in it, and proves it.

    manifest.json     what was backed up, see `Manifest`
    database.dump     of pg_dump, in its own compressed format (-Fc)
    files/...         the server's files
    SHA256SUMS        of all of the above, as `sha256sum -c` reads it; the last member, so that nothing was cut off

It holds the server's secrets as well: only its owner may read it.
"""

import asyncio
import os
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import sha256
from io import BytesIO
from pathlib import Path, PurePosixPath
from typing import IO

from pydantic import ValidationError

from guildhouse.kernel.backing.dump import Manifest
from guildhouse.kernel.backing.shelf import FILES, Damaged
from guildhouse.kernel.files import Files, NoSuchFile

MANIFEST, DUMP, SUMS = "manifest.json", "database.dump", "SHA256SUMS"


class Summing:
    """A file whose digest is known once it has been read."""

    def __init__(self, file: IO[bytes]) -> None:
        self.file, self.digest = file, sha256()

    def read(self, size: int = -1) -> bytes:
        """The next bytes."""
        data = self.file.read(size)
        self.digest.update(data)
        return data


async def write(place: Path, manifest: Manifest, dump: Path, files: Files) -> None:
    """Write an archive of a manifest, a dump and all files; all of it is on the disk in the end."""
    with os.fdopen(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        with tarfile.open(fileobj=file, mode="w") as tar:
            sums = [add_text(tar, MANIFEST, manifest.model_dump_json(indent=2))]
            sums.append(await asyncio.to_thread(add_file, tar, DUMP, dump))
            for name in await files.names():
                with suppress(NoSuchFile):  # removed since it was listed
                    async with files.lent(name) as path:
                        sums.append(await asyncio.to_thread(add_file, tar, f"{FILES}/{name}", path))
            add_text(tar, SUMS, "".join(sums))
        file.flush()
        await asyncio.to_thread(os.fsync, file.fileno())


def add_file(tar: tarfile.TarFile, name: str, source: Path) -> str:
    """Put a file into the archive; its line of `SHA256SUMS`."""
    with source.open("rb") as content:
        return add(tar, name, content, source.stat().st_size)


def add_text(tar: tarfile.TarFile, name: str, text: str) -> str:
    """Put a text into the archive; its line of `SHA256SUMS`."""
    return add(tar, name, BytesIO(text.encode()), len(text.encode()))


def add(tar: tarfile.TarFile, name: str, content: IO[bytes], size: int) -> str:
    """Put a member into the archive; its line of `SHA256SUMS`."""
    info = tarfile.TarInfo(name)
    info.size, info.mode = size, 0o600
    summing = Summing(content)
    tar.addfile(info, summing)
    return f"{summing.digest.hexdigest()}  {name}\n"


def unpack(place: Path, into: Path) -> Manifest:
    """Unpack an archive, and prove that it is whole. Raises `Damaged`; then nothing of `into` may be used."""
    try:
        with tarfile.open(place, mode="r:") as tar:
            found = dict(unpacked(tar, into))
        check_sums(place, found, into)
        return Manifest.model_validate_json((into / MANIFEST).read_bytes())
    except ValidationError as error:
        raise Damaged(f"{place} is of a format that this version of Guildhouse does not know: {error}") from error
    except (tarfile.TarError, EOFError, UnicodeError) as error:
        raise Damaged(f"{place} is no backup, or it is damaged: {error}. Take another one.") from error


def unpacked(tar: tarfile.TarFile, into: Path) -> Iterator[tuple[str, str]]:
    """Unpack one member after the other, each with the digest that it has."""
    for member in tar:
        place = PurePosixPath(member.name)
        expected = member.name in (MANIFEST, DUMP, SUMS) or place.parts[:1] == (FILES,)
        if not member.isreg() or not expected or ".." in place.parts:
            raise Damaged(f"There is something in the archive that no backup holds: {member.name}. Take another one.")
        content = tar.extractfile(member)
        assert content is not None
        target = into / place
        target.parent.mkdir(parents=True, exist_ok=True)
        summing = Summing(content)
        with target.open("wb") as file:
            while piece := summing.read(1 << 20):
                file.write(piece)
        yield member.name, summing.digest.hexdigest()


def check_sums(place: Path, found: Mapping[str, str], into: Path) -> None:
    """Raise `Damaged` unless each member has the digest that was written down for it, and none is missing or new."""
    if SUMS not in found:
        raise Damaged(f"{place} ends too early: {SUMS} is missing. Copy it anew, or take another one.")
    lines = (into / SUMS).read_text().splitlines()
    written = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    wrong = [name for name in {**written, **found} if name != SUMS and found.get(name) != written.get(name)]
    if wrong or not {MANIFEST, DUMP} <= written.keys():
        raise Damaged(f"{place} is damaged: {', '.join(wrong) or 'the dump is missing'}. Take another one.")
