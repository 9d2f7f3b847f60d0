"""Languages: which one is chosen, and that nothing is left untranslated."""

from string import Formatter

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import PydanticCustomError

from guildhouse import app
from guildhouse.kernel.errors import Problem, subclasses
from guildhouse.kernel.i18n import ENGLISH, LANGUAGES, catalogue, choose_language, translated
from guildhouse.kernel.shapes import must_be_id, must_be_text, must_be_web_address

HOUSE = app.HOUSE  # importing it loads every problem there is
# Tests have problems of their own, which are not the product's.
OURS = {kind for kind in subclasses() if kind.__module__.startswith("guildhouse.")}
KINDS = sorted(OURS, key=lambda kind: kind.code())
OTHERS = [language for language in LANGUAGES if language != ENGLISH]


@pytest.mark.parametrize(
    ("accepted", "language"),
    [
        ("zh-TW", "zh-TW"),
        ("zh-Hant-HK;q=0.9, en;q=0.8", "zh-TW"),
        ("zh", "zh-TW"),
        ("en-GB,en;q=0.9,zh-TW;q=0.8", "en"),
        ("zh-TW;q=0.5, en;q=0.9", "en"),
        ("fr, zh-TW;q=0.3", "zh-TW"),
        ("zh-CN", "en"),
        ("zh-TW;q=0", "en"),
        ("de", "en"),
    ],
)
def test_the_best_of_our_languages_is_chosen(accepted: str, language: str) -> None:
    assert choose_language(accepted) == language


def test_without_a_header_the_person_s_choice_counts() -> None:
    assert choose_language(None, "zh-TW") == "zh-TW"
    assert choose_language(None, "xx") == choose_language(None) == choose_language("") == "en"


@given(st.text() | st.from_regex(r"[a-z,;=.q0-9-]{0,60}", fullmatch=True))
def test_any_header_gives_one_of_our_languages(accepted: str) -> None:
    assert choose_language(accepted) in LANGUAGES


def places(text: str) -> list[str]:
    """The names of the places in a message."""
    return sorted({name for _, name, _, _ in Formatter().parse(text) if name is not None})


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.code())
def test_every_problem_is_translated_with_the_same_places(kind: type[Problem], language: str) -> None:
    text = translated("problems", kind.code(), language)
    assert text and translated("titles", kind.code(), language)
    assert places(text) == places(kind.message())


@pytest.mark.parametrize("language", OTHERS)
def test_no_translation_is_of_a_problem_that_is_gone(language: str) -> None:
    codes = {kind.code() for kind in KINDS}
    assert {*catalogue(language)["problems"], *catalogue(language)["titles"]} <= codes


@pytest.mark.parametrize("language", OTHERS)
@pytest.mark.parametrize("check", [must_be_id, must_be_text, must_be_web_address])
def test_our_own_faults_are_translated(check: object, language: str) -> None:
    assert callable(check)
    with pytest.raises(PydanticCustomError) as caught:
        check("neither" if check is not must_be_text else 7)
    assert translated("faults", caught.value.type.replace("_", "-"), language)


def test_english_needs_no_catalogue() -> None:
    assert catalogue(ENGLISH) == {} and translated("problems", "not-found", ENGLISH) is None
