"""Shapes: nothing is guessed, nothing is ignored, and what comes in is kept in one form."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError, create_model

from guildhouse.kernel.ids import as_id, new_id
from guildhouse.kernel.shapes import Country, Currency, Day, Id, Line, Moment, Money, Prose, Shape, Tag, Url
from tests.kernel.gadget import Create, Update


def of(kind: Any) -> type[BaseModel]:
    """A body with one field of a kind."""
    return create_model("Body", __base__=Shape, value=(kind, ...))


def read(kind: Any, value: Any) -> Any:
    """What a field of a kind makes of a value."""
    return of(kind).model_validate({"value": value}).model_dump()["value"]


ID = "019a9f3c-7c00-7000-8000-00000000000a"


@pytest.mark.parametrize(
    ("kind", "value", "kept"),
    [
        (Id, ID.upper(), ID),
        (Line, "  Egg timer ", "Egg timer"),
        (Tag, " brass", "brass"),
        (Prose, "", ""),
        (Url, " https://example.org/a?b=c ", "https://example.org/a?b=c"),
        (Moment, "2026-11-20T16:00:00+08:00", datetime(2026, 11, 20, 8, tzinfo=UTC)),
        (Day, "2026-11-20", date(2026, 11, 20)),
        (Money, 9.999, 10.0),
        (Money, 7, 7.0),
        (Currency, "TWD", "TWD"),
        (Country, "TW", "TW"),
    ],
)
def test_a_right_value_is_kept_in_one_form(kind: Any, value: Any, kept: Any) -> None:
    assert read(kind, value) == kept


@pytest.mark.parametrize(
    ("kind", "value", "code"),
    [
        (Id, "7", "id"),
        (Id, 7, "string_type"),
        (Line, "   ", "string_too_short"),
        (Line, "x" * 201, "string_too_long"),
        (Line, None, "string_type"),
        (Line, 7, "string_type"),
        (Url, "ftp://example.org", "web_address"),
        (Url, "javascript:alert(1)", "web_address"),
        (Url, "https://", "web_address"),
        (Url, "https://ada:secret@example.org", "web_address"),
        (Url, "example.org", "web_address"),
        (Url, "https://[", "value_error"),
        (Moment, "2026-11-20T08:00:00", "timezone_aware"),
        (Moment, 1_763_625_600, "iso_8601"),
        (Day, 20_000, "iso_8601"),
        (Day, "2026-02-30", "date_from_datetime_parsing"),
        (Money, -1, "greater_than_equal"),
        (Money, "7", "float_type"),
        (Money, float("inf"), "finite_number"),
        (Currency, "twd", "string_pattern_mismatch"),
        (Currency, "TWD\n", "string_pattern_mismatch"),
        (Country, "TWN", "string_pattern_mismatch"),
    ],
)
def test_a_wrong_value_is_refused_by_name(kind: Any, value: Any, code: str) -> None:
    with pytest.raises(ValidationError) as caught:
        read(kind, value)
    assert caught.value.errors()[0]["type"] == code


@pytest.mark.parametrize(("kind", "value"), [(int, "1"), (int, 1.0), (int, True), (bool, 1), (str, 1), (bool, "true")])
def test_no_type_is_taken_for_another(kind: Any, value: Any) -> None:
    with pytest.raises(ValidationError):
        read(kind, value)


def test_an_unknown_field_is_refused_and_a_body_cannot_be_changed() -> None:
    with pytest.raises(ValidationError) as caught:
        Update.model_validate({"titel": "Egg timer"})
    assert caught.value.errors()[0]["type"] == "extra_forbidden"
    with pytest.raises(ValidationError):
        Update(title="Egg timer").title = "Lamp"  # type: ignore[misc]


def test_a_patch_knows_what_it_says_from_what_it_leaves_out() -> None:
    assert Update.model_validate({"weight": None}).model_dump(exclude_unset=True) == {"weight": None}
    assert Update.model_validate({}).model_dump(exclude_unset=True) == {}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(st.dictionaries(st.sampled_from([*Create.model_fields, "other"]), JSON))
def test_any_json_is_a_body_or_a_list_of_faults(value: dict[str, Any]) -> None:
    try:
        body = Create.model_validate(value)
    except ValidationError as error:
        assert error.errors()
        return
    assert body.maker_id == as_id(body.maker_id)


@given(st.uuids())
def test_ids_are_canonical(uuid: Any) -> None:
    assert as_id(str(uuid).upper()) == str(uuid)


@given(st.text())
def test_any_text_is_an_id_in_canonical_form_or_none(text: str) -> None:
    found = as_id(text)
    assert found is None or as_id(found) == found


def test_new_ids_are_version_7_and_sort_by_time() -> None:
    made = [new_id() for _ in range(1000)]
    assert len(set(made)) == 1000 and all(each[14] == "7" and each[19] in "89ab" for each in made)
    assert [each[:13] for each in made] == sorted(each[:13] for each in made)
