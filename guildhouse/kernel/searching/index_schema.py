"""The index's schema, from the declarations: a field for all text of a noun, and one for each column that is found by.

| field | holds |
|---|---|
| `key`, `scopes`, `high`, `low` | whose document this is: its id, who sees it, the id as two numbers |
| `sample` | `1` for every fourth row, `2` for every sixteenth, and so on: a part of all that stands for the whole |
| `circle`, `eyes` | of a document with what not everybody sees who sees the row: that it is one, and who sees that |
| `jobs` | all text of a job, stemmed |
| `jobs.title` | one column of it, with places of its words where its weight is A or B |
| `jobs~whole` | the words of those, not stemmed, for typing errors |
| `jobs~title` | the words of its title, not stemmed, for completion |
| `jobs~signs` | its Chinese, sign by sign |
| `jobs=status` | the value of a column that one may filter by, or count |
| `cursor` | of one document alone: up to where the log is in the index |
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property
from hashlib import sha256
from typing import Any, Literal

import sqlalchemy as sa
from tantivy import Schema, SchemaBuilder

from guildhouse.kernel.manifest import House
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.scopes import AllBut
from guildhouse.kernel.searching.tokens import RAW, STEMS, WHOLE

LAYOUT = 6  # of the index's files: one more, and every index is built anew
KEY, SCOPES, CIRCLE, EYES = "key", "scopes", "circle", "eyes"
SAMPLE, SAMPLES = "sample", 6
HIDDEN = "~hidden"  # no scope: what is not public has it among its scopes
HIGH, LOW, CURSOR = "high", "low", "cursor"

Sort = Literal["word", "number", "whole"]


def sort_of(column: sa.Column[Any]) -> Sort | None:
    """How a column's values stand in the index: as words, numbers or whole numbers; None for what cannot."""
    kind = column.type.item_type if isinstance(column.type, sa.ARRAY) else column.type
    if isinstance(kind, sa.String | sa.Uuid | sa.Boolean):
        return "word"
    if isinstance(kind, sa.DateTime | sa.Date):
        return "whole"
    return "number" if isinstance(kind, sa.Integer | sa.Numeric | sa.Float) else None


def as_indexed(value: Any) -> Any:
    """A value of a column as the index holds it: times in microseconds since 1970, days since the year 1."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return int(value.timestamp() * 1_000_000)
    return value.toordinal() if isinstance(value, date) else value


@dataclass(frozen=True)
class Noun:
    """What the index has of one noun: `text` columns with their weights, and columns by `value` with their sorts."""

    resource: Resource[Any]
    text: Mapping[str, str]
    values: Mapping[str, Sort]

    @cached_property
    def name(self) -> str:
        """The noun, and the field of all its text."""
        return self.resource.name

    @property
    def title(self) -> str:
        """The column that says in one line what a row is: the first of the text."""
        return next(iter(self.text))

    @cached_property
    def split(self) -> tuple[str, ...]:
        """The text columns that not everybody sees who sees the row: these stand in documents of their own."""
        return tuple(name for name in self.text if name in self.resource.shapes.audience)

    @cached_property
    def excepting(self) -> tuple[str, ...]:
        """The fields that may say from whom a document is kept."""
        eyes = any(isinstance(self.resource.shapes.audience[name], AllBut) for name in self.split)
        return (SCOPES,) * self.resource.makes_exceptions + (EYES,) * eyes

    @cached_property
    def word_fields(self) -> Mapping[str, Sequence[str]]:
        """The fields in which the words of each text column stand."""
        found = {}
        for column, weight in self.text.items():
            also = [f"{self.name}~whole"] * (weight in "AB") + [f"{self.name}~title"] * (column == self.title)
            found[column] = [self.name, f"{self.name}.{column}", *also]
        return found

    @cached_property
    def value_fields(self) -> Sequence[tuple[str, str, Sort]]:
        """The columns by value: name, field in the index, and sort."""
        return [(name, f"{self.name}={name}", sort) for name, sort in self.values.items()]

    @cached_property
    def columns(self) -> str:
        """SQL of the columns that a document is made of."""
        if self.split:
            return "*"
        return ", ".join(f'"{each}"' for each in dict.fromkeys(["id", "scopes", *self.text, *self.values]))


def noun_of(resource: Resource[Any]) -> Noun:
    """What the index has of a noun: its text, what one filters, sorts and counts by, and its title."""
    find = resource.find
    named = dict.fromkeys([*find.filter, *find.sort, *find.facets, *(find.place or ()), next(iter(find.text))])
    sorts = {name: sort_of(resource.columns[name]) for name in named if name not in resource.shapes.audience}
    return Noun(resource, find.text, {name: sort for name, sort in sorts.items() if sort})


@dataclass(frozen=True)
class NounSchema:
    """The schema of one noun's index."""

    noun: Noun

    @cached_property
    def fields(self) -> Mapping[str, tuple[str, str, bool]]:
        """Text fields by name: analyzer, what is kept of each word, and whether values are kept in columns."""
        noun = self.noun
        names = (KEY, SCOPES, SAMPLE, CIRCLE, EYES) if noun.split else (KEY, SCOPES, SAMPLE)
        found: dict[str, tuple[str, str, bool]] = dict.fromkeys(names, (RAW, "basic", False))
        found[noun.name] = (STEMS, "position", False)
        found[f"{noun.name}~whole"] = found[f"{noun.name}~title"] = (WHOLE, "basic", False)
        found[f"{noun.name}~signs"] = (WHOLE, "position", False)
        for column, weight in noun.text.items():
            found[f"{noun.name}.{column}"] = (STEMS, "position" if weight in "AB" else "basic", False)
        words = (name for name, sort in noun.values.items() if sort == "word")
        return found | {f"{noun.name}={name}": (RAW, "basic", True) for name in words}

    @cached_property
    def numbers(self) -> Mapping[str, Sort]:
        """The fields of numbers by name."""
        return {f"{self.noun.name}={name}": sort for name, sort in self.noun.values.items() if sort != "word"}

    @cached_property
    def built(self) -> Schema:
        """The schema as tantivy takes it. Numbers are compared row by row: a dictionary of each of them that are there would
        be written with every commit, and no range is looked up in it."""
        builder = SchemaBuilder()
        for name, (analyzer, kept, fast) in self.fields.items():
            builder.add_text_field(name, fast=fast, tokenizer_name=analyzer, index_option=kept)
        for name, sort in self.numbers.items():
            add = builder.add_float_field if sort == "number" else builder.add_integer_field
            add(name, indexed=False, fast=True)
        builder.add_unsigned_field(HIGH, fast=True).add_unsigned_field(LOW, fast=True)
        builder.add_text_field(CURSOR, stored=True, tokenizer_name=RAW, index_option="basic")
        return builder.build()


@dataclass(frozen=True)
class SearchSchema:
    """The nouns that have text, each with an index of its own: a write of one costs nothing in the others."""

    nouns: Mapping[str, Noun]

    @cached_property
    def schemas(self) -> Mapping[str, NounSchema]:
        """The schema of each noun's index."""
        return {name: NounSchema(noun) for name, noun in self.nouns.items()}

    @cached_property
    def digest(self) -> str:
        """What tells this schema from others, in the name of its directory."""
        told = [
            (name, sorted(each.fields.items()), sorted(each.numbers.items())) for name, each in self.schemas.items()
        ]
        return sha256(repr((LAYOUT, sorted(told))).encode()).hexdigest()[:12]


def schema_of(house: House) -> SearchSchema:
    """The schema of all nouns of the house that declare text."""
    return SearchSchema({each.name: noun_of(each) for each in house.resources.values() if each.find.text})
