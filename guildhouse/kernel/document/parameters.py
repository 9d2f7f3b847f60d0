"""Parameters: what the query string of a list or a row may say, described for the API document and its pages."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from guildhouse.kernel import measures, nearby
from guildhouse.kernel.filters import operators
from guildhouse.kernel.formats import EXPORT_FORMATS, LIST_FORMATS, ROW_FORMATS
from guildhouse.kernel.manifest import House
from guildhouse.kernel.pages import DEFAULT_LIMIT, MOST
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.search_query import MOST_SIGNS
from guildhouse.kernel.searching.sought import RELEVANCE

Json = dict[str, Any]


def parameter(name: str, description: str, schema: Json) -> Json:
    """A parameter of the query string; lists are written with commas."""
    style = {"style": "form", "explode": False} if schema.get("type") == "array" else {}
    return {"name": name, "in": "query", "description": description, "schema": schema, **style}


def row_parameters(
    house: House, resource: Resource[Any], formats: Sequence[str] = ROW_FORMATS, computed: Sequence[str] = ()
) -> Iterator[Json]:
    """What an answer carries, and how it is written."""
    expand = resource.find.expand
    nested = [f"{name}.{each}" for name, target in expand.items() for each in house.resources[target].readable]
    yield parameter("fields", "Only these fields.", choice([*resource.readable, *computed, *nested]))
    if expand:
        yield parameter("expand", "The rows that these fields lead to, in place.", choice(list(expand)))
    yield parameter("format", "Overrides `Accept`.", {"type": "string", "enum": list(formats)})


def list_parameters(house: House, resource: Resource[Any]) -> Iterator[Json]:
    """All that a list can be asked for."""
    yield from filters_and_order(resource)
    yield from search_parameters(resource)
    limits = {"type": "integer", "minimum": 1, "default": DEFAULT_LIMIT}
    yield parameter("limit", f"Rows of a page; more than {MOST} is served as {MOST}.", limits)
    yield parameter("cursor", "`next` or `prev` of a page, with all else unchanged.", {"type": "string"})
    yield from row_parameters(house, resource, LIST_FORMATS, computed_fields(resource))
    yield trash_parameter()


def history_parameters() -> Iterator[Json]:
    """Which part of a history is asked for."""
    limits = {"type": "integer", "minimum": 1, "default": MOST}
    yield parameter("limit", f"Changes of a page; more than {MOST} is served as {MOST}.", limits)
    yield parameter("cursor", "`next` of a page, with all else unchanged.", {"type": "string"})


def export_parameters(house: House, resource: Resource[Any]) -> Iterator[Json]:
    """All that a whole list can be asked for."""
    yield from filters_and_order(resource)
    yield from list(search_parameters(resource))[:1]
    yield from row_parameters(house, resource, EXPORT_FORMATS, computed_fields(resource))
    yield trash_parameter()


def filters_and_order(resource: Resource[Any]) -> Iterator[Json]:
    """Which rows, and in which order."""
    for name in resource.find.filter:
        for operator in operators(resource.columns[name].type):
            yield filter_parameter(resource, name, operator)
    yield from measure_parameters(resource)
    for name in nearby.parameters(resource):
        yield parameter(name, *NEAR[name])
    sorts = [sign + name for name in dict.fromkeys([*resource.find.sort, "id"]) for sign in ("", "-")]
    sorts += ["distance"] if resource.find.place else []
    sorts += [RELEVANCE] if resource.find.text else []
    yield parameter("sort", "The order; a minus turns it round.", {**choice(sorts), "default": [resource.find.default]})


def measure_parameters(resource: Resource[Any]) -> Iterator[Json]:
    """Amounts, and the unit that they are in."""
    number: Json = {"type": "number", "minimum": 0}
    two = {"type": "array", "items": number, "minItems": 2, "maxItems": 2}
    for name, measure in resource.find.measures.items():
        means = ("up to this or more", "from this or less", "somewhere between these two")
        for key, text in zip(measures.amounts_of(name), means, strict=True):
            schema = two if key.endswith("[between]") else number
            yield parameter(key, f"{name} goes {text}, in the unit of `{name}_in`.", schema)
        yield parameter(f"{name}_in", "The unit of the amounts.", {"type": "string", "examples": [measure.example]})


NEAR: Mapping[str, tuple[str, Json]] = {
    "near": (
        "Around this point: latitude and longitude, or the name of a place. Rows then have `distance_km`, and can be "
        "sorted by `distance`.",
        {"type": "string", "maxLength": 200, "examples": ["25.03,121.56", "Taipei"]},
    ),
    "radius": (
        "No further from it than this, 500 m to 500 km: `20km`, `10mi`, `800m`; or `any` distance.",
        {"type": "string", "default": "25km", "pattern": "^(any|[0-9]{1,6}([.][0-9]{1,6})? ?(km|mi|m))$"},
    ),
    "remote": (
        "`include`: also all that is remote, wherever it lies; it comes last by distance. `exclude`: nothing remote.",
        {"type": "string", "enum": ["include", "exclude"]},
    ),
}


def computed_fields(resource: Resource[Any]) -> tuple[str, ...]:
    """The fields that rows of a list can have besides their own."""
    return (nearby.DISTANCE,) if resource.find.place else ()


def search_parameters(resource: Resource[Any]) -> Iterator[Json]:
    """What a list is searched for: the words, what is counted, and whether to say where the words are."""
    if not resource.find.text:
        return
    words = (
        'Words to look for, the best rows first: "a phrase", `-not`, `begin*`, `one OR other`, and `column:word` in '
    )
    where = ", ".join(resource.find.text)
    called = f"; also what values of {', '.join(resource.find.words)} are called" if resource.find.words else ""
    yield parameter("q", f"{words}{where}{called}.", {"type": "string", "maxLength": MOST_SIGNS})
    if resource.find.facets:
        yield parameter("facets", "Columns whose values are counted.", choice(resource.find.facets))
    yield parameter("highlights", "With `q`: where the words are in each row.", {"type": "boolean", "default": False})


def trash_parameter() -> Json:
    """The removed rows instead of the live ones."""
    return parameter("trash", "`only`: the removed rows.", {"type": "string", "enum": ["only"]})


def choice(names: Iterable[str]) -> Json:
    """Some of these names."""
    return {"type": "array", "items": {"type": "string", "enum": list(names)}}


def filter_parameter(resource: Resource[Any], name: str, operator: str) -> Json:
    """A filter: `status`, `salary_max[gte]`."""
    values = value_schema(resource, resource.columns[name])
    key = name if operator == "eq" and "eq" in operators(resource.columns[name].type) else f"{name}[{operator}]"
    return parameter(key, MEANS[operator].format(name=name.replace("_", " ")), operand_schema(operator, values))


MEANS = {
    "eq": "{name} is this.",
    "ne": "{name} is not this.",
    "gt": "{name} is above this.",
    "gte": "{name} is this or above.",
    "lt": "{name} is below this.",
    "lte": "{name} is this or below.",
    "in": "{name} is one of these.",
    "nin": "{name} is none of these.",
    "isnull": "{name} has no value (true), or has one (false).",
    "between": "{name} is between these two, both included.",
    "within": "{name} is in the last so many minutes, hours, days or weeks: `90m`, `24h`, `7d`, `2w`.",
    "contains": "{name} contains this; a list: all of these.",
    "startswith": "{name} starts with this.",
}


def operand_schema(operator: str, value: Json) -> Json:
    """What an operator takes."""
    if operator == "isnull":
        return {"type": "boolean"}
    if operator == "within":
        return {"type": "string", "pattern": "^[0-9]{1,5}[mhdw]$", "examples": ["7d"]}
    if operator == "between":
        return {"type": "array", "items": value, "minItems": 2, "maxItems": 2}
    if operator in ("contains", "startswith") and value["type"] == "string":
        return {"type": "string"}
    if operator in ("in", "nin"):
        return {"type": "array", "items": value.get("items", value), "minItems": 1}
    return value


def value_schema(resource: Resource[Any], column: sa.Column[Any]) -> Json:
    """One value of a column, as a query string has it."""
    if isinstance(column.type, sa.ARRAY):
        return {"type": "array", "items": {"type": "string"}, "minItems": 1}
    if resource.stages and resource.stages.column == column.name:
        return {"type": "string", "enum": list(resource.stages.names())}
    return next((dict(schema) for kind, schema in TYPES.items() if isinstance(column.type, kind)), {"type": "string"})


TYPES: Mapping[type[Any], Json] = {
    sa.Integer: {"type": "integer"},
    sa.Numeric: {"type": "number"},
    sa.Boolean: {"type": "boolean"},
    sa.DateTime: {"type": "string", "format": "date-time"},
    sa.Date: {"type": "string", "format": "date"},
    sa.Uuid: {"type": "string", "format": "uuid"},
}
