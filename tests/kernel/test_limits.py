"""Limits: never more than the quota in any window, on a clock that the test turns."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel import limits
from guildhouse.kernel.errors import TooManyRequests
from guildhouse.kernel.limits import QUOTAS, Limits


class Clock:
    """A clock that stands still until it is turned."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def granted(meter: Limits, times: int, kind: str = "write", key: str = "ada", cost: int = 1) -> int:
    """How many of some requests get through."""
    through = 0
    for _ in range(times):
        try:
            meter.take(kind, key, cost)
        except TooManyRequests:
            continue
        through += 1
    return through


def test_a_quiet_caller_may_burst_up_to_the_quota(clock: Clock) -> None:
    meter = Limits(clock=clock)
    assert granted(meter, QUOTAS["write"].units + 50) == QUOTAS["write"].units


def test_units_come_back_evenly(clock: Clock) -> None:
    meter = Limits(clock=clock)
    granted(meter, QUOTAS["write"].units)
    clock.now += QUOTAS["write"].window / 2
    assert granted(meter, QUOTAS["write"].units) == QUOTAS["write"].units // 2


def test_a_costly_request_takes_more(clock: Clock) -> None:
    assert granted(Limits(clock=clock), 1000, cost=100) == QUOTAS["write"].units // 100


def test_callers_and_kinds_do_not_share(clock: Clock) -> None:
    meter = Limits(clock=clock)
    granted(meter, QUOTAS["write"].units)
    assert granted(meter, 1, key="ben") == granted(meter, 1, kind="read") == 1
    assert granted(meter, 1) == 0


def test_a_refusal_says_how_long_to_wait_and_that_is_enough(clock: Clock) -> None:
    meter = Limits(clock=clock)
    granted(meter, QUOTAS["sign-in"].units, "sign-in")
    with pytest.raises(TooManyRequests) as caught:
        meter.take("sign-in", "ada")
    headers = caught.value.headers
    assert headers["RateLimit"].startswith('"sign-in";r=0;t=') and headers["RateLimit-Policy"] == '"sign-in";q=60;w=300'
    clock.now += int(headers["Retry-After"])
    assert granted(meter, 1, "sign-in") == 1


def test_the_headers_count_down(clock: Clock) -> None:
    meter = Limits(clock=clock)
    assert meter.take("read", "ada")["RateLimit"] == '"read";r=2999;t=60'
    assert meter.take("read", "ada", 3)["RateLimit"] == '"read";r=2996;t=60'


def test_a_share_of_the_quota_is_a_smaller_quota(clock: Clock) -> None:
    meter = Limits(clock=clock)
    assert meter.take("read", "1.2.3.4", share=0.2)["RateLimit-Policy"] == '"read";q=600;w=60'


def test_switched_off_it_says_nothing(clock: Clock) -> None:
    meter = Limits(0, clock)
    assert [meter.take("sign-in", "ada") for _ in range(100)] == [{}] * 100


def test_callers_whose_quota_is_whole_are_forgotten_when_there_are_many(
    clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(limits, "MOST_CALLERS", 3)
    meter = Limits(clock=clock)
    for key in ("ada", "ben", "cleo"):
        meter.take("write", key)
    clock.now += 60
    meter.take("write", "otto")
    assert set(meter.full_at) == {("write", "otto")}


@given(st.lists(st.tuples(st.floats(0, 30), st.integers(1, 200)), max_size=60))
def test_no_window_grants_more_than_the_quota_and_what_came_back(requests: list[tuple[float, int]]) -> None:
    clock = Clock()
    meter = Limits(clock=clock)
    taken: list[tuple[float, int]] = []
    for pause, cost in requests:
        clock.now += pause
        taken += [(clock.now, cost)] * granted(meter, 1, cost=cost)
    quota = QUOTAS["write"]
    for start, _ in taken:
        within = sum(cost for at, cost in taken if start <= at)
        assert within <= quota.units * (1 + (clock.now - start) / quota.window) + 1e-6
