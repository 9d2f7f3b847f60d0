"""An answer: status, headers and bytes, as the ASGI server takes them; or a stream of bytes that ends with its reader."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

from starlette.types import Receive, Send

from guildhouse.kernel import problems
from guildhouse.kernel.errors import Problem

STALLED = 60.0  # seconds that a reader may leave a piece of a stream waiting


@dataclass(slots=True)
class Answer:
    """What a door answers with; of a page of rows, how many there are in it."""

    status: int
    body: bytes = b""
    media_type: str = "application/json"
    headers: dict[str, str] = field(default_factory=dict)
    rows: int = 0

    async def send(self, send: Send, *, without_body: bool = False) -> None:
        """Send it; `without_body` for HEAD."""
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        if self.body:
            headers.append((b"content-type", self.media_type.encode()))
        if self.status not in (204, 304):
            headers.append((b"content-length", str(len(self.body)).encode()))
        await send({"type": "http.response.start", "status": self.status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if without_body else self.body})


@dataclass(slots=True, kw_only=True)
class Stream(Answer):
    """An answer whose body is made while it is sent. `held` is what it reads from, given back at its end.

    A reader who hangs up, or leaves a piece waiting for a minute, ends it; then nothing of it is left behind.
    """

    chunks: AsyncIterator[bytes]
    receive: Receive
    held: AsyncExitStack = field(default_factory=AsyncExitStack)
    size: int | None = None

    async def send(self, send: Send, *, without_body: bool = False) -> None:
        """Send it piece by piece; `without_body` for HEAD."""
        headers = [(name.lower().encode(), value.encode("latin-1")) for name, value in self.headers.items()]
        headers.append((b"content-type", self.media_type.encode()))
        if self.size is not None:
            headers.append((b"content-length", str(self.size).encode()))
        async with self.held:
            await send({"type": "http.response.start", "status": self.status, "headers": headers})
            if without_body:
                await send({"type": "http.response.body", "body": b""})
            else:
                await self.pour(send)

    async def pour(self, send: Send) -> None:
        """The pieces, until the last one or until the reader is gone."""
        pouring = asyncio.create_task(self.pieces(send))
        leaving = asyncio.create_task(until_gone(self.receive))
        try:
            await asyncio.wait({pouring, leaving}, return_when=asyncio.FIRST_COMPLETED)
            if pouring.done():
                pouring.result()
        finally:
            pouring.cancel()
            leaving.cancel()
            await asyncio.gather(pouring, leaving, return_exceptions=True)

    async def pieces(self, send: Send) -> None:
        """One after the other, the next one when this one is taken."""
        async for chunk in self.chunks:
            async with asyncio.timeout(STALLED):
                await send({"type": "http.response.body", "body": bytes(chunk), "more_body": True})
        await send({"type": "http.response.body", "body": b""})


async def until_gone(receive: Receive) -> None:
    """Return when the reader has hung up."""
    while (await receive())["type"] != "http.disconnect":
        pass


def problem_answer(problem: Problem, language: str, request_id: str, instance: str | None = None) -> Answer:
    """A refusal as an answer."""
    body = problems.encoded(problem, language, request_id, instance)
    headers = {"Content-Language": language, "Cache-Control": "no-store", **problem.headers}
    if problem.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Answer(problem.status, body, problems.MEDIA_TYPE, headers)
