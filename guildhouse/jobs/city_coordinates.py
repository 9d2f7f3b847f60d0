"""City coordinates: a job that says its city and not where that is lies where the city does, if there is but one.

A job that was written before it was so, or by hand, gets them from the reader of the log that `PLACES` is for.
"""

import asyncio
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import invalid
from guildhouse.places.gazetteer import gazetteer
from guildhouse.places.locating import place_of
from guildhouse.vocabulary import Words

Latitude = Annotated[float, Field(ge=-90, le=90)]
Longitude = Annotated[float, Field(ge=-180, le=180)]
COORDINATES = ("latitude", "longitude")


async def placed(before: Any | None, job: Any) -> Mapping[str, float | None]:
    """Where a job lies that is being written, as far as the server says so."""
    if job.city:
        await gazetteer_at_hand()
    return on_the_map(before, job)


def on_the_map(before: Any | None, job: Any) -> Mapping[str, float | None]:
    """The coordinates of the job's city, where nobody gave any; those of the old city move along with it."""
    given = coordinates_of(job)
    if given == (None, None) or (before is not None and given == coordinates_of(before) == city_of(before)):
        return dict(zip(COORDINATES, city_of(job), strict=True))
    return {}


async def gazetteer_at_hand() -> None:
    """Load the gazetteer beside other requests, the first time."""
    if not gazetteer.is_loaded:
        await asyncio.to_thread(gazetteer)


def coordinates_of(job: Any) -> tuple[float | None, float | None]:
    """Where a job lies by its own columns."""
    return job.latitude, job.longitude


def city_of(job: Any) -> tuple[float | None, float | None]:
    """Where the city is that a job names; nowhere if that may be several."""
    place = place_of(job.city, job.country, job.region) if job.city else None
    return (place.latitude, place.longitude) if place else (None, None)


def place_is_whole(_ctx: Context, _before: Any | None, job: Any) -> None:
    """A place on the map has both of its coordinates."""
    if (job.latitude is None) != (job.longitude is None):
        missing = "latitude" if job.latitude is None else "longitude"
        raise invalid(f"/{missing}", "required", "latitude and longitude come together")


PLACES = Words(
    read=("city", "region", "country"),
    found=COORDINATES,
    find=lambda job: on_the_map(None, job),
    at_hand=gazetteer_at_hand,
)
