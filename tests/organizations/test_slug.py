"""Slugs: what an organization's name is in addresses."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from guildhouse.organizations.organization import Slug, slug_of

TAKEN: TypeAdapter[str] = TypeAdapter(Slug)


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Café des Arts", "cafe-des-arts"),
        ("  A & B, Inc.  ", "a-b-inc"),
        ("台積電 TSMC", "tsmc"),
        ("引擎", ""),
        ("---", ""),
        ("ﬁne Ⅳ", "fine-iv"),
        ("x" * 200, "x" * 80),
        ("a" * 79 + " b", "a" * 79),
    ],
)
def test_a_name_becomes_what_an_address_can_hold(name: str, slug: str) -> None:
    assert slug_of(name) == slug


@given(st.text(max_size=120))
def test_whatever_the_name_its_slug_is_none_or_one_that_could_be_chosen(name: str) -> None:
    slug = slug_of(name)
    assert slug == "" or TAKEN.validate_python(slug) == slug
    assert slug_of(slug) == slug


@given(st.text("abc-_ A1", max_size=20))
def test_a_slug_that_is_chosen_is_kept_or_refused_and_never_bent(chosen: str) -> None:
    fits = bool(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", chosen))
    try:
        assert TAKEN.validate_python(chosen) == chosen
    except ValueError:
        assert not fits
    else:
        assert fits
