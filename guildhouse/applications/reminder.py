"""Reminders: what a person wants to be told of, and when; of an application, or of nothing in particular."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pydantic import Field
from sqlalchemy import ForeignKey, Index, Uuid, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.applications.application import applications
from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import NotFound
from guildhouse.kernel.may import is_person, signed_in
from guildhouse.kernel.resource import Find, Log, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.shapes import Id, Line, Moment, ReadShape, Shape
from guildhouse.kernel.tasks import Schedule, Task, Work

AT_A_TIME = 500


class Reminder(Row):
    """A reminder. `notified_at` is when it fell due, and whoever listens to the log told its person."""

    __tablename__ = "reminders"

    person_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("people.id", ondelete="CASCADE"))
    # No foreign key: a reminder outlives the application that it is about.
    application_id: Mapped[str | None] = mapped_column(Uuid(as_uuid=False))
    text: Mapped[str]
    due_at: Mapped[datetime]
    done_at: Mapped[datetime | None]
    notified_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_reminders_person_id", "person_id"),
        Index("ix_reminders_application_id", "application_id"),
        Index("ix_reminders_due_at_id", "due_at", "id"),
        Index("ix_reminders_created_at_id", "created_at", "id"),
        Index("ix_reminders_done_at", "done_at"),
        Index(
            "ix_reminders_waiting",
            "due_at",
            postgresql_where="notified_at IS NULL AND done_at IS NULL AND deleted_at IS NULL",
        ),
        Index("ix_reminders_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A reminder."""

    person_id: str
    application_id: str | None
    text: str
    due_at: datetime
    done_at: datetime | None
    notified_at: datetime | None


class Create(Shape):
    """Remind me of this at that time."""

    text: Line = Field(examples=["Ask how it goes"])
    due_at: Moment
    application_id: Id | None = None


class Update(Shape):
    """Change a reminder. With another time it falls due again."""

    text: Line = ""
    due_at: Moment = datetime.min


async def derive(ctx: Context, before: Reminder | None, after: Reminder) -> Mapping[str, Any]:
    """A reminder is its maker's own, of an application that they see; another time makes it wait again."""
    if before is not None:
        return {"notified_at": None} if before.due_at != after.due_at else {}
    if after.application_id is not None:
        application = await ctx.once(applications, after.application_id)
        if application is None or not ctx.actor.sees(application.scopes):
            raise NotFound
    return {"person_id": ctx.actor.id}


is_self = is_person("person_id")

reminders = Resource(
    table=Reminder,
    shapes=Shapes(read=Read, create=Create, update=Update, derive=derive),
    scopes=lambda row: [scope("person", row.person_id)],
    may=May(create=signed_in, change=is_self, remove=is_self),
    find=Find(
        filter=("application_id", "due_at", "done_at"),
        sort=("due_at", "created_at"),
        expand={"application": "applications"},
        default="due_at",
    ),
    log=Log(personal=("text",)),
)


async def complete(ctx: Context, row: Reminder) -> Reminder:
    """It is done: nobody needs to be reminded."""
    return await store.change(ctx, reminders, row, {"done_at": row.done_at or ctx.now}, verb="completed")


async def reopen(ctx: Context, row: Reminder) -> Reminder:
    """It is not done after all."""
    return await store.change(ctx, reminders, row, {"done_at": None}, verb="reopened")


verbs = (Verb(reminders, complete, may=is_self), Verb(reminders, reopen, may=is_self))

DUE = (
    select(Reminder)
    .where(
        Reminder.due_at <= bindparam("now"),
        Reminder.notified_at.is_(None),
        Reminder.done_at.is_(None),
        Reminder.deleted_at.is_(None),
    )
    .order_by(Reminder.due_at)
    .limit(AT_A_TIME)
    .with_for_update(key_share=True, skip_locked=True)
)


async def remind(work: Work) -> None:
    """Mark every reminder whose time has come; the log tells those who notify people."""
    while await remind_some(work) == AT_A_TIME:
        pass


async def remind_some(work: Work) -> int:
    """Mark some of them; says how many."""
    async with work.writing() as ctx:
        records = await ctx.all(DUE, now=ctx.now)
        for record in records:
            await store.change(ctx, reminders, Reminder.of(record), {"notified_at": ctx.now}, verb="fell_due")
    return len(records)


REMIND = Task("remind", remind)
schedules = (Schedule(REMIND, "* * * * *"),)
