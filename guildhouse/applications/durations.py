"""Durations: how long an application was in each stage, read from the log."""

from collections.abc import Sequence
from datetime import UTC, datetime
from itertools import pairwise

from pydantic import Field

from guildhouse.applications.application import applications
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.door import Door
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.history import WHOLE_LIFE, is_told, open_past
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.request import Call
from guildhouse.kernel.shapes import Shape


class Stay(Shape):
    """One stay in a stage. The last one has not ended: `left_at` is null, and its seconds are those up to now."""

    stage: str = Field(examples=["screening"])
    entered_at: datetime
    left_at: datetime | None
    seconds: float = Field(examples=[86400.0])


class Durations(Shape):
    """Every stay in its order, and the seconds spent in each stage in all."""

    data: list[Stay]
    totals: dict[str, float] = Field(examples=[{"submitted": 3600.0, "screening": 86400.0}])


async def read_durations(call: Call) -> Answer:
    """How long it took. The hiring team's clock starts when the application was submitted to them."""
    call.refuse_others(())
    async with call.server.database.reading() as connection:
        await open_past(call, connection, applications)
        log = await changes.of_row(connection, applications.name, call.row_id, limit=WHOLE_LIFE, newest_first=False)
    found = stays([each for each in log if is_told(call.actor, each, set())], datetime.now(UTC))
    return Answer(200, dumps(Durations(data=found, totals=totals(found)).model_dump()))


def stays(log: Sequence[Change], now: datetime) -> list[Stay]:
    """Every stay, out of the changes that moved the application."""
    moves = [(str(each.after["stage"]), each.at) for each in log if each.after and "stage" in each.after]
    ended = [stay(stage, at, until) for (stage, at), (_, until) in pairwise(moves)]
    return [*ended, *(Stay(stage=stage, entered_at=at, left_at=None, seconds=(now - at).total_seconds())
                      for stage, at in moves[-1:])]  # fmt: skip


def stay(stage: str, entered_at: datetime, left_at: datetime) -> Stay:
    """A stay that has ended."""
    return Stay(stage=stage, entered_at=entered_at, left_at=left_at, seconds=(left_at - entered_at).total_seconds())


def totals(found: Sequence[Stay]) -> dict[str, float]:
    """The seconds of each stage over all stays in it."""
    stages = dict.fromkeys(each.stage for each in found)
    return {stage: sum(each.seconds for each in found if each.stage == stage) for stage in stages}


doors = (
    Door("GET", "/v1/applications/{id}/durations", "applications.read", "How long an application was in each stage",
         read_durations, applications, kind="read", cost=3, gives=Durations),
)  # fmt: skip
