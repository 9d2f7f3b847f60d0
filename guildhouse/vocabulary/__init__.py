"""The vocabulary: skills and titles, what they are called in English and Chinese, and which occupation a title means.

Owns the facts taken from O*NET and the supplement to them, how skills are found in a text, an occupation by its title,
other phrases for the same, and the reader by which rows say what is found in their words. Does not own these rows.
"""

from guildhouse.kernel.manifest import Manifest
from guildhouse.vocabulary.extraction import automata, skills_in
from guildhouse.vocabulary.occupations import Occupation, occupation_of
from guildhouse.vocabulary.phrases import load, synonyms
from guildhouse.vocabulary.rereading import Words, keeper, skills_of, vocabulary_at_hand
from guildhouse.vocabulary.skills import skill_named

__all__ = [
    "Occupation", "Words", "keeper", "manifest", "occupation_of", "skill_named", "skills_in", "skills_of", "synonyms",
    "vocabulary_at_hand",
]  # fmt: skip

manifest = Manifest("vocabulary", synonyms=(synonyms,), at_hand=(load, automata))
