"""Doors: each is one operation with a name of its own, made of its address."""

from collections import Counter

import pytest

from guildhouse.app import HOUSE
from guildhouse.kernel.http import doors_of
from guildhouse.kernel.limits import QUOTAS
from guildhouse.kernel.may import signed_in

DOORS = doors_of(HOUSE)
OF_JOBS = {(door.method, door.path): door for door in DOORS if door.resource.name == "jobs"}


@pytest.mark.parametrize(
    ("method", "path", "operation"),
    [
        ("GET", "/v1/jobs", "list"),
        ("POST", "/v1/jobs", "create"),
        ("GET", "/v1/jobs/{id}", "read"),
        ("PATCH", "/v1/jobs/{id}", "change"),
        ("DELETE", "/v1/jobs/{id}", "remove"),
        ("GET", "/v1/jobs/{id}/history", "history"),
        ("POST", "/v1/jobs/{id}/publish", "publish"),
        ("POST", "/v1/jobs:batch", "batch"),
        ("POST", "/v1/jobs:take-back", "take-back"),
        ("GET", "/v1/jobs:export", "export"),
    ],
)
def test_an_operation_is_named_for_the_rest_of_its_address(method: str, path: str, operation: str) -> None:
    assert OF_JOBS[method, path].operation == operation


def test_no_two_doors_of_a_noun_do_the_same() -> None:
    named = Counter((door.resource.name, door.operation, door.method, door.path) for door in DOORS)
    assert set(named.values()) == {1}


def test_every_door_draws_on_a_quota_that_there_is_and_can_pay() -> None:
    for door in DOORS:
        assert 1 <= door.cost <= QUOTAS[door.kind].units * 0.2, door.path  # the share of those not signed in


def test_every_door_says_what_it_does_and_what_only_reads_takes_nothing_from_the_quota_of_writes() -> None:
    for door in DOORS:
        assert door.summary and not door.summary.endswith("\n")
        assert door.kind == "read" or door.method != "GET", door.path


def test_a_verb_is_open_to_those_who_are_signed_in_and_judged_by_its_own_predicate() -> None:
    for door in DOORS:
        if door.verb:
            assert door.open_to is signed_in and door.path.endswith(f"/{door.verb.name}")
            assert door.verb.may.name
