"""Spelling: what may have been meant, out of the words that one sees."""

from guildhouse.kernel.scopes import PUBLIC
from guildhouse.kernel.searching.spelling import did_you_mean, meant_by_letters, with_letters_doubled
from tests.kernel.searching.test_completing import titled
from tests.kernel.searching.test_in_sight import indexed


def test_letters_are_doubled_or_left_out_but_the_first() -> None:
    assert with_letters_doubled("abc") == ["abbc", "abcc"]
    assert with_letters_doubled("abbc") == ["abbbc", "abbcc", "abc"]
    assert with_letters_doubled("") == with_letters_doubled("a") == []


def test_a_word_that_somebody_wrote_so_is_no_error() -> None:
    index = indexed(titled({"Programmer": 2, "Program aide": 1, "Planner": 1}, [PUBLIC]))
    assert meant_by_letters(index, "programer") == ["programmer"]
    assert meant_by_letters(index, "Plannner") == ["planner"]
    assert (
        meant_by_letters(index, "program")
        == meant_by_letters(index, "baker")
        == meant_by_letters(index, "護理師")
        == []
    )


def test_what_was_meant_is_told_to_those_who_see_it() -> None:
    index = indexed([*titled({"Program aide": 1}, [PUBLIC]), *titled({"Programmer": 1}, ["team:1"])])
    assert did_you_mean(index, {PUBLIC}, "a programer", ["programer"]) is None
    assert did_you_mean(index, {PUBLIC, "team:1"}, "a programer", ["programer"]) == "a programmer"
