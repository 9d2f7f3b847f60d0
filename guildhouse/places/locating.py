"""Locating: which town a name means. Where several have it and none is known above the others, nobody guesses."""

from collections.abc import Container, Sequence
from functools import lru_cache
from math import cos, hypot, radians

from guildhouse.kernel.errors import BadRequest, Fault
from guildhouse.places.gazetteer import Place, gazetteer
from guildhouse.places.place_names import fold, is_in, parted

LONGEST = 200
SHOWN = 12
SAME = 0.1  # degrees, 11 km: two towns of one name that are as close are one


class UnknownPlace(BadRequest):
    """No town of the gazetteer is called `{name}`. Try its English name, or give latitude and longitude: `25.03,121.56`."""


class ManyPlaces(BadRequest):
    """There are {count} places called `{name}`. Say which, with the region or the country behind a comma: {candidates}."""


def locate(text: str) -> tuple[float, float]:
    """Latitude and longitude of a place by name: `Taipei`; `Portland, OR`. Raises `UnknownPlace`, `ManyPlaces`."""
    name, behind = parted(text[:LONGEST])
    found = candidates(name, behind)
    if not found:
        raise UnknownPlace(name=text[:LONGEST])
    if len(found) > 1:
        told = [told_apart(each, found) for each in found[:SHOWN]]
        faults = [Fault("near", "candidate", each) for each in told]
        raise ManyPlaces(name=name, count=len(found), candidates="; ".join(told), faults=faults)
    return found[0].latitude, found[0].longitude


@lru_cache(20_000)
def place_of(name: str, country: str | None = None, region: str | None = None) -> Place | None:
    """The town that a row names by its city, region and country; None where that may be several, or none.

    A region that nobody here has heard of is passed over.
    """
    of_country = candidates(name, country=country)
    found = [each for each in of_country if region and is_in(each.country, each.region, region)]
    chosen = sole(found) or of_country
    return chosen[0] if len(chosen) == 1 else None


def candidates(name: str, behind: Sequence[str] = (), country: str | None = None) -> list[Place]:
    """The towns that may be meant; one alone where it is known above the others."""
    key = fold(name)
    keys = dict.fromkeys((key, key.removesuffix(" city"), f"{key} city")) if key else {}
    for each in keys:
        named = [place for place in gazetteer().named(each) if country in (None, place.country)]
        if fitting := [place for place in named if all(is_in(place.country, place.region, said) for said in behind)]:
            return sole(fitting) or distinct(fitting)
    return []


def sole(places: Sequence[Place]) -> list[Place]:
    """The one that is known above the others, or that there is; else nothing."""
    known = [each for each in places if each.known]
    found = distinct(known or places)
    return found if len(found) == 1 else []


def distinct(places: Sequence[Place]) -> list[Place]:
    """The towns without those that lie where another one of the name does."""
    found: list[Place] = []
    for each in places:
        if not any(is_same(each, other) for other in found):
            found.append(each)
    return found


def is_same(one: Place, other: Place) -> bool:
    """Whether two towns of one name are one."""
    east = abs(one.longitude - other.longitude) * cos(radians(one.latitude))
    return one.country == other.country and hypot(one.latitude - other.latitude, east) < SAME


def told_apart(place: Place, others: Sequence[Place]) -> str:
    """What one writes to mean this one: its label, or where others have the same, its coordinates."""
    if sum(each.label == place.label for each in others) == 1:
        return place.label
    return f"{place.latitude},{place.longitude} ({place.label})"


def completed(start: str, country: str | None, most: int) -> list[Place]:
    """Towns whose names begin as somebody types them, those that are known above others first."""
    name, behind = parted(start[:LONGEST])
    key, found = fold(name, whole=False), list[Place]()
    if not key:
        return found
    for place in gazetteer().beginning(key, regions_of(behind, country)):
        if not any(place.name == other.name and is_same(place, other) for other in found):
            found.append(place)
            if len(found) == most:
                break
    return found


@lru_cache(1000)
def regions_of(behind: tuple[str, ...], country: str | None) -> Container[int]:
    """The regions of a country that fit all that stands behind the commas."""
    every = [(n, each[0], each[1]) for n, each in enumerate(gazetteer().regions) if country in (None, each[0])]
    return frozenset(n for n, of, region in every if all(is_in(of, region, each) for each in behind))
