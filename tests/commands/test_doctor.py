"""The doctor finds what is wrong, each thing by itself, and says what to do; a house in order has nothing."""

import asyncio
import json
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import date
from io import StringIO
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from guildhouse.app import HOUSE
from guildhouse.commands import describing, doctor, mending
from guildhouse.commands.doctor import Finding, of_clock, of_database, of_directory, of_programs, of_storage, told
from guildhouse.commands.storing import require
from guildhouse.config import load
from guildhouse.kernel import migrate
from guildhouse.kernel.errors import NotDone
from tests.commands.processes import words_of
from tests.object_storage import BUCKET, SECRET, ObjectStorage

Tell = Callable[[str], Any]


@pytest.fixture
def tell(dsn: str) -> Tell:
    """Run a statement on the test's database; the first value of its answer."""

    async def run(statement: str) -> Any:
        connection = await asyncpg.connect(dsn)
        try:
            answers = "RETURNING" in statement or statement.startswith("SELECT")
            return await (connection.fetchval(statement) if answers else connection.execute(statement))
        finally:
            await connection.close()

    return lambda statement: asyncio.run(run(statement))


def found_in(dsn: str, **settings: Any) -> list[Finding]:
    return asyncio.run(of_database(dsn, load(**settings)))


def only(found: list[Finding]) -> Finding:
    """The one finding."""
    assert len(found) == 1, told(found)
    return found[0]


PERSON = """
INSERT INTO people (id, email, name, role, status, language, skills, listed, audience, scopes) VALUES
    (gen_random_uuid(), 'ada@example.org', 'Ada', 'member', 'active', 'en', '{}', true, '{}', '{members}')
    RETURNING id::text
"""


def test_a_database_in_order_gives_no_reason_to_complain(dsn: str) -> None:
    assert found_in(dsn) == []


def test_a_dropped_trigger_is_found_and_migrate_makes_it_again(dsn: str, tell: Tell) -> None:
    tell("DROP TRIGGER guildhouse_log ON people")
    finding = only(found_in(dsn))
    assert (finding.severity, finding.what) == (
        "error",
        "G603 the database: people: its writes are not logged; run `guildhouse migrate`",
    )
    asyncio.run(migrate.migrate(dsn, HOUSE))
    assert found_in(dsn) == []


def test_a_missing_index_is_found_and_the_advice_makes_it_again(dsn: str, tell: Tell) -> None:
    tell("DROP INDEX uq_people_email")
    finding = only(found_in(dsn))
    assert finding.what == "G602 the database: `uq_people_email` of people is missing"
    tell(finding.advice.partition(": ")[2])
    assert found_in(dsn) == []


def test_a_row_that_was_written_behind_the_logs_back_is_found(dsn: str, tell: Tell) -> None:
    row_id = tell(PERSON)
    tell("ALTER TABLE people DISABLE TRIGGER USER; UPDATE people SET role = 'admin', version = 7")
    tell("ALTER TABLE people ENABLE TRIGGER USER")
    finding = only(found_in(dsn))
    assert finding.what == f"people {row_id} is at version 7, its last change at 1"


def test_a_dead_letter_is_found_and_its_trace_is_named(dsn: str, tell: Tell) -> None:
    tell("INSERT INTO readers (name, cursor) VALUES ('slow', 0)")
    tell("INSERT INTO dead_letters (reader, pos, seq, error, attempts) VALUES ('slow', 3, 3, 'Oh', 5)")
    epoch = tell("SELECT name FROM epochs")
    finding = only(found_in(dsn))
    assert "slow could not take the change at position 3: Oh" in finding.what
    assert finding.advice == f"See `guildhouse trace {epoch}.3`; then `guildhouse replay slow 3`."
    tell("UPDATE dead_letters SET resolved_at = now()")
    assert found_in(dsn) == []


def test_a_lease_that_ran_out_is_found(dsn: str, tell: Tell) -> None:
    tell(
        "INSERT INTO readers (name, cursor, lease_owner, lease_until) "
        "VALUES ('slow', 0, 'node:1', now() - interval '1 hour')"
    )
    finding = only(found_in(dsn))
    assert finding.severity == "warning" and "slow was held by node:1" in finding.what


def test_a_task_that_was_given_up_is_found_and_retried_as_if_it_were_new(dsn: str, tell: Tell) -> None:
    task = tell("INSERT INTO pgqueuer (priority, entrypoint, status) VALUES (0, 'remind', 'failed') RETURNING id")
    tell(f"INSERT INTO task_attempts (task_id, started) VALUES ({task}, 5)")
    assert only(found_in(dsn)).what == "The task remind was given up 1 times"
    assert asyncio.run(mending.retry(dsn)) == 1
    assert found_in(dsn) == []
    assert tell("SELECT status::text FROM pgqueuer") == "queued"
    assert tell("SELECT count(*) FROM task_attempts") == 0


def test_changes_that_wait_for_their_position_are_found(dsn: str, tell: Tell) -> None:
    tell(CHANGE.format(at="now() - interval '5 minutes'"))
    assert "wait for their position" in only(found_in(dsn)).what


CHANGE = (
    "INSERT INTO changes (resource, row_id, version, verb, at) VALUES ('people', gen_random_uuid(), 1, 'created', {at})"
)


def test_changes_without_a_partition_and_from_the_future_are_found(dsn: str, tell: Tell) -> None:
    tell(CHANGE.format(at="now() + interval '2 years'"))
    assert [each.what[:24] for each in found_in(dsn)] == ["The log has changes from", "1 changes are in the def"]


def test_a_column_of_another_type_is_found(dsn: str, tell: Tell) -> None:
    tell("ALTER TABLE people ALTER COLUMN listed DROP DEFAULT, ALTER COLUMN listed TYPE text")
    assert "The tables differ" in only(found_in(dsn)).what


def test_a_missing_column_is_found(dsn: str, tell: Tell) -> None:
    tell("ALTER TABLE people DROP COLUMN about")
    assert "G601 the database: `people.about` is missing" in [each.what for each in found_in(dsn)]


def test_pending_migrations_are_found_and_nothing_else_is_looked_at(dsn: str, empty_dsn: str) -> None:
    finding = only(found_in(empty_dsn))
    assert "pending: 0001" in finding.what and "guildhouse migrate" in finding.advice


def test_a_newer_database_is_found(dsn: str, tell: Tell) -> None:
    tell("UPDATE alembic_version SET version_num = '9999'")
    assert "newer version of Guildhouse" in only(found_in(dsn)).advice


def test_a_log_that_has_moved_is_mentioned(dsn: str, tell: Tell) -> None:
    tell("UPDATE epochs SET home = 'elsewhere'")
    assert only(found_in(dsn)).severity == "notice"


def test_a_directory_that_everybody_may_write_to_is_found(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    assert only(of_directory(tmp_path)).advice == f"chmod o-w {tmp_path}"
    tmp_path.chmod(0o755)
    assert of_directory(tmp_path) == []


def test_what_a_restore_left_behind_is_found(tmp_path: Path) -> None:
    (tmp_path / "restoring-x").mkdir()
    assert "did not end" in only(of_directory(tmp_path)).what


@pytest.mark.parametrize(
    ("version", "today", "lags"),
    [
        ("18.1", date(2026, 2, 1), False),
        ("18.1", date(2026, 3, 1), True),
        ("18.4", date(2026, 5, 30), False),
        ("18.4", date(2026, 12, 1), True),
        ("19.0", date(2026, 10, 1), False),
        ("18beta1", date(2025, 6, 1), False),
    ],
)
def test_a_postgresql_that_lacks_minor_releases_is_mentioned(version: str, today: date, lags: bool) -> None:
    assert bool(of_programs(version, today)) == lags


def test_a_clock_that_keeps_time_is_no_finding() -> None:
    assert of_clock() == []


def test_wrong_settings_are_findings_each(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GUILDHOUSE_PORT", "many")
    monkeypatch.setenv("GUILDHOUSE_POOL", "0")
    assert [each.what.partition(":")[0] for each in doctor.examine(lambda _: None)] == [
        "GUILDHOUSE_PORT",
        "GUILDHOUSE_POOL",
    ]


def test_programs_read_the_findings_as_json_and_an_error_is_exit_code_1(dsn: str, tell: Tell) -> None:
    tell("DROP TRIGGER guildhouse_log ON people")
    said = StringIO()
    with redirect_stdout(said):
        words_of("doctor", "--json", DATABASE_URL=dsn)
    assert [each["severity"] for each in json.loads(said.getvalue())] == ["error"]


def test_a_database_that_does_not_answer_is_a_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://127.0.0.1:1/guildhouse")
    assert "The database cannot be used" in [each.what for each in doctor.examine(lambda _: None)]


def test_the_verdict_counts() -> None:
    assert told([]) == "All is well."
    assert told([Finding("error", "Smoke", "Leave")]) == "error    Smoke.\n         Leave\n1 error."


def test_a_dead_letter_is_handled_once_more(dsn: str, tell: Tell) -> None:
    tell("INSERT INTO readers (name, cursor) VALUES ('tasks', 1)")
    tell(PERSON)
    tell("INSERT INTO change_pos (pos, seq, at, digest, link) SELECT 1, seq, at, '', '' FROM changes")
    tell("INSERT INTO dead_letters (reader, pos, seq, error, attempts) VALUES ('tasks', 1, 1, 'Oh', 5)")
    asyncio.run(mending.replay(dsn, "tasks", 1))
    assert tell("SELECT count(*) FROM dead_letters WHERE resolved_at IS NULL") == 0
    with pytest.raises(NotDone, match="no dead letter"):
        asyncio.run(mending.replay(dsn, "tasks", 1))
    with pytest.raises(NotDone, match="no reader nobody"):
        asyncio.run(mending.replay(dsn, "nobody", 1))


def test_backups_that_are_missing_late_or_failed_are_found(dsn: str, tmp_path: Path, tell: Tell) -> None:
    backups = str(tmp_path)
    assert found_in(dsn) == []
    assert only(found_in(dsn, backups=backups)).what == "There is no backup yet"
    tell(
        "INSERT INTO backups (id, status, size, added, rows, files, finished_at) "
        "VALUES (gen_random_uuid(), 'done', 1, 1, 1, 0, now() - interval '3 days')"
    )
    assert only(found_in(dsn, backups=backups)).what.startswith("The last good backup is of 20")
    assert found_in(dsn, backups=backups, backup_schedule="0 0 1 * *") == []
    tell(
        "INSERT INTO backups (id, status, size, added, rows, files, finished_at, problem, created_at) VALUES "
        "(gen_random_uuid(), 'failed', 0, 0, 0, 0, now(), 'the disk is full', now() + interval '1 second')"
    )
    found = only(found_in(dsn, backups=backups, backup_schedule="0 0 1 * *"))
    assert (found.severity, found.what) == ("error", "The last backup failed: the disk is full")


def test_places_that_cannot_be_used_are_found_and_keep_a_server_from_starting(
    tmp_path: Path, object_storage: ObjectStorage
) -> None:
    (tmp_path / "letter").write_text("Dear Ada")
    good = {**object_storage.settings, "data": tmp_path}
    assert of_storage(load(**good, files=f"s3://{BUCKET}/doctor", backups=str(tmp_path / "backups"))) == []
    wrong = load(**{**good, "s3_secret": "wrong"}, files=f"s3://{BUCKET}", backups=str(tmp_path / "letter" / "within"))
    first, second = of_storage(wrong)
    assert first.what == f"Files cannot be kept in s3://{BUCKET}" and "refuses the key" in first.advice
    assert second.what.startswith("Backups cannot be kept in") and "Not a directory" in second.advice
    with pytest.raises(NotDone, match=r"Files cannot be kept in s3://guild: .* refuses the key"):
        require(wrong)
    said = words_of("up", GUILDHOUSE_DATA=str(tmp_path / "data"), GUILDHOUSE_PORT="0",
                    **{**object_storage.environment, "GUILDHOUSE_FILES": "s3://elsewhere"})  # fmt: skip
    assert "has no bucket elsewhere" in said and SECRET not in said
    assert not (tmp_path / "data").exists()


def test_the_secret_of_the_storage_is_never_printed() -> None:
    printed = "\n".join(describing.settings(load(s3_key="ada", s3_secret="horse-staple", files="s3://bucket")))
    assert "GUILDHOUSE_FILES=s3://bucket" in printed and "horse-staple" not in printed
