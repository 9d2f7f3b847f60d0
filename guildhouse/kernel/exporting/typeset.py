"""The document: a list as PDF, a table in landscape with a chart above it, tagged for screen readers (PDF/UA-1).

Typst sets it in a process of its own (`typesetter.py`), which is stopped when it takes too long.
"""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

from guildhouse.kernel.errors import BadRequest, Unavailable
from guildhouse.kernel.exporting.fetching import fetched_rows
from guildhouse.kernel.exporting.snapshot import Snapshot
from guildhouse.kernel.exporting.telling import Telling
from guildhouse.kernel.exporting.wanted import Wanted
from guildhouse.kernel.exporting.words import field_of, filters_in_words, headings, noun_of, said
from guildhouse.kernel.fields import Selection
from guildhouse.kernel.formats import dumps, flat, joined
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.row import BASE_COLUMNS
from guildhouse.kernel.select import numbered, statement, visible

MOST_ROWS = 5_000
MOST_COLUMNS = 14
NOT_FOR_PAPER: Any = (sa.Uuid, JSONB)
CHOSEN = 8  # columns where nobody chose any
LONGEST_TEXT = 300
SECONDS = 60.0


class TooManyColumns(BadRequest):
    """A page has room for {most} columns, and {columns} are asked for. Choose some with `fields`."""


def fit_for_paper(wanted: Wanted, fields: str | None) -> Selection:
    """The columns of the table: those chosen, else the few that one finds rows by."""
    if fields is None and not wanted.selection.expand:
        return Selection(telling_fields(wanted.resource))
    if len(wanted.paths) > MOST_COLUMNS:
        raise TooManyColumns(most=MOST_COLUMNS, columns=len(wanted.paths))
    return wanted.selection


def telling_fields(resource: Resource[Any]) -> tuple[str, ...]:
    """Fields that say something on paper: short ones that one sorts and filters by, then others; no ids."""
    found = [*resource.find.text, *resource.find.sort, *resource.find.filter, *resource.readable]
    readable = [name for name in dict.fromkeys(found) if name in resource.readable and name not in BASE_COLUMNS]
    chosen = [name for name in readable if not isinstance(resource.columns[name].type, NOT_FOR_PAPER)][:CHOSEN]
    return tuple(name for name in resource.readable if name in chosen) or resource.readable[:CHOSEN]


async def encode_document(view: Snapshot, wanted: Wanted, telling: Telling) -> AsyncIterator[bytes]:
    """The whole list as one PDF."""
    rows: list[list[str]] = []
    async for some in fetched_rows(view.connection, telling.actor, wanted):
        rows += [[as_text(each, telling.language) for each in flat(row, wanted.paths)] for row in some]
        await telling.heard(len(some))
    yield await typeset(dumps(await told(view, wanted, telling, rows)))


async def told(view: Snapshot, wanted: Wanted, telling: Telling, rows: Sequence[Sequence[str]]) -> dict[str, Any]:
    """All that the document says, as the template takes it."""
    language, noun = telling.language, noun_of(wanted.resource.name, telling.language)
    about = [said("rows", language, rows=len(rows)), said("made", language, at=f"{telling.at:%Y-%m-%d %H:%M}")]
    main, _, region = language.partition("-")
    return {
        "title": noun, "house": telling.house, "lang": main, "region": region or None,
        "about": [f"{telling.house}: {', '.join(about)}", filters_in_words(wanted.resource.name, telling.query, language)],
        "page": said("page", language, n="{n}", of="{of}"), "chart": await chart(view, wanted, telling),
        "headings": headings(wanted, language), "widths": widths(rows, len(wanted.paths)), "rows": rows,
    }  # fmt: skip


async def chart(view: Snapshot, wanted: Wanted, telling: Telling) -> dict[str, Any] | None:
    """How many rows are in each stage, where the resource has stages and the rows are in more than one."""
    stages = wanted.resource.stages
    if stages is None or stages.column in wanted.resource.shapes.audience:
        return None
    column = f'"{stages.column}"'
    sql, values = statement(wanted.resource, f"{column} AS name, count(*) AS rows",
                            (visible(wanted.resource, telling.actor), *wanted.where))  # fmt: skip
    records = await view.connection.fetch(numbered(f"{sql} GROUP BY {column} ORDER BY count(*) DESC, 1"), *values)
    if len(records) < 2:
        return None
    caption = said("chart", telling.language, name=field_of(wanted.resource.name, stages.column, telling.language))
    bars = [dict(each) for each in records]
    return {"caption": caption, "bars": bars, "alt": "; ".join(f"{each['name']}: {each['rows']}" for each in bars)}


def widths(rows: Sequence[Sequence[str]], columns: int) -> list[float]:
    """How wide the columns are, in shares: like the root of what is in them, within bounds."""
    sample = rows[:200]
    means = [sum(len(row[n]) for row in sample) / max(len(sample), 1) for n in range(columns)]
    return [round(min(max(mean, 8), 120) ** 0.5, 2) for mean in means]


def as_text(value: Any, language: str) -> str:
    """A value as one reads it in a table."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return said("yes" if value else "no", language)
    text = joined(value) if isinstance(value, list) else value
    if not isinstance(text, str):
        text = dumps(value).decode().strip('"').removesuffix("Z")[:16] if hasattr(value, "hour") else plain(value)
    return text if len(text) <= LONGEST_TEXT else text[:LONGEST_TEXT].rstrip() + " …"


def plain(value: Any) -> str:
    """A number or a document as text."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else dumps(value).decode().strip('"')


async def typeset(data: bytes) -> bytes:
    """Let a process of its own set the document. Raises `Unavailable` where it does not manage in time."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-I", "-m", "guildhouse.kernel.exporting.typesetter",
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={},
    )  # fmt: skip
    try:
        async with asyncio.timeout(SECONDS):
            made, errors = await process.communicate(data)
    except TimeoutError as error:
        raise Unavailable(why="setting the document took too long") from error
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        raise RuntimeError(f"the document could not be set: {errors.decode(errors='replace')[-500:]}")
    return made
