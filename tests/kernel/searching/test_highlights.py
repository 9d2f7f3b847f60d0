"""Where the words stand in a text."""

import re

import pytest

from guildhouse.kernel.searching.highlights import SNIPPET, Marked, highlight, marked
from guildhouse.kernel.searching.search_query import parse_query
from guildhouse.kernel.searching.tokens import stem
from guildhouse.vocabulary import shipped


def found(text: object, query: str) -> list[str]:
    told = highlight(text, marked(parse_query(query, ("title",))))
    return [told["text"][low:high] for low, high in told["marks"]] if told else []


def test_every_form_of_a_word_is_marked() -> None:
    assert found("Nurse, nurses and nursing", "nurse") == ["Nurse", "nurses", "nursing"]


def test_words_that_say_nothing_are_not_marked() -> None:
    assert found("Department of the energy", "department of energy") == ["Department", "energy"]
    assert found("of", "of") == ["of"]


def test_what_may_be_meant_by_a_word_that_is_mistyped_is_marked() -> None:
    marks = marked(parse_query("acountant nurse", ()), mistyped=["acountant"])
    told = highlight("Accountants, not mountains; a nurse", marks)
    assert told and [told["text"][low:high] for low, high in told["marks"]] == ["Accountants", "nurse"]


def test_an_excluded_word_is_not_marked() -> None:
    assert found("night nurse", "nurse -night") == ["nurse"]


def test_words_that_begin_so_are_marked() -> None:
    assert found("Manager of management", "manag*") == ["Manager", "management"]


def test_chinese_is_marked_in_either_script() -> None:
    assert found("\u8b77\u7406\u5e2b", "\u62a4\u7406\u5e08") == ["\u8b77\u7406\u5e2b"]


def test_a_list_is_marked_as_one_text() -> None:
    assert found(["Python", "SQL"], "sql") == ["SQL"]


def test_nothing_is_told_of_a_text_without_the_words() -> None:
    assert highlight("Carpenter", marked(parse_query("nurse", ()))) is None
    assert highlight(None, marked(parse_query("nurse", ()))) is None


def test_of_a_long_text_the_part_around_the_first_word_is_shown() -> None:
    text = "lorem " * 200 + "nurse " + "ipsum " * 200
    told = highlight(text, marked(parse_query("nurse", ())))
    assert told
    assert len(told["text"]) <= SNIPPET
    assert text[told["starts_at"] :].startswith(told["text"])
    assert told["cut"]
    assert [told["text"][low:high] for low, high in told["marks"]] == ["nurse"]


def test_places_that_overlap_are_one() -> None:
    marks = marked(parse_query("\u5de5\u7a0b\u5e2b \u5de5\u7a0b", ()))
    told = highlight("\u5de5\u7a0b\u5e2b", marks)
    assert told
    assert told["marks"] == [[0, 3]]


def test_other_words_for_it_are_marked_too() -> None:
    known = {"registered nurse": ("rn", "\u8b77\u7406\u5e2b")}
    marks = marked(parse_query("registered nurse", ()), lambda phrase: known.get(phrase, ()))
    for text, wanted in (("RN at night", "RN"), ("\u62a4\u7406\u5e08", "\u62a4\u7406\u5e08")):
        told = highlight(text, marks)
        assert told
        assert [told["text"][low:high] for low, high in told["marks"]] == [wanted]


TEXTS = [
    ("Dying to cry? Cries, cried and skies of every party.", "die cry sky parties"),
    ("C++ and C# at Node.js; the Registered-Nurse, nursing registered nurses", '"registered nurse" c++ c#'),
    ("Un-registered R&D re-nursed (nurse)", "nurse register"),
]


@pytest.mark.parametrize(("text", "query"), TEXTS)
def test_a_text_is_marked_the_same_whether_or_not_one_of_its_signs_has_an_accent(text: str, query: str) -> None:
    marks = found(text, query)
    assert marks
    assert found(f"{text} \u00e9", query) == marks


def test_every_word_begins_like_its_stem() -> None:
    words = set(re.findall(r"[a-z0-9]+[+#]*", str(shipped.tables()["occupations"]).lower()))
    assert len(words) > 1_000
    for word in words:
        pattern = Marked(frozenset([stem(word)]), (), (), ()).word
        assert pattern.findall(word) == [word]


def test_a_phrase_is_marked_where_it_stands_and_its_words_alone_are_not() -> None:
    assert found("A nurse. The registered nurse.", '"registered nurse"') == ["registered nurse"]
    assert found("A nurse. The registered nurse.", 'registered "nurse"') == ["nurse", "registered", "nurse"]


def test_no_phrase_runs_over_from_one_item_or_paragraph_to_the_next() -> None:
    assert found(["machine learning", "data"], '"learning data"') == []
    assert found(["machine learning", "learning data"], '"learning data"') == ["learning data"]
    assert found("machine learning\n\ndata, learning data", '"learning data"') == ["learning data"]


def test_places_in_later_items_and_paragraphs_are_those_of_the_whole_text() -> None:
    assert found(["Python", "數據庫", "Go", "SQL"], "sql 数据库") == ["數據庫", "SQL"]
    assert found("- 護理\n- 資料庫 SQL\n\nSQL", "sql 資料庫") == ["資料庫", "SQL", "SQL"]
