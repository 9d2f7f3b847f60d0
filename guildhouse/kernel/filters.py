"""Filters: `status[in]=open,draft&salary_max[gte]=50000`, from the query string to SQL with bound values.

Only columns that the declaration allows, only these operators, and every value is parsed as its column's type.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from math import isfinite
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import sqlalchemy as sa

from guildhouse.kernel.errors import BadRequest, Reason, UnknownParameter
from guildhouse.kernel.ids import as_id
from guildhouse.kernel.resource import Resource


class WrongFilterValue(BadRequest):
    """`{name}` does not take the value it was given: {why}."""


class WrongOperator(BadRequest):
    """`{column}` does not know the operator `{operator}`. It knows: {known}."""


@dataclass(frozen=True)
class Condition:
    """One filter: a piece of SQL in which `?` stands for each of the values.

    Where it is about one column, `on` says which, and by which operator: so that the search index can judge it, too. One
    that is fulfilled where all conditions of one of several sides are, has these `sides`.
    """

    sql: str
    values: tuple[Any, ...]
    on: tuple[str, str] | None = None
    sides: "tuple[Sequence[Condition], ...]" = ()


ORDERED = ("eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "isnull", "between")
EXACT = ("eq", "ne", "in", "nin", "isnull")
COMPARISON = {"eq": "=", "ne": "IS DISTINCT FROM", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}
MOST_VALUES = 200
NUMBER = re.compile(r"[+-]?(\d{1,400}(\.\d{0,400})?|\.\d{1,400})([eE][+-]?\d{1,9})?", re.ASCII)
ONE_OF = re.compile(r"(\w+) IN \(([^()]*)\)")
ALTERNATIVES = (Union, UnionType, Annotated)


def conditions(resource: Resource[Any], query: Sequence[tuple[str, str]], reserved: frozenset[str]) -> list[Condition]:
    """The conditions of a query string; raises for a name, an operator or a value that is not allowed."""
    found = []
    for name, value in query:
        if name in reserved:
            continue
        column, operator = parse_name(name)
        if column not in resource.find.filter:
            raise UnknownParameter(name=name, known=", ".join(sorted({*resource.find.filter, *reserved})))
        found.append(condition(resource.columns[column], operator, value, values_known(resource, column)))
    return found


@cache
def values_known(resource: Resource[Any], name: str) -> tuple[str, ...]:
    """The only values that a column can have: as its table checks them, or its shapes; none where it may be anything."""
    for check in resource.sql_table.constraints:
        if (
            isinstance(check, sa.CheckConstraint)
            and (match := ONE_OF.fullmatch(str(check.sqltext)))
            and match[1] == name
        ):
            return tuple(re.findall(r"'(\w+)'", match[2]))
    shapes = [shape for shape in (resource.shapes.create, resource.shapes.update, resource.shapes.read) if shape]
    kinds = [shape.model_fields[name].annotation for shape in shapes if name in shape.model_fields]
    return next(filter(None, map(choices, kinds)), ())


def choices(kind: Any) -> tuple[str, ...]:
    """The texts that a type allows: of `Literal["a", "b"] | None` they are a and b."""
    if get_origin(kind) is Literal:
        return get_args(kind)
    return next(filter(None, map(choices, get_args(kind))), ()) if get_origin(kind) in ALTERNATIVES else ()


def parse_name(name: str) -> tuple[str, str]:
    """`salary_max[gte]` is (salary_max, gte); without brackets the operator is `eq`."""
    match = re.fullmatch(r"(\w+)(?:\[(\w+)\])?", name, re.ASCII)
    return (match[1], match[2] or "eq") if match else (name, "eq")


def condition(column: sa.Column[Any], operator: str, text: str, allowed: tuple[str, ...] = ()) -> Condition:
    """One condition on one column; where only some values are `allowed`, others are refused rather than never found."""
    found = judged(column, operator, text, allowed)
    return Condition(found.sql, found.values, (column.name, told(column, operator, text)))


def told(column: sa.Column[Any], operator: str, text: str) -> str:
    """The operator by a name that means one thing: `contains` of a list is `all`, `isnull=false` is `there`."""
    if operator == "isnull":
        return "" if isinstance(column.type, sa.ARRAY) else "null" if text == "true" else "there"
    return "all" if operator == "contains" and isinstance(column.type, sa.ARRAY) else operator


def judged(column: sa.Column[Any], operator: str, text: str, allowed: tuple[str, ...]) -> Condition:
    """The condition in SQL."""
    known = operators(column.type)
    if operator not in known:
        raise WrongOperator(column=column.name, operator=operator, known=", ".join(known))
    sql = f'"{column.name}"'
    parse = one_among(column.name, allowed) if allowed else parser(f"{column.name}[{operator}]", column.type)
    if operator in COMPARISON:
        return Condition(f"{sql} {COMPARISON[operator]} ?", (parse(text),))
    others = LISTS if isinstance(column.type, sa.ARRAY) else OTHERS
    return others[operator](sql, text, parse)


def is_null(sql: str, text: str, _parse: Callable[[str], Any]) -> Condition:
    """`isnull=true` and `isnull=false`."""
    return Condition(f"{sql} IS NULL" if truth(f"{sql}[isnull]", text) else f"{sql} IS NOT NULL", ())


def one_of(sql: str, text: str, parse: Callable[[str], Any]) -> Condition:
    """`in=a,b`: any of them."""
    return Condition(f"{sql} = ANY(?)", (several(sql, text, parse),))


def none_of(sql: str, text: str, parse: Callable[[str], Any]) -> Condition:
    """`nin=a,b`: none of them; a missing value is none of them, too."""
    return Condition(f"({sql} <> ALL(?) OR {sql} IS NULL)", (several(sql, text, parse),))


def between(sql: str, text: str, parse: Callable[[str], Any]) -> Condition:
    """`between=a,b`: both ends included."""
    ends = text.split(",")
    if len(ends) != 2:
        raise WrongFilterValue(name=sql.strip('"'), why="between takes two values with a comma between them")
    return Condition(f"{sql} BETWEEN ? AND ?", (parse(ends[0]), parse(ends[1])))


def within(sql: str, text: str, _parse: Callable[[str], Any]) -> Condition:
    """`within=7d`: in the last seven days (`m` minutes, `h` hours, `d` days, `w` weeks)."""
    match = re.fullmatch(r"(\d{1,5})([mhdw])", text, re.ASCII)
    if not match:
        raise WrongFilterValue(name=sql.strip('"'), why="within takes a span such as 90m, 24h, 7d or 2w")
    unit = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}[match[2]]
    return Condition(f"{sql} >= ?", (datetime.now(UTC) - timedelta(**{unit: int(match[1])}),))


def contains(sql: str, text: str, _parse: Callable[[str], Any]) -> Condition:
    """The text is somewhere in the value, upper and lower case alike."""
    return Condition(f"{sql} ILIKE ?", (f"%{escape_like(text)}%",))


def starts_with(sql: str, text: str, _parse: Callable[[str], Any]) -> Condition:
    """The value starts with the text, upper and lower case alike."""
    return Condition(f"{sql} ILIKE ?", (f"{escape_like(text)}%",))


def holds(sql: str, text: str, _parse: Callable[[str], Any]) -> Condition:
    """For lists, `contains=python,sql`: all of them are in it."""
    return Condition(f"{sql} @> ?", (text.split(","),))


def holds_any(sql: str, text: str, _parse: Callable[[str], Any]) -> Condition:
    """For lists, `in=python,sql`: at least one of them is in it."""
    return Condition(f"{sql} && ?", (text.split(","),))


OTHERS: dict[str, Callable[[str, str, Callable[[str], Any]], Condition]] = {
    "isnull": is_null,
    "in": one_of,
    "nin": none_of,
    "between": between,
    "within": within,
    "startswith": starts_with,
    "contains": contains,
}
LISTS = {"contains": holds, "in": holds_any, "isnull": is_null}


def operators(kind: sa.types.TypeEngine[Any]) -> tuple[str, ...]:
    """The operators that a column's type knows."""
    if isinstance(kind, sa.ARRAY):
        return tuple(LISTS)
    if isinstance(kind, sa.Uuid | sa.Boolean):
        return EXACT
    if isinstance(kind, sa.DateTime | sa.Date):
        return (*ORDERED, "within")
    if isinstance(kind, sa.String):
        return (*ORDERED, "contains", "startswith")
    return ORDERED


def parser(name: str, kind: sa.types.TypeEngine[Any]) -> Callable[[str], Any]:
    """The function that reads one value of a column's type."""
    for sql_type, read in READERS.items():
        if isinstance(kind, sql_type):
            return lambda text: read(name, text)
    return lambda text: text


def one_among(name: str, allowed: tuple[str, ...]) -> Callable[[str], str]:
    """The function that reads one of these values."""

    def read(text: str) -> str:
        if text not in allowed:
            raise WrongFilterValue(name=name, why=Reason("it takes one of {known}", known=", ".join(allowed)))
        return text

    return read


def whole(name: str, text: str) -> int:
    """A whole number that a bigint holds."""
    if not re.fullmatch(r"-?\d{1,18}", text, re.ASCII):
        raise WrongFilterValue(name=name, why="it takes a whole number")
    return int(text)


def small(name: str, text: str) -> int:
    """A whole number that an integer column holds."""
    value = whole(name, text)
    if not -(2**31) <= value < 2**31:
        raise WrongFilterValue(name=name, why="the number is too large for this column")
    return value


def number(name: str, text: str) -> float:
    """A finite number, as JSON writes one."""
    value = float(text) if NUMBER.fullmatch(text) else float("nan")
    if not isfinite(value):
        raise WrongFilterValue(name=name, why="it takes a number")
    return value


def truth(name: str, text: str) -> bool:
    """true or false."""
    if text not in ("true", "false"):
        raise WrongFilterValue(name=name.replace('"', ""), why="it takes true or false")
    return text == "true"


def moment(name: str, text: str) -> datetime:
    """An ISO 8601 time, UTC where it has no offset. A blank is the plus sign that a query string has turned into one."""
    try:
        value = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
        return value.astimezone(UTC) if value.tzinfo else value.replace(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise WrongFilterValue(name=name, why="it takes a time such as 2026-11-20T08:00:00Z") from error


def day(name: str, text: str) -> date:
    """An ISO 8601 date."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise WrongFilterValue(name=name, why="it takes a date such as 2026-11-20") from error


def identifier(name: str, text: str) -> str:
    """A UUID."""
    value = as_id(text)
    if value is None:
        raise WrongFilterValue(name=name, why="it takes an id")
    return value


# Integer comes after BigInteger, and DateTime before Date: the first that fits is taken.
READERS: Mapping[type[Any], Callable[[str, str], Any]] = {
    sa.BigInteger: whole,
    sa.Integer: small,
    sa.Numeric: number,
    sa.Boolean: truth,
    sa.DateTime: moment,
    sa.Date: day,
    sa.Uuid: identifier,
}


def several(sql: str, text: str, parse: Callable[[str], Any]) -> list[Any]:
    """The values of a comma-separated list."""
    values = [parse(each) for each in text.split(",")]
    if len(values) > MOST_VALUES:
        raise WrongFilterValue(name=sql.strip('"'), why=Reason("it takes at most {most} values", most=MOST_VALUES))
    return values


def escape_like(text: str) -> str:
    """The text with LIKE's own signs taken literally."""
    return re.sub(r"([\\%_])", r"\\\1", text)
