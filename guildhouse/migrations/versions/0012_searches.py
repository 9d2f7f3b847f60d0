"""saved searches and their matches, recent searches, and what is counted of all searches."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

INDEXES = {
    "saved_searches": (["person_id"], ["resource"], ["alert"], ["status"], ["created_at", "id"], ["name", "id"]),
    "search_matches": (["person_id"], ["resource", "row_id"], ["row_id"], ["seen_at"], ["created_at", "id"]),
    "recent_searches": (["resource"], ["searched_at", "id"]),
}


def upgrade() -> None:
    resource(
        "saved_searches",
        person(),
        text("name"),
        text("resource"),
        sa.Column("query", postgresql.JSONB(), nullable=False),
        text("address"),
        text("alert"),
        text("status"),
        sa.CheckConstraint("alert IN ('none', 'at_once', 'daily', 'weekly')", name=op.f("ck_saved_searches_alert")),
        sa.CheckConstraint("status IN ('active', 'paused')", name=op.f("ck_saved_searches_status")),
    )
    resource(
        "search_matches",
        sa.Column("saved_search_id", sa.Uuid(as_uuid=False), nullable=False),
        person(),
        text("resource"),
        sa.Column("row_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["saved_search_id"],
            ["saved_searches.id"],
            name=op.f("fk_search_matches_saved_search_id"),
            ondelete="CASCADE",
        ),
    )
    resource(
        "recent_searches",
        person(),
        sa.Column("resource", sa.Text(), nullable=True),
        text("q"),
        sa.Column("query", postgresql.JSONB(), nullable=False),
        text("address"),
        sa.Column("found", sa.Integer(), nullable=True),
        sa.Column("times", sa.Integer(), nullable=False),
        sa.Column("searched_at", sa.DateTime(timezone=True), nullable=False),
    )
    unique("search_matches", "saved_search_id", "row_id")
    unique("recent_searches", "person_id", "address")
    op.create_table(
        "search_tallies",
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("resource", sa.Text(), primary_key=True),
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        sa.Column("words", sa.Text(), nullable=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("searches", "found_nothing", "slow", "clicks")),
        *(sa.Column(name, sa.Double(), nullable=False) for name in ("milliseconds", "slowest")),
        sa.PrimaryKeyConstraint("day", "resource", "digest", name=op.f("pk_search_tallies")),
    )
    op.create_table(
        "search_askers",
        sa.Column("digest", sa.LargeBinary(), primary_key=True),
        sa.Column("person", sa.LargeBinary(), primary_key=True),
        sa.Column("day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "person", name=op.f("pk_search_askers")),
    )
    op.create_index("ix_search_askers_day", "search_askers", ["day"])
    op.create_table(
        "search_ranks",
        sa.Column("day", sa.Date(), primary_key=True),
        sa.Column("resource", sa.Text(), primary_key=True),
        sa.Column("rank", sa.Integer(), primary_key=True),
        *(sa.Column(name, sa.Integer(), nullable=False) for name in ("shown", "clicks")),
        sa.PrimaryKeyConstraint("day", "resource", "rank", name=op.f("pk_search_ranks")),
    )
    op.add_column("people", sa.Column("keeps_searches", sa.Boolean(), nullable=False, server_default=sa.text("true")))


def resource(name: str, *columns: sa.Column[Any] | sa.Constraint) -> None:
    now = sa.text("now()")
    op.create_table(
        name,
        *columns,
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(["person_id"], ["people.id"], name=op.f(f"fk_{name}_person_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
    for each in INDEXES[name]:
        op.create_index(f"ix_{name}_{'_'.join(each)}", name, each)
    op.create_index(f"ix_{name}_scopes", name, ["scopes"], postgresql_using="gin")


def person() -> sa.Column[Any]:
    return sa.Column("person_id", sa.Uuid(as_uuid=False), nullable=False)


def text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.Text(), nullable=False)


def unique(name: str, *columns: str) -> None:
    op.create_index(f"uq_{name}_{'_'.join(columns)}", name, list(columns), unique=True)


def downgrade() -> None:
    op.drop_column("people", "keeps_searches")
    for name in (
        "search_ranks",
        "search_askers",
        "search_tallies",
        "recent_searches",
        "search_matches",
        "saved_searches",
    ):
        op.drop_table(name)
