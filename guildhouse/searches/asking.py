"""Asking: what a saved search asks of a list, judged by the very functions that the list itself uses."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from guildhouse.kernel import measures, nearby
from guildhouse.kernel.asked_rows import asked_rows
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import BadRequest, Denied, Fault, UnknownParameter, invalid, raise_if
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.manifest import House
from guildhouse.kernel.pages import parse_sort
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.called import parse_asked
from guildhouse.kernel.searching.search_query import Asked
from guildhouse.kernel.searching.sought import RELEVANCE, NothingToRank

# How rows are shown, not which: a search is kept with the order it is best read in, and decides nothing by it.
ORDER, WORDS = "sort", "q"
RESERVED = frozenset({ORDER, WORDS})
# Which parameter a problem is about, where its values do not say so.
PLACES: Mapping[type[BadRequest], str] = {nearby.WrongRadius: "radius", nearby.WrongRemote: "remote"}


def searchable(house: House) -> dict[str, Resource[Any]]:
    """The nouns that can be asked about, by their tables' names: what people look for, not what a server works with."""
    return {
        name: resource
        for name, resource in house.resources.items()
        if (resource.find.filter or resource.find.text) and not resource.carry.stays
    }


def asked_of(ctx: Context, noun: str) -> Resource[Any]:
    """The list that a search asks, if the actor may read it. Raises what `list_of` does, and `Denied`."""
    resource = list_of(ctx.house, noun)
    if not resource.is_open_to(ctx.actor):
        raise Denied
    return resource


def list_of(house: House, noun: str) -> Resource[Any]:
    """The list of a noun, as addresses or the log name it. Raises what says which there are."""
    known = searchable(house)
    resource = known.get(noun.replace("-", "_"))
    if resource is None:
        names = ", ".join(each.path for each in known.values())
        raise invalid("/resource", "unknown-list", "there is no such list to search; there are: {known}", known=names)
    return resource


def check_query(house: House, resource: Resource[Any], query: Mapping[str, str]) -> None:
    """Raise every fault of a query at its place, in the words of the list."""
    faults = []
    for names in parts_of(resource, query):
        try:
            check_part(house, resource, names, query)
        except BadRequest as problem:
            said = str(PLACES.get(type(problem)) or problem.values.get("name"))
            place = (said if said in names else names[0]).replace("~", "~0").replace("/", "~1")
            faults.append(Fault(f"/query/{place}"[:200], problem.code(), problem.detail(), problem.values))
    raise_if(faults)


def parts_of(resource: Resource[Any], query: Mapping[str, str]) -> list[list[str]]:
    """The parameters, those together that make sense only together: a point with its radius, an amount with its unit."""
    together = (nearby.parameters(resource), measures.parameters(resource))
    groups = [[name for name in group if name in query] for group in together]
    return [*([name] for name in query if not any(name in group for group in groups)), *filter(None, groups)]


def check_part(house: House, resource: Resource[Any], names: Sequence[str], query: Mapping[str, str]) -> None:
    """Raise what a list would say of these parameters."""
    name, text = names[0], query[names[0]]
    known = RESERVED if resource.find.text else frozenset({ORDER})
    if any("\0" in name + query[name] for name in names):
        raise UnknownParameter(name=name.replace("\0", ""), known=", ".join(sorted({*resource.find.filter, *known})))
    if name not in known:
        asked_rows(house, resource, [(each, query[each]) for each in names], known)
    elif name == WORDS:
        parse_asked(resource, text)
    elif text != RELEVANCE or not resource.find.text:
        around = nearby.around_of(house, resource, list(query.items())) if "near" in query else None
        parse_sort(resource, text, around.orders if around else None)
    elif WORDS not in query:
        raise NothingToRank


def words_of(resource: Resource[Any], query: Mapping[str, str]) -> Asked | None:
    """The words that a row has to have, if the query has any."""
    text = query.get(WORDS)
    return None if text is None else parse_asked(resource, text)


def conditions_of(house: House, resource: Resource[Any], query: Mapping[str, str]) -> list[Condition]:
    """What a row fulfils that the query finds, as of now: `within` the last week is another time each time."""
    return asked_rows(house, resource, list(query.items()), RESERVED)[1]


def address_of(resource: Resource[Any], query: Mapping[str, str]) -> str:
    """Where the search is run by hand: the list, with the query. Equal queries have equal addresses."""
    asked = urlencode(sorted(query.items()))
    return f"/v1/{resource.path}?{asked}" if asked else f"/v1/{resource.path}"
