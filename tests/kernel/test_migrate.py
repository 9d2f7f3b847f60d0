"""Migrations: forward, back, and no difference between what is declared and what is there."""

import asyncio
from uuid import UUID

import asyncpg
import pytest

from guildhouse.app import HOUSE
from guildhouse.kernel import store
from guildhouse.kernel.db import Database
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


WHOM = [str(UUID(int=n)) for n in range(1, 7)]
ADA, IVY, MARY, ZOE, ROSE, TEAM = WHOM
JUDGED = f"""
INSERT INTO applications (id, job_id, applicant_id, candidate_id, organization_id, job_title, stage, documents, submitted_at,
    scopes) SELECT id, id, applicant, candidate, '{TEAM}', 'Clerk', 'submitted', '[]', now(),
    ARRAY['organization:{TEAM}:interviewers', 'organization:{TEAM}:recruiters']
    || CASE WHEN applicant IS NULL THEN '{{}}' ELSE ARRAY['person:' || applicant] END
FROM (VALUES ('{IVY}'::uuid, '{IVY}'::uuid, NULL::uuid), ('{ZOE}', '{ZOE}', NULL), ('{MARY}', NULL, '{MARY}')) a
    (id, applicant, candidate);
INSERT INTO notes (id, application_id, organization_id, applicant_id, author_id, audience, body, scopes)
SELECT gen_random_uuid(), application, '{TEAM}', applicant, '{ADA}', audience, body,
    CASE audience WHEN 'private' THEN ARRAY['person:{ADA}'] WHEN 'team' THEN ARRAY['organization:{TEAM}:interviewers']
    ELSE ARRAY['organization:{TEAM}:interviewers', 'person:' || applicant] END
FROM (VALUES ('{IVY}'::uuid, '{IVY}'::uuid, 'team', 'of an applicant'), ('{IVY}', '{IVY}', 'shared', 'for both'),
    ('{IVY}', '{IVY}', 'private', 'for herself'), ('{MARY}', NULL, 'team', 'of a candidate'),
    ('{ZOE}', NULL, 'team', 'of a candidate who was claimed')) n (application, applicant, audience, body);
INSERT INTO candidates (id, organization_id, name, links, skills, tags, source, person_id, scopes)
SELECT id, '{TEAM}', 'Somebody', '{{}}', '{{}}', '{{}}', '', person, ARRAY['organization:{TEAM}:interviewers']
FROM (VALUES ('{MARY}'::uuid, NULL::uuid), ('{ROSE}', '{ZOE}')) c (id, person)
"""
NOUNS = ("applications", "candidates", "notes")


async def all_scopes(dsn: str) -> dict[str, list[str]]:
    """The scopes of every row of these nouns."""
    rows = " UNION ALL ".join(f"SELECT '{noun}', id, scopes FROM {noun}" for noun in NOUNS)
    connection = await asyncpg.connect(dsn)
    found = {f"{noun} {row_id}": scopes for noun, row_id, scopes in await connection.fetch(rows)}
    await connection.close()
    return found


async def test_what_teams_have_said_before_is_kept_from_whom_it_is_about(dsn: str) -> None:
    await migrate(dsn, HOUSE, "0014")
    connection = await asyncpg.connect(dsn)
    await connection.execute(f"SET session_replication_role = replica; {JUDGED}")
    await connection.close()
    before = await all_scopes(dsn)
    await migrate(dsn, HOUSE)
    database = await Database.open(dsn)
    for noun in NOUNS:
        for record in await database.pool.fetch(f"SELECT * FROM {noun}"):
            row = HOUSE.resources[noun].table.of(record)
            assert record["scopes"] == store.scopes_of(HOUSE.resources[noun], row), (noun, dict(record))
    kept = "SELECT array_agg(row_id ORDER BY row_id) FROM changes WHERE scopes_after::text LIKE '%except:%'"
    named = await database.pool.fetch("SELECT body, version, applicant_id, candidate_id FROM notes ORDER BY body")
    assert [tuple(each) for each in named] == [
        ("for both", 1, IVY, None), ("for herself", 1, IVY, None), ("of a candidate", 2, None, MARY),
        ("of a candidate who was claimed", 2, ZOE, None), ("of an applicant", 2, IVY, None),
    ]  # fmt: skip
    assert len(await database.pool.fetchval(kept)) == 5
    assert await database.pool.fetchval("SELECT count(DISTINCT reason) FROM changes") == 1
    await database.close()
    await migrate(dsn, HOUSE, "0014")
    assert await all_scopes(dsn) == before
