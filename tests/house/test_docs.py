"""Documentation: what is generated is of this code, links lead somewhere, and what is named exists."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from guildhouse.__main__ import cli
from guildhouse.commands.describing import variable
from guildhouse.config import Config
from tests.house.source import ROOT

CHECKOUT = ROOT.parent
PAGES = sorted([*CHECKOUT.glob("*.md"), *(CHECKOUT / "docs").rglob("*.md")])
LINK = re.compile(r"\]\(\s*([^)\s]+)\s*\)")
CODE = re.compile(r"```.*?^```|`[^`\n]+`", re.MULTILINE | re.DOTALL)
SOURCE = re.compile(r"`([\w./]+\.py)(?:: ([\w.]+))?`")
MADE_UP = "mentorship"  # the noun that contributing adds
EVERY_PAGE = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(CHECKOUT)))


def test_what_is_generated_is_of_this_code() -> None:
    """In a process of its own: the tests define problems, too, and those are not the product's."""
    script = CHECKOUT / "docs" / "generate.py"
    checked = subprocess.run([sys.executable, script, "--check"], capture_output=True, text=True, check=False)
    assert checked.returncode == 0, checked.stderr


@EVERY_PAGE
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in LINK.findall(text):
        if re.match(r"\w+:", target):
            continue
        file, _, anchor = target.partition("#")
        place = (page.parent / file).resolve() if file else page
        assert place.exists(), target
        assert not anchor or anchor in anchors(place), target


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@EVERY_PAGE
def test_commands_exist(page: Path) -> None:
    typed = "\n".join(CODE.findall(page.read_text(encoding="utf-8")))
    assert set(re.findall(r"(?:^|[`$#/ ])make ([a-z]+)", typed, re.MULTILINE)) <= make_targets()
    named = set(re.findall(r"(?:^|`|\$ |bin/|=\S+ )guildhouse ([a-z]+(?: [a-z]+)?)", typed, re.MULTILINE))
    known = set(commands())
    assert {words for words in named if not known & {words, words.partition(" ")[0]}} == set()


def make_targets() -> set[str]:
    return set(re.findall(r"^([a-z]+):", (CHECKOUT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


def commands() -> Iterator[str]:
    """`up`, `migrate`, `migrate back`..."""
    top = typer.main.get_command(cli)
    for name, command in getattr(top, "commands", {}).items():
        yield name
        yield from (f"{name} {each}" for each in getattr(command, "commands", {}))


def test_every_command_and_every_setting_is_in_the_guide_for_those_who_install() -> None:
    guide = (CHECKOUT / "docs" / "guides" / "install.md").read_text(encoding="utf-8")
    assert [name for name in commands() if " " not in name and f"`guildhouse {name}" not in guide] == []
    named = [variable(name, field) for name, field in Config.model_fields.items()]
    assert [name for name in named if f"| `{name}` |" not in guide] == []


@EVERY_PAGE
def test_source_that_is_named_exists(page: Path) -> None:
    for file, name in SOURCE.findall(page.read_text(encoding="utf-8")):
        places = [place for place in (CHECKOUT / file, ROOT / file) if place.is_file()]
        assert places or MADE_UP in file, file
        if name:
            defined = rf"^\s*(?:async def|def|class) {name}\b|^{name}\b.* = "
            assert re.search(defined, places[0].read_text(encoding="utf-8"), re.MULTILINE), f"{file}: {name}"


def test_every_decision_is_in_the_list() -> None:
    decisions = CHECKOUT / "docs" / "decisions"
    listed = re.findall(r"\]\((\d{4}-[\w-]+\.md)\)", (decisions / "README.md").read_text(encoding="utf-8"))
    assert listed == sorted(place.name for place in decisions.glob("0*.md"))


def test_the_readme_names_every_room_of_the_house() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    rooms = {place.name for place in ROOT.iterdir() if place.is_dir() and any(place.iterdir()) and place.name[0] != "_"}
    assert set(re.findall(r"`guildhouse/(\w+)/`", readme)) == rooms


def test_the_readme_leads_to_every_guide() -> None:
    readme = (CHECKOUT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"docs/guides/([\w-]+)\.md", readme)) == {
        page.stem for page in (CHECKOUT / "docs/guides").iterdir()
    }
