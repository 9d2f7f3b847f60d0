"""Identifiers: UUIDs of version 7, one way to write them."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.ids import as_id, new_id


def test_ids_are_uuids_of_version_seven_and_never_the_same() -> None:
    made = [new_id() for _ in range(2000)]
    assert len(set(made)) == 2000
    assert {(UUID(each).version, UUID(each).variant) for each in made} == {(7, "specified in RFC 4122")}
    assert all(each == str(UUID(each)) for each in made)


def test_ids_sort_by_the_millisecond_they_were_made_in(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(1_700_000_000_000_000_000, 1_700_000_001_000_000_000, 1_000_000))
    monkeypatch.setattr("guildhouse.kernel.ids.time.time_ns", lambda: next(clock))
    made = [new_id() for _ in range(500)]
    assert made == sorted(made)
    assert UUID(made[7]).int >> 80 == 1_700_000_000_007


def test_an_id_is_read_in_any_case() -> None:
    made = new_id()
    assert as_id(made.upper()) == made


@pytest.mark.parametrize(
    "text",
    ["", "x", "0" * 32, "{019a9f3c-7c00-7000-8000-000000000001}", "019a9f3c-7c00-7000-8000-00000000000g", "\0" * 36],
)
def test_what_is_none_is_none(text: str) -> None:
    assert as_id(text) is None


@given(st.text(max_size=40))
def test_whatever_is_taken_for_one_has_its_canonical_form(text: str) -> None:
    found = as_id(text)
    assert found is None or str(UUID(found)) == found
