"""Percolating: search turned round. Rows that were just written are asked which of many queries find them.

They are so few that to look at their words costs less than an index of them would. What is found is what the index finds
(`query_building.py`), without forgiving anything: a test holds the two against each other.
"""

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from functools import cached_property

from guildhouse.kernel.manifest import Synonyms
from guildhouse.kernel.row import Values
from guildhouse.kernel.scopes import sees
from guildhouse.kernel.searching.evidence import Evidence, Groups, chosen_word, evidence_of
from guildhouse.kernel.searching.index_schema import Noun
from guildhouse.kernel.searching.query_building import groups_of, least_of, needed_of, no_synonyms
from guildhouse.kernel.searching.search_document import circles, parts_of
from guildhouse.kernel.searching.search_query import Asked, Term
from guildhouse.kernel.searching.tokens import signs, stems, whole


@dataclass(frozen=True)
class Wording:
    """The words of a query, made ready once to be asked of many rows. Other ways to say something are stems here."""

    groups: Sequence[tuple[Sequence[Term], Sequence[Sequence[str]]]]
    least: int
    exact: Sequence[Term]
    excluded: Sequence[Term]
    evidence: Evidence


def wording_of(asked: Asked, synonyms: Synonyms = no_synonyms) -> Wording:
    """The words of a query, with all that may be meant by them."""
    needed = needed_of(asked)
    groups: Groups = list(groups_of(needed, synonyms))
    exact = [each for each in needed if each.exact]
    least = least_of(len(groups))
    return Wording(
        [(terms, [stems(each) for each in others]) for terms, others in groups],
        least,
        exact,
        [each for each in asked.terms if each.excluded],
        evidence_of([(exact[:1], ())], 1) if exact else evidence_of(groups, least),
    )


class RowWords:
    """The words of one row; its columns are those of `Noun.columns`."""

    def __init__(self, noun: Noun, record: Values) -> None:
        self.noun, self.record = noun, record
        self.parts = {name: list(parts_of(record[name])) for name in noun.text}
        self.stems = {name: [stems(part) for part in parts] for name, parts in self.parts.items()}

    @cached_property
    def runs(self) -> dict[str, list[str]]:
        """The runs of Chinese signs of each column."""
        return {
            name: [run.replace(" ", "") for part in each for run in signs(part)] for name, each in self.parts.items()
        }

    @cached_property
    def whole(self) -> dict[str, set[str]]:
        """The words of the columns that words may begin in."""
        return {name: set(whole("\n".join(self.parts[name]))) for name in self.noun.text if self.keeps_places(name)}

    @cached_property
    def all(self) -> frozenset[str]:
        """All words, signs and choices, those that not everybody sees, too."""
        words = {word for parts in self.stems.values() for part in parts for word in part}
        words |= {chosen_word(name, self.record[name]) for name in self.noun.resource.find.words}
        return frozenset(words.union(*(run for runs in self.runs.values() for run in runs)))

    def keeps_places(self, name: str) -> bool:
        """Whether the index keeps where in a column its words stand."""
        return self.noun.text[name] in "AB"

    def are_found_by(self, wording: Wording, scopes: AbstractSet[str] | None = None) -> bool:
        """Whether a query finds the row for somebody who holds these scopes; without, for anybody at all."""
        if wording.evidence is not None and wording.evidence.isdisjoint(self.all):
            return False
        return any(Said(self, columns).answers(wording) for columns in self.seen_by(scopes))

    def seen_by(self, scopes: AbstractSet[str] | None) -> Iterator[Sequence[str]]:
        """The columns that each circle sees to which these scopes belong."""
        if scopes is not None and not sees(scopes, self.record["scopes"]):
            return
        common = [name for name in self.noun.text if name not in self.noun.split]
        yield common
        yield from (
            [*common, *more] for eyes, more in circles(self.noun, self.record) if scopes is None or sees(scopes, eyes)
        )


@dataclass(frozen=True)
class Said:
    """What some columns of a row say."""

    words: RowWords
    columns: Sequence[str]

    def answers(self, wording: Wording) -> bool:
        """Whether enough of the words are said, and none that is excluded."""
        found = sum(all(map(self.has, terms)) or any(map(self.has_phrase, others)) for terms, others in wording.groups)
        return found >= wording.least and all(map(self.has, wording.exact)) and not any(map(self.has, wording.excluded))

    def has(self, term: Term) -> bool:
        """Whether one term is said."""
        if term.either:
            return any(map(self.has, term.either))
        if any(self.words.record[each.column] == each.value for each in term.choices):
            return True
        if term.begins:
            return self.has_beginning(term.words)
        if self.has_phrase(term.words, term.column):
            return True
        run = "".join(term.signs)
        return bool(run) and any(run in each for name in self.columns for each in self.words.runs[name])

    def has_phrase(self, words: Sequence[str], column: str | None = None) -> bool:
        """Whether words follow one another; in a column whose places the index does not keep, whether all are in it, too."""
        columns = self.columns if column is None else [column] if column in self.columns else []
        if column is None or self.words.keeps_places(column) or len(words) == 1:
            return any(follow(part, words) for name in columns for part in self.words.stems[name])
        said = {word for name in columns for part in self.words.stems[name] for word in part}
        return said.issuperset(words) and self.has_phrase(words)

    def has_beginning(self, words: Sequence[str]) -> bool:
        """Whether all of these words are in titles and names, of which the last one may go on."""
        said = set().union(*(self.words.whole[name] for name in self.columns if name in self.words.whole))
        *before, last = words
        return said.issuperset(before) and any(each.startswith(last) for each in said)


def follow(part: Sequence[str], words: Sequence[str]) -> bool:
    """Whether these words follow one another in a part of a text. No words at all follow nowhere."""
    if not words or words[0] not in part:
        return False
    most = len(part) - len(words) + 1
    return any(list(part[n : n + len(words)]) == list(words) for n in range(most) if part[n] == words[0])
