"""The tables of moves of a job and of an organization, as a whole: who opens, who stops, and what only staff decides."""

from contextlib import suppress
from itertools import permutations
from types import SimpleNamespace

import pytest

from guildhouse.accounts.roles import ROLES, permissions_of
from guildhouse.jobs.job import STAGES as OF_JOB
from guildhouse.kernel.actor import Actor
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.stages import MoveNotAllowed, MoveNotYours, Stages
from guildhouse.organizations.organization import STAGES as OF_ORGANIZATION
from guildhouse.organizations.teams import PARTS, scopes_of_role

ACME = "acme"
POSTED = {"organization_id": ACME, "person_id": None}
TRACKED = {"organization_id": None, "person_id": "ada"}
PLACE = {"id": ACME}


def person(name: str = "ada", place: str | None = None, role: str = "member") -> Actor:
    """Somebody: with a place in the organization or none, and a role of the site."""
    places = scopes_of_role(ACME, place) if place else set()
    return Actor(name, frozenset({scope("person", name), *places}), permissions_of(role))


def moves(stages: Stages, actor: Actor, row: dict[str, str | None]) -> set[tuple[str, str]]:
    """Every move that somebody may make."""
    found = set()
    for was, now in permutations(stages.names(), 2):
        before, after = (SimpleNamespace(**row, **{stages.column: each}) for each in (was, now))
        with suppress(MoveNotAllowed, MoveNotYours):
            stages.check(actor, before, after)
            found.add((was, now))
    return found


EVERY_MOVE = {(was, now) for was, onward in OF_JOB.moves.items() for now in onward}


@pytest.mark.parametrize("place", list(PARTS))
def test_who_recruits_makes_every_move_of_a_job_and_who_does_not_none(place: str) -> None:
    allowed = EVERY_MOVE if place in ("recruiter", "owner") else set()
    assert moves(OF_JOB, person(place=place), POSTED) == allowed


def test_a_tracked_job_is_moved_by_its_person_alone() -> None:
    assert moves(OF_JOB, person("ada"), TRACKED) == EVERY_MOVE
    assert moves(OF_JOB, person("ben", "owner"), TRACKED) == set()


@pytest.mark.parametrize("role", ROLES)
def test_the_sites_staff_stops_a_job_and_never_opens_one(role: str) -> None:
    found = moves(OF_JOB, person("otto", role=role), POSTED)
    stops = {("open", "paused"), ("open", "closed"), ("paused", "closed")}
    assert found == (stops if role in ("moderator", "admin") else set())
    assert not any(now == "open" for _, now in found)


def test_no_job_becomes_a_draft_again_and_every_other_state_can_be_left() -> None:
    assert not any(now == "draft" for _, now in EVERY_MOVE)
    assert {was for was, _ in EVERY_MOVE} == set(OF_JOB.names())


@pytest.mark.parametrize("role", ROLES)
def test_only_staff_approves_rejects_and_suspends_an_organization(role: str) -> None:
    decisions = {
        ("pending", "approved"), ("pending", "rejected"), ("approved", "suspended"), ("suspended", "approved"),
    }  # fmt: skip
    found = moves(OF_ORGANIZATION, person("otto", role=role), PLACE)
    assert found == (decisions if role in ("moderator", "admin") else set())


@pytest.mark.parametrize("place", list(PARTS))
def test_an_owner_asks_again_after_a_rejection_and_decides_nothing_else(place: str) -> None:
    found = moves(OF_ORGANIZATION, person(place=place), PLACE)
    assert found == ({("rejected", "pending")} if place == "owner" else set())
