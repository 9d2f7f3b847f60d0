"""Extraction: the skills that a text speaks of, found in one walk over it (Aho-Corasick), however many there are to find."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any, NamedTuple

import ahocorasick

from guildhouse.kernel.at_hand import Once
from guildhouse.vocabulary.company import in_company
from guildhouse.vocabulary.folding import folded, tidied
from guildhouse.vocabulary.skills import Spelling, spellings

# One or two letters with such a sign before or after them are a part of something else.
BEFORE = frozenset(".-&'\u2019_@\\")
AFTER = frozenset("-&'\u2019_@")


class Mention(NamedTuple):
    """A spelling at its place in a text."""

    start: int
    end: int
    spelling: Spelling


@Once
def automata() -> tuple[ahocorasick.Automaton, ahocorasick.Automaton]:
    """All spellings, ready to be looked for: those of plain letters, then the others.

    They are apart as most texts need the first alone, and a walk tries all signs that a spelling may begin with.
    """
    made = ahocorasick.Automaton(), ahocorasick.Automaton()
    for key, same in spellings().items():
        made[not key.isascii()].add_word(key, (len(key), key.startswith(" "), key.endswith(" "), same))
    for each in made:
        each.make_automaton()
    return made


def skills_in(text: str) -> tuple[str, ...]:
    """The names of the skills that a text mentions, each once, in the order of their first mention."""
    plain = tidied(text)
    if not plain:
        return ()
    found = longest(mentions(plain), len(plain))
    return tuple(dict.fromkeys(each.spelling.skill for each in in_company(plain, found)))


def mentions(text: str) -> list[Mention]:
    """Every spelling that stands in a text as words of their own, those inside of others too."""
    found = []
    for last, (length, opened, closed, same) in walk(f" {folded(text)} "):
        start = last - length + opened  # the text's own places: it begins one sign later in what was searched
        end = last - closed
        for spelling in same:
            if is_written(text, start, end, spelling):
                found.append(Mention(start, end, spelling))
                break
    return found


def walk(text: str) -> Iterable[tuple[int, Any]]:
    """Where spellings end in folded text, in order, of those that end together the longest first; and what they are."""
    plain, others = automata()
    if text.isascii():
        found: Iterable[tuple[int, Any]] = plain.iter(text)
        return found
    return sorted([*plain.iter(text), *others.iter(text)], key=lambda each: (each[0], -each[1][0]))


def is_written(text: str, start: int, end: int, spelling: Spelling) -> bool:
    """Whether a text has a spelling at this place: in its case, with its dots, and not as a part of something else."""
    written, wanted = text[start:end], spelling.text
    if wanted[0] == ".":
        wanted = wanted[1:]
        if text[start - 1 : start] != "." or text[start - 2 : start - 1].isalnum():
            return False
    if written != wanted and (spelling.mark or not is_alike(written, wanted)):
        return False
    return len(wanted) > 2 or stands_free(text, start, end)


def is_alike(written: str, wanted: str) -> bool:
    """Whether two spellings differ in nothing but case, and in a blank or a hyphen where the other has a sign."""
    written, wanted = written.lower(), wanted.lower()
    pairs = zip(written, wanted, strict=True)
    return written == wanted or all(one == other or (one in " -" and not other.isalnum()) for one, other in pairs)


def stands_free(text: str, start: int, end: int) -> bool:
    """Whether one or two letters are a word here: not so in R&D, C-level, C.E.O., c@example.org."""
    after = text[end : end + 2]
    is_abbreviation = after[:1] == "." and after[1:].isalnum()
    return text[start - 1 : start] not in BEFORE and after[:1] not in AFTER and not is_abbreviation


def longest(found: list[Mention], length: int) -> list[Mention]:
    """Of mentions that overlap only the longest, in the order of the text; they come in the order of their ends."""
    if all(one.end <= other.start for one, other in pairwise(found)):
        return found
    taken = bytearray(length)
    kept = []
    for each in sorted(found, key=lambda each: (each.start - each.end, each.start)):
        if taken.find(1, each.start, each.end) < 0:
            taken[each.start : each.end] = b"\x01" * (each.end - each.start)
            kept.append(each)
    return sorted(kept, key=lambda each: each.start)
