"""Health: the process lives, the server can work, and what keeps it from it is told without telling too much."""

from pathlib import Path
from typing import Any

import asyncpg
import pytest
from fastapi import FastAPI
from httpx2 import ASGITransport, AsyncClient

from guildhouse.kernel import health
from guildhouse.kernel.db import Database
from guildhouse.kernel.health import Check, disk, worst
from guildhouse.kernel.migrate import newest_revision
from guildhouse.kernel.server import Server
from tests.cast import Cast

pytestmark = pytest.mark.anyio


async def ready(server: Server, migration: str | None = None) -> tuple[int, dict[str, Any]]:
    """The answer of /ready, as if the code knew this revision of the tables."""
    made = FastAPI()
    made.include_router(health.router(server, migration or newest_revision()))
    async with AsyncClient(transport=ASGITransport(app=made), base_url="http://test") as client:
        response = await client.get("/ready")
    return response.status_code, response.json()


@pytest.fixture
def cast(lone_cast: Cast) -> Cast:
    """A server of one's own: these tests break it."""
    return lone_cast


async def test_a_server_that_works_says_so_in_detail(cast: Cast) -> None:
    response = await cast.nobody.get("/ready")
    body = response.json()
    assert (response.status_code, body["status"]) == (200, "pass"), body
    assert list(body["checks"]) == [
        *("draining", "disk", "database", "migrations", "sequencer", "tail", "readers", "tasks", "files", "backups"),
        "search",
    ]
    assert body["checks"]["sequencer"]["detail"]["elected"] is True
    assert body["checks"]["database"]["detail"]["milliseconds"] >= 0
    assert response.headers["cache-control"] == "no-store"


async def test_it_tells_a_stranger_nothing_of_where_and_who(cast: Cast) -> None:
    text = (await cast.nobody.get("/ready")).text
    assert not any(secret in text for secret in ("postgres", "@", "/tmp", "guildhouse?", "socket"))


async def test_a_process_lives_whatever_else_is_wrong(cast: Cast) -> None:
    await cast.server.database.pool.close()
    response = await cast.nobody.get("/health")
    assert (response.status_code, response.json()) == (200, {"status": "pass"})


async def test_without_a_database_it_is_not_ready(cast: Cast) -> None:
    await cast.server.database.pool.close()
    response = await cast.nobody.get("/ready")
    assert response.status_code == 503
    assert response.json()["checks"]["database"] == {"status": "fail", "detail": {}}


async def test_with_tables_of_another_version_it_is_not_ready(cast: Cast) -> None:
    status, body = await ready(cast.server, "of-tomorrow")
    assert (status, body["checks"]["migrations"]["status"]) == (503, "fail")
    assert body["checks"]["migrations"]["detail"]["newest"] == "of-tomorrow"


async def test_a_draining_server_is_not_ready(cast: Cast) -> None:
    cast.edge.drain()
    response = await cast.nobody.get("/ready")
    assert (response.status_code, response.json()["checks"]["draining"]["status"]) == (503, "fail")


async def test_what_a_reader_could_not_take_is_a_warning(cast: Cast) -> None:
    await cast.server.database.pool.execute(
        "INSERT INTO readers (name, cursor) VALUES ('slow', 0);"
        "INSERT INTO dead_letters (reader, pos, seq, error, attempts) VALUES ('slow', 1, 1, 'the secret', 5)"
    )
    status, body = await ready(cast.server)
    assert (status, body["status"], body["checks"]["readers"]["status"]) == (200, "warn", "warn")
    assert body["checks"]["readers"]["detail"]["slow"]["dead_letters"] == 1 and "secret" not in str(body)


async def test_a_check_that_cannot_be_made_has_failed_and_the_others_are_made(cast: Cast) -> None:
    await cast.server.database.pool.execute("ALTER TABLE dead_letters RENAME TO lost_letters")
    status, body = await ready(cast.server)
    assert (status, body["checks"]["readers"]["status"]) == (503, "fail")
    assert body["checks"]["sequencer"]["status"] == "pass"


async def test_without_a_sequencer_changes_wait_and_that_is_a_warning(database: Database) -> None:
    async with database.reading() as connection:
        await connection.execute(
            "INSERT INTO changes (resource, row_id, version, verb, at) "
            "VALUES ('gadgets', gen_random_uuid(), 1, 'created', now() - interval '1 minute')"
        )
        found = await health.sequencer(None, connection)  # type: ignore[arg-type]
    assert found.status == "warn" and found.detail["elected"] is False
    assert 59 < found.detail["seconds_waiting"] < 90


async def test_an_empty_log_waits_for_nothing(database: Database) -> None:
    async with database.reading() as connection:
        found = await health.sequencer(None, connection)  # type: ignore[arg-type]
    assert found.detail["seconds_waiting"] == 0


def test_the_disk_is_looked_at_even_before_the_directory_is_made(tmp_path: Path) -> None:
    assert disk(tmp_path / "not" / "yet").detail["free_bytes"] > 0


def test_too_little_room_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    free = disk(tmp_path).detail["free_bytes"]
    monkeypatch.setattr(health, "LEAST_DISK", free // 5)
    assert disk(tmp_path).status == "warn"
    monkeypatch.setattr(health, "LEAST_DISK", free * 2)
    assert disk(tmp_path).status == "fail"


@pytest.mark.parametrize(
    ("statuses", "status"),
    [(["pass"], "pass"), (["pass", "warn"], "warn"), (["warn", "fail", "pass"], "fail")],
)
def test_all_together_are_as_bad_as_the_worst(statuses: list[Any], status: str) -> None:
    assert worst({str(n): Check(status=each) for n, each in enumerate(statuses)}) == status


async def test_a_database_that_hangs_is_not_waited_for(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "PATIENCE", 0.05)
    blocker: Any = await asyncpg.connect(cast.server.database.dsn)
    try:
        await blocker.execute("BEGIN; LOCK TABLE readers IN ACCESS EXCLUSIVE MODE")
        status, body = await ready(cast.server)
    finally:
        await blocker.close()
    assert (status, body["checks"]["database"]["status"]) == (503, "fail")
