"""Rereading: when the words of a row are read, and when they are left alone."""

from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any

import pytest

from guildhouse.vocabulary.extraction import automata
from guildhouse.vocabulary.occupations import register
from guildhouse.vocabulary.rereading import MOST, Words, skills_of, vocabulary_at_hand

pytestmark = pytest.mark.anyio


class Reading:
    """Counts how often the words of a row are read."""

    def __init__(self) -> None:
        self.times = 0
        self.words = Words(read=("title", "text"), found=("found",), find=self.find)

    def find(self, row: Any) -> Mapping[str, Any]:
        self.times += 1
        return {"found": skills_of([], row.title, row.text)}


def row(title: str | None = None, text: str | None = None, found: list[str] | None = None, **more: Any) -> Any:
    return SimpleNamespace(title=title, text=text, found=found, **more)


async def test_a_new_row_is_read() -> None:
    reading = Reading()
    assert await reading.words.derived(None, row("SQL", "Python")) == {"found": ["SQL", "Python"]}
    assert reading.times == 1


async def test_a_row_whose_words_stay_is_not_read_again() -> None:
    reading = Reading()
    before, after = row("SQL", found=["as", "found"], city="Tainan"), row("SQL", found=["forged"], city="Taipei")
    assert await reading.words.derived(before, after) == {"found": ["as", "found"]}
    assert reading.times == 0


async def test_a_row_whose_words_change_or_that_nobody_has_read_is_read() -> None:
    reading = Reading()
    assert await reading.words.derived(row("SQL", found=["SQL"]), row("Java")) == {"found": ["Java"]}
    assert await reading.words.derived(row("SQL"), row("SQL")) == {"found": ["SQL"]}
    assert await reading.words.derived(row("SQL", found=[]), row(None)) == {"found": []}
    assert reading.times == 3


def test_what_is_missing_is_what_differs() -> None:
    words = Reading().words
    assert words.missing(row("SQL", found=["SQL"])) == {}
    assert words.missing(row("SQL", found=None)) == {"found": ["SQL"]}
    assert words.missing(row("SQL", found=["Java"])) == {"found": ["SQL"]}


@pytest.mark.parametrize(
    ("named", "texts", "skills"),
    [
        (["go", "R", "excel"], (), ["Go", "R", "Microsoft Excel"]),
        (["Python (3 years)", "juggling"], (), ["Python"]),
        (["sql"], ("SQL, Java",), ["SQL", "Java"]),
        (None, (None, "", "Java"), ["Java"]),
        ([], (), []),
        (["", " ", "++"], (), []),
        (["juggling"], ("Go",), []),
    ],
)
def test_skills_are_those_that_are_named_then_those_that_are_mentioned(
    named: list[str] | None, texts: tuple[str | None, ...], skills: list[str]
) -> None:
    assert skills_of(named, *texts) == skills


def test_a_row_has_a_hundred_skills_at_most() -> None:
    every = list(dict.fromkeys(each.skill for kind in automata() for _, _, _, same in kind.values() for each in same))
    assert len(skills_of(every[: 3 * MOST])) == MOST


async def test_the_vocabulary_is_loaded_once() -> None:
    await vocabulary_at_hand()
    first = automata(), register()
    await vocabulary_at_hand()
    assert (automata(), register()) == first
