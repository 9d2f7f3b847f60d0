"""Building the table of rates: what the bank says comes first, the day is one, and what does not fit stops it."""

import json
import tomllib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from guildhouse.jobs.pay_rates import PayRates, rates
from guildhouse.kernel.importing.amounts import CODES
from tools import build_pay_rates
from tools.build_pay_rates import OTHERS, rounded

DAY = "2026-09-29"
HISTORY = "Date,USD,JPY,HRK,\n2026-09-30,1.2,170.1,N/A,\n2026-09-29,1.1355,178.41,N/A,\n"
TOLD = {"usd": 1.1361, "jpy": 178.9, "btc": 0.00001, **{code.lower(): 2.0 + n for n, code in enumerate(OTHERS)}}


@pytest.fixture
def target(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the tool writes."""
    monkeypatch.setattr(build_pay_rates, "SHIPPED", tmp_path / "pay_rates.toml")
    return tmp_path / "pay_rates.toml"


def build(target: Path, told: Mapping[str, float] = TOLD, day: str = DAY) -> PayRates:
    history, day_file = target.with_name("history.zip"), target.with_name("eur.json")
    with zipfile.ZipFile(history, "w") as packed:
        packed.writestr("eurofxref-hist.csv", HISTORY)
    day_file.write_text(json.dumps({"date": day, "eur": told}), encoding="utf-8")
    build_pay_rates.main(str(history), str(day_file))
    return PayRates.model_validate(tomllib.loads(target.read_text(encoding="utf-8")))


def test_the_bank_says_what_it_knows_and_the_other_source_the_rest(
    target: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = build(target)
    assert capsys.readouterr().out == f"pay_rates.toml: 2 rates of the bank and 31 others, of {DAY}\n"
    assert (made.rates["USD"], made.rates["JPY"]) == (1.135, 178.4)
    assert made.rates.keys() == {"EUR", "USD", "JPY", *OTHERS} and "HRK" not in made.rates and "BTC" not in made.rates
    assert made.rates["TWD"] == TOLD["twd"]
    assert str(made.as_of) == DAY and "29 September 2026" in made.source and "2026.9.29" in made.source
    assert "JPY to USD" in made.source and "within 0.3%" in made.source


def test_the_same_input_makes_the_same_file(target: Path) -> None:
    build(target)
    first = target.read_bytes()
    build(target)
    assert target.read_bytes() == first


@pytest.mark.parametrize(
    ("told", "day", "said"),
    [
        (TOLD, "2026-10-01", "nothing of 2026-10-01; its newest day is 2026-09-30"),
        (TOLD, "2026-09-30", "differ by 5.3%"),
        ({name: rate for name, rate in TOLD.items() if name != "twd"}, DAY, "TWD"),
    ],
)
def test_what_does_not_fit_stops_it(target: Path, told: Mapping[str, float], day: str, said: str) -> None:
    with pytest.raises(SystemExit, match=said):
        build(target, told, day)
    assert not target.exists()


@pytest.mark.parametrize(
    ("rate", "said"), [(29478.533, "29480"), (0.35071891, "0.3507"), (1.9558300, "1.956"), (40.0, "40"), (2048, "2048")]
)
def test_rates_have_four_digits(rate: float, said: str) -> None:
    assert rounded(rate) == said


def test_what_ships_has_four_digits_and_every_currency_that_imports_know() -> None:
    shipped = rates().rates
    assert shipped.keys() >= {*OTHERS, *CODES}
    assert [code for code, rate in shipped.items() if rate != float(rounded(rate))] == []
