"""Fetching: rows as values, by a server-side cursor, for what PostgreSQL cannot write itself.

That is a workbook, a document, and fields with an audience of their own, which Python judges row by row.
"""

from collections.abc import AsyncIterator, Sequence

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.db import Connection
from guildhouse.kernel.exporting.wanted import Wanted, in_order, shown
from guildhouse.kernel.formats import CSV, encode_csv, encode_lines
from guildhouse.kernel.row import Values
from guildhouse.kernel.select import columns_for, numbered, rendered, statement

AT_A_TIME = 500


async def fetched_rows(connection: Connection, actor: Actor, wanted: Wanted) -> AsyncIterator[Sequence[Values]]:
    """The rows as the actor is answered, some at a time. The connection is in a transaction."""
    columns = columns_for(wanted.resource, wanted.selection, wanted.order)
    sql, values = statement(wanted.resource, columns, shown(actor, wanted), wanted.around)
    cursor = await connection.cursor(numbered(sql + in_order(wanted)), *values)
    while records := await cursor.fetch(AT_A_TIME):
        yield await rendered(wanted.house, connection, wanted.resource, actor, records, wanted.selection)


async def fetched_lines(connection: Connection, actor: Actor, wanted: Wanted) -> AsyncIterator[bytes]:
    """The same lines that `copying.copied_lines` gives."""
    async for rows in fetched_rows(connection, actor, wanted):
        yield encode_csv(rows, wanted.paths) if wanted.form == CSV else encode_lines(rows)
