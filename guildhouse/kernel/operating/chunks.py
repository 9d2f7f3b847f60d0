"""Chunks: the input of an operation, some lines at a time, and what became of each line."""

from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any, TypeAlias, get_args

from guildhouse.kernel import problems
from guildhouse.kernel.answer import Answer, Stream
from guildhouse.kernel.bulk_writing import Outcome, Verdict
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Connection
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import BadRequest, NotFound, TooLarge
from guildhouse.kernel.formats import MEDIA_TYPES, dumps
from guildhouse.kernel.i18n import choose_language
from guildhouse.kernel.operation import Operation, operations
from guildhouse.kernel.request import Call
from guildhouse.kernel.select import fetch_one
from guildhouse.kernel.server import Server

CHUNK_LINES = 1000
STATUSES = get_args(Verdict)
Chunk: TypeAlias = tuple[int, bytes]  # its number from 0, and its lines
Lines: TypeAlias = list[tuple[int, bytes]]  # those that are not blank, counted from 1 over the whole, as an editor does


class WrongReportStatus(BadRequest):
    """`status` takes one of {known}, or is left out for all lines."""


async def chunks_of_body(call: Call, digest: Any) -> AsyncIterator[Chunk]:
    """The body in chunks of 1,000 lines; those of blank lines are left out. `digest` is of the body when all is read."""
    lines: list[bytes] = []
    rest, number, longest = b"", 0, call.server.config.max_body
    async for piece in call.chunks(call.server.config.max_upload):
        digest.update(piece)
        *whole, rest = (rest + piece).split(b"\n")
        if len(rest) > longest:
            raise TooLarge(limit=longest)
        lines += whole
        while len(lines) >= CHUNK_LINES:
            if any(map(bytes.strip, lines[:CHUNK_LINES])):
                yield number, b"\n".join(lines[:CHUNK_LINES])
            del lines[:CHUNK_LINES]
            number += 1
    if any(map(bytes.strip, [*lines, rest])):
        yield number, b"\n".join([*lines, rest])


def chunks_of(lines: Sequence[bytes]) -> list[Chunk]:
    """Lines that are there already, in chunks."""
    starts = range(0, len(lines), CHUNK_LINES)
    return [(n, b"\n".join(lines[start : start + CHUNK_LINES])) for n, start in enumerate(starts)]


def lines_of(number: int, chunk: bytes) -> Lines:
    """The lines of a chunk."""
    first = number * CHUNK_LINES + 1
    return [(first + place, line) for place, line in enumerate(chunk.split(b"\n")) if line.strip()]


def count_lines(chunks: Iterable[Chunk]) -> int:
    """How many lines there are to work off."""
    return sum(len(lines_of(*chunk)) for chunk in chunks)


async def keep_chunks(ctx: Context, operation_id: str, chunks: Iterable[Chunk]) -> None:
    """Store an operation's input, in the transaction that makes it."""
    await ctx.connection.executemany(
        "INSERT INTO operation_chunks (operation_id, number, lines) VALUES ($1, $2, $3)",
        [(operation_id, number, lines) for number, lines in chunks],
    )


async def open_chunks(server: Server, operation_id: str) -> list[int]:
    """The numbers of the chunks without a report."""
    async with server.database.reading() as connection:
        records = await connection.fetch(
            "SELECT number FROM operation_chunks WHERE operation_id = $1 AND report IS NULL ORDER BY number",
            operation_id,
        )
    return [record["number"] for record in records]


async def read_chunk(server: Server, operation_id: str, number: int) -> Lines:
    """The lines of one chunk."""
    async with server.database.reading() as connection:
        chunk: bytes = await connection.fetchval(
            "SELECT lines FROM operation_chunks WHERE operation_id = $1 AND number = $2", operation_id, number
        )
    return lines_of(number, chunk)


async def is_open(ctx: Context, operation_id: str, number: int) -> bool:
    """Whether nobody has worked a chunk off. Ask with the operation's row locked."""
    sql = "SELECT report IS NULL FROM operation_chunks WHERE operation_id = $1 AND number = $2"
    return bool(await ctx.connection.fetchval(sql, operation_id, number))


async def keep_report(connection: Connection, operation_id: str, number: int, report: Sequence[Any]) -> None:
    """Store what became of a chunk's lines."""
    await connection.execute(
        "UPDATE operation_chunks SET report = $3 WHERE operation_id = $1 AND number = $2", operation_id, number, report
    )


async def forget_reports(connection: Connection, operation_id: str) -> None:
    """Begin anew: nothing is known of any line."""
    await connection.execute("UPDATE operation_chunks SET report = NULL WHERE operation_id = $1", operation_id)


def told(outcome: Outcome, language: str, request_id: str) -> dict[str, Any]:
    """What became of one write."""
    found: dict[str, Any] = {"status": outcome.status}
    if outcome.id:
        found["id"] = outcome.id
    if outcome.version:
        found["version"] = outcome.version
    if outcome.key:
        found["key"] = outcome.key
    if outcome.problem:
        found["problem"] = problems.body_of(outcome.problem, language, request_id)
    return found


def report_of(lines: Lines, outcomes: Sequence[Outcome], trace: str, chosen: str | None) -> list[dict[str, Any]]:
    """What became of each line, in the language that its person has chosen."""
    language = choose_language(None, chosen)
    return [{"line": line, **told(each, language, trace)} for (line, _), each in zip(lines, outcomes, strict=True)]


async def read_report(call: Call) -> Answer:
    """What became of each line of an operation, as NDJSON in the order of the lines; `?status=failed` picks some."""
    wanted = call.param("status")
    if wanted not in (None, *STATUSES):
        raise WrongReportStatus(known=", ".join(STATUSES))
    async with call.server.database.reading() as connection:
        record = await fetch_one(connection, operations, call.actor, call.row_id, "*")
    if record is None:
        raise NotFound
    pieces = report_lines(call.server, Operation.of(record), wanted)
    headers = {"Cache-Control": "private, no-cache"}
    return Stream(200, b"", MEDIA_TYPES["ndjson"], headers, chunks=pieces, receive=call.receive)


NEXT_REPORT = """
SELECT number, report, CASE WHEN report IS NULL THEN lines END AS lines FROM operation_chunks
WHERE operation_id = $1 AND number > $2 ORDER BY number LIMIT 1
"""


async def report_lines(server: Server, operation: Operation, wanted: str | None) -> AsyncIterator[bytes]:
    """The report, chunk by chunk. Once the operation has ended, what it did not come to is not written."""
    number = -1
    while True:
        async with server.database.reading() as connection:
            chunk = await connection.fetchrow(NEXT_REPORT, operation.id, number)
        if chunk is None:
            return
        number, report = chunk["number"], chunk["report"] or []
        if chunk["report"] is None and operation.finished_at:
            report = [{"line": line, "status": "not-written"} for line, _ in lines_of(number, chunk["lines"])]
        if found := [each for each in report if wanted in (None, each["status"])]:
            yield b"".join(dumps(each) + b"\n" for each in found)


doors = (
    Door("GET", "/v1/operations/{id}/report", "operations.read", "What became of each line of an operation", read_report,
         operations, kind="read", cost=10),
)  # fmt: skip
