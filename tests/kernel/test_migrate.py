"""Migrations: forward, back, and no difference between what is declared and what is there."""

import asyncio

import asyncpg
import pytest

from guildhouse.app import HOUSE
from guildhouse.kernel.log import triggers
from guildhouse.kernel.migrate import drift, migrate, migration_state, newest_revision

pytestmark = pytest.mark.anyio
TABLES = "SELECT count(*) FROM pg_tables WHERE schemaname = 'public' AND tablename !~ '^(pgqueuer|alembic_version)'"


async def ask(dsn: str, sql: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def trigger_faults(dsn: str) -> list[str]:
    connection = await asyncpg.connect(dsn)
    try:
        declared = {resource.sql_table: resource.log.hidden for resource in HOUSE.resources.values()}
        return await triggers.drift(connection, declared)
    finally:
        await connection.close()


async def test_forward_back_and_forward_again(empty_dsn: str) -> None:
    before = await migration_state(empty_dsn)
    assert (before.current, before.head) == (None, newest_revision())
    assert before.pending[-1] == newest_revision()
    await migrate(empty_dsn, HOUSE)
    first = await ask(empty_dsn, TABLES)
    assert (await migration_state(empty_dsn)).pending == ()
    await migrate(empty_dsn, HOUSE, "0001")
    state = await migration_state(empty_dsn)
    assert (state.current, state.pending) == ("0001", before.pending[1:])
    await migrate(empty_dsn, HOUSE, "base")
    assert await ask(empty_dsn, TABLES) == 0
    await migrate(empty_dsn, HOUSE)
    assert await ask(empty_dsn, TABLES) == first
    assert await drift(empty_dsn) == []
    assert await trigger_faults(empty_dsn) == []


async def test_the_migrated_tables_are_the_declared_ones(dsn: str) -> None:
    assert await drift(dsn) == []


async def test_a_difference_is_found(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("ALTER TABLE reminders DROP COLUMN done_at, ADD COLUMN extra text")
    await connection.close()
    found = str(await drift(dsn))
    assert "done_at" in found and "extra" in found


async def test_migrating_again_renews_what_is_derived(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute("ALTER TABLE jobs DISABLE TRIGGER guildhouse_log")
    await connection.execute("DROP TRIGGER guildhouse_log ON people")
    await connection.close()
    assert len(await trigger_faults(dsn)) == 2
    await migrate(dsn, HOUSE)
    assert await trigger_faults(dsn) == []


async def test_two_nodes_that_start_at_once_migrate_one_after_the_other(empty_dsn: str) -> None:
    await asyncio.gather(migrate(empty_dsn, HOUSE), migrate(empty_dsn, HOUSE))
    assert (await migration_state(empty_dsn)).pending == ()
    assert await trigger_faults(empty_dsn) == []


async def test_rows_that_were_there_before_a_migration_are_there_after_it(dsn: str) -> None:
    connection = await asyncpg.connect(dsn)
    await connection.execute(
        "INSERT INTO people (id, email, name, role, status, language, skills, listed, audience) VALUES "
        "(gen_random_uuid(), 'ada@example.org', 'Ada', 'member', 'active', 'en', '{}', true, '{}')"
    )
    await connection.close()
    await migrate(dsn, HOUSE)
    assert await ask(dsn, "SELECT name FROM people") == "Ada"
    assert await ask(dsn, "SELECT count(*) FROM changes WHERE resource = 'people'") == 1


async def test_operations_of_before_say_what_they_have_written(dsn: str) -> None:
    await migrate(dsn, HOUSE, "0005")
    connection = await asyncpg.connect(dsn)
    await connection.execute("SET session_replication_role = replica")  # the triggers are those of this version
    await connection.execute(
        "INSERT INTO operations (id, person_id, kind, resource, mode, status, total, created, changed, unchanged, removed, "
        "restored, failed) VALUES (gen_random_uuid(), gen_random_uuid(), 'batch', 'jobs', 'each', 'cancelled', 100, 20, 10, "
        "5, 3, 2, 1)"
    )
    await connection.close()
    await migrate(dsn, HOUSE)
    assert await ask(dsn, "SELECT (written, remaining, kept, dry_run)::text FROM operations") == "(35,59,0,f)"


async def test_the_guard_of_what_is_held_is_made_anew_and_goes_with_its_migration(dsn: str) -> None:
    guards = "SELECT count(*) FROM pg_trigger WHERE tgname = 'guildhouse_held'"
    assert await ask(dsn, guards) == len(HOUSE.resources)
    await ask(dsn, "DROP TRIGGER guildhouse_held ON jobs")
    await migrate(dsn, HOUSE)
    assert await ask(dsn, guards) == len(HOUSE.resources)
    await migrate(dsn, HOUSE, "0005")
    assert await ask(dsn, guards) == 0


async def test_how_changes_are_kept_goes_with_its_migration_and_holds_for_months_to_come(dsn: str) -> None:
    kept = "SELECT count(*) FROM pg_class WHERE relname LIKE 'changes\\_%' AND reloptions = '{toast_tuple_target=4080}'"
    parts = "SELECT count(*) FROM pg_inherits WHERE inhparent = 'changes'::regclass"
    assert await ask(dsn, kept) == await ask(dsn, parts)
    await migrate(dsn, HOUSE, "0013")
    await ask(dsn, "SELECT ensure_change_partitions(5)")
    assert await ask(dsn, kept) == 0
    await migrate(dsn, HOUSE)
    await ask(dsn, "SELECT ensure_change_partitions(7)")
    assert await ask(dsn, kept) == await ask(dsn, parts)
