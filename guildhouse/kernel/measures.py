"""Measures: amounts that are asked for in a unit of the reader's choice: `pay[gte]=60000&pay_in=USD/year`."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from guildhouse.kernel.errors import BadRequest, Reason
from guildhouse.kernel.filters import Condition, WrongFilterValue, number
from guildhouse.kernel.resource import Measure, Resource

OPERATORS = ("gte", "lte", "between")
MOST = 1e12


class HalfMeasure(BadRequest):
    """An amount needs its unit, and a unit an amount: `{name}[gte]=60000&{name}_in={example}`."""


def parameters(resource: Resource[Any]) -> tuple[str, ...]:
    """The parameters that a list has for this: `pay[gte]`, `pay_in`."""
    return tuple(each for name in resource.find.measures for each in (*amounts_of(name), f"{name}_in"))


def amounts_of(name: str) -> tuple[str, ...]:
    """The parameters that take amounts."""
    return tuple(f"{name}[{operator}]" for operator in OPERATORS)


def measured(resource: Resource[Any], query: Sequence[tuple[str, str]]) -> Iterator[Condition]:
    """The conditions of a query string. A row that goes from one amount to another is found where any of it fits."""
    said = dict(query)
    for name, measure in resource.find.measures.items():
        asked, unit = [each for each in amounts_of(name) if each in said], said.get(f"{name}_in")
        if bool(asked) != (unit is not None):
            raise HalfMeasure(name=name, example=measure.example)
        if unit is not None:
            yield from ends(name, measure, said, measure.unit(unit))


def ends(name: str, measure: Measure, said: Mapping[str, str], factor: float) -> Iterator[Condition]:
    """The conditions on both ends, in the unit that rows are kept in."""
    least, most, both = amounts_of(name)
    if least in said:
        yield at_least(measure, amount(least, said[least], factor))
    if most in said:
        yield at_most(measure, amount(most, said[most], factor))
    if both in said:
        values = said[both].split(",")
        if len(values) != 2:
            raise WrongFilterValue(name=both, why="it takes two amounts with a comma between them")
        low, high = (amount(both, each, factor) for each in values)
        yield at_least(measure, low)
        yield at_most(measure, high)


def at_least(measure: Measure, value: float) -> Condition:
    """The row goes up to this, or further."""
    return Condition(f'"{measure.high}" >= ?', (value,), (measure.high, "gte"))


def at_most(measure: Measure, value: float) -> Condition:
    """The row begins at this, or lower."""
    return Condition(f'"{measure.low}" <= ?', (value,), (measure.low, "lte"))


def amount(name: str, text: str, factor: float) -> float:
    """An amount in the unit of the rows, to two decimals as they are."""
    value = number(name, text)
    if not 0 <= value <= MOST:
        raise WrongFilterValue(name=name, why=Reason("it takes an amount from 0 to {most}", most=f"{MOST:.0f}"))
    return round(value * factor, 2)
