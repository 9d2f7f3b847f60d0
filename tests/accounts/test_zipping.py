"""Zipping and unzipping: what goes in comes out, told apart from everything that is no take-out."""

import io
import zipfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import orjson
import pytest

from guildhouse.accounts.leaving.zipping import Zipping, only
from guildhouse.accounts.moving_in import unzipping
from guildhouse.accounts.moving_in.unzipping import ArchiveRefused, check_entries, is_takeout, read_archive

pytestmark = pytest.mark.anyio
AT = datetime(2026, 11, 21, 8, 30, 2, tzinfo=UTC)
ROWS = b'{"guildhouse":1,"resource":"reminders","fields":["id"]}\n{"id":"1"}\n'
WHOSE = {"id": "019a9f3c-7c00-7000-8000-000000000001", "name": "Mina", "email": "mina@example.org"}


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def archive(contents: dict[str, bytes], /, **said: Any) -> bytes:
    """An archive as packing makes it, whose manifest says something else where that is said."""
    made, found = Zipping(AT), b""
    for path, content in contents.items():
        async for piece in made.put(path, only(content)):
            found += piece
    manifest = {
        "guildhouse_takeout": 1, "person": WHOSE, "server": {}, "made_at": "now", "files": made.entries, **said,
    }  # fmt: skip
    async for piece in made.put("manifest.json", only(orjson.dumps(manifest))):
        found += piece
    return found + made.close()


def why(path: Path) -> str:
    with pytest.raises(ArchiveRefused) as caught:
        read_archive(path)
    return caught.value.faults[0].code


async def test_an_archive_leaves_in_pieces_and_is_one(tmp_path: Path) -> None:
    made, found = Zipping(AT), []
    async for piece in made.put("files/a", pieces(b"x" * 100_000, b"", b"y"), large=True):
        found.append(piece)
    found.append(made.close())
    assert made.entries == [{"path": "files/a", "size": 100_001, "sha256": sha256(b"x" * 100_000 + b"y").hexdigest()}]
    with zipfile.ZipFile(io.BytesIO(b"".join(found))) as whole:
        assert whole.testzip() is None
        assert whole.infolist()[0].date_time == (2026, 11, 21, 8, 30, 2)
        assert whole.read("files/a") == b"x" * 100_000 + b"y"


async def test_what_was_packed_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(await archive({"data/reminders.guildhouse.ndjson": ROWS, "index.html": b"<p>"}))
    found = read_archive(path)
    assert found.manifest.person.name == "Mina"
    (file,) = found.nouns["reminders"]
    assert (file.path, file.rows) == ("data/reminders.guildhouse.ndjson", [{"id": "1"}])
    assert is_takeout(path)


@pytest.mark.parametrize(
    "said",
    [
        {"guildhouse_takeout": 2}, {"person": None}, {"person": {**WHOSE, "id": "me"}},
        {"files": {}}, {"files": [{"path": "a"}]}, {"made_at": 7}, {"server": []},
    ],
)  # fmt: skip
async def test_a_manifest_that_is_none_is_refused(tmp_path: Path, said: dict[str, Any]) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(await archive({"index.html": b""}, **said))
    assert why(path) == "no-manifest"


@pytest.mark.parametrize(
    "rows",
    [b"", b"\n", b"[]\n", b'{"guildhouse":2}\n', b'{"guildhouse":1}\n[]\n', b'{"guildhouse":1}\n{"id":', b"\xff\n"],
)
async def test_rows_that_are_none_are_refused(tmp_path: Path, rows: bytes) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(await archive({"data/reminders.guildhouse.ndjson": rows}))
    assert why(path) == "broken-rows"


async def test_limits_are_held_before_anything_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(await archive({"data/reminders.guildhouse.ndjson": ROWS, "index.html": b"<p>"}))
    for name, limit, code in (
        ("MOST_FILES", 2, "too-many-files"), ("LARGEST_UNPACKED", 100, "unpacks-too-large"),
        ("LARGEST_DATA", 10, "unpacks-too-large"), ("LARGEST_MANIFEST", 10, "no-manifest"),
    ):  # fmt: skip
        with monkeypatch.context() as patch:
            patch.setattr(unzipping, name, limit)
            assert why(path) == code, name


def entry(name: str, **values: Any) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name)
    for each, value in values.items():
        setattr(info, each, value)
    return info


def test_locked_doubled_and_strangely_packed_files_are_refused() -> None:
    check_entries([entry("a"), entry("b")])
    for entries, code in (
        ([entry("a", flag_bits=1)], "encrypted"),
        ([entry("a"), entry("a")], "path-outside"),
        ([entry("a", compress_type=zipfile.ZIP_LZMA)], "broken-archive"),
        ([entry("a", file_size=3 << 30)], "unpacks-too-large"),
    ):
        with pytest.raises(ArchiveRefused) as caught:
            check_entries(entries)
        assert [each.code for each in caught.value.faults] == [code]


def test_what_is_no_archive_at_all_is_no_take_out(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    for content in (b"", b"PK", b"PK\x03\x04" + b"\0" * 100, b"x" * 1000):
        path.write_bytes(content)
        assert not is_takeout(path)
        assert why(path) == "broken-archive"
    assert not is_takeout(tmp_path / "nothing.zip")
