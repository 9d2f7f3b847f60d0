"""The house: what the manifests of all domains make together."""

from typing import Any

import pytest

from guildhouse.app import HOUSE
from guildhouse.kernel.db import Connection
from guildhouse.kernel.manifest import Grant, House, Manifest

pytestmark = pytest.mark.anyio


def test_every_noun_is_found_by_its_table_and_by_its_address() -> None:
    assert {resource.path for resource in HOUSE.resources.values()} == set(HOUSE.paths)
    assert HOUSE.paths["api-keys"] is HOUSE.resources["api_keys"]
    assert sum(len(domain.resources) for domain in HOUSE.domains) == len(HOUSE.resources)


def test_every_verb_is_of_a_resource_of_the_house_and_found_by_both_names() -> None:
    assert sum(len(domain.verbs) for domain in HOUSE.domains) == len(HOUSE.verbs)
    for (noun, name), verb in HOUSE.verbs.items():
        assert HOUSE.resources[noun] is verb.on
        assert name == verb.name and "_" not in name
        assert verb.summary.endswith(".")


def test_every_task_is_asked_for_by_an_event_that_can_happen_or_by_a_schedule() -> None:
    nouns = {resource.singular for resource in HOUSE.resources.values()}
    scheduled = {schedule.task.name for schedule in HOUSE.schedules}
    for task in HOUSE.tasks.values():
        assert task.on or task.name in scheduled, task.name
        assert {event.partition(".")[0] for event in task.on} <= nouns, task.name


def test_domains_are_in_order_the_kernel_first() -> None:
    names = [domain.name for domain in HOUSE.domains]
    assert names[0] == "kernel" and names.index("accounts") < names.index("organizations")
    assert len(names) == len(set(names))


async def test_the_scopes_of_a_person_are_those_that_all_domains_give() -> None:
    asked: list[str] = []

    def giving(*scopes: str) -> Manifest:
        async def scopes_of(_connection: Connection, person_id: str) -> set[str]:
            asked.append(person_id)
            return set(scopes)

        return Manifest(scopes[0], grants=(Grant((), scopes_of),))

    connection: Any = None
    house = House((giving("a", "both"), giving("b", "both")))
    assert await house.scopes_of(connection, "ada") == {"a", "b", "both"}
    assert asked == ["ada", "ada"]
    assert await House(()).scopes_of(connection, "ada") == set()
