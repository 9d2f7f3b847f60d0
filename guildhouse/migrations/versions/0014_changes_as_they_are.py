"""What a change of up to 4 kB says is kept as it is: to compress a new row took as long as all else of logging it."""

from alembic import op

from guildhouse.kernel.log.log_tables import KEPT_AS_IT_IS, MAKING_PARTITIONS

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

FOR_EACH = """DO $$ DECLARE part regclass; BEGIN
FOR part IN SELECT inhrelid::regclass FROM pg_inherits WHERE inhparent = 'changes'::regclass LOOP
    EXECUTE format('ALTER TABLE %s {what}', part);
END LOOP; END $$"""


def upgrade() -> None:
    op.execute(FOR_EACH.format(what=f"SET ({KEPT_AS_IT_IS})"))
    op.execute(MAKING_PARTITIONS)


def downgrade() -> None:
    op.execute(FOR_EACH.format(what="RESET (toast_tuple_target)"))
    op.execute(MAKING_PARTITIONS.replace(f" WITH ({KEPT_AS_IT_IS})", ""))
