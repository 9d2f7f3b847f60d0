"""How long an application was in each stage."""

from datetime import datetime
from itertools import pairwise

import pytest

from tests.applications.hiring_scenes import at, opening
from tests.cast import Cast

pytestmark = pytest.mark.anyio


async def test_every_stay_is_counted_up_to_now(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    for stage in ("screening", "submitted", "screening", "offered", "hired"):
        await cast.ben.made(at(application, "move"), {"stage": stage})
    await cast.ben.patch(at(application), {"team_note": "no move"})
    told = (await cast.ada.get(at(application, "durations"))).json()
    stays = told["data"]
    assert [each["stage"] for each in stays] == [
        "submitted", "screening", "submitted", "screening", "offered", "hired",
    ]  # fmt: skip
    assert all(first["left_at"] == second["entered_at"] for first, second in pairwise(stays))
    assert stays[-1]["left_at"] is None
    for each in stays[:-1]:
        length = datetime.fromisoformat(each["left_at"]) - datetime.fromisoformat(each["entered_at"])
        assert each["seconds"] == pytest.approx(length.total_seconds())
    assert told["totals"]["submitted"] == pytest.approx(stays[0]["seconds"] + stays[2]["seconds"])
    assert list(told["totals"]) == ["submitted", "screening", "offered", "hired"]


async def test_the_teams_clock_starts_with_the_submission(cast: Cast) -> None:
    scene = await opening(cast)
    draft = await scene.draft()
    await scene.eve.made(at(draft, "submit"), {})
    mine = (await scene.eve.get(at(draft, "durations"))).json()["data"]
    teams = (await cast.ada.get(at(draft, "durations"))).json()["data"]
    assert [each["stage"] for each in mine] == ["draft", "submitted"]
    assert [each["stage"] for each in teams] == ["submitted"]
    assert teams[0]["entered_at"] == mine[1]["entered_at"]


async def test_strangers_are_told_nothing(cast: Cast) -> None:
    scene = await opening(cast)
    application = await scene.submitted()
    assert (await cast.cleo.get(at(application, "durations"))).status_code == 404
    assert (await cast.nobody.get(at(application, "durations"))).status_code == 401
