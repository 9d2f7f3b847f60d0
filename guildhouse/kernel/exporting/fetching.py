"""Fetching: rows as values, by a server-side cursor, for what PostgreSQL cannot write itself.

That is a workbook, a document, and fields with an audience of their own, which Python judges row by row.
"""

from collections.abc import AsyncIterator, Sequence

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.db import Connection
from guildhouse.kernel.exporting.wanted import Wanted
from guildhouse.kernel.formats import CSV, encode_csv, encode_lines
from guildhouse.kernel.pages import after
from guildhouse.kernel.row import Values
from guildhouse.kernel.select import columns_for, numbered, rendered, statement, visible

AT_A_TIME = 500


async def fetched_rows(connection: Connection, actor: Actor, wanted: Wanted) -> AsyncIterator[Sequence[Values]]:
    """The rows as the actor is answered, some at a time. The connection is in a transaction."""
    behind = [after(wanted.order, wanted.after)] if wanted.after else []
    columns = columns_for(wanted.resource, wanted.selection, wanted.order)
    sql, values = statement(wanted.resource, columns, [visible(actor), *wanted.where, *behind])
    order = ", ".join(each.sql(False) for each in wanted.order)
    limit = f" LIMIT {wanted.most}" if wanted.most else ""
    cursor = await connection.cursor(numbered(f"{sql} ORDER BY {order}{limit}"), *values)
    while records := await cursor.fetch(AT_A_TIME):
        yield await rendered(wanted.house, connection, wanted.resource, actor, records, wanted.selection)


async def fetched_lines(connection: Connection, actor: Actor, wanted: Wanted) -> AsyncIterator[bytes]:
    """The same lines that `copying.copied_lines` gives."""
    async for rows in fetched_rows(connection, actor, wanted):
        yield encode_csv(rows, wanted.paths) if wanted.form == CSV else encode_lines(rows)
