"""Shelving: what a purge takes away is written to files first, if the house keeps such files; and they go in their time.

A file is on the disk before the purge is committed. One that belongs to nothing, because a server was killed in between,
is swept up within a day.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.exporting.wanted import own_fields
from guildhouse.kernel.files import Files, NoSuchFile, Stored, aged
from guildhouse.kernel.formats import OWN_VERSION, dumps
from guildhouse.kernel.history import typed
from guildhouse.kernel.ids import new_id
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.retaining.retained_file import RetainedFile, place_of, retained_files
from guildhouse.kernel.scopes import PERSON, persons_in
from guildhouse.kernel.tasks import Schedule, Task, Work

AT_A_TIME = 100


async def shelve(work: Work, ctx: Context) -> None:
    """Keep what this transaction has purged, and what went with it by foreign keys, as one file for each noun."""
    days = work.server.config.keep_purged_days
    if not days:
        return
    gone = [each for each in await changes.of_transaction(ctx.connection) if each.verb == "purged"]
    gone.sort(key=lambda each: (each.resource, each.row_id))
    for name, rows in groupby(gone, key=lambda each: each.resource):
        resource = ctx.house.resources[name]
        if resource.keep.shelve:
            await shelve_rows(work.server.files, ctx, resource, list(rows), ctx.now + timedelta(days=days))


async def shelve_rows(
    files: Files, ctx: Context, resource: Resource[Any], rows: Sequence[Change], until: datetime
) -> None:
    """One file, and the row that tells of it."""
    file_id = new_id()
    stored = await files.write(
        place_of(file_id, 0), lines(opening(resource), [line_of(resource, each) for each in rows])
    )
    await store.create(ctx, retained_files, {
        "id": file_id, "resource": resource.name, "total": len(rows), "size": stored.size, "sha256": stored.sha256,
        "expires_at": until, "persons": lines_of_persons(rows),
    }, verb="created")  # fmt: skip


def opening(resource: Resource[Any]) -> bytes:
    """The first line, as an export in the house's own format has it."""
    return dumps({"guildhouse": OWN_VERSION, "resource": resource.name, "fields": own_fields(resource)})


def line_of(resource: Resource[Any], gone: Change) -> bytes:
    """A row that was purged, out of the log."""
    values: Mapping[str, Any] = {**typed(resource, gone.before or {}), "id": gone.row_id}
    return dumps({name: values.get(name) for name in own_fields(resource)})


async def lines(first: bytes, rest: Sequence[bytes]) -> AsyncIterator[bytes]:
    """Lines as a file's bytes."""
    for line in (first, *rest):
        yield line + b"\n"


def lines_of_persons(rows: Sequence[Change]) -> dict[str, list[int]]:
    """Whose rows they are, by right of whom they were seen, or from whom they were kept: the lines of each person."""
    found: dict[str, list[int]] = defaultdict(list)
    for n, row in enumerate(rows):
        for each in persons_in(row.scopes_before or ()):
            found[each.removeprefix(PERSON)].append(n)
    return dict(found)


async def forget_person(work: Work, person_id: str) -> None:
    """Take the rows of somebody who was erased out of all files."""
    async with work.server.database.reading() as connection:
        sql = f'SELECT id FROM "{retained_files.name}" WHERE persons ? $1'
        found = [record["id"] for record in await connection.fetch(sql, person_id)]
    for file_id in found:
        await forget_in(work, file_id, person_id)


async def forget_in(work: Work, file_id: str, person_id: str) -> None:
    """Take somebody out of one file; the edition that they are in goes once the next one counts."""
    async with work.writing() as ctx:
        record = await ctx.connection.fetchrow(
            f'SELECT * FROM "{retained_files.name}" WHERE id = $1 AND persons ? $2 FOR NO KEY UPDATE',
            file_id,
            person_id,
        )
        if record is None:
            return
        row = RetainedFile.of(record)
        try:
            values = await without(work.server.files, row, person_id)
        except NoSuchFile:  # nothing is left to be taken out of it
            values = {"persons": {each: ns for each, ns in row.persons.items() if each != person_id}}
        await store.change(ctx, retained_files, row, values, verb="forgot")
    await work.server.files.remove(place_of(row.id, row.edition))


async def without(files: Files, row: RetainedFile, person_id: str) -> dict[str, Any]:
    """The next edition of a file, in which a person's lines are left out; what its row says then."""
    pieces = [piece async for piece in files.read(place_of(row.id, row.edition))]
    first, *rest = b"".join(pieces).splitlines()
    erased = set(row.persons[person_id])
    left = [n for n in range(len(rest)) if n not in erased]
    new_place = {old: new for new, old in enumerate(left)}
    persons = {each: [new_place[n] for n in ns if n in new_place] for each, ns in row.persons.items()}
    stored: Stored = await files.write(place_of(row.id, row.edition + 1), lines(first, [rest[n] for n in left]))
    return {
        "edition": row.edition + 1, "total": len(left), "size": stored.size, "sha256": stored.sha256,
        "persons": {each: ns for each, ns in persons.items() if ns},
    }  # fmt: skip


async def remove_expired(work: Work) -> None:
    """Remove the files whose time is over, for good."""
    removed = AT_A_TIME
    while removed == AT_A_TIME:
        async with work.writing() as ctx:
            records = await ctx.connection.fetch(
                f'SELECT * FROM "{retained_files.name}" WHERE expires_at < $1 '
                f"ORDER BY expires_at LIMIT {AT_A_TIME} FOR UPDATE SKIP LOCKED",
                ctx.now,
            )
            for record in records:
                row = RetainedFile.of(record)
                if row.deleted_at is None:
                    row = await store.remove(ctx, retained_files, row, verb="removed")
                await store.purge(ctx, retained_files, row, verb="purged")
        removed = len(records)


async def remove_files(work: Work) -> None:
    """Remove what is kept of a file whose row was purged."""
    for name in await work.server.files.names(f"retention/{work.row_id}/"):
        await work.server.files.remove(name)


async def sweep_files(work: Work) -> None:
    """Remove files that belong to no row, or are an older edition: what was left when a server was killed."""
    found = await aged(work.server.files, "retention")
    async with work.server.database.reading() as connection:
        records = await connection.fetch(f'SELECT id, edition FROM "{retained_files.name}"')
    kept = {place_of(record["id"], record["edition"]) for record in records}
    for name, _ in found:
        if name not in kept:
            await work.server.files.remove(name)


REMOVE_EXPIRED = Task("remove-expired-files", remove_expired)
SWEEP = Task("sweep-retained-files", sweep_files)
tasks = (REMOVE_EXPIRED, SWEEP, Task("remove-retained-files", remove_files, on=("retained_file.purged",)))
schedules = (Schedule(REMOVE_EXPIRED, "7 4 * * *"), Schedule(SWEEP, "57 4 * * *"))
