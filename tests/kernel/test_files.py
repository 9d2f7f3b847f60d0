"""Files: kept whole or not at all, for the server alone, under names that lead nowhere else."""

import asyncio
import os
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import obstore
import pytest

from guildhouse.config import ConfigError, load
from guildhouse.kernel import files
from guildhouse.kernel.bucket import PART, Bucket
from guildhouse.kernel.files import Directory, Files, FilesOutOfReach, NoSuchFile, Stored, WrongFileName
from guildhouse.kernel.storage import files_at, prove
from tests.cast import Cast
from tests.object_storage import BUCKET, SECRET, ObjectStorage

pytestmark = pytest.mark.anyio


@pytest.fixture
def kept(tmp_path: Path) -> Directory:
    return Directory(tmp_path / "data" / "files")


@pytest.fixture(params=["directory", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Files:
    """Either place where files can be kept: what is promised of one is promised of the other."""
    if request.param == "directory":
        return Directory(tmp_path / "data" / "files")
    storage: ObjectStorage = request.getfixturevalue("object_storage")
    return files_at(f"s3://{BUCKET}/{uuid4().hex}", load(**storage.settings))


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def whole(kept: Files, name: str, offset: int = 0) -> bytes:
    return b"".join([piece async for piece in kept.read(name, offset)])


async def test_a_file_comes_back_as_it_was_written(place: Files) -> None:
    content = os.urandom(3 * files.PIECE + 17)
    stored = await place.write("imports/a/upload", pieces(content[:100], b"", content[100:]))
    assert stored == Stored(len(content), sha256(content).hexdigest())
    assert await whole(place, "imports/a/upload") == content
    assert await whole(place, "imports/a/upload", 5_000) == content[5_000:]
    assert await whole(place, "imports/a/upload", len(content)) == b""
    async with place.lent("imports/a/upload") as path:
        assert path.read_bytes() == content


async def test_a_second_write_takes_the_place_of_the_first(place: Files) -> None:
    await place.write("one", pieces(b"first, and longer"))
    await place.write("one", pieces(b"second"))
    assert (await whole(place, "one"), await place.names()) == (b"second", ["one"])


async def test_only_the_server_itself_can_look_inside(kept: Directory) -> None:
    await kept.write("imports/a/upload", pieces(b"x"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in kept.root.rglob("*")}
    assert (modes, kept.root.stat().st_mode & 0o777) == ({"imports": 0o700, "a": 0o700, "upload": 0o600}, 0o700)


async def test_what_breaks_off_leaves_nothing_and_spoils_nothing(place: Files) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * (2 * PART + 5)
        raise ConnectionResetError

    await place.write("imports/a/upload", pieces(b"good"))
    for name in ("imports/a/upload", "imports/b/upload"):
        with pytest.raises(ConnectionResetError):
            await place.write(name, broken())
    assert await whole(place, "imports/a/upload") == b"good"
    assert await place.names() == ["imports/a/upload"]
    if isinstance(place, Directory):
        assert [path.name for path in place.root.rglob("*") if path.is_file()] == ["upload"]


async def test_a_write_that_nobody_waits_for_any_more_leaves_nothing(place: Files) -> None:
    begun = asyncio.Event()

    async def endless() -> AsyncIterator[bytes]:
        yield b"x" * (2 * PART + 5)
        begun.set()
        await asyncio.sleep(600)

    writing = asyncio.create_task(place.write("imports/a/upload", endless()))
    await asyncio.wait_for(begun.wait(), 10)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    assert await place.names() == []


async def test_an_entry_tells_size_and_time(place: Files) -> None:
    before = datetime.now(UTC) - timedelta(seconds=2)
    await place.write("imports/a/upload", pieces(b"12", b"345"))
    entry = await place.entry("imports/a/upload")
    assert (entry.name, entry.size) == ("imports/a/upload", 5)
    assert before < entry.written_at < datetime.now(UTC) + timedelta(seconds=2)
    assert await place.entries("imports") == [entry]
    with pytest.raises(NoSuchFile):
        await place.entry("imports/a")


async def test_a_place_shows_that_it_can_be_used_and_keeps_nothing_of_it(place: Files) -> None:
    await prove(place)
    assert await place.names() == []


async def test_files_of_many_parts_come_back_whole_from_any_place_in_them(place: Files) -> None:
    content = os.urandom(2 * PART + 12_345)
    stored = await place.write("big", pieces(*(content[n : n + 700_001] for n in range(0, len(content), 700_001))))
    assert stored == Stored(len(content), sha256(content).hexdigest())
    for offset in (0, PART - 1, PART, 2 * PART + 1, len(content) - 1):
        assert await whole(place, "big", offset) == content[offset:]
    await place.write("empty", pieces())
    assert (await whole(place, "empty"), (await place.entry("empty")).size) == (b"", 0)


async def test_a_lent_copy_is_gone_afterwards_and_the_file_is_not(place: Files) -> None:
    await place.write("a", pieces(b"kept"))
    async with place.lent("a") as path:
        assert path.read_bytes() == b"kept"
    assert isinstance(place, Directory) or not path.parent.exists()
    assert await whole(place, "a") == b"kept"


async def test_what_a_killed_writer_left_is_tidied_away_and_nothing_else(kept: Directory) -> None:
    await kept.write("pieces/a/upload", pieces(b"x"))
    for name in ("pieces/a/.0123456789abcdef", "pieces/a/.gitignore", "other/.0123456789abcdef"):
        (kept.root / name).parent.mkdir(exist_ok=True)
        (kept.root / name).write_bytes(b"half")
    await kept.tidy("pieces/", datetime.now(UTC) - timedelta(hours=1))
    assert len([path for path in kept.root.rglob("*") if path.is_file()]) == 4  # somebody may be writing it just now
    await kept.tidy("pieces/", datetime.now(UTC) + timedelta(hours=1))
    left = {path.relative_to(kept.root).as_posix() for path in kept.root.rglob("*") if path.is_file()}
    assert left == {"pieces/a/upload", "pieces/a/.gitignore", "other/.0123456789abcdef"}


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"s3_secret": "wrong"}, "refuses the key for the bucket guild"),
        ({"s3_key": "guild:eve"}, "refuses the key for the bucket guild"),
        ({"s3_endpoint": "http://127.0.0.1:1"}, "http://127.0.0.1:1 cannot be reached. Start it, or correct"),
    ],
)
async def test_why_a_bucket_is_out_of_reach_is_said_without_its_secret(
    object_storage: ObjectStorage, wrong: dict[str, str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    files = files_at(f"s3://{BUCKET}/x", load(**{**object_storage.settings, **wrong}))
    for attempt in (files.check(), files.write("a", pieces(b"x")), whole(files, "a"), files.remove("a")):
        with pytest.raises(FilesOutOfReach) as refused:
            await attempt
        assert words in refused.value.reason
    assert SECRET not in capsys.readouterr().err


async def test_a_missing_bucket_is_told_from_a_missing_file(object_storage: ObjectStorage) -> None:
    files = files_at("s3://elsewhere", load(**object_storage.settings))
    for attempt in (files.check(), files.write("a", pieces(b"x")), whole(files, "a"), files.entry("a")):
        with pytest.raises(FilesOutOfReach) as refused:
            await attempt
        assert "has no bucket elsewhere. Make it there" in refused.value.reason


async def test_a_file_that_is_replaced_while_it_is_read_is_not_mixed_with_the_new_one(
    object_storage: ObjectStorage,
) -> None:
    files = files_at(f"s3://{BUCKET}/{uuid4().hex}", load(**object_storage.settings))
    await files.write("a", pieces(b"x" * (PART + 1)))
    reading = files.read("a")
    assert await anext(reading) == b"x" * PART
    await files.write("a", pieces(b"y" * (PART + 1)))
    with pytest.raises(FilesOutOfReach):
        await anext(reading)


async def test_what_others_keep_in_a_bucket_is_none_of_ours(object_storage: ObjectStorage) -> None:
    files = files_at(f"s3://{BUCKET}/{uuid4().hex}", load(**object_storage.settings))
    assert isinstance(files, Bucket)
    for name in ("a b.txt", "imports/ünïcode", "imports/.hidden", "imports/a/b/c/d/e/f/g"):
        await asyncio.to_thread(obstore.put, files.store, name, b"theirs")
    await files.write("imports/mine", pieces(b"x"))
    assert await files.names() == await files.names("imports/") == ["imports/mine"]
    beside = files_at(f"s3://{BUCKET}/elsewhere", load(**object_storage.settings))
    assert "imports/mine" not in await beside.names()


async def test_many_files_are_listed_page_after_page(object_storage: ObjectStorage) -> None:
    files = files_at(f"s3://{BUCKET}/{uuid4().hex}", load(**object_storage.settings))
    names = [f"many/{number:03}" for number in range(65)]
    await asyncio.gather(*(files.write(name, pieces(b"x")) for name in names))
    assert await files.names("many/") == names
    assert await files.names("many/06") == names[-5:]


async def test_many_writes_and_reads_at_once_stay_apart(place: Files) -> None:
    contents = {f"at-once/{number}": os.urandom(2000 + number) for number in range(24)}
    await asyncio.gather(*(place.write(name, pieces(content)) for name, content in contents.items()))
    found = await asyncio.gather(*(whole(place, name) for name in contents))
    assert found == list(contents.values())
    await asyncio.gather(*(place.remove(name) for name in contents))
    assert await place.names() == []


async def test_writes_wait_for_nobody_whose_chunks_are_made_in_threads(object_storage: ObjectStorage) -> None:
    files = files_at(f"s3://{BUCKET}/{uuid4().hex}", load(**object_storage.settings))

    async def copied(name: str) -> AsyncIterator[bytes]:
        async for chunk in files.read(name):
            yield await asyncio.to_thread(bytes.upper, chunk)

    await files.write("a", pieces(b"x" * 1000))
    async with asyncio.timeout(30):
        await asyncio.gather(*(files.write(f"copies/{n}", copied("a")) for n in range(40)))
    assert await whole(files, "copies/39") == b"X" * 1000
    assert len(await files.names("copies/")) == 40


async def test_storage_that_stops_in_the_middle_of_a_write_is_told_and_nothing_is_kept(tmp_path: Path) -> None:
    storage, over = ObjectStorage(tmp_path), asyncio.Event()

    async def slow() -> AsyncIterator[bytes]:
        yield b"x" * (2 * PART)
        over.set()
        await asyncio.sleep(0.2)
        for _ in range(4):
            yield b"x" * PART

    with storage.at_work():
        files = files_at(f"s3://{BUCKET}", load(**storage.settings))
        writing = asyncio.create_task(files.write("a", slow()))
        await asyncio.wait_for(over.wait(), 20)
    with pytest.raises(FilesOutOfReach):
        await writing
    with storage.at_work():
        assert await files.names() == []
        await files.write("a", pieces(b"again"))
        assert await whole(files, "a") == b"again"


def test_settings_of_places_are_checked_in_words() -> None:
    for given, words in (
        ({"files": "s3://Bad_Name"}, "neither a directory nor a bucket"),
        ({"files": "ftp://host/x"}, "neither a directory nor a bucket"),
        ({"backups": "s3://bucket"}, "a bucket needs GUILDHOUSE_S3_KEY and GUILDHOUSE_S3_SECRET"),
        ({"s3_endpoint": "host:9000"}, "write it as https://host"),
        ({"s3_endpoint": "http://ada:secret@host"}, "write it as https://host"),
        ({"backup_schedule": "daily"}, "not five fields of cron"),
        ({"backup_schedule": "61 * * * *"}, "not five fields of cron"),
        ({"backup_schedule": "0 0 30 2 *"}, "`0 0 30 2 *` never comes"),
        ({"backup_keep": "7 days"}, "`7 days` is no rule"),
    ):
        with pytest.raises(ConfigError) as refused:
            load(**given)
        assert words in str(refused.value) and "ada:secret@" not in str(refused.value)
    assert load(files="", s3_secret="").files is None


async def test_everything_is_flushed_before_the_write_answers(kept: Directory, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed = list[Path]()
    real = os.fsync

    def noted(number: int) -> None:
        flushed.append(Path(f"/proc/self/fd/{number}").readlink())
        real(number)

    monkeypatch.setattr(os, "fsync", noted)
    await kept.write("imports/a/upload", pieces(b"x"))
    file, *directories = flushed
    assert file.parent == kept.root / "imports" / "a"
    assert directories == [kept.root / "imports" / "a", kept.root / "imports", kept.root, kept.root.parent]


@pytest.mark.parametrize(
    "name",
    ["", "/etc/passwd", "..", "a/../b", "a//b", "a/", ".hidden", "a/.b", "a\\b", "a\0b", "a b", "ä", "a\n", "x" * 101,
     "a/b/c/d/e/f/g"],
)  # fmt: skip
async def test_names_that_lead_elsewhere_are_refused(kept: Directory, name: str) -> None:
    for attempt in (kept.write(name, pieces(b"x")), whole(kept, name), kept.remove(name)):
        with pytest.raises(WrongFileName):
            await attempt
    assert not kept.root.exists()


async def test_what_is_not_there_says_so(place: Files) -> None:
    await place.write("imports/a/upload", pieces(b"x"))
    for name in ("imports/a/other", "imports/a"):
        with pytest.raises(NoSuchFile):
            await whole(place, name)
        with pytest.raises(NoSuchFile):
            async with place.lent(name):
                pass
    await place.remove("imports/a/other")


async def test_names_are_listed_by_what_they_start_with(place: Files) -> None:
    assert await place.names() == []
    for name in ("imports/b/upload", "imports/a/upload", "exports/a"):
        await place.write(name, pieces(b"x"))
    assert await place.names("imports/") == ["imports/a/upload", "imports/b/upload"]
    await place.remove("imports/a/upload")
    assert await place.names() == ["exports/a", "imports/b/upload"]


async def test_what_is_removed_leaves_no_empty_directories(kept: Directory) -> None:
    for name in ("imports/b/upload", "imports/a/upload"):
        await kept.write(name, pieces(b"x"))
    await kept.remove("imports/a/upload")
    assert sorted(path.name for path in (kept.root / "imports").iterdir()) == ["b"]


async def test_the_server_keeps_its_files_in_its_data(cast: Cast) -> None:
    await cast.server.files.write("hello", pieces(b"hello"))
    assert (cast.server.config.data / "files" / "hello").read_bytes() == b"hello"


async def test_a_server_whose_files_are_in_a_bucket_makes_exports_and_tells_when_it_is_gone(
    starting: Callable[..., Any], tmp_path: Path
) -> None:
    storage = ObjectStorage(tmp_path)
    with storage.at_work():
        async with starting(data=tmp_path, files=f"s3://{BUCKET}/files", **storage.settings) as cast:
            made = await finished_export(cast)
            content = await cast.ada.get(f"/v1/exports/{made['id']}/file")
            assert (content.status_code, len(content.content)) == (200, made["size"])
            part = await cast.ada.get(f"/v1/exports/{made['id']}/file", range="bytes=3-")
            assert (part.status_code, part.content) == (206, content.content[3:])
            assert await readiness(cast) == "pass"
            storage.stop()
            assert await readiness(cast) == "warn"
            refused = await cast.ada.get(f"/v1/exports/{made['id']}/file")
            assert (refused.status_code, refused.json()["type"].rpartition("/")[2]) == (503, "files-out-of-reach")
    assert not (tmp_path / "files").exists()


async def finished_export(cast: Cast) -> dict[str, Any]:
    row = await cast.ada.made("/v1/exports", {"resource": "sessions", "format": "csv"})
    while not row["finished_at"]:
        await asyncio.sleep(0.02)
        row = (await cast.ada.get(f"/v1/exports/{row['id']}")).json()
    assert row["status"] == "done", row
    return row


async def readiness(cast: Cast) -> str:
    return str((await cast.otto.get("/ready")).json()["checks"]["files"]["status"])


async def test_what_a_killed_process_began_goes_with_the_last_file_beside_it(kept: Directory) -> None:
    for name in ("takeouts/a/000000", "takeouts/a/000001"):
        await kept.write(name, pieces(b"x"))
    begun = kept.root / "takeouts" / "a" / ".0123"
    begun.write_bytes(b"half of something")
    await kept.remove("takeouts/a/000000")
    assert begun.exists()
    await kept.remove("takeouts/a/000001")
    assert not begun.exists() and not (kept.root / "takeouts").exists()
    await kept.remove("takeouts/b/000000")
