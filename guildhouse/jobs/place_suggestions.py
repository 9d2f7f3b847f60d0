"""Place suggestions: the towns whose names begin as somebody types them, to look for jobs near one of them."""

from pydantic import Field

from guildhouse.jobs.job import jobs
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.may import anyone
from guildhouse.kernel.pages import parse_limit
from guildhouse.kernel.request import Call
from guildhouse.kernel.shapes import Shape
from guildhouse.places.locating import completed

USUAL, MOST = 10, 50
ASKED = {
    "q": "How the name begins, in English or Chinese; a region or a country may follow behind a comma.",
    "country": "Only towns of this country, by its two letters.",
    "limit": f"How many at most; {USUAL}, if not said, and never more than {MOST}.",
}
FOR_A_DAY = {"Cache-Control": "public, max-age=86400"}


class NothingTyped(BadRequest):
    """`q` takes the beginning of the name of a town, such as `q=tai`."""


class SuggestedPlace(Shape):
    """A town. `near` takes its `label`, and where there are several of that, its coordinates."""

    name: str = Field(examples=["Taipei"])
    label: str = Field(examples=["Taipei, TW"])
    country: str = Field(examples=["TW"])
    latitude: float = Field(examples=[25.053])
    longitude: float = Field(examples=[121.526])


class SuggestedPlaces(Shape):
    """Towns, the best known first."""

    data: list[SuggestedPlace]


async def suggest_places(call: Call) -> Answer:
    """The towns that may be meant."""
    call.refuse_others(ASKED)
    start = call.param("q") or ""
    if not start.strip():
        raise NothingTyped
    most = parse_limit(call.param("limit") or None, USUAL, MOST)
    country = call.param("country")
    found = completed(start, country.upper() if country else None, most)
    towns = [
        SuggestedPlace(
            name=each.name, label=each.label, country=each.country, latitude=each.latitude, longitude=each.longitude
        )
        for each in found
    ]
    return Answer(200, dumps(SuggestedPlaces(data=towns).model_dump()), headers=dict(FOR_A_DAY))


doors = (
    Door("GET", "/v1/places", "jobs.read", "Towns whose names begin so", suggest_places, jobs, kind="read",
         open_to=anyone, gives=SuggestedPlaces, asked=ASKED),
)  # fmt: skip
