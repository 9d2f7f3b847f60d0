"""Operations that do one thing to all rows of a filter, that are tried, and that are undone."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0008"
down_revision = "0005"
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


def downgrade() -> None:
    for name in ("undone_by", "undoes", *COUNTS, "dry_run", "asked"):
        op.drop_column("operations", name)
