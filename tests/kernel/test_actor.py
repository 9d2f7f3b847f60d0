"""Actors: what they may do at all, and what a key leaves of it."""

from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.actor import ANONYMOUS, HOUSE, Actor
from guildhouse.kernel.scopes import PUBLIC

NOUNS = st.sampled_from(["jobs", "people", "api_keys"])
ACTIONS = st.sampled_from(["read", "write", "moderate"])
PERMISSIONS = st.builds("{}.{}".format, NOUNS | st.just("*"), ACTIONS | st.just("*")) | st.just("*")
ASKED = st.builds("{}.{}".format, NOUNS, ACTIONS)


def actor(held: set[str], narrowed: set[str] | None = None) -> Actor:
    return Actor("ada", frozenset({PUBLIC}), frozenset(held), None if narrowed is None else frozenset(narrowed))


@given(st.sets(PERMISSIONS), st.sets(PERMISSIONS), ASKED)
def test_a_key_opens_what_both_it_and_its_person_hold_and_no_more(held: set[str], key: set[str], asked: str) -> None:
    may = actor(held, key).can(asked)
    assert may == (actor(held).can(asked) and actor(key).can(asked))
    assert may == actor(held).within(sorted(key)).can(asked)


@given(st.sets(PERMISSIONS), st.sets(PERMISSIONS), ASKED)
def test_who_holds_more_may_no_less(held: set[str], more: set[str], asked: str) -> None:
    assert not actor(held).can(asked) or actor(held | more).can(asked)


@given(st.sets(PERMISSIONS))
def test_work_that_goes_on_later_is_narrowed_as_the_request_was(key: set[str]) -> None:
    narrow = actor({"*"}, key)
    assert actor({"*"}).within(narrow.key_permissions) == narrow
    assert actor({"*"}).key_permissions is None


@given(st.sets(st.sampled_from("abcd")), st.lists(st.sampled_from("abcd")))
def test_a_row_is_seen_if_and_only_if_a_scope_is_shared(held: set[str], row: list[str]) -> None:
    assert Actor("ada", frozenset(held), frozenset()).sees(row) == bool(held & set(row))


def test_a_stranger_reads_what_is_public_and_the_house_does_everything_and_sees_nothing() -> None:
    assert ANONYMOUS.sees([PUBLIC]) and not ANONYMOUS.sees(["members"]) and not ANONYMOUS.signed_in
    assert ANONYMOUS.can("jobs.read") and not ANONYMOUS.can("jobs.write")
    assert HOUSE.can("anything.at_all") and not HOUSE.sees([PUBLIC])
