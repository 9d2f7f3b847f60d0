"""Skills: their names, and how people spell them. Tools are O*NET's; abilities, other spellings and Chinese our own."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

from guildhouse.kernel.at_hand import Once
from guildhouse.vocabulary import shipped
from guildhouse.vocabulary.folding import folded, is_han, tidied

Mark = Literal["", "=", "?"]


@dataclass(frozen=True, slots=True)
class Spelling:
    """One way to write a skill. `=`: in this case only. `?`: in this case, and in company."""

    skill: str
    text: str
    mark: Mark
    is_tool: bool


def key_of(text: str) -> str:
    """What to look for in folded text: blanks hold the ends of a word, but not those of Chinese."""
    words = folded(tidied(text)).strip()
    if not words:
        return ""
    return f"{'' if is_han(words[0]) else ' '}{words}{'' if is_han(words[-1]) else ' '}"


@Once
def spellings() -> dict[str, tuple[Spelling, ...]]:
    """All spellings by their keys; the more careful ones last. What the supplement spells, the tables do not."""
    by_key: dict[str, dict[str, Spelling]] = {}
    for spelling in supplemented():
        by_key.setdefault(key_of(spelling.text), {}).setdefault(spelling.text, spelling)
    own = set(by_key)
    for spelling in of_tables():
        if (key := key_of(spelling.text)) not in own:
            by_key.setdefault(key, {}).setdefault(spelling.text, spelling)
    return {key: tuple(sorted(found.values(), key=lambda each: each.mark)) for key, found in by_key.items()}


def supplemented() -> Iterator[Spelling]:
    """The spellings of the supplement; each name is one, too, unless it comes with a mark."""
    for section, is_tool in (("tools", True), ("abilities", False)):
        for name, texts in shipped.supplement()[section].items():
            own = [marked(name, text, is_tool=is_tool) for text in texts]
            if name not in {each.text for each in own}:
                yield marked(name, name, is_tool=is_tool)
            yield from own


def of_tables() -> Iterator[Spelling]:
    """The spellings of O*NET's tools, under the names that they have here."""
    renamed, never = shipped.supplement()["renamed"], set(shipped.supplement()["never"]["names"])
    for name, texts, *_ in shipped.tables()["tools"]:
        if name not in never:
            yield from (marked(own_name(name, texts, renamed), text, is_tool=True) for text in texts)


def own_name(name: str, texts: list[str], renamed: dict[str, str]) -> str:
    """What a tool of the tables is called here."""
    return renamed.get(name) or texts[0].lstrip("=?")


def marked(name: str, text: str, *, is_tool: bool) -> Spelling:
    """A spelling, from its text with the mark before it."""
    mark: Any = text[0] if text[0] in "=?" else ""
    return Spelling(name, tidied(text.removeprefix(mark)), mark, is_tool)


@lru_cache(20_000)  # the same words come again and again
def skill_named(word: str) -> str | None:
    """The skill that somebody means who names it by itself, as in a list of skills, in whatever case."""
    found = spellings().get(key_of(word))
    if not found:
        return None
    plain = tidied(word).strip().lower()
    return next((each.skill for each in found if each.text.lower() == plain), found[0].skill)


@Once
def spelled() -> dict[str, tuple[str, ...]]:
    """All spellings of each skill in small letters, its name first."""
    by_skill: dict[str, dict[str, None]] = {}
    for each in (spelling for same in spellings().values() for spelling in same):
        by_skill.setdefault(each.skill, {each.skill.lower(): None})[each.text.lower()] = None
    return {skill: tuple(texts) for skill, texts in by_skill.items()}


def other_spellings(phrase: str) -> tuple[str, ...]:
    """How else people write the skill that a phrase names, in small letters; its name first."""
    name = skill_named(phrase)
    return tuple(text for text in spelled()[name] if text != phrase.lower()) if name else ()
