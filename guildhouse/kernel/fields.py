"""Fields and expand: which columns of which rows an answer carries. Unselected columns are never fetched."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.manifest import House
from guildhouse.kernel.resource import Resource


class UnknownField(BadRequest):
    """`{name}` is not a field of {resource}. Its fields are: {known}."""


class UnknownExpansion(BadRequest):
    """`{name}` cannot be expanded in {resource}. These can: {known}."""


@dataclass(frozen=True)
class Selection:
    """The fields of a resource to answer with, and the rows that some of them lead to."""

    fields: tuple[str, ...]
    expand: Mapping[str, "Selection"] = field(default_factory=dict)

    @property
    def paths(self) -> tuple[str, ...]:
        """The same as columns of a table: `title`, `organization.name`."""
        nested = (f"{name}.{each}" for name, child in self.expand.items() for each in child.fields)
        return (*self.fields, *nested)


def select_fields(
    house: House, resource: Resource[Any], fields: str | None, expand: str | None, computed: tuple[str, ...] = ()
) -> Selection:
    """Parse `fields=id,title,organization.name` and `expand=organization`; raises for a name that is unknown.

    What is `computed` for this one answer counts as fields of the row.
    """
    wanted, readable = split(fields), (*resource.readable, *computed)
    plain = tuple(name for name in wanted if "." not in name)
    for name in plain:
        if name not in readable:
            raise UnknownField(name=name, resource=resource.name, known=", ".join(readable))
    nested: dict[str, list[str]] = {name: [] for name in split(expand)}
    for name in wanted:
        head, dot, rest = name.partition(".")
        if dot:
            nested.setdefault(head, []).append(rest)
    children = {name: select_child(house, resource, name, ",".join(rest)) for name, rest in nested.items()}
    return Selection(plain or (readable if not wanted else ()), children)


def select_child(house: House, resource: Resource[Any], name: str, fields: str) -> Selection:
    """The selection of one expansion; it goes one level deep."""
    target = resource.find.expand.get(name)
    if target is None:
        raise UnknownExpansion(name=name, resource=resource.name, known=", ".join(resource.find.expand) or "none")
    child = house.resources[target]
    for each in split(fields):
        if each not in child.readable:
            raise UnknownField(name=f"{name}.{each}", resource=child.name, known=", ".join(child.readable))
    return Selection(split(fields) or child.readable)


def split(text: str | None) -> tuple[str, ...]:
    """The names of a comma-separated list, each once."""
    return tuple(dict.fromkeys(name.strip() for name in (text or "").split(",") if name.strip()))
