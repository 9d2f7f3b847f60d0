"""The other commands: where things are, what follows from a declaration, what came of a change, migrations."""

import asyncio
import json
import os
import signal
from collections.abc import Callable, Iterator
from contextlib import redirect_stdout
from io import StringIO
from pathlib import Path

import pytest
from httpx2 import Response

from guildhouse.__main__ import main
from guildhouse.app import HOUSE
from guildhouse.commands import describing, explain, migrating, where
from guildhouse.commands.trace import trace
from guildhouse.config import load
from guildhouse.kernel.errors import NotDone
from guildhouse.kernel.http import doors_of
from guildhouse.kernel.migrate import drift
from guildhouse.kernel.row import BASE_COLUMNS
from tests.cast import Cast
from tests.commands.processes import words_of
from tests.organizations.scenes import approved

Says = Callable[..., str]


@pytest.fixture
def says(dsn: str) -> Iterator[Says]:
    """Run a command on the test's database, in this process; what it says."""
    before, handler = dict(os.environ), signal.getsignal(signal.SIGTERM)
    os.environ["DATABASE_URL"] = dsn

    def run(*arguments: str) -> str:
        said = StringIO()
        with redirect_stdout(said), pytest.raises(SystemExit) as ended:
            main([*arguments])
        assert ended.value.code in (0, None), said.getvalue()
        return said.getvalue()

    yield run
    os.environ.clear()
    os.environ.update(before)
    signal.signal(signal.SIGTERM, handler)


def test_migrations_go_forward_and_back_and_forward_without_a_trace(says: Says, dsn: str) -> None:
    assert "newest" in says("migrate", "status")
    assert "0001" in says("migrate", "back", "0001", "--yes")
    assert "still to come" in says("migrate", "status")
    assert "newest" in says("migrate")
    assert asyncio.run(drift(dsn)) == []
    assert "no migration" in says("migrate", "back", "base", "--yes")
    assert "0001" in says("migrate", "forward", "0001")
    assert "newest" in says("migrate", "forward")
    assert asyncio.run(drift(dsn)) == []
    assert says("doctor") == "All is well.\n"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("forward", "7777"), "There is no migration 7777"),
        (("forward", "0001"), "is past 0001 already"),
        (("back", "7777", "--yes"), "There is no migration 7777"),
        (("back", "head", "--yes"), "There is no migration head"),
    ],
)
def test_a_way_that_does_not_exist_is_refused_in_words(dsn: str, arguments: tuple[str, ...], reason: str) -> None:
    assert reason in words_of("migrate", *arguments, DATABASE_URL=dsn)


def test_where_one_stands_is_no_way_back(dsn: str) -> None:
    state = asyncio.run(migrating.standing(dsn))
    assert "does not lie behind" in words_of("migrate", "back", str(state.current), "--yes", DATABASE_URL=dsn)


def test_a_migration_backwards_asks_first(dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", StringIO("n\n"))
    words_of("migrate", "back", "0001", DATABASE_URL=dsn)
    assert asyncio.run(migrating.standing(dsn)).pending == ()


def test_a_directory_without_a_database_is_said_in_words(tmp_path: Path) -> None:
    for command in (["migrate"], ["backup", str(tmp_path / "b.tar")], ["audit", "verify"], ["trace", "1"], ["retry"]):
        assert "There is no database" in words_of(*command, GUILDHOUSE_DATA=str(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("word", "place"),
    [
        ("jobs", "guildhouse/jobs/job.py"),
        ("api-keys", "guildhouse/accounts/api_key.py"),
        ("ApiKey", "guildhouse/accounts/api_key.py"),
        ("salary_max", "column jobs.salary_max"),
        ("jobs.salary_max", "column jobs.salary_max"),
        ("publish", "guildhouse/jobs/job.py"),
        ("POST /v1/jobs/{id}/publish", "guildhouse/jobs/job.py"),
        ("/v1/jobs", "GET /v1/jobs: List jobs"),
        ("jobs.write", "POST /v1/jobs"),
        ("application.submitted", "guildhouse/applications/moving.py"),
        ("job.created", "events of plain writes"),
        ("already-applied", "problem already-applied (409)"),
        ("G202", "guildhouse/kernel/check.py"),
        ("GUILDHOUSE_POOL", "guildhouse/config.py"),
        ("/ready", "guildhouse/kernel/health.py"),
        ("/first-admin", "guildhouse/accounts/first_admin.py"),
        ("store.py", "guildhouse/kernel/store.py:1"),
        ("close-overdue-jobs", "guildhouse/jobs/closing.py"),
        ("tasks", "reader tasks of the log"),
    ],
)
def test_everything_that_has_a_name_is_found(word: str, place: str) -> None:
    assert place in (where.told(word) or "")


def test_the_line_that_is_told_is_the_line(says: Says) -> None:
    file, line = says("map", "jobs.salary_max").split()[0].split(":")
    assert "salary_max: Mapped" in (where.ROOT.parent / file).read_text().splitlines()[int(line) - 1]


def test_every_column_door_and_setting_is_found() -> None:
    known = {word for place in where.everything() for word in place.words}
    columns = {f"{each.name}.{name}" for each in HOUSE.resources.values() for name in each.columns}
    inherited = {f"{each.name}.{name}" for each in HOUSE.resources.values() for name in BASE_COLUMNS}
    assert columns - inherited <= known
    assert {door.path for door in doors_of(HOUSE)} <= known
    assert {f"GUILDHOUSE_{name}" for name in describing.Config.model_fields} <= known


def test_a_part_of_a_word_is_enough_and_a_mistyped_one_is_corrected() -> None:
    assert "jobs.salary_currency" in (where.told("salary_curr") or "")
    assert "Similar: jobs" in words_of("map", "jbos")


@pytest.mark.parametrize("name", HOUSE.resources)
def test_every_resource_can_be_explained(name: str) -> None:
    said = explain.explain(name)
    resource = HOUSE.resources[name]
    assert all(f"\n  {column} " in said for column in resource.columns)
    assert all(door.path in said for door in doors_of(HOUSE) if door.resource is resource)
    assert "insert  WITH noted AS" in said and "no index" not in said
    assert ("Stages" in said) == (resource.stages is not None)


def test_what_is_no_resource_cannot_be_explained() -> None:
    assert "There are: " in words_of("explain", "weather")


@pytest.mark.anyio
async def test_a_trace_tells_who_did_what_and_what_came_of_it(cast: Cast) -> None:
    organization = await approved(cast)
    body = {"title": "Engine programmer", "organization_id": organization["id"], "status": "open"}
    job = await cast.ada.made("/v1/jobs", body)
    suspended = await cast.otto.post(
        f"/v1/organizations/{organization['id']}/suspend", {"reason": "It asks for money."}
    )
    await until_paused(cast, job["id"])
    said = await trace(cast.server.database.dsn, suspended.headers["log-position"])
    lines = said.splitlines()
    assert lines[0].startswith("organization.suspended  organizations/")
    assert "  by Otto (" in said and '  status: "approved" -> "suspended"' in said
    assert "  seen by public no more" in lines
    assert "  reader tasks: is past it" in lines
    assert any(line.startswith("  task pause-jobs: ") for line in lines)
    assert f"    job.paused  jobs/{job['id']}  version 2" in lines
    assert "      by the house itself" in said


async def until_paused(cast: Cast, job_id: str) -> Response:
    """The job, once the task has paused it and its change has a position."""
    for _ in range(400):
        answer = await cast.ada.get(f"/v1/jobs/{job_id}")
        if answer.json()["status"] == "paused":
            return answer
        await asyncio.sleep(0.05)
    raise AssertionError("the job was not paused")


@pytest.mark.anyio
async def test_a_trace_takes_positions_and_seqs_and_refuses_others_in_words(cast: Cast) -> None:
    dsn, created = cast.server.database.dsn, await cast.ada.post("/v1/jobs", {"title": "Mine"})
    assert (await trace(dsn, created.headers["log-position"])).startswith("job.created")
    seq = await cast.server.database.pool.fetchval("SELECT max(seq) FROM changes")
    assert (await trace(dsn, str(seq))).startswith("job.created")
    for text, reason in (("00000000.1", "restored"), ("nonsense", "no position"), ("999999", "no change")):
        with pytest.raises(NotDone, match=reason):
            await trace(dsn, text)


def test_the_audit_ends_with_a_verdict(says: Says) -> None:
    assert "whole and unaltered" in says("audit", "verify")


def test_the_document_is_that_of_a_server(says: Says) -> None:
    document = json.loads(says("openapi"))
    assert document["openapi"].startswith("3.1") and set(document["paths"]) >= {"/v1/jobs", "/health", "/ready"}


def test_the_reference_is_written_once_and_then_only_where_it_differs(tmp_path: Path) -> None:
    written = describing.write_reference(tmp_path / "api")
    assert {"README.md", "errors.md", "jobs.md"} <= {page.name for page in written}
    assert describing.write_reference(tmp_path / "api") == []
    (tmp_path / "api" / "jobs.md").write_text("old")
    assert [page.name for page in describing.write_reference(tmp_path / "api")] == ["jobs.md"]


def test_every_setting_is_shown_and_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://ada:hush@db/guildhouse")
    said = "\n".join(describing.settings(load(port=9000)))
    assert "DATABASE_URL=postgresql://ada@db/guildhouse" in said and "hush" not in said
    assert "GUILDHOUSE_PORT=9000  (default: 8000)" in said
    assert all(str(field.description) in said for field in describing.Config.model_fields.values())
