"""Copying: rows as lines that PostgreSQL itself writes, by COPY, so that no row is an object of this process.

Each column's type says how it is written; the lines say what the pages of a list say.
"""

import asyncio
import struct
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, Literal

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.db import Connection
from guildhouse.kernel.exporting.wanted import Column, Wanted, columns_of, rows_sql
from guildhouse.kernel.formats import CSV, RUN_SIGNS

# COPY's binary format: what stands before all rows, in bytes; before each, the number of its columns and a text's size.
COPY_HEADER, ROW_HEADER = 19, struct.Struct("!hi")
# Code points that are compared first: the pattern itself is tried on few texts only.
FIRST_SIGNS = ", ".join(str(ord(sign)) for sign in dict.fromkeys(RUN_SIGNS.replace("\\-", "-") + "'"))
# Types whose text is JSON in quotes, and those whose text is JSON as it is.
QUOTED = (sa.Uuid, sa.Date, sa.DateTime)
AS_WRITTEN = (sa.Integer, sa.Numeric, sa.Float, sa.Boolean, JSONB)
QUOTE_SIGN = "'\"'"
PATTERN = "'^''*[" + RUN_SIGNS.replace("\\-", "") + "-]'"


def copied_lines(connection: Connection, actor: Actor, wanted: Wanted) -> AsyncIterator[bytes]:
    """The lines of a CSV without its header, or objects of JSON, one in each line; pieces end anywhere."""
    if wanted.form == CSV:
        cells = ", ".join(csv_cell(each) for each in columns_of(wanted))
        return copied(connection, *rows_sql(actor, wanted, cells), form="csv")
    return lines_of(copied(connection, *rows_sql(actor, wanted, json_object(wanted)), form="binary"))


def json_object(wanted: Wanted) -> str:
    """SQL of a row as JSON text, nested where it leads to another."""
    by_path = {column.path: column for column in columns_of(wanted)}
    members = {name: json_value(by_path[name]) for name in wanted.selection.fields}
    for name, child in wanted.selection.expand.items():
        nested = together(braced({each: json_value(by_path[f"{name}.{each}"]) for each in child.fields}))
        members[name] = (f"""CASE WHEN "{name}".id IS NULL THEN 'null' ELSE {nested} END""",)
    return together(braced(members))


def braced(members: Mapping[str, Sequence[str]]) -> list[str]:
    """Pieces of SQL of an object. Concatenation: a third of what the JSON functions cost."""
    pieces = [piece for name, value in members.items() for piece in (f"""',"{name}":'""", *value)]
    return ["'{'", pieces[0].replace(",", "", 1), *pieces[1:], "'}'"]


def together(pieces: Sequence[str]) -> str:
    """SQL of some texts as one; literals that are neighbours are one already."""
    texts: list[str] = []
    for piece in pieces:
        if texts and piece.startswith("'") and texts[-1].startswith("'"):
            texts[-1] = texts[-1][:-1] + piece[1:]
        else:
            texts.append(piece)
    return halved(texts)


def halved(texts: Sequence[str]) -> str:
    """SQL of some texts as one, by halves: one behind the other would copy all that went before with each of them."""
    if len(texts) < 3:
        return " || ".join(texts)
    middle = len(texts) // 2
    return f"({halved(texts[:middle])}) || ({halved(texts[middle:])})"


def json_value(column: Column) -> Sequence[str]:
    """Pieces of SQL of a value as JSON text."""
    if isinstance(column.type, QUOTED):
        pieces: Sequence[str] = (QUOTE_SIGN, written(column), QUOTE_SIGN)
    elif isinstance(column.type, AS_WRITTEN):
        pieces = (written(column),)
    else:
        pieces = (f"to_json({column.sql})::text",)
    return (f"coalesce({together(pieces)}, 'null')",) if column.nullable else pieces


def written(column: Column) -> str:
    """SQL of a value as text, without quotes."""
    if isinstance(column.type, sa.DateTime):
        text = f"""to_char({column.sql}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        return f"replace({text}, '.000000', '')"
    if isinstance(column.type, sa.Numeric):
        return f"{column.sql}::float8::text"
    return f"{column.sql}::text"


def csv_cell(column: Column) -> str:
    """SQL of a value as a cell: like `formats.cell`."""
    if isinstance(column.type, sa.ARRAY):
        return joined(column.sql)
    if isinstance(column.type, JSONB):  # a list of nothing is nothing here, too
        return f"CASE WHEN {column.sql} <> '[]' THEN {column.sql}::text END"
    return escaped(column.sql, column.sql) if isinstance(column.type, sa.String) else written(column)


def joined(sql: str) -> str:
    """SQL of a list as one text: like `formats.joined`. The first of its items tells whether a spreadsheet runs it."""
    text, torn = f"array_to_string({sql}, ';')", f"array_to_string({sql}, '')"
    return (
        f"CASE WHEN {torn} LIKE '%;%' OR {text} LIKE '[%' OR '' = ANY({sql}) OR array_position({sql}, NULL) > 0 "
        f"THEN to_json({sql})::text ELSE {escaped(text, f'{sql}[1]')} END"
    )


def escaped(sql: str, beginning: str) -> str:
    """SQL of a text that no spreadsheet runs; `beginning` is SQL of what begins as it does."""
    return f"CASE WHEN ascii({beginning}) IN ({FIRST_SIGNS}) AND {sql} ~ {PATTERN} THEN '''' || {sql} ELSE {sql} END"


async def lines_of(pieces: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    """The one text of each row as a line, out of COPY's binary format, in which PostgreSQL has nothing to escape."""
    got, begin = bytearray(), COPY_HEADER
    async for piece in pieces:
        got += piece
        lines = []
        while begin + ROW_HEADER.size <= len(got):
            end = begin + ROW_HEADER.size + ROW_HEADER.unpack_from(got, begin)[1]
            if end > len(got):
                break
            lines.append(got[begin + ROW_HEADER.size : end])
            begin = end
        if lines:
            del got[:begin]
            begin = 0
            yield b"\n".join((*lines, b""))


async def copied(
    connection: Connection, sql: str, values: list[Any], form: Literal["csv", "binary"]
) -> AsyncIterator[bytes]:
    """What COPY writes, in pieces; no more of them wait here than two. Whoever stops listening stops the COPY, too."""
    waiting: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(2)

    async def run() -> None:
        try:
            await connection.copy_from_query(sql, *values, output=waiting.put, format=form)
        except Exception as error:
            await waiting.put(error)
        else:
            await waiting.put(None)

    task = asyncio.create_task(run())
    try:
        while (piece := await waiting.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError, Exception):
            await task
