"""The table of moves between stages, as a whole: what nobody may ever do, and what there is always a way back from."""

import pytest

from guildhouse.applications.application import Application
from guildhouse.applications.progress import ACTIVE, DECIDED, IN_HAND, STAGES
from guildhouse.kernel.actor import Actor
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.stages import MoveNotAllowed, MoveNotYours
from guildhouse.organizations.teams import scopes_of_role

ORGANIZATION, EVE = "organization", "eve"
NAMES = (*IN_HAND[:1], *ACTIVE, *DECIDED)
ROLES = ("viewer", "interviewer", "recruiter", "owner")


def application(stage: str, *, organization: str | None = ORGANIZATION, candidate: str | None = None) -> Application:
    applicant = None if candidate else EVE
    values = {"organization_id": organization, "applicant_id": applicant, "candidate_id": candidate, "stage": stage}
    return Application.of(values)


def person(name: str, role: str | None = None) -> Actor:
    """Somebody, with a place in the organization or none."""
    places = scopes_of_role(ORGANIZATION, role) if role else set()
    return Actor(name, frozenset({scope("person", name), *places}), frozenset({"*.write"}))


def moves(actor: Actor, row: Application, to: str) -> bool:
    """Whether somebody may move an application there."""
    try:
        STAGES.check(actor, row, Application.of({**row.values(), "stage": to}))
    except (MoveNotAllowed, MoveNotYours):
        return False
    return True


def ways(actor: Actor, stage: str, **values: str | None) -> set[str]:
    """Where somebody may move an application from a stage."""
    return {to for to in NAMES if to != stage and moves(actor, application(stage, **values), to)}


def test_the_table_knows_every_stage_that_there_is() -> None:
    assert set(STAGES.names()) == set(NAMES) and len(NAMES) == 8


@pytest.mark.parametrize("role", [None, "viewer", "interviewer"])
def test_strangers_and_those_who_do_not_recruit_move_nothing(role: str | None) -> None:
    for stage in NAMES:
        assert ways(person("cleo", role), stage) == set()
        assert ways(person("cleo", role), stage, candidate="mary") == set()


@pytest.mark.parametrize("role", ROLES)
def test_who_applies_to_their_own_organization_moves_what_any_applicant_moves(role: str) -> None:
    for stage in NAMES:
        assert ways(person(EVE, role), stage) == ways(person(EVE), stage)


def test_the_applicant_hands_in_and_withdraws_and_nothing_else() -> None:
    eve = person(EVE)
    assert ways(eve, "draft") == {"submitted", "withdrawn"}
    assert ways(eve, "withdrawn") == {"submitted"}
    assert all(ways(eve, stage) == {"withdrawn"} for stage in ACTIVE)
    assert all(ways(eve, stage) == set() for stage in ("hired", "rejected"))


@pytest.mark.parametrize("role", ["recruiter", "owner"])
def test_the_team_touches_nothing_that_is_in_the_applicants_hand(role: str) -> None:
    for stage in IN_HAND:
        assert ways(person("rita", role), stage) == set()
    for stage in NAMES:
        assert not ways(person("rita", role), stage) & {*IN_HAND}


def test_the_team_hires_only_whom_it_has_made_an_offer() -> None:
    assert [stage for stage in NAMES if "hired" in ways(person("rita", "recruiter"), stage)] == ["offered"]


def test_a_move_of_the_team_can_be_taken_back_by_the_team() -> None:
    rita = person("rita", "recruiter")
    for stage in (*ACTIVE, "rejected", "hired"):
        for to in ways(rita, stage):
            assert stage in ways(rita, to), (stage, to)


def test_of_a_tracked_job_its_person_moves_every_stage_and_nobody_else_does() -> None:
    for stage in NAMES:
        assert ways(person(EVE), stage, organization=None) == set(STAGES.moves[stage])
        assert ways(person("rita", "owner"), stage, organization=None) == set()


def test_for_a_candidate_the_team_withdraws_and_hands_in_again() -> None:
    rita = person("rita", "recruiter")
    assert all("withdrawn" in ways(rita, stage, candidate="mary") for stage in ACTIVE)
    assert ways(rita, "withdrawn", candidate="mary") == {"submitted"}


def test_from_every_stage_of_a_tracked_job_every_other_can_be_reached() -> None:
    eve = person(EVE)
    for start in NAMES:
        reached, waiting = {start}, [start]
        while waiting:
            onward = ways(eve, waiting.pop(), organization=None) - reached
            reached |= onward
            waiting += onward
        assert reached == set(NAMES), start
