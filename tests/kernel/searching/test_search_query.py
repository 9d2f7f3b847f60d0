"""What is typed into a search box is never an error of syntax."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.searching.search_query import (
    MOST_SIGNS,
    Asked,
    Choice,
    NothingToSearch,
    QueryTooLong,
    parse_query,
)

COLUMNS = ("title", "description")


def terms(text: str) -> list[tuple[str, ...]]:
    return [each.words for each in parse_query(text, COLUMNS).terms]


def test_it_before_a_word_of_few_is_meant() -> None:
    for text, needed in (
        ("it support", [True, True]), ("remote it support", [True, True, True]), ("support it", [True, False]),
        ("it is", [False, False]), ("it", [False]), ("-night it clerk", [True, True, True]),
        ("does it cure patients of fever", [True, False, True, True, False, True]),
    ):  # fmt: skip
        assert [each.needed for each in parse_query(text, COLUMNS).terms] == needed, text


CHOICES = {
    ("part", "time"): (Choice("employment", "part_time", ("part time", "half days")),),
    ("half", "day"): (Choice("employment", "part_time", ("part time", "half days")),),
    ("time",): (Choice("kind", "time", ("time",)),),
}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("part time nurse", ["part time", "nurse"]), ("nurse part-time", ["nurse", "part-time"]),
        ("half days", ["half days"]), ("half  DAYS nurse", ["half days", "nurse"]), ("part", ["part"]),
        ("part of time", ["part", "of", "time"]), ('part "time"', ["part", "time"]), ("part -time", ["part", "time"]),
        ("nurse OR part time", ["nurse OR part time"]), ("part title:time", ["part", "time"]),
    ],
)  # fmt: skip
def test_words_that_are_the_name_of_a_choice_are_one_term(text: str, said: list[str]) -> None:
    assert [each.said for each in parse_query(text, COLUMNS, CHOICES).terms] == said


def test_a_choice_is_known_by_its_other_names_and_excluded_as_any_word() -> None:
    (term,) = parse_query("part-time", COLUMNS, CHOICES).terms
    assert list(term.other_names) == ["part time", "half days"] and term.words == ("part", "time") and term.needed
    (term,) = parse_query('-"half days"', COLUMNS, CHOICES).terms
    assert term.excluded and [each.value for each in term.choices] == ["part_time"]
    assert parse_query("part-time", COLUMNS).terms[0].choices == ()


def test_words_are_stemmed() -> None:
    assert terms("Registered Nurses") == [("regist",), ("nurs",)]


def test_signs_of_languages_of_programming_stay() -> None:
    assert terms("C++ C# C R Go") == [("c++",), ("c#",), ("c",), ("r",), ("go",)]


def test_what_a_dot_joins_is_a_phrase() -> None:
    assert terms("Node.js") == [("node", "js")]


def test_a_phrase_is_exact() -> None:
    (term,) = parse_query('"machine learning"', COLUMNS).terms
    assert (term.words, term.exact) == (("machin", "learn"), True)


@pytest.mark.parametrize(
    "text", ["\u300c\u6a5f\u5668\u5b78\u7fd2\u300d", "\u201cmachine learning\u201d", '"machine learning']
)
def test_other_quotes_and_one_that_is_not_closed_are_quotes_too(text: str) -> None:
    (term,) = parse_query(text, COLUMNS).terms
    assert term.exact


def test_a_minus_before_a_word_excludes_it_and_one_inside_does_not() -> None:
    first, second = parse_query("nurse -night", COLUMNS).terms
    assert (first.excluded, second.excluded) == (False, True)
    assert not parse_query("full-time", COLUMNS).terms[0].excluded


def test_a_word_may_be_looked_for_in_one_column() -> None:
    (term,) = parse_query("title:lead", COLUMNS).terms
    assert (term.column, term.words) == ("title", ("lead",))


def test_a_colon_after_what_is_no_column_is_text() -> None:
    (term,) = parse_query("12:30", COLUMNS).terms
    assert (term.column, term.words) == (None, ("12", "30"))


def test_a_star_looks_for_what_begins_so() -> None:
    (term,) = parse_query("manag*", COLUMNS).terms
    assert (term.begins, term.words) == (True, ("manag",))
    assert not parse_query("m* nurse", COLUMNS).terms[0].begins  # of one letter, nearly everything begins so


def test_one_of_several_is_enough_with_or() -> None:
    (term,) = parse_query("nurse OR doctor OR midwife", COLUMNS).terms
    assert [each.said for each in term.either] == ["nurse", "doctor", "midwife"]


def test_or_at_an_end_is_nothing() -> None:
    assert [each.said for each in parse_query("OR nurse OR", COLUMNS).terms] == ["nurse"]


def test_and_says_nothing_and_not_excludes_what_follows() -> None:
    first, second = parse_query("nurse AND night", COLUMNS).terms
    assert (first.said, second.said, second.excluded) == ("nurse", "night", False)
    first, second, third = parse_query('nurse NOT "night shift" ward NOT', COLUMNS).terms
    assert (second.said, first.excluded, second.excluded, third.excluded) == ("night shift", False, True, False)
    assert [each.said for each in parse_query("not and or", COLUMNS).terms] == ["not", "and", "or"]
    assert parse_query('"AND"', COLUMNS).terms[0].said == "AND"


def test_empty_words_count_only_in_capitals_or_alone() -> None:
    assert [each.needed for each in parse_query("the IT of it", COLUMNS).terms] == [False, True, False, False]
    alone = parse_query("the", COLUMNS)
    assert [each.said for each in alone.needed] == ["the"]


def test_chinese_is_cut_and_folded() -> None:
    traditional, simplified = (
        terms("\u6a5f\u5668\u5b78\u7fd2\u5de5\u7a0b\u5e2b"),
        terms("\u673a\u5668\u5b66\u4e60\u5de5\u7a0b\u5e08"),
    )
    assert traditional == simplified
    assert len(traditional) == 3


def test_a_word_of_taiwan_is_that_of_the_mainland() -> None:
    assert terms("\u8edf\u9ad4") == terms("\u8f6f\u4ef6")


def test_english_and_chinese_stand_side_by_side() -> None:
    assert terms("Python\u5de5\u7a0b\u5e2b") == [("python",), ("\u5de5\u7a0b\u5e08",)]


def test_a_name_of_signs_that_make_no_word_is_looked_for_as_a_whole() -> None:
    assert len(parse_query("\u738b\u5c0f\u7fe0", COLUMNS).needed) == 1


def test_signs_side_by_side_that_are_in_no_dictionary_are_a_word_unless_they_say_nothing() -> None:
    assert [each.said for each in parse_query("後端工程師", COLUMNS).needed] == ["后端", "工程师"]
    assert parse_query("高雄", COLUMNS).terms[0].words == ("高", "雄")
    assert [each.said for each in parse_query("我想找台北的工作", COLUMNS).needed] == ["台北", "工作"]


@pytest.mark.parametrize("text", ["", " ", "- -- *", "\U0001f600", '""', "...", "(((", "\u3000"])
def test_without_a_word_there_is_nothing_to_search(text: str) -> None:
    with pytest.raises(NothingToSearch):
        parse_query(text, COLUMNS)


def test_what_is_too_long_is_refused() -> None:
    with pytest.raises(QueryTooLong):
        parse_query("a" * (MOST_SIGNS + 1), COLUMNS)
    with pytest.raises(QueryTooLong):
        parse_query(" ".join(f"w{n}" for n in range(51)), COLUMNS)


@given(st.text(max_size=200))
def test_any_text_is_parsed_or_refused(text: str) -> None:
    try:
        asked = parse_query(text, COLUMNS)
    except (NothingToSearch, QueryTooLong):
        return
    assert isinstance(asked, Asked)
    assert asked.terms
    assert all(each.words for each in asked.terms)
