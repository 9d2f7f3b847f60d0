"""A row that was read is a plain value: its columns, to be read and no more."""

import pytest

from guildhouse.jobs.job import Job
from guildhouse.kernel.row import plain

VALUES = {"id": "7", "title": "Clerk", "skills": ["filing"]}


def test_what_a_row_was_given_is_read_as_it_is() -> None:
    row = Job.of(VALUES)
    assert (row.id, row.title, row.skills) == ("7", "Clerk", ["filing"])
    assert row.skills is VALUES["skills"]


def test_a_column_that_was_not_given_is_no_value() -> None:
    with pytest.raises(AttributeError, match="'Job' object has no attribute 'city'"):
        _ = Job.of(VALUES).city


def test_nobody_assigns_to_a_row() -> None:
    row = Job.of(VALUES)
    with pytest.raises(AttributeError, match="title"):
        row.title = "Nurse"
    with pytest.raises(AttributeError, match="city"):
        row.city = "Taipei"
    assert row.values() == VALUES


def test_its_values_are_a_copy() -> None:
    row = Job.of(VALUES)
    row.values()["title"] = "Nurse"
    assert row.title == "Clerk"


def test_rows_of_a_table_are_of_one_class_that_has_its_name() -> None:
    assert type(Job.of(VALUES)) is type(Job.of({})) is plain(Job)
    assert plain(Job).__name__ == "Job"
