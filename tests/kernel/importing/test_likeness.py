"""Whether two rows say the same: by marks that forgive how a thing is written, never against numbers of one origin."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.app import HOUSE
from guildhouse.kernel.importing.likeness import keyed_apart, mark_of, marks_of, number_of, says_same, tells

JOBS, CANDIDATES, REMINDERS = (HOUSE.resources[name] for name in ("jobs", "candidates", "reminders"))
JOB_GROUP = JOBS.carry.alike[0]


@pytest.mark.parametrize(("name", "one", "other"), [
    ("phone", "0912-345-678", "+886 912 345 678"), ("phone", "(02) 2345-6789", "886223456789"),
    ("profile_url", "https://www.linkedin.com/in/ada/", "http://LinkedIn.com/in/ada?utm=x"),
    ("profile_url", "https://x.org/a#top", " https://x.org/a "), ("email", "ADA@Example.org", "ada@example.org"),
    ("name", "Engine  PROGRAMMER", "engine-programmer"), ("name", "工程師（資深）", "工程師 資深"),
    ("name", "ＡＢＣ", "abc"),
])  # fmt: skip
def test_two_ways_to_write_the_same_have_one_mark(name: str, one: str, other: str) -> None:
    assert mark_of(CANDIDATES, name, one) == mark_of(CANDIDATES, name, other) != ""


@pytest.mark.parametrize(("name", "one", "other"), [
    ("phone", "0912345678", "0912345679"),
    ("profile_url", "https://linkedin.com/in/ada", "https://linkedin.com/in/ben"),
    ("name", "Clerk I", "Clerk II"), ("email", "ada@example.org", "ada@example.com"),
])  # fmt: skip
def test_what_differs_has_another_mark(name: str, one: str, other: str) -> None:
    assert mark_of(CANDIDATES, name, one) != mark_of(CANDIDATES, name, other)


@pytest.mark.parametrize("number", ["12345", "ext. 7", "", "--"])
def test_an_extension_tells_nobody(number: str) -> None:
    assert not tells(CANDIDATES, "phone", {"phone": number})
    assert list(marks_of(CANDIDATES, {"phone": number})) == []


def test_a_row_that_is_silent_does_not_differ() -> None:
    here = {"title": "Clerk", "organization_id": None, "organization_name": "Acme", "city": "Cork"}
    assert says_same(JOBS, JOB_GROUP, {"title": "clerk"}, here)
    assert says_same(JOBS, JOB_GROUP, {"title": "clerk", "city": "CORK", "organization_name": None}, here)
    assert not says_same(JOBS, JOB_GROUP, {"title": "clerk", "city": "Galway"}, here)


ORIGINS: list[tuple[dict[str, Any], dict[str, Any], bool]] = [
    ({"external_id": "1"}, {"external_id": "2"}, True), ({"external_id": "1"}, {"external_id": "1"}, False),
    ({"external_id": "1"}, {"external_id": "2", "source": ""}, True), ({"external_id": 1}, {"external_id": "1"}, False),
    ({"external_id": "1", "source": "a"}, {"external_id": "2", "source": "b"}, False),
    ({"external_id": "1", "organization_id": "x"}, {"external_id": "2", "organization_id": "x"}, True),
    ({"external_id": "1"}, {}, False), ({}, {"external_id": "1"}, False), ({}, {}, False), ({"external_id": ""},
    {"external_id": "2"}, False),
]  # fmt: skip


@pytest.mark.parametrize(("one", "other", "apart"), ORIGINS)
def test_two_numbers_of_one_origin_are_two_rows(one: dict[str, Any], other: dict[str, Any], apart: bool) -> None:
    assert keyed_apart(JOBS, one, other) is keyed_apart(JOBS, other, one) is apart


def test_a_key_that_is_a_name_is_no_number() -> None:
    assert number_of(HOUSE.resources["people"], {"email": "ada@example.org"}) is None
    assert number_of(REMINDERS, {"text": "Call"}) is None


data = st.fixed_dictionaries({}, optional={
    "title": st.sampled_from(["Clerk", "clerk ", "Cook", ""]), "city": st.sampled_from(["Cork",
    "CORK", "Galway", None]),
    "organization_name": st.sampled_from(["Acme", "ACME", None]),
})  # fmt: skip


@given(data, data)
def test_rows_of_a_file_share_a_mark_only_if_they_say_the_same(one: dict[str, Any], other: dict[str, Any]) -> None:
    ours, theirs = (set(map(repr, marks_of(JOBS, each))) for each in (one, other))
    if ours & theirs:
        assert says_same(JOBS, JOB_GROUP, one, {**dict.fromkeys(JOB_GROUP), **other})
    assert bool(ours) == tells(JOBS, "title", one)
