"""The kernel: the log with its positions and readers, secrets, answers kept for retries, operations."""

from alembic import op

from guildhouse.kernel.log.log_tables import INSTALL, UNINSTALL

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def script(sql: str) -> None:
    """Run several statements at once, which a prepared statement cannot."""
    driver = op.get_bind().connection.dbapi_connection
    assert driver is not None
    driver.run_async(lambda connection: connection.execute(sql))


def upgrade() -> None:
    for sql in INSTALL:
        script(sql)


def downgrade() -> None:
    for sql in UNINSTALL:
        script(sql)
