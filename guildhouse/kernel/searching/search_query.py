"""What is typed into a search box, parsed: words, "phrases", `-not this`, `title:word`, `begin*`, and `this OR that`.

Nothing that is typed is an error of syntax: a sign that has no meaning where it stands is a blank. Only what is too long,
or has no word at all, is refused.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import groupby, zip_longest
from typing import TypeAlias

from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.searching.tokens import EMPTY, EMPTY_SIGNS, HAN, coarse, plain, stems, whole, whole_of

MOST_SIGNS = 1_000
MOST_WORDS = 50
FEW_WORDS = 4  # what is longer is a text rather than a query
LONGEST_CHOICE = 4  # words of what a choice is called
SIGNAL_WORDS = ("AND", "OR", "NOT")
PIECE = re.compile(
    r"""(?P<minus>(?<!\S)[-\u2212\uff0d](?=\S))?
        (?:(?P<field>[^\W\d]\w*):(?=\S))?
        (?:["\u201c\u201d\u300c\u300e](?P<phrase>[^"\u201c\u201d\u300d\u300f]*)(?:["\u201c\u201d\u300d\u300f]|$)
        |(?P<word>[^\s"\u201c\u201d]+))""",
    re.VERBOSE,
)


class QueryTooLong(BadRequest):
    """`q` takes at most {signs} characters and {words} words. Leave out what says least."""

    def __init__(self) -> None:
        super().__init__(signs=MOST_SIGNS, words=MOST_WORDS)


class NothingToSearch(BadRequest):
    """`q` has no word in it to look for. Write a word, or leave `q` out to see all."""


@dataclass(frozen=True, slots=True)
class Choice:
    """One of the few values of a column, and what people call it."""

    column: str
    value: str
    names: tuple[str, ...]


Choices: TypeAlias = Mapping[tuple[str, ...], tuple[Choice, ...]]  # by the words of their names


@dataclass(frozen=True, slots=True)
class Term:
    """One thing to look for: words that follow one another (one, or a phrase), in all text or in one column of it.

    `said` is how it was typed; `words` are stems, or where it `begins` a longer word, whole words. What is not `needed`
    only makes a row come earlier. `either` are terms of which one is enough. Rows of these `choices` have it, too, whatever
    their text says.
    """

    said: str
    words: tuple[str, ...]
    column: str | None = None
    excluded: bool = False
    begins: bool = False
    needed: bool = True
    exact: bool = False
    either: tuple["Term", ...] = ()
    choices: tuple[Choice, ...] = ()

    @property
    def is_chinese(self) -> bool:
        """Whether it is of Chinese signs."""
        return bool(HAN.search(self.said))

    @property
    def signs(self) -> Sequence[str]:
        """Its Chinese signs one by one, where they stand for it however a dictionary cuts them."""
        run = [sign for sign in self.said if not sign.isspace()]
        return run if self.is_chinese and len(run) > 1 and not (self.column or self.exact) else ()

    @property
    def other_names(self) -> Sequence[str]:
        """What else the choices are called that it stands for."""
        return [name for each in self.choices for name in each.names]

    @property
    def is_plain(self) -> bool:
        """Whether it is just a word, so that another word may be meant by it."""
        return not (self.column or self.begins or self.exact or self.either)


def said_together(terms: Sequence[Term]) -> str:
    """Terms that follow one another as one phrase, as synonyms are asked for."""
    blank = "" if terms[0].is_chinese else " "
    return blank.join(each.said for each in terms).lower()


@dataclass(frozen=True, slots=True)
class Asked:
    """A whole query: all its terms in their order."""

    text: str
    terms: tuple[Term, ...]

    @property
    def wanted(self) -> Sequence[Term]:
        """What a row should have."""
        return [each for each in self.terms if not each.excluded]

    @property
    def needed(self) -> Sequence[Term]:
        """What counts when rows are told apart; all that is wanted, where nothing of it says much."""
        return [each for each in self.wanted if each.needed] or self.wanted


def parse_query(text: str, columns: Collection[str], choices: Choices | None = None) -> Asked:
    """Parse what was typed; `columns` are those that a word may be looked for in, `choices` what some words stand for.

    Raises `QueryTooLong` and `NothingToSearch`.
    """
    if len(text) > MOST_SIGNS:
        raise QueryTooLong
    found = typed(text, frozenset(columns) if ":" in plain(text) else frozenset())
    terms = tuple(with_it(list(with_alternatives(with_choices(found, choices or {})))))
    if not terms:
        raise NothingToSearch
    if sum(len(each.words) for each in terms) > MOST_WORDS:
        raise QueryTooLong
    return Asked(text, terms)


@lru_cache(maxsize=1_000)
def typed(text: str, columns: frozenset[str]) -> tuple[Term | None, ...]:
    """The terms as they stand in what was typed, found once: a search over everything asks all nouns the same."""
    return tuple(pieces(plain(text), columns))


def pieces(text: str, columns: Collection[str]) -> Iterator[Term | None]:
    """The terms one by one; None stands for an OR between its neighbours. AND says nothing, NOT what a minus says."""
    negated = False
    for found in PIECE.finditer(text):
        if found[0] in SIGNAL_WORDS:
            negated = found[0] == "NOT"
            if found[0] == "OR":
                yield None
            continue
        excluded, column = bool(found["minus"]) or negated, found["field"]
        negated = False
        said = found["phrase"] if found["phrase"] is not None else found["word"]
        if column is not None and column not in columns:
            column, said = None, f"{column}:{said}"
        if found["phrase"] is not None:
            yield from phrase(said, column, excluded)
        else:
            yield from (replace(each, column=column, excluded=excluded) for each in terms_of(said))


def phrase(said: str, column: str | None, excluded: bool) -> Iterator[Term]:
    """A quoted phrase; every word of it counts."""
    words = tuple(stems(said))
    if words:
        yield Term(said, words, column, excluded, exact=True)


def terms_of(said: str) -> Iterator[Term]:
    """The terms of what was typed without a blank in it: `Node.js` is a phrase of two words, 台北護理師 are two words."""
    begins = said.endswith("*")
    start = 0
    for run in HAN.finditer(said):
        yield from latin(said[start : run.start()], begins=False)
        yield from han(run[0])
        start = run.end()
    yield from latin(said[start:], begins)


def latin(said: str, begins: bool) -> Iterator[Term]:
    """A word of an alphabet."""
    if begins and (found := tuple(whole(said))) and len(found[-1]) > 1:
        yield Term(said.rstrip("*"), found, begins=True)
        return
    words = tuple(stems(said))
    if words:
        yield Term(said, words, needed=said.lower() not in EMPTY or (said.isupper() and len(said) > 1))


def han(run: str) -> Iterator[Term]:
    """The words of a run of Chinese signs. One sign between words says little; signs of which none makes a word with
    another, as in a name, are looked for together."""
    cut = coarse(run)
    is_name = all(len(word) == 1 for word in cut)
    for together, words in groupby(cut, lambda word: len(word) == 1 and (is_name or word not in EMPTY_SIGNS)):
        for said in [tuple(words)] if together else [(word,) for word in words]:
            yield Term("".join(said), said, needed=len("".join(said)) > 1 or len(cut) == 1)


def with_it(terms: Sequence[Term]) -> Iterator[Term]:
    """The terms; of few, `it` before a word that says something is information technology, however it is written."""
    for term, behind in zip_longest(terms, terms[1:]):
        is_meant = term.said.lower() == "it" and behind is not None and behind.needed and len(terms) <= FEW_WORDS
        yield replace(term, needed=True) if is_meant else term


def with_choices(found: Iterable[Term | None], choices: Choices) -> Iterator[Term | None]:
    """The terms, those made one that together are what a choice is called."""
    terms = list(found)
    if not choices:
        yield from terms
        return
    start = 0
    while start < len(terms):
        length, term = first_choice(terms[start : start + LONGEST_CHOICE], choices)
        yield term
        start += length


def first_choice(terms: Sequence[Term | None], choices: Choices) -> tuple[int, Term | None]:
    """How many of these terms, from the first on, are what a choice is called, as one; or the first as it is."""
    for length in range(len(terms), 0, -1):
        together = [each for each in terms[:length] if each and may_choose(each, alone=length == 1)]
        chosen = choices.get(words_typed(together)) if len(together) == length else None
        if chosen:
            said = together[0].said if length == 1 else said_together(together)
            words = tuple(word for each in together for word in each.words)
            return length, replace(together[0], said=said, words=words, needed=True, choices=chosen)
    return 1, terms[0]


def words_typed(terms: Iterable[Term]) -> tuple[str, ...]:
    """The words of terms without their plural, and not as stems: `internal` has that of `intern`."""
    words = [word for each in terms for word in (each.words if each.is_chinese else whole_of(each.said))]
    return (*words[:-1], words[-1].removesuffix("s")) if words else ()


def may_choose(term: Term, *, alone: bool) -> bool:
    """Whether a term may be what a choice is called, or a part of that."""
    return not (term.column or term.begins) and (alone or not (term.excluded or term.exact))


def with_alternatives(found: Iterator[Term | None]) -> Iterator[Term]:
    """The terms, those with an OR between them made one."""
    terms: list[Term] = []
    joining = False
    for each in found:
        if each is None:
            joining = bool(terms)
        elif joining and not each.excluded and not terms[-1].excluded:
            last = terms.pop()
            both = (*(last.either or (last,)), each)
            terms.append(replace(last, said=f"{last.said} OR {each.said}", either=both))
            joining = False
        else:
            terms.append(each)
            joining = False
    yield from terms
