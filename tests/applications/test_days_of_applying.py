"""From which day to which a job takes applications."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.applications.days_of_applying import NotYetOpen, TooLateToApply, check_days
from guildhouse.jobs.job import Job, first_today, today_everywhere
from tests.applications.hiring_scenes import at, opening
from tests.cast import Cast
from tests.organizations.scenes import heard, refusal

pytestmark = pytest.mark.anyio
NOON = datetime(2026, 11, 20, 12, 30, tzinfo=UTC)


def with_days(opens_on: date | None = None, closes_on: date | None = None) -> Job:
    """A job of these days; nothing else of it matters."""
    return Job.of({"opens_on": opens_on, "closes_on": closes_on})


@pytest.mark.parametrize(
    ("opens_on", "closes_on", "wrong"),
    [
        (None, None, None),
        (date(2026, 11, 21), None, None),  # it has begun on Kiritimati
        (date(2026, 11, 22), None, NotYetOpen),
        (None, date(2026, 11, 20), None),
        (None, date(2026, 11, 19), TooLateToApply),  # since half an hour also on Baker Island
        (date(2026, 11, 20), date(2026, 11, 20), None),
    ],
)
def test_a_job_takes_applications_while_its_days_are_today_somewhere(
    opens_on: date | None, closes_on: date | None, wrong: type[Exception] | None
) -> None:
    if wrong is None:
        check_days(with_days(opens_on, closes_on), NOON)
    else:
        with pytest.raises(wrong):
            check_days(with_days(opens_on, closes_on), NOON)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), st.integers(-14, 12))
def test_whatever_day_it_is_for_an_applicant_a_job_of_that_day_takes_theirs(now: datetime, west: int) -> None:
    moment = now.replace(tzinfo=UTC)
    local = (moment - timedelta(hours=west)).date()
    assert today_everywhere(moment) <= local <= first_today(moment)
    check_days(with_days(local, local), moment)


async def test_a_draft_waits_for_the_first_day_and_is_handed_in_then(cast: Cast) -> None:
    scene = await opening(cast)
    job, draft = f"/v1/jobs/{scene.job['id']}", await scene.draft()
    await heard(cast, await cast.ada.patch(job, {"opens_on": "2099-01-01", "closes_on": "2099-12-31"}))
    refused = await scene.eve.post(at(draft, "submit"))
    assert refusal(refused) == (409, "not-yet-open") and "2099-01-01" in refused.json()["detail"]
    await heard(cast, await cast.ada.patch(job, {"opens_on": None}))
    assert (await scene.eve.post(at(draft, "submit"))).json()["stage"] == "submitted"


async def test_after_the_last_day_nothing_is_taken_though_the_job_is_not_closed_yet(cast: Cast) -> None:
    scene = await opening(cast)
    await heard(cast, await cast.ada.patch(f"/v1/jobs/{scene.job['id']}", {"closes_on": "2026-01-31"}))
    body = {"job_id": scene.job["id"], "stage": "submitted"}
    assert refusal(await scene.eve.post("/v1/applications", body)) == (409, "too-late-to-apply")
    assert (await scene.draft())["stage"] == "draft"
