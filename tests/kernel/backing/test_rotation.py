"""Rotation: what stays is the newest of each period, whatever times backups have."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from guildhouse.config import KEEP
from guildhouse.kernel.backing.rotation import PERIODS, kept, rule_of

START = datetime(2024, 1, 1, 2, 17, tzinfo=UTC)
TIMES = st.sets(st.integers(0, 3_000).map(lambda hours: START + timedelta(hours=hours)), max_size=80)
RULES = st.lists(
    st.tuples(st.integers(1, 40), st.sampled_from(sorted(PERIODS))).map(lambda part: f"{part[0]}{part[1]}"), min_size=1
).map(" ".join)


@given(TIMES, RULES)
def test_the_newest_always_stays_and_nothing_is_made_up(times: set[datetime], rule: str) -> None:
    stay = kept(times, rule)
    assert stay <= times
    assert not times or max(times) in stay


@given(TIMES, RULES)
def test_each_part_of_a_rule_keeps_the_newest_of_its_newest_periods(times: set[datetime], rule: str) -> None:
    stay = kept(times, rule)
    for number, unit in rule_of(rule):
        newest_of = {f"{time:{PERIODS[unit]}}": time for time in sorted(times)}
        assert set(sorted(newest_of.values())[-number:]) <= stay


@given(TIMES, RULES)
def test_no_more_stay_than_the_rule_says(times: set[datetime], rule: str) -> None:
    assert len(kept(times, rule)) <= max(1, sum(number for number, _ in rule_of(rule)))


@given(TIMES, RULES)
def test_what_stays_stays_when_one_looks_again(times: set[datetime], rule: str) -> None:
    stay = kept(times, rule)
    assert kept(stay, rule) == stay


@given(TIMES, RULES, RULES)
def test_a_longer_rule_keeps_at_least_as_much(times: set[datetime], rule: str, more: str) -> None:
    assert kept(times, rule) <= kept(times, f"{rule} {more}")


@given(RULES)
def test_settings_know_every_rule(rule: str) -> None:
    assert KEEP.fullmatch(rule)


def test_a_nightly_backup_of_a_year_leaves_days_weeks_and_months() -> None:
    nights = [START + timedelta(days=n) for n in range(366)]
    stay = sorted(kept(nights, "7d 4w 12m"), reverse=True)
    assert stay[:7] == sorted(nights, reverse=True)[:7]
    assert [f"{time:%m-%d}" for time in stay[7:]] == [
        "12-22", "12-15", "11-30", "10-31", "09-30", "08-31", "07-31", "06-30", "05-31", "04-30", "03-31", "02-29", "01-31",
    ]  # fmt: skip
