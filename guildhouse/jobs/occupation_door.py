"""What is known of an occupation that a job names by its code: how it is called, what is near to it, what tools it takes."""

import asyncio
from dataclasses import asdict
from functools import lru_cache

from pydantic import Field

from guildhouse.jobs.job import jobs
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import NotFound
from guildhouse.kernel.etag import digest, matches
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.may import anyone
from guildhouse.kernel.request import Call
from guildhouse.kernel.shapes import Shape
from guildhouse.vocabulary.occupations import names_of, register, tools_of


class NearOccupation(Shape):
    """An occupation that is near to another one."""

    code: str = Field(examples=["15-1255.00"])
    title: str = Field(examples=["Web and Digital Interface Designers"])


class ToolOfTrade(Shape):
    """A tool, by the name that `found_skills` has; `hot` if employers often ask for it, `in_demand` if these do."""

    name: str = Field(examples=["JavaScript"])
    hot: bool
    in_demand: bool


class OccupationBody(Shape):
    """An occupation: its other names, the occupations nearest to it and the tools that its people use, the best first."""

    code: str = Field(examples=["15-1254.00"])
    title: str = Field(examples=["Web Developers"])
    names: list[str] = Field(examples=[["web developer", "網頁工程師"]])
    near: list[NearOccupation]
    tools: list[ToolOfTrade]


async def read_occupation(call: Call) -> Answer:
    """An occupation, as the O*NET database and our supplement to it have it."""
    call.refuse_others([])
    body = await asyncio.to_thread(body_of, call.row_id)
    headers = {"ETag": f'"{digest(body.decode())}"', "Cache-Control": "public, max-age=86400"}
    if matches(call.header("if-none-match"), headers["ETag"]):
        return Answer(304, headers=headers)
    return Answer(200, body, headers=headers)


@lru_cache(maxsize=100)
def body_of(code: str) -> bytes:
    """The answer about an occupation. Raises `NotFound`."""
    known = register().occupations
    if code not in known:
        raise NotFound
    body = OccupationBody(
        code=code,
        title=known[code].title,
        names=names_of(code),
        near=[NearOccupation(code=each, title=known[each].title) for each in known[code].near],
        tools=[ToolOfTrade(**asdict(tool)) for tool in tools_of(code)],
    )
    return dumps(body.model_dump())


doors = (
    Door("GET", "/v1/occupations/{slug}", "jobs.read", "What is known of an occupation, by its code", read_occupation, jobs,
         kind="read", cost=3, open_to=anyone, gives=OccupationBody),
)  # fmt: skip
