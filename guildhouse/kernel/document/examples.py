"""Examples: a plausible value for any JSON schema, the same every time. What a field's own `examples` say comes first."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Schema = Mapping[str, Any]

ID = "019a9f3c-7c00-7000-8000-000000000001"
BY_FORMAT: Mapping[str, Any] = {
    "uuid": ID,
    "date-time": "2026-11-20T08:00:00Z",
    "date": "2026-11-20",
    "time": "08:00:00",
    "duration": "PT1H",
    "uri": "https://example.org/",
    "email": "ada@example.org",
    "binary": "",
}
# What a pattern may be meant for; the first that it fits is taken.
PATTERNED = ("TWD", "TW", "ada@example.org", "+886212345678", "08:00", "2026-11", "1.0", "#1f6f5c")


def example_of(schema: Schema, definitions: Mapping[str, Schema], name: str = "value") -> Any:
    """A value that fits a schema; `name` is what a text without anything better to say says."""
    if "$ref" in schema:
        return example_of(definitions[schema["$ref"].rpartition("/")[2]], definitions, name)
    for known in ("examples", "enum"):
        if known in schema:
            return schema[known][0]
    for known in ("const", "default"):
        if known in schema and schema[known] is not None:
            return schema[known]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        return example_of(choices[0], definitions, name)
    make = BY_TYPE.get(schema.get("type", "null"))
    return make(schema, definitions, name) if make else None


def text(schema: Schema, _definitions: Mapping[str, Schema], name: str) -> str:
    """By its format or pattern, else the field's name in words, as often as the text must be long."""
    if schema.get("format") in BY_FORMAT:
        return str(BY_FORMAT[schema["format"]])
    words = name.replace("_", " ").capitalize()
    if "pattern" in schema:
        candidates = (words, name.replace("_", "-"), *PATTERNED)
        return next((each for each in candidates if re.search(schema["pattern"], each)), words)
    times = 1 + schema.get("minLength", 0) // (len(words) + 1)
    return " ".join([words] * times)[: schema.get("maxLength")]


def number(schema: Schema, _definitions: Mapping[str, Schema], _name: str) -> int:
    """The least that is allowed, else 1."""
    return max(1, int(schema.get("minimum", 1)))


def several(schema: Schema, definitions: Mapping[str, Schema], name: str) -> list[Any]:
    """One of them."""
    return [example_of(schema["items"], definitions, name.removesuffix("s"))] if schema.get("items") else []


def fields(schema: Schema, definitions: Mapping[str, Schema], _name: str) -> dict[str, Any]:
    """Every field."""
    properties = schema.get("properties", {})
    return {name: example_of(each, definitions, name) for name, each in properties.items()}


BY_TYPE: Mapping[str, Callable[[Schema, Mapping[str, Schema], str], Any]] = {
    "string": text,
    "integer": number,
    "number": number,
    "boolean": lambda _schema, _definitions, _name: True,
    "array": several,
    "object": fields,
}
