"""From what was asked to what tantivy runs: words with their synonyms and typing errors, weights, filters and sight.

Of one or two words all are needed, of three or four all but one; of longer texts any, and what has more of them comes
first. A column of weight A counts a fifth of the text as a whole, in addition to it, and twice as much for few words; one
of B half of that. On the claims of SciFact that ranks better than full weights (`bench/search_quality.py`).
"""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from math import log1p

from tantivy import Occur, Query, Schema

from guildhouse.kernel.manifest import Synonyms
from guildhouse.kernel.searching.in_sight import Clause, found_in_sight, must, rows_in_sight
from guildhouse.kernel.searching.index_schema import Noun
from guildhouse.kernel.searching.query_parts import all_of, any_of, beginning_with, having
from guildhouse.kernel.searching.search_index import SearchIndex
from guildhouse.kernel.searching.search_query import FEW_WORDS, Asked, Term, said_together
from guildhouse.kernel.searching.spelling import meant_by_letters
from guildhouse.kernel.searching.tokens import errors_in, inside, stem, stems_of, whole_of

BOOSTS = {"A": 0.2, "B": 0.1}
SHORT = 2.0  # times as much as that where few words are asked for: then they are likely to be a title
AS_TYPED = 0.5  # where there is but one word, a title that has it as it was typed, or in the other number
NEIGHBOURS = 0.1  # two words of the query that follow one another in a title
MEANT = 0.9  # a synonym counts less than the word
MISTYPED = 0.5
CHOSEN = 2.0  # a choice, whatever it is: it narrows a search as a filter would
NAMED = 0.6  # a text that says the same as a choice
LONGEST_PHRASE = 4  # words of what may have a synonym


def no_synonyms(_phrase: str) -> Sequence[str]:
    """Where no domain knows other words."""
    return ()


@dataclass
class QueryBuilder:
    """Builds queries for the index of one noun. `mistyped` gathers the words that the index has not at all."""

    index: SearchIndex
    synonyms: Synonyms = no_synonyms
    mistyped: list[str] = field(default_factory=list)
    made: dict[Sequence[Term], list[Query]] = field(default_factory=dict)  # of these terms: to find by and to count by

    @property
    def noun(self) -> Noun:
        """The noun."""
        return self.index.schema.noun

    @property
    def schema(self) -> Schema:
        """The index's schema."""
        return self.index.schema.built

    def ranked(
        self, asked: Asked, scopes: Collection[str], filters: Sequence[Query] = (), *, any_word: bool = False
    ) -> Query:
        """The query whose score says how well a row fits."""
        return found_in_sight(self.index, scopes, [*map(must, filters), *self.words(asked, any_word=any_word)])

    def counted(
        self, asked: Asked | None, scopes: Collection[str], filters: Sequence[Query], *, any_word: bool
    ) -> Query:
        """The query that only says which rows are found: for counting."""
        if asked is None:
            return all_of([rows_in_sight(self.index, scopes), *filters])
        words = self.words(asked, any_word=any_word, favouring=False)
        return found_in_sight(self.index, scopes, [*map(must, filters), *words])

    def words(self, asked: Asked, *, any_word: bool, favouring: bool = True) -> Iterator[Clause]:
        """The words: so many of those needed, none that is excluded, and what else makes a row come earlier."""
        needed = needed_of(asked)
        if needed:
            core = [(Occur.Should, each) for each in self.merged_once(tuple(needed))]
            least = 1 if any_word else least_of(len(core))
            yield Occur.Must, Query.boolean_query(core, minimum_number_should_match=least)
        yield from ((Occur.Must, self.one(each)) for each in needed if each.exact)
        yield from ((Occur.MustNot, self.one(each)) for each in asked.terms if each.excluded)
        if favouring:
            yield from ((Occur.Should, each) for each in self.favours(needed))

    def merged_once(self, needed: tuple[Term, ...]) -> list[Query]:
        """What is `merged`, the same whether it is to find by, to count by, or to find by any of it."""
        if needed not in self.made:
            self.made[needed] = list(self.merged(needed))
        return self.made[needed]

    def merged(self, needed: Sequence[Term]) -> Iterator[Query]:
        """A query for each term, one for several where together they have a synonym."""
        for terms, others in groups_of(needed, self.synonyms):
            if not others:
                yield self.one(terms[0])
                continue
            chosen = self.chosen(terms)
            own = [self.in_text(each) if chosen else self.one(each) for each in terms]
            said = own[0] if len(own) == 1 else all_of(own)
            most = self.rarity([word for each in terms for word in each.words])
            in_title = SHORT * (BOOSTS["A"] + (NEIGHBOURS if len(terms) > 1 else 0.0))
            alternatives = (self.alternative(stems_of(each), most, in_title) for each in others)
            found = Query.disjunction_max_query([said, *alternatives])
            yield or_chosen(found, chosen)

    def alternative(self, words: Sequence[str], most: float, in_title: float) -> Query:
        """Another way to say it, at a lower score, however rare it is; in the title it counts more, as the words do."""
        title = self.phrase(f"{self.noun.name}.{self.noun.title}", words)
        places = [self.phrase(self.noun.name, words), Query.boost_query(title, in_title)]
        return Query.boost_query(any_of(places), MEANT * min(1.0, most / self.rarity(words)))

    def rarity(self, words: Sequence[str]) -> float:
        """How rare these words are together, as the engine reckons it; never nothing."""
        rows = self.index.searcher.num_docs
        said = [self.index.searcher.doc_freq(self.noun.name, word) for word in words]
        return sum(log1p((rows - each + 0.5) / (each + 0.5)) for each in said) or 1.0

    def one(self, term: Term) -> Query:
        """One term: in all text, or in its column; or the choices that it stands for."""
        if term.either:
            return any_of(map(self.one, term.either))
        return or_chosen(self.in_text(term), self.chosen([term]))

    def chosen(self, terms: Sequence[Term]) -> Sequence[Query]:
        """The rows of the choices that one term stands for; of several together, none."""
        choices = terms[0].choices if len(terms) == 1 else ()
        rows = (having(self.schema, f"{self.noun.name}={each.column}", each.value) for each in choices)
        return [Query.const_score_query(each, CHOSEN) for each in rows]

    def in_text(self, term: Term) -> Query:
        """One term in all text, or in its column."""
        name = f"{self.noun.name}.{term.column}" if term.column else self.noun.name
        if term.begins:
            return self.beginning(term)
        if term.is_chinese:
            return self.chinese(name, term)
        if len(term.words) > 1:
            return self.phrase_in(term, name)
        word = term.words[0]
        found = Query.term_query(self.schema, name, word, self.kept(name))
        if not self.may_be_mistyped(term):
            return found
        near = list(self.near(term, [name, f"{self.noun.name}.{self.noun.title}"]))
        if not near:
            return found
        self.mistyped.append(term.said)
        return any_of([found, *near])

    def near(self, term: Term, places: Sequence[str]) -> Iterator[Query]:
        """What may be meant by a word that nobody has written, or only others with its stem."""
        word = term.words[0]
        if self.index.searcher.doc_freq(places[0], word):
            meant = {stem(each) for each in meant_by_letters(self.index, term.said)} - {word}
            yield from (having(self.schema, place, each) for each in sorted(meant) for place in places)
        else:
            said = "".join(whole_of(term.said))
            forms = [(place, word) for place in places] + [(f"{self.noun.name}~whole", said)]
            near = (Query.fuzzy_term_query(self.schema, place, form, errors_in(form)) for place, form in forms)
            yield from (Query.boost_query(each, MISTYPED) for each in near)

    def may_be_mistyped(self, term: Term) -> bool:
        """Whether a word may be a typing error: it is not known by other words."""
        is_word = not (term.exact or term.column or term.excluded or term.choices) and errors_in(term.words[0])
        return bool(is_word) and not self.synonyms(term.said.lower())

    def kept(self, name: str) -> str:
        """What a field keeps of each word."""
        return self.index.schema.fields[name][1]

    def phrase_in(self, term: Term, name: str) -> Query:
        """A phrase in a field; where a column keeps no places of words, all of them in it, and the phrase in all text."""
        if self.kept(name) == "position" or len(term.words) == 1:
            return self.phrase(name, term.words)
        words = [having(self.schema, name, each) for each in term.words]
        return all_of([*words, self.phrase(self.noun.name, term.words)])

    def phrase(self, name: str, words: Sequence[str]) -> Query:
        """Words that follow one another."""
        if not words:
            return Query.empty_query()
        if len(words) == 1:
            return Query.term_query(self.schema, name, words[0], self.kept(name))
        return Query.phrase_query(self.schema, name, list(words))

    def chinese(self, name: str, term: Term) -> Query:
        """A Chinese word: as the dictionary cut it, or sign by sign, in case it was cut otherwise where it stands."""
        cut = self.phrase_in(term, name)
        if not term.signs:
            return cut
        signs = Query.const_score_query(self.phrase(f"{self.noun.name}~signs", term.signs), 1.0)
        found = any_of([cut, signs])
        if not self.may_be_mistyped(term) or self.index.count(found):
            return found
        parts = [self.phrase(name, (each,)) for each in inside(term.said)] or [found]
        together = all_of(parts)
        return together if self.index.count(together) else any_of(parts)

    def beginning(self, term: Term) -> Query:
        """Words that begin like this, among the titles and names."""
        return beginning_with(self.schema, f"{self.noun.name}~whole", term.words)

    def favours(self, needed: Sequence[Term]) -> Iterator[Query]:
        """What makes a row come earlier: words in a column of weight, and neighbours in the title."""
        alone = [each for each in needed if is_alone(each)]
        words = [each.words[0] for each in alone]
        times = SHORT if len(needed) <= FEW_WORDS else 1.0
        for column, weight in self.noun.text.items():
            if boost := BOOSTS.get(weight):
                name = f"{self.noun.name}.{column}"
                terms = (Query.term_query(self.schema, name, word) for word in words)
                yield from (Query.boost_query(each, boost * times) for each in terms)
        if len(alone) == 1:
            forms = [having(self.schema, f"{self.noun.name}~title", each) for each in forms_of(alone[0])]
            yield Query.boost_query(Query.disjunction_max_query(forms), AS_TYPED * times)
        title = f"{self.noun.name}.{self.noun.title}"
        for both in pairwise(words):
            yield Query.boost_query(Query.phrase_query(self.schema, title, list(both)), NEIGHBOURS * times)


def or_chosen(said: Query, chosen: Sequence[Query]) -> Query:
    """The rows of a choice, or those whose text says so, which then counts less."""
    return any_of([Query.boost_query(said, NAMED), *chosen]) if chosen else said


def is_alone(term: Term) -> bool:
    """Whether a term is one word that says what a row is about."""
    return len(term.words) == 1 and not (term.begins or term.either or term.choices)


def forms_of(term: Term) -> Sequence[str]:
    """One word as it was typed, and in the other number: a stem says less, `developer` and `development` have the same."""
    word = term.said if term.is_chinese else "".join(whole_of(term.said))
    return (word,) if term.is_chinese else (word, word[:-1] if word.endswith("s") else f"{word}s")


def needed_of(asked: Asked) -> Sequence[Term]:
    """The terms that are needed; of a long text any of its words."""
    return asked.needed if len(asked.needed) <= FEW_WORDS else loosened(asked.needed)


def groups_of(needed: Sequence[Term], synonyms: Synonyms) -> Iterator[tuple[Sequence[Term], Sequence[str]]]:
    """The terms one by one, several together where together they have a synonym; and those synonyms."""
    start = 0
    while start < len(needed):
        length, others = meant(needed[start:], synonyms)
        yield needed[start : start + length], others
        start += length


def meant(terms: Sequence[Term], synonyms: Synonyms) -> tuple[int, Sequence[str]]:
    """How many of the next terms have a synonym together, and their synonyms; the most that have one."""
    plain = terms[:LONGEST_PHRASE]
    for length in range(len(plain), 0, -1):
        group = plain[:length]
        if all(each.is_plain for each in group):
            others = [*synonyms(said_together(group)), *(group[0].other_names if length == 1 else ())]
            if narrow := list({stems_of(each): each for each in others if not is_part(each, group)}.values()):
                return length, narrow
    return 1, ()


def is_part(other: str, terms: Sequence[Term]) -> bool:
    """Whether another phrase says only a part of what these terms say: `nurse` is wider than `registered nurse`."""
    return set(stems_of(other)) <= {word for each in terms for word in each.words}


def least_of(count: int) -> int:
    """How many of so many words a row needs."""
    return count if count <= 2 else count - 1 if count <= FEW_WORDS else 1


def loosened(terms: Sequence[Term]) -> list[Term]:
    """The terms of a text: what is joined, as `end-of-life`, is any of its words; Chinese and choices stay together."""
    found: list[Term] = []
    for each in terms:
        stays = each.exact or each.begins or each.either or each.choices or each.is_chinese
        found += [each] if stays else [replace(each, words=(word,)) for word in each.words]
    return found
