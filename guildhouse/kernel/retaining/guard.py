"""The guard: the database itself refuses to delete what is held, whoever asks, and by whatever chain of foreign keys.

Of each table one trigger; derived from the declarations as the log's are, made anew by each migration.
"""

from collections.abc import Iterable

from sqlalchemy import Table

from guildhouse.kernel.db import DIALECT, Connection

TRIGGER = "guildhouse_held"
NEEDED = {"holds"}  # the tables that it asks
# `everything` of a row is what is seen by right of it: rows with a scope of it, such as `person:<id>`.
INSTALL = [
    """
CREATE FUNCTION hold_on(noun text, held_id uuid, held_scopes text[]) RETURNS uuid STABLE LANGUAGE sql AS $$
    SELECT h.id FROM holds h
    WHERE h.status = 'placed' AND h.deleted_at IS NULL AND (h.until IS NULL OR h.until > now())
        AND (h.resource = noun AND h.row_id = held_id OR h.everything AND EXISTS (
            SELECT FROM unnest(held_scopes) s WHERE split_part(s, ':', 2) = h.row_id::text))
    ORDER BY h.id LIMIT 1
$$
""",
    """
CREATE FUNCTION refuse_held() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    hold uuid := hold_on(TG_TABLE_NAME, OLD.id, OLD.scopes);
BEGIN
    IF hold IS NOT NULL THEN
        RAISE EXCEPTION 'row % of % is held', OLD.id, TG_TABLE_NAME
        USING ERRCODE = 'restrict_violation', CONSTRAINT = 'held', DETAIL = hold::text;
    END IF;
    RETURN OLD;
END $$
""",
]
UNINSTALL = ["DROP FUNCTION refuse_held() CASCADE", "DROP FUNCTION hold_on(text, uuid, text[])"]


def statement(table: Table) -> str:
    """The SQL that puts a table under the guard."""
    name = DIALECT.identifier_preparer.quote(table.name)
    return f"CREATE OR REPLACE TRIGGER {TRIGGER} BEFORE DELETE ON {name} FOR EACH ROW EXECUTE FUNCTION refuse_held()"


async def unguarded(connection: Connection, tables: Iterable[Table]) -> list[str]:
    """The tables without a guard that is awake."""
    records = await connection.fetch(
        "SELECT c.relname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE t.tgname = $1 "
        "AND t.tgenabled = 'O' AND c.relnamespace = current_schema()::regnamespace",
        TRIGGER,
    )
    guarded = {record["relname"] for record in records}
    return [table.name for table in tables if table.name not in guarded]
