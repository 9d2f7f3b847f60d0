"""The one writer, asked directly: versions, verbs, scopes, the trash."""

from datetime import UTC, datetime
from typing import Any

import asyncpg
import pytest

from guildhouse.app import HOUSE as ROOMS
from guildhouse.applications.reminder import Reminder, reminders
from guildhouse.jobs.job import jobs
from guildhouse.kernel import store
from guildhouse.kernel.actor import HOUSE, Actor
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Database, Note, NothingCommitted
from guildhouse.kernel.errors import Denied, PreconditionFailed
from guildhouse.kernel.stages import MoveNotAllowed
from guildhouse.kernel.store import NotInTrash
from tests.cast import Cast
from tests.jobs.openings import hiring, posted

pytestmark = pytest.mark.anyio
DUE = datetime(2030, 1, 1, tzinfo=UTC)


def acting(cast: Cast, connection: Any, person_id: str) -> Context:
    """A request of a person."""
    actor = Actor(person_id, frozenset({f"person:{person_id}"}), frozenset({"*"}))
    return Context(ROOMS, connection, actor, Note(actor=person_id, reason="why not"))


async def made(cast: Cast, **values: Any) -> Reminder:
    async with cast.server.database.writing(Note()) as connection:
        ctx = acting(cast, connection, cast.ada.id)
        return await store.create(ctx, reminders, {"text": "Call", "due_at": DUE, **values})


async def logged(cast: Cast, row_id: str) -> list[tuple[Any, ...]]:
    records = await cast.server.database.pool.fetch(
        "SELECT verb, version, actor, reason FROM changes WHERE row_id = $1 ORDER BY seq", row_id
    )
    return [tuple(each) for each in records]


async def test_a_write_on_a_version_that_is_not_the_last_is_refused(cast: Cast) -> None:
    row = await made(cast)
    async with cast.server.database.writing(Note()) as connection:
        ctx = acting(cast, connection, cast.ada.id)
        newer = await store.change(ctx, reminders, row, {"text": "Write"})
        assert (newer.version, newer.text) == (2, "Write")
        for write in (store.change(ctx, reminders, row, {"text": "Sing"}), store.remove(ctx, reminders, row)):
            with pytest.raises(PreconditionFailed):
                await write


async def test_what_stays_the_same_is_not_written(cast: Cast) -> None:
    row = await made(cast)
    async with cast.server.database.writing(Note()) as connection:
        ctx = acting(cast, connection, cast.ada.id)
        assert await store.change(ctx, reminders, row, {"text": "Call", "due_at": DUE}) is row
        assert (ctx.xid, ctx.written) == (None, [])
    assert len(await logged(cast, row.id)) == 1


async def test_the_log_has_the_verb_that_was_given_or_what_was_done(cast: Cast) -> None:
    row = await made(cast)
    async with cast.server.database.writing(Note()) as connection:
        ctx = acting(cast, connection, cast.ada.id)
        row = await store.change(ctx, reminders, row, {"text": "Write"}, verb="rephrased")
        row = await store.change(ctx, reminders, row, {"text": "Sing"})
        row = await store.remove(ctx, reminders, row)
        row = await store.restore(ctx, reminders, row)
        row = await store.remove(ctx, reminders, row, verb="dropped")
        await store.purge(ctx, reminders, row)
    verbs = ["created", "rephrased", "changed", "removed", "restored", "dropped", "purged"]
    expected = [(verb, n, cast.ada.id, "why not") for n, verb in enumerate(verbs, 1)]
    assert await logged(cast, row.id) == expected


async def test_a_plain_write_is_the_actors_to_make_and_a_verb_was_permitted_before(cast: Cast) -> None:
    row = await made(cast)
    async with cast.server.database.writing(Note()) as connection:
        ctx = acting(cast, connection, cast.ben.id)
        with pytest.raises(Denied):
            await store.change(ctx, reminders, row, {"text": "Write"})
        with pytest.raises(Denied):
            await store.remove(ctx, reminders, row)
        assert (await store.change(ctx, reminders, row, {"text": "Write"}, verb="nudged")).text == "Write"


async def test_only_what_is_in_the_trash_is_restored_or_purged(cast: Cast) -> None:
    row = await made(cast)
    async with cast.server.database.writing(Note()) as connection:
        ctx = acting(cast, connection, cast.ada.id)
        for write in (store.restore(ctx, reminders, row), store.purge(ctx, reminders, row)):
            with pytest.raises(NotInTrash):
                await write


async def test_scopes_follow_the_row_and_the_log_has_both(cast: Cast) -> None:
    job = await posted(cast, await hiring(cast), status="draft")
    team = f"organization:{job['organization_id']}"
    await cast.ada.made(f"/v1/jobs/{job['id']}/publish", {})
    await cast.ada.delete(f"/v1/jobs/{job['id']}")
    records = await cast.server.database.pool.fetch(
        "SELECT scopes_before, scopes_after FROM changes WHERE row_id = $1 ORDER BY seq", job["id"]
    )
    seen = [tuple("public" in (scopes or []) for scopes in each) for each in records]
    assert seen == [(False, False), (False, True), (True, False)]
    assert all(any(scope.startswith(team) for scope in each["scopes_after"]) for each in records)


async def test_a_new_row_starts_where_its_stages_begin(cast: Cast) -> None:
    async with cast.server.database.writing(Note()) as connection:
        with pytest.raises(MoveNotAllowed):
            await store.create(acting(cast, connection, cast.ada.id), jobs, {
                "title": "T", "status": "filled", "source": "", "skills": [], "tags": [],
            })  # fmt: skip


async def test_a_declared_default_fills_what_was_not_given(cast: Cast) -> None:
    row = await made(cast)
    assert (row.version, row.done_at, row.deleted_at) == (1, None, None)
    assert row.scopes == [f"person:{cast.ada.id}"]
    assert store.blank(jobs)["status"] == "draft"


async def test_a_failure_that_somebody_swallowed_is_not_taken_for_a_commit(database: Database) -> None:
    told: list[str] = []
    database.on_commit = lambda: told.append("committed")
    with pytest.raises(NothingCommitted):
        async with database.writing(Note()) as connection:
            await connection.execute("INSERT INTO secrets (name, value) VALUES ('kept', 'x')")
            with pytest.raises(asyncpg.PostgresError):
                await connection.execute("SELECT 1 / 0")
    assert (told, await database.pool.fetchval("SELECT count(*) FROM secrets WHERE name = 'kept'")) == ([], 0)


async def test_the_house_itself_sees_nothing_by_scopes() -> None:
    assert not HOUSE.sees(["public"])
    assert HOUSE.can("anything.at-all")
