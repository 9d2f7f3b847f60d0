"""The page of a take-out: in every language whole, with the columns that say something, and nothing that runs."""

from datetime import UTC, datetime
from typing import Any

import pytest

from guildhouse.accounts.leaving.takeout import Takeout
from guildhouse.accounts.leaving.takeout_page import WORDS, Leaf, page_of, shown, table_of
from guildhouse.accounts.person import Person, people
from guildhouse.config import load
from guildhouse.kernel.i18n import LANGUAGES, catalogue

MINA = Person.of({"id": "1", "name": "Mina <b>"})
ROW = Takeout.of({"language": "zh-TW", "created_at": datetime(2026, 11, 21, tzinfo=UTC)})


def leaf(count: int, rows: int, **values: Any) -> Leaf:
    filled = {"id": "1", "name": "Mina", "role": "member", "status": "active", "language": "en", "skills": [], **values}
    return Leaf(people, rows, [dict(filled) for _ in range(count)])


def test_every_language_has_every_word() -> None:
    for language in LANGUAGES[1:]:
        assert catalogue(language)["take-out"].keys() == WORDS.keys()


def test_the_page_begins_in_the_language_that_was_asked_for() -> None:
    page = page_of(MINA, [leaf(1, 1)], [], ROW, load())
    assert page.startswith('<!doctype html>\n<html lang="zh-TW">')
    assert page.index("您的一切資料") < page.index("Everything of yours")
    assert page.count("<section id=") == len(LANGUAGES)


def test_nothing_in_it_is_taken_for_a_tag() -> None:
    page = page_of(MINA, [leaf(2, 2, headline="<img src=x>")], [{"path": "files/<i>"}], ROW, load())
    for tag in ("<img", "<b>", "<i>", "<script"):
        assert tag not in page
    assert "&lt;img src=x&gt;" in page


def test_one_row_is_told_whole_and_of_many_the_fields_that_say_most() -> None:
    wide = {"headline": "h", "about": "a", "phone": "p", "city": "c", "country": "TW", "website": "w"}
    assert len(table_of(leaf(1, 1, **wide), WORDS, "en")["headings"]) > 6
    many = table_of(leaf(3, 70, **wide), WORDS, "en")
    assert (len(many["headings"]), many["more"]) == (6, "The first 3 of 70; the rest is in the file.")
    assert "skills" not in [each.lower() for each in many["headings"]]
    assert table_of(leaf(2, 2), WORDS, "en")["more"] == ""


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, ""), (True, "yes"), (False, "no"), (7, "7"), (["a", "b"], "a, b"), ({"a": 1, "b": None}, "a: 1, b: "),
        ("2026-11-21T13:49:33Z", "2026-11-21 13:49 UTC"), ("on 2026-11-21T13:49:33Z", "on 2026-11-21T13:49:33Z"),
    ],
)  # fmt: skip
def test_values_are_told_for_the_eye(value: Any, text: str) -> None:
    assert shown(value, WORDS) == text
