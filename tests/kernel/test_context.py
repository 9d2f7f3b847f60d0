"""What verbs and rules act with."""

from typing import Any

import pytest
from sqlalchemy import bindparam, select

from guildhouse.app import HOUSE as ROOMS
from guildhouse.applications.reminder import Reminder, reminders
from guildhouse.kernel import store
from guildhouse.kernel.actor import Actor
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from guildhouse.kernel.errors import NotFound
from tests.cast import Caller, Cast
from tests.kernel.uploads import reminders as lines

pytestmark = pytest.mark.anyio
BY_TEXT = select(Reminder.id).where(Reminder.text == bindparam("text"))


def context(connection: Any, caller: Caller) -> Context:
    actor = Actor(caller.id, frozenset({f"person:{caller.id}"}), frozenset({"*"}))
    return Context(ROOMS, connection, actor, Note(actor=caller.id))


async def test_find_asks_nobody_get_asks_the_actor_and_neither_finds_the_trash(cast: Cast) -> None:
    row = await cast.ada.made("/v1/reminders", lines(1)[0]["data"])
    async with cast.server.database.writing(Note()) as connection:
        ada, ben = context(connection, cast.ada), context(connection, cast.ben)
        assert (await ben.find(reminders, row["id"])) is not None
        assert (await ada.get(reminders, row["id"], lock=True)).id == row["id"]
        with pytest.raises(NotFound):
            await ben.get(reminders, row["id"])
        with pytest.raises(NotFound):
            await ada.get(reminders, None)
        await store.remove(ada, reminders, await ada.get(reminders, row["id"]))
        assert await ada.find(reminders, row["id"]) is None


async def test_what_was_read_once_is_remembered_until_it_is_written(cast: Cast) -> None:
    row = await cast.ada.made("/v1/reminders", lines(1)[0]["data"])
    async with cast.server.database.writing(Note()) as connection:
        ctx = context(connection, cast.ada)
        first = await ctx.once(reminders, row["id"])
        assert first and await ctx.once(reminders, row["id"]) is first
        await store.change(ctx, reminders, first, {"text": "Write"})
        again = await ctx.once(reminders, row["id"])
        assert again and again.text == "Write"
        assert await ctx.once(reminders, None) is None


async def test_statements_are_read_with_their_values(cast: Cast) -> None:
    row = await cast.ada.made("/v1/reminders", lines(1)[0]["data"])
    async with cast.server.database.writing(Note()) as connection:
        ctx = context(connection, cast.ada)
        assert await ctx.value(BY_TEXT, text="Call 0") == row["id"]
        assert await ctx.value(BY_TEXT, text="nothing") is None
        assert [each["id"] for each in await ctx.all(BY_TEXT, text="Call 0")] == [row["id"]]


async def test_a_written_row_is_a_value_that_nobody_assigns_to(cast: Cast) -> None:
    row = await cast.ada.made("/v1/reminders", lines(1)[0]["data"])
    async with cast.server.database.writing(Note()) as connection:
        found = await context(connection, cast.ada).find(reminders, row["id"])
    assert found
    with pytest.raises(AttributeError):
        found.text = "Write"
    found.values()["text"] = "Write"
    assert found.text == "Call 0"
