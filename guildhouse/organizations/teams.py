"""The parts of an organization that its people belong to by their role, as scopes and as predicates.

An owner is also a recruiter, a recruiter also an interviewer, and everybody is a member.
"""

from guildhouse.kernel.may import Predicate
from guildhouse.kernel.scopes import scope

# From least to most: each role belongs to its own part and to those before it.
PARTS = {"viewer": "members", "interviewer": "interviewers", "recruiter": "recruiters", "owner": "owners"}


def part_of(organization_id: str | None, part: str) -> str:
    """The scope of one part of an organization: `part_of(id, "interviewers")`."""
    return scope("organization", str(organization_id), part)


def members(organization_id: str | None) -> str:
    """The scope of everybody in an organization."""
    return part_of(organization_id, "members")


def interviewers(organization_id: str | None) -> str:
    """The scope of an organization's hiring team: its interviewers, recruiters and owners."""
    return part_of(organization_id, "interviewers")


def recruiters(organization_id: str | None) -> str:
    """The scope of those who hire for an organization: its recruiters and owners."""
    return part_of(organization_id, "recruiters")


def owners(organization_id: str | None) -> str:
    """The scope of an organization's owners."""
    return part_of(organization_id, "owners")


def scopes_of_role(organization_id: str, role: str) -> set[str]:
    """Every scope that a role in an organization gives."""
    roles = list(PARTS)
    return {part_of(organization_id, PARTS[each]) for each in roles[: roles.index(role) + 1]}


def in_organization(part: str, column: str = "organization_id") -> Predicate:
    """The actor belongs to this part of the organization that the row's column names; of none, nobody does."""
    return Predicate(
        f"is among the organization's {part}",
        lambda actor, row: part_of(getattr(row, column), part) in actor.scopes,
    )
