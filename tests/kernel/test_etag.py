"""ETags: what is the same has the same, and a precondition is kept, refused, or malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.errors import PreconditionFailed
from guildhouse.kernel.etag import WrongEtag, check_match, list_etag, matches, row_etag, version_of


@given(st.integers(1, 999_999_999), st.text())
def test_a_row_s_etag_holds_its_version(version: int, variant: str) -> None:
    assert version_of(row_etag(version, variant)) == version
    assert version_of(f"W/{row_etag(version, variant)}") == version


def test_other_representations_have_other_etags() -> None:
    assert len({row_etag(3), row_etag(3, "csv"), row_etag(3, "json?fields=id"), row_etag(4)}) == 4


@given(
    st.lists(
        st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), unique=True, min_size=2, max_size=2
    )
)
def test_lists_that_were_asked_for_differently_have_other_etags(queries: list[str]) -> None:
    assert list_etag(7, queries[0]) != list_etag(7, queries[1])
    assert list_etag(7, *queries) != list_etag(7, "".join(queries))


@pytest.mark.parametrize("header", ['"3"', 'W/"3"', '"1", "3"', "*", ' "2" ,W/"3"'])
def test_if_none_match_knows_its_etag(header: str) -> None:
    assert matches(header, '"3"')


@pytest.mark.parametrize("header", [None, "", "3", '"33"', '"1", "2"', '"3'])
def test_if_none_match_knows_no_other(header: str | None) -> None:
    assert not matches(header, '"3"')


@pytest.mark.parametrize("header", [None, "*", " * ", '"3"', 'W/"3"', '"3-0123456789abcdef"', '"1","3"', "3"])
def test_if_match_lets_the_present_version_through(header: str | None) -> None:
    check_match(header, 3)


def test_if_match_refuses_another_version_and_says_the_present_one() -> None:
    with pytest.raises(PreconditionFailed) as caught:
        check_match('"2"', 3)
    assert caught.value.values["version"] == 3


@pytest.mark.parametrize("header", ["", '""', "yes", '"-3"', '"3.5"', '"1234567890"', "\u0663"])
def test_what_is_no_etag_of_ours_is_malformed(header: str) -> None:
    with pytest.raises(WrongEtag):
        check_match(header, 3)


@given(st.text())
def test_any_header_is_kept_refused_or_malformed(header: str) -> None:
    try:
        check_match(header, 3)
    except (WrongEtag, PreconditionFailed):
        return
    assert "*" in header or "3" in header
