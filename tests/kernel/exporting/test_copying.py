"""What COPY writes becomes lines, however its bytes are cut, and PostgreSQL writes them only when the order is settled."""

from collections.abc import AsyncIterator, Sequence
from struct import pack

import pytest

from guildhouse.kernel.exporting.copying import halved, json_object, lines_of, together
from guildhouse.kernel.exporting.snapshot import snapshot
from guildhouse.kernel.exporting.wanted import rows_sql, wanted_of
from guildhouse.kernel.formats import NDJSON
from tests.cast import Cast

pytestmark = pytest.mark.anyio


def binary(rows: Sequence[bytes]) -> bytes:
    """Rows of one text as COPY writes them: https://www.postgresql.org/docs/current/sql-copy.html."""
    head = b"PGCOPY\n\xff\r\n\0" + pack("!ii", 0, 0)
    return head + b"".join(pack("!hi", 1, len(row)) + row for row in rows) + pack("!h", -1)


async def pieces(data: bytes, size: int) -> AsyncIterator[bytes]:
    for begin in range(0, len(data), size):
        yield data[begin : begin + size]


@pytest.mark.parametrize("size", [1, 2, 5, 19, 20, 64, 100_000])
async def test_rows_are_lines_wherever_their_bytes_are_cut(size: int) -> None:
    rows = [b'{"a":1}', b"", b"\xff" * 300, b'{"b":"\n\\u0000"}', b"x" * 70_000 if size > 64 else b"x"]
    lines = [piece async for piece in lines_of(pieces(binary(rows), size))]
    assert b"".join(lines) == b"".join(row + b"\n" for row in rows)
    assert all(piece.endswith(b"\n") for piece in lines)


async def test_no_rows_are_no_lines() -> None:
    assert [piece async for piece in lines_of(pieces(binary([]), 7))] == []


@pytest.mark.parametrize("count", [1, 2, 3, 7, 64])
def test_texts_are_put_together_by_halves(count: int) -> None:
    sql = halved([f"t{n}" for n in range(count)])
    assert sql.replace("(", "").replace(")", "") == " || ".join(f"t{n}" for n in range(count))
    depth = max(sql[:at].count("(") - sql[:at].count(")") for at in range(len(sql) + 1))
    assert depth <= count.bit_length() - 1


def test_literals_that_are_neighbours_are_one() -> None:
    assert together(["'{'", "'\"id\":'", "id::text", "'}'"]) == "('{\"id\":') || (id::text || '}')"


@pytest.mark.parametrize("query", [[], [("expand", "organization")]])
async def test_rows_are_sorted_before_their_lines_are_written(cast: Cast, query: list[tuple[str, str]]) -> None:
    """Finished lines are some times as wide as their rows, and they would be sorted on the disk."""
    wanted = wanted_of(cast.server.house, cast.server.house.resources["jobs"], query, NDJSON)
    async with snapshot(cast.server.database) as view:
        actor = await cast.server.identity.actor_of(view.connection, cast.ben.id)
        await view.connection.execute("SET LOCAL enable_indexscan = off")  # there is nothing to sort by an index
        sql, values = rows_sql(actor, wanted, json_object(wanted))
        plan = [row[0] for row in await view.connection.fetch(f"EXPLAIN (VERBOSE, COSTS OFF) {sql}", *values)]
    sorts = [number for number, line in enumerate(plan) if line.endswith("Sort")]
    assert sorts
    assert not [plan[number + 1] for number in sorts if "||" in plan[number + 1]]
