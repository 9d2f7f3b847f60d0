"""Rows that were judged are written many at a time, behind those that are being judged."""

from asyncio import CancelledError, Event, create_task, wait_for
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from spine import until
from sqlalchemy import func, select

from guildhouse.applications.reminder import Reminder, reminders
from guildhouse.kernel import bulk_writing, store
from guildhouse.kernel.bulk_writing import Judged, Line, Op, Outcome, WritingBehind
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Note
from tests.cast import Cast
from tests.jobs.openings import posted
from tests.kernel.test_bulk import batch, statuses, waiting
from tests.kernel.test_context import context
from tests.kernel.uploads import reminders as lines
from tests.kernel.uploads import texts
from tests.organizations.scenes import approved, refusal

pytestmark = pytest.mark.anyio
COUNT = select(func.count()).select_from(Reminder)


@pytest.fixture(autouse=True)
def two_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk_writing, "SOME", 2)


async def judged(ctx: Context, place: int, text: str) -> Judged:
    values = {"text": text, "due_at": ctx.now, "person_id": ctx.actor.id}
    return Judged(
        Line(place, Op(op="create"), None), "created", None, await store.judge_new(ctx, reminders, values, None)
    )


@asynccontextmanager
async def writing(cast: Cast, places: int) -> AsyncIterator[tuple[Context, WritingBehind, list[Outcome]]]:
    """The writer of a batch of Ada's."""
    outcomes = [Outcome("failed") for _ in range(places)]
    async with cast.server.database.writing(Note(actor=cast.ada.id)) as connection:
        ctx = context(connection, cast.ada)
        async with WritingBehind(ctx, reminders, outcomes) as writer:
            yield ctx, writer, outcomes


async def test_every_outcome_is_at_the_place_of_its_write(cast: Cast) -> None:
    organization = await approved(cast)
    taken = await posted(cast, organization, source="ats", external_id="3")
    data = {"organization_id": organization["id"], "source": "ats"}
    ops: list[dict[str, Any]] = [
        {"op": "create", "data": {**data, "title": f"Job {n}", "external_id": str(n)}} for n in range(8)
    ]
    ops[5] = {"op": "change", "id": taken["id"], "data": {"title": "Changed"}}
    ops[6] = {"op": "create", "data": {"title": ""}}
    answer = await batch(cast.ada, "jobs", *ops)
    expected = ["created"] * 8
    expected[3], expected[5], expected[6] = "already-exists", "changed", "invalid"
    assert statuses(answer) == expected
    titles = {each["id"]: each["title"] for each in (await cast.ada.get("/v1/jobs?limit=50")).json()["data"]}
    for n in (0, 1, 2, 4, 7):
        assert titles[answer["results"][n]["id"]] == f"Job {n}"
    assert titles[taken["id"]] == "Changed"


async def test_more_than_may_be_affected_undo_also_what_was_written_already(cast: Cast, wrote: Any) -> None:
    refused = await cast.ada.post("/v1/reminders:batch", {"ops": lines(9)}, prefer="max-affected=7")
    assert refusal(refused) == (422, "too-many-affected")
    assert await texts(cast.ada) == []
    await wrote()


async def test_what_may_be_affected_counts_over_the_stretches_of_a_batch(cast: Cast) -> None:
    row = await cast.ada.made("/v1/reminders", lines(1)[0]["data"])
    ops = [{"op": "change", "id": row["id"], "data": {"text": text}} for text in ("one", "two", "three")]
    refused = await cast.ada.post("/v1/reminders:batch", {"ops": ops}, prefer="max-affected=2")
    assert refusal(refused) == (422, "too-many-affected")
    taken = await cast.ada.post("/v1/reminders:batch", {"ops": ops}, prefer="max-affected=3")
    assert taken.json()["changed"] == 3


async def test_rows_are_judged_while_those_before_are_written(cast: Cast) -> None:
    all_judged, outcomes = Event(), list[Outcome]()

    async def late(row_id: str) -> None:
        async with writing(cast, 5) as (ctx, writer, told):
            for n in range(5):
                row = await judged(ctx, n, f"No. {n}")
                row.after.__dict__["id"] = row.after.id if n else row_id
                await writer.add(row)
            all_judged.set()
        outcomes.extend(told)

    async with writing(cast, 1) as (ctx, writer, _):
        first = await judged(ctx, 0, "theirs")
        await writer.add(first)
        await writer.settle()
        ours = create_task(late(first.after.id))
        await wait_for(all_judged.wait(), 5)
        await until(lambda: waiting(cast, 1))  # with their first row, for the transaction that has the same
    await ours
    assert [each.status for each in outcomes] == ["failed"] + ["created"] * 4
    assert await texts(cast.ada) == ["No. 1", "No. 2", "No. 3", "No. 4", "theirs"]


async def test_who_asks_finds_what_was_judged_before(cast: Cast) -> None:
    async with writing(cast, 4) as (ctx, writer, outcomes):
        for n in range(4):
            assert await ctx.value(COUNT) == n
            await writer.add(await judged(ctx, n, f"No. {n}"))
            assert outcomes[n].status == "failed"  # it is not written yet
    assert [each.status for each in outcomes] == ["created"] * 4
    assert await texts(cast.ada) == [f"No. {n}" for n in range(4)]


async def test_a_row_is_found_by_its_id_as_it_was_judged_before(cast: Cast) -> None:
    async with writing(cast, 1) as (ctx, writer, _):
        mine = await judged(ctx, 0, "mine")
        await writer.add(mine)
        found = await ctx.find(reminders, mine.after.id)
        assert found is not None
        assert found.text == "mine"
    assert ctx.behind is None


async def test_who_is_guarded_waits_only_until_the_connection_is_free(cast: Cast) -> None:
    async with writing(cast, 3) as (ctx, writer, outcomes):
        for n in range(3):
            await writer.add(await judged(ctx, n, f"No. {n}"))
        connection = await ctx.asking(guarded=True)
        assert await connection.fetchval("SELECT count(*) FROM reminders") == 2
        assert [each.status for each in outcomes] == ["created", "created", "failed"]


async def test_few_rows_wait_for_more(cast: Cast) -> None:
    async with writing(cast, 3) as (ctx, writer, outcomes):
        await writer.add(await judged(ctx, 0, "a"))
        assert ctx.xid is None
        await writer.add(await judged(ctx, 1, "b"))
        await writer.free()
        assert [each.status for each in outcomes] == ["created", "created", "failed"]
        await writer.add(await judged(ctx, 2, "c"))
    assert outcomes[2].status == "created"


async def test_given_up_in_the_middle_nothing_is_kept_and_the_connection_goes_on(cast: Cast) -> None:
    with pytest.raises(ZeroDivisionError):
        async with writing(cast, 5) as (ctx, writer, _):
            for n in range(5):
                await writer.add(await judged(ctx, n, f"No. {n}"))
            raise ZeroDivisionError
    assert await texts(cast.ada) == []
    assert await batch(cast.ada, "reminders", *lines(5))


async def test_cancelled_while_something_is_written_nothing_is_kept(cast: Cast) -> None:
    async with writing(cast, 1) as (ctx, writer, _):
        first = await judged(ctx, 0, "theirs")
        await writer.add(first)
        await writer.settle()

        async def same_row() -> None:
            async with writing(cast, 2) as (theirs, late, _):
                for n in range(2):
                    row = await judged(theirs, n, "late")
                    row.after.__dict__["id"] = first.after.id
                    await late.add(row)
                await late.settle()

        other = create_task(same_row())
        await until(lambda: waiting(cast, 1))
        other.cancel()
        with pytest.raises(CancelledError):
            await wait_for(other, 5)
    assert await texts(cast.ada) == ["theirs"]
    assert (await batch(cast.ada, "reminders", *lines(3)))["created"] == 3
