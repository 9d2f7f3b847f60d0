"""The triggers that keep the log: SQL generated from a table, so that no write passes it by, not COPY and not psql.

TRUNCATE, which fires no trigger for its rows, is refused.

What a change says of a row's values:

    INSERT    after   every column that is not null
    UPDATE    before and after, each with the columns that differ; nothing is logged where none does
    DELETE    before  every column that was not null

Never among the values: `id`, `version` and `scopes`, which a change has of its own, and `updated_at`, which is when the
last change was. A hidden column keeps its values to itself: that it changed is said by a null on both sides, and an
INSERT or a DELETE is silent about it.

The verb is the note's (see `db.Note`), else what the operation says: created, changed, removed, restored, purged.
"""

from collections.abc import Collection, Iterable, Mapping

from sqlalchemy import Column, Table

from guildhouse.kernel.db import DIALECT, Connection
from guildhouse.kernel.row import Values

UNSAID = ("id", "version", "updated_at", "scopes")
TRIGGER = "guildhouse_log"
ADDING = "guildhouse_log_added"
NO_TRUNCATE = "guildhouse_log_truncate"

# pg_trigger.tgtype: for each row, on DELETE and UPDATE; for each statement, on INSERT. Neither before.
TYPES_OF_TRIGGERS = {TRIGGER: 1 + 8 + 16, ADDING: 4}

# New rows are logged by their statement, in the order in which it wrote them: one row costs no more so, a thousand half.
ADDED = """
#variable_conflict use_variable
DECLARE
    note jsonb := nullif(current_setting('guildhouse.note', true), '')::jsonb;
BEGIN
    INSERT INTO changes (actor, request_id, reason, caused_by, resource, row_id, version, verb, after, scopes_after)
    SELECT note ->> 'actor', note ->> 'request_id', note ->> 'reason', (note ->> 'caused_by')::bigint,
        TG_TABLE_NAME, added.id, added.version, coalesce(note ->> 'verb', 'created'),
        {inserted}, added.scopes
    FROM added;
    RETURN NULL;
END
"""

# Changed and deleted rows are logged one by one: only there an old and a new row are sure to be the same.
BODY = """
DECLARE
    note jsonb := nullif(current_setting('guildhouse.note', true), '')::jsonb;
    verb text := note ->> 'verb';
    was jsonb;
    became jsonb;
BEGIN
    IF TG_OP = 'DELETE' THEN
        was := {deleted};
        verb := coalesce(verb, 'purged');
    ELSE
        was := '{{}}';
        became := '{{}}';{compared}
        IF became = '{{}}' AND NEW.scopes IS NOT DISTINCT FROM OLD.scopes THEN
            RETURN NULL;
        END IF;
        verb := coalesce(verb, CASE
            WHEN OLD.deleted_at IS NULL AND NEW.deleted_at IS NOT NULL THEN 'removed'
            WHEN OLD.deleted_at IS NOT NULL AND NEW.deleted_at IS NULL THEN 'restored'
            ELSE 'changed' END);
    END IF;
    INSERT INTO changes (actor, request_id, reason, caused_by, resource, row_id, version, verb, before, after,
        scopes_before, scopes_after)
    VALUES (note ->> 'actor', note ->> 'request_id', note ->> 'reason', (note ->> 'caused_by')::bigint,
        TG_TABLE_NAME, coalesce(NEW.id, OLD.id), coalesce(NEW.version, OLD.version + 1), verb, was, became,
        OLD.scopes, NEW.scopes);
    RETURN NULL;
END
"""

COMPARED = """
        IF NEW.{name} IS DISTINCT FROM OLD.{name} THEN
            was := was || jsonb_build_object({key}, {was});
            became := became || jsonb_build_object({key}, {became});
        END IF;"""


def statements(table: Table, hidden: Collection[str] = ()) -> list[str]:
    """The SQL that puts a table under the log, or renews that; the same text for the same table."""
    name = quote(table.name)
    events = {
        TRIGGER: f"AFTER UPDATE OR DELETE ON {name} FOR EACH ROW",
        ADDING: f"AFTER INSERT ON {name} REFERENCING NEW TABLE AS added FOR EACH STATEMENT",
    }
    made = [each for trigger, body in bodies(table, hidden).items() for each in (
        f"CREATE OR REPLACE FUNCTION {function(table, trigger)}() RETURNS trigger LANGUAGE plpgsql SET timezone = 'UTC' "
        f"AS $log${body}$log$",
        f"CREATE OR REPLACE TRIGGER {trigger} {events[trigger]} EXECUTE FUNCTION {function(table, trigger)}()",
        f"ALTER TABLE {name} ENABLE TRIGGER {trigger}",
    )]  # fmt: skip
    refusal = f"CREATE OR REPLACE TRIGGER {NO_TRUNCATE} BEFORE TRUNCATE ON {name} EXECUTE FUNCTION refuse_truncating()"
    return [*made, refusal]


def removal(table: Table) -> list[str]:
    """The SQL that takes a table from the log's sight, for a migration that goes back."""
    names = (TRIGGER, ADDING, NO_TRUNCATE)
    return [
        *(f"DROP TRIGGER IF EXISTS {trigger} ON {quote(table.name)}" for trigger in names),
        *(f"DROP FUNCTION IF EXISTS {function(table, trigger)}()" for trigger in TYPES_OF_TRIGGERS),
    ]


def function(table: Table, trigger: str) -> str:
    """The name of the function that a trigger of a table calls."""
    return quote(f"log_{table.name}" if trigger == TRIGGER else f"log_{table.name}_added")


def bodies(table: Table, hidden: Collection[str] = ()) -> dict[str, str]:
    """The functions of a table by their triggers, as PostgreSQL keeps them."""
    said = [column for column in table.columns if column.name not in UNSAID and column.computed is None]
    told = [column for column in said if column.name not in hidden]
    compared = "".join(comparison(column, column.name in hidden) for column in said)
    return {
        TRIGGER: BODY.format(deleted=values("OLD", told), compared=compared),
        ADDING: ADDED.format(inserted=values("added", told)),
    }


def values(side: str, columns: Iterable[Column[object]]) -> str:
    """An expression: the columns that are not null, as one object; a null inside of a document stays."""
    pairs = ", ".join(f"{literal(column.name)}: {side}.{quote(column.name)}" for column in columns)
    return f"JSON_OBJECT({pairs} ABSENT ON NULL RETURNING jsonb)"


def comparison(column: Column[object], is_hidden: bool) -> str:
    """A statement that notes both values of a column if they differ."""
    name = quote(column.name)
    was, became = ("NULL", "NULL") if is_hidden else (f"OLD.{name}", f"NEW.{name}")
    return COMPARED.format(name=name, key=literal(column.name), was=was, became=became)


def quote(name: str) -> str:
    """A name as SQL takes it."""
    return DIALECT.identifier_preparer.quote(name)


def literal(text: str) -> str:
    """A text as SQL takes it."""
    return "'" + text.replace("'", "''") + "'"


INSTALLED = """
SELECT c.relname AS table, t.tgname AS trigger, t.tgtype AS type, f.prosrc AS body,
    t.tgenabled = 'O' AND t.tgqual IS NULL AS fires
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc f ON f.oid = t.tgfoid
WHERE t.tgname = ANY($1) AND c.relnamespace = current_schema()::regnamespace
"""


async def drift(connection: Connection, declared: Mapping[Table, Collection[str]]) -> list[str]:
    """Faults in words: tables (with their hidden columns) of which the log does not hear as it should; [] is good."""
    records = await connection.fetch(INSTALLED, list(TYPES_OF_TRIGGERS))
    found = {(record["table"], record["trigger"]): record for record in records}
    return [
        f"{table.name}: {fault}; run `guildhouse migrate`"
        for table, hidden in declared.items()
        for trigger, body in bodies(table, hidden).items()
        if (fault := fault_of(found.get((table.name, trigger)), trigger, body))
    ]


def fault_of(installed: Values | None, trigger: str, body: str) -> str | None:
    """What is wrong with a trigger, in words; None where nothing is."""
    if installed is None:
        return "its new rows are not logged" if trigger == ADDING else "its writes are not logged"
    if not installed["fires"] or installed["type"] != TYPES_OF_TRIGGERS[trigger]:
        return "its log trigger was switched off"
    return None if installed["body"] == body else "its log trigger is of another version"
