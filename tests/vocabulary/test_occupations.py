"""Occupations: a title says which one is meant, or nobody guesses."""

import pytest

from guildhouse.vocabulary import occupation_of, shipped
from guildhouse.vocabulary.occupations import Tool, forms_of, names_of, register, tools_of
from guildhouse.vocabulary.titles import readings, singular, title_key

KNOWN = {
    "Web Developers": "15-1254.00",
    "web developer": "15-1254.00",
    "Senior Software Engineer": "15-1252.00",
    "Software Engineer II (Remote)": "15-1252.00",
    "Sr. Data Scientist - NLP": "15-2051.00",
    "Data Scientist at Analytical Engines": "15-2051.00",
    "Front-End Developer": "15-1254.00",
    "Registered Nurse (RN)": "29-1141.00",
    "RN": "29-1141.00",
    "Staff Nurse": "29-1141.00",
    "Barista, downtown": "35-3023.01",
    "Cooks, Restaurant": "35-2014.00",
    "Accountant / Bookkeeper": "13-2011.00",
    "Accountant (m/f/d)": "13-2011.00",
    "Project Manager": "13-1082.00",
    "ＢＡＲＩＳＴＡ": "35-3023.01",
    "護理師": "29-1141.00",
    "护士": "29-1141.00",
    "資深後端工程師（台北）": "15-1252.00",
    "【急徵】會計": "13-2011.00",
    "Senior Programmer": "15-1251.00",
    "醫師": "29-1229.00",
    "Lead Teller": "43-3071.00",
}


@pytest.mark.parametrize(("title", "code"), KNOWN.items())
def test_a_title_leads_to_its_occupation(title: str, code: str) -> None:
    found = occupation_of(title)
    assert found is not None and found.code == code


@pytest.mark.parametrize(
    "title", ["Manager", "Engine programmer", "Head of Everything", "", "(((", "()", "Senior", "II", "?", "🙂"]
)
def test_a_title_that_says_too_little_leads_nowhere(title: str) -> None:
    assert occupation_of(title) is None


def test_a_title_of_several_occupations_is_nobodys_unless_the_supplement_says_whose() -> None:
    owners: dict[str, set[str]] = {}
    for code, _, others, _ in shipped.tables()["occupations"]:
        for title in others:
            for key in forms_of(title):
                owners.setdefault(key, set()).add(code)
    shared = [key for key, codes in owners.items() if len(codes) > 1]
    decided = {title_key(each) for lists in shipped.supplement()["titles"].values() for same in lists for each in same}
    main = {title_key(each.title) for each in register().occupations.values()}
    assert len(shared) > 5000
    assert [key for key in shared if key in register().owners and key not in decided | main] == []


def test_every_main_title_is_its_own_occupations() -> None:
    known = register()
    assert len(known.occupations) == 1016
    decided = {title_key(each) for lists in shipped.supplement()["titles"].values() for same in lists for each in same}
    lost = [each.title for each in known.occupations.values() if known.owners[title_key(each.title)] != each.code]
    assert [title for title in lost if title_key(title) not in decided] == []


def test_the_supplements_titles_are_of_occupations_that_exist_and_each_of_one_only() -> None:
    said = shipped.supplement()["titles"]
    assert [code for code in said if code not in register().occupations] == []
    for code, lists in said.items():
        for each in (title for same in lists for title in same):
            assert register().owners[title_key(each)] == code, each


def test_readings_take_away_what_says_nothing_of_the_occupation() -> None:
    found = list(readings("Senior Web Developer (Remote) - Taipei"))
    assert found[0] == "senior web developer remote taipei"
    assert found[-1] == "web developer"


@pytest.mark.parametrize(
    ("word", "one"),
    [("nurses", "nurse"), ("secretaries", "secretary"), ("coaches", "coach"), ("boss", "boss"), ("bus", "bus"),
     ("gas", "gas"), ("waitresses", "waitress"), ("analysis", "analysis")],
)  # fmt: skip
def test_the_plural_is_taken_off(word: str, one: str) -> None:
    assert singular(word) == one


def test_an_occupation_tells_what_is_near_to_it_and_the_tools_of_its_people() -> None:
    found = register().occupations["15-1254.00"]
    assert found.near[0] == "15-1255.00" and set(found.near) <= set(register().occupations)
    tools = tools_of(found.code)
    assert tools[0].hot and tools[0].in_demand and Tool("JavaScript", True, True) in tools
    marks = [2 * tool.in_demand + tool.hot for tool in tools]
    assert marks == sorted(marks, reverse=True) and marks[-1] == 0
    assert names_of(found.code)[:2] == ["web developer", "網頁工程師"] and "Webmaster" in names_of(found.code)
