"""Keeping: the life of a file that is made in the background, of any resource whose rows have one each.

Such a row has a `status` from queued to done, `parts` and their `size`, and `expires_at`. Its file is kept for a week, and
goes with the row.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, TypeVar

from guildhouse.kernel import problems, store
from guildhouse.kernel.actor import HOUSE
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import Problem
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.select import LIVE, in_sight, numbered, statement
from guildhouse.kernel.tasks import Schedule, Task, Work

KEPT = timedelta(days=7)
AT_A_TIME = 100
R = TypeVar("R", bound=Row)


class Stopped(Exception):
    """The file is not wanted any more: its row was cancelled or removed while it was made."""


async def files_of(ctx: Context, resource: Resource[Any], person_id: str) -> tuple[int, int]:
    """How many files a person has of a resource, and how many of them are being made."""
    where = (in_sight(resource, [scope("person", person_id)]), Condition("person_id = ?", (person_id,)), LIVE)
    sql, values = statement(resource, "count(*), count(*) FILTER (WHERE status IN ('queued', 'running'))", where)
    found = await ctx.connection.fetchrow(numbered(sql), *values)
    assert found
    return found[0], found[1]


def part_name(resource: Resource[Any], row_id: str, number: int) -> str:
    """Where a part of a row's file is kept."""
    return f"{resource.name}/{row_id}/{number:06}"


@dataclass(frozen=True)
class Keeper(Generic[R]):
    """Begins, notes and ends the making of files for the rows of one resource, and removes them."""

    resource: Resource[R]

    async def make(self, work: Work, write: Callable[[Work, R], Awaitable[None]]) -> None:
        """Make the file of a row by `write`, from where an earlier run has come to."""
        row = await self.started(work)
        if row is None:
            return
        try:
            await write(work, row)
        except Stopped:
            await self.remove_files(work)
        except Problem as problem:
            if problem.retryable:
                raise
            await self.finish(work, "failed", problem)

    async def started(self, work: Work) -> R | None:
        """The row, now running; None when it was cancelled, removed, or is done."""
        async with work.writing() as ctx:
            row: Any = await ctx.find(self.resource, work.row_id, lock=True)
            if row is None or row.status not in ("queued", "running"):
                return None
            values = {"status": "running", "started_at": row.started_at or ctx.now}
            running: R = await store.change(ctx, self.resource, row, values, verb="started")
            return running

    async def noted(self, work: Work, values: dict[str, Any]) -> R:
        """The row with its progress. Raises `Stopped` where it is not running any more."""
        async with work.writing() as ctx:
            row: Any = await ctx.find(self.resource, work.row_id, lock=True)
            if row is None or row.status != "running":
                raise Stopped
            return await store.change(ctx, self.resource, row, values, verb="progressed")

    async def finish(self, work: Work, status: str, problem: Problem | None = None) -> None:
        """Close the row, unless it was cancelled meanwhile; what is not done has no file."""
        async with work.writing() as ctx:
            row: Any = await ctx.find(self.resource, work.row_id, lock=True)
            if row is not None and row.status in ("queued", "running"):
                body = await work.told(problem, row.person_id)
                values = {"status": status, "finished_at": ctx.now, "expires_at": ctx.now + KEPT, "problem": body}
                row = await store.change(ctx, self.resource, row, values, verb="finished")
        if row is None or row.status != "done":
            await self.remove_files(work)

    async def give_up(self, work: Work, error: Exception) -> None:
        """The task failed for good: the row says so."""
        await self.finish(work, "failed", error if isinstance(error, Problem) else problems.from_driver(error))

    async def remove_files(self, work: Work) -> None:
        """Remove all parts of a row's file; also of one of which nothing but a beginning was written."""
        names = await work.server.files.names(f"{self.resource.name}/{work.row_id}/")
        for name in (*names, part_name(self.resource, work.row_id, 0)):
            await work.server.files.remove(name)

    async def remove_expired(self, work: Work) -> None:
        """Remove the rows whose week is over; their files go with them."""
        removed = AT_A_TIME
        while removed == AT_A_TIME:
            async with work.writing() as ctx:
                records = await ctx.connection.fetch(
                    f'SELECT * FROM "{self.resource.name}" WHERE expires_at < $1 AND deleted_at IS NULL '
                    f"ORDER BY expires_at LIMIT {AT_A_TIME} FOR UPDATE SKIP LOCKED",
                    ctx.now,
                )
                ctx.actor = HOUSE
                for record in records:
                    await store.remove(ctx, self.resource, self.resource.table.of(record), verb="removed")
            removed = len(records)

    @property
    def tasks(self) -> Sequence[Task]:
        """What removes files: with their rows, and by the clock."""
        noun = self.resource.singular
        gone = tuple(f"{noun}.{verb}" for verb in ("cancelled", "removed", "purged", "erased"))
        return (
            Task(f"remove-{noun}-files", self.remove_files, on=gone),
            Task(f"remove-expired-{self.resource.path}", self.remove_expired),
        )

    @property
    def schedules(self) -> Sequence[Schedule]:
        """When it is looked for those whose week is over."""
        return (Schedule(self.tasks[1], "27 * * * *"),)
