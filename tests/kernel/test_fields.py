"""Fields and expansion: what is asked for, or a 400 that says what there is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.fields import Selection, UnknownExpansion, UnknownField, select_fields, split
from tests.kernel.gadget import gadgets, house, makers


def selected(fields: str | None = None, expand: str | None = None) -> Selection:
    return select_fields(house, gadgets, fields, expand)


def test_without_a_wish_every_field_of_the_read_shape_is_given() -> None:
    assert selected() == selected("") == Selection(gadgets.readable)


def test_fields_come_in_the_order_they_are_asked_for_and_once() -> None:
    assert selected("title, id,title,").fields == ("title", "id")


def test_expand_brings_the_whole_row_that_a_field_leads_to() -> None:
    assert selected(None, "maker") == Selection(gadgets.readable, {"maker": Selection(makers.readable)})


def test_a_dotted_field_expands_just_that() -> None:
    assert selected("id,maker.name") == Selection(("id",), {"maker": Selection(("name",))})
    assert selected("maker.name") == Selection((), {"maker": Selection(("name",))})


@pytest.mark.parametrize("fields", ["secret", "scopes", "nothing", "maker.nothing", "maker.scopes"])
def test_an_unknown_field_is_refused_with_the_known_ones(fields: str) -> None:
    with pytest.raises(UnknownField) as caught:
        selected(fields)
    assert "name" in str(caught.value.values["known"]) or "title" in str(caught.value.values["known"])


@pytest.mark.parametrize(("fields", "expand"), [(None, "maker_id"), ("title.x", None), (None, "maker.name")])
def test_what_leads_nowhere_is_not_expanded(fields: str | None, expand: str | None) -> None:
    with pytest.raises(UnknownExpansion):
        selected(fields, expand)


@given(st.text(), st.text())
def test_any_text_is_a_selection_or_a_400(fields: str, expand: str) -> None:
    try:
        found = selected(fields, expand)
    except BadRequest:
        return
    assert set(found.fields) <= set(gadgets.readable) and set(found.expand) <= {"maker"}


@given(st.lists(st.from_regex(r"[a-z_]+", fullmatch=True)))
def test_split_keeps_every_name_once_in_its_order(names: list[str]) -> None:
    assert split(",".join(names)) == tuple(dict.fromkeys(names))
