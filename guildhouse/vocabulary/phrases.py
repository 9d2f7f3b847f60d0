"""Synonyms: other phrases for what a phrase of a search means, for titles and for skills, in English and Chinese."""

from guildhouse.kernel.at_hand import Once
from guildhouse.vocabulary.occupations import decided, register
from guildhouse.vocabulary.skills import other_spellings, spelled
from guildhouse.vocabulary.titles import title_key, words_of

MOST = 8


def synonyms(phrase: str) -> tuple[str, ...]:
    """Other phrases that mean the same, the best first; none, where nothing means quite the same."""
    found = dict.fromkeys((*same_titles(phrase), *other_spellings(phrase), *official_titles(phrase)))
    return tuple(each for each in found if title_key(each) != title_key(phrase))[:MOST]


def load() -> None:
    """Load all that phrases are looked up in."""
    register(), lists(), spelled()


def same_titles(phrase: str) -> tuple[str, ...]:
    """The titles of the list that a title is in, and its long or short form."""
    key = title_key(phrase)
    return (*lists().get(key, ()), *register().forms.get(key, ()))


@Once
def lists() -> dict[str, tuple[str, ...]]:
    """The lists of titles that mean the same, by each of their titles."""
    every = [tuple(same) for of_one in decided().values() for same in of_one]
    return {title_key(each): same for same in every for each in same}


def official_titles(phrase: str) -> tuple[str, ...]:
    """The title that O*NET gives to the occupation whose alone this title is."""
    code = register().owners.get(title_key(phrase))
    return (" ".join(words_of(register().occupations[code].title)),) if code else ()
