"""Filters in the index: the conditions of a list, as far as the index can judge them; the database judges all again."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from tantivy import FieldType, Occur, Query, Schema

from guildhouse.kernel.filters import Condition
from guildhouse.kernel.searching.index_schema import NounSchema, as_indexed
from guildhouse.kernel.searching.query_parts import all_of, any_of, having
from guildhouse.kernel.select import LIVE


def filters_of(schema: NounSchema, conditions: Iterable[Condition]) -> tuple[list[Query], bool]:
    """What the index can judge of some conditions, and whether that is all of them."""
    judged = [judged_of(schema, each) for each in conditions if each is not LIVE]
    return [query for query, _ in judged if query is not None], all(known for _, known in judged)


def judged_of(schema: NounSchema, condition: Condition) -> tuple[Query | None, bool]:
    """What the index can judge of a condition, and whether that is all. Of one with sides it has to judge some of each."""
    if not condition.sides:
        found = filter_of(schema, condition)
        return found, found is not None
    sides = [filters_of(schema, side) for side in condition.sides]
    if not all(queries for queries, _ in sides):
        return None, False
    any_side = any_of(all_of(queries) for queries, _ in sides)
    return any_side, all(known for _, known in sides)


def filter_of(schema: NounSchema, condition: Condition) -> Query | None:
    """One condition on one column; None where the index cannot judge it."""
    column, operator = condition.on or ("", "")
    sort = schema.noun.values.get(column)
    make = (WORD_FILTERS if sort == "word" else NUMBER_FILTERS).get(operator)
    if sort is None or make is None:
        return None
    return make(
        Field(schema.built, f"{schema.noun.name}={column}", sort), [as_indexed(each) for each in flat(condition.values)]
    )


def flat(values: Sequence[Any]) -> list[Any]:
    """The values of a condition, those of a list one by one."""
    return [each for value in values for each in (value if isinstance(value, list) else [value])]


@dataclass(frozen=True, slots=True)
class Field:
    """A field of values, and what is asked of it."""

    schema: Schema
    name: str
    sort: str

    def any_of(self, values: Sequence[Any]) -> Query:
        """One of these words."""
        return Query.term_set_query(self.schema, self.name, list(values))

    def all_of(self, values: Sequence[Any]) -> Query:
        """All of these words."""
        return all_of(having(self.schema, self.name, each) for each in values)

    def between(self, low: Any, high: Any, *, with_low: bool = True, with_high: bool = True) -> Query:
        """A number in a range; None is no end."""
        is_float = self.sort == "number"
        low, high = (float(each) if is_float and each is not None else each for each in (low, high))
        kind = FieldType.Float if is_float else FieldType.Integer
        return Query.range_query(self.schema, self.name, kind, low, high, with_low, with_high)

    def is_there(self, _values: Sequence[Any] = ()) -> Query:
        """Any value."""
        return Query.exists_query(self.name)

    def one_number_of(self, values: Sequence[Any]) -> Query:
        """One of these numbers."""
        return Query.boolean_query([(Occur.Should, self.between(each, each)) for each in values])


Make: TypeAlias = Callable[[Field, Sequence[Any]], Query]


def but(make: Make) -> Make:
    """All that this does not find."""

    def made(of: Field, values: Sequence[Any]) -> Query:
        return Query.boolean_query([(Occur.Must, Query.all_query()), (Occur.MustNot, make(of, values))])

    return made


WORD_FILTERS: Mapping[str, Make] = {
    "eq": Field.any_of,
    "ne": but(Field.any_of),
    "in": Field.any_of,
    "nin": but(Field.any_of),
    "all": Field.all_of,
    "null": but(Field.is_there),
    "there": Field.is_there,
}
NUMBER_FILTERS: Mapping[str, Make] = {
    "eq": Field.one_number_of,
    "ne": but(Field.one_number_of),
    "in": Field.one_number_of,
    "nin": but(Field.one_number_of),
    "gt": lambda of, values: of.between(values[0], None, with_low=False),
    "gte": lambda of, values: of.between(values[0], None),
    "lt": lambda of, values: of.between(None, values[0], with_high=False),
    "lte": lambda of, values: of.between(None, values[0]),
    "between": lambda of, values: of.between(values[0], values[1]),
    "within": lambda of, values: of.between(values[0], None),
    "null": but(Field.is_there),
    "there": Field.is_there,
}
