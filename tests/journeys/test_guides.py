"""Guides: what they tell a newcomer to type is typed here, into bash, against a server process of its own.

All ```sh blocks of a guide run in one session. A `# => text` line in a block says a line of its output; so does every
line of a ```text block after it. A ```json block after it is part of the JSON in its last line. `...` is anything.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from tests.commands.processes import copy

CHECKOUT = Path(__file__).parents[2]
GUIDES = {place.stem: place for place in (CHECKOUT / "README.md", *(CHECKOUT / "docs" / "guides").glob("*.md"))}
DEFAULT = "http://127.0.0.1:8000"
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
OLDEST_CURL = (7, 82)  # knows --json


@dataclass
class Block:
    """Commands of a guide, where they stand in it, and what the guide says they print."""

    place: str
    commands: str
    lines: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)


def blocks(guide: Path) -> list[Block]:
    found: list[Block] = []
    text = guide.read_text(encoding="utf-8")
    for fence in FENCE.finditer(text):
        kind, body = fence.groups()
        if kind == "sh":
            said = [line.removeprefix("# => ") for line in body.splitlines() if line.startswith("# => ")]
            found.append(Block(f"{guide.name}:{text.count(chr(10), 0, fence.start()) + 2}", body, said))
        elif kind == "text":
            found[-1].lines += body.splitlines()
        elif kind == "json":
            found[-1].values.append(json.loads(body))
    return found


# Whoever reads on before they type gives the index the second that it takes to have what many writes brought.
READING_ON = f'while curl -sf {DEFAULT}/ready | grep -q \'"search":.*"changes_behind":[1-9]\'; do sleep 0.1; done\n'


def script(written: list[Block]) -> str:
    """One session: each block in the shell itself, so that it hands its variables on, its output in a file of its own."""
    parts = [
        f"{READING_ON}printf %s {block.place} >at\n{{\n{block.commands}}} >out-{block.place}\n" for block in written
    ]
    return "set -euo pipefail\n" + "".join(parts)


def is_like(said: str, printed: str) -> bool:
    """Whether a text is what the guide says, in which `...` is anything."""
    return fnmatchcase(printed.strip(), re.sub(r"([\[?*])", r"[\1]", said.strip()).replace("...", "*"))


def missing(said: list[str], printed: str) -> list[str]:
    """The lines that do not come in the output, in this order."""
    rest = iter(printed.splitlines())
    return [line for line in said if line.strip() and not any(is_like(line, each) for each in rest)]


def is_part(said: Any, printed: Any) -> bool:
    """Whether a value is what the guide says: objects may have more members, a list that ends in `...` more items."""
    if isinstance(said, dict):
        return isinstance(printed, dict) and all(n in printed and is_part(v, printed[n]) for n, v in said.items())
    if isinstance(said, list) and isinstance(printed, list):
        more = said[-1:] == ["..."]
        wanted = said[:-1] if more else said
        fits = len(printed) >= len(wanted) if more else len(printed) == len(wanted)
        return fits and all(is_part(a, b) for a, b in zip(wanted, printed, strict=False))
    return is_like(said, printed) if isinstance(said, str) and isinstance(printed, str) else bool(said == printed)


@dataclass
class Up:
    """A server that has just been started for the first time."""

    address: str
    link: str
    place: Path


@pytest.fixture
def up(names: tuple[str, ...], data_made: Path) -> Iterator[Up]:
    """`guildhouse up` in a directory of its own, on a port of its own; the README's makes its database itself."""
    place = Path(tempfile.mkdtemp(prefix="guildhouse-guide-"))
    place.chmod(0o711)  # PostgreSQL, which does not run as root, has to get through
    if "README" not in names:
        copy(data_made, place / "data")
    settings = {"GUILDHOUSE_DATA": str(place / "data"), "GUILDHOUSE_PORT": "0"}
    command = [sys.executable, "-m", "guildhouse", "up"]
    with (place / "log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=place, env={**plain_environment(), **settings}, stdout=subprocess.PIPE, stderr=log, text=True
        )
    try:
        said = greeting(server)
        assert said, (place / "log").read_text()
        address = re.search(r" is at (\S+) ", said)
        link = re.search(r"\S+first-admin\?token=\S+", said)
        assert address and link
        yield Up(address[1], link[0], place)
    finally:
        server.terminate()
        server.communicate(timeout=60)
        shutil.rmtree(place)


def greeting(server: "subprocess.Popen[str]") -> str:
    """What the server says up to the link for its first admin; nothing, if it ends before."""
    assert server.stdout
    said = ""
    for line in server.stdout:
        said += line
        if "first-admin?token=" in line:
            return said
    return ""


def plain_environment() -> dict[str, str]:
    """The environment without settings of ours, and with our command on the path."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith("GUILDHOUSE_") and k != "DATABASE_URL"}
    return {**kept, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{kept.get('PATH', os.defpath)}"}


def require_curl() -> None:
    curl = shutil.which("curl")
    if curl is None or shutil.which("bash") is None:
        pytest.skip("the guides are typed into bash, and ask by curl: one of the two is not installed")
    version = subprocess.run([curl, "--version"], capture_output=True, text=True, check=True).stdout.split()[1]
    if tuple(map(int, version.split(".")[:2])) < OLDEST_CURL:
        pytest.skip(f"the guides need curl 7.82 or newer for --json; this one is {version}")


# Those of one line are one session.
SESSIONS = [
    ("README",),
    ("first-hour", "import-jobs", "retention", "saved-searches"),
    ("find-nearby", "api-basics", "search", "erase-a-person"),
    ("move-in-move-out", "skills-and-titles"),
    ("backup-and-restore",),
    ("take-data-out",),
    ("move-between-servers",),
]


@pytest.mark.parametrize("names", SESSIONS, ids="+".join)
def test_what_the_guides_say_is_what_happens(names: tuple[str, ...], up: Up) -> None:
    require_curl()
    written = [block for name in names for block in blocks(GUIDES[name])]
    session = subprocess.run(
        ["bash", "-c", script(written).replace(DEFAULT, up.address)],
        cwd=up.place,
        env={
            **plain_environment(),
            "LINK": up.link,
            "CHECKOUT": str(CHECKOUT),
            "GUILDHOUSE_DATA": str(up.place / "data"),
        },
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    at = (up.place / "at").read_text()
    printed = {each.place: read(up.place / f"out-{each.place}") for each in written}
    assert session.returncode == 0, f"{at} failed\n{session.stderr}\n{printed[at]}"
    for block in written:
        where = f"{block.place} printed\n{printed[block.place]}\nand not"
        assert missing(block.lines, printed[block.place]) == [], where
        for value in block.values:
            assert is_part(value, json.loads(last_line(printed[block.place]))), (
                f"{where}\n{json.dumps(value, indent=2)}"
            )


def last_line(text: str) -> str:
    return text.rstrip().rpartition("\n")[2]


def read(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.exists() else ""


def test_a_guide_that_says_something_else_is_caught() -> None:
    assert missing(["1", "...b"], "0\n1\nab\n") == []
    assert missing(["1", "0"], "0\n1\n") == ["0"]
    assert is_part({"a": ["x", "..."], "b": "2026-..."}, {"a": ["x", "y"], "b": "2026-11-20", "c": 1})
    assert not is_part({"a": ["x"]}, {"a": ["x", "y"]})
    assert not is_part({"a": None}, {})
