"""Town names: what a town is called in the other language, so that a search for 台北 finds what lies in Taipei."""

from bisect import bisect_left
from collections import defaultdict
from functools import lru_cache

from guildhouse.kernel.at_hand import Once
from guildhouse.places.gazetteer import gazetteer
from guildhouse.places.locating import candidates
from guildhouse.places.place_names import fold

CHINESE = "\u3400"  # where names begin that are written in Chinese signs


@lru_cache(20_000)  # the same words come again and again
def other_names(phrase: str) -> tuple[str, ...]:
    """The names of the town that a phrase means; none for what is no town, or has no Chinese name."""
    key = fold(phrase)
    return tuple(each for each in names_of_towns().get(key, ()) if each != key)


@Once
def names_of_towns() -> dict[str, tuple[str, ...]]:
    """All names of the towns that have a Chinese one, by each of these names that means no other town."""
    book = gazetteer()
    chinese = range(bisect_left(range(book.size), CHINESE, key=book.key), book.size)
    towns: dict[tuple[str, str], list[str]] = defaultdict(list)
    for key, place in ((book.key(n), book.place(n)) for n in chinese):
        towns[place.name, place.country].append(key)
    found: dict[str, tuple[str, ...]] = {}
    for (name, country), keys in towns.items():
        plain = fold(name)
        names = tuple(dict.fromkeys((plain.removesuffix(" city"), plain, *keys)))
        found |= {each: names for each in names if [place.country for place in candidates(each)] == [country]}
    return found
