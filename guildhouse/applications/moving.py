"""Moving: what the applicant and the hiring team do with an application, beyond its fields."""

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from guildhouse.applications.application import Application, RejectionReason, Score, applications
from guildhouse.applications.note import notes
from guildhouse.applications.progress import decides, hires, speaks
from guildhouse.applications.stage import stages
from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import invalid
from guildhouse.kernel.resource import Verb
from guildhouse.kernel.shapes import Id, Line, Prose, Shape

# What the log calls a move to these stages; to any other it is `moved`.
EVENTS = {"rejected": "rejected", "hired": "hired", "submitted": "submitted", "withdrawn": "withdrawn"}


class Withdrawal(Shape):
    """Why, if you like to say; the hiring team reads it."""

    reason: Line | None = Field(default=None, examples=["I found another job."])


class Move(Shape):
    """Where to: one of the stages that all share, or one of the organization's own, by its id.

    `note` is kept as a note for the hiring team; of a tracked job, for you.
    """

    stage: Literal[
        "draft", "submitted", "screening", "interviewing", "offered", "hired", "rejected", "withdrawn"
    ] | None = Field(default=None, examples=["interviewing"])  # fmt: skip
    stage_id: Id | None = Field(default=None, examples=[None])
    note: Prose | None = Field(default=None, examples=["Strong in mathematics"])


class Rejection(Shape):
    """Why; the applicant reads it."""

    reason: RejectionReason | None = Field(default=None, examples=["another_person"])


class Rating(Shape):
    """From 1 to 5, for the hiring team's eyes; null takes the rating away."""

    rating: Score | None


async def submit(ctx: Context, row: Application) -> Application:
    """Hand in your application; from now on the hiring team sees it. Of a candidate, after it was withdrawn."""
    return await store.change(ctx, applications, row, {"stage": "submitted"}, verb="submitted")


async def withdraw(ctx: Context, row: Application, body: Withdrawal) -> Application:
    """Withdraw your application, or a candidate's. While the job is open you can submit it again."""
    values = {"stage": "withdrawn", "withdrawal_reason": body.reason}
    return await store.change(ctx, applications, row, values, verb="withdrawn")


async def move(ctx: Context, row: Application, body: Move) -> Application:
    """Move an application to another stage, onward or back."""
    values = await destination(ctx, body)
    moved = await store.change(ctx, applications, row, values, verb=EVENTS.get(values["stage"], "moved"))
    if body.note:
        audience = "team" if row.organization_id else "private"
        note = {"application_id": row.id, "audience": audience, "body": body.note}
        await store.create(ctx, notes, note, verb="created")
    return moved


async def destination(ctx: Context, body: Move) -> Mapping[str, Any]:
    """The stage, and the organization's own one, that a move leads to."""
    if (body.stage is None) == (body.stage_id is None):
        raise invalid("/stage", "one-of-two", "give either stage or stage_id")
    if body.stage_id is None:
        return {"stage": body.stage, "stage_id": None}
    stage = await ctx.once(stages, body.stage_id)
    if stage is None:
        raise invalid("/stage_id", "not-found", "this organization has no such stage")
    return {"stage": stage.outcome, "stage_id": stage.id}


async def reject(ctx: Context, row: Application, body: Rejection) -> Application:
    """Decide against an application. A rejection made by mistake is undone by moving it back."""
    values = {"stage": "rejected", "rejection_reason": body.reason}
    return await store.change(ctx, applications, row, values, verb="rejected")


async def rate(ctx: Context, row: Application, body: Rating) -> Application:
    """Rate an application."""
    return await store.change(ctx, applications, row, {"rating": body.rating}, verb="rated")


verbs = (
    Verb(applications, submit, may=speaks),
    Verb(applications, withdraw, may=speaks),
    Verb(applications, move, may=decides),
    Verb(applications, reject, may=decides),
    Verb(applications, rate, may=hires),
)
