"""takeouts and arrivals."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    now = sa.text("now()")
    op.create_table(
        "arrivals",
        sa.Column("person_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("arriving_id", sa.Uuid(as_uuid=False), nullable=True),
        sa.Column("arriving_name", sa.Text(), nullable=True),
        sa.Column("made_by", sa.Text(), nullable=True),
        sa.Column("made_at", sa.Text(), nullable=True),
        sa.Column("judged", postgresql.JSONB(), nullable=False),
        sa.Column("written", postgresql.JSONB(), nullable=False),
        sa.Column("taken_back", postgresql.JSONB(), nullable=False),
        sa.Column("faults", postgresql.JSONB(), nullable=False),
        sa.Column("loaded", postgresql.JSONB(), nullable=False),
        sa.Column("narrowed", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("problem", postgresql.JSONB(), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint(
            "status IN ('judging', 'judged', 'applying', 'applied', 'failed', 'taking_back', 'taken_back')",
            name=op.f("ck_arrivals_status"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_arrivals")),
    )
    op.create_index("ix_arrivals_created_at_id", "arrivals", ["created_at", "id"])
    op.create_index("ix_arrivals_scopes", "arrivals", ["scopes"], postgresql_using="gin")
    op.create_index("ix_arrivals_status", "arrivals", ["status"])
    op.create_table(
        "takeouts",
        sa.Column("person_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("asked_by", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("language", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("total", sa.Integer(), nullable=True),
        sa.Column("done", sa.Integer(), nullable=False),
        sa.Column("parts", postgresql.JSONB(), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("sha256", sa.Text(), nullable=True),
        sa.Column("position", sa.Text(), nullable=True),
        sa.Column("problem", postgresql.JSONB(), nullable=True),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.CheckConstraint(
            "status IN ('queued', 'running', 'done', 'failed', 'cancelled')", name=op.f("ck_takeouts_status")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_takeouts")),
    )
    op.create_index("ix_takeouts_created_at_id", "takeouts", ["created_at", "id"])
    op.create_index("ix_takeouts_expires_at", "takeouts", ["expires_at"])
    op.create_index("ix_takeouts_person_id", "takeouts", ["person_id"])
    op.create_index("ix_takeouts_scopes", "takeouts", ["scopes"], postgresql_using="gin")
    op.create_index("ix_takeouts_status", "takeouts", ["status"])


def downgrade() -> None:
    op.drop_table("takeouts")
    op.drop_table("arrivals")
