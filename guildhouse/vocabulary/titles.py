"""Titles: what people call a job, reduced to what says which occupation it is: "Senior Web Developer II (m/f/d)"."""

import re
from collections.abc import Iterator
from functools import cache

from guildhouse.vocabulary import shipped
from guildhouse.vocabulary.folding import folded, is_han, tidied

BRACKETS = re.compile(r"\([^()]*\)|\[[^\[\]]*\]|【[^【】]*】")
# Behind these a title goes on with where, for whom, in what way.
TAIL = re.compile(r"\s+[-\u2013\u2014|@:·]\s+|\s*[,:|/;]\s*|\s+(?:at|for|in)\s+")


@cache
def grades() -> tuple[frozenset[str], re.Pattern[str]]:
    """The words that say how much somebody has seen, or how much they work; the Chinese ones at the beginning."""
    said = shipped.supplement()["grades"]
    return frozenset(said["words"]), re.compile(f"^(?:{'|'.join(said['chinese'])})+(?=..)")


def readings(title: str) -> Iterator[str]:
    """A title in fewer and fewer words: the first reading that is known is what it says."""
    said = None
    for each in shorter_and_shorter(tidied(title)):
        if each != said:
            words = words_of(each)
            yield " ".join(words)
            yield " ".join(without_grades(words))
        said = each


def shorter_and_shorter(title: str) -> Iterator[str]:
    """A title, then without its brackets, then without its tail: each is made only if somebody asks for it."""
    yield title
    bare = BRACKETS.sub(" ", title).strip()
    yield bare
    yield TAIL.split(bare, maxsplit=1)[0]


def words_of(text: str) -> list[str]:
    """The words of a title, small, the last one in the singular."""
    words = folded(text).split()
    return [*words[:-1], singular(words[-1])] if words else []


def without_grades(words: list[str]) -> list[str]:
    """The words without the grades."""
    known, chinese = grades()
    kept = [chinese.sub("", word) if is_han(word[0]) else word for word in words if word not in known]
    return [*kept[:-1], singular(kept[-1])] if kept else []


def singular(word: str) -> str:
    """The word without its plural, as far as that matters for telling titles apart."""
    if len(word) < 4 or word.endswith(("ss", "us", "is")) or not word.endswith("s"):
        return word
    if word.endswith("ies"):
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith(("sses", "ches", "shes", "xes")) else word[:-1]


def title_key(title: str) -> str:
    """A title as it is looked up, nothing left out."""
    return " ".join(words_of(title if title.isascii() else tidied(title)))
