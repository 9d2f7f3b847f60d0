"""Nearby: rows around a point, nearest first, by two indexed columns and plain SQL: `near=25.03,121.56&radius=20km`.

A box on the two columns finds candidates by their index. What tells is the straight line through the earth between two
points of its ellipsoid (WGS84), bent to an arc by the radius of curvature at the point that is asked for: up to 50 km
within a millimetre of the exact distance, up to 500 km within a metre. Pages read no further than they must: where
any distance will do, the nearest rows are looked for in rings, each twice as wide as the one before.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import asin, cos, degrees, hypot, isfinite, pi, radians, sin, sqrt
from typing import Any, Literal

import sqlalchemy as sa

from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.manifest import House
from guildhouse.kernel.pages import Cursor, Order
from guildhouse.kernel.resource import Resource

EQUATOR = 6_378_137.0  # metres from the earth's centre to its equator (WGS84)
FLATNESS = 1 / 298.257223563
SQUASH = FLATNESS * (2 - FLATNESS)  # the square of the eccentricity
LEAST_CURVED = EQUATOR * (1 - SQUASH)  # metres of a radian of latitude, where it has the fewest
HALFWAY = 20_100_000.0  # metres: nothing on earth is further away
MARGIN = 1e-9  # degrees by which a box is wider than it must be, so that no rounding cuts a row off
DISTANCE = "distance_km"
KIND: sa.types.TypeEngine[Any] = sa.Double()
FIRST_RING = 25_000.0  # metres
SHORTEST, LONGEST, USUAL = 500.0, 500_000.0, 25_000.0
UNITS = {"m": 1.0, "km": 1000.0, "mi": 1609.344}
POINT = re.compile(r"\s*([+-]?\d{1,3}(?:\.\d{1,12})?)\s*,\s*([+-]?\d{1,3}(?:\.\d{1,12})?)\s*", re.ASCII)
REACH = re.compile(r"(\d{1,6}(?:\.\d{1,6})?)\s*(km|mi|m)", re.ASCII)


class WrongPoint(BadRequest):
    """`near` takes latitude and longitude in degrees, such as `25.03,121.56`, or the name of a place."""


class WrongRadius(BadRequest):
    """`radius` takes a distance from 500 m to 500 km, such as `20km`, `10mi` or `800m`, or `any`."""


class WrongRemote(BadRequest):
    """`remote` takes `include` or `exclude`."""


class NearIsMissing(BadRequest):
    """`{name}` says something beside `near` only. Add it: `near=25.03,121.56`, or the name of a place."""


@dataclass(frozen=True)
class Around:
    """What a list is asked for around a point. Without a `radius` (in metres) any distance will do.

    Rows that are everywhere (`Find.everywhere`) count by where they lie, unless they are all to be in or out.
    """

    resource: Resource[Any]
    latitude: float
    longitude: float
    radius: float | None = USUAL
    remote: Literal["include", "exclude"] | None = None

    @cached_property
    def centre(self) -> tuple[float, float, float]:
        """The point, in metres from the earth's centre."""
        across = self.curvature * cos(radians(self.latitude))
        east = radians(self.longitude)
        up = self.curvature * (1 - SQUASH) * sin(radians(self.latitude))
        return across * cos(east), across * sin(east), up

    @property
    def curvature(self) -> float:
        """The radius of curvature from west to east here, in metres."""
        return EQUATOR / sqrt(1 - SQUASH * sin(radians(self.latitude)) ** 2)

    @cached_property
    def ball(self) -> float:
        """The radius of the ball that fits the earth best here: the mean of both radii of curvature."""
        along = EQUATOR * (1 - SQUASH) / (1 - SQUASH * sin(radians(self.latitude)) ** 2) ** 1.5
        return sqrt(along * self.curvature)

    def conditions(self) -> tuple[Condition, ...]:
        """What a row fulfils that is asked for; the search index can judge what is about one column."""
        if self.remote is None or self.resource.find.everywhere is None:
            return self.here()
        column, value = self.resource.find.everywhere
        if self.remote == "exclude":
            return *self.here(), Condition(f'"{column}" IS DISTINCT FROM ?', (value,), (column, "ne"))
        return (either(self.here(), (Condition(f'"{column}" = ?', (value,), (column, "eq")),)),)

    def here(self) -> tuple[Condition, ...]:
        """The row is within the radius."""
        if self.radius is None:
            return (Condition(f'"{self.columns[0]}" IS NOT NULL', (), (self.columns[0], "there")),)
        chord = 2 * self.ball * sin(min(self.radius / (2 * self.ball), pi / 2))
        return *self.box(self.radius), Condition(f"{self.line_squared} <= ?", (*self.centre, chord * chord))

    def box(self, radius: float) -> tuple[Condition, ...]:
        """The row is in a box around the circle, or in one of two where it reaches over the 180th meridian."""
        x, y, _ = self.centre
        high = degrees(radius / LEAST_CURVED) + MARGIN
        # Nobody comes further round the earth's axis than by the angle under which the radius is seen from there.
        axis = hypot(x, y)
        wide = degrees(asin(radius / axis)) + MARGIN if radius < axis else 180.0
        south, north = self.latitude - high, self.latitude + high
        west, east = self.longitude - wide, self.longitude + wide
        if wide >= 180:
            return self.within(south, north, -180.0, 180.0)
        if west <= -180:
            return (either(self.within(south, north, -180.0, east), self.within(south, north, west + 360, 180.0)),)
        if east >= 180:
            return (either(self.within(south, north, west, 180.0), self.within(south, north, -180.0, east - 360)),)
        return self.within(south, north, west, east)

    def within(self, south: float, north: float, west: float, east: float) -> tuple[Condition, ...]:
        """The row is between two latitudes and two longitudes."""
        latitude, longitude = self.columns
        return (
            Condition(f'"{latitude}" BETWEEN ? AND ?', (south, north), (latitude, "between")),
            Condition(f'"{longitude}" BETWEEN ? AND ?', (west, east), (longitude, "between")),
        )

    @property
    def columns(self) -> tuple[str, str]:
        """The columns of latitude and longitude."""
        assert self.resource.find.place
        return self.resource.find.place

    @property
    def line_squared(self) -> str:
        """SQL of the straight line to a row, squared; its three values are the centre's."""
        latitude, longitude = (f'radians("{name}")' for name in self.columns)
        curvature = f"({EQUATOR} / sqrt(1 - {SQUASH} * power(sin({latitude}), 2)))"
        across = f"{curvature} * cos({latitude})"
        return (
            f"(power({across} * cos({longitude}) - ?, 2) + power({across} * sin({longitude}) - ?, 2)"
            f" + power({curvature} * {1 - SQUASH} * sin({latitude}) - ?, 2))"
        )

    @property
    def source(self) -> Condition:
        """SQL of the rows with the distance of each as one more column: kilometres, to the metre.

        A row that is everywhere, and is to be in for that, has none.
        """
        arc = f"round(? * asin(least(1, sqrt({self.line_squared}) / ?))) / 1000"
        values: tuple[Any, ...] = (2 * self.ball, *self.centre, 2 * self.ball)
        if self.remote == "include" and self.resource.find.everywhere:
            column, value = self.resource.find.everywhere
            arc, values = f'CASE WHEN "{column}" IS DISTINCT FROM ? THEN {arc} END', (value, *values)
        name = self.resource.name
        return Condition(f'(SELECT *, {arc} AS "{DISTANCE}" FROM "{name}") "{name}"', values)

    @property
    def fields(self) -> tuple[str, ...]:
        """What a row has besides its own fields."""
        return (DISTANCE,)

    @property
    def orders(self) -> dict[str, Order]:
        """What one can sort by besides the columns."""
        return {"distance": Order(DISTANCE, False, self.remote == "include", KIND)}

    def rings(self, order: Sequence[Order], cursor: Cursor | None) -> Iterator[tuple[Condition, ...]]:
        """What else rows fulfil that are looked for first, where the nearest come first: they lie in circles that grow.

        Rows behind a cursor are looked for further out than it, those before it not. The last one takes all that there is.
        """
        at = cursor.values[0] if cursor else 0.0
        if order[0].column != DISTANCE or at is None:
            yield ()
        elif self.radius is not None:
            yield from [self.ring(self.radius)] if self.remote == "include" else []
            yield ()
        elif cursor and cursor.backwards:
            yield self.ring(1000 * at + 1)
        else:
            radius = max(FIRST_RING, 2000 * at)
            while radius < HALFWAY:
                yield self.ring(radius)
                radius *= 2
            yield ()

    def ring(self, radius: float) -> tuple[Condition, ...]:
        """What rows fulfil that have a distance, and one within this."""
        return replace(self, radius=radius, remote=self.remote and "exclude").conditions()


def either(one: Sequence[Condition], other: Sequence[Condition]) -> Condition:
    """All of the one, or all of the other."""
    sides = (" AND ".join(each.sql for each in side) for side in (one, other))
    values = tuple(value for each in (*one, *other) for value in each.values)
    return Condition(f"(({') OR ('.join(sides)}))", values, sides=(one, other))


def parameters(resource: Resource[Any]) -> tuple[str, ...]:
    """The parameters that a list has for this."""
    if resource.find.place is None:
        return ()
    return ("near", "radius", "remote") if resource.find.everywhere else ("near", "radius")


def around_of(house: House, resource: Resource[Any], query: Sequence[tuple[str, str]]) -> Around | None:
    """What a query string asks for around a point, if it does; raises for what makes no sense."""
    said = {name: value for name, value in query if name in parameters(resource)}
    if "near" not in said:
        for name in said:
            raise NearIsMissing(name=name)
        return None
    latitude, longitude = point_of(house, said["near"])
    remote = said.get("remote")
    if remote not in (None, "include", "exclude"):
        raise WrongRemote
    return Around(resource, latitude, longitude, reach(said.get("radius")), remote)  # type: ignore[arg-type]


def point_of(house: House, text: str) -> tuple[float, float]:
    """Latitude and longitude, of two numbers or of a name. Raises `WrongPoint`, or what the gazetteer says."""
    found = POINT.fullmatch(text)
    if found is None:
        if house.locate is None or not re.search(r"[^\W\d_]", text):
            raise WrongPoint
        return house.locate(text)
    latitude, longitude = float(found[1]), float(found[2])
    if not (abs(latitude) <= 90 and abs(longitude) <= 180):
        raise WrongPoint
    return latitude, longitude


def reach(text: str | None) -> float | None:
    """The radius in metres; None for `any`."""
    if text is None or text == "any":
        return USUAL if text is None else None
    found = REACH.fullmatch(text)
    metres = float(found[1]) * UNITS[found[2]] if found else 0.0
    if not isfinite(metres) or not SHORTEST <= metres <= LONGEST:
        raise WrongRadius
    return metres
