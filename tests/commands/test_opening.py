"""Opening: loading is not interrupted to look for garbage; the work that follows is, as ever."""

import gc
import signal
from collections.abc import Iterator
from contextlib import redirect_stdout
from io import StringIO

import pytest

from guildhouse.__main__ import main
from guildhouse.commands import opening


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    """The process as it was, for the tests that follow."""
    handler = signal.getsignal(signal.SIGTERM)
    yield
    gc.enable()
    gc.unfreeze()
    signal.signal(signal.SIGTERM, handler)


def test_garbage_is_looked_for_from_when_the_settings_are_read() -> None:
    gc.disable()
    opening.load()
    assert gc.isenabled()


def test_what_was_loaded_is_not_looked_through_again() -> None:
    before = gc.get_freeze_count()
    opening.load()
    assert gc.get_freeze_count() > before + 10_000


@pytest.mark.parametrize(
    "arguments", [["explain", "jobs"], ["map", "jobs"], ["map", "no-such-word-anywhere"], ["no-such"]]
)
def test_a_command_leaves_the_process_as_it_found_it(arguments: list[str]) -> None:
    with redirect_stdout(StringIO()), pytest.raises(SystemExit):
        main(arguments)
    assert gc.isenabled()
