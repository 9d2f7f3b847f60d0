"""Days and times, as people write them. One that could be two days is asked, never guessed."""

import re
from datetime import date, datetime
from zoneinfo import ZoneInfo

from guildhouse.kernel.importing.values import Hints, Unclear, tidy

MONTHS = {name: n for n, names in enumerate(
    ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
     "sep sept september", "oct october", "nov november", "dec december"), 1) for name in names.split()}  # fmt: skip
YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
REPUBLIC = re.compile(r"(?:民國|民国)\s*(\d{2,3})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
YEAR_LAST = re.compile(r"(\d{1,2})([/.-])(\d{1,2})\2(\d{4})")
NAMED = re.compile(
    r"(?:(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*,?\s+)?"
    r"(?:(\d{1,2})(?:st|nd|rd|th)?\.?[\s-]+([a-z]{3,9})\.?|([a-z]{3,9})\.?\s+(\d{1,2})(?:st|nd|rd|th)?),?[\s-]+(\d{4})"
)
CLOCK = re.compile(
    r"(.*?)[T\s,]+(\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?)\s*(am|pm)?\s*(z|utc|[+-]\d{2}:?\d{2})?", re.IGNORECASE
)


def day(text: str, hints: Hints) -> date:
    """A day as people write it. Raises `Unclear`; for `03/04/2026`, unless the column's order is known."""
    said = tidy(text).lower()
    if match := YEAR_FIRST.fullmatch(said):
        return made_day(*map(int, match.groups()))
    if match := REPUBLIC.fullmatch(said):
        return made_day(int(match[1]) + 1911, int(match[2]), int(match[3]))
    if match := NAMED.fullmatch(said):
        month = MONTHS.get(match[2] or match[3])
        if month:
            return made_day(int(match[5]), month, int(match[1] or match[4]))
    if match := YEAR_LAST.fullmatch(said):
        return year_last(int(match[1]), int(match[3]), int(match[4]), match[2], hints)
    if re.fullmatch(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2}", said):
        raise Unclear("short-year", "write the year with four digits")
    if found := CLOCK.fullmatch(said):
        return day(found[1], hints)
    raise Unclear("no-day", "write a day such as 2026-11-20")


def year_last(first: int, second: int, year: int, separator: str, hints: Hints) -> date:
    """`20.11.2026`, `20/11/2026`, `11/20/2026`; both are asked for where both are days."""
    order = hints.order or ("dmy" if separator == "." or first > 12 else "mdy" if second > 12 else None)
    if order is None and first != second:
        raise Unclear("ambiguous-day", "is this {first} or {second}? Say `order` for this column: dmy or mdy",
                      first=f"{year}-{second:02}-{first:02}", second=f"{year}-{first:02}-{second:02}")  # fmt: skip
    return made_day(year, first, second) if order == "mdy" else made_day(year, second, first)


def made_day(year: int, month: int, number_: int) -> date:
    """The day, if the calendar has it."""
    try:
        return date(year, month, number_)
    except ValueError as error:
        raise Unclear("no-day", "there is no such day") from error


def moment(text: str, hints: Hints) -> datetime:
    """A time; without a zone it is meant in the import's, and a bare day is its beginning."""
    said = tidy(text)
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        found = spelled_moment(said, hints)
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(hints.timezone))


def spelled_moment(said: str, hints: Hints) -> datetime:
    """A day in any form, and the time of the clock behind it."""
    found = CLOCK.fullmatch(said)
    if found is None:
        return datetime.combine(day(said, hints), datetime.min.time())
    _, clock, half, zone = found.groups()
    try:
        hours = (
            datetime.strptime(f"{clock} {half}", "%I:%M %p")
            if half
            else datetime.fromisoformat(f"2000-01-01T{clock:0>5}")
        )
        offset = datetime.strptime(zone.upper().replace("UTC", "Z"), "%z").tzinfo if zone else None
    except ValueError as error:
        raise Unclear("no-time", "write a time such as 2026-11-20T08:00:00Z") from error
    return datetime.combine(day(found[1], hints), hours.time(), offset)
