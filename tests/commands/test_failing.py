"""Failing: what went wrong with the circumstances is said in words; a fault of the program keeps its traceback."""

import asyncpg
import pytest

from guildhouse.commands.failing import words_of
from guildhouse.config import ConfigError
from guildhouse.kernel.check import BootError, BootFault
from guildhouse.kernel.embedded import EmbeddedError
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.files import FilesOutOfReach


@pytest.mark.parametrize("error", [NotDone("Name a file."), ConfigError("Name a file."), EmbeddedError("Name a file.")])
def test_an_error_that_says_what_to_do_is_said_as_it_is(error: Exception) -> None:
    assert words_of(error) == "Name a file."


def test_a_house_that_does_not_start_says_every_fault() -> None:
    said = words_of(BootError([BootFault("G101", "jobs", "has no scopes"), BootFault("G102", "notes", "has no index")]))
    assert said is not None
    assert "jobs" in said and "has no scopes" in said and "notes" in said and "has no index" in said


def test_files_out_of_reach_say_why() -> None:
    assert words_of(FilesOutOfReach("the bucket does not answer")) == "the bucket does not answer."


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (PermissionError(13, "Permission denied"), "Permission denied"),
        (asyncpg.PostgresError("relation is missing"), "relation is missing"),
        (asyncpg.InterfaceError("connection is closed"), "connection is closed"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_an_error_of_the_system_names_itself_and_who_finds_the_cause(error: Exception, named: str) -> None:
    said = words_of(error)
    assert said is not None
    assert named in said and "guildhouse doctor" in said


def test_a_fault_of_the_program_has_no_words() -> None:
    assert words_of(KeyError("person")) is None
