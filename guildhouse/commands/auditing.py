"""Auditing by hand: walks the whole log, tells how far it is, and ends with a verdict."""

import asyncpg

from guildhouse.app import HOUSE
from guildhouse.commands.joining import Say
from guildhouse.kernel.db import SESSION
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.log import audit


async def verify(dsn: str, say: Say) -> None:
    """Prove the log and the rows; raises `NotDone` with the first fault of the log, or with all those of the rows."""
    connection = await asyncpg.connect(dsn, server_settings=SESSION)
    try:
        report = await audit.verify(connection, lambda pos: tell(pos, say))
        if report.fault:
            raise NotDone(f"The log cannot be trusted: {report.fault}.")
        rows = await audit.versions(connection, [each.sql_table for each in HOUSE.resources.values()])
        if rows:
            raise NotDone("Rows were written behind the log's back:\n  " + "\n  ".join(rows))
    finally:
        await connection.close()
    say(
        f"The log is whole and unaltered: {report.positions:,} positions, {len(report.erased):,} of them erased by right."
    )
    say(f"Every row is at the version of its last change. Keep this link elsewhere: {report.link.hex() or 'none yet'}")


def tell(pos: int, say: Say) -> None:
    """Now and then, how far the walk has come."""
    if pos % 100_000 < audit.BATCH:
        say(f"Up to position {pos:,} all is well.")
