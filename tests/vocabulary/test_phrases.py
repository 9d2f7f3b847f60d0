"""Synonyms: a search finds what is called otherwise, and nothing that is merely similar."""

import time

import pytest

from guildhouse.vocabulary import synonyms


@pytest.mark.parametrize(
    ("phrase", "other"),
    [
        ("rn", "registered nurse"), ("registered nurse", "rn"), ("registered nurses", "rn"), ("護理師", "registered nurse"),
        ("registered nurse", "護理師"), ("护士", "護理師"), ("front end developer", "frontend developer"),
        ("front end developer", "web developer"), ("frontend developer", "front end developer"), ("js", "javascript"),
        ("javascript", "js"), ("k8s", "kubernetes"), ("postgres", "postgresql"), ("golang", "go"),
        ("aws", "amazon web services"),
        ("機器學習", "machine learning"), ("machine learning", "機器學習"), ("數據分析", "data analysis"),
        ("software developer", "software engineer"), ("軟體工程師", "software engineer"),
        ("mri tech", "magnetic resonance imaging technologist"),
    ],
)  # fmt: skip
def test_a_phrase_has_others_for_the_same(phrase: str, other: str) -> None:
    assert other in synonyms(phrase)


@pytest.mark.parametrize("phrase", ["the", "", " ", "manager", "zzzz", "of the", "工", "a b c d", "++", "🙂"])
def test_a_phrase_that_means_nothing_certain_has_none(phrase: str) -> None:
    assert synonyms(phrase) == ()


def test_there_are_few_and_none_is_the_phrase_itself() -> None:
    for phrase in ("registered nurse", "software engineer", "javascript", "amazon web services", "accountant", "會計"):
        found = synonyms(phrase)
        assert 0 < len(found) <= 8 and phrase not in found and len(set(found)) == len(found)
        assert all(each == each.lower() and "  " not in each for each in found)


def test_titles_that_several_occupations_share_lead_to_none_of_them() -> None:
    assert synonyms("teacher") == ()
    assert "statistician" not in synonyms("data analyst")


def test_a_phrase_costs_a_query_next_to_nothing() -> None:
    synonyms("warm")
    start = time.perf_counter()
    for _ in range(200):
        synonyms("front end developer")
    assert (time.perf_counter() - start) / 200 < 0.001
