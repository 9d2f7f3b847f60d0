"""Which column fills which field: by its name in the languages of people's files, by a part of it, or by what is in it."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.app import HOUSE
from guildhouse.kernel.exporting.words import field_of
from guildhouse.kernel.i18n import LANGUAGES
from guildhouse.kernel.importing.importable import fields_of, is_importable
from guildhouse.kernel.importing.suggesting import fingerprint_of, known_names, suggest

JOBS, CANDIDATES = HOUSE.resources["jobs"], HOUSE.resources["candidates"]


def columns(*names: str, **values: list[Any]) -> list[dict[str, Any]]:
    """Columns by their names, and what is in them."""
    told = {name.replace("_", " "): said for name, said in values.items()}
    return [{"column": n, "name": name, "values": told.get(name, [])} for n, name in enumerate([*names, *told])]


def suggested(resource: Any, *names: str, **values: list[Any]) -> dict[str, str]:
    """The fields that are suggested, by the names of the columns."""
    found = columns(*names, **values)
    return {found[each["column"]]["name"]: each["field"] for each in suggest(resource, found)}


@pytest.mark.parametrize(("name", "field"), [
    ("Job Title", "title"), ("JOB_TITLE", "title"), ("職缺名稱", "title"), ("職位名稱", "title"),
    ("公司", "organization_name"),
    ("Deadline (YYYY/MM/DD)", "closes_on"), ("截止日期（民國）", "closes_on"), ("職稱 Position", "title"),
    ("Company 公司名稱", "organization_name"),
    ("薪資待遇", "pay"), ("Salary*", "pay"), ("location.city", "city"), ("工作地點/縣市", "city"),
    ("Closing date\n(dd/mm)", "closes_on"),
    ("lat", "latitude"), ("Lng", "longitude"), ("經度", "longitude"),
    ("Wage [TWD]", "pay"), ("company.name", "organization_name"), ("E-mail", ""), ("title page", ""), ("2026", ""),
    ("", ""),
])  # fmt: skip
def test_a_name_is_known_whole_or_by_its_part(name: str, field: str) -> None:
    assert suggested(JOBS, name) == ({name: field} if field else {})


def test_a_whole_name_goes_before_a_part_and_each_field_is_filled_once() -> None:
    assert suggested(CANDIDATES, "公司電話 Phone", "手機", "Email (work)", "Email") == {
        "手機": "phone",
        "Email": "email",
    }
    assert suggested(CANDIDATES, "公司電話 Phone", "Email (work)") == {
        "公司電話 Phone": "phone",
        "Email (work)": "email",
    }
    assert suggested(CANDIDATES, "email", "email") == {"email": "email"}


def test_the_name_of_a_thing_inside_is_not_the_name_of_the_row() -> None:
    assert "name" not in suggested(CANDIDATES, "company.name", "school.title").values()
    assert suggested(CANDIDATES, "name", "employer.name") == {"name": "name", "employer.name": "company"}


@pytest.mark.parametrize(("values", "field"), [
    (["ada@example.org", "ben@example.org"], "email"), (["+886 912 345 678", "+1 (555) 010-0199"], "phone"),
    (["0912345678", "0922-111-222"], "phone"), (["(02)2345-6789", "02-23456789"], "phone"),
    (["807523600", "798309900"], None), (["2026-11-22", "2026/1/5"], None), (["22/11/2026", "05.01.2027"], None),
    (["115/11/22", "115-01-05"], None), (["1234567890123"], None), (["0.123456789"], None), ([], None),
    (["ada@example.org", "n/a", "?"], None),
])  # fmt: skip
def test_a_column_is_told_by_its_values_where_they_can_be_nothing_else(values: list[str], field: str | None) -> None:
    assert suggested(CANDIDATES, strange_name=values) == ({"strange name": field} if field else {})


@pytest.mark.parametrize(("values", "order"), [
    (["31/12/2026", "05/01/2027"], "dmy"), (["12/31/2026", "01/05/2027"], "mdy"), (["05/01/2027", "06/01/2027"], None),
    (["31/12/2026", "12/31/2026"], None), (["2026-12-31"], None),
])  # fmt: skip
def test_the_order_of_days_is_answered_by_the_others_of_the_column_or_stays_open(
    values: list[str], order: str | None
) -> None:
    [found] = suggest(JOBS, columns(deadline=values))
    assert found.get("order") == order


@pytest.mark.parametrize(("values", "decimal"), [
    (["25,033", "121,5"], ","), (["1,234", "1,234.5"], "."), (["25,033", "25,034"], None), (["25.0"], None),
])  # fmt: skip
def test_the_mark_before_decimals_is_answered_by_the_others_of_the_column(
    values: list[str], decimal: str | None
) -> None:
    assert suggest(JOBS, columns(latitude=values))[0].get("decimal") == decimal


def test_the_mark_between_the_parts_of_a_list_is_seen() -> None:
    assert [suggest(JOBS, columns(skills=[text]))[0].get("separator") for text in ("a；b",
    "a、b", "a|b", "a, b", "a")] == [
        "；", "、", "|", None, None,
    ]  # fmt: skip


def test_files_with_the_same_header_are_known_again_whatever_its_case_and_punctuation() -> None:
    assert fingerprint_of(["Job title", "Town"]) == fingerprint_of(["JOB-TITLE", "town "])
    assert fingerprint_of(["Job title", "Town"]) != fingerprint_of(["Town", "Job title"])
    assert fingerprint_of(["ab", "c"]) != fingerprint_of(["a", "bc"])


@pytest.mark.parametrize("resource", [each for each in HOUSE.resources.values() if each.shapes.create])
def test_every_declared_header_leads_to_its_field_and_every_field_to_itself(resource: Any) -> None:
    names, fields = known_names(resource), fields_of(resource)
    assert set(names.values()) == set(fields)
    assert set(resource.carry.headers) <= set(fields)
    assert suggested(resource, *fields) == {name: name for name in fields}


@pytest.mark.parametrize("resource", [each for each in HOUSE.resources.values() if is_importable(each)])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_workbook_of_ours_is_read_by_its_own_headings_in_every_language(resource: Any, language: str) -> None:
    names = [name for name in fields_of(resource) if name in resource.readable]
    own = {field_of(resource.name, name, language): name for name in names}
    assert len(own) == len(names), "two fields have one heading"
    assert suggested(resource, *own) == own


@given(st.lists(st.text(max_size=20), max_size=8), st.lists(st.text(max_size=12) | st.integers(), max_size=5))
def test_no_header_breaks_the_suggestion_and_no_column_or_field_comes_twice(
    names: list[str], values: list[Any]
) -> None:
    found = suggest(JOBS, [{"column": n, "name": name, "values": values} for n, name in enumerate(names)])
    assert len({each["field"] for each in found}) == len(found) == len({each["column"] for each in found})
    assert all(each["field"] in fields_of(JOBS) for each in found)


def test_of_two_columns_for_one_field_it_is_the_one_that_can_be_read() -> None:
    organizations = HOUSE.resources["organizations"]
    codes = {"country": ["Chile", "Kosova"], "alpha_two_code": ["CL", "XK"]}
    found = [{"column": n, "name": name, "values": values} for n, (name, values) in enumerate(codes.items())]
    assert [(each["column"], each["field"]) for each in suggest(organizations, found)] == [(1, "country")]
    found[0]["values"] = ["Chile", "Kosovo"]
    assert [(each["column"], each["field"]) for each in suggest(organizations, found)] == [(0, "country")]


@pytest.mark.parametrize("names", [("First Name", "Last Name"), ("family name", "Given name"), ("姓", "名")])
def test_a_name_in_two_columns_fills_the_one_field_the_given_name_first(names: tuple[str, str]) -> None:
    people, found = HOUSE.resources["people"], columns(*names, "E-mail")
    plan = suggest(people, found)
    assert [each["field"] for each in plan] == ["name", "name", "email"]
    assert found[plan[0]["column"]]["name"] in ("First Name", "Given name", "名")
    assert suggested(people, names[0], "E-mail") == {"E-mail": "email"}
    assert suggested(people, "Name", *names) == {"Name": "name"}
    for other in (CANDIDATES, JOBS, HOUSE.resources["organizations"]):
        assert "name" not in suggested(other, *names).values()


def test_of_two_columns_for_a_choice_it_is_the_one_that_has_its_words() -> None:
    """As Handshake's lists of jobs have them."""
    found = suggested(
        JOBS, **{"Job Title": ["Clerk"], "Employer Name": ["Acme"], "Job Type": ["Job", "On Campus Student Employment"],
                 "Employment Type": ["Full Time", "Part Time"], "Job ID": ["4711"],
                 "Apply Start Date": ["2031-01-01"], "Expiration Date": ["2031-02-01 23:59:59 -0500"]},
    )  # fmt: skip
    assert found == {
        "Job Title": "title", "Employer Name": "organization_name", "Employment Type": "employment_type",
        "Job ID": "external_id", "Apply Start Date": "opens_on", "Expiration Date": "closes_on",
    }  # fmt: skip
