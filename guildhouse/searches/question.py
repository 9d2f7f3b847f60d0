"""Questions: what saved searches ask, each distinct one once, however many persons ask it.

Of a row that was written, most questions can be told in memory that it does not fit: their gates are shut. What they let
through, PostgreSQL judges by the list's own conditions. So a gate may be too wide, and is never too narrow.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import sqlalchemy as sa

from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.filters import condition, parse_name, values_known
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.manifest import House
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import Values
from guildhouse.kernel.scopes import is_narrower
from guildhouse.kernel.searching.percolating import Wording
from guildhouse.kernel.searching.search_query import Asked
from guildhouse.searches.asking import RESERVED, WORDS, check_query, words_of

Gate = Callable[[Values], bool]
Key = tuple[str, str]  # the parameter that a gate is of: many questions have the same ones
# Texts are put in order by the database's own collation, which is not ours to guess.
COMPARABLE = (int, float, date)
ORDER: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": lambda a, b: a > b,
    "gte": lambda a, b: a >= b,
    "lt": lambda a, b: a < b,
    "lte": lambda a, b: a <= b,
}


@dataclass(eq=False)
class Question:
    """One query of one list, and who asks it: the id of each saved search with the id of its person.

    `columns` are those that it looks at; None where it may look at anything. `wording` is made of the words when a row is
    first asked for them.
    """

    resource: Resource[Any]
    query: Mapping[str, str]
    words: Asked | None = None
    wording: Wording | None = None
    gates: Mapping[Key, Gate] = field(default_factory=dict)
    columns: frozenset[str] | None = None
    askers: dict[str, str] = field(default_factory=dict)

    def looks_at(self, touched: frozenset[str] | None) -> bool:
        """Whether the answer for a row can be another one since these columns were written; None is all of them."""
        return touched is None or self.columns is None or not self.columns.isdisjoint(touched)


class Gates:
    """The gates as a row finds them, each tried once."""

    def __init__(self, row: Values) -> None:
        self.row = row
        self.tried: dict[Key, bool] = {}

    def are_open(self, gates: Mapping[Key, Gate]) -> bool:
        """Whether none of these is shut."""
        for key, gate in gates.items():
            is_open = self.tried.get(key)
            if is_open is None:
                is_open = self.tried[key] = gate(self.row)
            if not is_open:
                return False
        return True


def behind_gates(questions: Iterable[Question]) -> Mapping[Key | None, list[Question]]:
    """The questions by one gate of each, or none: one that wants a certain value, as those are shut to most rows; of several
    the one that the fewest have."""
    asked = list(questions)
    shared = Counter(key for question in asked for key in question.gates)
    found: dict[Key | None, list[Question]] = defaultdict(list)
    for question in asked:
        keys = [key for key in question.gates if "[" not in key[0]] or question.gates
        found[min(keys, key=shared.__getitem__, default=None)].append(question)
    return found


def question_of(house: House, resource: Resource[Any], query: Mapping[str, str]) -> Question:
    """The question that a query asks. Raises `Invalid` for one that the list does not take any more."""
    check_query(house, resource, query)
    asked = {name: text for name, text in query.items() if name not in RESERVED}
    gates = {(name, text): found for name, text in asked.items() if (found := gate_of(resource, name, text))}
    return Question(resource, asked, words_of(resource, query), None, gates, columns_of(resource, query))


def columns_of(resource: Resource[Any], query: Mapping[str, str]) -> frozenset[str] | None:
    """The columns that a query looks at; None where it can be others: who sees a text may change without it."""
    find, names = resource.find, {parse_name(name)[0] for name in query if name not in RESERVED}
    if "near" in names and find.place:
        names = {*names, *find.place, *(find.everywhere or ())[:1]} - {"near", "radius", "remote"}
    for name in names & find.measures.keys():
        names = {*names, find.measures[name].low, find.measures[name].high} - {name, f"{name}_in"}
    names |= {*find.text, *find.words} if WORDS in query else set()
    return frozenset(names) if names <= resource.columns.keys() and names.isdisjoint(resource.shapes.audience) else None


def gate_of(resource: Resource[Any], name: str, text: str) -> Gate | None:
    """The gate of one parameter; None for one that memory cannot judge as PostgreSQL does."""
    column, operator = parse_name(name)
    if column not in resource.columns:
        return None
    kind = resource.columns[column].type
    try:
        values = condition(resource.columns[column], operator, text, values_known(resource, column)).values
    except BadRequest:
        return None
    if operator == "isnull":
        return lambda row: (row[column] is None) == (text == "true")
    if isinstance(kind, sa.ARRAY):
        return gate_of_list(column, operator, set(values[0]))
    return gate_of_value(column, operator, values)


def gate_of_list(column: str, operator: str, wanted: set[Any]) -> Gate | None:
    """The gate of a column that has several values."""
    if operator == "contains":
        return lambda row: row[column] is not None and wanted.issubset(row[column])
    return lambda row: row[column] is not None and not wanted.isdisjoint(row[column])


def gate_of_value(column: str, operator: str, values: tuple[Any, ...]) -> Gate | None:
    """The gate of a column that has one value."""
    if operator == "eq":
        return lambda row: row[column] == values[0]
    if operator == "in":
        return lambda row: row[column] in values[0]
    if operator == "between" and isinstance(values[0], COMPARABLE):
        return lambda row: row[column] is not None and values[0] <= row[column] <= values[1]
    if operator in ORDER and isinstance(values[0], COMPARABLE):
        fits = ORDER[operator]
        return lambda row: row[column] is not None and fits(row[column], values[0])
    return None


def touched_by(changes: Sequence[Change]) -> frozenset[str] | None:
    """The columns that these changes of one row have written; None where all may be news to somebody, as in a new row."""
    said: set[str] = set()
    for change in changes:
        if change.before is None or not is_narrower(change.scopes_after or (), change.scopes_before or ()):
            return None
        said |= change.before.keys() | (change.after or {}).keys()
    return None if "deleted_at" in said else frozenset(said)
