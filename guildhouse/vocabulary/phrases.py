"""Synonyms: other phrases for what a phrase of a search means, for titles and for skills, in English and Chinese."""

from functools import lru_cache

from guildhouse.kernel.at_hand import Once
from guildhouse.kernel.searching.tokens import chinese, folded_script, scripts
from guildhouse.vocabulary import shipped
from guildhouse.vocabulary.occupations import decided, register
from guildhouse.vocabulary.skills import other_spellings, spelled
from guildhouse.vocabulary.titles import title_key, words_of

MOST = 8


@lru_cache(20_000)  # the same words come again and again
def synonyms(phrase: str) -> tuple[str, ...]:
    """Other phrases that mean the same, the best first; none, where nothing means quite the same."""
    key = title_key(phrase)
    found = dict.fromkeys(
        (*same_titles(key), *everyday().get(key, ()), *other_spellings(phrase), *official_titles(key))
    )
    return tuple(each for each in found if title_key(each) != key)[:MOST]


def load() -> None:
    """Load all that phrases are looked up in, and what other ways to say them are searched with: many are Chinese."""
    register(), lists(), everyday(), spelled(), chinese(), scripts()


def same_titles(key: str) -> tuple[str, ...]:
    """The titles of the list that a title is in, and its long or short form."""
    return (*lists().get(key, ()), *register().forms.get(key, ()))


@Once
def lists() -> dict[str, tuple[str, ...]]:
    """The lists of titles that mean the same, by each of their titles."""
    every = [tuple(same) for of_one in decided().values() for same in of_one]
    return {title_key(each): same for same in every for each in same}


@Once
def everyday() -> dict[str, tuple[str, ...]]:
    """The lists of everyday words for kinds of work, by each of their words, in the script of searches, too."""
    found: dict[str, tuple[str, ...]] = {}
    for same in shipped.supplement()["everyday"]["words"]:
        others = tuple(each for each in same if not each.startswith("-"))
        said = [each.removeprefix("-") for each in same]
        found |= {title_key(form): others for each in said for form in (each, folded_script(each))}
    return found


def official_titles(key: str) -> tuple[str, ...]:
    """The title that O*NET gives to the occupation whose alone this title is, and each of several that it is made of."""
    code = register().owners.get(key)
    if not code:
        return ()
    occupation = register().occupations[code]
    return (*occupation.parts, " ".join(words_of(occupation.title)))
