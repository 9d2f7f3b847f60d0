"""Describing: the API document and the reference pages, made without a database, and the settings that are in force."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
from fastapi import FastAPI
from pydantic.fields import FieldInfo

from guildhouse import app
from guildhouse.accounts.identity import Accounts
from guildhouse.commands.joining import without_password
from guildhouse.config import Config
from guildhouse.kernel.db import Database
from guildhouse.kernel.document.docs_pages import reference
from guildhouse.kernel.document.openapi import document
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.http import Api, doors_of
from guildhouse.kernel.limits import Limits
from guildhouse.kernel.log.readers.tail import Tail
from guildhouse.kernel.log.wake import Wake
from guildhouse.kernel.server import Server
from guildhouse.kernel.storage import files_of


def openapi(config: Config) -> dict[str, Any]:
    """The API document, the same that a server gives at `/openapi.json`."""
    return asyncio.run(openapi_of(config))


async def openapi_of(config: Config) -> dict[str, Any]:
    """The document out of an application whose database nobody asks for anything."""
    database = Database(asyncpg.create_pool("postgresql://unused"), "postgresql://unused")
    tail = Tail(database, Wake(database))
    server = Server(config, app.HOUSE, database, tail, Limits(), Accounts(app.HOUSE), b"", files_of(config))
    api = app.web(server)
    assert isinstance(api, Api)
    assert isinstance(api.rest, FastAPI)
    return document(app.HOUSE, api.doors, api.rest.openapi(), config)


def write_reference(directory: Path) -> list[Path]:
    """Write the Markdown pages of the API into a directory; those that are as they should be stay untouched."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise NotDone(f"{directory} cannot be made: {error.strerror}. Choose another directory.") from error
    written = []
    for name, text in reference(app.HOUSE, doors_of(app.HOUSE)).items():
        page = directory / name
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")
            written.append(page)
    return written


def settings(config: Config) -> Iterator[str]:
    """Every setting: its value, its default where that differs, and what it does. Passwords are left out."""
    for name, field in Config.model_fields.items():
        value, usual = shown(getattr(config, name)), shown(field.get_default(call_default_factory=True))
        default = "" if value == usual else f"  (default: {usual})"
        yield f"{variable(name, field)}={value}{default}\n    {field.description}"


def variable(name: str, field: FieldInfo) -> str:
    """The environment variable of a setting."""
    choices = getattr(field.validation_alias, "choices", None)
    return str(choices[0]) if choices else f"GUILDHOUSE_{name.upper()}"


def shown(value: object) -> str:
    """A value as one writes it in the environment."""
    if value is None:
        return ""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return without_password(value) if isinstance(value, str) and "://" in value else str(value)
