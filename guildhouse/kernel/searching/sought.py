"""What a list is searched for: `q`, `facets`, `highlights`, and the order by `relevance`, out of the query string."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.filters import truth
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.called import parse_asked
from guildhouse.kernel.searching.search_query import Asked

PARAMETERS = frozenset({"q", "facets", "highlights"})
RELEVANCE = "relevance"


class UnknownFacet(BadRequest):
    """`{name}` is not counted in {resource}. These are: {known}."""


class NothingToRank(BadRequest):
    """`sort=relevance` and `highlights` need words to search for: give `q`."""


@dataclass(frozen=True)
class Sought:
    """What is searched for. `asked` is None where only `facets` are."""

    asked: Asked | None
    facets: Sequence[str]
    highlights: bool
    by_relevance: bool


def parameters_of(resource: Resource[Any]) -> frozenset[str]:
    """The parameters of searching that a list takes: one without text takes none."""
    return PARAMETERS if resource.find.text else frozenset()


def sought_of(call: Call, resource: Resource[Any]) -> Sought | None:
    """What the query string searches for; None for a plain list. Raises for what cannot be searched."""
    params = call.params
    text, sort = params.get("q"), params.get("sort")
    if not resource.find.text or (sort != RELEVANCE and PARAMETERS.isdisjoint(params)):
        return None
    highlights = truth("highlights", params.get("highlights", "false"))
    facets = facets_of(resource, params.get("facets"))
    if text is None and (sort == RELEVANCE or highlights):
        raise NothingToRank
    asked = parse_asked(resource, text) if text is not None else None
    return Sought(asked, facets, highlights, text is not None and sort in (None, RELEVANCE))


def facets_of(resource: Resource[Any], text: str | None) -> list[str]:
    """The columns of `facets=status,country`."""
    names = list(dict.fromkeys(each.strip() for each in (text or "").split(",") if each.strip()))
    for name in names:
        if name not in resource.find.facets:
            known = ", ".join(resource.find.facets) or "none"
            raise UnknownFacet(name=name, resource=resource.name, known=known)
    return names
