"""places and pay: jobs are found near a point, and by what they pay in a year.

The task `reckon-pay` fills the new columns within minutes after the next start.
"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

PAID = "salary_min IS NOT NULL OR salary_max IS NOT NULL"


def upgrade() -> None:
    op.create_index("ix_jobs_latitude_longitude", "jobs", ["latitude", "longitude"])
    op.add_column("jobs", sa.Column("yearly_pay_min", sa.Numeric(20, 2), nullable=True))
    op.add_column("jobs", sa.Column("yearly_pay_max", sa.Numeric(20, 2), nullable=True))
    op.add_column("jobs", sa.Column("pay_rates", sa.Text(), nullable=True))
    op.create_index("ix_jobs_yearly_pay_max_id", "jobs", ["yearly_pay_max", "id"])
    best_paid = [sa.text("yearly_pay_max DESC NULLS LAST"), sa.text("id DESC")]
    op.create_index("ix_jobs_best_paid", "jobs", best_paid)
    op.create_index("ix_jobs_yearly_pay_min_id", "jobs", ["yearly_pay_min", "id"])
    op.create_index("ix_jobs_pay_rates", "jobs", ["pay_rates"], postgresql_where=PAID)


def downgrade() -> None:
    for name in ("pay_rates", "yearly_pay_min_id", "best_paid", "yearly_pay_max_id", "latitude_longitude"):
        op.drop_index(f"ix_jobs_{name}", "jobs")
    for name in ("pay_rates", "yearly_pay_max", "yearly_pay_min"):
        op.drop_column("jobs", name)
