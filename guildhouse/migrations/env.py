"""Alembic's environment: the tables of the whole house, over a connection that `kernel/migrate.py` hands in."""

from alembic import context

from guildhouse.kernel.migrate import declared_tables

config = context.config
context.configure(
    connection=config.attributes["connection"],
    target_metadata=config.attributes["metadata"],
    include_name=declared_tables(config.attributes["metadata"]),
    compare_type=True,
    transaction_per_migration=True,
)
with context.begin_transaction():
    context.run_migrations()
