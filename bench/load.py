"""The load: as many requests as a server answers, over a few kept-alive connections, from a process of its own."""

import asyncio
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context

import uvloop

Request = Callable[[int], bytes]


@dataclass(frozen=True)
class Result:
    """What came of some requests: how many a second, and how long they took (seconds, sorted)."""

    per_second: float
    latencies: list[float]


def request(method: str, path: str, body: bytes = b"", headers: str = "") -> bytes:
    """An HTTP request as bytes."""
    kind = "Content-Type: application/json\r\n" if body and "Content-Type" not in headers else ""
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    return f"{method} {path} HTTP/1.1\r\nHost: bench\r\n{kind}{length}{headers}\r\n".encode() + body


async def converse(address: tuple[str, int], made: Iterator[bytes], took: list[float]) -> None:
    """Send one request after the other on one connection; every answer must be a success."""
    reader, writer = await asyncio.open_connection(*address, limit=1 << 26)
    for each in made:
        start = time.perf_counter()
        writer.write(each)
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(
            (int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), 0
        )
        body = await reader.readexactly(length) if length else b""
        took.append(time.perf_counter() - start)
        if head[9:10] != b"2":
            sys.exit(f"{each[:200]!r} was answered {head!r} {body[:500]!r}")
    writer.close()


async def blast(address: tuple[str, int], make: Request, count: int, connections: int) -> Result:
    """All requests over all connections. They are made beforehand: making them is not what is measured."""
    made = iter([make(number) for number in range(count)])
    took: list[float] = []
    start = time.perf_counter()
    await asyncio.gather(*(converse(address, made, took) for _ in range(connections)))
    return Result(count / (time.perf_counter() - start), sorted(took))


def run(address: tuple[str, int], make: Request, count: int, connections: int) -> Result:
    """Blast from a process of its own, so that its work is not counted as the server's."""
    context = get_context("fork")
    ours, theirs = context.Pipe()
    process = context.Process(target=child, args=(theirs, address, make, count, connections))
    process.start()
    theirs.close()
    result: Result = ours.recv()
    process.join()
    return result


def child(pipe: object, address: tuple[str, int], make: Request, count: int, connections: int) -> None:
    """The load's own process."""
    result = uvloop.run(blast(address, make, count, connections))
    pipe.send(result)  # type: ignore[attr-defined]
