"""Company: a word of every day is the name of a skill where it stands among tools, or beside words that speak of skills.

"Excel at what you do" is not about Excel; "Word, Excel and Python", "advanced Excel" and "knowledge of Excel" are.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

from guildhouse.vocabulary import shipped
from guildhouse.vocabulary.folding import folded

if TYPE_CHECKING:
    from guildhouse.vocabulary.extraction import Mention

# What stands between two items of a list, at most.
BETWEEN_ITEMS = re.compile(r"[^\w.!?。]{0,6}|\W{0,3}\b(?:and|or)\b\W{0,3}|\s?[和與与及或跟]\s?", re.IGNORECASE)
END_OF_SENTENCE = re.compile(r"[.!?;\n](?=\s|$)|。")
FAR, NEAR = 60, 20  # characters before and after, in which words are looked for


@dataclass(frozen=True)
class Cues:
    """The words that the supplement names, as it explains them."""

    before: frozenset[str]
    between: frozenset[str]
    after: frozenset[str]
    chinese_before: tuple[str, ...]
    chinese_after: tuple[str, ...]
    people: frozenset[str]
    unless: Mapping[str, frozenset[str]]


@cache
def cues() -> Cues:
    """The words of the supplement, ready to be looked up."""
    said, unless = shipped.supplement()["company"], shipped.supplement()["unless"]
    return Cues(
        before=frozenset(said["before"]),
        between=frozenset(said["between"]),
        after=frozenset(said["after"]),
        chinese_before=tuple(said["chinese_before"]),
        chinese_after=tuple(said["chinese_after"]),
        people=frozenset(said["people"]),
        unless={spelling: frozenset(words) for spelling, words in unless.items()},
    )


def in_company(text: str, found: Sequence["Mention"]) -> Iterator["Mention"]:
    """The mentions that mean their skill: those that are unmistakable, and those in company."""
    for items in lists(text, found):
        good = any(is_doubtful(each) for each in items) and names_tools(text, items)
        for each in items:
            if not is_doubtful(each) or ((good or is_introduced(text, each)) and not means_something_else(text, each)):
                yield each


def is_doubtful(mention: "Mention") -> bool:
    """Whether a mention needs company."""
    return mention.spelling.mark == "?"


def names_tools(text: str, items: Sequence["Mention"]) -> bool:
    """Whether a list is one of tools: it has one that is unmistakable, or two that are at least no names of people."""
    tools = [each for each in items if each.spelling.is_tool]
    if not all(map(is_doubtful, tools)):
        return True
    likely = [each for each in tools if each.spelling.text not in cues().people]
    return len({each.spelling.skill for each in likely if not means_something_else(text, each)}) > 1


def lists(text: str, found: Sequence["Mention"]) -> list[list["Mention"]]:
    """The mentions, those that are items of one list together."""
    made: list[list[Mention]] = []
    for each in found:
        if made and BETWEEN_ITEMS.fullmatch(text, made[-1][-1].end, each.start):
            made[-1].append(each)
        else:
            made.append([each])
    return made


def is_introduced(text: str, mention: "Mention") -> bool:
    """Whether the words around, in the same sentence, say that this is a skill."""
    before = END_OF_SENTENCE.split(text[max(0, mention.start - FAR) : mention.start])[-1]
    after = END_OF_SENTENCE.split(text[mention.end : mention.end + NEAR])[0]
    if before.rstrip().endswith(cues().chinese_before) or after.lstrip().startswith(cues().chinese_after):
        return True
    if first_word(after) in cues().after:
        return True
    last = next((word for word in reversed(folded(before).split()) if word not in cues().between), "")
    return last in cues().before


def means_something_else(text: str, mention: "Mention") -> bool:
    """Whether the next word says so: "Excel at", "Access control"."""
    words = cues().unless.get(mention.spelling.text)
    return words is not None and first_word(text[mention.end : mention.end + NEAR]) in words


def first_word(text: str) -> str:
    """The first word of a text, in small letters."""
    return next(iter(folded(text).split()), "")
