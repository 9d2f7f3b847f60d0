"""Scopes: the sets meet, and what is excepted does not see."""

import re
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.actor import ANONYMOUS, HOUSE, Actor
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.scopes import (
    EXCEPT,
    PUBLIC,
    AllBut,
    excepted,
    exceptions,
    is_narrower,
    persons_in,
    scope,
    sees,
)
from guildhouse.kernel.select import in_sight, numbered, visible
from tests.house.source import ROOT, files
from tests.kernel.gadget import gadgets, makers

TEAM, ADA, BEN = "organization:1:interviewers", "person:ada", "person:ben"
HELD = st.sets(st.sampled_from([PUBLIC, TEAM, ADA, BEN]))
CARRIED = st.sets(st.sampled_from([PUBLIC, TEAM, ADA, BEN, EXCEPT + ADA, EXCEPT + BEN]))


@pytest.mark.parametrize(
    ("held", "scopes", "expected"),
    [
        ({TEAM, BEN}, [TEAM], True), ({TEAM, BEN}, [TEAM, EXCEPT + ADA], True), ({TEAM, ADA}, [TEAM, EXCEPT + ADA], False),
        ({ADA}, [TEAM], False), ({ADA}, [EXCEPT + BEN], False), (set(), [TEAM], False), ({TEAM}, [], False),
        ({TEAM, ADA}, [TEAM, ADA, EXCEPT + ADA], False),
    ],
)  # fmt: skip
def test_a_row_is_seen_where_the_sets_meet_and_nothing_that_it_excepts_is_held(
    held: set[str], scopes: list[str], expected: bool
) -> None:
    assert sees(held, scopes) == Actor("x", frozenset(held), frozenset()).sees(scopes) == expected
    assert not HOUSE.sees(scopes)


@given(HELD, CARRIED)
def test_what_one_holds_and_what_a_row_excepts_say_the_same_from_both_sides(held: set[str], scopes: set[str]) -> None:
    assert bool(held & set(excepted(scopes))) == bool(set(exceptions(held)) & scopes)


@given(HELD, CARRIED, CARRIED)
def test_who_sees_by_narrower_scopes_sees_by_the_wider_ones(held: set[str], some: set[str], others: set[str]) -> None:
    if is_narrower(some, others) and sees(held, some):
        assert sees(held, others)


def test_scopes_with_more_exceptions_are_narrower_and_not_the_other_way_round() -> None:
    assert is_narrower({TEAM, EXCEPT + ADA}, {TEAM}) and not is_narrower({TEAM}, {TEAM, EXCEPT + ADA})
    assert is_narrower({TEAM}, {TEAM, PUBLIC}) and not is_narrower({TEAM, PUBLIC}, {TEAM})


def of_team(row: Any) -> list[str]:
    return [scope("organization", row.organization_id, "interviewers")] if row.organization_id else []


def whom(row: Any) -> list[str]:
    return [scope("person", row.person_id)] if row.person_id else []


@pytest.mark.parametrize(
    ("organization", "person", "expected"),
    [("1", "ada", [TEAM, EXCEPT + ADA]), ("1", None, [TEAM]), (None, "ada", []), (None, None, [])],
)
def test_all_but_somebody_of_nobody_is_nobody(
    organization: str | None, person: str | None, expected: list[str]
) -> None:
    row = SimpleNamespace(organization_id=organization, person_id=person)
    assert list(AllBut(whom, of_team)(row)) == expected


def test_persons_are_those_named_and_those_excepted() -> None:
    assert persons_in([PUBLIC, TEAM, ADA, EXCEPT + BEN, EXCEPT + "candidate:1"]) == {ADA, BEN}


def excepting() -> Resource[Any]:
    """Gadgets that may be kept from somebody."""
    return Resource(gadgets.table, gadgets.shapes, AllBut(whom, of_team))


def test_only_of_a_noun_that_makes_exceptions_the_database_is_asked_for_them() -> None:
    assert not gadgets.makes_exceptions and visible(gadgets, ANONYMOUS).sql == "scopes && ?"
    asked = in_sight(excepting(), [TEAM, ADA])
    assert numbered(asked.sql) == "scopes && $1 AND NOT scopes && $2"
    assert asked.values == ([TEAM, ADA], [EXCEPT + ADA])


def test_a_table_that_is_joined_is_asked_by_its_own_name() -> None:
    assert in_sight(makers, [ADA], "maker").sql == '"maker".scopes && ?'
    assert in_sight(excepting(), [ADA], "made").sql == '"made".scopes && ? AND NOT "made".scopes && ?'


def test_nobody_but_the_one_test_asks_the_database_who_sees_a_row() -> None:
    asking = {path.name for path in files() if re.search(r"(scopes|\{column\}) && ", path.read_text(encoding="utf-8"))}
    assert asking == {"select.py"}


def test_nobody_but_all_but_makes_exceptions() -> None:
    """So that what a read asks for follows from the declaration alone."""
    naming = {
        path.name
        for path in files()
        if not path.is_relative_to(ROOT / "migrations") and re.search(r"except:|\bEXCEPT \+", path.read_text("utf-8"))
    }
    assert naming == {"scopes.py"}
