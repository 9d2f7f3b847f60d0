"""who is who: the number by which LinkedIn knows an organization, and the account that a candidate has made."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("organizations", sa.Column("linkedin_id", sa.Text(), nullable=True))
    op.add_column("candidates", sa.Column("person_id", sa.Uuid(as_uuid=False), nullable=True))
    op.add_column("candidates", sa.Column("claimed", postgresql.ARRAY(sa.Text()), nullable=True))
    op.create_foreign_key(
        op.f("fk_candidates_person_id"), "candidates", "people", ["person_id"], ["id"], ondelete="CASCADE"
    )
    op.create_index("ix_candidates_person_id", "candidates", ["person_id"])


def downgrade() -> None:
    op.drop_index("ix_candidates_person_id", "candidates")
    op.drop_column("candidates", "claimed")
    op.drop_column("candidates", "person_id")
    op.drop_column("organizations", "linkedin_id")
