"""Storage: which place keeps the files, as the settings name it. A directory of this machine, or `s3://bucket/prefix`."""

from collections.abc import AsyncIterator
from pathlib import Path

from guildhouse.config import Config, fault_of_place
from guildhouse.kernel.bucket import Bucket, Keys
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.files import Directory, Files

BUCKETS = "s3://"


def files_of(config: Config) -> Files:
    """Where this server keeps its files: what `GUILDHOUSE_FILES` names, else a directory among its data."""
    return files_at(config.files or str(config.data / "files"), config)


def files_at(place: str, config: Config) -> Files:
    """A place by its name. Raises `NotDone` for a bucket that nobody could come to."""
    if fault := fault_of_place(place, has_key=bool(config.s3_key and config.s3_secret)):
        raise NotDone(f"{fault[0].upper()}{fault[1:]}.")
    if not place.startswith(BUCKETS):
        return Directory(Path(place).expanduser().absolute())
    bucket, _, prefix = place.removeprefix(BUCKETS).partition("/")
    secret = config.s3_secret.get_secret_value() if config.s3_secret else ""
    return Bucket(bucket, prefix.strip("/"), Keys(config.s3_endpoint, config.s3_region, config.s3_key or "", secret))


async def prove(files: Files) -> None:
    """Show that files can be written here, listed and removed. Raises `FilesOutOfReach`, `OSError`."""

    async def nothing() -> AsyncIterator[bytes]:
        yield b""

    await files.check()
    await files.write("proof", nothing())
    await files.remove("proof")
