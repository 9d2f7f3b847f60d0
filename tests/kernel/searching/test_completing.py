"""Completion, asked of an index in memory."""

import random
from itertools import count
from typing import Any
from uuid import UUID

import pytest

from guildhouse.kernel.scopes import PUBLIC
from guildhouse.kernel.searching import completing
from guildhouse.kernel.searching.completing import complete
from guildhouse.kernel.searching.index_schema import SAMPLES
from guildhouse.kernel.searching.search_document import samples_of
from tests.kernel.searching.test_in_sight import SCHEMA, indexed


def titled(titles: dict[str, int], scopes: list[str]) -> list[dict[str, Any]]:
    """So many rows of each title; which of them are in a sample is the same in every run."""
    ids = (str(UUID(int=random.Random(f"{scopes} {n}").getrandbits(128))) for n in count())
    columns = dict.fromkeys([*SCHEMA.noun.text, *SCHEMA.noun.values])
    return [
        {**columns, "id": next(ids), "scopes": scopes, "title": title} for title, n in titles.items() for _ in range(n)
    ]


@pytest.mark.parametrize("enough", [4_000, 100, 60])
def test_frequent_titles_are_suggested_with_their_counts_however_few_rows_are_looked_at(
    enough: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(completing, "ENOUGH", enough)
    public = titled({"Registrar": 150, **{f"Registered nurse {n}": 1 for n in range(20)}}, [PUBLIC])
    index = indexed([*public, *titled({"Registrar": 30, "Register of deeds": 90}, ["team:1"])])
    for scopes, many in (({PUBLIC}, 150), ({PUBLIC, "team:1"}, 180)):
        found = complete(index, scopes, "reg", 5)
        assert ("Registrar", many) in [(each["text"], each["count"]) for each in found]
        assert ("Register of deeds" in [each["text"] for each in found]) == ("team:1" in scopes)
        assert all(each["count"] > 0 for each in found)


def test_who_sees_few_of_many_is_suggested_titles_of_all_that_they_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completing, "ENOUGH", 64)
    mine = titled({f"Registrar of {n}": 1 for n in range(3)}, ["team:1"])
    index = indexed([*titled({"Registered nurse": 600}, ["team:2"]), *mine])
    asked = [complete(index, scopes, "reg", 5) for scopes in ({PUBLIC, "team:1"}, {"team:2"}, {PUBLIC})]
    assert [sorted((each["text"], each["count"]) for each in found) for found in asked] == [
        [(f"Registrar of {n}", 1) for n in range(3)],
        [("Registered nurse", 600)],
        [],
    ]


def test_of_several_words_the_last_one_may_go_on() -> None:
    index = indexed(titled({"Night nurse": 3, "Night watch": 2, "Day nurse": 1}, [PUBLIC]))
    assert [each["text"] for each in complete(index, {PUBLIC}, "night nu", 5)] == ["Night nurse"]
    assert [each["text"] for each in complete(index, {PUBLIC}, "ni", 5)] == ["Night nurse", "Night watch"]
    assert complete(index, {PUBLIC}, "day w", 5) == []


def test_each_sample_is_a_part_of_the_one_before() -> None:
    assert list(samples_of(0)) == [str(n) for n in range(1, SAMPLES + 1)]
    assert (list(samples_of(1)), list(samples_of(8)), list(samples_of(4**3))) == ([], ["1"], ["1", "2", "3"])
