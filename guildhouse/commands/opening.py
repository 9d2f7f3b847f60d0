"""Opening: what a line is read with, and what most commands begin with. It loads no room of the house before it is used."""

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from guildhouse.config import Config

Place = Annotated[str | None, typer.Option("--at", help="A directory, or s3://bucket/prefix; else GUILDHOUSE_BACKUPS.")]


def say(text: str) -> None:
    """Tell the person at the terminal."""
    print(text, flush=True)


def complain(text: str) -> None:
    """Tell the person, beside what a program may read."""
    print(text, file=sys.stderr, flush=True)


def load(**given: object) -> "Config":
    """The settings, and what was given on the command line. With them a command's work begins, and leaves garbage."""
    from guildhouse import config

    gc.freeze()
    gc.enable()
    return config.load(**{name: value for name, value in given.items() if value is not None})


@contextmanager
def present_database(settings: "Config", report: Callable[[str], None]) -> Iterator[str]:
    """The address of the database, which has to be there already."""
    from guildhouse.commands import joining

    with joining.present_database(settings, report) as dsn:
        yield dsn
