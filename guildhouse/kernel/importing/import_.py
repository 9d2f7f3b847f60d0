"""Imports: rows that come in from one file. Judged before anything is written, watched, stopped, and taken back as a whole.

Owns the row of an import and its chunks: where in the file its rows stand, what was judged of them, what became of them.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import Field
from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, LargeBinary, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import Conflict, Invalid, invalid
from guildhouse.kernel.formats import OWN
from guildhouse.kernel.importing.importable import fields_of
from guildhouse.kernel.importing.mapping import Plan
from guildhouse.kernel.may import is_person, nobody, value_in
from guildhouse.kernel.operation import anyone_of_the_house
from guildhouse.kernel.resource import Carry, Find, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Base, Row
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.shapes import ReadShape, Shape
from guildhouse.kernel.stages import Stages

Decision = Literal["skip", "change", "keep"]
RESTING = ("ready", "judged", "failed", "cancelled")


class ImportUnderWay(Conflict):
    """This import is {status}, or has written rows already. Wait for it, or take it back, then upload the file again."""


class NotJudged(Conflict):
    """Judge this import first, and look at what it would do."""


class DuplicatesUndecided(Conflict):
    """{count} rows may be there already. Say in `duplicates` what to do with all of them, or in `decisions` with each."""


class WrongRowsInAtomic(Invalid):
    """{count} rows are wrong, and as the mode is atomic, nothing would be written. Mend them, or choose the mode `each`."""


class AsItWas(Conflict):
    """A file in the house's own format is loaded as it is: there is nothing to plan. Name another format in `options`."""


class Import(Row):
    """Rows that come in from one file: what the file is, how it is read, and what became of its rows."""

    __tablename__ = "imports"

    person_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    resource: Mapped[str]
    file_name: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    status: Mapped[str] = mapped_column(default="reading")
    options: Mapped[dict[str, Any]]
    found: Mapped[dict[str, Any] | None]
    columns: Mapped[list[Any]] = mapped_column(JSONB)
    plan: Mapped[dict[str, Any] | None]
    mode: Mapped[str]
    known: Mapped[str]
    duplicates: Mapped[str]
    decisions: Mapped[dict[str, Any]]
    total: Mapped[int] = mapped_column(default=0)
    judged: Mapped[dict[str, Any]]
    written: Mapped[dict[str, Any]]
    taken_back: Mapped[dict[str, Any]]
    # The permissions of the API key that asked for it: the work is not to do more than the request could.
    narrowed: Mapped[list[str] | None]
    problem: Mapped[dict[str, Any] | None]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(
            "status IN ('reading', 'ready', 'judging', 'judged', 'applying', 'cancelled', 'failed', 'applied', "
            "'taking_back', 'taken_back')",
            name="status",
        ),
        CheckConstraint("mode IN ('atomic', 'each')", name="mode"),
        CheckConstraint("known IN ('change', 'skip')", name="known"),
        CheckConstraint("duplicates IN ('ask', 'skip', 'change', 'keep')", name="duplicates"),
        Index("ix_imports_scopes", "scopes", postgresql_using="gin"),
        Index("ix_imports_created_at_id", "created_at", "id"),
        Index("ix_imports_status", "status"),
        Index("ix_imports_resource", "resource"),
    )


class ImportChunk(Base):
    """Some rows of an import: where their lines stand in the file of rows, what was judged, and what became of each."""

    __tablename__ = "import_chunks"

    import_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True
    )
    number: Mapped[int] = mapped_column(primary_key=True)
    start: Mapped[int] = mapped_column(BigInteger)
    length: Mapped[int] = mapped_column(BigInteger)
    verdicts: Mapped[list[Any] | None] = mapped_column(JSONB)
    outcomes: Mapped[list[Any] | None] = mapped_column(JSONB)
    returns: Mapped[list[Any] | None] = mapped_column(JSONB)


class ImportMark(Base):
    """What a row of an import can be known by again: a digest of its key, or of its content, and the row met first."""

    __tablename__ = "import_marks"

    import_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("imports.id", ondelete="CASCADE"), primary_key=True
    )
    mark: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    n: Mapped[int]


class Options(Shape):
    """What to take the file for, instead of what was found. Null is for what is to be found out.

    `header_line` is the line that names the columns, from 1: what stands above it is left out.
    """

    format: Literal["csv", "xlsx", "ods", "xls", "ndjson", "json", "html", "zip", "guildhouse"] | None = None
    encoding: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,40}$")] | None = None
    delimiter: Annotated[str, Field(pattern=r"^[^\r\n\"]$", examples=[";"])] | None = None
    quote: Annotated[str, Field(pattern=r"^[^\r\n]$", examples=["'"])] | None = None
    escape: Annotated[str, Field(pattern=r"^[^\r\n]$", examples=["\\"])] | None = None
    header: bool | None = None
    header_line: Annotated[int, Field(ge=1, le=1 << 20)] | None = None
    sheet: Annotated[str, Field(max_length=200)] | None = None
    shape: Annotated[str, Field(max_length=100)] | None = None


class Read(ReadShape):
    """An import as its owner reads it.

    `found` is what the file was taken for, `columns` what is in it, `plan` how its rows are read. `judged` counts what
    would happen, `written` what has, `taken_back` what of it is undone; they grow while the work goes on.
    """

    person_id: str
    resource: str
    file_name: str
    size: int
    sha256: str
    status: str
    options: dict[str, Any]
    found: dict[str, Any] | None
    columns: list[Any]
    plan: dict[str, Any] | None
    mode: str
    known: str
    duplicates: str
    decisions: dict[str, Any]
    total: int
    judged: dict[str, Any]
    written: dict[str, Any]
    taken_back: dict[str, Any]
    problem: dict[str, Any] | None
    started_at: datetime | None
    finished_at: datetime | None


class Update(Shape):
    """Say what the file is, how its rows are read, and what to do with those that are here already.

    `known` rows are those found by their id or key, `duplicates` those that look the same otherwise, or come twice in
    the file; `decisions` go before both for single rows, by their `n`: `{"12": "skip"}`.
    """

    options: Options = Options()
    plan: Plan = Plan()
    mode: Literal["each", "atomic"] = "each"
    known: Literal["change", "skip"] = "change"
    duplicates: Literal["ask", "skip", "change", "keep"] = "ask"
    decisions: dict[Annotated[str, Field(pattern=r"^\d{1,9}$")], Decision | None] = Field(default={}, max_length=10_000)


async def derive(ctx: Context, before: Import | None, after: Import) -> Mapping[str, Any]:
    """A file that is to be taken for another is read again; another plan is to be judged again."""
    if before is None or ctx.actor.id is None:
        return {}
    if before.options != after.options:
        blank: dict[str, Any] = {"plan": None, "columns": [], "found": None, "total": 0, "judged": {}, "problem": None}
        return {"status": "reading", **blank}
    if before.plan != after.plan:
        return {"status": "ready", "judged": {}, "problem": None}
    return {}


def is_at_rest(ctx: Context, before: Import | None, after: Import) -> None:
    """How rows are read does not change while they are, or once some are written."""
    if before is None or ctx.actor.id is None or after.deleted_at != before.deleted_at:
        return
    touched = any(getattr(before, name) != getattr(after, name) for name in ("options", "plan", "mode", "known"))
    if touched and (before.status not in RESTING or before.written):
        raise ImportUnderWay(status=before.status)


def plan_fits(ctx: Context, before: Import | None, after: Import) -> None:
    """A plan names columns of the file and fields of the resource."""
    if before is None or ctx.actor.id is None or after.plan is None or before.plan == after.plan:
        return
    if is_own(after):
        raise AsItWas
    fields = fields_of(ctx.house.resources[after.resource])
    for n, each in enumerate(after.plan.get("columns", ())):
        if each["field"] not in fields:
            raise invalid(
                f"/plan/columns/{n}/field", "unknown-field", "the fields are: {known}", known=", ".join(fields)
            )
        if each["column"] >= len(after.columns):
            raise invalid(f"/plan/columns/{n}/column", "no-such-column", "the file has no such column")
    for name in after.plan.get("constants", ()):
        if name not in fields:
            raise invalid(
                f"/plan/constants/{name}", "unknown-field", "the fields are: {known}", known=", ".join(fields)
            )
    if after.plan.get("timezone", "UTC") not in available_timezones():
        raise invalid("/plan/timezone", "unknown-zone", "write the name of a time zone, such as Asia/Taipei")


def is_own(row: Import) -> bool:
    """Whether the import's file is in the house's own format: its rows are put back as they were."""
    return (row.found or {}).get("format") == OWN


is_owner = is_person("person_id")
house = anyone_of_the_house
STAGES = Stages(
    "status",
    initial=("reading",),
    moves={
        "reading": {"ready": house, "failed": house, "cancelled": is_owner},
        "ready": {"reading": is_owner, "judging": is_owner},
        "judging": {"judged": house, "failed": house, "cancelled": is_owner},
        "judged": {"reading": is_owner, "ready": is_owner, "judging": is_owner, "applying": is_owner},
        "applying": {"applied": house, "failed": house, "cancelled": is_owner},
        "cancelled": {
            "reading": is_owner, "ready": is_owner, "judging": is_owner, "applying": is_owner, "taking_back": is_owner,
        },
        "failed": {
            "reading": is_owner, "ready": is_owner, "judging": is_owner, "applying": is_owner, "taking_back": is_owner,
        },
        "applied": {"taking_back": is_owner},
        "taking_back": {"taken_back": house, "failed": house, "cancelled": is_owner},
    },
)  # fmt: skip

imports = Resource(
    table=Import,
    shapes=Shapes(read=Read, update=Update, derive=derive),
    scopes=lambda row: [scope("person", row.person_id)],
    may=May(
        create=nobody, change=is_owner, remove=is_owner & ~value_in("status", "judging", "applying", "taking_back")
    ),
    rules=(is_at_rest, plan_fits),
    stages=STAGES,
    find=Find(filter=("status", "resource"), sort=("created_at",)),
    carry=Carry(stays=True),
)


async def judge(ctx: Context, row: Import) -> Import:
    """Find out for every row what would happen to it, without writing any."""
    if row.plan is None or row.written:
        raise ImportUnderWay(status=row.status)
    await ctx.connection.execute("UPDATE import_chunks SET verdicts = NULL WHERE import_id = $1", row.id)
    await ctx.connection.execute("DELETE FROM import_marks WHERE import_id = $1", row.id)
    return await started(ctx, row, {"status": "judging", "judged": {}})


async def apply(ctx: Context, row: Import) -> Import:
    """Write the rows as they were judged; of one that was cancelled or failed, those that are not written yet."""
    if not row.total or sum(row.judged.values()) < row.total:
        raise NotJudged
    if row.mode == "atomic" and row.judged.get("wrong"):
        raise WrongRowsInAtomic(count=row.judged["wrong"])
    undecided = row.judged.get("duplicate", 0) - len(row.decisions) if row.duplicates == "ask" else 0
    if undecided > 0:
        raise DuplicatesUndecided(count=undecided)
    return await started(ctx, row, {"status": "applying"})


async def cancel(ctx: Context, row: Import) -> Import:
    """Stop. What was written stays until it is taken back, and `apply` goes on from there."""
    return await store.change(ctx, imports, row, {"status": "cancelled", "finished_at": ctx.now}, verb="cancelled")


async def take_back(ctx: Context, row: Import) -> Import:
    """Undo the whole import. Rows that somebody has changed since stay as they are and are listed."""
    if not row.written:
        raise NotJudged
    return await started(ctx, row, {"status": "taking_back"})


async def started(ctx: Context, row: Import, values: Mapping[str, Any]) -> Import:
    """The import, waiting for the task that does the work."""
    fresh = {"started_at": ctx.now, "finished_at": None, "problem": None}
    return await store.change(ctx, imports, row, {**fresh, **values}, verb="started")


verbs = (
    Verb(imports, judge, may=is_owner & value_in("status", *RESTING)),
    Verb(imports, apply, may=is_owner & value_in("status", *RESTING)),
    Verb(imports, cancel, may=is_owner & value_in("status", "reading", "judging", "applying", "taking_back")),
    Verb(imports, take_back, may=is_owner & value_in("status", "applied", "cancelled", "failed")),
)
