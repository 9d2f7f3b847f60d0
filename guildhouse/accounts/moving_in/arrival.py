"""Arrivals: a person's take-out of another server that comes in here, with its ids and what they refer to.

Owns the row of an arrival, and the upload. `settling.py` judges, loads and takes back. An admin loads it: rows are put
back as they were, and no rule is asked. The person gets a link to choose a password, see `welcome.py`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Index, Uuid
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel import store
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.context import Context
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Fault, raise_if
from guildhouse.kernel.files import Stored
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.ids import new_id
from guildhouse.kernel.importing.own_format import LOADS, check_loader
from guildhouse.kernel.may import holds, is_person, nobody, value_in
from guildhouse.kernel.operation import anyone_of_the_house
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Carry, Find, Log, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.shapes import ReadShape
from guildhouse.kernel.stages import Stages
from guildhouse.kernel.writing import perform


class Arrival(Row):
    """A take-out of another server that comes in here: whose it is, what it would bring, and what it brought."""

    __tablename__ = "arrivals"

    # Who loads it.
    person_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    file_name: Mapped[str]
    size: Mapped[int] = mapped_column(BigInteger)
    sha256: Mapped[str]
    status: Mapped[str] = mapped_column(default="judging")
    # Whose take-out it is.
    arriving_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    arriving_name: Mapped[str | None]
    made_by: Mapped[str | None]
    made_at: Mapped[str | None]
    judged: Mapped[dict[str, Any]]
    written: Mapped[dict[str, Any]]
    taken_back: Mapped[dict[str, Any]]
    faults: Mapped[list[Any]] = mapped_column(JSONB)
    # What was written: [noun, id, version, the fields that were filled in, or null for a new row].
    loaded: Mapped[list[Any]] = mapped_column(JSONB)
    narrowed: Mapped[list[str] | None]
    problem: Mapped[dict[str, Any] | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        CheckConstraint(
            "status IN ('judging', 'judged', 'applying', 'applied', 'failed', 'taking_back', 'taken_back')",
            name="status",
        ),
        Index("ix_arrivals_scopes", "scopes", postgresql_using="gin"),
        Index("ix_arrivals_created_at_id", "created_at", "id"),
        Index("ix_arrivals_status", "status"),
    )


class Read(ReadShape):
    """An arrival. `judged` says for each noun what would happen to its rows, `written` what did; `faults` are the first 200.

    `left` in both are rows that a take-out does not bring along: sign-ins, keys, work of the old server, memberships.
    """

    person_id: str
    file_name: str
    size: int
    sha256: str
    status: str
    arriving_id: str | None
    arriving_name: str | None
    made_by: str | None
    made_at: str | None
    judged: dict[str, Any]
    written: dict[str, Any]
    taken_back: dict[str, Any]
    faults: list[Any]
    problem: dict[str, Any] | None
    finished_at: datetime | None


is_loader = is_person("person_id") & holds(LOADS)
house = anyone_of_the_house
STAGES = Stages(
    "status",
    initial=("judging",),
    moves={
        "judging": {"judged": house, "failed": house},
        "judged": {"applying": is_loader},
        "applying": {"applied": house, "failed": house},
        "applied": {"taking_back": is_loader},
        "taking_back": {"taken_back": house, "failed": house},
    },
)

arrivals = Resource(
    table=Arrival,
    shapes=Shapes(read=Read),
    scopes=lambda row: [scope("person", row.person_id)],
    may=May(create=nobody, remove=is_person("person_id") & ~value_in("status", "judging", "applying", "taking_back")),
    stages=STAGES,
    find=Find(filter=("status",), sort=("created_at",)),
    log=Log(hidden=("loaded",), personal=("file_name", "arriving_name")),
    carry=Carry(stays=True),
)


def archive_of(arrival_id: str) -> str:
    """Where the archive of an arrival is kept."""
    return f"arrivals/{arrival_id}/upload"


async def upload(call: Call) -> Answer:
    """Take an archive; `name` is the file's. What it would bring is found out in the background."""
    check_loader(call.actor)
    arrival_id, name = new_id(), (call.param("name") or "").replace("\\", "/").rpartition("/")[2][:200]
    stored = await call.server.files.write(archive_of(arrival_id), call.chunks(call.server.config.max_import))

    async def act(ctx: Context) -> Answer:
        raise_if([] if stored.size else [Fault("", "required", "the file is empty")])
        row = await new_arrival(ctx, arrival_id, name, stored)
        told = {name: row.values()[name] for name in arrivals.readable}
        return Answer(202, dumps(told), headers={"Location": f"/v1/arrivals/{row.id}"})

    answer = None
    try:
        answer = await perform(call, act, body_digest=bytes.fromhex(stored.sha256))
    finally:
        if answer is None or arrival_id not in answer.headers.get("Location", ""):
            await call.server.files.remove(archive_of(arrival_id))
    return answer


async def new_arrival(ctx: Context, arrival_id: str, name: str, stored: Stored) -> Arrival:
    """The row of an arrival whose archive is stored; the actor's own."""
    return await store.create(ctx, arrivals, {
        "id": arrival_id, "person_id": ctx.actor.id, "file_name": name or "take-out.zip", "size": stored.size,
        "sha256": stored.sha256, "judged": {}, "written": {}, "taken_back": {}, "faults": [], "loaded": [],
        "narrowed": ctx.actor.key_permissions,
    }, verb="created")  # fmt: skip


async def apply(ctx: Context, row: Arrival) -> Arrival:
    """Load what was judged to be right, all of it at once."""
    return await store.change(ctx, arrivals, row, {"status": "applying", "finished_at": None}, verb="started")


async def take_back(ctx: Context, row: Arrival) -> Arrival:
    """Undo the arrival. Rows that somebody has changed since stay as they are."""
    return await store.change(ctx, arrivals, row, {"status": "taking_back", "finished_at": None}, verb="started")


verbs = (
    Verb(arrivals, apply, may=is_loader & value_in("status", "judged")),
    Verb(arrivals, take_back, may=is_loader & value_in("status", "applied")),
)
doors = (
    Door("POST", "/v1/arrivals", "arrivals.write", "Upload a person's take-out of another server", upload, arrivals,
         "batch", 5, gives=Read, asked={"name": "The name of the file."}),
)  # fmt: skip
