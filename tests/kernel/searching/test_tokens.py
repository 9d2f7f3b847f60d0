"""How text becomes what is looked up."""

import random
import unicodedata

import pytest
from tantivy import TextAnalyzerBuilder, Tokenizer

from guildhouse.kernel.searching.tokens import (
    apart,
    folded_script,
    inside,
    parts,
    plain,
    signs,
    simplified,
    spaced,
    stem,
    stems,
    stems_of,
    variants,
    whole,
)

PATTERN = TextAnalyzerBuilder(Tokenizer.regex(r"[\p{L}\p{N}\p{M}_]+[+#]*")).build()


def known_signs() -> list[str]:
    """Every sign that has a meaning, surrogates left out."""
    return [sign for sign in map(chr, range(1, 0x30000)) if unicodedata.category(sign) not in ("Cn", "Cs")]


def test_every_sign_parts_words_or_does_not_as_the_pattern_of_a_word_says() -> None:
    text = " 0 ".join(f"a{sign}b {sign}+ c#{sign}" for sign in known_signs())
    assert apart(text).split() == PATTERN.analyze(text)


def test_signs_in_any_order_are_cut_as_the_pattern_of_a_word_says() -> None:
    chance = random.Random(7)
    for _ in range(3000):
        text = "".join(chance.choices("ab1+#_ -./|\n\t\u00e9\u0301\u4e2d\uff0c", k=chance.randrange(14)))
        assert apart(text).split() == PATTERN.analyze(text), repr(text)


def test_plus_and_hash_stay_where_they_end_a_word() -> None:
    assert apart("C++, C#; +1 a+b ## .NET").split() == ["C++", "C#", "1", "a+", "b", "NET"]


def test_a_letter_that_is_not_known_yet_is_no_separator() -> None:
    assert apart("a\u0378b") == "a\u0378b"


def test_english_is_stemmed_and_accents_are_left_out() -> None:
    assert stems("Caf\u00e9 managers running") == ["cafe", "manag", "run"]


def test_whole_words_are_not_stemmed() -> None:
    assert whole("Running C++") == ["running", "c++"]


def test_wide_letters_are_plain_ones() -> None:
    assert plain("\uff30\uff59\uff54\uff48\uff4f\uff4e") == "Python"


def test_chinese_words_stand_alone_with_the_words_inside_them() -> None:
    words = spaced("\u6211\u5011\u5fb5\u8edf\u9ad4\u5de5\u7a0b\u5e2b").split()
    assert {"\u8f6f\u4ef6", "\u5de5\u7a0b", "\u5de5\u7a0b\u5e08"} <= set(words)


def test_a_text_without_chinese_is_left_as_it_is() -> None:
    assert spaced("Plain text") == "Plain text"
    assert signs("Plain text") == []


def test_signs_stand_one_by_one_and_runs_apart() -> None:
    assert signs("\u53f0\u5317 A \u9ad8\u96c4") == ["\u53f0 \u5317", "\u9ad8 \u96c4"]


def test_a_word_alone_is_stemmed_as_in_a_text() -> None:
    assert stem("nurses") == "nurs"


def test_each_sign_keeps_its_place_when_it_is_simplified() -> None:
    text = "\u8cc7\u6df1\u5de5\u7a0b\u5e2b Python"
    assert len(simplified(text)) == len(text)


def test_variants_are_of_both_scripts() -> None:
    assert {"\u8b77\u7406", "\u62a4\u7406"} <= set(variants("\u62a4\u7406"))


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("One line\nwrapped.", ["One line\nwrapped."]),
        ("One.\n\n  Two.\n \n\nThree.", ["One.", "Two.", "Three."]),
        ("We ask for:\n- Python\n  * SQL\n\u2022 Go", ["We ask for:", "- Python", "  * SQL", "\u2022 Go"]),
        ("1. Cook\n2) Serve\n-5 degrees\n2026 too", ["1. Cook", "2) Serve\n-5 degrees\n2026 too"]),
        ("", [""]),
    ],
)
def test_a_text_begins_anew_with_each_paragraph_and_each_item(text: str, found: list[str]) -> None:
    assert [part for _, part in parts(text)] == found
    assert all(text[start:].startswith(part) for start, part in parts(text))


def test_a_text_of_nothing_but_empty_lines_is_parted_at_once() -> None:
    assert len(list(parts("\n \t" * 100_000))) == 2


def test_chinese_is_folded_to_the_script_and_the_words_that_are_looked_up() -> None:
    assert folded_script("軟體 and 護士") == folded_script("软件 and 护士") == "软件 and 护士"
    assert folded_script("nurse") == "nurse" and folded_script("Zürich") == "Zürich"


@pytest.mark.parametrize(
    ("word", "shorter"), [("台北护理", ["台北", "护理"]), ("护理", []), ("工程师", []), ("", []), ("nurse", [])]
)
def test_a_long_chinese_word_is_made_of_shorter_ones(word: str, shorter: list[str]) -> None:
    assert list(inside(word)) == shorter


def test_a_phrase_that_comes_again_is_cut_once() -> None:
    assert stems_of("Registered nurses") == tuple(stems("Registered nurses")) == ("regist", "nurs")
    assert stems_of("Registered nurses") is stems_of("Registered nurses")
