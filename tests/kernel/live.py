"""A client of event streams that talks to the application as a web server does, piece by piece."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson

from tests.cast import Caller, Cast


@dataclass
class Listener:
    """An open stream. `begun` is its status line and headers, `left` hangs up."""

    sent: "asyncio.Queue[dict[str, Any]]" = field(default_factory=asyncio.Queue)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    rest: bytes = b""
    ended: bool = False

    async def receive(self) -> dict[str, Any]:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def begin(self) -> None:
        start = await asyncio.wait_for(self.sent.get(), 5)
        self.status = start["status"]
        self.headers = {name.decode(): value.decode() for name, value in start["headers"]}

    async def block(self, within: float = 5) -> str | None:
        """The next block of lines; None at the end of the stream."""
        while b"\n\n" not in self.rest and not self.ended:
            message = await asyncio.wait_for(self.sent.get(), within)
            self.rest += message.get("body", b"")
            self.ended = not message.get("more_body", False)
        if b"\n\n" not in self.rest:
            return None
        block, _, self.rest = self.rest.partition(b"\n\n")
        return block.decode()

    async def event(self, within: float = 5) -> dict[str, Any] | None:
        """The next event, comments left out; its data as values."""
        while (block := await self.block(within)) is not None:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            if "event" in fields:
                return {**fields, "data": orjson.loads(fields["data"])}
        return None

    async def body(self) -> bytes:
        """All that is sent."""
        while not self.ended:
            message = await asyncio.wait_for(self.sent.get(), 5)
            self.rest += message.get("body", b"")
            self.ended = not message.get("more_body", False)
        return self.rest


@asynccontextmanager
async def listening(cast: Cast, caller: Caller, path: str, **headers: str) -> AsyncIterator[Listener]:
    """A stream that is open as long as the block lasts."""
    listener = Listener()
    address, _, query = path.partition("?")
    named = {"accept": "text/event-stream", **{name.replace("_", "-"): value for name, value in headers.items()}}
    if token := caller.client.headers.get("authorization"):
        named.setdefault("authorization", token)
    scope = {
        "type": "http", "method": "GET", "path": address, "raw_path": address.encode(), "query_string": query.encode(),
        "headers": [(name.encode(), value.encode()) for name, value in named.items()], "client": ("192.0.2.1", 1),
    }  # fmt: skip
    task = asyncio.create_task(cast.edge(scope, listener.receive, listener.sent.put))  # type: ignore[arg-type]
    try:
        await listener.begin()
        yield listener
    finally:
        listener.left.set()
        await asyncio.wait_for(task, 5)
