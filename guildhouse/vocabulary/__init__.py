"""The vocabulary: skills and titles, what they are called in English and Chinese, and which occupation a title means.

Owns the facts taken from O*NET and the supplement to them, how skills are found in a text, an occupation by its title, and
other phrases for the same. Does not own what is done with them: jobs and people keep what was found in their own rows.
"""

from guildhouse.vocabulary.extraction import skills_in
from guildhouse.vocabulary.occupations import Occupation, occupation_of
from guildhouse.vocabulary.skills import skill_named
from guildhouse.vocabulary.synonyms import synonyms

__all__ = ["Occupation", "occupation_of", "skill_named", "skills_in", "synonyms"]
