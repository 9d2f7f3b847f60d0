"""candidates. The way back leaves out the applications of candidates, and the notes on them: they have no applicant."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

LIVE = "deleted_at IS NULL"


def upgrade() -> None:
    now = sa.text("now()")
    op.create_table(
        "candidates",
        sa.Column("organization_id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("headline", sa.Text(), nullable=True),
        sa.Column("company", sa.Text(), nullable=True),
        sa.Column("city", sa.Text(), nullable=True),
        sa.Column("country", sa.Text(), nullable=True),
        sa.Column("profile_url", sa.Text(), nullable=True),
        sa.Column("links", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("skills", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("about", sa.Text(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=True),
        sa.Column("id", sa.Uuid(as_uuid=False), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), server_default=now, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(
            ["organization_id"], ["organizations.id"], name=op.f("fk_candidates_organization_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_candidates")),
    )
    key = ["organization_id", "source", "external_id"]
    op.create_index(
        "uq_candidates_organization_id_source_external_id", "candidates", key, unique=True, postgresql_where=LIVE
    )
    for name, expression in (
        ("lower_email", "lower(email)"),
        ("phone_digits", "right(regexp_replace(phone, '[^0-9]', '', 'g'), 9)"),
        ("profile_address", "lower(regexp_replace(profile_url, '^https?://(www[.])?|/*([?#].*)?$', '', 'gi'))"),
    ):
        op.create_index(f"ix_candidates_{name}", "candidates", [sa.literal_column(expression)])
    for columns in (["created_at", "id"], ["name", "id"], ["email"], ["source"], ["external_id"]):
        op.create_index(f"ix_candidates_{'_'.join(columns)}", "candidates", columns)
    for name in ("skills", "tags", "scopes"):
        op.create_index(f"ix_candidates_{name}", "candidates", [name], postgresql_using="gin")
    op.add_column("applications", sa.Column("candidate_id", sa.Uuid(as_uuid=False), nullable=True))
    op.alter_column("applications", "applicant_id", nullable=True)
    op.create_foreign_key(
        op.f("fk_applications_candidate_id"), "applications", "candidates", ["candidate_id"], ["id"], ondelete="CASCADE"
    )
    op.create_check_constraint(
        op.f("ck_applications_is_of_one"), "applications", "(applicant_id IS NULL) <> (candidate_id IS NULL)"
    )
    op.create_index(
        "uq_applications_candidate_id_job_id", "applications", ["candidate_id", "job_id"], unique=True,
        postgresql_where=LIVE,
    )  # fmt: skip
    op.alter_column("notes", "applicant_id", nullable=True)


def downgrade() -> None:
    op.execute("DELETE FROM notes WHERE applicant_id IS NULL")
    op.execute("DELETE FROM applications WHERE applicant_id IS NULL")
    op.alter_column("notes", "applicant_id", nullable=False)
    op.drop_constraint(op.f("ck_applications_is_of_one"), "applications", type_="check")
    op.drop_column("applications", "candidate_id")
    op.alter_column("applications", "applicant_id", nullable=False)
    op.drop_table("candidates")
