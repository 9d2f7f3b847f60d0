"""The rotation: which backups stay. `7d 4w 12m` keeps the newest of each of the last 7 days, 4 weeks and 12 months."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime

PERIODS: Mapping[str, str] = {"h": "%Y%m%d%H", "d": "%Y%m%d", "w": "%G%V", "m": "%Y%m", "y": "%Y"}


def rule_of(text: str) -> list[tuple[int, str]]:
    """The parts of a rule: how many of which period."""
    return [(int(number), unit) for number, unit in re.findall(r"(\d+)([hdwmy])", text)]


def kept(times: Iterable[datetime], rule: str) -> set[datetime]:
    """Those of these times that stay. Periods without a backup do not count, and the newest of all always stays."""
    newest_first = sorted(times, reverse=True)
    stay = set(newest_first[:1])
    for number, unit in rule_of(rule):
        periods = dict[str, datetime]()
        for time in newest_first:
            periods.setdefault(f"{time:{PERIODS[unit]}}", time)
        stay.update(list(periods.values())[:number])
    return stay
