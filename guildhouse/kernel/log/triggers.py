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
from itertools import islice

from sqlalchemy import JSON, Column, Table

from guildhouse.kernel.db import DIALECT, Connection

Columns = list[Column[object]]

UNSAID = ("id", "version", "updated_at", "scopes")
ARGUMENTS = 90  # PostgreSQL takes 100 in one call
TRIGGER = "guildhouse_log"
NO_TRUNCATE = "guildhouse_log_truncate"

TYPE_OF_TRIGGER = 1 + 4 + 8 + 16  # pg_trigger.tgtype: for each row, on INSERT, DELETE, UPDATE; not before

BODY = """
DECLARE
    note jsonb := nullif(current_setting('guildhouse.note', true), '')::jsonb;
    verb text := note ->> 'verb';
    was jsonb;
    became jsonb;
BEGIN
    IF TG_OP = 'INSERT' THEN
        became := {inserted};
        verb := coalesce(verb, 'created');
    ELSIF TG_OP = 'DELETE' THEN
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
    function, name = quote(f"log_{table.name}"), quote(table.name)
    return [
        f"CREATE OR REPLACE FUNCTION {function}() RETURNS trigger LANGUAGE plpgsql SET timezone = 'UTC' "
        f"AS $log${body(table, hidden)}$log$",
        f"CREATE OR REPLACE TRIGGER {TRIGGER} AFTER INSERT OR UPDATE OR DELETE ON {name} "
        f"FOR EACH ROW EXECUTE FUNCTION {function}()",
        f"ALTER TABLE {name} ENABLE TRIGGER {TRIGGER}",
        f"CREATE OR REPLACE TRIGGER {NO_TRUNCATE} BEFORE TRUNCATE ON {name} EXECUTE FUNCTION refuse_truncating()",
    ]


def removal(table: Table) -> list[str]:
    """The SQL that takes a table from the log's sight, for a migration that goes back."""
    return [
        f"DROP TRIGGER IF EXISTS {TRIGGER} ON {quote(table.name)}",
        f"DROP TRIGGER IF EXISTS {NO_TRUNCATE} ON {quote(table.name)}",
        f"DROP FUNCTION IF EXISTS {quote(f'log_{table.name}')}()",
    ]


def body(table: Table, hidden: Collection[str] = ()) -> str:
    """The trigger function of a table, as PostgreSQL keeps it."""
    said = [column for column in table.columns if column.name not in UNSAID and column.computed is None]
    told = [column for column in said if column.name not in hidden]
    return BODY.format(
        inserted=values("NEW", told),
        deleted=values("OLD", told),
        compared="".join(comparison(column, column.name in hidden) for column in said),
    )


def values(side: str, columns: Columns) -> str:
    """An expression: the columns that are not null, as one object."""
    documents = [column for column in columns if isinstance(column.type, JSON)]
    plain = [column for column in columns if column not in documents]
    parts = [f"jsonb_strip_nulls({built(side, some)})" for some in chunks(plain, ARGUMENTS // 2)]
    # Stripped of its nulls a document would lose its own inner ones, so each of those is taken or left as a whole.
    parts += [
        f"CASE WHEN {side}.{quote(column.name)} IS NULL THEN '{{}}' ELSE {built(side, [column])} END"
        for column in documents
    ]
    return "\n            || ".join(parts)


def built(side: str, columns: Columns) -> str:
    """An expression: these columns of one side of the row, as an object."""
    pairs = (f"{literal(column.name)}, {side}.{quote(column.name)}" for column in columns)
    return f"jsonb_build_object({', '.join(pairs)})"


def comparison(column: Column[object], is_hidden: bool) -> str:
    """A statement that notes both values of a column if they differ."""
    name = quote(column.name)
    was, became = ("NULL", "NULL") if is_hidden else (f"OLD.{name}", f"NEW.{name}")
    return COMPARED.format(name=name, key=literal(column.name), was=was, became=became)


def chunks(columns: Columns, size: int) -> Iterable[Columns]:
    """The columns in groups of at most this size."""
    rest = iter(columns)
    while some := list(islice(rest, size)):
        yield some


def quote(name: str) -> str:
    """A name as SQL takes it."""
    return DIALECT.identifier_preparer.quote(name)


def literal(text: str) -> str:
    """A text as SQL takes it."""
    return "'" + text.replace("'", "''") + "'"


INSTALLED = """
SELECT c.relname AS table, f.prosrc AS body, t.tgenabled = 'O' AND t.tgtype = $2 AND t.tgqual IS NULL AS fires
FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid JOIN pg_proc f ON f.oid = t.tgfoid
WHERE t.tgname = $1 AND c.relnamespace = current_schema()::regnamespace
"""


async def drift(connection: Connection, declared: Mapping[Table, Collection[str]]) -> list[str]:
    """Faults in words: tables (with their hidden columns) of which the log does not hear as it should; [] is good."""
    found = {record["table"]: record for record in await connection.fetch(INSTALLED, TRIGGER, TYPE_OF_TRIGGER)}
    faults = []
    for table, hidden in declared.items():
        installed = found.get(table.name)
        if installed is None:
            faults.append(f"{table.name}: its writes are not logged; run `guildhouse migrate`")
        elif not installed["fires"]:
            faults.append(f"{table.name}: its log trigger was switched off; run `guildhouse migrate`")
        elif installed["body"] != body(table, hidden):
            faults.append(f"{table.name}: its log trigger is of another version; run `guildhouse migrate`")
    return faults
