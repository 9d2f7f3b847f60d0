"""Evidence: a few words of which a row has one, if a query finds it. So most rows are told apart from it by a look at sets.

Of what has to be there all together one word is enough, of alternatives one for each.
"""

from collections.abc import Iterable, Sequence
from typing import TypeAlias

from guildhouse.kernel.searching.search_query import Term
from guildhouse.kernel.searching.tokens import stems

Evidence: TypeAlias = frozenset[str] | None  # None where a row may be found whatever its words are
Groups: TypeAlias = Sequence[tuple[Sequence[Term], Sequence[str]]]  # terms, and other ways to say them together


def evidence_of(groups: Groups, least: int) -> Evidence:
    """The evidence of groups of which so many have to be there: that of so many that one of them is."""
    clauses = [any_of([best(map(of_term, terms)), *map(of_words, map(stems, others))]) for terms, others in groups]
    told = sorted((each for each in clauses if each is not None), key=rarity, reverse=True)
    enough = len(clauses) - least + 1
    return any_of(told[:enough]) if clauses and len(told) >= enough else None


def of_term(term: Term) -> Evidence:
    """The evidence of one term. A Chinese one may stand where it was cut otherwise: then its signs do."""
    if term.either:
        return any_of(map(of_term, term.either))
    if term.begins:
        return None
    signs = {term.signs[0]} if term.signs else set()
    chosen = {chosen_word(each.column, each.value) for each in term.choices}
    return frozenset({max(term.words, key=len), *signs, *chosen})


def chosen_word(column: str, value: str) -> str:
    """A choice as a word of its row."""
    return f"{column}={value}"


def of_words(words: Sequence[str]) -> Evidence:
    """The evidence of words that all have to be there: the longest, as a rule the rarest. No words at all find nothing."""
    return frozenset({max(words, key=len)}) if words else frozenset()


def any_of(found: Iterable[Evidence]) -> Evidence:
    """The evidence of alternatives."""
    together: set[str] = set()
    for each in found:
        if each is None:
            return None
        together |= each
    return frozenset(together)


def best(found: Iterable[Evidence]) -> Evidence:
    """The evidence of what has to be there all together."""
    return max((each for each in found if each is not None), key=rarity, default=None)


def rarity(evidence: frozenset[str]) -> int:
    """How few rows are likely to have it: the fewer, the longer its shortest word is."""
    return min(map(len, evidence), default=1_000)
