"""Eyes: who sees an application, and what of it.

Whoever applies to an organization may be on its hiring team, or come to be on it. What the team says about somebody is for
all of the team but for them: rows and fields except the person, or the candidate that they turned out to be.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from guildhouse.kernel.scopes import AllBut, ScopesOf, scope
from guildhouse.organizations.teams import interviewers, recruiters

if TYPE_CHECKING:
    from guildhouse.applications.application import Application

APPLICANTS_EYES = ("private_note", "excitement", "next_step", "next_step_on")
TEAMS_EYES = ("rating", "team_note")


def themselves(row: Any) -> Sequence[str]:
    """Whom an application, or a note on it, is about, by what they hold."""
    return applicants_eyes(row) or the_candidate(row)


def the_candidate(row: Any) -> Sequence[str]:
    """What the account holds that a candidate has made (`claiming.py: grant`)."""
    return [scope("candidate", row.candidate_id)] if row.candidate_id else []


def applicants_eyes(row: Any) -> Sequence[str]:
    """The scope of the applicant; a candidate has none."""
    return [scope("person", row.applicant_id)] if row.applicant_id else []


def of_the_team(row: "Application") -> Iterable[str]:
    """The scope of the hiring team; a tracked job has none."""
    return [interviewers(row.organization_id)] if row.organization_id else []


def of_both(row: "Application") -> Iterable[str]:
    """The applicant, and once it was submitted, the hiring team of the organization."""
    mine = applicants_eyes(row)
    if row.organization_id is None or (row.submitted_at is None and row.candidate_id is None):
        return mine
    return [*mine, recruiters(row.organization_id), interviewers(row.organization_id)]


# The applicant sees their application; what was begun for a candidate, the candidate does not.
seen_by = AllBut(the_candidate, of_both)
AUDIENCE: Mapping[str, ScopesOf] = {
    **dict.fromkeys(APPLICANTS_EYES, applicants_eyes),
    **dict.fromkeys(TEAMS_EYES, AllBut(themselves, of_the_team)),
}
