"""Matches: what came to fit a saved search, each row once. The person marks what they have seen."""

from collections.abc import Sequence
from datetime import datetime

from pydantic import Field
from sqlalchemy import ForeignKey, Index, Uuid, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel import store
from guildhouse.kernel.bulk_writing import Judged, Line, Op, Outcome, insert_many_sql, update_many_sql, write_stretch
from guildhouse.kernel.context import Context
from guildhouse.kernel.resource import Carry, Find, Keep, May, Resource, Shapes, Verb
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.shapes import Moment, ReadShape, Shape
from guildhouse.searches.saved_search import SavedSearch, is_self, saved_searches

KEPT_DAYS = 90


class SearchMatch(Row):
    """A row that came to fit a saved search, while its person saw it. `seen_at` is when they have taken note."""

    __tablename__ = "search_matches"

    saved_search_id: Mapped[str] = mapped_column(
        Uuid(as_uuid=False), ForeignKey("saved_searches.id", ondelete="CASCADE")
    )
    person_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("people.id", ondelete="CASCADE"))
    resource: Mapped[str]
    # No foreign key: it is a row of any noun. Where the person sees it no more, the match goes.
    row_id: Mapped[str] = mapped_column(Uuid(as_uuid=False))
    seen_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_search_matches_saved_search_id_row_id", "saved_search_id", "row_id", unique=True),
        Index("ix_search_matches_person_id", "person_id"),
        Index("ix_search_matches_resource_row_id", "resource", "row_id"),
        Index("ix_search_matches_row_id", "row_id"),
        Index("ix_search_matches_seen_at", "seen_at"),
        Index("ix_search_matches_created_at_id", "created_at", "id"),
        Index("ix_search_matches_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A match: `row_id` of the list `resource` came to fit at `created_at`."""

    saved_search_id: str
    person_id: str
    resource: str
    row_id: str
    seen_at: datetime | None


class Update(Shape):
    """Take note of a match, or with null keep it among the new ones. `see-matches` of the saved search does it for all."""

    seen_at: Moment | None = Field(default=None, examples=["2026-11-20T08:00:00Z"])


search_matches = Resource(
    table=SearchMatch,
    shapes=Shapes(read=Read, update=Update),
    scopes=lambda row: [scope("person", row.person_id)],
    may=May(change=is_self, remove=is_self),
    find=Find(
        filter=("saved_search_id", "resource", "row_id", "seen_at", "created_at"),
        sort=("created_at",),
        expand={"saved_search": "saved_searches"},
    ),
    carry=Carry(stays=True),
    keep=Keep(trash_days=7, total_days=KEPT_DAYS),
)

UNSEEN = (
    select(SearchMatch)
    .where(
        SearchMatch.saved_search_id == bindparam("search"),
        SearchMatch.seen_at.is_(None),
        SearchMatch.deleted_at.is_(None),
    )
    .order_by(SearchMatch.id)
    .with_for_update(key_share=True)
)


async def record_matches(ctx: Context, found: Sequence[tuple[str, str, str, str]]) -> int:
    """Write new matches (search, person, noun, row) in one statement; says how many. What is recorded already stays."""
    names = ("saved_search_id", "person_id", "resource", "row_id")
    rows = [
        await store.judge_new(ctx, search_matches, dict(zip(names, each, strict=True)), "created") for each in found
    ]
    judged = [Judged(Line(n, Op(op="create"), None), "created", None, row) for n, row in enumerate(rows)]
    # One is refused where its search was purged meanwhile, or another process has recorded the match.
    refused = await write_stretch(
        ctx, search_matches, insert_many_sql(search_matches), judged, [Outcome("failed") for _ in judged]
    )
    return len(judged) - len(refused)


async def see_matches(ctx: Context, row: SavedSearch) -> SavedSearch:
    """The person has seen all that was found so far."""
    judged = []
    for n, record in enumerate(await ctx.all(UNSEEN, search=row.id)):
        before = SearchMatch.of(record)
        after = SearchMatch.of({**before.values(), "seen_at": ctx.now})
        judged.append(Judged(Line(n, Op(op="change"), None), "changed", before, after))
    outcomes = [Outcome("failed") for _ in judged]
    await write_stretch(ctx, search_matches, update_many_sql(search_matches), judged, outcomes, "seen")
    return row


verbs = (Verb(saved_searches, see_matches, may=is_self),)
