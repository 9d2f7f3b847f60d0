"""Text in the form in which words are compared."""

import random

import pytest

from guildhouse.vocabulary.folding import folded, is_tidy, tidied

BLANKS = "\t\v\f\r \x1c\x1d\x1e\x1f"


def test_a_text_of_one_blank_at_a_time_is_tidy() -> None:
    assert is_tidy("One line\n\nAnother, of C++.")
    assert is_tidy("")


@pytest.mark.parametrize(
    "text",
    [
        "two  blanks",
        " before",
        "after ",
        "a \nb",
        "a\n b",
        "caf\u00e9",
        *(f"a{each}b" for each in BLANKS if each != " "),
    ],
)
def test_a_text_with_other_blanks_or_other_letters_is_looked_at(text: str) -> None:
    assert not is_tidy(text)


def test_every_line_has_one_blank_at_a_time_and_none_at_its_ends() -> None:
    chance = random.Random(3)
    for _ in range(3000):
        text = "".join(chance.choices(f"AB.\n {BLANKS}", k=chance.randrange(12)))
        assert tidied(text) == "\n".join(" ".join(line.split()) for line in text.split("\n")), repr(text)


def test_a_sentence_that_was_wrapped_is_one_again() -> None:
    assert tidied("knowledge of\nexcel") == "knowledge of excel"


def test_folded_text_is_as_long_as_it_was() -> None:
    assert folded("C++, .NET & SQL") == "c++   net   sql"
