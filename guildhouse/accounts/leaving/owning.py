"""Owning: which rows are a person's own. Erasing takes them away, a take-out takes them along.

What is the person's own says so in a column (`person_id`), has the address of their account, or leads to the person by
a foreign key; and so is what lives by such a row, as a note lives by an application.
"""

from typing import Any

from guildhouse.accounts.person import Person, people
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.manifest import House
from guildhouse.kernel.resource import Resource

OWNERS = ("person_id", "arriving_id")


def named(resource: Resource[Any], person: Person) -> list[Condition]:
    """The rows that name the person as whose they are, one condition for each way."""
    found = [Condition(f'"{name}" = ?', (person.id,)) for name in OWNERS if name in resource.columns]
    if "email" in resource.log.personal and resource is not people:
        found.append(Condition('"email" = ?', (person.email,)))
    return found


def owned(house: House, resource: Resource[Any], person: Person) -> Condition | None:
    """The person's rows of a resource, and those that live by them; None where it can have none."""
    if resource is people:
        return Condition("id = ?", (person.id,))
    found = named(resource, person)
    for name, column in resource.columns.items():
        for key in column.foreign_keys:
            target = house.resources.get(key.column.table.name)
            by = (
                owned(house, target, person)
                if target and target is not resource and key.ondelete == "CASCADE"
                else None
            )
            if target and by:
                found.append(Condition(f'"{name}" IN (SELECT id FROM "{target.name}" WHERE {by.sql})', by.values))
    return any_of(found)


def any_of(conditions: list[Condition]) -> Condition | None:
    """One condition that holds where one of these does."""
    if not conditions:
        return None
    values = [value for each in conditions for value in each.values]
    return Condition(f"({' OR '.join(each.sql for each in conditions)})", tuple(values))
