"""Forgiving: what one may be about to type where hardly anything begins as it was typed. English words with a typing error
are put right by words and values that begin nearly so, and completed as if they had been typed right."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from rapidfuzz.distance import OSA
from rapidfuzz.process import extract
from tantivy import Query

from guildhouse.kernel.searching.completing import MOST_LETTERS, Suggestion, complete, is_free_text
from guildhouse.kernel.searching.in_sight import rows_in_sight
from guildhouse.kernel.searching.query_parts import all_of, beginning_with
from guildhouse.kernel.searching.search_index import SearchIndex
from guildhouse.kernel.searching.spelling import LOOKED_AT
from guildhouse.kernel.searching.tokens import HAN, errors_in, whole

FEW = 3  # rows: where fewer begin as it was typed, that may be an error, too
TIMES = 10  # as many rows at least have what was meant then
LIKELY = 10  # beginnings that come near, of which those that are seen are taken
MEANT = 2  # ways to put a word right, or a value, that are tried: each is a completion


def complete_forgiving(index: SearchIndex, scopes: Collection[str], text: str, limit: int) -> list[Suggestion]:
    """What continues this text, if it has a typing error."""
    typed = text.strip()[:MOST_LETTERS].lower()
    if not errors_in(typed) or HAN.search(typed):
        return []
    forgiving = Forgiving(index, rows_in_sight(index, scopes), typed)
    meant = dict.fromkeys((*forgiving.titles(), *islice(forgiving.values(), MEANT)))
    return [each for right in meant for each in complete(index, scopes, right, limit)]


def with_forgiven(told: Sequence[Suggestion], forgiven: Iterable[Suggestion]) -> list[Suggestion]:
    """What begins as it was typed first, then what comes near it, where that is much more frequent."""
    rows = sum(each["count"] for each in told)
    return [*told, *(each for each in forgiven if each["count"] >= TIMES * rows and each not in told)]


@dataclass(frozen=True)
class Forgiving:
    """A text that may have a typing error, and the rows of a noun that somebody sees."""

    index: SearchIndex
    seen: Query
    typed: str

    @property
    def titles_field(self) -> str:
        """The field of the words of titles."""
        return f"{self.index.schema.noun.name}~title"

    def titles(self) -> Iterator[str]:
        """The text as titles have its words; the last one may go on."""
        *before, last = whole(self.typed) or [""]
        right = [self.nearest(word) for word in before]
        if right != before:
            yield " ".join([*right, last])
        if errors_in(last):
            near = self.begin_nearly(self.titles_field, last, last[:2])
            yield from (" ".join([*right, begin]) for begin in near)

    def nearest(self, word: str) -> str:
        """A word of titles, or the one that may be meant by it."""
        most = errors_in(word)
        if not most or self.index.searcher.doc_freq(self.titles_field, word):
            return word
        known = self.known(self.titles_field, word[:2])
        found = extract(word, known, scorer=OSA.distance, score_cutoff=most, limit=1)
        return found[0][0] if found else word

    def values(self) -> Iterator[str]:
        """How values of columns begin that begin nearly so."""
        noun = self.index.schema.noun
        for column in noun.resource.find.facets:
            if column != noun.title and is_free_text(noun, column):
                begins = (self.typed[0].upper(), self.typed[0])
                yield from self.begin_nearly(f"{noun.name}={column}", self.typed, begins)

    def begin_nearly(self, field: str, typed: str, begins: Iterable[str]) -> list[str]:
        """How words or values of a field begin that somebody sees, one error away from what was typed: a letter more, as
        many, or one less. The longest count, as they say most."""
        known = self.known(field, begins)
        for length in (len(typed) + 1, len(typed), len(typed) - 1):
            cut = list(dict.fromkeys(each[:length] for each in known if len(each) >= length))
            near = extract(typed, cut, scorer=OSA.distance, processor=str.lower, score_cutoff=1, limit=LIKELY)
            if found := list(islice((begin for begin, *_ in near if self.is_seen(field, begin)), MEANT)):
                return found
        return []

    def known(self, field: str, begins: Iterable[str]) -> list[str]:
        """The most frequent words or values that begin with any of these letters: the first, or the second, should the
        first be too much."""
        searcher = self.index.searcher
        return [
            word
            for begin in dict.fromkeys(begins)
            for word, _ in searcher.terms_with_prefix(field, begin, None, LOOKED_AT)
        ]

    def is_seen(self, field: str, begin: str) -> bool:
        """Whether a row that is seen has a word or a value that begins so."""
        begins = beginning_with(self.index.schema.built, field, [begin])
        return bool(self.index.count(all_of([self.seen, begins])))
