"""Signed links: a token says which row, until when, and by whom; anything else is no token."""

import time
from types import SimpleNamespace
from typing import Any, cast

import orjson
import pytest

from guildhouse.kernel.server import Server
from guildhouse.kernel.signed_link import Token, link_answer

ROW = "01a20066-06a1-7ae5-8217-9d82e182322a"


def server(secret: bytes = b"s" * 32) -> Server:
    """As much of a server as signs."""
    made = SimpleNamespace(secret=secret, keys={})
    made.key = lambda purpose: Server.key(cast("Any", made), purpose)
    made.signature = lambda *parts: Server.signature(cast("Any", made), *parts)
    return cast("Server", made)


def token_of(signer: Server, seconds: int = 60, about: str = ROW) -> str:
    answer = link_answer(signer, "visit", ROW, about, seconds)
    assert answer.headers["Cache-Control"] == "no-store"
    body = orjson.loads(answer.body)
    assert body["link"] == f"/visit#{body['token']}"
    return str(body["token"])


def test_a_token_is_read_as_it_was_made() -> None:
    token = Token.parse(token_of(server()))
    assert token and token.row_id == ROW and 50 < token.expires - time.time() <= 60
    assert token.is_signed(server(), "visit", ROW)


def test_it_is_good_for_its_server_its_purpose_and_what_was_signed_alone() -> None:
    token = Token.parse(token_of(server(), about=f"{ROW} 1"))
    assert token and token.is_signed(server(), "visit", f"{ROW} 1")
    assert not token.is_signed(server(), "visit", f"{ROW} 2")
    assert not token.is_signed(server(), "leave", f"{ROW} 1")
    assert not token.is_signed(server(b"t" * 32), "visit", f"{ROW} 1")


def test_one_that_is_over_is_none() -> None:
    assert Token.parse(token_of(server(), seconds=-1)) is None


@pytest.mark.parametrize("text", [
    "", ".", "..", "x.9999999999.y", f"{ROW}", f"{ROW}..y", f"{ROW}.soon.y", f"{ROW.upper()}.9999999999.y",
    f"{ROW}.-9999999999.y", f"{ROW}.²9999999999.y", f"{ROW}.{'9' * 13}.y", "\0", "ə" * 200,
])  # fmt: skip
def test_what_is_no_token_is_none(text: str) -> None:
    assert Token.parse(text) is None
