"""The shelf, whatever is put on it and taken off it: what stays is whole, and nothing stays that nobody needs."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from unittest.mock import patch

from hypothesis import given, settings
from hypothesis import strategies as st

from guildhouse.kernel.backing import shelf as shelves
from guildhouse.kernel.backing.dump import Manifest
from guildhouse.kernel.backing.rotation import kept
from guildhouse.kernel.backing.shelf import Record, Shelf, Standing, in_pieces, read, standing
from guildhouse.kernel.files import Directory

START = datetime(2026, 1, 1, tzinfo=UTC)
# What a server holds at one time: a few tables and files, of a few contents, some larger than a piece.
CONTENTS = st.sampled_from([b"", b"a", b"b" * 9, b"c" * 10, b"d" * 25, b"d" * 25 + b"more", b"e" * 41])
HOLDINGS = st.dictionaries(st.sampled_from(["toc.dat", "1.dat.gz", "2.dat.gz"]), CONTENTS, min_size=1)
FILES = st.dictionaries(st.sampled_from(["imports/a/upload", "exports/b/000000", "c"]), CONTENTS)


def manifest(day: int) -> Manifest:
    at = START + timedelta(days=day)
    return Manifest(guildhouse="0.1.0", created_at=at, postgres="18.4", migration="0007", epoch="e", rows={})


async def put(shelf: Shelf, root: Path, day: int, tables: dict[str, bytes], files: dict[str, bytes]) -> Standing:
    """A backup of a server that holds just this."""
    dump, held = root / f"dump-{day}", Directory(root / f"files-{day}")
    dump.mkdir()
    for name, content in tables.items():
        (dump / name).write_bytes(content)
    for name, content in files.items():
        await held.write(name, shelves.once(content))
    backup, record, new = await shelf.put(manifest(day), dump, held)
    await shelf.verify(record, new)
    return backup


async def fetched(shelf: Shelf, record: Record, into: Path) -> dict[str, bytes]:
    await shelf.fetch(record, into)
    return files_in(into)


def files_in(into: Path) -> dict[str, bytes]:
    return {path.relative_to(into).as_posix(): path.read_bytes() for path in into.rglob("*") if path.is_file()}


async def lived(root: Path, days: Sequence[tuple[dict[str, bytes], dict[str, bytes]]], rule: str) -> None:
    """Take a backup a day and keep what the rule says; then look at all that is left."""
    shelf = Shelf(Directory(root / "backups"), "0a1b2c3d")
    held = dict[str, dict[str, bytes]]()
    for day, (tables, files) in enumerate(days):
        backup = await put(shelf, root, day, tables, files)
        held[backup.name] = {
            **{f"database/{name}": content for name, content in tables.items()},
            **{f"files/{name}": content for name, content in files.items()},
        }
        there = await standing(shelf.files)
        stay = kept((each.taken_at for each in there), rule)
        await shelf.thin_out([each for each in there if each.taken_at not in stay])
    left = await standing(shelf.files)
    assert left[-1].name == list(held)[-1]
    needed = set[str]()
    for number, backup in enumerate(left):
        record = await read(shelf.files, backup)
        assert await fetched(shelf, record, root / f"out-{number}") == held[backup.name]
        needed |= set(record.pieces)
    assert set(await shelf.sizes()) == needed


@settings(max_examples=15, deadline=None)
@given(st.lists(st.tuples(HOLDINGS, FILES), min_size=1, max_size=6), st.sampled_from(["1d", "2d", "1d 2w", "3w"]))
def test_what_stays_is_whole_and_nothing_else_does(
    days: list[tuple[dict[str, bytes], dict[str, bytes]]], rule: str
) -> None:
    never_young = patch.object(shelves, "IN_THE_MAKING", timedelta(days=-1))
    with tempfile.TemporaryDirectory() as root, never_young, patch.object(shelves, "PIECE", 10):
        asyncio.run(lived(Path(root), days, rule))


@given(st.lists(st.binary(max_size=30), max_size=20))
def test_pieces_are_all_of_one_size_but_the_last(chunks: list[bytes]) -> None:
    async def given_out() -> AsyncIterator[bytes]:
        for chunk in chunks:
            yield chunk

    async def run() -> list[bytes]:
        return [piece async for piece in in_pieces(given_out())]

    with patch.object(shelves, "PIECE", 7):
        pieces = asyncio.run(run())
    assert b"".join(pieces) == b"".join(chunks)
    assert all(len(piece) == 7 for piece in pieces[:-1]) and all(pieces)


def test_what_only_grows_keeps_its_first_pieces() -> None:
    async def of(content: bytes) -> list[bytes]:
        return [piece async for piece in in_pieces(shelves.once(content))]

    with patch.object(shelves, "PIECE", 10):
        before, after = asyncio.run(of(b"x" * 25)), asyncio.run(of(b"x" * 25 + b"y" * 10))
    assert before[:2] == after[:2] and len(after) == 4
