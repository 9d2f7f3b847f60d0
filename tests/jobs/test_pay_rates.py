"""Pay rates: the table that ships, tables of one's own, and units as people write them."""

from collections.abc import Callable, Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guildhouse.commands.doctor import examine
from guildhouse.config import ConfigError
from guildhouse.jobs.pay_rates import WrongPayUnit, rates, yearly_unit
from guildhouse.kernel.importing.amounts import CODES
from tests.cast import Cast

OWN = """
base = "TWD"
as_of = 2026-11-01
source = "The school's office."
hours_per_week = 30
days_per_week = 5
weeks_per_year = 50
months_per_year = 13
[rates]
TWD = 1
USD = 0.03125
"""


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A file that the setting names; what it says is in force as soon as `rates.cache_clear()` is called."""
    place = tmp_path / "rates.toml"
    monkeypatch.setenv("GUILDHOUSE_PAY_RATES", str(place))
    rates.cache_clear()
    yield place
    rates.cache_clear()


def test_the_table_that_ships_says_of_when_and_from_where_it_is() -> None:
    table = rates()
    assert (table.base, table.as_of) == ("EUR", date(2026, 9, 29))
    assert "European Central Bank" in table.source and "rounded" in table.source.lower()
    assert table.name.startswith("EUR 2026-09-29 ")
    assert (table.hours_per_week * table.weeks_per_year, table.months_per_year) == (2080, 12)


def test_it_knows_nearly_every_currency_that_imports_do() -> None:
    assert len(rates().rates) > 55
    assert {"TWD", "USD", "EUR", "JPY", "GBP", "CNY", "HKD", "SGD", "KRW"} <= rates().rates.keys()
    assert len(CODES - rates().rates.keys()) <= 2


def test_a_year_of_pay_is_the_same_however_it_is_said() -> None:
    assert yearly_unit("EUR/year") == 1
    assert yearly_unit("EUR/month") == 12
    assert yearly_unit("EUR/week") == 52
    assert yearly_unit("EUR/day") == 260
    assert yearly_unit("EUR/hour") == 2080
    assert 60_000 * yearly_unit("USD/year") == pytest.approx(52_863, abs=1)
    assert 50_000 * yearly_unit("TWD/month") == pytest.approx(16_579, abs=1)


@pytest.mark.parametrize("text", ["usd/Year".lower(), "USD / year", " USD/year ", "USD per year", "usd/year"])
def test_a_unit_may_be_written_as_people_do(text: str) -> None:
    assert yearly_unit(text) == yearly_unit("USD/year")


@pytest.mark.parametrize("text", ["", "USD", "year", "USD/decade", "XXX/year", "US$/year", "USD/year/month", "/year"])
def test_a_unit_that_nobody_knows_is_refused_with_those_that_are(text: str) -> None:
    with pytest.raises(WrongPayUnit) as caught:
        yearly_unit(text)
    assert "TWD" in caught.value.detail()


@settings(deadline=None)  # the first look-up loads the table
@given(st.text(max_size=20))
def test_any_text_is_a_unit_or_a_400(text: str) -> None:
    try:
        assert yearly_unit(text) > 0
    except WrongPayUnit:
        return


def test_a_table_of_ones_own_takes_its_place(own: Path) -> None:
    own.write_text(OWN, encoding="utf-8")
    assert rates().name.startswith("TWD 2026-11-01 ")
    assert yearly_unit("USD/month") == 13 * 32 and yearly_unit("TWD/hour") == 1500
    first = rates().name
    own.write_text(OWN.replace("0.03125", "0.0312"), encoding="utf-8")
    rates.cache_clear()
    assert rates().name != first


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("TWD = 1\n", ""), "rates.TWD is 1"),
        (("TWD = 1\n", "TWD = 2\n"), "rates.TWD is 1"),
        (("USD = 0.03125", "USD = 0"), "rates: USD: "),
        (("USD = 0.03125", "Dollar = 1"), "rates: Dollar: "),
        (('base = "TWD"', ""), "base"),
        (("hours_per_week = 30", "hours_per_week = -1"), "hours_per_week"),
        (("[rates]", "colour = 1\n[rates]"), "colour"),
        (("as_of = 2026-11-01", "as_of = "), "cannot be read"),
    ],
)
def test_a_table_that_is_wrong_is_told_with_its_place(own: Path, change: tuple[str, str], said: str) -> None:
    own.write_text(OWN.replace(*change), encoding="utf-8")
    with pytest.raises(ConfigError) as caught:
        rates()
    assert said in str(caught.value) and "GUILDHOUSE_PAY_RATES: " in str(caught.value)
    found = examine(lambda _: None)
    assert [each.severity for each in found] == ["error"] and said in found[0].what


def test_a_file_that_is_not_there_is_told(own: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        rates()


@pytest.mark.anyio
async def test_anybody_can_read_the_table(cast: Cast) -> None:
    answer = await cast.nobody.get("/v1/pay-rates")
    assert answer.status_code == 200
    told = answer.json()
    assert told["base"] == "EUR" and told["rates"]["EUR"] == 1 and told["as_of"] == "2026-09-29"


@pytest.mark.anyio
async def test_a_server_with_a_wrong_table_does_not_start(own: Path, starting: Callable[..., Any]) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        async with starting():
            raise AssertionError("it started")


def test_the_name_of_a_table_tells_its_content(own: Path) -> None:
    names = set()
    for change in (
        ("", ""),
        ("hours_per_week = 30", "hours_per_week = 31"),
        ("USD", "GBP"),
        ("2026-11-01", "2026-11-02"),
    ):
        own.write_text(OWN.replace(*change) if change[0] else OWN, encoding="utf-8")
        rates.cache_clear()
        names.add(rates().name)
    assert len(names) == 4


def test_what_is_not_in_the_table_cannot_be_compared() -> None:
    table = rates()
    assert table.yearly("XAU", "year") is None and table.yearly(None, "year") is None
    assert table.yearly("EUR", None) is None and table.yearly("EUR", "decade") is None
