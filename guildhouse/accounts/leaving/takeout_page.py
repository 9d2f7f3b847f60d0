"""The page of a take-out: what is in the archive and what it says, to be read without any program but a browser."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from guildhouse.accounts.leaving.takeout import Takeout
from guildhouse.accounts.person import Person
from guildhouse.config import Config
from guildhouse.kernel.exporting.wanted import own_fields
from guildhouse.kernel.exporting.words import field_of, noun_of
from guildhouse.kernel.i18n import LANGUAGES, translated
from guildhouse.kernel.resource import Resource

if TYPE_CHECKING:
    from jinja2 import Template

MOST_COLUMNS, LONGEST = 6, 300
MOMENT = re.compile(r"^(\d{4}-\d\d-\d\d)T(\d\d:\d\d):\d\d(?:\.\d+)?Z$")
# What the page says, in English; other languages have a section of this name in their catalogue.
WORDS = {
    "title": "Everything of yours",
    "of": "This archive holds what was {name}'s own on {server} on {day}, as far as {name} could see it.",
    "nouns": "What is in it",
    "noun": "What",
    "rows": "Rows",
    "data": "Data",
    "trash": "In the trash",
    "history": "History",
    "first": "The first {count} of {rows}; the rest is in the file.",
    "files": "Files that you brought",
    "no_files": "None.",
    "how": "How to read it",
    "data_is": "In data/, each line of a file is one row, as JSON; the first line says which fields there are.",
    "trash_is": "In trash/ is what you removed and what is not yet deleted for good; deleted_at says since when.",
    "history_is": "In history/, each line is one change: when, by whom (an id), from what to what.",
    "manifest_is": "manifest.json has the size and the SHA-256 of every file, to see that none was altered.",
    "elsewhere": "An admin of another Guildhouse can load the archive there. Sign-ins, API keys and passwords stay behind.",
    "left_out": "Not in it: what others wrote about you for their own eyes.",
    "yes": "yes",
    "no": "no",
}


@dataclass
class Leaf:
    """One noun of the archive: how many rows the person has of it, also in the trash, and the first of them."""

    resource: Resource[Any]
    rows: int
    shown: list[dict[str, Any]] = field(default_factory=list)
    trash: int = 0


def page_of(
    person: Person, leaves: Sequence[Leaf], entries: Sequence[Mapping[str, Any]], row: Takeout, config: Config
) -> str:
    """The page, first in the language that was asked for, then in the others."""
    languages = sorted(LANGUAGES, key=lambda each: each != row.language)
    parts = [part_of(person, leaves, row, config, language) for language in languages]
    brought = [each for each in entries if each["path"].startswith("files/")]
    return template().render(parts=parts, language=row.language, files=brought)


@cache
def template() -> "Template":
    """The template of the page, made for the first archive."""
    from jinja2 import Environment  # noqa: PLC0415 - only archives pay for it

    text = files("guildhouse").joinpath("accounts", "leaving", "takeout.html").read_text(encoding="utf-8")
    return Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True).from_string(text)


def part_of(person: Person, leaves: Sequence[Leaf], row: Takeout, config: Config, language: str) -> dict[str, Any]:
    """All that the page says in one language."""
    own = {key: translated("take-out", key, language) or text for key, text in WORDS.items()}
    own["of"] = own["of"].format(name=person.name, server=config.name, day=f"{row.created_at:%Y-%m-%d}")
    return {"language": language, "say": own, "tables": [table_of(leaf, own, language) for leaf in leaves]}


def table_of(leaf: Leaf, say: Mapping[str, str], language: str) -> dict[str, Any]:
    """One noun, with the fields of its first rows that say most."""
    names = [name for name in own_fields(leaf.resource) if not name.endswith("id")]
    filled = [name for name in names if any(row.get(name) not in (None, "", [], {}) for row in leaf.shown)]
    chosen = filled if len(leaf.shown) == 1 else filled[:MOST_COLUMNS]
    return {
        "name": noun_of(leaf.resource.name, language),
        "path": leaf.resource.path,
        "rows": leaf.rows,
        "trash": leaf.trash,
        "headings": [field_of(leaf.resource.name, name, language) for name in chosen],
        "cells": [[shown(row.get(name), say) for name in chosen] for row in leaf.shown],
        "more": say["first"].format(count=len(leaf.shown), rows=leaf.rows) if leaf.rows > len(leaf.shown) else "",
    }


def shown(value: Any, say: Mapping[str, str]) -> str:
    """A value for the eye: short, without braces."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return say["yes" if value else "no"]
    if isinstance(value, list):
        return ", ".join(shown(each, say) for each in value)
    if isinstance(value, dict):
        return ", ".join(f"{name}: {shown(each, say)}" for name, each in value.items())
    text = MOMENT.sub(r"\1 \2 UTC", str(value))
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
