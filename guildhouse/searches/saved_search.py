"""Saved searches: what a person looks for again and again. What comes to fit is recorded as a match."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field
from sqlalchemy import CheckConstraint, ForeignKey, Index, Uuid, bindparam, func, select
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel import store
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import Conflict
from guildhouse.kernel.may import is_person, signed_in, value_in
from guildhouse.kernel.resource import Find, Log, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.shapes import Line, ReadShape, Shape
from guildhouse.kernel.stages import Stages
from guildhouse.searches.asking import address_of, asked_of, check_query

MOST = 100
Alert = Literal["none", "at_once", "daily", "weekly"]
Name = Annotated[str, Field(max_length=100)]
Value = Annotated[str, Field(max_length=2000)]


class TooManySavedSearches(Conflict):
    """You have {most} saved searches, and no more are kept. Remove one that you do not need any more, then save this one."""


class SavedSearch(Row):
    """A search that a person keeps: which list, with which query, and how they want to hear of what comes to fit."""

    __tablename__ = "saved_searches"

    person_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("people.id", ondelete="CASCADE"))
    name: Mapped[str]
    resource: Mapped[str]
    query: Mapped[dict[str, Any]]
    address: Mapped[str]
    alert: Mapped[str] = mapped_column(default="none")
    status: Mapped[str] = mapped_column(default="active")

    __table_args__ = (
        CheckConstraint("status IN ('active', 'paused')", name="status"),
        CheckConstraint("alert IN ('none', 'at_once', 'daily', 'weekly')", name="alert"),
        Index("ix_saved_searches_person_id", "person_id"),
        Index("ix_saved_searches_resource", "resource"),
        Index("ix_saved_searches_alert", "alert"),
        Index("ix_saved_searches_status", "status"),
        Index("ix_saved_searches_created_at_id", "created_at", "id"),
        Index("ix_saved_searches_name_id", "name", "id"),
        Index("ix_saved_searches_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A saved search. `address` runs it: the list's own address with this query."""

    person_id: str
    name: str
    resource: str
    query: dict[str, Any]
    address: str
    alert: str
    status: str


class Create(Shape):
    """Keep a search. `query` is what the list's own query string says: filters, and `sort`."""

    name: Line = Field(examples=["Nursing in Tainan"])
    resource: Name = Field(examples=["organizations"], description="The noun as addresses have it: `saved-searches`.")
    query: dict[Name, Value] = Field(default={}, max_length=50, examples=[{"kind": "employer", "country": "TW"}])
    alert: Alert = Field(default="none", description="How to hear of matches. They are recorded in any case.")


class Update(Shape):
    """Change a saved search. A parameter of `query` goes by null; matches that were recorded stay."""

    name: Line = ""
    query: dict[Name, Value | None] = Field(default={}, max_length=50)
    alert: Alert = "none"


async def derive(ctx: Context, before: SavedSearch | None, after: SavedSearch) -> Mapping[str, Any]:
    """A saved search is its maker's own, asks a list that they may read, and asks it nothing wrong."""
    if before is not None and before.query == after.query:
        return {}
    resource = asked_of(ctx, after.resource)
    check_query(ctx.house, resource, after.query)
    owner = before.person_id if before else ctx.actor.id
    return {"person_id": owner, "resource": resource.name, "address": address_of(resource, after.query)}


KEPT = select(func.count()).where(SavedSearch.person_id == bindparam("person"), SavedSearch.deleted_at.is_(None))


async def not_too_many(ctx: Context, before: SavedSearch | None, after: SavedSearch) -> None:
    """Every row that is written is held against all of them."""
    if before is not None and before.deleted_at is None:
        return
    if await ctx.value(KEPT, person=after.person_id) >= MOST:
        raise TooManySavedSearches(most=MOST)


is_self = is_person("person_id")

saved_searches = Resource(
    table=SavedSearch,
    shapes=Shapes(read=Read, create=Create, update=Update, derive=derive),
    scopes=lambda row: [scope("person", row.person_id)],
    may=May(create=signed_in, change=is_self, remove=is_self),
    rules=(not_too_many,),
    stages=Stages("status", initial=("active",), moves={"active": {"paused": is_self}, "paused": {"active": is_self}}),
    find=Find(filter=("resource", "alert", "status", "name"), sort=("created_at", "name")),
    log=Log(personal=("name", "query", "address")),
)


async def pause(ctx: Context, row: SavedSearch) -> SavedSearch:
    """Record no matches for a while; those that there are stay."""
    return await store.change(ctx, saved_searches, row, {"status": "paused"}, verb="paused")


async def resume(ctx: Context, row: SavedSearch) -> SavedSearch:
    """Record matches again, from now on."""
    return await store.change(ctx, saved_searches, row, {"status": "active"}, verb="resumed")


verbs = (
    Verb(saved_searches, pause, may=is_self),
    Verb(saved_searches, resume, may=is_self & value_in("status", "paused")),
)
