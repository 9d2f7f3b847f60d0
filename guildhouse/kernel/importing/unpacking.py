"""Unpacking: an uploaded file becomes a file of rows, by a process of its own that may fail, and a first plan for them."""

import asyncio
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import orjson

from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import Invalid
from guildhouse.kernel.files import PIECE, Files
from guildhouse.kernel.formats import OWN
from guildhouse.kernel.importing import own_format
from guildhouse.kernel.importing.import_ import Import, imports
from guildhouse.kernel.importing.importable import is_importable
from guildhouse.kernel.importing.suggesting import fingerprint_of, suggest
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.tasks import Work

CHUNK_ROWS = 1000
SAMPLES = 5


class FileUnreadable(Invalid):
    """The file cannot be read as what it is taken for ({why}). See `found`, say in `options` what it is, or mend it."""


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
        raise FileUnreadable(why=why)
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
        return {"why": f"broken, the reader ended with {code}"}
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
    """The plan that was saved for files with this header, or the one that names and values suggest."""
    names = [each["name"] for each in summary["columns"]]
    saved = await ctx.connection.fetchrow(
        "SELECT plan FROM mappings WHERE person_id = $1 AND fingerprint = $2 AND resource = $3 AND deleted_at IS NULL "
        "ORDER BY updated_at DESC LIMIT 1", row.person_id, fingerprint_of(names), resource.name,
    )  # fmt: skip
    if saved:
        plan: dict[str, Any] = saved["plan"]
        return {**plan, "columns": [{**each, "why": "saved"} for each in plan["columns"]]}
    columns = suggest(resource, summary["columns"])
    if summary["found"]["shape"]:
        columns = [{**each, "why": "shape"} for each in columns if each["why"] == "name"]
    return {"columns": columns, "constants": {}, "timezone": "UTC"}


def as_it_is(summary: Mapping[str, Any]) -> dict[str, Any]:
    """The plan for a file in the house's own format: each column is the field of its name."""
    columns = [{"column": each["column"], "field": each["name"], "why": "shape"} for each in summary["columns"]]
    return {"columns": columns, "constants": {}, "timezone": "UTC"}


def header_of(columns: Sequence[Mapping[str, Any]]) -> list[str]:
    """The names of an import's columns; one without a name is called by its place, as in a spreadsheet."""
    return [each["name"] or f"column {each['column'] + 1}" for each in columns]
