"""Files: kept whole or not at all, for the server alone, under names that lead nowhere else."""

import os
from collections.abc import AsyncIterator
from hashlib import sha256
from pathlib import Path

import pytest

from guildhouse.kernel import files
from guildhouse.kernel.files import Directory, NoSuchFile, Stored, WrongFileName
from tests.cast import Cast

pytestmark = pytest.mark.anyio


@pytest.fixture
def kept(tmp_path: Path) -> Directory:
    return Directory(tmp_path / "data" / "files")


async def pieces(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def whole(kept: Directory, name: str, offset: int = 0) -> bytes:
    return b"".join([piece async for piece in kept.read(name, offset)])


async def test_a_file_comes_back_as_it_was_written(kept: Directory) -> None:
    content = os.urandom(3 * files.PIECE + 17)
    stored = await kept.write("imports/a/upload", pieces(content[:100], b"", content[100:]))
    assert stored == Stored(len(content), sha256(content).hexdigest())
    assert await whole(kept, "imports/a/upload") == content
    assert await whole(kept, "imports/a/upload", 5_000) == content[5_000:]
    assert await whole(kept, "imports/a/upload", len(content)) == b""
    async with kept.lent("imports/a/upload") as path:
        assert path.read_bytes() == content


async def test_a_second_write_takes_the_place_of_the_first(kept: Directory) -> None:
    await kept.write("one", pieces(b"first, and longer"))
    await kept.write("one", pieces(b"second"))
    assert (await whole(kept, "one"), await kept.names()) == (b"second", ["one"])


async def test_only_the_server_itself_can_look_inside(kept: Directory) -> None:
    await kept.write("imports/a/upload", pieces(b"x"))
    modes = {path.name: path.stat().st_mode & 0o777 for path in kept.root.rglob("*")}
    assert (modes, kept.root.stat().st_mode & 0o777) == ({"imports": 0o700, "a": 0o700, "upload": 0o600}, 0o700)


async def test_what_breaks_off_leaves_nothing_and_spoils_nothing(kept: Directory) -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"x" * (2 * files.PIECE)
        raise ConnectionResetError

    await kept.write("imports/a/upload", pieces(b"good"))
    for name in ("imports/a/upload", "imports/b/upload"):
        with pytest.raises(ConnectionResetError):
            await kept.write(name, broken())
    assert await whole(kept, "imports/a/upload") == b"good"
    assert [path.name for path in kept.root.rglob("*") if path.is_file()] == ["upload"]


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


async def test_what_is_not_there_says_so(kept: Directory) -> None:
    await kept.write("imports/a/upload", pieces(b"x"))
    for name in ("imports/a/other", "imports/a"):
        with pytest.raises(NoSuchFile):
            await whole(kept, name)
        with pytest.raises(NoSuchFile):
            async with kept.lent(name):
                pass
    await kept.remove("imports/a/other")


async def test_names_are_listed_by_what_they_start_with(kept: Directory) -> None:
    assert await kept.names() == []
    for name in ("imports/b/upload", "imports/a/upload", "exports/a"):
        await kept.write(name, pieces(b"x"))
    assert await kept.names("imports/") == ["imports/a/upload", "imports/b/upload"]
    await kept.remove("imports/a/upload")
    assert await kept.names() == ["exports/a", "imports/b/upload"]
    assert sorted(path.name for path in (kept.root / "imports").iterdir()) == ["b"]


async def test_the_server_keeps_its_files_in_its_data(cast: Cast) -> None:
    await cast.server.files.write("hello", pieces(b"hello"))
    assert (cast.server.config.data / "files" / "hello").read_bytes() == b"hello"


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
