"""Answers: what leaves the server, with a body, without one, or piece by piece."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.types import Message

from guildhouse.kernel import answer as answer_module
from guildhouse.kernel.answer import Answer, Stream, problem_answer
from guildhouse.kernel.errors import NotFound, TooManyRequests, Unauthenticated

pytestmark = pytest.mark.anyio


class Wire:
    """The two ends of a connection: what was sent, and a reader who stays, unless they leave after so many pieces."""

    def __init__(self, leaves_after: int | None = None) -> None:
        self.sent: list[Message] = []
        self.leaves_after = leaves_after
        self.gone = asyncio.Event()

    async def send(self, message: Message) -> None:
        self.sent.append(message)
        if len(self.sent) - 1 == self.leaves_after:
            self.gone.set()

    async def receive(self) -> Message:
        await self.gone.wait()
        return {"type": "http.disconnect"}

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode("latin-1") for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join([each["body"] for each in self.sent[1:]])


async def sent(made: Answer, **options: Any) -> Wire:
    wire = Wire()
    await made.send(wire.send, **options)
    return wire


async def test_a_body_has_its_length_and_type_and_head_tells_both_without_it() -> None:
    made = Answer(200, b'{"a":1}', headers={"ETag": '"1"'})
    for options in ({}, {"without_body": True}):
        wire = await sent(made, **options)
        assert wire.headers == {"etag": '"1"', "content-type": "application/json", "content-length": "7"}
        assert wire.body == (b"" if options else b'{"a":1}')


@pytest.mark.parametrize(("status", "length"), [(204, None), (304, None), (201, "0")])
async def test_what_can_have_no_body_tells_no_length_of_one(status: int, length: str | None) -> None:
    wire = await sent(Answer(status))
    assert wire.headers.get("content-length") == length
    assert "content-type" not in wire.headers


async def pieces(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


async def endless(given_back: list[str]) -> AsyncIterator[bytes]:
    try:
        while True:
            yield b"again"
            await asyncio.sleep(0)
    finally:
        given_back.append("pieces")


def held(given_back: list[str]) -> AsyncExitStack:
    stack = AsyncExitStack()
    stack.callback(given_back.append, "held")
    return stack


async def test_a_stream_comes_in_its_pieces_and_gives_back_what_it_held() -> None:
    wire, given_back = Wire(), list[str]()
    chunks = pieces(b"a", b"b", b"c")
    stream = Stream(200, chunks=chunks, receive=wire.receive, held=held(given_back), size=3)
    await stream.send(wire.send)
    assert (wire.body, wire.headers["content-length"], given_back) == (b"abc", "3", ["held"])
    assert [each["more_body"] for each in wire.sent[1:-1]] == [True] * 3 and not wire.sent[-1].get("more_body")


async def test_head_of_a_stream_reads_nothing_of_it() -> None:
    wire, given_back = Wire(), list[str]()
    stream = Stream(200, chunks=endless(given_back), receive=wire.receive, held=held(given_back))
    await stream.send(wire.send, without_body=True)
    assert (wire.body, given_back) == (b"", ["held"])


async def test_a_reader_who_hangs_up_ends_the_stream_and_nothing_of_it_is_left() -> None:
    wire, given_back = Wire(leaves_after=2), list[str]()
    stream = Stream(200, chunks=endless(given_back), receive=wire.receive, held=held(given_back))
    await asyncio.wait_for(stream.send(wire.send), 5)
    await asyncio.sleep(0)
    assert given_back[-1] == "held" and 2 <= len(wire.sent) - 1 < 100


async def test_a_reader_who_takes_nothing_for_too_long_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer_module, "STALLED", 0.01)
    wire, given_back = Wire(), list[str]()

    async def stuck(message: Message) -> None:
        await wire.send(message)
        if message["type"] == "http.response.body":
            await asyncio.sleep(60)

    stream = Stream(200, chunks=pieces(b"a", b"b"), receive=wire.receive, held=held(given_back))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(stream.send(stuck), 5)
    assert given_back == ["held"]


async def test_a_failure_in_the_middle_of_a_stream_is_not_swallowed() -> None:
    async def broken() -> AsyncIterator[bytes]:
        yield b"a"
        raise ValueError("in the middle")

    wire, given_back = Wire(), list[str]()
    with pytest.raises(ValueError, match="in the middle"):
        await Stream(200, chunks=broken(), receive=wire.receive, held=held(given_back)).send(wire.send)
    assert given_back == ["held"] and wire.sent[-1].get("more_body")


def test_a_refusal_is_in_a_language_is_kept_by_nobody_and_says_how_to_sign_in() -> None:
    refused = problem_answer(Unauthenticated(), "zh-TW", "abc", "/v1/jobs")
    assert refused.headers == {"Content-Language": "zh-TW", "Cache-Control": "no-store", "WWW-Authenticate": "Bearer"}
    assert "WWW-Authenticate" not in problem_answer(NotFound(), "en", "abc").headers
    busy = problem_answer(TooManyRequests(seconds=3, headers={"Retry-After": "3"}), "en", "abc")
    assert (busy.status, busy.headers["Retry-After"]) == (429, "3")


@given(st.text(st.characters(max_codepoint=255, exclude_characters="\0\r\n")))
def test_any_text_of_latin_1_is_sent_in_a_header_as_it_is(text: str) -> None:
    wire = asyncio.run(sent(Answer(204, headers={"X-Said": text})))
    assert wire.headers["x-said"] == text
