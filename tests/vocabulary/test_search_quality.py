"""A small judged set: who searches by another title of an occupation finds the posting with its main title.

The titles are O*NET's, as they ship. What is held is what was measured when this was written: it may rise, not fall.
"""

from zlib import crc32

import pytest

from bench.search_quality import Shelf
from guildhouse.vocabulary.occupations import register
from guildhouse.vocabulary.shipped import tables
from guildhouse.vocabulary.titles import title_key

LEAST = 0.96
QUERIES = 2_000


@pytest.fixture(scope="module")
def judged() -> list[tuple[str, int]]:
    """Alternate titles of one occupation alone, each with the number of the posting that is meant."""
    facts, owners = tables()["occupations"], register().owners
    names = [
        (each, n, code) for n, (code, _, others, _) in enumerate(facts) for each in others if isinstance(each, str)
    ]
    asked = [(title, n) for title, n, code in names if owners.get(title_key(title)) == code]
    return sorted(asked, key=lambda each: crc32(each[0].encode()))[:QUERIES]  # the same, whatever titles are added


def test_postings_are_found_by_other_titles_of_their_occupation(judged: list[tuple[str, int]]) -> None:
    shelf = Shelf((each.title, "") for each in register().occupations.values())
    ranks = [next((n + 1 for n, found in enumerate(shelf.find(title)) if found == meant), 0) for title, meant in judged]
    reciprocal = sum(1 / rank for rank in ranks if rank) / len(ranks)
    assert reciprocal >= LEAST, f"the mean reciprocal rank is {reciprocal:.4f}"
