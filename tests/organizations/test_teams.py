"""The parts of an organization: who is in which, and that none reaches into another organization."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.actor import Actor
from guildhouse.organizations.membership import Membership
from guildhouse.organizations.teams import (
    PARTS,
    in_organization,
    interviewers,
    members,
    owners,
    recruiters,
    scopes_of_role,
)

ROLE = st.sampled_from(sorted(PARTS))


def test_a_role_has_all_that_the_role_below_has_and_one_part_more() -> None:
    found = [scopes_of_role("x", role) for role in PARTS]
    assert all(low < high and len(high - low) == 1 for low, high in pairwise(found))
    assert found[0] == {members("x")}
    assert found[-1] == {members("x"), interviewers("x"), recruiters("x"), owners("x")}


@given(ROLE, ROLE)
def test_no_role_in_one_organization_gives_a_part_of_another(here: str, there: str) -> None:
    assert scopes_of_role("here", here).isdisjoint(scopes_of_role("there", there))


@pytest.mark.parametrize("part", ["members", "interviewers", "recruiters", "owners"])
@pytest.mark.parametrize("role", list(PARTS))
def test_who_is_among_a_part_is_told_by_their_role(role: str, part: str) -> None:
    actor = Actor("ada", frozenset(scopes_of_role("x", role)), frozenset())
    is_among = list(PARTS).index(role) >= list(PARTS.values()).index(part)
    assert in_organization(part)(actor, Membership.of({"organization_id": "x"})) == is_among
    assert not in_organization(part)(actor, Membership.of({"organization_id": "y"}))


@pytest.mark.parametrize("part", ["members", "owners"])
def test_of_no_organization_nobody_is_a_part(part: str) -> None:
    actor = Actor("ada", frozenset({*scopes_of_role("x", "owner"), "public", "members"}), frozenset())
    assert not in_organization(part)(actor, Membership.of({"organization_id": None}))
