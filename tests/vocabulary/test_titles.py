"""Titles: what is left of them step by step, so that the first reading that is known is what they say."""

import pytest

from guildhouse.vocabulary.titles import grades, readings, title_key, without_grades, words_of


@pytest.mark.parametrize(
    ("title", "bare"),
    [
        ("Senior Web Developer", "web developer"),
        ("Web Developer III", "web developer"),
        ("Jr. Web Developer (m/f/d)", "web developer"),
        ("Web Developer [Remote]", "web developer"),
        ("Lead Web Developer - Payments", "web developer"),
        ("Web Developer \N{EN DASH} Payments", "web developer"),
        ("Web Developer, Taipei", "web developer"),
        ("Web Developer | Acme", "web developer"),
        ("Web Developer @ Acme", "web developer"),
        ("Web Developer at Acme", "web developer"),
        ("Web Developer for children", "web developer"),
        ("Web-Developers", "web developer"),
        ("Part-time Web Developer", "web developer"),
        ("資深網頁工程師", "網頁工程師"),
        ("【急徵】資深網頁工程師(台北)", "網頁工程師"),
        ("兼職網頁工程師／台北", "網頁工程師"),
        ("助理", "助理"),
    ],
)
def test_the_last_reading_is_the_bare_title(title: str, bare: str) -> None:
    assert list(readings(title))[-1] == bare


def test_readings_come_from_the_whole_to_the_bare() -> None:
    assert list(dict.fromkeys(readings("Senior Nurse (ICU), nights"))) == [
        "senior nurse icu night",
        "nurse icu night",
        "senior nurse night",
        "nurse night",
        "senior nurse",
        "nurse",
    ]


@pytest.mark.parametrize("title", ["", " ", "()", "【】", "Senior", "II III", "- -", "🙂", "\u0000"])
def test_a_title_of_nothing_has_readings_of_nothing(title: str) -> None:
    assert list(readings(title))[-1] == ""


def test_grades_are_words_of_their_own() -> None:
    words, _ = grades()
    assert without_grades(["seniority", "web", "developer"]) == ["seniority", "web", "developer"]
    assert "senior" in words and all(word == word.lower() and " " not in word for word in words)


def test_a_key_is_the_same_however_the_title_is_set() -> None:
    assert {title_key(each) for each in ("Front-End Developers", "front end  developer", "FRONT/END DEVELOPER")} == {
        "front end developer"
    }
    assert words_of("") == [] and title_key("ＣＥＯ") == "ceo"
