"""Settling: the task that judges an arrival, loads it, and takes it back.

Each is one transaction: killed at any moment, either nothing of it has happened, or all of it, and the row says which.
An archive is a file that anybody can write, so that it may bring only what the person could own and see there:

- the person themselves, as a plain member, and rows that are theirs by `owning.py`; one other refuses the archive;
- no fields that the person would not see; no memberships, which are an organization's to give;
- no new row in sight of an organization that is here: that organization's own export has it.
"""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any

from guildhouse.accounts.leaving.owning import owned
from guildhouse.accounts.moving_in.arrival import Arrival, archive_of, arrivals
from guildhouse.accounts.moving_in.unzipping import ArchiveRefused, Brings, Brought, read_archive
from guildhouse.accounts.person import Person, people
from guildhouse.kernel import bulk, problems, store
from guildhouse.kernel.actor import HOUSE, Actor
from guildhouse.kernel.bulk_writing import Judged, Line, Op, Outcome, write_judged
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note, savepoint
from guildhouse.kernel.errors import Fault, Problem, invalid
from guildhouse.kernel.files import aged
from guildhouse.kernel.importing import own_format
from guildhouse.kernel.importing.judging import faults_of
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.select import hidden_fields, numbered
from guildhouse.kernel.tasks import Schedule, Task, Work

MOST_FAULTS = 200
WAITING = timedelta(days=7)
VERDICTS = {"created": "create", "changed": "change", "unchanged": "same", "failed": "wrong"}


@dataclass
class Report:
    """What an archive brings: counts by noun, faults, and what was written for the way back."""

    counts: dict[str, dict[str, int]] = field(default_factory=dict)
    faults: list[dict[str, Any]] = field(default_factory=list)
    loaded: list[list[Any]] = field(default_factory=list)


class Tried(Exception):
    """Carries the report of a load out of the savepoint that undoes it."""

    def __init__(self, report: Report) -> None:
        self.report = report


async def settle(work: Work) -> None:
    """Do what the arrival's status says is to be done; nothing for one that rests."""
    async with work.writing() as ctx:
        row = await ctx.find(arrivals, work.row_id)
    if row is None or row.status not in ("judging", "applying", "taking_back"):
        return
    try:
        actor = await work.server.actor_of(row.person_id, row.narrowed)
        own_format.check_loader(actor)
        if row.status == "taking_back":
            await undo(work, row, actor)
        else:
            await bring(work, row, actor)
    except Problem as problem:
        if problem.retryable:
            raise
        await fail(work, row.status, problem)


async def bring(work: Work, row: Arrival, actor: Actor) -> None:
    """Judge the archive, or load it."""
    async with work.server.files.lent(archive_of(row.id)) as path:
        archive = await asyncio.to_thread(read_archive, path)
    note = Note(actor=actor.id, request_id=work.id, reason=f"arrival {row.id}")
    async with work.writing(note) as ctx:
        now = await ctx.find(arrivals, row.id, lock=True)
        if now is None or now.status != row.status:
            return
        ctx.actor = actor
        report = await (tried(ctx, archive) if row.status == "judging" else load(ctx, archive))
        ctx.actor = HOUSE
        await store.change(ctx, arrivals, now, {**told(archive, report, row.status), "finished_at": ctx.now},
                           verb="finished")  # fmt: skip


def told(archive: Brought, report: Report, status: str) -> dict[str, Any]:
    """The values of an arrival after this work."""
    manifest = archive.manifest
    if status == "judging":
        counts = {noun: {VERDICTS.get(k, k): n for k, n in each.items()} for noun, each in report.counts.items()}
        about = {"arriving_id": manifest.person.id, "arriving_name": manifest.person.name[:200],
                 "made_by": str(manifest.server.get("address"))[:200], "made_at": manifest.made_at[:40]}  # fmt: skip
        return {"status": "judged", "judged": counts, "faults": report.faults, **about}
    return {"status": "applied", "written": report.counts, "faults": report.faults, "loaded": report.loaded}


async def tried(ctx: Context, archive: Brought) -> Report:
    """What loading would do: it is done, and undone."""
    try:
        async with savepoint(ctx.connection):
            raise Tried(await load(ctx, archive))
    except Tried as tried_:
        return tried_.report


async def load(ctx: Context, archive: Brought) -> Report:
    """Load all that can be, noun after noun. Raises `ArchiveRefused` for what no honest take-out has."""
    report, whose = Report(), archive.manifest.person.id
    given = {each.name for grant in ctx.house.grants for each in grant.resources}
    for noun in archive.nouns:
        if noun not in ctx.house.paths:
            raise ArchiveRefused(faults=[Fault("", "unknown-rows", "it has rows of a noun that is not known here")])
    if people.path not in archive.nouns:
        raise not_own()
    for resource in ctx.house.resources.values():
        if resource.path not in archive.nouns:
            continue
        files = archive.nouns[resource.path]
        if resource.carry.stays or resource.name in given:
            report.counts[resource.path] = {"left": sum(len(each.rows) for each in files)}
            continue
        for each in files:
            about = each.about
            own_format.check_header(ctx.house, resource, str(about.get("resource")), list(about.get("fields") or ()))
        if resource is people:
            await load_person(ctx, files, whose, report)
        else:
            for each in files:
                await load_file(ctx, resource, each, whose, report)
    return report


async def load_person(ctx: Context, files: Sequence[Brings], whose: str, report: Report) -> None:
    """Load the person as a plain member; one who is here stays as they are. Raises what speaks against them."""
    rows = [row for each in files for row in each.rows]
    if [(row.get("id"), row.get(own_format.DELETED)) for row in rows] != [(whose, None)]:
        raise not_own()
    if await ctx.find(people, whose) is not None:
        report.counts[people.path] = {"unchanged": 1}
        return
    mine = replace(files[0], rows=[{**rows[0], "role": "member", "status": "active"}])
    await load_file(ctx, people, mine, whose, report)
    if report.faults:
        raise ArchiveRefused(
            faults=[Fault(e["pointer"], e["code"], e["detail"], e.get("values", {})) for e in report.faults]
        )


def not_own() -> ArchiveRefused:
    """What speaks against an archive with rows of somebody else."""
    return ArchiveRefused(faults=[Fault("", "not-own", "it has rows that are not the person's own")])


async def load_file(ctx: Context, resource: Resource[Any], file: Brings, whose: str, report: Report) -> None:
    """Load the rows of one file, and tell what became of them."""
    sorted_out = [await allowed(ctx, resource, row, whose) for row in file.rows]
    found = await own_format.load(ctx, resource, sorted_out)
    await check_owned(ctx, resource, [judged.after.id for outcome, judged in found if judged and outcome.id], whose)
    known = Counter(report.counts.get(resource.path))
    report.counts[resource.path] = dict(known + Counter(outcome.status for outcome, _ in found))
    for n, (outcome, judged) in enumerate(found):
        if outcome.problem is not None:
            faults = faults_of(outcome.problem)
            report.faults += [{"noun": resource.path, "file": file.path, "line": n + 2, **each} for each in faults]
        elif judged is not None:
            filled = None if outcome.status == "created" else changed(judged)
            report.loaded.append([resource.name, outcome.id, outcome.version, filled])
    del report.faults[MOST_FAULTS:]


def changed(judged: Judged) -> list[str]:
    """The fields that a load has filled in."""
    return [name for name in judged.before.__dict__ if judged.before.__dict__[name] != judged.after.__dict__[name]]


async def allowed(
    ctx: Context, resource: Resource[Any], said: Mapping[str, Any], whose: str
) -> Mapping[str, Any] | Problem:
    """The row as it is said, or what speaks against it."""
    try:
        after = own_format.scoped(resource, own_format.row_of(ctx, resource, said))
        before = await ctx.connection.fetchrow(f'SELECT * FROM "{resource.name}" WHERE id = $1', after.id)
        mine = scope("person", whose)
        if before is None or before["deleted_at"] is not None:
            await check_out_of_sight(ctx, after.scopes)
        if before is not None and before["deleted_at"] is not None and mine not in before["scopes"]:
            raise invalid(
                "/id", "id-taken", "a row with this id is here and says something else; it is not overwritten"
            )
        person = Actor(whose, frozenset({mine}), frozenset())
        unseen = [name for name in hidden_fields(resource, person, after.__dict__) if getattr(after, name) is not None]
        if mine not in after.scopes or unseen:
            raise not_own()
    except ArchiveRefused:
        raise
    except Problem as problem:
        return problem
    return said


async def check_out_of_sight(ctx: Context, scopes: Sequence[str]) -> None:
    """Raise where a new row would come into sight of a group that is here: it is not the archive's to say so."""
    nouns = {resource.singular: resource for resource in ctx.house.resources.values()}
    for each in scopes:
        kind, _, rest = each.partition(":")
        row_id, _, part = rest.partition(":")
        if kind in nouns and part and await ctx.find(nouns[kind], row_id) is not None:
            raise invalid("", "known-here", "this is between the person and an organization that is here: load the "
                          "organization's own export, which has this row")  # fmt: skip


async def check_owned(ctx: Context, resource: Resource[Any], ids: Sequence[str], whose: str) -> None:
    """Raise unless all these rows, written a moment ago, are the person's own."""
    record = await ctx.connection.fetchrow(f'SELECT * FROM "{people.name}" WHERE id = $1', whose)
    own = owned(ctx.house, resource, Person.of(record)) if record else None
    if not ids or record is None:
        return
    if own is None:
        raise not_own()
    sql = numbered(f'SELECT count(*) FROM "{resource.name}" WHERE id = ANY(?) AND {own.sql}')
    if await ctx.connection.fetchval(sql, list(ids), *own.values) != len(set(ids)):
        raise not_own()


async def undo(work: Work, row: Arrival, actor: Actor) -> None:
    """Take back what was loaded, the last noun first."""
    note = Note(actor=actor.id, request_id=work.id, reason=f"arrival {row.id}")
    async with work.writing(note) as ctx:
        now = await ctx.find(arrivals, row.id, lock=True)
        if now is None or now.status != "taking_back":
            return
        ctx.actor = actor
        counts: dict[str, dict[str, int]] = {}
        for name in reversed(list(dict.fromkeys(each[0] for each in now.loaded))):
            resource = ctx.house.resources[name]
            counts[resource.path] = await undo_noun(ctx, resource, [each for each in now.loaded if each[0] == name])
        ctx.actor = HOUSE
        values = {"status": "taken_back", "taken_back": counts, "finished_at": ctx.now}
        await store.change(ctx, arrivals, now, values, verb="finished")


async def undo_noun(ctx: Context, resource: Resource[Any], loaded: Sequence[Sequence[Any]]) -> dict[str, int]:
    """Take back the rows of one noun that nobody has changed since; how many of each."""
    records = await ctx.connection.fetch(bulk.ids_sql(resource), [each[1] for each in loaded])
    rows = {record["id"]: resource.table.of(record) for record in records}
    judged: list[Judged] = []
    counts: Counter[str] = Counter()
    for _, row_id, version, filled in loaded:
        row = rows.get(row_id)
        if row is None or row.version != version:
            counts["gone" if row is None else "changed_since"] += 1
            continue
        values = dict.fromkeys(filled) if filled else {"deleted_at": ctx.now}
        after = own_format.changed_to(resource, row, values)
        judged.append(Judged(Line(len(judged), Op(op="change", id=row_id), None), "changed", row, after))
    outcomes = [Outcome("failed") for _ in judged]
    await write_judged(ctx, resource, judged, outcomes, own_format.TAKEN_BACK)
    counts.update("failed" if each.status == "failed" else "taken_back" for each in outcomes)
    return dict(counts)


async def fail(work: Work, was: str, problem: Problem) -> None:
    """Close an arrival that cannot be worked on."""
    async with work.writing() as ctx:
        row = await ctx.find(arrivals, work.row_id, lock=True)
        if row is not None and row.status == was:
            body = await work.told(problem, row.person_id)
            await store.change(ctx, arrivals, row, {"status": "failed", "problem": body, "finished_at": ctx.now},
                               verb="finished")  # fmt: skip


async def give_up(work: Work, error: Exception) -> None:
    """The task failed for good: the arrival says so."""
    problem = error if isinstance(error, Problem) else problems.from_driver(error)
    for status in ("judging", "applying", "taking_back"):
        await fail(work, status, problem)


async def remove_files(work: Work) -> None:
    """Remove the archive of an arrival that needs it no more: it was loaded, cannot be, or is gone."""
    async with work.server.database.reading() as connection:
        status = await connection.fetchval(
            f'SELECT status FROM "{arrivals.name}" WHERE id = $1 AND deleted_at IS NULL', work.row_id
        )
    if status not in ("judging", "judged", "applying"):
        await work.server.files.remove(archive_of(work.row_id))


async def sweep(work: Work) -> None:
    """Remove arrivals that nobody has loaded for a week, and archives of uploads that a crash cut off."""
    found = await aged(work.server.files, arrivals.name)
    async with work.writing() as ctx:
        records = await ctx.connection.fetch(
            f"SELECT * FROM \"{arrivals.name}\" WHERE status = 'judged' AND finished_at < $1 AND deleted_at IS NULL",
            ctx.now - WAITING,
        )
        for record in records:
            await store.remove(ctx, arrivals, Arrival.of(record), verb="removed")
        kept = {record["id"] for record in await ctx.connection.fetch(f'SELECT id FROM "{arrivals.name}"')}
    for name, owner in found:
        if owner not in kept:
            await work.server.files.remove(name)


SWEEP = Task("sweep-arrivals", sweep)
GONE = ("arrival.finished", "arrival.removed", "arrival.purged", "arrival.erased")
tasks = (
    Task("settle-arrival", settle, on=("arrival.created", "arrival.started"), give_up=give_up),
    Task("remove-arrival-files", remove_files, on=GONE),
    SWEEP,
)
schedules = (Schedule(SWEEP, "47 3 * * *"),)
