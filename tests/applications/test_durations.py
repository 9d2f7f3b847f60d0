"""How long an application was in each stage."""

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.applications.durations import stays, totals
from guildhouse.kernel.log.changes import Change
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


START = datetime(2026, 11, 20, 8, tzinfo=UTC)


def moved(*steps: tuple[str, int]) -> list[Change]:
    """A log of moves: each to a stage, so many seconds after the one before."""
    at, found = START, []
    for n, (stage, seconds) in enumerate(steps):
        at += timedelta(seconds=seconds)
        values: list[Any] = [None] * len(fields(Change))
        change = replace(Change(*values), seq=n, at=at, after={"stage": stage})
        found.append(change)
    return found


STEPS = st.lists(st.tuples(st.sampled_from(["draft", "submitted", "offered"]), st.integers(0, 9999)), max_size=8)


@given(STEPS, st.integers(0, 9999))
def test_stays_follow_each_other_without_a_gap_up_to_now(steps: list[tuple[str, int]], since: int) -> None:
    log = moved(*steps)
    now = (log[-1].at if log else START) + timedelta(seconds=since)
    found = stays(log, now)
    assert [each.stage for each in found] == [stage for stage, _ in steps]
    assert all(first.left_at == second.entered_at for first, second in pairwise(found))
    assert [each.left_at for each in found[-1:]] == [None] * bool(steps)
    if found:
        assert sum(totals(found).values()) == pytest.approx((now - found[0].entered_at).total_seconds())
    assert set(totals(found)) == {stage for stage, _ in steps}


def test_a_change_that_moves_nothing_is_no_stay() -> None:
    log = moved(("draft", 0), ("submitted", 60))
    still = [replace(log[1], after={"rating": 3}), replace(log[1], after=None)]
    assert [each.stage for each in stays([*log, *still], START + timedelta(hours=1))] == ["draft", "submitted"]
