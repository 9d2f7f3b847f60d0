"""The input of an operation is kept as it came: to compress it took longer than to write it, and it is read once."""

from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("ALTER TABLE operation_chunks ALTER COLUMN lines SET STORAGE EXTERNAL")


def downgrade() -> None:
    op.execute("ALTER TABLE operation_chunks ALTER COLUMN lines SET STORAGE EXTENDED")
