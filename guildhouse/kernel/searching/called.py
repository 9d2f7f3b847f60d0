"""Choices: a column that has one of a few values is found by what people call these, as the declaration says (`Find.words`).

The words need not be in any text: `part time` finds the rows whose employment type is that, whatever they say.
"""

from functools import cache
from typing import Any

from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.search_query import Asked, Choice, Choices, parse_query, pieces, words_typed
from guildhouse.kernel.searching.tokens import plain


def parse_asked(resource: Resource[Any], text: str) -> Asked:
    """Parse what is searched for in a noun. Raises `QueryTooLong` and `NothingToSearch`."""
    return parse_query(text, resource.find.text, choices_of(resource))


@cache
def choices_of(resource: Resource[Any]) -> Choices:
    """What people call the choices of a noun, by the words that are typed for it."""
    found: dict[tuple[str, ...], tuple[Choice, ...]] = {}
    for column, values in resource.find.words.items():
        for choice in (Choice(column, value, names) for value, names in values.items()):
            for key in dict.fromkeys(words_typed(filter(None, pieces(plain(name), ()))) for name in choice.names):
                found[key] = (*found.get(key, ()), choice)
    return found
