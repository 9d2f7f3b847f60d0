"""Writing: what a request asks of its write besides the write itself, and how the row is answered."""

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from guildhouse.kernel.actor import HOUSE, Actor
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.errors import Invalid
from guildhouse.kernel.idempotency import WrongIdempotencyKey, fingerprint_of, key_of, owner_of
from guildhouse.kernel.request import Call
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.writing import WrongPreference, check_nulls, is_dry, row_answer
from tests.kernel.gadget import gadget, gadgets, house, server_of

SERVER = server_of()
ADA = Actor("ada", frozenset({scope("person", "ada")}), frozenset({"*"}))


async def nothing() -> Any:
    raise AssertionError("no body is read")


def call(path: str = "/v1/gadgets", query: bytes = b"", actor: Actor = ADA, **headers: str) -> Call:
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope_of = {"type": "http", "method": "POST", "path": path, "query_string": query, "headers": raw}
    return Call(SERVER, {**scope_of, "client": ("10.0.0.1", 1)}, nothing, actor=actor)


def context() -> Context:
    nobody: Any = None
    return Context(house, nobody, HOUSE, Note())


@pytest.mark.parametrize(
    ("prefer", "dry"),
    [
        ("", False),
        ("tx=commit", False),
        ("tx=rollback", True),
        ("return=minimal, tx=rollback", True),
        ("tx=rollback;x=1", True),
    ],
)
def test_a_dry_run_is_what_asks_for_one(prefer: str, dry: bool) -> None:
    assert is_dry(call(prefer=prefer)) == dry


@pytest.mark.parametrize("prefer", ["tx=maybe", "tx", "tx=", "tx=ROLLBACK"])
def test_a_transaction_that_is_neither_kept_nor_rolled_back_is_refused(prefer: str) -> None:
    with pytest.raises(WrongPreference):
        is_dry(call(prefer=prefer))


def test_a_patch_takes_no_value_away_from_a_column_that_must_have_one() -> None:
    check_nulls(gadgets, {"weight": None, "title": "x", "not_a_column": None})
    with pytest.raises(Invalid) as caught:
        check_nulls(gadgets, {"title": None, "weight": None, "tags": None})
    assert [(fault.pointer, fault.code) for fault in caught.value.faults] == [
        ("/title", "required"),
        ("/tags", "required"),
    ]


def test_a_row_is_answered_to_the_eyes_of_who_wrote_it_with_the_etag_of_its_version() -> None:
    row = gadget(maker_id="ada", note="mine", version=7)
    for actor, note in ((ADA, "mine"), (Actor("ben", frozenset(), frozenset({"*"})), None)):
        answer = row_answer(call(actor=actor), context(), gadgets, row, 201)
        body = orjson.loads(answer.body)
        assert (answer.status, answer.headers["ETag"], body["note"], set(body)) == (
            201,
            '"7"',
            note,
            set(gadgets.readable),
        )


def test_who_prefers_little_gets_no_row_unless_it_shows_what_is_shown_once() -> None:
    for status, found in ((200, 204), (201, 201)):
        little = row_answer(call(prefer="return=minimal"), context(), gadgets, gadget(version=2), status)
        assert (little.status, little.body, little.headers["ETag"]) == (found, b"", '"2"')
    showing = context()
    showing.reveal({"key": "once"})
    assert orjson.loads(row_answer(call(prefer="return=minimal"), showing, gadgets, gadget()).body)["key"] == "once"


BODIES = st.binary(max_size=20)
QUERIES = st.sampled_from([b"", b"mode=each", b"mode=atomic"])
MATCHES = st.sampled_from([{}, {"if_match": '"1"'}, {"if_match": '"2"'}])


@given(st.tuples(QUERIES, MATCHES, BODIES), st.tuples(QUERIES, MATCHES, BODIES))
def test_a_request_is_the_same_if_its_query_its_precondition_and_its_body_are(one: Any, other: Any) -> None:
    prints = [fingerprint_of(call(query=query, **match), body) for query, match, body in (one, other)]
    assert (prints[0] == prints[1]) == (one == other)


def test_a_key_is_somebodys_for_one_address_and_method() -> None:
    owners = {
        owner_of(call()),
        owner_of(call("/v1/makers")),
        owner_of(call(actor=Actor("ben", frozenset(), frozenset()))),
        owner_of(call(actor=Actor(None, frozenset(), frozenset()))),
    }
    assert len(owners) == 4
    assert owner_of(call()) == owner_of(call(query=b"x=1", idempotency_key="other"))


@pytest.mark.parametrize("key", ["", "x" * 256, "a\tb", "\x7f", "ä"])
def test_a_key_is_short_and_printable(key: str) -> None:
    with pytest.raises(WrongIdempotencyKey):
        key_of(call(idempotency_key=key))
    assert key_of(call(idempotency_key="x" * 255)) == "x" * 255 and key_of(call()) is None
