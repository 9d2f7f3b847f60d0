"""Operations that are tried and undone, holds, and files of what was purged."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from guildhouse.kernel.retaining.guard import INSTALL, UNINSTALL

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

COUNTS = ("kept", "written", "remaining")
DONE = "created + changed + removed + restored"


def upgrade() -> None:
    op.add_column("operations", sa.Column("asked", postgresql.JSONB(), nullable=True))
    op.add_column("operations", sa.Column("dry_run", sa.Boolean(), nullable=False, server_default=sa.false()))
    for name in COUNTS:
        op.add_column("operations", sa.Column(name, sa.Integer(), nullable=False, server_default="0"))
    op.add_column("operations", sa.Column("undoes", sa.Uuid(as_uuid=False), nullable=True))
    op.add_column("operations", sa.Column("undone_by", sa.Uuid(as_uuid=False), nullable=True))
    op.execute(f"UPDATE operations SET written = {DONE}, remaining = total - ({DONE} + unchanged + failed)")
    for name in ("dry_run", *COUNTS):
        op.alter_column("operations", name, server_default=None)
    op.create_index("ix_operations_finished_at", "operations", ["finished_at"])
    create_holds()
    create_retained_files()
    for statement in INSTALL:
        op.execute(statement)


def create_holds() -> None:
    op.create_table(
        "holds",
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("row_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("everything", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("placed_by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        *of_every_row(),
        sa.CheckConstraint("status IN ('placed', 'released')", name=op.f("ck_holds_status")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_holds")),
    )
    op.create_index("ix_holds_created_at_id", "holds", ["created_at", "id"])
    for name in ("resource", "row_id", "status"):
        op.create_index(f"ix_holds_{name}", "holds", [name])
    op.create_index("ix_holds_scopes", "holds", ["scopes"], postgresql_using="gin")


def create_retained_files() -> None:
    op.create_table(
        "retained_files",
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("edition", sa.Integer(), nullable=False),
        sa.Column("persons", postgresql.JSONB(), nullable=False),
        *of_every_row(),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_retained_files")),
    )
    op.create_index("ix_retained_files_created_at_id", "retained_files", ["created_at", "id"])
    for name in ("resource", "expires_at"):
        op.create_index(f"ix_retained_files_{name}", "retained_files", [name])
    for name in ("scopes", "persons"):
        op.create_index(f"ix_retained_files_{name}", "retained_files", [name], postgresql_using="gin")


def of_every_row() -> "list[sa.Column[object]]":
    now = sa.text("now()")
    return [
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
    ]


def downgrade() -> None:
    for statement in UNINSTALL:
        op.execute(statement)
    op.drop_table("retained_files")
    op.drop_table("holds")
    op.drop_index("ix_operations_finished_at", "operations")
    for name in ("undone_by", "undoes", *COUNTS, "dry_run", "asked"):
        op.drop_column("operations", name)
