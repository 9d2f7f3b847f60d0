"""The triggers: every write leaves its change, whoever made it; hidden values stay out; drift is seen."""

import asyncpg
import pytest
import sqlalchemy as sa
from spine import HIDDEN, THINGS, add, lay, table, touch

from guildhouse.kernel.db import Database, Note
from guildhouse.kernel.ids import new_id
from guildhouse.kernel.log import changes
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.log.triggers import ADDING, TRIGGER, drift, removal, statements

pytestmark = pytest.mark.anyio

ID = "01a1fa44-8cb6-7614-bf15-46d9a4cfe075"


async def history(database: Database, row_id: str = ID) -> list[Change]:
    async with database.reading() as connection:
        return await changes.of_row(connection, "things", row_id, newest_first=False)


async def test_an_insert_logs_every_column_that_is_not_null(things: Database) -> None:
    async with things.writing(Note(actor="ada", request_id="r1", reason="because")) as connection:
        await connection.execute(
            "INSERT INTO things (id, title, document, scopes) VALUES ($1, 'one', $2, '{public,members}')",
            ID,
            {"inner": None, "list": [None, 1]},
        )
    (change,) = await history(things)
    assert (change.verb, change.version, change.resource) == ("created", 1, "things")
    assert (change.actor, change.request_id, change.reason, change.caused_by) == ("ada", "r1", "because", None)
    assert change.before is None
    assert change.after is not None
    assert set(change.after) == {"title", "document", "created_at"}
    assert change.after["document"] == {"inner": None, "list": [None, 1]}
    assert (change.scopes_before, change.scopes_after) == (None, ["public", "members"])


async def test_an_update_logs_only_what_differs(things: Database) -> None:
    async with things.writing(Note()) as connection:
        row_id = await add(connection, "one")
        await touch(connection, row_id, title="two", order=None)
    change = (await history(things, row_id))[1]
    assert (change.verb, change.version) == ("changed", 2)
    assert (change.before, change.after) == ({"title": "one"}, {"title": "two"})


async def test_a_column_that_becomes_null_is_said_to_be_null(things: Database) -> None:
    async with things.writing(Note()) as connection:
        row_id = await add(connection, "one")
        await touch(connection, row_id, title=None)
    assert (await history(things, row_id))[1].after == {"title": None}


async def test_an_update_that_changes_nothing_is_not_logged(things: Database) -> None:
    async with things.writing(Note()) as connection:
        row_id = await add(connection, "one")
        await touch(connection, row_id, title="one")
        await connection.execute("UPDATE things SET updated_at = now() + interval '1 hour'")
    assert len(await history(things, row_id)) == 1


async def test_a_move_between_scopes_is_logged_with_both(things: Database) -> None:
    async with things.writing(Note()) as connection:
        row_id = await add(connection, scopes=["public"])
        await touch(connection, row_id, scopes=["members"])
    change = (await history(things, row_id))[1]
    assert (change.scopes_before, change.scopes_after) == (["public"], ["members"])
    assert (change.before, change.after) == ({}, {})


async def test_trash_and_its_ways_have_verbs_of_their_own(things: Database) -> None:
    async with things.writing(Note()) as connection:
        row_id = await add(connection, "one")
        for moment in ("now()", "NULL", "now()"):
            await connection.execute(f"UPDATE things SET version = version + 1, deleted_at = {moment}")
        await connection.execute("DELETE FROM things")
    past = await history(things, row_id)
    assert [change.verb for change in past] == ["created", "removed", "restored", "removed", "purged"]
    assert [change.version for change in past] == [1, 2, 3, 4, 5]
    assert past[-1].before is not None
    assert past[-1].before["title"] == "one"
    assert (past[-1].after, past[-1].scopes_before, past[-1].scopes_after) == (None, ["public"], None)


async def test_the_verb_of_the_note_wins_and_may_change_within_a_transaction(things: Database) -> None:
    async with things.writing(Note(verb="submitted", caused_by=7)) as connection:
        row_id = await add(connection)
        await connection.execute(Note(verb='it\'s "withdrawn"').sql())
        await touch(connection, row_id, title="x")
    past = await history(things, row_id)
    assert [(change.verb, change.caused_by) for change in past] == [("submitted", 7), ('it\'s "withdrawn"', None)]


async def test_a_hidden_value_never_enters_the_log_but_that_it_changed_does(things: Database) -> None:
    async with things.writing(Note()) as connection:
        row_id = new_id()
        await connection.execute("INSERT INTO things (id, rating) VALUES ($1, 41)", row_id)
        await touch(connection, row_id, rating=42)
        await connection.execute("DELETE FROM things")
        log = await connection.fetchval("SELECT string_agg(changes::text, '') FROM changes")
    created, changed, purged = await history(things, row_id)
    assert "rating" not in (created.after or {}) and "rating" not in (purged.before or {})
    assert (changed.before, changed.after) == ({"rating": None}, {"rating": None})
    assert "41" not in log.split() and '"rating": 4' not in log


async def test_writes_that_pass_the_house_by_are_logged_without_an_actor(things: Database, empty_dsn: str) -> None:
    stranger = await asyncpg.connect(empty_dsn)
    await stranger.execute("INSERT INTO things (id, title) SELECT gen_random_uuid(), 'psql'")
    await stranger.copy_records_to_table("things", records=[(ID, "copied")], columns=["id", "title"])
    await stranger.close()
    (copied,) = await history(things)
    assert (copied.actor, copied.verb, (copied.after or {})["title"]) == (None, "created", "copied")


async def test_values_look_the_same_whatever_the_session_of_the_writer(things: Database, empty_dsn: str) -> None:
    stranger = await asyncpg.connect(empty_dsn, server_settings={"timezone": "Asia/Taipei", "datestyle": "German"})
    await stranger.execute(f"INSERT INTO things (id, created_at) VALUES ('{ID}', '2026-11-20 18:00:00.5+08')")
    await stranger.close()
    (change,) = await history(things)
    assert change.after == {"created_at": "2026-11-20T10:00:00.5+00:00"}


async def test_truncate_is_refused(things: Database) -> None:
    async with things.reading() as connection:
        with pytest.raises(asyncpg.RaiseError, match="the log would not hear of it"):
            await connection.execute("TRUNCATE things")


async def test_the_note_of_one_transaction_does_not_reach_into_the_next(things: Database) -> None:
    async with things.pool.acquire() as connection:
        await connection.execute("BEGIN; " + Note(actor="ada").sql() + "; COMMIT")
        row_id = await add(connection)
    assert (await history(things, row_id))[0].actor is None


async def test_many_rows_of_one_statement_are_logged_in_the_order_it_wrote_them(things: Database) -> None:
    async with things.writing(Note(actor="ada", verb="imported", caused_by=7)) as connection:
        await connection.execute(
            "INSERT INTO things (id, title, document) SELECT gen_random_uuid(), n::text, CASE n % 2 WHEN 0 THEN "
            "'{\"inner\": null}'::jsonb END FROM generate_series(1, 500) n"
        )
        past = await changes.of_transaction(connection)
    assert [(change.after or {})["title"] for change in past] == [str(n) for n in range(1, 501)]
    assert {(change.actor, change.verb, change.caused_by, change.version) for change in past} == {
        ("ada", "imported", 7, 1)
    }
    assert [(change.after or {}).get("document") for change in past[:2]] == [None, {"inner": None}]
    assert all(change.before is None and change.scopes_before is None for change in past)


async def test_a_row_that_is_there_already_is_logged_as_changed_and_a_new_one_beside_it_as_created(
    things: Database,
) -> None:
    async with things.writing(Note()) as connection:
        await add(connection, "one")
        await connection.execute(
            "INSERT INTO things (id, title) SELECT id, 'two' FROM things UNION ALL SELECT gen_random_uuid(), 'new' "
            "ON CONFLICT (id) DO UPDATE SET title = excluded.title, version = things.version + 1"
        )
        await connection.execute("INSERT INTO things (id) SELECT id FROM things ON CONFLICT DO NOTHING")
        past = await changes.of_transaction(connection)
    assert sorted((change.verb, change.version) for change in past) == [("changed", 2), ("created", 1), ("created", 1)]


async def test_a_column_may_have_the_name_of_a_word_in_the_trigger(things: Database) -> None:
    odd = table("odd", *(sa.Column(name, sa.Text) for name in ("note", "added", "verb", "it's", 'a "b"', "was")))
    async with things.reading() as connection:
        await lay(connection, odd, {"was"})
        await connection.execute("INSERT INTO odd (id, note, added, verb, was) VALUES ($1, 'n', 'a', 'v', 'w')", ID)
        await connection.execute("UPDATE odd SET note = 'm', \"it's\" = 'i', version = 2")
        changed, created = await changes.of_row(connection, "odd", ID)
    assert {**(created.after or {}), "created_at": None} == {"note": "n", "added": "a", "verb": "v", "created_at": None}
    assert (changed.before, changed.after) == ({"note": "n", "it's": None}, {"note": "m", "it's": "i"})


async def test_a_wide_table_fits_in_spite_of_the_limit_of_arguments(things: Database) -> None:
    wide = table("wide", *(sa.Column(f"c{n}", sa.Integer) for n in range(120)))
    async with things.reading() as connection:
        await lay(connection, wide)
        await connection.execute("INSERT INTO wide (id, c0, c119) VALUES ($1, 1, 2)", ID)
        (change,) = await changes.of_row(connection, "wide", ID)
    assert {**(change.after or {}), "created_at": None} == {"c0": 1, "c119": 2, "created_at": None}


def test_the_same_table_gives_the_same_text() -> None:
    assert statements(THINGS, HIDDEN) == statements(THINGS, set(HIDDEN))
    assert statements(THINGS, HIDDEN) != statements(THINGS)


async def test_drift_tells_what_is_not_as_declared(things: Database) -> None:
    async with things.reading() as connection:
        assert await drift(connection, {THINGS: HIDDEN}) == []
        assert "of another version" in (await drift(connection, {THINGS: ()}))[0]
        for trigger in (TRIGGER, ADDING):
            await connection.execute(f"ALTER TABLE things DISABLE TRIGGER {trigger}")
            assert "switched off" in (await drift(connection, {THINGS: HIDDEN}))[0]
            await connection.execute(f"ALTER TABLE things ENABLE TRIGGER {trigger}")
        await connection.execute(f"DROP TRIGGER {ADDING} ON things")
        assert "new rows are not logged" in (await drift(connection, {THINGS: HIDDEN}))[0]
        for statement in statements(THINGS, HIDDEN):
            await connection.execute(statement)
        assert await drift(connection, {THINGS: HIDDEN}) == []
        for statement in removal(THINGS):
            await connection.execute(statement)
        assert [fault.split("; ")[0] for fault in await drift(connection, {THINGS: HIDDEN})] == [
            "things: its writes are not logged",
            "things: its new rows are not logged",
        ]
