"""places and pay: jobs are found near a point."""

from alembic import op

revision = "0011"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_jobs_latitude_longitude", "jobs", ["latitude", "longitude"])


def downgrade() -> None:
    op.drop_index("ix_jobs_latitude_longitude", "jobs")
