"""Did you mean: the words of titles and names that are nearest to one that nobody wrote, as far as the actor sees them."""

import re
from collections.abc import Collection, Sequence

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract
from tantivy import Query

from guildhouse.kernel.searching.in_sight import text_in_sight
from guildhouse.kernel.searching.query_parts import all_of, having
from guildhouse.kernel.searching.search_index import SearchIndex
from guildhouse.kernel.searching.tokens import errors_in, stem, whole_of

LOOKED_AT = 20_000  # words that begin alike


def did_you_mean(index: SearchIndex, scopes: Collection[str], text: str, words: Sequence[str]) -> str | None:
    """The text with these words of it as others wrote them; None where no word comes near."""
    seen = text_in_sight(index, scopes)
    meant = text
    for word in words:
        nearest = min(near(index, seen, word), default=None)
        if nearest:
            meant = re.sub(rf"\b{re.escape(word)}\b", nearest[-1], meant, count=1)
    return meant if meant != text else None


def near(index: SearchIndex, seen: Query, word: str) -> list[tuple[int, bool, int, str]]:
    """The words of a noun's titles that come near, with how far they are; of those as near what ends alike, then what is
    more frequent. None where somebody has written the word so; where it has the stem of others, only those come near."""
    said = "".join(whole_of(word))
    most = errors_in(said)
    if not most:
        return []
    found = []
    name = f"{index.schema.noun.name}~whole"
    is_known = bool(index.searcher.doc_freq(index.schema.noun.name, stem(word)))
    by_letters = set(with_letters_doubled(said))
    for begin in dict.fromkeys((said[0], said[1])):  # the first letter, and the second, should the first be too much
        # Those that come near are few: only of these it is looked up whether they are seen.
        known = [other for other, _ in index.searcher.terms_with_prefix(name, begin, None, LOOKED_AT)]
        for other, distance, _ in extract(said, known, scorer=OSA.distance, score_cutoff=most, limit=None):
            count = index.count(all_of([having(index.schema.built, name, other), seen]))
            if count and distance == 0:
                return []
            may_be = not is_known or other in by_letters or stem(other) == stem(said)
            if count and may_be and not is_form(said, other):
                found.append((int(distance), other[-1] != said[-1], -count, other))
    return found


def meant_by_letters(index: SearchIndex, word: str) -> list[str]:
    """Words of titles and names that are this one with a letter doubled, or with one of two left out; none for such a word.

    Such an error may make a word with the stem of others, so that it seems to be known: `programer` has that of `program`.
    """
    said = "".join(whole_of(word))
    name, written = f"{index.schema.noun.name}~whole", index.searcher.doc_freq
    if not said.isascii() or written(name, said):
        return []
    return [each for each in with_letters_doubled(said) if written(name, each)]


def with_letters_doubled(word: str) -> list[str]:
    """The word with each of its letters doubled, or where there are two, one left out; not so the first one."""
    doubled = [word[:n] + word[n - 1 :] for n in range(2, len(word) + 1)]
    halved = [word[:n] + word[n + 1 :] for n in range(2, len(word)) if word[n] == word[n - 1]]
    return list(dict.fromkeys((*doubled, *halved)))


def is_form(one: str, other: str) -> bool:
    """Whether two words are forms of one, as `nurse` and `nurses`."""
    return stem(one) == stem(other) and (one.startswith(other) or other.startswith(one))
