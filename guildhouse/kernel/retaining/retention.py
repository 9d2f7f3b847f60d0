"""Retention: what leaves by itself. Rows after their declared days, the trash after its days, answers kept for retries,
and files of which a killed server wrote but a beginning.
"""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import structlog

from guildhouse.kernel import idempotency, store
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import savepoint
from guildhouse.kernel.errors import Problem
from guildhouse.kernel.files import Directory
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.retaining.shelving import shelve
from guildhouse.kernel.row import Row
from guildhouse.kernel.tasks import Schedule, Task, Work

log = structlog.get_logger()
AT_A_TIME = 500
REPORT_DAYS = 30
HALF_WRITTEN = timedelta(hours=3)  # nobody writes one file for longer
NIL = str(UUID(int=0))


async def remove_old(work: Work) -> None:
    """Move to the trash what is older than its declaration keeps it; what is held stays."""
    for resource in work.server.house.resources.values():
        if resource.keep.total_days is not None:
            last: str | None = NIL
            while last is not None:
                last = await remove_some(work, resource, last)


async def remove_some(work: Work, resource: Resource[Any], after: str) -> str | None:
    """Remove some old rows of one noun; says after which to go on, or None at the end."""
    async with work.writing() as ctx:
        records = await ctx.connection.fetch(
            f'SELECT * FROM "{resource.name}" WHERE {old(resource)} AND hold_on($2, id, scopes) IS NULL AND id > $3 '
            f"ORDER BY id LIMIT {AT_A_TIME} FOR NO KEY UPDATE SKIP LOCKED",
            resource.keep.total_days,
            resource.name,
            after,
        )
        for record in records:
            try:
                await store.remove(ctx, resource, resource.table.of(record), verb="removed")
            except Problem as problem:
                log.info("old, and not removed", resource=resource.name, id=record["id"], why=problem.code())
    return records[-1]["id"] if len(records) == AT_A_TIME else None


def old(resource: Resource[Any]) -> str:
    """SQL: a live row is older than its noun's days, which are the first parameter."""
    return f'deleted_at IS NULL AND "{resource.keep.since}" < now() - make_interval(days => $1)'


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
        await shelve(work, ctx)
    return records[-1]["id"] if len(records) == AT_A_TIME else None


async def purge_one(ctx: Context, resource: Resource[Any], row: Row) -> None:
    """Purge a row, unless other rows still lead to it, or a hold keeps it, or one that would go with it."""
    try:
        async with savepoint(ctx.connection):
            await store.purge(ctx, resource, row, verb="purged")
    except (asyncpg.ForeignKeyViolationError, asyncpg.RestrictViolationError) as error:
        log.info("kept in the trash", resource=resource.name, id=row.id, why=error.constraint_name)


async def forget_answers(work: Work) -> None:
    """Delete the answers kept for retried requests, and the input and reports of old operations that nothing holds."""
    async with work.writing() as ctx:
        await ctx.connection.execute(
            "DELETE FROM idempotency_keys WHERE created_at < now() - make_interval(hours => $1)", idempotency.HOURS
        )
        await ctx.connection.execute(
            "DELETE FROM operation_chunks c USING operations o WHERE o.id = c.operation_id "
            "AND o.finished_at < now() - make_interval(days => $1) AND hold_on('operations', o.id, o.scopes) IS NULL",
            REPORT_DAYS,
        )


async def tidy_files(work: Work) -> None:
    """Remove what was half written when a server was killed; whatever it was, its writer has begun anew."""
    if isinstance(work.server.files, Directory):
        await work.server.files.tidy("", datetime.now(UTC) - HALF_WRITTEN)


REMOVE_OLD = Task("remove-old", remove_old)
PURGE_TRASH = Task("purge-trash", purge_trash)
FORGET_ANSWERS = Task("forget-answers", forget_answers)
TIDY_FILES = Task("tidy-files", tidy_files)
tasks = (REMOVE_OLD, PURGE_TRASH, FORGET_ANSWERS, TIDY_FILES)
schedules = (
    Schedule(REMOVE_OLD, "7 3 * * *"),
    Schedule(PURGE_TRASH, "17 3 * * *"),
    Schedule(FORGET_ANSWERS, "47 * * * *"),
    Schedule(TIDY_FILES, "52 * * * *"),
)
