"""Importing from the command line: the same way as by the API, in the name of a person, and worked off here and now."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guildhouse import app
from guildhouse.accounts.session import BY_EMAIL
from guildhouse.commands.choices import Policy
from guildhouse.commands.joining import Say
from guildhouse.commands.planning import columns_of, options_of
from guildhouse.config import Config
from guildhouse.kernel import store
from guildhouse.kernel.actor import Actor
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note, fetch
from guildhouse.kernel.errors import NotDone, Problem
from guildhouse.kernel.files import PIECE
from guildhouse.kernel.ids import as_id, new_id
from guildhouse.kernel.importing import documents, import_
from guildhouse.kernel.importing.import_ import Import, imports
from guildhouse.kernel.importing.import_doors import View, importable, new_import, told_rows, why_of, wrong_rows
from guildhouse.kernel.importing.running import run_import
from guildhouse.kernel.importing.sources import Unreadable
from guildhouse.kernel.importing.unpacking import header_of, upload_of
from guildhouse.kernel.server import Server
from guildhouse.kernel.tasks import Work

EVERY = 2  # seconds between two words about how far it is
FIRST_WRONG = 5  # rows of which it is said at once what is wrong


@dataclass(frozen=True)
class Asked:
    """What somebody asks of an import on the command line."""

    file: Path
    resource: str | None
    person: str
    constants: Sequence[str]
    duplicates: Policy
    wrong_rows: Path | None
    apply: bool
    options: Sequence[str] = ()
    columns: Sequence[str] = ()


@dataclass(frozen=True)
class Desk:
    """Where one import is worked on: the server, the person, and whom to tell."""

    server: Server
    actor: Actor
    import_id: str
    say: Say

    @asynccontextmanager
    async def acting(self) -> AsyncIterator[tuple[Context, Import]]:
        """A transaction in the name of the person, with the import."""
        note = Note(actor=self.actor.id, reason="command line")
        async with self.server.database.writing(note) as connection:
            ctx = Context(self.server.house, connection, self.actor, note)
            yield ctx, await ctx.get(imports, self.import_id, lock=True)

    async def work(self) -> Import:
        """Do what is to be done, and tell how far it is; the import at the end. Raises `NotDone` where it failed."""
        telling = asyncio.create_task(self.tell())
        try:
            await run_import(Work(self.server, None, self.import_id, 1))
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling
        async with self.acting() as (_, row):
            if row.problem:
                why = " ".join(f"{each['detail']}." for each in row.problem.get("errors", ()))
                raise NotDone(f"{row.problem['title']}: {row.problem['detail']} {why}".strip())
            return row

    async def tell(self) -> None:
        """Say how far it is, again and again."""
        while True:
            await asyncio.sleep(EVERY)
            async with self.acting() as (_, row):
                counts = {"applying": row.written, "taking_back": row.taken_back}.get(row.status, row.judged)
                self.say(f"{row.status}: {sum(counts.values())} of {row.total}")


async def bring(config: Config, dsn: str, asked: Asked, say: Say) -> None:
    """Read, judge and, if asked to, apply a file."""
    try:
        async with app.running(config.model_copy(update={"workers": "none"}), dsn) as running:
            desk = await taken_in(running.server, asked, say)
            say(told("Read", await desk.work()))
            await plan(desk, asked)
            async with desk.acting() as (ctx, row):
                await import_.judge(ctx, row)
            row = await desk.work()
            say(told("Judged", row, "judged"))
            await tell_wrong(desk, row, say)
            if asked.apply:
                async with desk.acting() as (ctx, row):
                    await import_.apply(ctx, row)
                say(told("Applied", await desk.work(), "written"))
            await write_wrong_rows(desk, asked.wrong_rows)
            say(f"It is the import {desk.import_id}.")
    except Problem as problem:
        raise NotDone(in_words(problem)) from problem


def in_words(problem: Problem) -> str:
    """A problem and its faults for the terminal."""
    return " ".join([problem.detail(), *(f"{each.pointer}: {each.detail}." for each in problem.faults)])


def told(what: str, row: Import, counts: str = "") -> str:
    """How an import stands, in a line."""
    if not counts:
        fields = ", ".join(
            f"{row.columns[each['column']]['name']} -> {each['field']}" for each in (row.plan or {})["columns"]
        )
        used = {each["column"] for each in (row.plan or {})["columns"]}
        left = ", ".join(name for n, name in enumerate(header_of(row.columns)) if n not in used)
        form = (row.found or {}).get("shape") or (row.found or {})["format"]
        return f"{what} {row.total} rows as {form}: {fields}.{f' Left out: {left}.' if left else ''}"
    numbers: Mapping[str, int] = getattr(row, counts)
    return f"{what}: {', '.join(f'{n} {name}' for name, n in sorted(numbers.items())) or 'nothing'}."


async def tell_wrong(desk: Desk, row: Import, say: Say) -> None:
    """Say what is wrong with the first of the wrong rows."""
    async with aclosing(told_rows(View(desk.server, desk.actor, "en"), row, 0, "wrong")) as wrong:
        for _ in range(min(FIRST_WRONG, row.judged.get("wrong", 0))):
            each = await anext(wrong)
            say(f"  Line {each['line']}: {why_of(each)}")


async def taken_in(server: Server, asked: Asked, say: Say) -> Desk:
    """The file in the server's store, and its import."""
    if not asked.file.is_file():
        raise NotDone(f"There is no file {asked.file}.")
    resource = importable(server.house).get(asked.resource or await noun_in(asked.file))
    if resource is None:
        raise NotDone(f"Say with --resource what its rows are. Rows can be imported into: "
                      f"{', '.join(importable(server.house))}.")  # fmt: skip
    actor = await person_of(server, asked.person)
    if asked.file.stat().st_size == 0:
        raise NotDone(f"The file {asked.file} is empty.")
    import_id, note, options = new_id(), Note(actor=actor.id, reason="command line"), options_of(asked.options)
    stored = await server.files.write(upload_of(import_id), pieces(asked.file))
    async with server.database.writing(note) as connection:
        ctx = Context(server.house, connection, actor, note)
        await new_import(ctx, resource, import_id, asked.file.name, stored, options)
    return Desk(server, actor, import_id, say)


async def noun_in(file: Path) -> str:
    """The noun that the first line of a file in the house's own format names; nothing, where it is no such file."""
    try:
        with await asyncio.to_thread(file.open, encoding="utf-8") as opened:
            return documents.own_header(opened)[0].replace("_", "-")
    except (Unreadable, UnicodeError):
        return ""


async def person_of(server: Server, email: str) -> Actor:
    """Whoever has this e-mail address. Raises `NotDone`."""
    async with server.database.reading() as connection:
        records = await fetch(connection, BY_EMAIL, email=email.lower())
        if not records:
            raise NotDone(f"Nobody here has the e-mail address {email}.")
        return await server.identity.actor_of(connection, records[0]["id"])


async def pieces(file: Path) -> AsyncIterator[bytes]:
    """The file's bytes."""
    with await asyncio.to_thread(file.open, "rb") as opened:
        while piece := await asyncio.to_thread(opened.read, PIECE):
            yield piece


async def plan(desk: Desk, asked: Asked) -> None:
    """Add what the command line says to the plan that was suggested."""
    if wrong := [each for each in asked.constants if "=" not in each]:
        raise NotDone(f"--set takes field=value, not {wrong[0]}.")
    async with desk.acting() as (ctx, row):
        constants: dict[str, Any] = dict(each.split("=", 1) for each in asked.constants)
        columns = columns_of(row, asked.columns)
        changed = {**(row.plan or {}), "columns": columns, "constants": {**(row.plan or {})["constants"], **constants}}
        await store.change(ctx, imports, row, {"plan": changed, "duplicates": asked.duplicates})


async def write_wrong_rows(desk: Desk, place: Path | None) -> None:
    """Write the rows that are wrong where they were asked for."""
    if place is None:
        return
    async with desk.acting() as (_, row):
        pass
    with await asyncio.to_thread(place.open, "wb") as file:
        async for chunk in wrong_rows(View(desk.server, desk.actor, "en"), row):
            file.write(chunk)


async def take_back(config: Config, dsn: str, import_id: str, say: Say) -> None:
    """Undo a whole import."""
    await resumed(config, dsn, import_id, say, import_.take_back, "Taken back", "taken_back")


async def go_on(config: Config, dsn: str, import_id: str, say: Say) -> None:
    """Write what an import has not written yet."""
    await resumed(config, dsn, import_id, say, import_.apply, "Applied", "written")


async def resumed(config: Config, dsn: str, import_id: str, say: Say, verb: Any, what: str, counts: str) -> None:
    """Ask this of an import in the name of its person, unless it is under way, and work it off."""
    try:
        async with app.running(config.model_copy(update={"workers": "none"}), dsn) as running:
            desk = await desk_of(running.server, import_id, say)
            async with desk.acting() as (ctx, row):
                if row.status not in ("applying", "taking_back"):
                    await verb(ctx, row)
            say(told(what, await desk.work(), counts))
    except Problem as problem:
        raise NotDone(in_words(problem)) from problem


async def desk_of(server: Server, import_id: str, say: Say) -> Desk:
    """An import that is there already, in the name of its person."""
    async with server.database.reading() as connection:
        person = await connection.fetchval("SELECT person_id FROM imports WHERE id = $1", as_id(import_id) or new_id())
        if person is None:
            raise NotDone(f"There is no import {import_id}.")
        return Desk(server, await server.identity.actor_of(connection, person), as_id(import_id) or "", say)
