"""Days and times, as people write them. One that could be two days is asked, never guessed."""

import re
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from guildhouse.kernel.importing.values import Hints, Unclear, tidy

MONTHS = {name: n for n, names in enumerate(
    ("jan january", "feb february", "mar march", "apr april", "may", "jun june", "jul july", "aug august",
     "sep sept september", "oct october", "nov november", "dec december"), 1) for name in names.split()}  # fmt: skip
YEAR_FIRST = re.compile(r"(\d{4})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?")
# Years of the Republic of China: 115 is 2026. Three digits need no word before them, as no other calendar here has such.
REPUBLIC = re.compile(
    r"(?:民國|民国|中華民國)\s*(\d{2,3})\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?"
    r"|0?(1\d\d)\s*[-/.年]\s*(\d{1,2})\s*[-/.月]\s*(\d{1,2})\s*日?"
)
COMPACT = re.compile(r"(1\d\d|(?:19|20|21)\d\d)(\d\d)(\d\d)")
SHORT_YEAR = re.compile(r"\d{1,2}[/.-]\d{1,2}[/.-]\d{2}|\d{2}[/.-]\d{1,2}[/.-]\d{1,2}|\d{1,2}[\s-][a-z]{3,9}[\s-]\d{2}")
SERIAL = range(20_000, 80_000)  # days as spreadsheets count them: 1954 to 2119
BEFORE_FIRST = date(1899, 12, 30)
WEEKDAY = re.compile(r"\s*[(\[]?(?:星期|週|周|禮拜)[一二三四五六日天][)\]]?|\s*[(\[][一二三四五六日][)\]]")
HALVES = {"上午": "am", "下午": "pm"}
HALF_FIRST = re.compile(rf"({'|'.join(HALVES)})\s*(\d{{1,2}}:\d{{2}}(?::\d{{2}})?)")
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
    said = WEEKDAY.sub("", tidy(text).lower()).strip()
    if match := REPUBLIC.fullmatch(said):
        year, month, of_month = (int(each) for each in match.groups() if each)
        return made_day(year + 1911, month, of_month)
    if match := COMPACT.fullmatch(said):
        return made_day(int(match[1]) + (1911 if len(match[1]) == 3 else 0), int(match[2]), int(match[3]))
    if said.isascii() and said.isdecimal() and len(said) == 5 and int(said) in SERIAL:
        return BEFORE_FIRST + timedelta(int(said))
    return named_day(said, hints)


def named_day(said: str, hints: Hints) -> date:
    """A day with its year in four digits, its month as a number or by its name, perhaps with a time behind it."""
    if match := YEAR_FIRST.fullmatch(said):
        return made_day(*map(int, match.groups()))
    if match := NAMED.fullmatch(said):
        month = MONTHS.get(match[2] or match[3])
        if month:
            return made_day(int(match[5]), month, int(match[1] or match[4]))
    if match := YEAR_LAST.fullmatch(said):
        return year_last(int(match[1]), int(match[3]), int(match[4]), match[2], hints)
    if SHORT_YEAR.fullmatch(said):
        raise Unclear("short-year", "write the year with four digits")
    if found := CLOCK.fullmatch(HALF_FIRST.sub(half_behind, said)):
        return day(found[1], hints)
    raise Unclear("no-day", "write a day such as 2026-11-20")


def half_behind(found: re.Match[str]) -> str:
    """`下午 3:04` as `3:04 pm`."""
    return f" {found[2]} {HALVES[found[1]]}"


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
    if found.year < 1000:  # 0115 is how some programs write 115
        found = spelled_moment(said, hints)
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(hints.timezone))


def spelled_moment(said: str, hints: Hints) -> datetime:
    """A day in any form, and the time of the clock behind it."""
    said = HALF_FIRST.sub(half_behind, said)
    found = CLOCK.fullmatch(said)
    if found is None:
        return datetime.combine(day(said, hints), datetime.min.time())
    _, clock, half, zone = found.groups()
    try:
        hours = (
            datetime.strptime(f"{clock} {half}", "%I:%M:%S %p" if clock.count(":") == 2 else "%I:%M %p")
            if half
            else datetime.fromisoformat(f"2000-01-01T{clock:0>5}")
        )
        offset = datetime.strptime(zone.upper().replace("UTC", "Z"), "%z").tzinfo if zone else None
    except ValueError as error:
        raise Unclear("no-time", "write a time such as 2026-11-20T08:00:00Z") from error
    return datetime.combine(day(found[1], hints), hours.time(), offset)
