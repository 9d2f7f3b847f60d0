"""A job's words: the skills and the occupation that a job speaks of are written with it, and looked after by a reader."""

from asyncio import sleep, timeout
from collections.abc import Callable
from typing import Any

import pytest

from guildhouse import app
from guildhouse.jobs.job import jobs
from guildhouse.jobs.job_words import WORDS
from guildhouse.kernel.db import Note
from guildhouse.kernel.log import changes
from guildhouse.vocabulary import keeper, rereading
from tests.cast import Cast
from tests.jobs.openings import hiring, posted, tracked
from tests.organizations.scenes import Body, approved, ids, refusal

pytestmark = pytest.mark.anyio
TEXT = "You write services in Go, and excel at SQL.\n\n機器學習 is a plus. R&D, of course."
READER = keeper("job-words", jobs, WORDS)


async def by_hand(cast: Cast, sql: str, *values: Any) -> None:
    """A repair past every rule, as somebody with psql makes it."""
    async with cast.server.database.writing(Note()) as connection:
        await connection.execute(sql, *values)


async def mended(cast: Cast, job: Body, version: int) -> Body:
    """The job, once it is at this version."""
    for _ in range(400):
        row: Body = (await cast.ada.get(f"/v1/jobs/{job['id']}")).json()
        if row["version"] >= version:
            return row
        await sleep(0.01)
    raise AssertionError(f"nobody has read its words: {row}")


async def read_on(cast: Cast) -> None:
    """Wait until the reader has gone through what the log has now."""
    pool = cast.server.database.pool
    end = await pool.fetchval("SELECT max(seq) FROM changes WHERE resource = 'jobs'")
    behind = """SELECT NOT EXISTS (SELECT FROM change_pos WHERE seq = $1) OR EXISTS (
        SELECT FROM readers r JOIN change_pos p ON p.pos > r.cursor WHERE r.name = 'job-words' AND p.seq <= $1)"""
    async with timeout(10):
        while await pool.fetchval(behind, end):  # noqa: ASYNC110
            await sleep(0.01)


async def test_a_job_says_what_its_words_speak_of_in_its_first_version(cast: Cast, wrote: Callable[..., Any]) -> None:
    job = await tracked(
        cast.ada, title="Senior Software Engineer (Remote)", description=TEXT, skills=["postgres", "juggling"]
    )
    assert job["found_skills"] == ["PostgreSQL", "Go", "SQL", "Machine learning"]
    assert (job["occupation"], job["skills"], job["version"]) == ("15-1252.00", ["postgres", "juggling"], 1)
    await wrote("job.created")


async def test_a_change_of_words_is_one_change_and_other_changes_leave_what_was_found(
    cast: Cast, wrote: Callable[..., Any]
) -> None:
    job = await tracked(cast.ada, title="Barista", description="Kubernetes")
    path = f"/v1/jobs/{job['id']}"
    row = (await cast.ada.patch(path, {"city": "Tainan"}, if_match='"1"')).json()
    assert (row["found_skills"], row["occupation"], row["version"]) == (["Kubernetes"], "35-3023.01", 2)
    row = (await cast.ada.patch(path, {"title": "會計", "description": None}, if_match='"2"')).json()
    assert (row["found_skills"], row["occupation"], row["version"]) == (["Accounting"], "13-2011.00", 3)
    await wrote("job.created", "job.changed", "job.changed")


async def test_jobs_are_filtered_by_what_was_found(cast: Cast) -> None:
    organization = await approved(cast)
    go = await posted(cast, organization, title="Software engineer", description="Golang and SQL")
    nurse = await posted(cast, organization, title="Registered Nurse (RN)")
    assert ids(await cast.nobody.get("/v1/jobs?found_skills[contains]=Go")) == [go["id"]]
    assert ids(await cast.nobody.get("/v1/jobs?occupation=29-1141.00")) == [nurse["id"]]
    assert ids(await cast.nobody.get("/v1/jobs?occupation[in]=29-1141.00,15-1252.00&sort=title")) == [
        nurse["id"],
        go["id"],
    ]


async def test_nobody_sets_what_is_found(cast: Cast) -> None:
    job = await tracked(cast.ada)
    for field in ({"found_skills": ["Go"]}, {"occupation": "15-1252.00"}):
        assert refusal(await cast.ada.patch(f"/v1/jobs/{job['id']}", field)) == (400, "unknown-fields")
        assert refusal(await cast.ada.post("/v1/jobs", {"title": "x", **field})) == (400, "unknown-fields")


async def test_a_batch_finds_as_single_writes_do(cast: Cast) -> None:
    data = {"title": "Web developer", "description": TEXT}
    single = await tracked(cast.ada, **data)
    made = await cast.ada.made("/v1/jobs:batch", {"ops": [{"op": "create", "data": data}] * 3})
    for each in made["results"]:
        row = (await cast.ada.get(f"/v1/jobs/{each['id']}")).json()
        assert (row["found_skills"], row["occupation"]) == (single["found_skills"], single["occupation"])


async def test_undoing_a_change_of_words_undoes_what_was_found(cast: Cast) -> None:
    job = await tracked(cast.ada, title="Barista", description="SQL")
    path = f"/v1/jobs/{job['id']}"
    await cast.ada.patch(path, {"description": "Python"})
    await cast.ada.patch(path, {"skills": ["go"]})
    row = (await cast.ada.post(f"{path}/undo", {"version": 2})).json()
    assert (row["description"], row["found_skills"]) == ("SQL", ["Go", "SQL"])


async def test_rows_that_nobody_has_read_are_read_by_the_reader_and_once(cast: Cast, wrote: Callable[..., Any]) -> None:
    job = await tracked(cast.ada, title="Web developer", description=TEXT)
    await by_hand(
        cast, "UPDATE jobs SET found_skills = NULL, occupation = NULL, version = version + 1 WHERE id = $1", job["id"]
    )
    row = await mended(cast, job, 3)
    assert (row["found_skills"], row["occupation"], row["version"]) == (job["found_skills"], "15-1254.00", 3)
    await read_on(cast)
    assert (await cast.ada.get(f"/v1/jobs/{job['id']}")).json()["version"] == 3
    await wrote("job.created", "job.changed", "job.words_read")
    told = (await cast.ada.get(f"/v1/jobs/{job['id']}/history")).json()["data"]
    assert [each["event"] for each in told][:2] == ["job.words_read", "job.changed"] and told[0]["actor_id"] is None
    assert refusal(await cast.ada.post(f"/v1/jobs/{job['id']}/undo")) == (409, "nothing-to-undo")
    async with cast.server.database.reading() as connection:
        log = await changes.of_row(connection, "jobs", job["id"])
    assert log[0].caused_by == log[1].seq


async def test_words_that_were_mended_by_hand_are_read_again(cast: Cast) -> None:
    job = await tracked(cast.ada, title="Barista")
    await by_hand(cast, "UPDATE jobs SET title = 'Python person', version = version + 1 WHERE id = $1", job["id"])
    row = await mended(cast, job, 3)
    assert (row["found_skills"], row["occupation"]) == (["Python"], None)


async def test_many_rows_are_written_in_one_statement_and_those_in_the_trash_are_left(idle: Cast) -> None:
    made = await idle.ada.made(
        "/v1/jobs:batch", {"ops": [{"op": "create", "data": {"title": f"Go developer {n}"}} for n in range(8)]}
    )
    names = [each["id"] for each in made["results"]]
    await idle.ada.delete(f"/v1/jobs/{names[7]}")
    async with idle.server.database.reading() as connection:
        log = [change for name in names for change in await changes.of_row(connection, "jobs", name, limit=1)]
    async with idle.server.database.writing(Note()) as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("UPDATE jobs SET found_skills = NULL WHERE id = ANY($1::uuid[])", names)
    stripped = [unread(change) for change in log]
    async with idle.server.database.writing(Note()) as connection:
        await READER.handle(connection, stripped)
        assert await connection.fetchval("SELECT count(DISTINCT xid) FROM changes WHERE verb = 'words_read'") == 1
    rows = await idle.server.database.pool.fetch("SELECT id, found_skills, version FROM jobs ORDER BY id")
    assert [row["found_skills"] for row in rows if row["id"] != names[7]] == [["Go"]] * 7
    assert [(row["found_skills"], row["version"]) for row in rows if row["id"] == names[7]] == [(None, 2)]
    async with idle.server.database.writing(Note()) as connection:
        await READER.handle(connection, stripped)
        assert await connection.fetchval("SELECT count(*) FROM changes WHERE xid = pg_current_xact_id()") == 0


def unread(change: Any) -> Any:
    """The change that made a row before anybody read its words."""
    after = {name: value for name, value in change.after.items() if name not in WORDS.found}
    return changes.Change(
        **{**{name: getattr(change, name) for name in change.__slots__}, "before": None, "after": after}
    )


def test_what_the_reader_passes_by() -> None:
    def change(before: Any, after: Any, verb: str = "changed") -> Any:
        return changes.Change(
            **{**dict.fromkeys(changes.Change.__slots__), "before": before, "after": after, "verb": verb}
        )

    concerns = [
        (change(None, {"title": "x"}, "created"), True),
        (change(None, {"title": "x", "found_skills": []}, "created"), False),
        (change({"title": "x"}, {"title": "y"}), True),
        (change({"found_skills": None}, {"found_skills": []}), True),
        (change({"found_skills": None}, {"found_skills": []}, rereading.VERB), False),
        (change({"status": "open"}, {"status": "paused"}), False),
        (change({"title": "x"}, None, "purged"), False),
    ]
    assert [(rereading.concerns(each, WORDS), each.verb) for each, _ in concerns] == [
        (w, each.verb) for each, w in concerns
    ]


async def test_a_row_that_the_database_refuses_is_no_silent_loss(idle: Cast) -> None:
    job = await tracked(idle.ada, title="Go developer")
    async with idle.server.database.writing(Note()) as connection:
        await connection.execute("SET LOCAL session_replication_role = replica")
        await connection.execute("UPDATE jobs SET found_skills = NULL WHERE id = $1", job["id"])
    async with idle.server.database.reading() as connection:
        log = await changes.of_row(connection, "jobs", job["id"])
    with pytest.raises(Exception, match="no more skills"):
        async with idle.server.database.writing(Note()) as connection:
            await connection.execute(
                "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
                "$$ BEGIN RAISE EXCEPTION 'no more skills'; END $$; "
                "CREATE TRIGGER refusing BEFORE UPDATE ON jobs FOR EACH ROW EXECUTE FUNCTION refuse()"
            )
            await READER.handle(connection, [unread(each) for each in log])


async def test_the_team_may_send_the_version_that_it_was_answered(cast: Cast) -> None:
    organization = await hiring(cast)
    body = {"organization_id": organization["id"], "title": "Go developer", "description": TEXT}
    job = await cast.ada.made("/v1/jobs", body)
    await sleep(0.3)  # long enough for a reader
    changed = await cast.ada.patch(f"/v1/jobs/{job['id']}", {"description": "Rust, Go"}, if_match=f'"{job["version"]}"')
    assert (changed.status_code, changed.json()["found_skills"]) == (200, ["Go", "Rust"])


def test_there_is_one_reader_for_jobs_and_one_for_people() -> None:
    assert [each.name for each in app.HOUSE.readers if each.name.endswith("-words")] == ["profile-words", "job-words"]


async def test_all_rows_that_a_new_vocabulary_empties_are_filled_again_each_once(cast: Cast) -> None:
    """As a migration does it that brings one; the rows are more than the reader takes at a time."""
    count = 2 * rereading.AT_A_TIME + 1
    ops = [{"op": "create", "data": {"title": f"Barista {n}", "description": "Python"}} for n in range(count)]
    assert (await cast.ada.made("/v1/jobs:batch", {"ops": ops}))["created"] == count
    await by_hand(cast, "UPDATE jobs SET found_skills = NULL, version = version + 1")
    pool = cast.server.database.pool
    async with timeout(20):
        while await pool.fetchval("SELECT count(*) FROM jobs WHERE found_skills IS NULL"):  # noqa: ASYNC110
            await sleep(0.02)
    await read_on(cast)
    assert await pool.fetchval("SELECT count(*) FROM jobs WHERE found_skills = '{Python}' AND version = 3") == count
    sql = """SELECT xid, count(*) FROM changes WHERE verb = 'words_read' AND row_id IN (SELECT id FROM jobs) GROUP BY xid"""
    told = await pool.fetch(sql)
    assert sum(each["count"] for each in told) == count and len(told) <= 10
