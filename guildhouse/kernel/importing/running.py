"""Running: the task that reads, judges, applies and takes back imports, as their status says.

Whatever is left to do is found in the database: an import's status, and its chunks without a result of that kind.
"""

from guildhouse.kernel import problems, store
from guildhouse.kernel.actor import Actor
from guildhouse.kernel.errors import Problem
from guildhouse.kernel.files import aged
from guildhouse.kernel.importing import applying, judging, taking_back
from guildhouse.kernel.importing.import_ import Import, imports
from guildhouse.kernel.importing.unpacking import rows_of, run_reading, upload_of
from guildhouse.kernel.tasks import Schedule, Task, Work

# What each kind of work leaves in a chunk, and the status at its end.
LEFT = {"judging": "verdicts", "applying": "outcomes", "taking_back": "returns"}
ENDS = {"judging": "judged", "applying": "applied", "taking_back": "taken_back"}
ORDER = {"taking_back": "DESC"}
Place = tuple[int, int, int]


async def run_import(work: Work) -> None:
    """Do what the import's status says is to be done, after a crash what is left of it; nothing for one that rests."""
    row = await standing(work)
    if row is None or row.status not in ("reading", *LEFT):
        return
    try:
        if row.status == "reading":
            await run_reading(work, row)
        else:
            await run_chunks(work, row, await work.server.actor_of(row.person_id, row.narrowed))
    except Problem as problem:
        if problem.retryable:
            raise
        await finish(work, row.id, row.status, "failed", problem)


async def standing(work: Work) -> Import | None:
    """The import as it is now."""
    async with work.writing() as ctx:
        return await ctx.find(imports, work.row_id)


async def run_chunks(work: Work, row: Import, actor: Actor) -> None:
    """Chunk after chunk, until all are done or somebody cancels."""
    places = await open_chunks(work, row)
    if row.status == "applying" and row.mode == "atomic":
        await applying.run_atomic(work, row, actor, places)
    else:
        for place in places:
            if not await run_chunk(work, row, actor, place):
                return
    await finish(work, row.id, row.status, ENDS[row.status])


async def run_chunk(work: Work, row: Import, actor: Actor, place: Place) -> bool:
    """One chunk, as the import's status says; False when it is to stop."""
    if row.status == "judging":
        return await judging.run_judging(work, row, actor, *place)
    if row.status == "applying":
        return await applying.run_applying(work, row, actor, place)
    return await taking_back.run_taking_back(work, row, actor, place[0])


async def open_chunks(work: Work, row: Import) -> list[Place]:
    """Where the chunks stand for which this is still to be done."""
    left = LEFT[row.status]
    written = "AND outcomes IS NOT NULL" if row.status == "taking_back" else ""
    async with work.server.database.reading() as connection:
        records = await connection.fetch(
            f"SELECT number, start, length FROM import_chunks WHERE import_id = $1 AND {left} IS NULL {written} "
            f"ORDER BY number {ORDER.get(row.status, '')}",
            row.id,
        )
    return [(record["number"], record["start"], record["length"]) for record in records]


async def finish(work: Work, import_id: str, was: str, status: str, problem: Problem | None = None) -> None:
    """Close this part of the work, unless it was cancelled meanwhile."""
    async with work.writing() as ctx:
        row = await ctx.find(imports, import_id, lock=True)
        if row is None or row.status != was:
            return
        values = {"status": status, "finished_at": ctx.now, "problem": await work.told(problem, row.person_id)}
        await store.change(ctx, imports, row, values, verb="finished")


async def give_up(work: Work, error: Exception) -> None:
    """The task failed for good: the import says so."""
    row = await standing(work)
    if row is not None and row.status in ("reading", *LEFT):
        problem = error if isinstance(error, Problem) else problems.from_driver(error)
        await finish(work, row.id, row.status, "failed", problem)


async def remove_files(work: Work) -> None:
    """Remove the files of an import that was purged, or erased with its person."""
    for name in (upload_of(work.row_id), rows_of(work.row_id)):
        await work.server.files.remove(name)


async def sweep(work: Work) -> None:
    """Remove files that belong to no import: what an upload left that was cut off by a crash."""
    found = await aged(work.server.files, imports.name)
    async with work.server.database.reading() as connection:
        records = await connection.fetch("SELECT id FROM imports")
    kept = {record["id"] for record in records}
    for name, owner in found:
        if owner not in kept:
            await work.server.files.remove(name)


RUN_IMPORT = Task(
    "run-import",
    run_import,
    on=("import.created", "import.changed", "import.started"),
    give_up=give_up,
    seconds=6 * 3600,
)
REMOVE_FILES = Task("remove-import-files", remove_files, on=("import.purged", "import.erased"))
SWEEP = Task("sweep-imports", sweep)
tasks = (RUN_IMPORT, REMOVE_FILES, SWEEP)
schedules = (Schedule(SWEEP, "37 3 * * *"),)
