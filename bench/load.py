"""The load: as many requests as a server answers, over a few kept-alive connections, from a process of its own."""

import asyncio
import re
import sys
import time
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, TypeVar

import uvloop

T = TypeVar("T")
Request = Callable[[int], bytes]
LENGTH = re.compile(rb"(?i)\r\ncontent-length: *(\d+)")


@dataclass(frozen=True)
class Result:
    """What came of some requests: how many a second, how long each took (seconds), and the load's own CPU time."""

    per_second: float
    took: list[float]
    cpu: float = 0.0


def request(method: str, path: str, body: bytes = b"", headers: str = "") -> bytes:
    """An HTTP request as bytes."""
    kind = "Content-Type: application/json\r\n" if body and "Content-Type" not in headers else ""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{kind}{length}{headers}\r\n".encode() + body


@dataclass(frozen=True)
class Line:
    """A connection that is kept alive."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    @classmethod
    async def to(cls, address: tuple[str, int]) -> "Line":
        """A new one."""
        return cls(*await asyncio.open_connection(*address, limit=1 << 26))

    async def ask(self, request: bytes) -> bytes:
        """Send a request and read its answer, which must be a success; returns its body."""
        self.writer.write(request)
        head = await self.reader.readuntil(b"\r\n\r\n")
        length = LENGTH.search(head)
        body = await self.reader.readexactly(int(length[1])) if length else b""
        if head[9:10] != b"2":
            sys.exit(f"{request[:200]!r} was answered {head!r} {body[:500]!r}")
        return body


async def converse(address: tuple[str, int], made: Iterator[tuple[int, bytes]], took: list[float]) -> None:
    """Send one request after the other on one connection; of each it is noted how long it took."""
    line = await Line.to(address)
    for number, each in made:
        start = time.perf_counter()
        await line.ask(each)
        took[number] = time.perf_counter() - start
    line.writer.close()


async def blast(address: tuple[str, int], make: Request, count: int, connections: int) -> Result:
    """All requests over all connections. They are made beforehand: making them is not what is measured."""
    made = iter([(number, make(number)) for number in range(count)])
    took = [0.0] * count
    start, own = time.perf_counter(), time.process_time()
    await asyncio.gather(*(converse(address, made, took) for _ in range(connections)))
    return Result(count / (time.perf_counter() - start), took, time.process_time() - own)


def run(address: tuple[str, int], make: Request, count: int, connections: int) -> Result:
    """Blast from a process of its own."""
    return apart(lambda: blast(address, make, count, connections))


def apart(work: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Work of the load in a process of its own, so that it is not counted as the server's."""
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(theirs, work))
    process.start()
    theirs.close()
    result: T = ours.recv()
    process.join()
    return result


def child(pipe: Any, work: Callable[[], Coroutine[Any, Any, T]]) -> None:
    """The load's own process."""
    pipe.send(uvloop.run(work()))


async def found_after(
    address: tuple[str, int], write: Request, look: Request, count: int, rate: int, writers: int
) -> tuple[list[float], float]:
    """Seconds (sorted) from the answer to a write until it is found, ten times a second; and how many were written in one.

    The writers share so many a second; whoever looks takes the write that was answered last.
    """
    numbers, last = iter(range(count)), list[tuple[int, float]]()
    start = time.perf_counter()

    async def keep_writing() -> None:
        line = await Line.to(address)
        for n in numbers:
            await asyncio.sleep(start + n / rate - time.perf_counter())
            await line.ask(write(n))
            last[:] = [(n, time.perf_counter())]

    writing = asyncio.gather(*(keep_writing() for _ in range(writers)))
    line, took = await Line.to(address), list[float]()
    while not writing.done():
        await asyncio.sleep(0.1)
        if not last:
            continue
        n, since = last[0]
        await until_found(line, look(n))
        took.append(time.perf_counter() - since)
    await writing
    return sorted(took), count / (time.perf_counter() - start)


async def until_found(line: Line, question: bytes) -> None:
    """Ask until something is found."""
    while b'"data":[]' in await line.ask(question):  # noqa: ASYNC110 - what is waited for is in another process
        await asyncio.sleep(0.01)
