"""Schemas: the shapes of all doors as JSON schemas, each under one name: for a row `Operation`, its
`OperationPart`, `OperationCreate` and `OperationUpdate`."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from guildhouse.kernel.batch import Batch
from guildhouse.kernel.bulk_writing import Op
from guildhouse.kernel.document import bodies
from guildhouse.kernel.document.examples import example_of
from guildhouse.kernel.document.parameters import computed_fields
from guildhouse.kernel.door import Door
from guildhouse.kernel.formats import MEDIA_TYPES
from guildhouse.kernel.history import Undo
from guildhouse.kernel.manifest import House
from guildhouse.kernel.operating.selecting import Selection
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.search_shapes import ListSearch

Json = dict[str, Any]

SENT: JsonSchemaMode = "validation"
GIVEN: JsonSchemaMode = "serialization"
SHARED: Mapping[str, tuple[type[BaseModel], JsonSchemaMode]] = {
    "Problem": (bodies.ProblemBody, GIVEN),
    "Fault": (bodies.FaultBody, GIVEN),
    "Page": (bodies.PageBody, GIVEN),
    "History": (bodies.HistoryBody, GIVEN),
    "HistoryPage": (bodies.HistoryPageBody, GIVEN),
    "HistoryEntry": (bodies.EntryBody, GIVEN),
    "Difference": (bodies.DifferenceBody, GIVEN),
    "Undo": (Undo, SENT),
    "Batch": (Batch, SENT),
    "BatchOp": (Op, SENT),
    "Selection": (Selection, SENT),
    "BatchResult": (bodies.BatchBody, GIVEN),
    "BatchOutcome": (bodies.OutcomeBody, GIVEN),
    "ListSearch": (ListSearch, GIVEN),
    "DryRun": (bodies.DryRunBody, GIVEN),
    "DryRunChange": (bodies.WouldBody, GIVEN),
}
PREFIX = "#/components/schemas/"
FAR: Json = {
    "anyOf": [{"type": "number"}, {"type": "null"}],
    "title": "Distance Km",
    "description": "In a list with `near`: how far away it is, in kilometres; null for what is remote, and was included.",
}


class Schemas:
    """The shapes of the doors as JSON schemas, each under one name."""

    def __init__(self, house: House, doors: Sequence[Door]) -> None:
        self.house = house
        found: dict[type[BaseModel], tuple[str, JsonSchemaMode]] = {}
        for name, shape, mode in shapes_of(house, doors):
            found.setdefault(shape, (name, mode))
        self.names = {shape: name for shape, (name, _) in found.items()}
        self.definitions = self.defined({shape: mode for shape, (_, mode) in found.items()})
        for resource in house.resources.values():
            self.definitions |= read_schemas(resource, self.definitions[self.names[resource.shapes.read]])
            for sent in (resource.shapes.create, resource.shapes.update):
                if sent:
                    self.fit_to_columns(resource, sent)

    def defined(self, modes: Mapping[type[BaseModel], JsonSchemaMode]) -> Json:
        """Every schema under the name we gave it; nested shapes keep the name that pydantic gave them."""
        known, found = models_json_schema(list(modes.items()), ref_template=PREFIX + "{model}")
        given = {known[shape, mode]["$ref"].removeprefix(PREFIX): self.names[shape] for shape, mode in modes.items()}
        named = [(given.get(name, name), schema) for name, schema in renamed(found["$defs"], given).items()]
        refuse_twins([name for name, _ in named])
        return dict(named)

    def fit_to_columns(self, resource: Resource[Any], shape: type[BaseModel]) -> None:
        """What only the table tells of a body. In a merge patch, what is left out stays, whatever default a shape has."""
        schema = self.definitions[self.names[shape]]
        for name, each in schema["properties"].items():
            schema["properties"][name] = column_format(resource, name, each)
            if shape is resource.shapes.update:
                schema["properties"][name].pop("default", None)

    def ref(self, shape: type[BaseModel]) -> Json:
        """A reference to a shape."""
        return reference(self.names[shape])

    def example(self, schema: Json) -> Any:
        """A plausible value of a schema."""
        return example_of(schema, self.definitions)

    def json(self, schema: Json) -> Json:
        """A JSON body of this schema, with an example."""
        return {MEDIA_TYPES["json"]: {"schema": schema, "example": self.example(schema)}}


def refuse_twins(names: Sequence[str]) -> None:
    """Raise `ValueError` where two different shapes have one name."""
    twins = [name for name, times in Counter(names).items() if times > 1]
    if twins:
        raise ValueError(f"Different shapes have the same name: {', '.join(twins)}. Give one of each another name.")


def reference(name: str, kind: str = "schemas") -> Json:
    """A reference into the components."""
    return {"$ref": f"#/components/{kind}/{name}"}


def shapes_of(house: House, doors: Sequence[Door]) -> Iterator[tuple[str, type[BaseModel], JsonSchemaMode]]:
    """Every shape with the name it is known by, and the side it is on."""
    for name, (shape, mode) in SHARED.items():
        yield name, shape, mode
    for resource in house.resources.values():
        noun, shapes = resource.table.__name__, resource.shapes
        yield noun, shapes.read, GIVEN
        for name, sent in ((f"{noun}Create", shapes.create), (f"{noun}Update", shapes.update)):
            if sent:
                yield name, sent, SENT
    for door in doors:
        for own, mode in ((body_taken(door), SENT), (door.gives, GIVEN)):
            if own:
                yield own.__name__, own, mode


def body_taken(door: Door) -> type[BaseModel] | None:
    """The shape of a verb's body, or of a hand-written door's."""
    return door.takes or (door.verb.body if door.verb else None)


def renamed(schema: Any, given: Mapping[str, str]) -> Any:
    """The schema with its references under our names."""
    if isinstance(schema, dict):
        return {name: renamed(each, given) for name, each in schema.items()}
    if isinstance(schema, list):
        return [renamed(each, given) for each in schema]
    if isinstance(schema, str) and schema.startswith(PREFIX):
        name = schema.removeprefix(PREFIX)
        return PREFIX + given.get(name, name)
    return schema


def read_schemas(resource: Resource[Any], schema: Json) -> Json:
    """A row as a whole, and some of its fields, as `fields` and `expand` select them."""
    noun = resource.table.__name__
    properties = {name: column_format(resource, name, each) for name, each in schema["properties"].items()}
    whole = {**schema, "title": noun, "properties": properties}
    whole.pop("additionalProperties", None)  # later versions add fields, and readers pass over what they do not know
    expanded = {name: {"anyOf": [{"type": "object"}, {"type": "null"}]} for name in resource.find.expand}
    computed = dict.fromkeys(computed_fields(resource), FAR)
    part = {
        "type": "object",
        "title": f"{noun}Part",
        "description": f"Some fields of a {noun}: those that `fields` names, and the rows that `expand` names.",
        "properties": {**properties, **computed, **expanded},
    }
    return {noun: whole, f"{noun}Part": part}


def column_format(resource: Resource[Any], name: str, schema: Json) -> Json:
    """The schema of a field, with what only its column tells: that it is an id."""
    column = resource.columns.get(name)
    if column is None or not isinstance(column.type, sa.Uuid):
        return schema
    choices = [{**each, "format": "uuid"} if each.get("type") == "string" else each for each in schema.get("anyOf", ())]
    return {**schema, "anyOf": choices} if choices else {**schema, "format": "uuid"}
