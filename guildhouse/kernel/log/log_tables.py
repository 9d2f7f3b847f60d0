"""The tables of the log, as SQL: the changes, their positions, the epochs, and the readers' cursors.

    changes        what happened, one row per written row; filled by the triggers of `triggers.py`, split by month
    change_pos     the order in which everyone reads it: a dense `pos` per change, and the chain of digests
    epochs         since when positions count; a restore from a backup starts a new one
    readers        how far each reader has come; `dead_letters` holds the changes that a reader could not take

The log only grows. Two guards hold that against a slip of the hand: a change may lose personal values (erasure, see
`changes.forget`) and nothing else may be rewritten. The chain of digests holds it against intent, see `audit.py`.
"""

from guildhouse.kernel.db import Connection

# What a digest covers: everything a change says, in a form that no session's settings alter; `xid` and `salt` are not
# part of it, because the one loses its meaning in a restore and the other is dropped by an erasure. Three texts that each
# say where they end, because one array would copy both documents before it writes them. SHA-512 cut to half its length is
# as strong as SHA-256, and half the work where PostgreSQL has to compute it without the processor's help.
CHANGE_TEXT = """jsonb_build_array(c.seq, extract(epoch FROM c.at), c.actor, c.request_id, c.reason, c.caused_by,
    c.resource, c.row_id, c.version, c.verb, c.scopes_before, c.scopes_after)::text
    || coalesce(c.before::text, '-') || coalesce(c.after::text, '-')"""
DIGEST = f"substring(sha512(coalesce(c.salt, '') || convert_to({CHANGE_TEXT}, 'UTF8')) FOR 32)"

# Where the log lives: another cluster, a promoted replica or a restored table is another home, and a new epoch.
HOME = """concat_ws('/', (SELECT system_identifier FROM pg_control_system()),
    left(pg_walfile_name(pg_current_wal_insert_lsn()), 8), 'epochs'::regclass::oid)"""
EPOCH_NAME = "encode(substring(uuid_send(gen_random_uuid()) FOR 4), 'hex')"

CHANGES = """
CREATE SEQUENCE changes_seq;
CREATE TABLE changes (
    seq bigint NOT NULL DEFAULT nextval('changes_seq'),
    xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text,
    request_id text,
    reason text,
    caused_by bigint,
    resource text NOT NULL,
    row_id uuid NOT NULL,
    version integer NOT NULL,
    verb text NOT NULL,
    before jsonb,
    after jsonb,
    scopes_before text[],
    scopes_after text[],
    salt bytea DEFAULT uuid_send(gen_random_uuid()),
    PRIMARY KEY (seq, at)
) PARTITION BY RANGE (at);
CREATE INDEX ix_changes_xid ON changes (xid);
CREATE INDEX ix_changes_resource_row_id_seq ON changes (resource, row_id, seq);
CREATE INDEX ix_changes_caused_by ON changes (caused_by) WHERE caused_by IS NOT NULL;
CREATE TABLE changes_default PARTITION OF changes DEFAULT;
"""

# The sequencer keeps no row of its own: what it needs to go on (pos, link, snap) is in the last line it wrote. A row
# updated twenty times a second would swell under every long backup, because no version of it could be cleaned away.
POSITIONS = f"""
CREATE TABLE change_pos (
    pos bigint PRIMARY KEY,
    seq bigint NOT NULL UNIQUE,
    at timestamptz NOT NULL,
    digest bytea NOT NULL,
    link bytea NOT NULL,
    snap pg_snapshot
);
CREATE TABLE epochs (
    number integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL UNIQUE,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    pos bigint NOT NULL,
    seq bigint NOT NULL,
    snap pg_snapshot NOT NULL,
    home text NOT NULL
);
INSERT INTO epochs (name, pos, seq, snap, home) SELECT {EPOCH_NAME}, 0, 0, pg_current_snapshot(), {HOME};
CREATE FUNCTION change_link(state bytea, start bytea, digest bytea) RETURNS bytea IMMUTABLE LANGUAGE sql AS $$
    SELECT sha256(coalesce(state, start) || digest)
$$;
CREATE AGGREGATE change_chain(start bytea, digest bytea) (SFUNC = change_link, STYPE = bytea);
"""

READERS = """
CREATE TABLE readers (
    name text PRIMARY KEY,
    cursor bigint NOT NULL,
    lease_owner text,
    lease_until timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    last_error text,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE dead_letters (
    reader text NOT NULL REFERENCES readers (name) ON DELETE CASCADE,
    pos bigint NOT NULL,
    seq bigint NOT NULL,
    error text NOT NULL,
    attempts integer NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    resolved_at timestamptz,
    PRIMARY KEY (reader, pos)
);
"""

GUARDS = """
CREATE FUNCTION only_blanked(was jsonb, became jsonb) RETURNS boolean IMMUTABLE LANGUAGE sql AS $$
    SELECT (was IS NULL) = (became IS NULL) AND NOT EXISTS (
        SELECT FROM jsonb_each(was) w FULL JOIN jsonb_each(became) b USING (key)
        WHERE (w.value IS NULL) OR (b.value IS NULL) OR (b.value <> 'null' AND b.value <> w.value))
$$;
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the log only grows: % of % is refused', TG_OP, TG_TABLE_NAME
    USING HINT = 'A repair is a new write to the row itself; to erase personal values call changes.forget.';
END $$;
CREATE FUNCTION refuse_truncating() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'TRUNCATE of % is refused: the log would not hear of it', TG_TABLE_NAME
    USING HINT = 'Use DELETE.';
END $$;
CREATE FUNCTION guard_changes() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    upkeep text := current_setting('guildhouse.upkeep', true);
BEGIN
    IF TG_OP = 'DELETE' AND upkeep = 'move' THEN
        RETURN OLD;
    ELSIF TG_OP = 'UPDATE' AND upkeep = 'erase' AND NEW.salt IS NULL
            AND only_blanked(OLD.before, NEW.before) AND only_blanked(OLD.after, NEW.after) THEN
        OLD.before := NEW.before;
        OLD.after := NEW.after;
        OLD.salt := NULL;
        IF OLD IS NOT DISTINCT FROM NEW THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION 'the log only grows: % of change % is refused', TG_OP, OLD.seq
    USING HINT = 'A repair is a new write to the row itself; to erase personal values call changes.forget.';
END $$;
CREATE TRIGGER guard BEFORE UPDATE OR DELETE ON changes FOR EACH ROW EXECUTE FUNCTION guard_changes();
CREATE TRIGGER guard_all BEFORE TRUNCATE ON changes EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER guard_all BEFORE UPDATE OR DELETE OR TRUNCATE ON change_pos EXECUTE FUNCTION refuse_rewriting();
"""

# Of a change that two of fit on a page nothing is compressed: to compress a new row of 2 kB took as long as to log it.
KEPT_AS_IT_IS = "toast_tuple_target = 4080"

# A partition is filled before it is attached: attaching takes a weaker lock than creating one in place, and what the
# default partition had to catch for that month (nobody was there to make it in time) moves along.
MAKING_PARTITIONS = f"""
CREATE OR REPLACE FUNCTION ensure_change_partitions(months integer) RETURNS integer LANGUAGE plpgsql
SET lock_timeout = '2s' AS $$
DECLARE
    first timestamptz;
    beyond timestamptz;
    name text;
    made integer := 0;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('changes'), hashtext('partitions'));
    FOR n IN 0..months LOOP
        first := date_add(date_trunc('month', now(), 'UTC'), make_interval(months => n), 'UTC');
        beyond := date_add(first, '1 month', 'UTC');
        name := to_char(first AT TIME ZONE 'UTC', '"changes_"YYYY_MM');
        CONTINUE WHEN to_regclass(name) IS NOT NULL;
        EXECUTE format('CREATE TABLE %I (LIKE changes INCLUDING DEFAULTS) WITH ({KEPT_AS_IT_IS})', name);
        PERFORM set_config('guildhouse.upkeep', 'move', true);
        EXECUTE format('WITH strays AS (DELETE FROM changes_default WHERE at >= %L AND at < %L RETURNING *)'
            ' INSERT INTO %I SELECT * FROM strays', first, beyond, name);
        PERFORM set_config('guildhouse.upkeep', '', true);
        EXECUTE format('ALTER TABLE changes ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)', name, first, beyond);
        made := made + 1;
    END LOOP;
    RETURN made;
END $$
"""

INSTALL = [CHANGES, POSITIONS, READERS, GUARDS, MAKING_PARTITIONS, "SELECT ensure_change_partitions(3)"]

UNINSTALL = [
    "DROP TABLE dead_letters, readers, epochs, change_pos, changes",
    "DROP SEQUENCE changes_seq",
    "DROP AGGREGATE change_chain(bytea, bytea)",
    "DROP FUNCTION change_link, only_blanked, refuse_rewriting, refuse_truncating, guard_changes, ensure_change_partitions",
]


async def ensure_partitions(connection: Connection, months: int = 3) -> int:
    """Make the log's partitions for this month and the next ones; says how many were missing."""
    made: int = await connection.fetchval("SELECT ensure_change_partitions($1)", months)
    return made
