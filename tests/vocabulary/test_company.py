"""Company: what makes a word of every day the name of a skill, cue by cue."""

import pytest

from guildhouse.vocabulary import shipped
from guildhouse.vocabulary.company import cues, in_company, is_introduced, lists, means_something_else, names_tools
from guildhouse.vocabulary.extraction import Mention, mentions, skills_in
from guildhouse.vocabulary.folding import tidied


def found(text: str) -> tuple[str, list[Mention]]:
    plain = tidied(text)
    return plain, mentions(plain)


def doubtful(text: str) -> tuple[str, Mention]:
    """A text with one word in it that needs company."""
    plain, every = found(text)
    (mention,) = [each for each in every if each.spelling.mark == "?"]
    return plain, mention


@pytest.mark.parametrize(
    "text",
    [
        "experience in Excel",
        "Experience with the Excel",
        "knowledge of Excel",
        "familiarity with tools like Excel",
        "proficient in Excel",
        "certified Excel",
        "advanced Excel",
        "Excel skills",
        "Excel experience is a must",
        "Excel scripting",
        "熟悉 Excel",
        "會Excel",
        "Excel操作",
        "Excel 等",
    ],
)
def test_words_that_speak_of_skills_are_company(text: str) -> None:
    assert is_introduced(*doubtful(text))


@pytest.mark.parametrize(
    "text",
    [
        "Excel",
        "We Excel",
        "They have experience. Excel",
        "Experience counts!\nExcel",
        "knowledge of people who Excel",
        "experience with people, places, animals, instruments, engines and whatever else there may be of it; Excel",
        "Excel. Skills come later",
    ],
)
def test_words_of_another_sentence_or_too_far_away_are_none(text: str) -> None:
    assert not is_introduced(*doubtful(text))


@pytest.mark.parametrize(
    ("text", "sizes"),
    [
        ("Python, SQL, Java", [3]),
        ("Python and SQL or Java", [3]),
        ("Python / SQL; Java | Docker", [4]),
        ("Python、SQL和Java", [3]),
        ("- Python\n- SQL\n* Java", [3]),
        ("Docker (Python, SQL)", [3]),
        ("Python. SQL", [1, 1]),
        ("Python is not SQL", [1, 1]),
        ("Python, and also SQL", [1, 1]),
        ("Python", [1]),
        ("", []),
    ],
)
def test_items_of_one_list_stand_together(text: str, sizes: list[int]) -> None:
    assert [len(items) for items in lists(*found(text))] == sizes


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("Python, Go", True),
        ("Word, Excel", True),
        ("Go", False),
        ("Go, Go, Go", False),
        ("Teaching, Go", False),
        ("Julia and Ada", False),
        ("Python, Julia", True),
        ("Go to, Excel at", False),
    ],
)
def test_a_list_is_one_of_tools_by_what_is_sure_or_by_two(text: str, good: bool) -> None:
    assert names_tools(*found(text)) is good


@pytest.mark.parametrize(
    ("text", "other"),
    [("Excel at", True), ("Excel", False), ("Excel, at", True), ("Go to", True), ("Go, SQL", False), ("Rust", False)],
)
def test_the_next_word_can_say_that_something_else_is_meant(text: str, other: bool) -> None:
    assert means_something_else(*doubtful(text)) is other


def test_what_is_unmistakable_needs_no_company_and_has_its_place_kept() -> None:
    text, every = found("excel in Kubernetes, as the rest of us excel in PostgreSQL")
    assert [each.spelling.skill for each in in_company(text, every)] == ["Kubernetes", "PostgreSQL"]


def test_an_ability_is_no_company_for_a_tool() -> None:
    assert skills_in("leadership, Excel") == ("Leadership",)
    assert skills_in("leadership, Excel, Word") == ("Leadership", "Microsoft Excel", "Microsoft Word")


def test_every_cue_is_a_word_as_folded_text_has_it() -> None:
    for words in (cues().before, cues().between, cues().after, *cues().unless.values()):
        assert [word for word in words if word != word.lower() or " " in word or not word.isalnum()] == []
    assert set(shipped.supplement()["company"]) == {
        "before", "between", "after", "chinese_before", "chinese_after", "people",
    }  # fmt: skip
