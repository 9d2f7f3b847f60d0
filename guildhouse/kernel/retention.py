"""Retention: what leaves by itself. The trash after its days, answers kept for retries after theirs."""

from typing import Any
from uuid import UUID

import asyncpg
import structlog

from guildhouse.kernel import idempotency, store
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import savepoint
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import Row
from guildhouse.kernel.tasks import Schedule, Task, Work

log = structlog.get_logger()
AT_A_TIME = 500
REPORT_DAYS = 30
NIL = str(UUID(int=0))


async def purge_trash(work: Work) -> None:
    """Delete for good what was removed longer ago than its declaration keeps it."""
    for resource in work.server.house.resources.values():
        if resource.keep.trash_days is not None:
            last: str | None = NIL
            while last is not None:
                last = await purge_some(work, resource, resource.keep.trash_days, last)


async def purge_some(work: Work, resource: Resource[Any], days: int, after: str) -> str | None:
    """Purge some rows of one trash, in the order of their ids; says after which to go on, or None at the end."""
    async with work.writing() as ctx:
        records = await ctx.connection.fetch(
            f'SELECT * FROM "{resource.name}" WHERE deleted_at < now() - make_interval(days => $1) AND id > $2 '
            f"ORDER BY id LIMIT {AT_A_TIME} FOR UPDATE SKIP LOCKED",
            days,
            after,
        )
        for record in records:
            await purge_one(ctx, resource, resource.table.of(record))
    return records[-1]["id"] if len(records) == AT_A_TIME else None


async def purge_one(ctx: Context, resource: Resource[Any], row: Row) -> None:
    """Purge a row, unless other rows still lead to it."""
    try:
        async with savepoint(ctx.connection):
            await store.purge(ctx, resource, row, verb="purged")
    except asyncpg.ForeignKeyViolationError:
        log.info("kept in the trash: still referenced", resource=resource.name, id=row.id)


async def forget_answers(work: Work) -> None:
    """Delete the answers kept for retried requests, and the input and reports of old operations."""
    async with work.writing() as ctx:
        await ctx.connection.execute(
            "DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(hours => $1)", idempotency.HOURS
        )
        await ctx.connection.execute(
            "DELETE FROM operation_chunks c USING operations o WHERE o.id = c.operation_id "
            "AND o.finished_at < now() - make_interval(days => $1)",
            REPORT_DAYS,
        )


PURGE_TRASH = Task("purge-trash", purge_trash)
FORGET_ANSWERS = Task("forget-answers", forget_answers)
schedules = (Schedule(PURGE_TRASH, "17 3 * * *"), Schedule(FORGET_ANSWERS, "47 * * * *"))
