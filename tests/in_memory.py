"""Where the tests keep their files: in memory, where there is room. A database is copied there in a fifth of the time."""

import os
import shutil
import tempfile
from pathlib import Path

MEMORY = Path("/dev/shm")
ROOM = 4 << 30  # bytes; a run takes less than one GiB


def settle_in_memory() -> None:
    """Have this process and those that it starts make their temporary files in memory, unless TMPDIR says where."""
    if "TMPDIR" not in os.environ and has_room(MEMORY):
        os.environ["TMPDIR"] = str(MEMORY)
        tempfile.tempdir = None  # it is looked up anew


def has_room(place: Path) -> bool:
    """Whether a run may use this directory, and fits into it."""
    return place.is_dir() and os.access(place, os.W_OK | os.X_OK) and shutil.disk_usage(place).free >= ROOM
