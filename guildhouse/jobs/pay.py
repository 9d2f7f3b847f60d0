"""Pay: what makes sense of a salary, and what it is in a year, so that jobs compare over currencies and periods."""

from collections.abc import Mapping
from typing import Any, Literal

from sqlalchemy import Numeric

from guildhouse.jobs.pay_rates import rates, yearly_unit
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import invalid
from guildhouse.kernel.resource import Measure

Period = Literal["hour", "day", "week", "month", "year"]
Amount = Numeric(12, 2, asdecimal=False)
YearlyAmount = Numeric(20, 2, asdecimal=False)  # an hour's largest amount, over a year, in the largest unit
PAY = Measure("yearly_pay_min", "yearly_pay_max", yearly_unit, "USD/year")


def salary_makes_sense(_ctx: Context, _before: Any | None, job: Any) -> None:
    """An amount needs a currency and a period, and the lower end is not above the upper one."""
    if job.salary_min is None and job.salary_max is None:
        return
    for field in ("salary_currency", "salary_period"):
        if getattr(job, field) is None:
            raise invalid(f"/{field}", "required", "a salary needs its currency and its period")
    if job.salary_min is not None and job.salary_max is not None and job.salary_min > job.salary_max:
        raise invalid("/salary_min", "above-maximum", "this is more than salary_max")


def comparable(job: Any) -> Mapping[str, Any]:
    """The ends of a job's pay in a year, and the table they were reckoned by. Of one end that is said, both are made."""
    low, high = job.salary_min, job.salary_max
    if low is None and high is None:
        return {"yearly_pay_min": None, "yearly_pay_max": None, "pay_rates": None}
    table = rates()
    factor = table.yearly(job.salary_currency, job.salary_period)
    ends = (low if low is not None else high, high if high is not None else low)
    yearly = [None if factor is None else round(end * factor, 2) for end in ends]
    return {"yearly_pay_min": yearly[0], "yearly_pay_max": yearly[1], "pay_rates": table.name}
