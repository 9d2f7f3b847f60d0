"""Roles: each holds what those below it hold, and something more."""

from itertools import pairwise

import pytest

from guildhouse.accounts.roles import ADDED, ROLES, permissions_of, scopes_of, up_to
from guildhouse.kernel.actor import Actor, covers


def test_each_role_holds_more_than_the_one_below() -> None:
    for lower, higher in pairwise(ROLES):
        assert permissions_of(lower) < permissions_of(higher)
        assert scopes_of(lower) < scopes_of(higher)
    assert set(ADDED) == set(ROLES)
    assert up_to("coach") == ("guest", "member", "coach")


@pytest.mark.parametrize(
    ("role", "may", "may_not"),
    [
        ("guest", "jobs.read", "jobs.write"),
        ("member", "jobs.write", "people.coach"),
        ("coach", "people.coach", "people.moderate"),
        ("moderator", "organizations.approve", "people.admin"),
        ("admin", "people.admin", None),
    ],
)
def test_what_a_role_may_do(role: str, may: str, may_not: str | None) -> None:
    actor = Actor("a", scopes_of(role), permissions_of(role))
    assert actor.can(may)
    assert may_not is None or not actor.can(may_not)


def test_permissions_cover_by_noun_by_action_or_altogether() -> None:
    assert covers(frozenset({"jobs.*"}), "jobs.moderate")
    assert covers(frozenset({"*.read"}), "jobs.read")
    assert covers(frozenset({"*"}), "*.write") and covers(frozenset({"*"}), "*")
    assert not covers(frozenset({"jobs.*", "*.read"}), "people.write")
    assert not covers(frozenset({"*.read", "*.write", "jobs.*"}), "*")
    assert not covers(frozenset({"jobs.read"}), "jobs.*")
    assert not covers(frozenset(), "jobs.read")


def test_a_narrowed_actor_needs_a_permission_in_both_sets() -> None:
    actor = Actor("a", frozenset(), frozenset({"*.read", "jobs.write"}), narrowed=frozenset({"jobs.*", "people.write"}))
    assert actor.can("jobs.read") and actor.can("jobs.write")
    assert not actor.can("people.read") and not actor.can("people.write")
