"""The shelf: what did not change is stored once, what is cut off is no backup, and what goes takes nothing of others."""

import asyncio
import json
import os
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from uuid import uuid4

import pytest

from guildhouse.config import load
from guildhouse.kernel.backing import shelf as shelves
from guildhouse.kernel.backing.dump import Manifest
from guildhouse.kernel.backing.shelf import Damaged, Shelf, Standing, read, standing
from guildhouse.kernel.files import Directory, Files, NoSuchFile
from guildhouse.kernel.storage import files_at
from tests.object_storage import BUCKET, ObjectStorage

pytestmark = pytest.mark.anyio
FIRST = datetime(2026, 11, 1, 2, 17, tzinfo=UTC)


def manifest(day: int = 0) -> Manifest:
    return Manifest(
        guildhouse="0.1.0",
        created_at=FIRST + timedelta(days=day),
        postgres="16.14",
        migration="0007",
        epoch="e",
        rows={"jobs": day},
    )


@pytest.fixture(params=["directory", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    if request.param == "directory":
        return Directory(tmp_path / "backups")
    storage: ObjectStorage = request.getfixturevalue("object_storage")
    return files_at(f"s3://{BUCKET}/{uuid4().hex}", load(**storage.settings))


@pytest.fixture
def shelf(place: Files) -> Shelf:
    return Shelf(place, "0a1b2c3d")


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A dump of two tables."""
    (tmp_path / "dump").mkdir()
    (tmp_path / "dump" / "toc.dat").write_bytes(b"what is in it")
    (tmp_path / "dump" / "3001.dat.gz").write_bytes(b"rows of jobs")
    return tmp_path / "dump"


@pytest.fixture
async def kept(tmp_path: Path) -> Directory:
    """Files of a server, written long ago."""
    kept = Directory(tmp_path / "files")
    for name, content in (("imports/a/upload", b"upload"), ("exports/b/000000", b"export"), ("same", b"upload")):
        await write(kept, name, content, age=3600 * 24 * 365)
    return kept


async def write(files: Directory, name: str, content: bytes, age: float = 0) -> None:
    await files.write(name, shelves.once(content))
    then = files.path(name).stat().st_mtime - age
    os.utime(files.path(name), (then, then))


async def test_a_backup_comes_back_as_it_was(shelf: Shelf, dump: Path, kept: Directory, tmp_path: Path) -> None:
    backup, record, new = await shelf.put(manifest(), dump, kept)
    assert await standing(shelf.files) == [backup]
    assert await read(shelf.files, backup) == record
    await shelf.verify(record, new)
    await shelf.fetch(record, tmp_path / "out")
    assert (tmp_path / "out" / "database" / "toc.dat").read_bytes() == b"what is in it"
    assert (tmp_path / "out" / "database" / "3001.dat.gz").read_bytes() == b"rows of jobs"
    assert (tmp_path / "out" / "files" / "imports" / "a" / "upload").read_bytes() == b"upload"
    assert (record.files, record.size) == (3, 13 + 12 + 6 + 6 + 6)
    assert (backup.server, backup.taken_at) == ("0a1b2c3d", FIRST)


async def test_what_is_there_already_is_not_stored_again(shelf: Shelf, dump: Path, kept: Directory) -> None:
    _, first, new = await shelf.put(manifest(), dump, kept)
    assert len(new) == 4  # two files are the same
    (dump / "3001.dat.gz").write_bytes(b"more rows of jobs")
    await write(kept, "exports/c/000000", b"another")
    await kept.remove("exports/b/000000")
    _, second, new = await shelf.put(manifest(1), dump, kept)
    assert new == {digest_of(b"more rows of jobs"), digest_of(b"another")}
    assert second.contents["files/same"] == first.contents["files/same"]
    assert "files/exports/b/000000" not in second.contents


async def test_of_a_file_that_grew_only_its_end_is_stored(
    shelf: Shelf, dump: Path, kept: Directory, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "PIECE", 1000)
    await shelf.put(manifest(), dump, kept)
    log = os.urandom(4500)
    (dump / "3002.dat.gz").write_bytes(log)
    _, record, new = await shelf.put(manifest(1), dump, kept)
    assert (len(new), len(record.contents["database/3002.dat.gz"].pieces)) == (5, 5)
    (dump / "3002.dat.gz").write_bytes(log + b"and more")
    _, record, new = await shelf.put(manifest(2), dump, kept)
    assert [record.pieces[digest] for digest in new] == [508]
    await shelf.fetch(record, tmp_path / "out")
    assert (tmp_path / "out" / "database" / "3002.dat.gz").read_bytes() == log + b"and more"


def digest_of(content: bytes) -> str:
    return sha256(content).hexdigest()


async def test_a_file_that_did_not_change_is_not_even_read(
    shelf: Shelf, dump: Path, kept: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    await shelf.put(manifest(), dump, kept)
    seen = list[str]()
    real = Directory.read

    def noted(self: Directory, name: str, offset: int = 0) -> AsyncIterator[bytes]:
        seen.append(name)
        return real(self, name, offset)

    await write(kept, "imports/a/upload", b"UPLOAD")
    monkeypatch.setattr(kept, "read", lambda name, offset=0: noted(kept, name, offset))
    _, record, _ = await shelf.put(manifest(1), dump, kept)
    assert seen == ["imports/a/upload"]
    assert record.contents["files/imports/a/upload"].size == 6


async def test_a_backup_that_is_cut_off_is_none(shelf: Shelf, dump: Path, tmp_path: Path) -> None:
    class Ends(Directory):
        async def read(self, name: str, offset: int = 0) -> AsyncIterator[bytes]:
            yield b"half"
            raise ConnectionResetError

    broken = Ends(tmp_path / "broken")
    await broken.write("a", shelves.once(b"whole"))
    with pytest.raises(ConnectionResetError):
        await shelf.put(manifest(), dump, broken)
    assert await standing(shelf.files) == []


async def test_a_file_that_goes_while_it_is_read_is_left_out(shelf: Shelf, dump: Path, tmp_path: Path) -> None:
    class Going(Directory):
        async def read(self, name: str, offset: int = 0) -> AsyncIterator[bytes]:
            raise NoSuchFile
            yield b""

    going = Going(tmp_path / "going")
    await going.write("a", shelves.once(b"x"))
    _, record, new = await shelf.put(manifest(), dump, going)
    assert record.files == 0
    await shelf.verify(record, new)


async def test_what_goes_takes_only_what_nobody_else_needs(
    shelf: Shelf, dump: Path, kept: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "IN_THE_MAKING", timedelta(days=-1))
    first, _, _ = await shelf.put(manifest(), dump, kept)
    (dump / "3001.dat.gz").write_bytes(b"more rows of jobs")
    second, record, _ = await shelf.put(manifest(1), dump, kept)
    other = Shelf(shelf.files, "ffffffff")
    theirs, their_record, _ = await other.put(manifest(), dump, kept)
    for stranger in ("letter.txt", "records/0a1b2c3d/mine.json", "pieces/notes"):
        await shelf.files.write(stranger, shelves.once(b"of somebody else"))
    assert await shelf.thin_out([first]) == 1
    assert await standing(shelf.files, "0a1b2c3d") == [second]
    assert await standing(shelf.files) == [theirs, second]
    await shelf.verify(record, record.pieces)
    await other.verify(their_record, their_record.pieces)
    assert {"letter.txt", "records/0a1b2c3d/mine.json", "pieces/notes"} <= set(await shelf.files.names())


async def test_pieces_of_today_stay_they_may_be_of_a_backup_that_is_being_taken(
    shelf: Shelf, dump: Path, kept: Directory
) -> None:
    first, record, _ = await shelf.put(manifest(), dump, kept)
    assert await shelf.thin_out([first]) == 0
    await shelf.verify(record, ())


async def test_where_a_record_is_damaged_no_piece_goes(
    shelf: Shelf, dump: Path, kept: Directory, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelves, "IN_THE_MAKING", timedelta(days=-1))
    first, _, _ = await shelf.put(manifest(), dump, kept)
    second, record, _ = await shelf.put(manifest(1), dump, kept)
    await shelf.files.write(second.name, shelves.once(b"{}"))
    assert await shelf.thin_out([first]) == 0
    await shelf.verify(record, ())
    with pytest.raises(Damaged, match=f"The record {second.short} is damaged"):
        await read(shelf.files, second)


@pytest.mark.parametrize("damage", ["cut", "altered", "gone"])
async def test_a_damaged_piece_is_found(shelf: Shelf, dump: Path, kept: Directory, tmp_path: Path, damage: str) -> None:
    _, record, new = await shelf.put(manifest(), dump, kept)
    path = shelf.path(record.contents["files/imports/a/upload"].pieces[0].sha256)
    if damage == "gone":
        await shelf.files.remove(path)
    else:
        await shelf.files.write(path, shelves.once(b"uplo" if damage == "cut" else b"UPLOAD"))
    with pytest.raises(Damaged):
        await shelf.verify(record, new)
    with pytest.raises(Damaged):
        await shelf.fetch(record, tmp_path / "out")


async def test_a_record_that_leads_elsewhere_is_refused(shelf: Shelf, dump: Path, kept: Directory) -> None:
    _, record, _ = await shelf.put(manifest(), dump, kept)
    for name in ("files/../../escaped", "/tmp/escaped", "files/.hidden", "database", "other/a"):
        content = json.loads(record.model_dump_json())
        content["contents"][name] = content["contents"].pop("files/same", next(iter(content["contents"].values())))
        text = json.dumps(content).encode()
        forged = Standing(f"records/0a1b2c3d/20261101T021700Z-{sha256(text).hexdigest()[:16]}.json")
        await shelf.files.write(forged.name, shelves.once(text))
        with pytest.raises(Damaged, match="does not know"):
            await read(shelf.files, forged)


async def test_two_of_one_second_both_stand(shelf: Shelf, dump: Path, kept: Directory) -> None:
    one, _, _ = await shelf.put(manifest(), dump, kept)
    (dump / "3001.dat.gz").write_bytes(b"others")
    two, _, _ = await shelf.put(manifest(), dump, kept)
    await asyncio.sleep(0)
    assert {each.name for each in await standing(shelf.files)} == {one.name, two.name}
