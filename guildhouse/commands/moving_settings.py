"""Settling in: the settings of a server into a file, and out of one, told before they are written.

What is written goes through the one writer, in the name of the house. Nothing is removed: what the file does not name stays.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeAlias, get_args

from pydantic import SecretStr

from guildhouse.accounts.person import people
from guildhouse.applications.stage import stages
from guildhouse.commands import settings_file
from guildhouse.commands.describing import shown, variable
from guildhouse.commands.joining import Say, server_of
from guildhouse.commands.settings_file import Entry, Settings
from guildhouse.config import Config
from guildhouse.kernel import store
from guildhouse.kernel.actor import HOUSE
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Connection, Note, split_password
from guildhouse.kernel.errors import NotDone, Problem
from guildhouse.kernel.importing.mapping import mappings
from guildhouse.kernel.importing.suggesting import fingerprint_of
from guildhouse.kernel.server import Server

FILE = "settings.toml"
ROLES = "SELECT id, email AS person, role FROM people WHERE role <> 'member' AND deleted_at IS NULL ORDER BY email"
STAGES = """SELECT s.id, o.slug AS organization, s.name, s.outcome, s.position
FROM stages s JOIN organizations o ON o.id = s.organization_id
WHERE s.deleted_at IS NULL AND o.deleted_at IS NULL ORDER BY o.slug, s.position, s.name"""
MAPPINGS = """SELECT DISTINCT ON (p.email, m.resource, m.name) m.id, p.email AS person, m.resource, m.name, m.header, m.plan
FROM mappings m JOIN people p ON p.id = m.person_id
WHERE m.deleted_at IS NULL AND p.deleted_at IS NULL ORDER BY p.email, m.resource, m.name, m.created_at DESC"""
KEYS = """SELECT k.name, p.email FROM api_keys k JOIN people p ON p.id = k.person_id
WHERE k.deleted_at IS NULL AND p.deleted_at IS NULL ORDER BY p.email, k.name"""

Ids: TypeAlias = dict[tuple[str, ...], str]


@dataclass(frozen=True)
class Here:
    """The settings of a server as they are, and the ids of their rows."""

    settings: Settings
    ids: Mapping[str, Ids]


@dataclass
class Plan:
    """What an import would do: the entries to write, and what to tell."""

    write: list[tuple[str, Entry]] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    added: int = 0
    changed: int = 0


async def export(config: Config, dsn: str, place: Path, say: Say, *, replace: bool) -> None:
    """Write the settings of a server into a file, or into a directory as `settings.toml`."""
    file = place / FILE if place.is_dir() else place  # noqa: ASYNC240 - one look
    if file.exists() and not replace:
        raise NotDone(f"{file} exists already. With --replace it is written over.")
    async with server_of(config, dsn) as server, server.database.reading() as connection:
        here = await present(connection, config)
        again = [
            *secrets_of(config),
            *[f"the API key `{name}` of {email}" for name, email in await connection.fetch(KEYS)],
        ]
    heading = [
        f"The settings of {' '.join(config.name.split())}, as of {datetime.now(UTC):%Y-%m-%d %H:%M} UTC.",
        f"Written by Guildhouse {version('guildhouse')}. A secret is never in such a file.",
        f"`guildhouse settings import {file.name}` says what would change, and with --apply changes it.",
        *[f"Not in it, to be set again by hand: {each}." for each in again],
    ]
    text = settings_file.written(here.settings, heading)
    beside = file.with_name(f".{file.name}.new")
    beside.write_text(text, encoding="utf-8")
    beside.replace(file)
    say(f"{file} holds the settings. {len(again)} secrets are not in it: they are named in its first lines.")


def secrets_of(config: Config) -> Iterator[str]:
    """The secrets among the settings that are in force, by their names."""
    for name, about in Config.model_fields.items():
        value = getattr(config, name)
        if isinstance(value, SecretStr):
            yield variable(name, about)
    if config.database_url and split_password(config.database_url)[1]:
        yield "the password in DATABASE_URL"


async def present(connection: Connection, config: Config) -> Here:
    """The settings of a server as they are."""
    found = {
        name: [settings_file.without_nulls(dict(record)) for record in await connection.fetch(sql)]
        for name, sql in (("roles", ROLES), ("stages", STAGES), ("mappings", MAPPINGS))
    }
    ids = {name: [record.pop("id") for record in records] for name, records in found.items()}
    settings = Settings.model_validate({"format": 1, "environment": environment(config), **found})
    keyed = {
        name: {entry.key(): ids[name][n] for n, entry in enumerate(entries)}
        for name, entries in settings.entries().items()
    }
    return Here(settings, keyed)


def environment(config: Config) -> dict[str, str]:
    """The settings of the environment that are not as they are without it, secrets left out."""
    return {
        variable(name, about): shown(getattr(config, name))
        for name, about in Config.model_fields.items()
        if getattr(config, name) != about.get_default(call_default_factory=True)
        and not isinstance(getattr(config, name), SecretStr)
    }


async def bring_in(config: Config, dsn: str, file: Path, say: Say, *, apply: bool) -> None:
    """Say what the settings in a file would change, and, if asked to, change it: all of it, or nothing."""
    try:
        text = file.read_text(encoding="utf-8")  # noqa: ASYNC240 - one look
    except (OSError, UnicodeError) as error:
        raise NotDone(f"{file} cannot be read: {error}.") from error
    wanted = settings_file.parsed(text, file.name)
    if faults := [
        settings_file.told(text, file.name, ("environment", name), why) for name, why in refused(wanted.environment)
    ]:
        raise NotDone("\n".join(["These settings are wrong, and nothing was changed:", *faults]))
    async with server_of(config, dsn) as server, server.database.writing(Note(reason="settings import")) as connection:
        ctx = Context(server.house, connection, HOUSE, Note(reason="settings import"))
        here = await present(connection, config)
        plan = await planned(connection, here, wanted)
        for line in [*differences(config, wanted), *plan.lines]:
            say(line)
        if not apply:
            say(f"Nothing was written. With --apply: {plan.added} added, {plan.changed} changed.")
            return
        for name, entry in plan.write:
            await written(server, ctx, here.ids[name].get(entry.key()), name, entry)
    say(f"Written: {plan.added} added, {plan.changed} changed.")


def refused(environment: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The names that are no settings, and those of secrets."""
    known = {variable(name, about): about for name, about in Config.model_fields.items()}
    for name in environment:
        if name not in known:
            yield name, "there is no such setting"
        elif SecretStr in get_args(known[name].annotation):
            yield name, "a secret does not belong into this file; set it where the server is started"


def differences(config: Config, wanted: Settings) -> Iterator[str]:
    """What is to be set where the server is started, because nobody else can."""
    present = {variable(name, about): getattr(config, name) for name, about in Config.model_fields.items()}
    for name, value in wanted.environment.items():
        now = shown(present[name])
        if now != (value.title() if isinstance(present[name], bool) else shown(value)):
            yield f"! environment {name}: `{now}` here, `{shown(value)}` in the file; set it where the server is started"


async def planned(connection: Connection, here: Here, wanted: Settings) -> Plan:
    """What is to be written, and a line for each entry that is not as the file says."""
    plan = Plan()
    now = here.settings.entries()
    for name, entries in wanted.entries().items():
        known: Mapping[tuple[str, ...], Entry] = {entry.key(): entry for entry in now[name]}
        for entry in entries:
            what, before = f"{name} {' / '.join(entry.key())}", known.get(entry.key())
            if reason := await left_out(connection, entry, before):
                plan.lines.append(f"! {what}: left out, {reason}")
            elif before is None:
                plan.lines.append(f"+ {what}: {in_words(entry)}")
                plan.write.append((name, entry))
                plan.added += 1
            elif changes := changed(before, entry):
                plan.lines.append(f"~ {what}: {changes}")
                plan.write.append((name, entry))
                plan.changed += 1
    return plan


def in_words(entry: Entry) -> str:
    """What is set, beside what it is known by."""
    values = entry.model_dump(mode="json", exclude_none=True)
    return ", ".join(f"{name} {said(value)}" for name, value in values.items() if value not in entry.key())


def changed(before: Entry, after: Entry) -> str:
    """What differs between two entries, in words."""
    was, now = before.model_dump(mode="json"), after.model_dump(mode="json")
    return ", ".join(f"{name} {said(was[name])} -> {said(now[name])}" for name in now if was[name] != now[name])


def said(value: Any) -> str:
    """A value in a line."""
    return f"({len(value)} entries)" if isinstance(value, dict | list) else str(value)


async def left_out(connection: Connection, entry: Entry, before: Entry | None) -> str | None:
    """Why an entry cannot be written here."""
    values = entry.model_dump()
    if (person := values.get("person")) and not await connection.fetchval(PERSON, person):
        return f"nobody here has the e-mail address {person}"
    slug = values.get("organization")
    if slug and not await connection.fetchval(ORGANIZATION, slug):
        return f"there is no organization {slug} here"
    if slug and before and before.model_dump()["outcome"] != values["outcome"]:
        return "what a stage leads to stays, because applications may be in it: remove it, or choose another name"
    return None


PERSON = "SELECT id FROM people WHERE email = $1 AND deleted_at IS NULL"
ORGANIZATION = "SELECT id FROM organizations WHERE slug = $1 AND deleted_at IS NULL"


async def written(server: Server, ctx: Context, row_id: str | None, name: str, entry: Entry) -> None:
    """Write an entry by the one writer. Raises `NotDone` where a rule refuses it."""
    try:
        await WRITERS[name](server, ctx, row_id, entry.model_dump())
    except Problem as problem:
        words = " ".join([problem.detail(), *(f"{each.pointer}: {each.detail}." for each in problem.faults)])
        raise NotDone(f"{name} {' / '.join(entry.key())}: {words} Nothing was changed.") from problem


async def write_role(_server: Server, ctx: Context, _row_id: str | None, values: dict[str, Any]) -> None:
    """Give a person a role."""
    person = await ctx.connection.fetchval(PERSON, values["person"])
    if row := await ctx.find(people, person, lock=True):
        await store.change(ctx, people, row, {"role": values["role"]}, verb="role_assigned")


async def write_stage(_server: Server, ctx: Context, row_id: str | None, values: dict[str, Any]) -> None:
    """Make a stage, or move it."""
    if row := await ctx.find(stages, row_id, lock=True):
        await store.change(ctx, stages, row, {"position": values["position"]}, verb="changed")
        return
    slug = values.pop("organization")
    values["organization_id"] = await ctx.connection.fetchval(ORGANIZATION, slug)
    await store.create(ctx, stages, values, verb="created")


async def write_mapping(server: Server, ctx: Context, row_id: str | None, values: dict[str, Any]) -> None:
    """Keep a mapping for its person, or change it."""
    if row := await ctx.find(mappings, row_id, lock=True):
        header = values["header"]
        changes = {"plan": values["plan"], "header": header, "fingerprint": fingerprint_of(header)}
        await store.change(ctx, mappings, row, changes, verb="changed")
        return
    person = await ctx.connection.fetchval(PERSON, values.pop("person"))
    owner = replace(ctx, actor=await server.identity.actor_of(ctx.connection, person))
    await store.create(owner, mappings, values)


WRITERS: Mapping[str, Callable[[Server, Context, str | None, dict[str, Any]], Awaitable[None]]] = {
    "roles": write_role,
    "stages": write_stage,
    "mappings": write_mapping,
}
