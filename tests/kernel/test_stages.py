"""Stages: a row moves along the table, by those who may, or stands still."""

import pytest

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.stages import MoveNotAllowed, MoveNotYours
from tests.kernel.gadget import STAGES, gadget

ADA = Actor("ada", frozenset(), frozenset())
BEN = Actor("ben", frozenset(), frozenset())
MODERATOR = Actor("otto", frozenset(), frozenset({"gadgets.moderate"}))


def move(actor: Actor, before: str, after: str) -> None:
    STAGES.check(actor, gadget(maker_id="ada", status=before), gadget(maker_id="ada", status=after))


def test_every_stage_is_named_once_in_the_order_of_the_table() -> None:
    assert STAGES.names() == ("draft", "shown", "gone")


def test_a_new_row_starts_where_rows_start() -> None:
    STAGES.check(ADA, None, gadget(status="draft"))
    with pytest.raises(MoveNotAllowed) as caught:
        STAGES.check(ADA, None, gadget(status="shown"))
    assert caught.value.values["known"] == "draft"


def test_whoever_may_moves_it_along() -> None:
    move(ADA, "draft", "shown")
    move(ADA, "shown", "draft")
    move(MODERATOR, "shown", "gone")


def test_a_row_that_stands_still_is_anybodys() -> None:
    move(BEN, "gone", "gone")


@pytest.mark.parametrize("after", ["gone", "lost"])
def test_a_move_that_is_not_in_the_table_is_a_conflict_that_says_what_is(after: str) -> None:
    with pytest.raises(MoveNotAllowed) as caught:
        move(ADA, "draft", after)
    assert caught.value.detail() == f"`status` cannot go from draft to {after}. From draft it goes to: shown."


def test_from_an_end_nothing_goes_on() -> None:
    with pytest.raises(MoveNotAllowed) as caught:
        move(ADA, "gone", "draft")
    assert caught.value.values["known"] == "nothing: it is an end"


def test_a_move_of_somebody_else_is_denied_and_says_whose_it_is() -> None:
    with pytest.raises(MoveNotYours) as caught:
        move(BEN, "shown", "gone")
    assert caught.value.status == 403 and caught.value.values["who"] == "is maker_id or holds gadgets.moderate"
