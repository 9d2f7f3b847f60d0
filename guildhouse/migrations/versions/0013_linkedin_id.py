"""linkedin_id: the number by which LinkedIn knows an organization."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("organizations", sa.Column("linkedin_id", sa.Text(), nullable=True))


def downgrade() -> None:
    op.drop_column("organizations", "linkedin_id")
