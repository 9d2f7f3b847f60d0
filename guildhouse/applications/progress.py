"""Progress: the stages that an application goes through, and who moves it from one to the other."""

from collections.abc import Mapping

from guildhouse.kernel.may import Predicate, is_person
from guildhouse.kernel.stages import Stages
from guildhouse.organizations.teams import in_organization

IN_HAND = ("draft", "withdrawn")
ACTIVE = ("submitted", "screening", "interviewing", "offered")
DECIDED = ("hired", "rejected", "withdrawn")

is_applicant = is_person("applicant_id")
of_candidate: Predicate = Predicate("it is a candidate's", lambda _actor, row: row.candidate_id is not None)
# Who applies to their own organization decides nothing about it.
hires = in_organization("recruiters") & ~is_applicant
reviews = in_organization("interviewers") & ~is_applicant
tracked: Predicate = Predicate("the job is only tracked", lambda _actor, row: row.organization_id is None)
tracks = is_applicant & tracked
decides = hires | tracks
# Who says what the applicant says: of a candidate, who has no account here, the team.
speaks = is_applicant | (hires & of_candidate)


def moves_from(stage: str) -> Mapping[str, Predicate]:
    """Where an application goes from a stage that is under way, and who may move it there; also back, after a slip."""
    onward = {each: decides for each in (*ACTIVE, "rejected") if each != stage}
    hired = decides if stage == "offered" else tracks
    return {**onward, "hired": hired, "withdrawn": speaks, "draft": tracks}


STAGES = Stages(
    "stage",
    initial=("draft", *ACTIVE, *DECIDED),
    moves={
        "draft": {**dict.fromkeys((*ACTIVE, *DECIDED), tracks), "submitted": is_applicant, "withdrawn": is_applicant},
        **{stage: moves_from(stage) for stage in ACTIVE},
        "hired": {**dict.fromkeys(("draft", *ACTIVE, "withdrawn"), tracks), "offered": decides},
        "rejected": {"draft": tracks, **dict.fromkeys(ACTIVE, decides)},
        "withdrawn": {**dict.fromkeys(("draft", *ACTIVE), tracks), "submitted": speaks},
    },
)
