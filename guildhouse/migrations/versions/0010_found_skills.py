"""found_skills and occupation. They are null in the rows that are there, until the readers have read these rows' words."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("jobs", sa.Column("found_skills", postgresql.ARRAY(sa.Text()), nullable=True))
    op.add_column("jobs", sa.Column("occupation", sa.Text(), nullable=True))
    op.add_column("people", sa.Column("found_skills", postgresql.ARRAY(sa.Text()), nullable=True))
    op.create_index("ix_jobs_found_skills", "jobs", ["found_skills"], postgresql_using="gin")
    op.create_index("ix_jobs_occupation", "jobs", ["occupation"])


def downgrade() -> None:
    op.drop_column("people", "found_skills")
    op.drop_column("jobs", "occupation")
    op.drop_column("jobs", "found_skills")
