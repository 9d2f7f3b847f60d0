"""Predicates and permissions: small truths that combine, and carry their names along."""

import pytest

from guildhouse.kernel.actor import ANONYMOUS, HOUSE, Actor, covers
from guildhouse.kernel.may import anyone, holds, is_person, nobody, predicate, signed_in, value_in
from tests.kernel.gadget import gadget

ADA = Actor("ada", frozenset({"public"}), frozenset({"*.read", "gadgets.moderate"}))
ROW = gadget(maker_id="ada", status="draft")


def test_the_plain_ones() -> None:
    assert anyone(ANONYMOUS, None) and not nobody(ADA, ROW)
    assert signed_in(ADA, None) and not signed_in(ANONYMOUS, None)


def test_those_about_the_row() -> None:
    assert is_person("maker_id")(ADA, ROW) and not is_person("maker_id")(ANONYMOUS, gadget(maker_id=None))
    assert value_in("status", "draft", "shown")(ADA, ROW) and not value_in("status", "shown")(ADA, ROW)


def test_the_one_about_permissions() -> None:
    assert holds("gadgets.moderate")(ADA, None) and not holds("gadgets.write")(ADA, None)


@pytest.mark.parametrize("left", [anyone, nobody])
@pytest.mark.parametrize("right", [anyone, nobody])
def test_they_combine_as_logic_does(left: object, right: object) -> None:
    a, b = left is anyone, right is anyone
    p, q = (anyone if a else nobody), (anyone if b else nobody)
    assert (p & q)(ADA, ROW) is (a and b)
    assert (p | q)(ADA, ROW) is (a or b)
    assert (~p)(ADA, ROW) is (not a)


def test_their_names_read_as_the_documentation_says_them() -> None:
    @predicate
    def is_on_duty(actor: Actor, row: object) -> bool:
        return actor is row

    assert (is_on_duty & ~is_person("maker_id")).name == "is on duty and not is maker_id"
    either = signed_in | holds("gadgets.write")
    assert either.name == "signed in or holds gadgets.write"
    assert (either | is_on_duty).name == "signed in or holds gadgets.write or is on duty"
    assert (either & ~either).name == "(signed in or holds gadgets.write) and not (signed in or holds gadgets.write)"
    assert (~(signed_in & is_on_duty)).name == "not (signed in and is on duty)"


def test_one_that_does_not_need_the_row_is_not_asked_about_it() -> None:
    assert not (signed_in & is_person("maker_id"))(ANONYMOUS, None)


@pytest.mark.parametrize(
    ("held", "permission", "covered"),
    [
        ({"*"}, "gadgets.write", True),
        ({"*.write"}, "gadgets.write", True),
        ({"gadgets.*"}, "gadgets.write", True),
        ({"gadgets.write"}, "gadgets.write", True),
        ({"*.read"}, "gadgets.write", False),
        ({"gadgets.read"}, "makers.read", False),
        (set(), "gadgets.read", False),
    ],
)
def test_stars_stand_for_a_noun_an_action_or_all(held: set[str], permission: str, covered: bool) -> None:
    assert covers(frozenset(held), permission) is covered


def test_a_key_only_narrows() -> None:
    keyed = Actor("ada", frozenset(), frozenset({"*.read"}), frozenset({"gadgets.read", "gadgets.write"}))
    assert keyed.can("gadgets.read") and not keyed.can("gadgets.write") and not keyed.can("makers.read")


def test_sight_is_where_the_scopes_meet() -> None:
    assert ADA.sees(["person:ben", "public"]) and not ADA.sees(["person:ben"]) and not HOUSE.sees(["public"])
