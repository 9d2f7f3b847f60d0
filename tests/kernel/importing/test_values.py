"""What people write in cells: read as they mean it, or asked about, never guessed."""

from datetime import date
from importlib.resources import files
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.applications.candidate import candidates
from guildhouse.jobs.job import jobs
from guildhouse.kernel.formats import cell
from guildhouse.kernel.importing.amounts import Pay, number, pay
from guildhouse.kernel.importing.days import day, moment
from guildhouse.kernel.importing.importable import Assigned, fields_of, read_row
from guildhouse.kernel.importing.values import (
    Hints,
    Unclear,
    country,
    country_mark,
    country_names,
    flag,
    parts,
    text_of,
    whole_name,
)

PLAIN = Hints()


def asked(read: Any, text: str, hints: Hints = PLAIN) -> str:
    """Why a value is not read."""
    with pytest.raises(Unclear) as unclear:
        read(text, hints)
    assert unclear.value.fault("/x").detail
    return unclear.value.code


@pytest.mark.parametrize(
    ("text", "value"),
    [("25.033", 25.033), ("1.234,56", 1234.56), ("1,234.56", 1234.56), ("1 234,5", 1234.5), ("1'234'567", 1234567),
     ("-12", -12), ("−12", -12), (".5", 0.5), ("0,123", 0.123), ("1.5M", 1.5e6), ("1.2 萬", 12000), ("６０ｋ", 60000),
     ("1.234.567", 1234567), ("3百萬", 3e6)],
)  # fmt: skip
def test_numbers_of_any_country(text: str, value: float) -> None:
    assert number(text, PLAIN) == value


def test_a_number_that_could_be_two_is_asked() -> None:
    assert asked(number, "25,033") == "ambiguous-number"
    assert number("25,033", Hints(decimal=",")) == 25.033
    assert number("25,033", Hints(decimal=".")) == 25033
    for text in ("", "abc", "1.2.3", "12,34,567", "3 million", "1-2", "٣x", "--1", "1e5"):
        assert asked(number, text) == "no-number"


@pytest.mark.parametrize(
    ("text", "low", "high", "currency", "period"),
    [
        ("NT$60k", 60000, 60000, "TWD", None),
        ("NT$60k–80k / month", 60000, 80000, "TWD", "month"),
        ("月薪 60,000~80,000 元", 60000, 80000, None, "month"),
        ("年薪 100 萬以上", 1e6, None, None, "year"),
        ("1.2 萬", 12000, 12000, None, None),
        ("$50,000 - $70,000 per year", 50000, 70000, None, "year"),
        ("60-80k EUR", 60000, 80000, "EUR", None),
        ("40.000 €", 40000, 40000, "EUR", None),
        ("USD 25/hr", 25, 25, "USD", "hour"),
        ("up to 90k GBP", None, 90000, "GBP", None),
        ("$55,000.50", 55000.5, 55000.5, None, None),
        ("面議", None, None, None, None),
        ("negotiable", None, None, None, None),
        ("月薪３萬２千元", 32000, 32000, None, "month"),
        ("3萬2", 32000, 32000, None, None),
        ("3萬5千~4萬2千/月", 35000, 42000, None, "month"),
        ("月薪4萬至5萬元", 40000, 50000, None, "month"),
        ("月薪50,000 (保障14個月)", 50000, 50000, None, "month"),
        ("14個月 x 50,000", 50000, 50000, None, "month"),
        ("待遇面議(經常性薪資達4萬元或含以上)", 40000, None, None, None),
        ("30萬日圓", 300000, 300000, "JPY", None),
        ("$80k-$100k + bonus", 80000, 100000, None, None),
        ("$36,000+", 36000, None, None, None),
        ("60.000-70.000 € brutto/Jahr", 60000, 70000, "EUR", "year"),
        ("$25 - $30 an hour", 25, 30, None, "hour"),
        ("1 800,00 € bis 2 100,50 € / Monat", 1800, 2100.5, "EUR", "month"),
        ("NTD35000", 35000, 35000, "TWD", None),
    ],
)
def test_pay_as_people_write_it(
    text: str, low: float | None, high: float | None, currency: str | None, period: str | None
) -> None:
    assert pay(text, PLAIN) == Pay(low, high, currency, period)


def test_pay_that_says_nothing_is_wrong() -> None:
    for text in ("a lot", "1 2-3 4-5 6", "call 5 or 6 or 7", "14個月", "依學經歷"):
        assert asked(pay, text) == "no-number"


@pytest.mark.parametrize(
    "text", ["GS-12", "L5", "Band 3 or grade7", "-500", "$1,000/week for 3 weeks", "80k-60k", "5萬 10人"]
)
def test_numbers_that_are_no_amounts_are_asked_about(text: str) -> None:
    assert asked(pay, text) == "unclear-pay"


@given(st.integers(1, 99), st.integers(1, 9), st.sampled_from(["", " "]))
def test_a_number_in_two_scales_is_one(tens: int, rest: int, gap: str) -> None:
    for text in (f"{tens}萬{gap}{rest}千", f"{tens}萬{gap}{rest}", f"{tens}万{gap}{rest},000", f"{tens}.{rest}萬"):
        assert number(text, PLAIN) == tens * 10_000 + rest * 1000
    assert number(f"{tens}億{gap}{rest}萬", PLAIN) == tens * 1e8 + rest * 1e4


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.sampled_from(["-", "~", "–", " to ", "至", "～"]))
def test_a_range_of_whole_amounts_comes_back_however_it_is_written(one: int, other: int, between: str) -> None:
    low, high = sorted((one, other))
    for text in (
        f"{low}{between}{high}",
        f"NT${low:,}{between}NT${high:,} / month",
        f"EUR {low}{between}{high} per year",
    ):
        found = pay(text, PLAIN)
        assert (found.low, found.high) == (low, high)


@pytest.mark.parametrize(
    "text",
    ["2026-11-20", "2026/11/20", "2026.11.20", "20.11.2026", "20/11/2026", "11/20/2026", "2026年11月20日",
     "民國115年11月20日", "20 Nov 2026", "November 20th, 2026", "Fri, 20 Nov 2026",
     "20-nov-2026", "2026-11-20T08:00:00",
     "２０２６／１１／２０", "115/11/20", "115.11.20", "115年11月20日", "民國 115/11/20",
     "0115-11-20", "1151120", "20261120",
     "115/11/20(五)", "2026/11/20（五）", "2026年11月20日 星期五", "46346",
     "2026/11/20 下午 03:04:05", "115/11/20 14:30"],
)  # fmt: skip
def test_one_day_in_many_forms(text: str) -> None:
    assert day(text, PLAIN) == date(2026, 11, 20)


def test_a_day_that_could_be_two_is_asked() -> None:
    assert asked(day, "03/04/2026") == "ambiguous-day"
    assert day("03/04/2026", Hints(order="dmy")) == date(2026, 4, 3)
    assert day("03/04/2026", Hints(order="mdy")) == date(2026, 3, 4)
    assert day("03/03/2026", PLAIN) == date(2026, 3, 3)
    assert asked(day, "3/4/26") == "short-year"
    for text in ("3/4/26", "99/5/3", "22-Nov-26", "22.11.26"):
        assert asked(day, text) == "short-year"
    for text in ("1150230", "20261301", "115/13/1", "12345", "80000", "1795312800", "即日起"):
        assert asked(day, text) == "no-day"
    for text in ("2026-02-30", "garbage", "32.1.2026", "20 Foo 2026", "", "0000-00-00", "99999"):
        assert asked(day, text) == "no-day"


def test_times_are_meant_in_the_zone_of_the_import() -> None:
    taipei = Hints(timezone="Asia/Taipei")
    for text in ("2026/11/20 14:30", "20.11.2026 2:30 pm", "2026-11-20T14:30", "2026-11-20 14:30:00"):
        assert moment(text, taipei).isoformat() == "2026-11-20T14:30:00+08:00"
    assert moment("2026-11-20T08:00:00Z", taipei).isoformat() == "2026-11-20T08:00:00+00:00"
    assert moment("2026/11/20 8:00 +0100", taipei).isoformat() == "2026-11-20T08:00:00+01:00"
    assert asked(moment, "2026/11/20 99:00") == "no-time"
    for text in (
        "2026/11/20 下午 2:30",
        "2026/11/20 下午 02:30:00",
        "11/20/2026 2:30:00 PM",
        "115/11/20 14:30",
        "0115-11-20 14:30",
    ):
        assert moment(text, taipei).isoformat() == "2026-11-20T14:30:00+08:00"
    assert moment("2026/11/20 上午 12:05", taipei).isoformat() == "2026-11-20T00:05:00+08:00"


@given(st.dates(date(1955, 1, 1), date(2100, 12, 31)))
def test_every_day_is_the_same_in_all_calendars_and_formats(when: date) -> None:
    texts = [when.isoformat(), f"{when:%Y%m%d}", f"{when:%d.%m.%Y}", f"{when:%d %b %Y}", f"{when:%Y年%m月%d日}",
             f"民國{when.year - 1911}年{when.month}月{when.day}日", str((when - date(1899, 12, 30)).days)]  # fmt: skip
    if when.year >= 2011:
        texts += [f"{when.year - 1911}/{when.month}/{when.day}", f"{when.year - 1911}{when:%m%d}"]
    assert {day(text, PLAIN) for text in texts} == {when}
    assert day(f"{when:%m/%d/%Y}", Hints(order="mdy")) == when == day(f"{when:%d/%m/%Y}", Hints(order="dmy"))


def test_countries_by_any_name() -> None:
    assert {country(name, PLAIN) for name in ("Taiwan", "台灣", "臺灣", "TW", "tw")} == {"TW"}
    assert {country(name, PLAIN) for name in ("USA", "u.s.", "United States of America", "美國")} == {"US"}
    assert {country(name, PLAIN) for name in ("Korea, Republic of", "South Korea", "KR")} == {"KR"}
    assert {country(name, PLAIN) for name in ("Trinidad and Tobago", "trinidad & tobago")} == {"TT"}
    assert {country(name, PLAIN) for name in ("Saint Lucia", "St. Lucia", "聖露西亞")} == {"LC"}
    assert {country(name, PLAIN) for name in ("Côte d'Ivoire", "Cote d’Ivoire", "Ivory Coast")} == {"CI"}
    assert {country(name, PLAIN) for name in ("Congo", "Congo, the Democratic Republic of the")} == {"CG", "CD"}
    assert asked(country, "Atlantis") == "unknown-country"


def test_yes_and_no() -> None:
    assert [flag(text, PLAIN) for text in ("Yes", "是", "TRUE", "no", "否", "0")] == [
        True,
        True,
        True,
        False,
        False,
        False,
    ]
    assert asked(flag, "maybe") == "no-flag"


def test_parts_of_a_list_keep_their_commas() -> None:
    assert parts("Washington, DC; Paris", PLAIN) == ["Washington, DC", "Paris"]
    assert parts('"Washington, DC", Paris', PLAIN) == ["Washington, DC", "Paris"]
    assert parts("Washington, DC", Hints(separator=";")) == ["Washington, DC"]
    assert parts("a、b", PLAIN) == ["a", "b"]
    assert parts(' "say ""hi""" | b|b', PLAIN) == ['say "hi"', "b"]
    assert read_row(jobs, [assigned("tags")], {}, ['["Washington, DC", "a;b"]'])[0] == {
        "tags": ["Washington, DC", "a;b"]
    }


def test_what_keeps_a_spreadsheet_from_running_a_cell_is_no_part_of_it() -> None:
    escaped = ["=1+1", "'=1+1", "''@home", "\uff1dA1", "\ttab", "\nline", "it's", "'quoted'", ""]
    assert [text_of(cell(each)) for each in escaped] == escaped
    assert [text_of(each) for each in ('="007"', "'=1+1", "'quoted'", "=1+1")] == ["007", "=1+1", "'quoted'", "=1+1"]


def assigned(field: str, hints: Hints = PLAIN, column: int = 0) -> Assigned:
    return Assigned(column, fields_of(jobs)[field], hints)


def test_every_kind_of_cell_that_a_program_writes() -> None:
    row = [
        assigned("title"),
        assigned("external_id", column=1),
        assigned("salary_max", column=2),
        assigned("skills", column=3),
    ]
    data, faults = read_row(jobs, row, {"country": "TW"}, ["Clerk", 807523600, 60000.5, ["sql", "go"]])
    assert (faults, data) == ([], {
        "country": "TW", "title": "Clerk", "external_id": "807523600", "salary_max": 60000.5, "skills": ["sql", "go"],
    })  # fmt: skip


def test_an_empty_cell_says_nothing_and_a_nul_is_a_fault() -> None:
    assert read_row(jobs, [assigned("title"), assigned("city", column=9)], {}, ["  "]) == ({}, [])
    assert read_row(jobs, [assigned("title")], {}, ["a\0b"])[1][0].code == "holds-nul"


def test_pay_fills_what_no_column_of_its_own_says() -> None:
    row = [assigned("salary_currency", column=1), assigned("pay")]
    assert read_row(jobs, row, {}, ["$5-6/h", "USD"])[0] == {
        "salary_min": 5, "salary_max": 6, "salary_currency": "USD", "salary_period": "hour",
    }  # fmt: skip


def test_what_pay_says_goes_before_what_all_rows_have() -> None:
    """A file of monthly pay with one yearly in it: the constant is for those that say nothing."""
    common = {"salary_currency": "TWD", "salary_period": "month"}
    assert read_row(jobs, [assigned("pay")], common, ["年薪150萬"])[0] == {
        "salary_min": 1.5e6, "salary_max": 1.5e6, "salary_currency": "TWD", "salary_period": "year",
    }  # fmt: skip
    assert read_row(jobs, [assigned("pay")], common, ["36000"])[0]["salary_period"] == "month"
    for columns in (
        [assigned("salary_period", column=1), assigned("pay")],
        [assigned("pay"), assigned("salary_period", column=1)],
    ):
        assert read_row(jobs, columns, common, ["年薪150萬", "day"])[0]["salary_period"] == "day"


@pytest.mark.parametrize(("field", "cell"), [
    ("closes_on", "-"), ("closes_on", "N/A"), ("closes_on", "#N/A"), ("closes_on", "無"), ("salary_min", "—"),
    ("country", "n/a"),
    ("employment_type", "#REF!"), ("url", "-"), ("url", "無"), ("latitude", "NULL"), ("posted_at", " none "),
])  # fmt: skip
def test_a_cell_that_says_there_is_nothing_says_nothing(field: str, cell: str) -> None:
    assert read_row(jobs, [assigned(field)], {}, [cell]) == ({}, [])


def test_a_dash_in_a_text_is_a_text_and_a_word_for_no_stays_a_no() -> None:
    assert read_row(jobs, [assigned("title")], {}, ["-"])[0] == {"title": "-"}
    assert flag("無", PLAIN) is False


@pytest.mark.parametrize("field", ["closes_on", "salary_min", "title", "country", "employment_type", "url"])
def test_a_plan_says_what_a_word_means_in_any_column_and_that_it_means_nothing(field: str) -> None:
    value = {"closes_on": "2026-11-22", "salary_min": "3萬", "title": "Clerk", "country": "Taiwan",
             "employment_type": "full_time", "url": "example.org"}[field]  # fmt: skip
    told = {"closes_on": "2026-11-22", "salary_min": 30000.0, "title": "Clerk", "country": "TW",
            "employment_type": "full_time", "url": "https://example.org"}[field]  # fmt: skip
    hints = Hints(values={"即日起": value, "招滿為止": ""})
    assert read_row(jobs, [assigned(field, hints)], {}, [" 即日起 "]) == ({field: told}, [])
    assert read_row(jobs, [assigned(field, hints)], {}, ["招滿為止"]) == ({}, [])


@pytest.mark.parametrize(("cell", "address"), [
    ("linkedin.com/in/ada", "https://linkedin.com/in/ada"), ("www.example.co.uk", "https://www.example.co.uk"),
    ("http://x.org", "http://x.org"), ("HTTPS://X.org/a?b#c", "HTTPS://X.org/a?b#c"),
    ("Example.org?x=1", "https://Example.org?x=1"),
    ("see the site", "see the site"), ("3.5", "3.5"), ("a@example.org", "a@example.org"),
    ("javascript:alert(1)", "javascript:alert(1)"),
])  # fmt: skip
def test_an_address_without_its_beginning_gets_one_and_nothing_else_does(cell: str, address: str) -> None:
    assert read_row(jobs, [assigned("url")], {}, [cell])[0] == {"url": address}


@pytest.mark.parametrize("cell", ["9.12346E+08", "8.07524e+08", "1E+15", "########", " 9.1E+11 "])
@pytest.mark.parametrize(
    "resource_field", [(jobs, "external_id"), (jobs, "title"), (candidates, "phone"), (candidates, "name")]
)
def test_digits_that_a_spreadsheet_left_out_are_missed(cell: str, resource_field: tuple[Any, str]) -> None:
    """All of these would be one number, and nobody's."""
    resource, field = resource_field
    data, faults = read_row(resource, [Assigned(0, fields_of(resource)[field], PLAIN)], {}, [cell])
    assert (data, [each.code for each in faults]) == ({}, ["not-shown"])


@pytest.mark.parametrize("cell", ["E+08", "Grade 1E+", "C#", "## urgent", "A9.1E+11", "1E5"])
def test_what_only_looks_a_little_like_it_is_text(cell: str) -> None:
    assert read_row(jobs, [assigned("title")], {}, [cell]) == ({"title": cell}, [])


def test_a_telephone_number_in_wide_digits_is_the_same_number() -> None:
    phone = fields_of(candidates)["phone"]
    assert [phone.read(cell, PLAIN) for cell in ("０９１２－３４５－６７８", " 02  2345 6789 ", 912345678)] == [
        "0912-345-678", "02 2345 6789", "912345678",
    ]  # fmt: skip


def test_words_of_the_file_mean_what_the_plan_says() -> None:
    hints = Hints(values={"VZ": "full_time"})
    assert read_row(jobs, [assigned("employment_type", hints)], {}, ["VZ"])[0] == {"employment_type": "full_time"}
    assert read_row(jobs, [assigned("employment_type")], {}, ["VZ"])[1][0].code == "unknown-choice"


@given(cell=st.one_of(st.text(max_size=60), st.floats(allow_nan=False, allow_infinity=False), st.booleans(), st.none()))
def test_no_cell_breaks_a_reader(cell: Any) -> None:
    """Every field takes the cell or has a fault."""
    for field in fields_of(jobs).values():
        for hints in (PLAIN, Hints(order="dmy", decimal=",", separator="/")):
            data, faults = read_row(jobs, [Assigned(0, field, hints)], {}, [cell])
            assert len(faults) + bool(data) <= 1


def test_no_two_countries_share_a_name() -> None:
    table = orjson.loads(files("guildhouse.kernel.importing").joinpath("countries.json").read_bytes())
    marks = [(country_mark(name), code) for code, names in table.items() for name in {code, *names}]
    assert {mark for mark, code in marks if country_names()[mark] != code} == set()


def test_a_percentage_is_asked_to_be_a_number() -> None:
    assert {asked(number, each) for each in ("85%", "85 %", "-1.5％", "12‰")} == {"percent"}
    assert {asked(number, each) for each in ("%", "a%", "85%%")} == {"no-number"}


@pytest.mark.parametrize(
    ("first", "last", "whole"),
    [
        ("Mary", "Somerville", "Mary Somerville"), ("小美", "陳", "陳小美"), ("小美", None, "小美"),
        (None, "Curie", "Curie"),
        ("Mei 小美", "Chen", "Mei 小美 Chen"), (None, None, ""), (" Ada ", "", "Ada"), ("", "", ""), ("Ada", "王", "Ada 王"),
    ],
)  # fmt: skip
def test_a_name_in_two_parts_is_written_as_people_write_it(first: str | None, last: str | None, whole: str) -> None:
    assert whole_name(first, last) == whole
