"""Failing: what a command that could not be done says instead of a traceback."""

import asyncpg

from guildhouse.config import ConfigError
from guildhouse.kernel.check import BootError
from guildhouse.kernel.embedded import EmbeddedError
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.files import FilesOutOfReach


def words_of(error: Exception) -> str | None:
    """What is wrong with the circumstances, in words; None where the program is wrong, and its traceback is needed."""
    match error:
        case NotDone() | ConfigError() | EmbeddedError() | BootError():
            return str(error)
        case FilesOutOfReach():
            return f"{error.reason}."
        case OSError() | asyncpg.PostgresError() | asyncpg.InterfaceError():
            return f"This went wrong: {str(error) or type(error).__name__}. `guildhouse doctor` looks for the cause."
    return None
