"""Backups: taken while everybody writes, whole or refused, and restored to a server that goes on where it was."""

import asyncio
import os
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from guildhouse.commands import archive, demo
from guildhouse.commands.backing_up import back_up, listed, shelve, thin_out
from guildhouse.commands.joining import cluster_of
from guildhouse.commands.restore import alone, check, found, restore
from guildhouse.config import Config, load
from guildhouse.kernel.backing.dump import Manifest, rows_of
from guildhouse.kernel.backing.shelf import Damaged, Shelf, once, standing
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.files import Directory
from guildhouse.kernel.log.audit import verify
from guildhouse.kernel.log.sequencer import stamp
from guildhouse.kernel.storage import files_at, files_of
from tests.commands.processes import Place, sql, wait_until, words_of
from tests.object_storage import BUCKET, ObjectStorage


def quiet(_text: str) -> None:
    """Nobody reads it."""


def in_database(dsn: str, work: Callable[[Any], Any]) -> Any:
    """The result of some work on a connection."""

    async def run() -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            return await work(connection)
        finally:
            await connection.close()

    return asyncio.run(run())


def filled(dsn: str) -> None:
    """A community in a database; its changes have positions."""
    asyncio.run(demo.fill(dsn, "http://guildhouse.test", 7, "small", quiet))
    in_database(dsn, stamp)


def backed_up(dsn: str, directory: Path) -> Path:
    """A backup of a database."""
    file = directory / "backup.tar"
    asyncio.run(back_up(dsn, Directory(directory / "data" / "files"), file, quiet))
    return file


def test_a_server_whose_data_directory_was_destroyed_comes_back_as_it_was(migrated: Place) -> None:
    file = migrated.data.parent / "backup.tar"
    (migrated.data / "files").mkdir()
    (migrated.data / "files" / "portrait.bin").write_bytes(b"\0\1\2")
    with migrated.up() as up:
        up.become_admin()
        with up.client() as client:
            job = client.post("/v1/jobs", json={"title": "Kept"})
            position = job.headers["log-position"]
            before = client.get("/v1/jobs").json()["data"]
            migrated.done("backup", str(file))
            counted = sql(migrated, "SELECT count(*) FROM changes")
        up.kill()
    migrated.stop_postgres()
    shutil.rmtree(migrated.data)
    said: list[str] = []
    restore(load(data=migrated.data), file, said.append)
    assert "as many as were backed up" in said[1] and "whole and unaltered" in said[3]
    assert (migrated.data / "files" / "portrait.bin").read_bytes() == b"\0\1\2"
    with migrated.up() as up:
        up.sign_in()
        with up.client() as client:
            assert client.get("/v1/jobs").json()["data"] == before
            stale = client.get(job.headers["location"], headers={"Wait-For": position})
            assert (stale.status_code, "start over" in stale.text.lower()) == (410, True)
            written = client.post("/v1/jobs", json={"title": "New"})
            assert written.status_code == 201
            read = client.get(written.headers["location"], headers={"Wait-For": written.headers["log-position"]})
            assert read.json()["title"] == "New"
        changes, positions, last = sql(
            migrated, "SELECT (SELECT count(*) FROM changes), count(DISTINCT seq), max(pos) FROM change_pos"
        ).split("|")
        assert changes == positions == last and int(changes) > int(counted)
        dsn = f"postgresql:///guildhouse?host={cluster_of(migrated.data)}.socket&user=guildhouse"
        assert in_database(dsn, verify).whole
        assert up.stop() == 0


def test_a_database_that_is_there_is_replaced_only_on_demand_and_kept_aside(place: Place, dsn: str) -> None:
    file = backed_up(dsn, place.data.parent)
    config = load(data=place.data)
    cluster_of(place.data).mkdir(parents=True)
    (cluster_of(place.data) / "marked").touch()
    with pytest.raises(NotDone, match="--replace"):
        restore(config, file, quiet)
    restore(config, file, quiet, replace=True)
    assert not (cluster_of(place.data) / "marked").exists() and (cluster_of(place.data) / "base").is_dir()
    assert len(list(place.data.glob("replaced-*/postgres-*/marked"))) == 1
    assert not list(place.data.glob("restoring-*"))


def test_a_database_in_use_is_not_replaced(place: Place) -> None:
    place.data.mkdir()
    with alone(place.data), pytest.raises(NotDone, match="Stop the servers"), alone(place.data):
        raise AssertionError("two were alone")


def test_a_backup_is_proved_without_touching_anything(dsn: str, tmp_path: Path) -> None:
    file = backed_up(dsn, tmp_path)
    said: list[str] = []
    check(file, said.append)
    assert said[-1] == f"{file} is good: all of it could be restored."
    assert {each.name for each in tmp_path.iterdir()} == {"backup.tar"}


def test_a_backup_in_a_bucket_is_taken_listed_proved_and_restored(
    place: Place, object_storage: ObjectStorage, dsn: str, empty_dsn: str
) -> None:
    filled(dsn)
    (place.data / "files").mkdir(parents=True)
    (place.data / "files" / "portrait.bin").write_bytes(b"\0\1\2")
    bucket = f"s3://{BUCKET}/{uuid4().hex}"
    config = load(data=place.data, database_url=dsn, backups=bucket, **object_storage.settings)
    said: list[str] = []
    for _ in range(2):
        asyncio.run(shelve(config, dsn, said.append))
    name = said[-1].split()[0]
    (line,) = asyncio.run(listed(config, bucket))
    assert line.startswith(name) and "  1 files  " in line and " rows  " in line
    elsewhere = load(data=place.data.parent / "elsewhere", database_url=empty_dsn, **object_storage.settings)
    for source, at in (("latest", bucket), (name, bucket), (record_of(config, name), None)):
        assert str(found(source, at, elsewhere)) == name
    with pytest.raises(NotDone, match=f"no backup of that name. The newest backups are: {name}"):
        found("20200101T000000Z-0000000000000000", bucket, elsewhere)
    restore(elsewhere, found("latest", bucket, elsewhere), said.append)
    assert said[-1].startswith("The log is whole and unaltered")
    assert (elsewhere.data / "files" / "portrait.bin").read_bytes() == b"\0\1\2"


def record_of(config: Config, name: str) -> str:
    """The address of a record, as one may copy it."""
    files = files_at(config.backups or "", config)
    return f"{config.backups}/{next(each.name for each in asyncio.run(standing(files)) if each.short == name)}"


def test_files_come_back_to_the_bucket_that_they_were_in(
    place: Place, object_storage: ObjectStorage, dsn: str, empty_dsn: str
) -> None:
    settings = {**object_storage.settings, "files": f"s3://{BUCKET}/{uuid4().hex}", "data": place.data}
    config = load(database_url=dsn, **settings)
    files = files_of(config)
    asyncio.run(files.write("imports/a/upload", once(b"upload")))
    file = place.data.parent / "backup.tar"
    asyncio.run(back_up(dsn, files, file, quiet))
    asyncio.run(files.remove("imports/a/upload"))
    restore(load(database_url=empty_dsn, **settings), file, quiet)
    assert asyncio.run(files.names()) == ["imports/a/upload"]


def test_a_backup_that_was_killed_leaves_nothing_that_looks_like_one(place: Place, dsn: str) -> None:
    files, backups = place.data / "files", place.data.parent / "backups"
    files.mkdir(parents=True)
    (files / "large").write_bytes(os.urandom(96 << 20))
    settings = {"DATABASE_URL": dsn, "GUILDHOUSE_BACKUPS": str(backups)}
    with subprocess.Popen(
        [sys.executable, "-m", "guildhouse", "backup"], env=place.environment(**settings), cwd=place.data.parent
    ) as process:
        wait_until(lambda: len(list(backups.rglob("pieces/*/*"))) > 3)
        process.kill()
    config = load(data=place.data, database_url=dsn, backups=str(backups))
    assert asyncio.run(listed(config, None)) == ["There are no backups there."]
    said: list[str] = []
    asyncio.run(shelve(config, dsn, said.append))
    assert said[-1].split()[0] in asyncio.run(listed(config, None))[0]
    assert [*place.data.glob("backing-up-*")] == []
    assert in_database(dsn, lambda c: c.fetch("SELECT status FROM backups")) == [("done",)]


def test_what_the_rule_does_not_keep_is_told_before_it_goes(place: Place, dsn: str) -> None:
    config = load(data=place.data, database_url=dsn, backups=str(place.data.parent / "backups"))
    said: list[str] = []
    asyncio.run(shelve(config, dsn, said.append))
    asyncio.run(thin_out(config, dsn, said.append, apply=False))
    asyncio.run(thin_out(config, dsn, said.append, apply=True))
    name = said[0].split()[0]
    assert said[1:] == [f"{name}  stays"] * 2 + ["Removed 0 backups, and 0 pieces that no other one needs."]


def test_a_backup_with_a_damaged_piece_is_refused_and_nothing_is_restored(place: Place, dsn: str) -> None:
    backups = place.data.parent / "backups"
    config = load(data=place.data, database_url=dsn, backups=str(backups))
    asyncio.run(shelve(config, dsn, quiet))
    (record,) = backups.rglob("records/*/*.json")
    largest = max(backups.rglob("pieces/*/*"), key=lambda each: each.stat().st_size)
    largest.write_bytes(largest.read_bytes()[:-1] + b"?")
    elsewhere = load(data=place.data.parent / "elsewhere")
    with pytest.raises(NotDone, match=f"The piece {largest.name} is not as it was written"):
        restore(elsewhere, found(str(record), None, elsewhere), quiet)
    assert not list(elsewhere.data.iterdir())
    record.write_bytes(record.read_bytes().replace(b'"rows"', b'"raws"'))
    assert asyncio.run(listed(config, None)) == [f"{record.stem}  damaged"]
    with pytest.raises(NotDone, match=r"The record .* is damaged"):
        check(found("latest", str(backups), elsewhere), quiet)


def test_of_several_servers_the_latest_is_not_guessed(tmp_path: Path) -> None:
    place, nothing = Directory(tmp_path / "backups"), Directory(tmp_path / "files")
    (tmp_path / "dump").mkdir()
    for server in ("0a1b2c3d", "ffffffff"):
        asyncio.run(Shelf(place, server).put(MANIFEST, tmp_path / "dump", nothing))
    lines = asyncio.run(listed(load(), str(place.root)))
    assert [line.partition("of server ")[2][:8] for line in lines] == ["0a1b2c3d", "ffffffff"]
    with pytest.raises(NotDone, match="Backups of several servers stand there"):
        found("latest", str(place.root), load())
    assert str(found(lines[1].split()[0], str(place.root), load())) == lines[1].split()[0]


def test_a_backup_of_a_newer_version_on_a_shelf_is_refused_before_it_is_fetched(place: Place, dsn: str) -> None:
    shelf = Shelf(Directory(place.data.parent / "backups"), "0a1b2c3d")
    (place.data.parent / "dump").mkdir()
    newer = MANIFEST.model_copy(update={"migration": "9999", "guildhouse": "9.0", "postgres": "16.0"})
    asyncio.run(shelf.put(newer, place.data.parent / "dump", Directory(place.data / "files")))
    with pytest.raises(NotDone, match=r"Guildhouse 9\.0 .*newer than this one"):
        check(found("latest", str(place.data.parent / "backups"), load()), quiet)


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (("backups", "list"), "No place for backups is named"),
        (("backup",), "There is no database in"),
        (("backups", "thin"), "There is no database in"),
        (("restore", "latest", "--at", "{here}"), "There is no file latest, and no backup of that name"),
        (("restore", "latest", "--check", "--at", "s3://bucket"), "A bucket needs GUILDHOUSE_S3_KEY"),
        (("restore", "latest", "--at", "ftp://host/x"), "neither a directory nor a bucket"),
        (("restore", "latest"), "There is no file"),
        (("settings", "export", "{here}"), "There is no database in"),
    ],
)
def test_commands_say_what_they_miss(command: tuple[str, ...], words: str, tmp_path: Path) -> None:
    arguments = [each.format(here=tmp_path) for each in command]
    assert words in words_of(*arguments, GUILDHOUSE_DATA=str(tmp_path / "data"))
    assert list(tmp_path.iterdir()) == []


def test_without_a_place_commands_say_what_to_set(place: Place, dsn: str) -> None:
    config = load(data=place.data, database_url=dsn)
    with pytest.raises(NotDone, match="Set GUILDHOUSE_BACKUPS"):
        asyncio.run(listed(config, None))
    with pytest.raises(NotDone, match=r"No backup was taken\. No place for backups is named"):
        asyncio.run(shelve(config, dsn, quiet))


def test_row_counts_and_dump_are_of_one_moment_while_everybody_writes(dsn: str, empty_dsn: str, tmp_path: Path) -> None:
    async def write(connection: Any) -> None:
        await connection.execute("INSERT INTO secrets (name, value) VALUES (gen_random_uuid()::text, '')")

    async def run() -> Manifest:
        async with asyncpg.create_pool(dsn, min_size=3, max_size=3) as pool:
            over = asyncio.Event()

            async def keep_writing() -> None:
                while not over.is_set():
                    async with pool.acquire() as connection:
                        await write(connection)

            writers = [asyncio.create_task(keep_writing()) for _ in range(3)]
            manifest = await back_up(dsn, Directory(tmp_path / "files"), tmp_path / "backup.tar", quiet)
            over.set()
            await asyncio.gather(*writers)
            return manifest

    manifest = asyncio.run(run())
    assert 0 < manifest.rows["secrets"] < in_database(dsn, rows_of)["secrets"]
    restore(load(data=tmp_path, database_url=empty_dsn), tmp_path / "backup.tar", quiet)
    assert in_database(empty_dsn, rows_of)["secrets"] == manifest.rows["secrets"]


def test_a_community_is_restored_into_an_empty_database_of_ones_own(dsn: str, empty_dsn: str, tmp_path: Path) -> None:
    filled(dsn)
    file = backed_up(dsn, tmp_path)
    restore(load(data=tmp_path, database_url=empty_dsn), file, quiet)
    before, after = in_database(dsn, rows_of), in_database(empty_dsn, rows_of)
    assert before.pop("epochs") + 1 == after.pop("epochs")
    assert before == after
    report = in_database(empty_dsn, verify)
    assert report.whole and report.positions == in_database(dsn, verify).positions > 500
    with pytest.raises(NotDone, match="not empty"):
        restore(load(data=tmp_path, database_url=empty_dsn), file, quiet, replace=True)


def test_a_log_that_was_tampered_with_before_the_backup_is_refused(dsn: str, empty_dsn: str, tmp_path: Path) -> None:
    async def tamper(connection: Any) -> None:
        await connection.execute(
            "ALTER TABLE changes DISABLE TRIGGER ALL; UPDATE changes SET actor = 'eve' WHERE seq = 5"
        )
        await connection.execute("ALTER TABLE changes ENABLE TRIGGER ALL")

    filled(dsn)
    in_database(dsn, tamper)
    with pytest.raises(NotDone, match=r"position 5: its change \(seq 5\) was altered"):
        restore(load(data=tmp_path, database_url=empty_dsn), backed_up(dsn, tmp_path), quiet)


def test_a_backup_writes_over_nothing_and_is_for_its_owner_only(dsn: str, tmp_path: Path) -> None:
    file = backed_up(dsn, tmp_path)
    assert file.stat().st_mode & 0o777 == 0o600
    with pytest.raises(NotDone, match="exists already"):
        backed_up(dsn, tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["backup.tar"]
    with pytest.raises(NotDone, match="no directory"):
        backed_up(dsn, tmp_path / "nowhere")


def test_a_database_without_tables_is_not_backed_up(empty_dsn: str, tmp_path: Path) -> None:
    with pytest.raises(NotDone, match="nothing to back up"):
        backed_up(empty_dsn, tmp_path)
    assert list(tmp_path.iterdir()) == []


MANIFEST = Manifest(
    guildhouse="0.1.0", created_at="2026-01-01T00:00:00Z", postgres="18.4", migration="0001", epoch="e", rows={}
)  # type: ignore[arg-type]


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """An archive whose dump is some bytes."""
    (tmp_path / "dump").write_bytes(bytes(range(256)) * 100)
    asyncio.run(archive.write(tmp_path / "small.tar", MANIFEST, tmp_path / "dump", Directory(tmp_path / "none")))
    return tmp_path / "small.tar"


def test_an_archive_gives_back_what_was_put_into_it(small: Path, tmp_path: Path) -> None:
    assert archive.unpack(small, tmp_path / "out") == MANIFEST
    assert (tmp_path / "out" / archive.DUMP).read_bytes() == (tmp_path / "dump").read_bytes()


def test_the_checksums_are_those_that_sha256sum_reads(small: Path, tmp_path: Path) -> None:
    archive.unpack(small, tmp_path / "out")
    sums = (tmp_path / "out" / archive.SUMS).read_text()
    assert [line.split("  ")[1] for line in sums.splitlines()] == [archive.MANIFEST, archive.DUMP]


@pytest.mark.parametrize("at", [0, 100, 512 + 20, 2000, 9000, -12_000])
def test_an_archive_with_one_wrong_byte_is_refused(small: Path, tmp_path: Path, at: int) -> None:
    content = bytearray(small.read_bytes())
    content[at] ^= 0xFF
    small.write_bytes(content)
    with pytest.raises(Damaged):
        archive.unpack(small, tmp_path / "out")


@pytest.mark.parametrize("kept", [0, 100, 700, 5000, 26_000])
def test_an_archive_that_was_cut_off_is_refused(small: Path, tmp_path: Path, kept: int) -> None:
    small.write_bytes(small.read_bytes()[:kept])
    with pytest.raises(Damaged):
        archive.unpack(small, tmp_path / "out")


@pytest.mark.parametrize("name", ["../escaped", "/tmp/escaped", "files/../../escaped", "other"])
def test_an_archive_with_a_member_that_no_backup_holds_is_refused(small: Path, tmp_path: Path, name: str) -> None:
    with tarfile.open(small, "a") as tar:
        tar.addfile(tarfile.TarInfo(name))
    with pytest.raises(Damaged, match="no backup holds"):
        archive.unpack(small, tmp_path / "out")


def test_a_member_without_a_checksum_is_refused(small: Path, tmp_path: Path) -> None:
    with tarfile.open(small, "a") as tar:
        tar.addfile(tarfile.TarInfo("files/added"))
    with pytest.raises(Damaged, match="files/added"):
        archive.unpack(small, tmp_path / "out")


def test_a_backup_of_a_newer_version_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "dump").write_bytes(b"")
    newer = MANIFEST.model_copy(update={"migration": "9999", "guildhouse": "9.0"})
    asyncio.run(archive.write(tmp_path / "newer.tar", newer, tmp_path / "dump", Directory(tmp_path / "none")))
    said = words_of("restore", str(tmp_path / "newer.tar"), "--into", str(tmp_path / "data"))
    assert "Guildhouse 9.0" in said and "newer than this one" in said
    assert not list((tmp_path / "data").glob("*"))


def test_what_is_no_backup_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("Dear Ada")
    assert "no backup" in words_of("restore", "--check", str(tmp_path / "letter.txt"))
    assert "no file" in words_of("restore", "--check", str(tmp_path / "none.tar"))
