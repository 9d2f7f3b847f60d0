"""Synonyms: a search finds what is called otherwise, and nothing that is merely similar."""

import time

import pytest

from guildhouse.kernel.searching.tokens import folded_script
from guildhouse.vocabulary import occupation_of, shipped, synonyms
from guildhouse.vocabulary.occupations import register


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
        ("teacher", "instructor"), ("teachers", "老師"), ("educator", "teacher"), ("老师", "teacher"), ("教師", "老師"),
        ("driver", "司機"), ("司机", "driver"), ("chauffeur", "driver"), ("trucker", "truck driver"),
        ("nurse", "registered nurse"), ("nurse", "護士"), ("护士", "nurse"), ("chef", "cook"), ("廚師", "chef"),
        ("programmer", "software developer"), ("engineer", "工程師"), ("工程师", "engineer"), ("custodian", "janitor"),
        ("cop", "police officer"), ("經理", "manager"), ("maid", "housekeeper"), ("teacher's aide", "助教"),
        ("waiter", "waitress"), ("mortician", "undertaker"), ("usher", "ticket taker"),
    ],
)  # fmt: skip
def test_a_phrase_has_others_for_the_same(phrase: str, other: str) -> None:
    assert other in synonyms(phrase)


@pytest.mark.parametrize(
    "phrase", ["the", "", " ", "supervisor of", "boss", "zzzz", "of the", "工", "a b c d", "++", "🙂"]
)
def test_a_phrase_that_means_nothing_certain_has_none(phrase: str) -> None:
    assert synonyms(phrase) == ()


def test_there_are_few_and_none_is_the_phrase_itself() -> None:
    for phrase in ("registered nurse", "software engineer", "javascript", "amazon web services", "accountant", "會計"):
        found = synonyms(phrase)
        assert 0 < len(found) <= 8 and phrase not in found and len(set(found)) == len(found)
        assert all(each == each.lower() and "  " not in each for each in found)


def test_titles_that_several_occupations_share_lead_to_none_of_them() -> None:
    assert synonyms("supervisor of") == ()
    assert "statistician" not in synonyms("data analyst")
    assert occupation_of("teacher") is None and "business teacher" not in synonyms("teacher")


def test_an_everyday_word_is_in_one_list_in_either_script() -> None:
    lists = [[each.removeprefix("-") for each in same] for same in shipped.supplement()["everyday"]["words"]]
    forms = [form for same in lists for form in {word for each in same for word in (each, folded_script(each))}]
    assert len(forms) == len(set(forms))
    for same in lists:
        for each in same:
            assert set(synonyms(folded_script(each))) & {*same} - {each} or len(same) == 1, each


def test_a_word_that_means_more_than_others_finds_them_and_is_not_found_by_them() -> None:
    assert "teacher" in synonyms("educator") and "educator" not in synonyms("teacher")
    assert "administrative assistant" in synonyms("admin") and "admin" not in synonyms("secretary")


def test_the_title_of_an_occupation_is_taken_apart_where_people_use_its_parts() -> None:
    parts = {each.title: each.parts for each in register().occupations.values()}
    assert parts["Plumbers, Pipefitters, and Steamfitters"] == ("plumber", "pipefitter", "steamfitter")
    assert parts["Janitors and Cleaners, Except Maids and Housekeeping Cleaners"] == ("janitor", "cleaner")
    assert parts["Molecular and Cellular Biologists"] == ()  # nobody is called a molecular
    assert parts["Registered Nurses"] == ()


def test_a_phrase_costs_a_query_next_to_nothing() -> None:
    synonyms("warm")
    start = time.thread_time()
    for _ in range(200):
        synonyms("front end developer")
    assert (time.thread_time() - start) / 200 < 0.001
