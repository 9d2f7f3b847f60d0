"""Highlights: where in a row's text the words stand that were searched for. Places, not markup: nothing to be escaped."""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from typing import Any

from rapidfuzz.distance import OSA

from guildhouse.kernel.manifest import Synonyms
from guildhouse.kernel.searching.query_building import LONGEST_PHRASE, no_synonyms
from guildhouse.kernel.searching.search_query import Asked, Term, said_together
from guildhouse.kernel.searching.tokens import HAN, errors_in, parts, plain, simplified, stem, stems

WORD = re.compile(r"[^\W_]+[+#]*")
SNIPPET = 240  # signs of a text that is shown around what was found
BEFORE = 60
BETWEEN = ", "  # the items of a list, as it is shown
MOST_MARKS = 50


@dataclass(frozen=True)
class Marked:
    """What to mark: stems, stems that follow one another, beginnings of words, runs of Chinese signs, and what comes near
    to stems that nobody has written."""

    stems: frozenset[str]
    phrases: tuple[tuple[str, ...], ...]
    begins: tuple[str, ...]
    runs: tuple[str, ...]
    mistyped: tuple[str, ...] = ()

    def comes_near(self, said: str) -> bool:
        """Whether a stem may be what was meant by one that was mistyped."""
        return any(OSA.distance(said, each, score_cutoff=errors_in(each)) <= errors_in(each) for each in self.mistyped)

    def may_be(self, text: str) -> re.Pattern[str]:
        """The words of a text that may be ones to mark: most others are told by how they begin, if nothing is mistyped."""
        return self.word if text.isascii() and not self.mistyped else WORD

    @cached_property
    def word(self) -> re.Pattern[str]:
        """A word, written without accents, that begins like one to mark."""
        starts = [*map(start_of, self.stems), *(start_of(phrase[0]) for phrase in self.phrases), *self.begins]
        return re.compile(rf"(?<![^\W_])(?:{'|'.join(sorted(set(starts))) or '(?!)'})[^\W_]*[+#]*", re.IGNORECASE)


def marked(asked: Asked, synonyms: Synonyms = no_synonyms, mistyped: Iterable[str] = ()) -> Marked:
    """What is marked for a query: its words, other ways to say them, and what may be meant by mistyped ones."""
    terms = [part for each in asked.needed for part in (each.either or (each,))]
    latin = [each for each in terms if not each.is_chinese]
    together = [each for each in latin if each.exact and len(each.words) > 1]
    said = {word for each in latin if not each.begins and each not in together for word in each.words}
    others = [other for phrase in phrases_of(terms) for other in synonyms(phrase)]
    others += [name for each in terms if each.is_plain for name in each.other_names]
    phrases = {each.words for each in together} | {tuple(stems(each)) for each in others if not HAN.search(each)}
    runs = {each.said for each in terms if each.is_chinese} | {each for each in others if HAN.search(each)}
    runs |= {run for run in HAN.findall(plain(asked.text)) if len(run) > 1}
    begins = tuple(each.words[-1] for each in latin if each.begins)
    near = tuple(stem(each.lower()) for each in mistyped)
    return Marked(frozenset(said), tuple(phrases - {()}), begins, tuple(dict.fromkeys(map(simplified, runs))), near)


def phrases_of(terms: Sequence[Term]) -> Iterator[str]:
    """What may have synonyms: each term, and as many as follow one another."""
    words = [each for each in terms if each.is_plain]
    for start in range(len(words)):
        for end in range(start + 1, min(len(words), start + LONGEST_PHRASE) + 1):
            yield said_together(words[start:end])


def highlight(text: Any, marks: Marked) -> dict[str, Any] | None:
    """The part of a text around the first word found, and the places of all words in that part; None where none is."""
    said = BETWEEN.join(text) if isinstance(text, list) else text
    if not said:
        return None
    places = sorted(
        {(start + low, start + high) for start, part in parts_in(text) for low, high in places_of(part, marks)}
    )
    if not places:
        return None
    start = begin_of(said, places[0][0])
    part = said[start : start + SNIPPET]
    inside = [[low - start, high - start] for low, high in places if high <= start + SNIPPET][:MOST_MARKS]
    return {"text": part, "marks": without_overlap(inside), "starts_at": start, "cut": start + SNIPPET < len(said)}


def parts_in(text: Any) -> Iterator[tuple[int, str]]:
    """The items or paragraphs of a text, each with where it begins in what is shown."""
    if not isinstance(text, list):
        yield from parts(text)
        return
    start = 0
    for each in text:
        yield start, each
        start += len(each) + len(BETWEEN)


def places_of(text: str, marks: Marked) -> Iterator[tuple[int, int]]:
    """Where the words stand in an item or paragraph."""
    for found in marks.may_be(text).finditer(text):
        word = found[0].lower()
        said = stem(word)
        begins = bool(marks.begins) and word.startswith(marks.begins)
        if said in marks.stems or begins or marks.comes_near(said):
            yield found.span()
        for phrase in marks.phrases:
            if said == phrase[0] and (end := end_of_phrase(text, found.start(), phrase)):
                yield found.start(), end
    if marks.runs and HAN.search(text):
        folded = simplified(text)
        same = folded if len(folded) == len(text) else text
        for run in marks.runs:
            yield from (found.span() for found in re.finditer(re.escape(run), same))


def start_of(stem_: str) -> str:
    """A pattern of how every word of a stem begins: `cry` and `dying` have `cri` and `die`."""
    start = stem_[: max(1, min(3, len(stem_) - 1))]
    return "".join("[iy]" if each in "iy" else re.escape(each) for each in start)


def end_of_phrase(text: str, start: int, phrase: Sequence[str]) -> int | None:
    """Where a phrase ends that stands at a place; None where it does not."""
    words = list(islice(WORD.finditer(text, start), len(phrase)))
    return words[-1].end() if [stem(each[0].lower()) for each in words] == list(phrase) else None


def begin_of(text: str, place: int) -> int:
    """Where the part that is shown begins: at a blank, a little before what was found."""
    if place <= BEFORE:
        return 0
    blank = text.find(" ", place - BEFORE, place)
    return blank + 1 if blank >= 0 else place - BEFORE


def without_overlap(places: Collection[list[int]]) -> list[list[int]]:
    """Places that run into each other as one."""
    found: list[list[int]] = []
    for low, high in places:
        if found and low <= found[-1][1] and low < found[-1][1]:
            found[-1][1] = max(found[-1][1], high)
        else:
            found.append([low, high])
    return found
