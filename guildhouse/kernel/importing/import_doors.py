"""The doors of imports that other resources do not have: the upload, the rows with their verdicts, the wrong ones."""

import csv
import io
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import quote

import orjson

from guildhouse.kernel import store
from guildhouse.kernel.actor import Actor
from guildhouse.kernel.answer import Answer, Stream
from guildhouse.kernel.context import Context
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import BadRequest, Denied, Fault, NotFound, raise_if
from guildhouse.kernel.files import Stored
from guildhouse.kernel.formats import CSV, MEDIA_TYPES, OWN, OWN_VERSION, cell, dumps
from guildhouse.kernel.ids import new_id
from guildhouse.kernel.importing import own_format
from guildhouse.kernel.importing.import_ import Import, imports, is_own
from guildhouse.kernel.importing.importable import is_importable
from guildhouse.kernel.importing.judging import VERDICTS, Lector, Line
from guildhouse.kernel.importing.unpacking import CHUNK_ROWS, WRONG, header_of, upload_of
from guildhouse.kernel.manifest import House
from guildhouse.kernel.problems import fault_body
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.select import fetch_one
from guildhouse.kernel.server import Server
from guildhouse.kernel.writing import perform, row_answer

MOST = 200
OUTCOMES = ("created", "changed", "unchanged", "skipped", "failed")


class NotImportable(BadRequest):
    """`resource` is to name what the rows are. Rows can be imported into: {known}."""


class WrongRowsQuery(BadRequest):
    """`verdict` takes one of {verdicts}; `outcome` one of {outcomes}; `after` the `n` of a row; `limit` 1 to 200."""


def importable(house: House) -> dict[str, Resource[Any]]:
    """The resources that rows can be imported into, by their nouns in addresses: from any file, or as they were."""
    by_hand = {each.path: each for each in house.resources.values() if is_importable(each)}
    return {**by_hand, **own_format.loadable(house)}


async def upload(call: Call) -> Answer:
    """Take a file, whatever is in it, for rows of `?resource=`; `name` is the file's. It is read in the background."""
    known = importable(call.server.house)
    resource = known.get(call.param("resource") or "")
    if resource is None:
        raise NotImportable(known=", ".join(known))
    if not call.actor.can(f"{resource.name}.write"):
        raise Denied
    import_id, name = new_id(), (call.param("name") or "").replace("\\", "/").rpartition("/")[2][:200]
    stored = await call.server.files.write(upload_of(import_id), call.chunks(call.server.config.max_import))

    async def act(ctx: Context) -> Answer:
        raise_if([] if stored.size else [Fault("", "required", "the file is empty")])
        row = await new_import(ctx, resource, import_id, name, stored)
        made = row_answer(call, ctx, imports, row, 202)
        made.headers["Location"] = f"/v1/imports/{row.id}"
        return made

    answer = None
    try:
        answer = await perform(call, act, body_digest=bytes.fromhex(stored.sha256))
    finally:
        if answer is None or "Location" not in answer.headers or import_id not in answer.headers["Location"]:
            await call.server.files.remove(upload_of(import_id))
    return answer


async def new_import(
    ctx: Context,
    resource: Resource[Any],
    import_id: str,
    name: str,
    stored: Stored,
    options: Mapping[str, Any] | None = None,
) -> Import:
    """The row of an import whose file is stored; the actor's own."""
    return await store.create(ctx, imports, {
        "id": import_id, "person_id": ctx.actor.id, "resource": resource.name, "file_name": name or "upload",
        "size": stored.size, "sha256": stored.sha256, "options": dict(options or {}), "columns": [], "mode": "each",
        "known": "change", "duplicates": "ask", "decisions": {}, "judged": {}, "written": {}, "taken_back": {},
        "narrowed": ctx.actor.key_permissions,
    }, verb="created")  # fmt: skip


@dataclass(frozen=True)
class View:
    """For whose eyes rows are shown, and in which language."""

    server: Server
    actor: Actor
    language: str


def view_of(call: Call) -> View:
    """The view of one who calls."""
    return View(call.server, call.actor, call.language)


async def held_import(call: Call) -> Import:
    """The import of the address, if the actor sees it."""
    async with call.server.database.reading() as connection:
        record = await fetch_one(connection, imports, call.actor, call.row_id, "*")
    if record is None:
        raise NotFound
    return imports.table.of(record)


async def list_import_rows(call: Call) -> Answer:
    """The rows of an import in their order: cells, what was read out of them, the verdict, what became of them."""
    verdict, outcome, after, limit = asked(call)
    row = await held_import(call)
    found: list[dict[str, Any]] = []
    async for told in told_rows(view_of(call), row, after + 1, verdict, outcome):
        found.append(told)
        if len(found) > limit:
            break
    more = len(found) > limit
    page = {"next": str(found[limit - 1]["n"]) if more else "", "has_more": more, "limit": limit}
    return Answer(200, dumps({"data": found[:limit], "page": page}), headers={"Cache-Control": "private, no-cache"})


def asked(call: Call) -> tuple[str | None, str | None, int, int]:
    """The verdict and the outcome wanted, the row to go on after, and how many rows."""
    verdict, outcome = call.param("verdict"), call.param("outcome")
    after, limit = call.param("after") or "-1", call.param("limit") or "50"
    numbers = after.removeprefix("-").isdecimal() and limit.isdecimal() and len(after) < 10 and len(limit) < 10
    if not numbers or verdict not in (None, *VERDICTS) or outcome not in (None, "duplicate", *OUTCOMES):
        raise WrongRowsQuery(verdicts=", ".join(VERDICTS), outcomes=", ".join(OUTCOMES))
    return verdict, outcome, int(after), max(1, min(int(limit), MOST))


async def told_rows(
    view: View, row: Import, start: int, verdict: str | None = None, outcome: str | None = None
) -> AsyncGenerator[dict[str, Any]]:
    """The rows from a place on, with all that is known of them; a chunk that has none of the wanted is not read."""
    resource = view.server.house.resources[row.resource]
    lector = Lector(row, resource, view.server.files, view.actor.within(row.narrowed))
    names = header_of(row.columns)
    by_field = {each["field"]: each["column"] for each in (row.plan or {}).get("columns", ())}
    by_reference = {f"{field.partition('.')[0]}_id": column for field, column in by_field.items() if "." in field}
    column = partial(column_of, by_field=by_reference | by_field, names=names)
    number: int | None = max(start, 0) // CHUNK_ROWS
    while number is not None:
        async with view.server.database.reading() as connection:
            chunk = await connection.fetchrow(CHUNK, row.id, number, verdict, outcome)
        if chunk is None:
            return
        lines = await lector.chunk(chunk["number"], chunk["start"], chunk["length"])
        for place, line in enumerate(lines.lines):
            said = (at(chunk[name], place) for name in ("verdicts", "outcomes", "returns"))
            told = told_row(row, line, view.language, column, *said)
            if line.n >= start and verdict in (None, told["verdict"]) and outcome in (None, told["outcome"]):
                yield told
        number = chunk["number"] + 1


CHUNK = """
SELECT number, start, length, verdicts, outcomes, returns FROM import_chunks
WHERE import_id = $1 AND number >= $2
    AND ($3::text IS NULL OR verdicts @> jsonb_build_array(jsonb_build_object('v', $3::text)))
    AND ($4::text IS NULL OR outcomes @> jsonb_build_array(jsonb_build_object('o', $4::text)))
ORDER BY number LIMIT 1
"""


def at(results: list[Any] | None, place: int) -> Mapping[str, Any]:
    """What a chunk says of one of its rows, if it says anything yet."""
    found: Mapping[str, Any] = results[place] if results and place < len(results) else {}
    return found


def told_row(
    row: Import,
    line: Line,
    language: str,
    column: Callable[[str], str | None],
    verdict: Mapping[str, Any],
    outcome: Mapping[str, Any],
    back: Mapping[str, Any],
) -> dict[str, Any]:
    """One row as it is shown."""
    faults = outcome.get("faults") or verdict.get("faults") or []
    return {
        "n": line.n,
        "line": line.line,
        "cells": line.cells,
        "read": line.data,
        "verdict": verdict.get("v"),
        "id": outcome.get("id") or verdict.get("id"),
        "diff": verdict.get("diff"),
        "duplicate": {name: verdict[name] for name in ("id", "row", "why") if name in verdict}
        if verdict.get("v") == "duplicate" else None,
        "decision": row.decisions.get(str(line.n)),
        "faults": [
            {**fault_body(Fault(**fault), language), "column": column(fault["pointer"])}
            for fault in faults
        ],
        "outcome": outcome.get("o"),
        "taken_back": back.get("r"),
    }  # fmt: skip


def column_of(pointer: str, by_field: Mapping[str, int], names: list[str]) -> str | None:
    """The name of the column that a fault is about."""
    column = by_field.get(pointer.strip("/").partition("/")[0])
    return names[column] if column is not None and column < len(names) else None


async def read_wrong_rows(call: Call) -> Answer:
    """The rows that are wrong, or were not written, as a CSV of the same columns and one more that says why."""
    row = await held_import(call)
    form, ending = (OWN, "guildhouse.ndjson") if is_own(row) else (CSV, "csv")
    name = quote(f"{row.file_name.rpartition('.')[0] or row.file_name} - wrong rows.{ending}")
    headers = {"Content-Disposition": f"attachment; filename*=UTF-8''{name}", "Cache-Control": "private, no-cache"}
    chunks = wrong_rows(view_of(call), row)
    return Stream(200, b"", MEDIA_TYPES[form], headers, chunks=chunks, receive=call.receive)


def wrong_rows(view: View, row: Import) -> AsyncIterator[bytes]:
    """The wrong rows in the format that their file can be loaded in again."""
    return wrong_own(view, row) if is_own(row) else wrong_csv(view, row)


async def wrong_own(view: View, row: Import) -> AsyncIterator[bytes]:
    """Wrong rows in the own format: a row has its own fields only, so the first line says what is wrong with them."""
    names = header_of(row.columns)
    why: dict[str, str] = {}
    async for told in told_wrong(view, row):
        why[str(len(why) + 2)] = why_of(told)
        if len(why) == MOST:
            break
    yield dumps({"guildhouse": OWN_VERSION, "resource": row.resource, "fields": names, WRONG: why}) + b"\n"
    async for told in told_wrong(view, row):
        yield dumps(dict(zip(names, told["cells"], strict=False))) + b"\n"


async def told_wrong(view: View, row: Import) -> AsyncIterator[dict[str, Any]]:
    """The rows that are wrong, or once some were written, those that were not."""
    for verdict, outcome in [(None, "failed"), (None, "duplicate")] if row.written else [("wrong", None)]:
        async for told in told_rows(view, row, 0, verdict, outcome):
            yield told


async def wrong_csv(view: View, row: Import) -> AsyncIterator[bytes]:
    """The lines of the CSV. It can be mended, and loaded again as it is: the last column is no field's."""
    names = header_of(row.columns)
    yield b"\xef\xbb\xbf" + csv_line([*names, WRONG])
    async for told in told_wrong(view, row):
        cells = [*told["cells"], *[""] * (len(names) - len(told["cells"]))][: len(names)]
        yield csv_line([*cells, why_of(told)])


def why_of(told: Mapping[str, Any]) -> str:
    """What is wrong with a row, in words."""
    if told["faults"]:
        places = [each["column"] or each["pointer"].strip("/") for each in told["faults"]]
        words = [each["detail"] for each in told["faults"]]
        return "; ".join(f"{place}: {word}" if place else word for place, word in zip(places, words, strict=True))
    return "this may be here already" if told["outcome"] == "duplicate" else ""


def csv_line(cells: list[Any]) -> bytes:
    """One line of a CSV that a spreadsheet opens without running anything."""
    text = io.StringIO()
    csv.writer(text).writerow([listed(each) for each in cells])
    return text.getvalue().encode()


def listed(value: Any) -> str:
    """A cell; a list as JSON, so that none of its parts is taken apart."""
    return orjson.dumps(value).decode() if isinstance(value, list | dict) else cell(value)


UPLOADED = {"resource": "The noun that the rows are of, as in addresses.", "name": "The name of the file."}

doors = (
    Door("POST", "/v1/imports", "imports.write", "Upload a file to import rows from", upload, imports, "batch", 5,
         gives=imports.shapes.read, asked=UPLOADED),
    Door("GET", "/v1/imports/{id}/rows", "imports.read", "The rows of an import, and what is to become of each",
         list_import_rows, imports, kind="read", cost=5),
    Door("GET", "/v1/imports/{id}/wrong-rows.csv", "imports.read", "The wrong rows of an import, to be mended",
         read_wrong_rows, imports, kind="read", cost=10),
)  # fmt: skip
