"""Storing: whether the places that the settings name for files can be used, asked before anything relies on them."""

import asyncio

from guildhouse.config import Config
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.files import Files, FilesOutOfReach
from guildhouse.kernel.storage import files_of, prove


def require(config: Config) -> None:
    """Raise `NotDone` unless files can be kept. The directory among the data needs no proof: the database is there, too."""
    if config.files and (why := asyncio.run(fault_of(files_of(config)))):
        raise NotDone(f"Files cannot be kept in {config.files}: {why}.")


async def fault_of(files: Files) -> str | None:
    """What keeps files from being written to a place, read and removed, in words."""
    try:
        await prove(files)
    except FilesOutOfReach as error:
        return error.reason
    except OSError as error:
        return f"{error.filename or 'the directory'}: {error.strerror}. Give the account of the server the right to it"
    return None
