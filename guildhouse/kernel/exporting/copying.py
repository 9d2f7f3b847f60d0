"""Copying: rows as lines that PostgreSQL itself writes, by COPY, so that no row is an object of this process.

Each column's type says how it is written; the lines say what the pages of a list say.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.db import Connection
from guildhouse.kernel.exporting.wanted import Column, Wanted, columns_of, rows_sql
from guildhouse.kernel.formats import CSV, RUN_SIGNS

# As CSV with signs that JSON text never holds, its lines come out as they are.
QUOTE, DELIMITER = "\x01", "\x02"
# Code points that are compared first: the pattern itself is tried on few texts only.
FIRST_SIGNS = ", ".join(str(ord(sign)) for sign in dict.fromkeys(RUN_SIGNS.replace("\\-", "-") + "'"))
PATTERN = "'^''*[" + RUN_SIGNS.replace("\\-", "") + "-]'"


def copied_lines(connection: Connection, actor: Actor, wanted: Wanted) -> AsyncIterator[bytes]:
    """The lines of a CSV without its header, or objects of JSON, one in each line; pieces end anywhere."""
    if wanted.form == CSV:
        cells = ", ".join(csv_cell(each) for each in columns_of(wanted))
        return copied(connection, *rows_sql(actor, wanted, cells))
    return copied(connection, *rows_sql(actor, wanted, json_object(wanted)), as_is=True)


def json_object(wanted: Wanted) -> str:
    """SQL of a row as JSON text, nested where it leads to another."""
    by_path = {column.path: column for column in columns_of(wanted)}
    members = [f"'{name}', {json_value(by_path[name])}" for name in wanted.selection.fields]
    for name, child in wanted.selection.expand.items():
        nested = braced([f"'{each}', {json_value(by_path[f'{name}.{each}'])}" for each in child.fields])
        members.append(f"""'{name}', CASE WHEN "{name}".id IS NULL THEN 'null' ELSE {nested} END""")
    return braced(members)


def braced(members: list[str]) -> str:
    """SQL of an object out of pairs `'name', value`. Concatenation: a third of what the JSON functions cost."""
    pieces = [member.partition(", ") for member in members]
    pairs = [f"""'"{name[1:-1]}":' || {value}""" for name, _, value in pieces]
    return ("'{' || " + " || ',' || ".join(pairs) + " || '}'").replace("' || '", "")  # neighbouring texts are one


def json_value(column: Column) -> str:
    """SQL of a value as JSON text."""
    sql = written(column, quoted=True)
    return f"coalesce({sql}, 'null')" if column.nullable else sql


def written(column: Column, *, quoted: bool) -> str:
    """SQL of a value as text; as JSON what is no number is `quoted`."""
    kind, sql = column.type, column.sql
    mark = "'\"'" if quoted else "''"
    if isinstance(kind, sa.Uuid | sa.Date):
        return f"{mark} || {sql} || {mark}"
    if isinstance(kind, sa.DateTime):
        text = f"""to_char({sql}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""
        return f"{mark} || replace({text}, '.000000', '') || {mark}"
    if isinstance(kind, sa.Numeric):
        return f"{sql}::float8::text"
    if isinstance(kind, sa.Integer | sa.Boolean | JSONB):
        return f"{sql}::text"
    return f"to_json({sql})::text" if quoted else sql


def csv_cell(column: Column) -> str:
    """SQL of a value as a cell: like `formats.cell`."""
    if isinstance(column.type, sa.ARRAY):
        return escaped(f"({joined(column.sql)})")
    if isinstance(column.type, JSONB):  # a list of nothing is nothing here, too
        return f"CASE WHEN {column.sql} <> '[]' THEN {column.sql}::text END"
    return escaped(column.sql) if isinstance(column.type, sa.String) else written(column, quoted=False)


def joined(sql: str) -> str:
    """SQL of a list as one text: like `formats.joined`."""
    text, torn = f"array_to_string({sql}, ';')", f"array_to_string({sql}, '')"
    return (
        f"CASE WHEN {torn} LIKE '%;%' OR {text} LIKE '[%' OR '' = ANY({sql}) OR array_position({sql}, NULL) > 0 "
        f"THEN to_json({sql})::text ELSE {text} END"
    )


def escaped(sql: str) -> str:
    """SQL of a text that no spreadsheet runs."""
    return f"CASE WHEN ascii({sql}) IN ({FIRST_SIGNS}) AND {sql} ~ {PATTERN} THEN '''' || {sql} ELSE {sql} END"


async def copied(connection: Connection, sql: str, values: list[Any], *, as_is: bool = False) -> AsyncIterator[bytes]:
    """What COPY writes, in pieces; no more of them wait here than two. Whoever stops listening stops the COPY, too."""
    waiting: asyncio.Queue[bytes | Exception | None] = asyncio.Queue(2)
    quote, delimiter = (QUOTE, DELIMITER) if as_is else (None, None)

    async def run() -> None:
        try:
            await connection.copy_from_query(
                sql, *values, output=waiting.put, format="csv", quote=quote, delimiter=delimiter
            )
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
