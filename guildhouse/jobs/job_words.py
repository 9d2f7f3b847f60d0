"""A job's words: which skills they speak of, and which occupation its title names."""

from collections.abc import Mapping
from typing import Any

from guildhouse.vocabulary import Words, occupation_of, skills_of


def found_in(job: Any) -> Mapping[str, Any]:
    """What a job's own words say of it."""
    occupation = occupation_of(job.title)
    return {
        "found_skills": skills_of(job.skills, job.title, job.description),
        "occupation": occupation.code if occupation else None,
    }


WORDS = Words(read=("title", "description", "skills"), found=("found_skills", "occupation"), find=found_in)
