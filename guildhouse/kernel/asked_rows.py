"""Asked rows: all that a query string asks rows for, by filters, by amounts in some unit, and around a point."""

from collections.abc import Sequence
from functools import cache
from typing import Any

from guildhouse.kernel import measures, nearby
from guildhouse.kernel.filters import Condition, conditions
from guildhouse.kernel.manifest import House
from guildhouse.kernel.nearby import Around
from guildhouse.kernel.resource import Resource


def asked_rows(
    house: House, resource: Resource[Any], query: Sequence[tuple[str, str]], reserved: frozenset[str]
) -> tuple[Around | None, list[Condition]]:
    """What rows fulfil, and the point that they are around, if there is one; `reserved` parameters are not about that."""
    around = nearby.around_of(house, resource, query)
    found = [*conditions(resource, query, no_filters(resource, reserved)), *measures.measured(resource, query)]
    return around, [*found, *(around.conditions() if around else ())]


@cache
def no_filters(resource: Resource[Any], reserved: frozenset[str]) -> frozenset[str]:
    """The parameters of a list that are not the name of a column."""
    return reserved.union(nearby.parameters(resource), measures.parameters(resource))
