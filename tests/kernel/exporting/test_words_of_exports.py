"""Words: every column, noun and filter has one in every language."""

from guildhouse.app import HOUSE
from guildhouse.kernel.exporting.words import OPERATORS, REPORT, field_of, filters_in_words, noun_of, said
from guildhouse.kernel.filters import COMPARISON, OTHERS
from guildhouse.kernel.i18n import LANGUAGES, catalogue


def test_every_field_and_noun_is_translated() -> None:
    for language in LANGUAGES[1:]:
        known = catalogue(language)
        fields = {name for each in HOUSE.resources.values() for name in (*each.readable, *each.find.expand)}
        assert fields - set(known["fields"]) == set()
        assert set(HOUSE.resources) - set(known["nouns"]) == set()
        assert set(OPERATORS) == set(known["operators"]) and set(REPORT) == set(known["report"])


def test_every_operator_can_be_said() -> None:
    assert {*COMPARISON, *OTHERS} - {"isnull"} <= set(OPERATORS)


def test_words_in_two_languages() -> None:
    assert (field_of("jobs", "salary_max", "en"), field_of("jobs", "salary_max", "zh-TW")) == ("Salary max", "最高薪資")
    assert (field_of("people", "name", "zh-TW"), field_of("stages", "name", "zh-TW")) == ("姓名", "名稱")
    assert (noun_of("api_keys", "en"), noun_of("jobs", "zh-TW")) == ("Api keys", "職缺")


def test_filters_are_said() -> None:
    query = [("status", "open"), ("salary_max[gte]", "5"), ("city[isnull]", "true"), ("sort", "-id"), ("trash", "only")]
    assert filters_in_words("jobs", query, "en") == (
        "Filters: what is in the trash; Status is open; Salary max is at least 5; City has no value"
    )
    assert filters_in_words("jobs", query[:3], "zh-TW") == "篩選條件：狀態是 open; 最高薪資至少 5; 沒有城市"
    assert filters_in_words("jobs", [("format", "pdf")], "en") == said("all", "en") == "no filters"


def test_braces_in_a_filter_are_only_braces() -> None:
    assert filters_in_words("jobs", [("title", "{name.__class__}")], "en") == "Filters: Title is {name.__class__}"
