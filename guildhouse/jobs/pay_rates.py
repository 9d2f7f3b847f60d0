"""Pay rates: the table by which pay in one currency and period is compared with pay in another. Stated, not fetched.

One ships with its date and source (`pay_rates.toml`); a server's own takes its place by the setting `GUILDHOUSE_PAY_RATES`.
"""

import re
import tomllib
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache, cached_property
from hashlib import blake2b
from importlib.resources import files
from typing import Annotated

from pydantic import Field, ValidationError, model_validator

from guildhouse.config import ConfigError, load
from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.shapes import Shape

UNIT = re.compile(r"\s*([A-Za-z]{3})\s*(?:/|per)\s*(hour|day|week|month|year)\s*", re.ASCII)
Code = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
Rate = Annotated[float, Field(gt=0, le=1e9, strict=False)]


class WrongPayUnit(BadRequest):
    """`pay_in` takes a currency and a period, such as `USD/year`, `TWD/month` or `EUR/hour`. Currencies: {known}."""


class PayRates(Shape):
    """A table of rates for comparing pay: units of each currency for one of `base`, and how much work a year is."""

    base: Code = Field(examples=["EUR"], description="The currency of `yearly_pay_min` and `yearly_pay_max`.")
    as_of: date = Field(examples=["2026-09-29"])
    source: str = Field(max_length=2000)
    hours_per_week: Rate = Field(examples=[40])
    days_per_week: Rate = Field(examples=[5])
    weeks_per_year: Rate = Field(examples=[52])
    months_per_year: Rate = Field(examples=[12])
    rates: dict[Code, Rate] = Field(examples=[{"EUR": 1, "TWD": 36.19, "USD": 1.135}])

    @model_validator(mode="after")
    def base_is_one(self) -> "PayRates":
        """One of the base is one of the base."""
        if self.rates.get(self.base) != 1:
            raise ValueError(f"rates.{self.base} is 1, because it is the base")
        return self

    @cached_property
    def name(self) -> str:
        """What tells one table from another: `EUR 2026-09-29 3cbea54c`."""
        return f"{self.base} {self.as_of} {blake2b(self.model_dump_json().encode(), digest_size=4).hexdigest()}"

    @cached_property
    def times_a_year(self) -> Mapping[str, float]:
        """How many of each period a year of work has."""
        weeks = self.weeks_per_year
        return {
            "hour": self.hours_per_week * weeks,
            "day": self.days_per_week * weeks,
            "week": weeks,
            "month": self.months_per_year,
            "year": 1,
        }

    def yearly(self, currency: str | None, period: str | None) -> float | None:
        """What one of a currency in each period is in a year, in the base; None for a currency that is not in the table."""
        rate, times = self.rates.get(currency or ""), self.times_a_year.get(period or "")
        return times / rate if rate and times else None


@cache
def rates() -> PayRates:
    """The table that is in force. Raises `ConfigError` for a file that is none."""
    own = load().pay_rates
    place = own or files("guildhouse.jobs").joinpath("pay_rates.toml")
    try:
        return PayRates.model_validate(tomllib.loads(place.read_text(encoding="utf-8")))
    except ValidationError as error:
        raise wrong([": ".join([*map(str, each["loc"]), each["msg"]]) for each in error.errors()]) from error
    except (OSError, ValueError) as error:
        raise wrong([f"{place} cannot be read: {error}"]) from error


def wrong(faults: Sequence[str]) -> ConfigError:
    """What is wrong with a table of one's own."""
    return ConfigError(
        "\n".join(["The table of rates is wrong:", *(f"  GUILDHOUSE_PAY_RATES: {each}" for each in faults)])
    )


def yearly_unit(text: str) -> float:
    """`USD/month` as what one of it is in a year, in the base. Raises `WrongPayUnit`."""
    found = UNIT.fullmatch(text)
    factor = rates().yearly(found[1].upper(), found[2]) if found else None
    if factor is None:
        raise WrongPayUnit(known=", ".join(sorted(rates().rates)))
    return factor
