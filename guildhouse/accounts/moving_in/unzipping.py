"""Unzipping: a take-out that somebody brings, read with suspicion. Nothing is written by the names in it, nothing trusted.

All of it is checked before anything is used: sizes before bytes, every file against the manifest's SHA-256.
"""

import re
import struct
import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Literal

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError

from guildhouse.kernel.errors import Fault, Invalid
from guildhouse.kernel.formats import OWN_VERSION
from guildhouse.kernel.shapes import Id

PIECE = 1 << 20
MANIFEST = "manifest.json"
MOST_FILES = 20_000
LARGEST_UNPACKED = 2 << 30  # bytes of all files together; what is not loaded is only checked
LARGEST_DATA = 64 << 20  # bytes of the rows, which are held in memory
LARGEST_MANIFEST = 8 << 20
DATA = re.compile(r"(?:data|trash)/([a-z][a-z-]{0,60})\.guildhouse\.ndjson")

# What the reader of archives says of one that is none.
BROKEN = (
    zipfile.BadZipFile, zlib.error, struct.error, OSError, ValueError, RuntimeError, EOFError, LookupError, OverflowError,
)  # fmt: skip

FAULTS = {
    "broken-archive": "this is no whole ZIP archive; it may have been cut off on its way",
    "encrypted": "files in it are locked with a password",
    "too-many-files": "it has more files than any take-out",
    "unpacks-too-large": "it unpacks to more than any take-out",
    "path-outside": "the name of a file in it leads out of the archive, or comes twice",
    "no-manifest": "it has no manifest.json of a take-out in a version that is known here",
    "unlisted": "it has other files than its manifest says",
    "wrong-checksum": "a file in it is not the one that its manifest speaks of: it was altered, or damaged",
    "broken-rows": "its rows are not in the house's own format",
}


class ArchiveRefused(Invalid):
    """This archive cannot be loaded, and nothing of it was; `errors` says why. Get the take-out anew where it was made."""


def refused(code: str) -> ArchiveRefused:
    """The refusal for one of the reasons."""
    return ArchiveRefused(faults=[Fault("", code, FAULTS[code])])


class Whose(BaseModel):
    """The person of a take-out, as its manifest names them."""

    model_config = ConfigDict(strict=True)
    id: Id
    name: str
    email: str


class Entry(BaseModel):
    """A file of a take-out, as its manifest names it."""

    model_config = ConfigDict(strict=True)
    path: str
    size: int
    sha256: str


class Manifest(BaseModel):
    """What an archive says of itself. Other things that it says are left aside."""

    model_config = ConfigDict(strict=True)
    guildhouse_takeout: Literal[1]
    person: Whose
    server: dict[str, Any]
    made_at: str
    files: list[Entry]


@dataclass(frozen=True)
class Brought:
    """A take-out that was checked: its manifest, and of each noun the files with its rows, those in the trash last."""

    manifest: Manifest
    nouns: Mapping[str, Sequence["Brings"]]


@dataclass(frozen=True)
class Brings:
    """A file with rows of a noun: its path, what its first line says, and the rows."""

    path: str
    about: Mapping[str, Any]
    rows: list[Any]


def is_takeout(path: Path) -> bool:
    """Whether a file looks like a take-out at all."""
    try:
        with zipfile.ZipFile(path) as archive:
            return MANIFEST in archive.namelist()
    except BROKEN:
        return False


def is_cut(path: Path) -> bool:
    """Whether a file is the beginning of an archive, whose end says what is in it."""
    return path.suffix == ".zip" and not zipfile.is_zipfile(path)


def read_archive(path: Path) -> Brought:
    """The whole of a take-out that can be trusted to be what its manifest says. Raises `ArchiveRefused`."""
    try:
        with zipfile.ZipFile(path) as archive:
            check_entries(archive.infolist())
            manifest = manifest_of(archive)
            check_files(archive, manifest)
            return Brought(manifest, nouns_of(archive, manifest))
    except BROKEN as error:
        raise refused("broken-archive") from error


def check_entries(entries: list[zipfile.ZipInfo]) -> None:
    """Raise for what no take-out has, told by the directory of the archive alone."""
    if len(entries) > MOST_FILES:
        raise refused("too-many-files")
    if sum(each.file_size for each in entries) > LARGEST_UNPACKED:
        raise refused("unpacks-too-large")
    if any(each.flag_bits & 1 for each in entries):
        raise refused("encrypted")
    if any(each.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED) for each in entries):
        raise refused("broken-archive")
    names = [each.filename for each in entries]
    if len(set(names)) < len(names) or not all(is_inside(name) for name in names):
        raise refused("path-outside")


def is_inside(name: str) -> bool:
    """Whether a name leads to a place in the archive, on every system."""
    return not re.search(r"(^|/)(\.\.?)?(/|$)|[\\:\0]", name)


def manifest_of(archive: zipfile.ZipFile) -> Manifest:
    """The manifest, if it is one."""
    try:
        if archive.getinfo(MANIFEST).file_size > LARGEST_MANIFEST:
            raise refused("no-manifest")
        return Manifest.model_validate_json(archive.read(MANIFEST))
    except (KeyError, ValidationError) as error:
        raise refused("no-manifest") from error


def check_files(archive: zipfile.ZipFile, manifest: Manifest) -> None:
    """Raise unless the archive has the files of its manifest, no others, and each to the byte."""
    listed = {each.path: each for each in manifest.files}
    if listed.keys() != {each.filename for each in archive.infolist()} - {MANIFEST}:
        raise refused("unlisted")
    for info in archive.infolist():
        if info.filename in listed:
            entry = listed[info.filename]
            if info.file_size != entry.size or digest_of(archive, info) != entry.sha256:
                raise refused("wrong-checksum")


def digest_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> str:
    """The SHA-256 of a file, of which never more is unpacked than the archive's directory says."""
    digest, left = sha256(), info.file_size
    with archive.open(info) as file:
        while piece := file.read(min(PIECE, left + 1)):
            left -= len(piece)
            if left < 0:
                raise refused("wrong-checksum")
            digest.update(piece)
    return digest.hexdigest()


def nouns_of(archive: zipfile.ZipFile, manifest: Manifest) -> dict[str, list[Brings]]:
    """The files with rows of each noun."""
    found = [(match[1], each) for each in manifest.files if (match := DATA.fullmatch(each.path))]
    if sum(each.size for _, each in found) > LARGEST_DATA:
        raise refused("unpacks-too-large")
    nouns: dict[str, list[Brings]] = {}
    for noun, entry in sorted(found, key=lambda each: each[1].path):
        try:
            about, *rows = [orjson.loads(line) for line in archive.read(entry.path).splitlines()]
        except ValueError as error:
            raise refused("broken-rows") from error
        if not all(isinstance(each, dict) for each in (about, *rows)) or about.get("guildhouse") != OWN_VERSION:
            raise refused("broken-rows")
        nouns.setdefault(noun, []).append(Brings(entry.path, about, rows))
    return nouns
