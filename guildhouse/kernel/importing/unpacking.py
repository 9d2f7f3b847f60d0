"""Unpacking: an uploaded file becomes a file of rows, by a process of its own that may fail, and a first plan for them."""

import asyncio
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from typing import Any

import orjson
import structlog

from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import Fault, Invalid
from guildhouse.kernel.files import PIECE, Files
from guildhouse.kernel.formats import OWN
from guildhouse.kernel.importing import own_format
from guildhouse.kernel.importing.import_ import Import, imports
from guildhouse.kernel.importing.importable import is_importable
from guildhouse.kernel.importing.suggesting import fingerprint_of, suggest
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.tasks import Work

log = structlog.get_logger(__name__)
CHUNK_ROWS = 1000
WRONG = "what is wrong"  # the column that says it, in a file of wrong rows
SAMPLES = 5


class FileUnreadable(Invalid):
    """The file cannot be read as what it is taken for ({why}). Say in `options` what it is, or mend it."""


# Why a file cannot be read: the codes of `Unreadable`, in words.
UNREADABLE = {
    "unknown-format": "files of this kind hold no rows: save its table as XLSX, ODS or CSV",
    "unknown-shape": "there are no rows of this noun in it, in any shape that is known",
    "wrong-shape": "it is not built as files of this shape are",
    "broken-json": "it is not JSON, or ends in the middle",
    "json-too-large": "a JSON document may have 64 MB: send one object on each line instead (NDJSON)",
    "page-too-large": "a page may have 64 MB: save its table as CSV or XLSX",
    "no-table": "there is no table in this page, and no rows in a shape that is known",
    "broken-archive": "it is no whole ZIP archive: it may have been cut off on its way",
    "broken-spreadsheet": "it is no whole workbook: open it in a spreadsheet and save it anew",
    "unpacks-too-large": "it unpacks to more than 512 MB",
    "too-large-for-its-kind": "there is not memory enough for a file of this kind and size: send it as CSV or NDJSON",
    "too-many-rows": "it has more than 5,000,000 rows: send it in parts",
    "reader-gave-up": "the program that reads such files gave up on it: open it, and save it anew or as CSV",
    "no-such-sheet": "there is no sheet of this name; there are: {known}",
    "wrong-encoding": "it cannot be read in this encoding",
    "another-version": "it was written by a version of Guildhouse that this one does not understand",
    "broken-first-line": "its first line does not say what the fields are",
}


class OnlyAsItWas(Invalid):
    """Rows of {resource} do not come from other programs' files: only from one in the house's own format."""


def upload_of(import_id: str) -> str:
    """The name of the file as it came."""
    return f"imports/{import_id}/upload"


def rows_of(import_id: str) -> str:
    """The name of the file of its rows: `[line, fault, cells]` on each line."""
    return f"imports/{import_id}/rows"


class Stretches:
    """Where each stretch of rows begins and ends in a file of lines."""

    def __init__(self) -> None:
        self.found: list[tuple[int, int]] = []
        self.rows = self.start = self.size = 0

    def feed(self, piece: bytes) -> None:
        """Count the lines of the next piece of the file."""
        at = 0
        while (end := piece.find(b"\n", at)) >= 0:
            at = end + 1
            self.rows += 1
            if self.rows % CHUNK_ROWS == 0:
                self.close(self.size + at)
        self.size += len(piece)

    def close(self, end: int) -> None:
        """A stretch ends here."""
        if end > self.start:
            self.found.append((self.start, end - self.start))
            self.start = end


async def run_reading(work: Work, row: Import) -> None:
    """Read the file, and store what was found, where its rows are, and a plan for them. Raises `FileUnreadable`."""
    resource = work.server.house.resources[row.resource]
    stretches = Stretches()
    summary = await converted(work.server.files, row, resource, stretches)
    if why := summary.get("why"):
        raise FileUnreadable(why=why, faults=list(reasons(summary)))
    await check_noun(work, row, resource, summary)
    stretches.close(stretches.size)
    async with work.writing() as ctx:
        now = await ctx.find(imports, row.id, lock=True)
        if now is None or now.status != "reading" or now.options != row.options:
            return
        await keep_stretches(ctx, row.id, stretches)
        is_own = summary["found"]["format"] == OWN
        plan = as_it_is(summary) if is_own else await first_plan(ctx, resource, now, summary)
        columns = [{**each, "values": each["values"][:SAMPLES]} for each in summary["columns"]]
        values = {"status": "ready", "found": summary["found"], "columns": columns, "plan": plan}
        await store.change(ctx, imports, now, {**values, "total": summary["total"], "problem": None}, verb="read")


def reasons(summary: Mapping[str, Any]) -> Iterator[Fault]:
    """Why the file cannot be read, in words, where there are any."""
    if words := UNREADABLE.get(summary["why"]):
        known = {"known": ", ".join(summary.get("known", ()))}
        yield Fault(
            "/options/sheet" if known["known"] else "", f"file-{summary['why']}", words.format_map(known), known
        )


async def check_noun(work: Work, row: Import, resource: Resource[Any], summary: Mapping[str, Any]) -> None:
    """Raise where the file's rows cannot become rows of this resource, or not by this person."""
    if summary["found"]["format"] == OWN:
        columns = [each["name"] for each in summary["columns"]]
        own_format.check_header(work.server.house, resource, summary["found"]["holds"], columns)
        own_format.check_loader(await work.server.actor_of(row.person_id, row.narrowed))
    elif not is_importable(resource):
        raise OnlyAsItWas(resource=resource.path)


async def converted(files: Files, row: Import, resource: Resource[Any], stretches: Stretches) -> Mapping[str, Any]:
    """Run the process that reads the file; its rows are stored, its summary is returned."""
    asked = orjson.dumps({"said": row.options, "shapes": resource.carry.shapes}).decode()
    async with files.lent(upload_of(row.id)) as path:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "guildhouse.kernel.importing.converting", str(path), row.file_name, asked,
            stdin=asyncio.subprocess.DEVNULL, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            assert process.stdout and process.stderr
            said = asyncio.create_task(last_of(process.stderr))
            await files.write(rows_of(row.id), poured(process.stdout, stretches))
            last = await said
            code = await process.wait()
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
    try:
        summary: Mapping[str, Any] = orjson.loads(last.rpartition(b"\n")[2])
    except orjson.JSONDecodeError:
        log.warning("the reader of a file gave up", import_id=row.id, code=code)
        return {"why": "reader-gave-up"}
    return summary


async def poured(source: asyncio.StreamReader, stretches: Stretches) -> AsyncIterator[bytes]:
    """What the process writes, counted on the way."""
    while piece := await source.read(PIECE):
        stretches.feed(piece)
        yield piece


async def last_of(source: asyncio.StreamReader) -> bytes:
    """The end of what the process says, read all the time so that it never waits for us."""
    kept = b""
    while piece := await source.read(PIECE):
        kept = (kept + piece)[-(16 << 20) :]
    return kept


async def keep_stretches(ctx: Context, import_id: str, stretches: Stretches) -> None:
    """The chunks of an import anew."""
    await ctx.connection.execute("DELETE FROM import_chunks WHERE import_id = $1", import_id)
    await ctx.connection.executemany(
        "INSERT INTO import_chunks (import_id, number, start, length) VALUES ($1, $2, $3, $4)",
        [(import_id, number, *stretch) for number, stretch in enumerate(stretches.found)],
    )


async def first_plan(ctx: Context, resource: Resource[Any], row: Import, summary: Mapping[str, Any]) -> dict[str, Any]:
    """The plan that was saved for files with this header, or the one that names and values suggest.

    Wrong rows that were mended are read as the file was that they come from.
    """
    names = [each["name"] for each in summary["columns"]]
    mended = names[-1:] == [WRONG]
    kept = await kept_plan(ctx, resource, row, names[:-1] if mended else names)
    if kept is None and mended:
        kept = await plan_before(ctx, resource, row, names[:-1])
    if kept is not None:
        return {**kept, "columns": [{**each, "why": "saved"} for each in kept["columns"]]}
    columns = suggest(resource, summary["columns"])
    if summary["found"]["shape"]:
        columns = [{**each, "why": "shape"} for each in columns if each["why"] == "name"]
    return {"columns": columns, "constants": {}, "timezone": "UTC"}


async def kept_plan(ctx: Context, resource: Resource[Any], row: Import, names: Sequence[str]) -> dict[str, Any] | None:
    """The plan that the person has kept for files with this header."""
    found: dict[str, Any] | None = await ctx.connection.fetchval(
        "SELECT plan FROM mappings WHERE person_id = $1 AND fingerprint = $2 AND resource = $3 AND deleted_at IS NULL "
        "ORDER BY updated_at DESC LIMIT 1", row.person_id, fingerprint_of(names), resource.name,
    )  # fmt: skip
    return found


async def plan_before(
    ctx: Context, resource: Resource[Any], row: Import, names: Sequence[str]
) -> dict[str, Any] | None:
    """The plan of the person's last import with these columns."""
    records = await ctx.connection.fetch(
        "SELECT columns, plan FROM imports WHERE person_id = $1 AND resource = $2 AND id <> $3 AND plan IS NOT NULL "
        "AND deleted_at IS NULL ORDER BY created_at DESC LIMIT 20", row.person_id, resource.name, row.id,
    )  # fmt: skip
    return next((each["plan"] for each in records if header_of(each["columns"]) == list(names)), None)


def as_it_is(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The plan for a file in the house's own format: each column is the field of its name."""
    columns = [{"column": each["column"], "field": each["name"], "why": "shape"} for each in summary["columns"]]
    return {"columns": columns, "constants": {}, "timezone": "UTC"}


def header_of(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of an import's columns; one without a name is called by its place, as in a spreadsheet."""
    return [each["name"] or f"column {each['column'] + 1}" for each in columns]
