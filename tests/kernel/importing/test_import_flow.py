"""The way of a file: uploaded, read, planned, judged, applied, and taken back."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from guildhouse.kernel.importing import running, unpacking
from tests.cast import Cast
from tests.kernel.importing.intake import Told, brought, judged, now, rows, send, told, told_to, work_on, worked
from tests.kernel.importing.test_table_rows import made, saved
from tests.organizations.scenes import approved, refusal

pytestmark = pytest.mark.anyio
JOBS = """Job title,Town,Salary,Closing date,Type,Req ID,Source
Engine programmer,臺北,NT$60k-80k / month,2030/11/20,全職,7,city
Bookkeeper,Galway,€3.500 bis €4.200 / monat,20.11.2030,part time,8,city
Night nurse,Cork,a lot,2030-02-30,sometimes,9,city
"""


@pytest.fixture
async def own(idle: Cast) -> Told:
    """What makes a row one of Ada's organization."""
    return {"constants": {"organization_id": (await approved(idle))["id"]}}


def calls(count: int) -> str:
    """A file of reminders."""
    return "text,due\n" + "".join(f"Call {n},2030-01-01\n" for n in range(count))


async def titles(cast: Cast) -> list[tuple[str, str | None]]:
    """The live jobs."""
    records = await cast.server.database.pool.fetch(
        "SELECT title, city FROM jobs WHERE deleted_at IS NULL ORDER BY 1, 2"
    )
    return [tuple(record) for record in records]


async def test_a_file_is_read_planned_and_judged_before_anything_is_written(idle: Cast, own: Told) -> None:
    row = await brought(idle, idle.ada, JOBS, "jobs", "list.csv", plan=own)
    assert [row[name] for name in ("status", "file_name", "total")] == ["ready", "list.csv", 3]
    assert {row["found"][name] for name in ("format", "encoding", "delimiter", "newline")} == {
        "csv",
        "utf-8",
        ",",
        "LF",
    }
    assert told(row["plan"]["columns"], "column", "field") == [
        (0, "title"), (1, "city"), (2, "pay"), (3, "closes_on"), (4, "employment_type"), (5, "external_id"),
        (6, "source"),
    ]  # fmt: skip
    row = await told_to(idle, idle.ada, row, "judge")
    assert (row["status"], row["judged"], await titles(idle)) == ("judged", {"create": 2, "wrong": 1}, [])
    first, second, wrong = await rows(idle.ada, row)
    assert first["read"].items() >= {
        "salary_min": 60000, "salary_max": 80000, "salary_currency": "TWD", "salary_period": "month",
        "closes_on": "2030-11-20", "employment_type": "full_time",
    }.items()  # fmt: skip
    assert second["read"]["salary_min"] == 3500 and second["line"] == 3
    assert told(wrong["faults"], "column", "code") == [
        ("Salary", "no-number"), ("Closing date", "no-day"), ("Type", "unknown-choice"),
    ]  # fmt: skip


async def test_what_was_judged_is_applied_and_taken_back(idle: Cast, own: Told) -> None:
    row = await judged(idle, idle.ada, JOBS, "jobs", plan=own)
    row = await told_to(idle, idle.ada, row, "apply")
    assert (row["status"], row["written"]) == ("applied", {"created": 2, "failed": 1})
    assert await titles(idle) == [("Bookkeeper", "Galway"), ("Engine programmer", "臺北")]
    ids = [each["id"] for each in await rows(idle.ada, row, "&outcome=created")]
    history = (await idle.ada.get(f"/v1/jobs/{ids[0]}/history")).json()["data"]
    assert told(history, "event", "actor_id", "reason") == [("job.created", idle.ada.id, f"import {row['id']}")]
    row = await told_to(idle, idle.ada, row, "take-back")
    assert (row["status"], row["taken_back"], await titles(idle)) == ("taken_back", {"taken_back": 2}, [])


async def test_a_second_file_changes_what_differs_and_taking_it_back_brings_the_values_back(
    idle: Cast, own: Told
) -> None:
    await told_to(idle, idle.ada, await judged(idle, idle.ada, JOBS, "jobs", plan=own), "apply")
    row = await judged(idle, idle.ada, JOBS.replace("Galway", "Sligo"), "jobs", plan=own)
    assert row["judged"] == {"same": 1, "change": 1, "wrong": 1}
    diff = (await rows(idle.ada, row, "&verdict=change"))[0]["diff"]
    assert (diff["city"], set(diff)) == (["Galway", "Sligo"], {"city", "latitude", "longitude"})
    row = await told_to(idle, idle.ada, row, "apply")
    assert row["written"] == {"unchanged": 1, "changed": 1, "failed": 1}
    assert ("Bookkeeper", "Sligo") in await titles(idle)
    await told_to(idle, idle.ada, row, "take-back")
    assert ("Bookkeeper", "Galway") in await titles(idle)


async def test_known_rows_can_be_left_as_they_are(idle: Cast, own: Told) -> None:
    await told_to(idle, idle.ada, await judged(idle, idle.ada, JOBS, "jobs", plan=own), "apply")
    changed = JOBS.replace("Galway", "Sligo").replace("臺北", "高雄")
    row = await judged(idle, idle.ada, changed, "jobs", plan=own, known="skip", decisions={"0": "change"})
    row = await told_to(idle, idle.ada, row, "apply")
    assert row["written"] == {"changed": 1, "skipped": 1, "failed": 1}
    assert await titles(idle) == [("Bookkeeper", "Galway"), ("Engine programmer", "高雄")]


async def test_rows_that_somebody_has_changed_since_are_listed_and_not_overwritten(idle: Cast, own: Told) -> None:
    row = await told_to(idle, idle.ada, await judged(idle, idle.ada, JOBS, "jobs", plan=own), "apply")
    first = (await rows(idle.ada, row))[0]["id"]
    await idle.ada.patch(f"/v1/jobs/{first}", {"unit": "Engines"})
    row = await told_to(idle, idle.ada, row, "take-back")
    assert row["taken_back"] == {"changed_since": 1, "taken_back": 1}
    assert told(await rows(idle.ada, row), "taken_back") == ["changed_since", "taken_back", None]
    assert await titles(idle) == [("Engine programmer", "臺北")]


async def test_rows_with_numbers_of_their_own_are_no_duplicates_however_alike(idle: Cast) -> None:
    """The file of somebody who tracks jobs: its numbers have no organization here that makes them whole keys."""
    text = "title,agency,job id\nField supervisor,Census,1\nField supervisor,Census,2\nField supervisor,Census,1\n"
    row = await judged(idle, idle.ada, text, "jobs", duplicates="skip")
    assert row["judged"] == {"create": 2, "duplicate": 1}
    told_of = (await rows(idle.ada, row, "&verdict=duplicate"))[0]["duplicate"]
    assert (told_of["row"], told_of["why"]) == (0, ["organization_id", "source", "external_id"])
    assert (await told_to(idle, idle.ada, row, "apply"))["written"] == {"created": 2, "skipped": 1}
    row = await judged(idle, idle.ada, text + "Field supervisor,Census,3\nField supervisor,Census,\n", "jobs")
    assert row["judged"] == {"duplicate": 4, "create": 1}
    assert told(await rows(idle.ada, row, "&verdict=create"), "line") == [5]


ALIKE = "title,city\nEngine  PROGRAMMER,臺北\nClerk,Cork\nclerk,cork\n"


@pytest.mark.parametrize(
    ("policy", "written"),
    [("skip", {"skipped": 2, "created": 1}), ("change", {"changed": 2, "created": 1}), ("keep", {"created": 3})],
)
async def test_duplicates_are_found_by_what_they_say_and_decided(
    idle: Cast, own: Told, policy: str, written: dict[str, int]
) -> None:
    await told_to(idle, idle.ada, await judged(idle, idle.ada, JOBS, "jobs", plan=own), "apply")
    row = await judged(idle, idle.ada, ALIKE, "jobs", plan=own)
    assert row["judged"] == {"duplicate": 2, "create": 1}
    here, _, again = await rows(idle.ada, row)
    assert here["duplicate"]["id"] and here["duplicate"]["why"][0] == "title"
    assert again["duplicate"]["row"] == 1
    asked = await idle.ada.post(f"/v1/imports/{row['id']}/apply")
    assert refusal(asked) == (409, "duplicates-undecided")
    await idle.ada.patch(f"/v1/imports/{row['id']}", {"duplicates": policy})
    row = await told_to(idle, idle.ada, row, "apply")
    assert row["written"] == written
    row = await told_to(idle, idle.ada, row, "take-back")
    assert len(await titles(idle)) == 2


async def test_a_row_can_be_decided_for_itself(idle: Cast, own: Told) -> None:
    await told_to(idle, idle.ada, await judged(idle, idle.ada, JOBS, "jobs", plan=own), "apply")
    row = await judged(idle, idle.ada, ALIKE, "jobs", plan=own, decisions={"0": "keep", "2": "skip"})
    row = await told_to(idle, idle.ada, row, "apply")
    assert row["written"] == {"created": 2, "skipped": 1}
    assert told(await rows(idle.ada, row), "decision", "outcome") == [
        ("keep", "created"), (None, "created"), ("skip", "skipped"),
    ]  # fmt: skip


async def test_a_row_that_came_by_another_way_since_is_asked_about_and_not_doubled(idle: Cast, own: Told) -> None:
    row = await judged(idle, idle.ada, "title\nClerk\n", "jobs", plan=own)
    await idle.ada.made("/v1/jobs", {"title": "Clerk", **own["constants"]})
    row = await told_to(idle, idle.ada, row, "apply")
    assert (row["written"], len(await titles(idle))) == ({"duplicate": 1}, 1)


async def test_the_wrong_rows_are_mended_and_loaded_again(idle: Cast, own: Told) -> None:
    row = await told_to(idle, idle.ada, await judged(idle, idle.ada, JOBS, "jobs", plan=own), "apply")
    answer = await idle.ada.get(f"/v1/imports/{row['id']}/wrong-rows.csv")
    assert "calls%20-%20wrong%20rows.csv" in answer.headers["content-disposition"]
    lines = answer.text.splitlines()
    assert len(lines) == 2 and lines[0].endswith(",what is wrong") and "Salary: this is no number" in lines[1]
    mended = (
        answer.text.replace("a lot", "200/hr EUR").replace("2030-02-30", "2030-02-28").replace("sometimes", "seasonal")
    )
    again = await judged(idle, idle.ada, mended, "jobs")
    assert (again["judged"], again["found"]["bom"]) == ({"create": 1}, True)
    # It is read as the file was that it comes from, with what was said about that.
    assert again["plan"]["constants"] == own["constants"]
    assert {each["why"] for each in again["plan"]["columns"]} == {"saved"}


async def test_mended_rows_are_read_by_a_kept_mapping_and_by_nobody_elses_plan(idle: Cast) -> None:
    text = "What,Due date,what is wrong\nCall Ben,03/04/2030,ask\n"
    plan = {"columns": [{"column": 0, "field": "text"}, {"column": 1, "field": "due_at", "order": "dmy"}]}
    await brought(idle, idle.ben, "What,Due date\nCall Cleo,03/04/2030\n", plan=plan)
    assert (await judged(idle, idle.ada, text))["judged"] == {"wrong": 1}
    header = {"name": "Calls", "resource": "reminders", "header": ["What", "Due date"], "plan": plan}
    await idle.ada.made("/v1/mappings", header)
    assert (await judged(idle, idle.ada, text))["judged"] == {"create": 1}


@pytest.mark.parametrize(("content", "name", "code", "words"), [
    (b'[{"a": 1', "x.json", "file-broken-json", {"en": "it is not JSON", "zh-TW": "這不是 JSON"}),
    (b"%PDF-1.7", "x.pdf", "file-unknown-format", {"en": "as XLSX, ODS or CSV",
    "zh-TW": "XLSX、ODS 或 CSV"}),
    (b"<html>", "x.html", "file-no-table", {"en": "there is no table in this page", "zh-TW": "沒有表格"}),
    (b"PK\3\4 cut", "x.xlsx", "file-broken-archive", {"en": "no whole ZIP archive", "zh-TW": "不是完整的 ZIP"}),
])  # fmt: skip
async def test_a_file_that_cannot_be_read_says_why_in_the_language_of_its_person(
    idle: Cast, content: bytes, name: str, code: str, words: dict[str, str]
) -> None:
    for language, said in words.items():
        await idle.ada.patch(f"/v1/people/{idle.ada.id}", {"language": language})
        problem = (await brought(idle, idle.ada, content, "jobs", name))["problem"]
        assert (problem["code"], told(problem["errors"], "code")) == ("file-unreadable", [code])
        assert said in problem["errors"][0]["detail"]


async def test_a_file_that_kills_its_reader_is_told_to_be_saved_anew(
    idle: Cast, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The program in the place of ours dies as that of a hostile workbook does."""
    dying = tmp_path / "python"
    dying.write_text("#!/bin/sh\nkill -ABRT $$\n")
    dying.chmod(0o755)
    monkeypatch.setattr(unpacking.sys, "executable", str(dying))
    row = await brought(idle, idle.ada, "text\nCall Ben\n")
    assert (row["status"], told(row["problem"]["errors"], "code")) == ("failed", ["file-reader-gave-up"])
    assert "save it anew" in row["problem"]["errors"][0]["detail"]


async def test_a_sheet_that_is_not_there_is_told_those_that_are(idle: Cast) -> None:
    book = saved(made(Jobs=[["title", "city"], ["Clerk", "Cork"]], Other=[]))
    row = await brought(idle, idle.ada, book, "jobs", "x.xlsx", options={"sheet": "Job"})
    [fault] = row["problem"]["errors"]
    assert (row["status"], fault["pointer"], fault["detail"]) == (
        "failed", "/options/sheet", "there is no sheet of this name; there are: Jobs, Other",
    )  # fmt: skip
    patched = await idle.ada.patch(f"/v1/imports/{row['id']}", {"options": {"sheet": "Jobs"}})
    assert (await worked(idle, idle.ada, patched.json()))["total"] == 1


async def test_what_a_table_has_over_its_header_is_told_and_another_line_can_be_named(idle: Cast) -> None:
    text = "Autumn fair,,\n\ntext,due,who\nCall Ben,2030-01-01,Ada\nTotal,,1\n"
    row = await judged(idle, idle.ada, text)
    assert {name: row["found"][name] for name in ("header_line", "above")} == {
        "header_line": 3,
        "above": ["Autumn fair"],
    }
    assert row["judged"] == {"create": 1, "wrong": 1}
    assert told((await rows(idle.ada, row))[1]["faults"], "code", "detail") == [
        ("totals", "this row only adds up the others")
    ]
    patched = await idle.ada.patch(f"/v1/imports/{row['id']}", {"options": {"header_line": 4}})
    row = await worked(idle, idle.ada, patched.json())
    assert told(row["columns"], "name") == ["Call Ben", "2030-01-01", "Ada"]


async def test_an_atomic_import_writes_all_or_nothing(idle: Cast, own: Told) -> None:
    row = await judged(idle, idle.ada, JOBS, "jobs", plan=own, mode="atomic")
    assert refusal(await idle.ada.post(f"/v1/imports/{row['id']}/apply")) == (422, "wrong-rows-in-atomic")
    good = JOBS.rsplit("Night", 1)[0]
    row = await told_to(idle, idle.ada, await judged(idle, idle.ada, good, "jobs", plan=own, mode="atomic"), "apply")
    assert (row["status"], row["written"]) == ("applied", {"created": 2})
    late = await judged(idle, idle.ada, good.replace("7", "17").replace(",8,", ",18,"), "jobs", plan=own, mode="atomic")
    await idle.ada.made("/v1/jobs", {"title": "Bookkeeper", "city": "Galway", **own["constants"]})
    late = await told_to(idle, idle.ada, late, "apply")
    assert (late["status"], late["problem"]["code"], len(await titles(idle))) == ("failed", "wrong-rows-in-atomic", 3)


async def test_a_day_that_could_be_two_is_asked_and_the_answer_is_kept_for_the_next_file(idle: Cast) -> None:
    text = "What,Due date\nCall Ben,03/04/2030\n"
    row = await judged(idle, idle.ada, text)
    assert row["judged"] == {"wrong": 1}
    fault = (await rows(idle.ada, row))[0]["faults"][0]
    assert (fault["code"], fault["column"]) == ("ambiguous-day", "Due date")
    assert "2030-04-03" in fault["detail"] and "2030-03-04" in fault["detail"]
    chinese = await idle.ada.get(f"/v1/imports/{row['id']}/rows", accept_language="zh-TW")
    assert "這是 2030-04-03 還是 2030-03-04" in chinese.text
    columns = [{**each, "order": "dmy"} if each["field"] == "due_at" else each for each in row["plan"]["columns"]]
    row = (
        await idle.ada.patch(f"/v1/imports/{row['id']}", {"plan": {"columns": columns, "timezone": "Asia/Taipei"}})
    ).json()
    assert (row["status"], row["judged"]) == ("ready", {})
    row = await told_to(idle, idle.ada, row, "judge")
    assert (await rows(idle.ada, row))[0]["read"]["due_at"] == "2030-04-03T00:00:00+08:00"
    header = [each["name"] for each in row["columns"]]
    saved = {"name": "My calls", "resource": "reminders", "header": header, "plan": row["plan"]}
    await idle.ada.made("/v1/mappings", saved)
    again = await brought(idle, idle.ada, text.replace("Ben", "Cleo").upper())
    assert {each["why"] for each in again["plan"]["columns"]} == {"saved"}
    assert again["plan"]["timezone"] == "Asia/Taipei"
    assert (await told_to(idle, idle.ada, again, "judge"))["judged"] == {"create": 1}


async def test_what_was_detected_can_be_corrected(idle: Cast) -> None:
    row = await brought(idle, idle.ada, "text;note\nCall Ben;a,b\n")
    assert (row["found"]["delimiter"], len(row["columns"])) == (";", 2)
    row = await brought(idle, idle.ada, "text;note\nCall Ben;a,b\n", options={"delimiter": ",", "header": False})
    assert (row["found"]["delimiter"], row["found"]["header"], row["total"], row["status"]) == (",", False, 2, "ready")
    row = (await idle.ada.patch(f"/v1/imports/{row['id']}", {"options": {"delimiter": None}})).json()
    row = await worked(idle, idle.ada, row)
    assert (row["found"]["delimiter"], row["options"]) == (";", {"header": False})


async def test_a_plan_names_columns_and_fields_that_are_there(idle: Cast) -> None:
    row = await brought(idle, idle.ada, "text\nCall Ben\n")
    for plan, code in (
        ({"columns": [{"column": 0, "field": "nothing"}]}, "unknown-field"),
        ({"columns": [{"column": 1, "field": "text"}]}, "no-such-column"),
        ({"constants": {"nothing": 1}}, "unknown-field"),
        ({"timezone": "Mars/Base"}, "unknown-zone"),
    ):
        answer = await idle.ada.patch(f"/v1/imports/{row['id']}", {"plan": plan})
        assert (answer.status_code, answer.json()["errors"][0]["code"]) == (422, code)


async def test_a_cancelled_import_goes_on_or_is_taken_back(idle: Cast) -> None:
    row = await judged(idle, idle.ada, calls(2100))
    row = await idle.ada.made(f"/v1/imports/{row['id']}/apply", {})
    standing = await running.standing(work_on(idle, row))
    assert standing
    places = await running.open_chunks(work_on(idle, row), standing)
    assert len(places) == 3
    actor = await idle.server.actor_of(standing.person_id, standing.narrowed)
    assert await running.run_chunk(work_on(idle, row), standing, actor, places[0])
    cancelled = await idle.ada.made(f"/v1/imports/{row['id']}/cancel", {})
    assert (cancelled["status"], cancelled["written"]) == ("cancelled", {"created": 1000})
    assert not await running.run_chunk(work_on(idle, row), standing, actor, places[1])
    assert await worked(idle, idle.ada, row) == cancelled
    row = await told_to(idle, idle.ada, row, "apply")
    assert (row["status"], row["written"]) == ("applied", {"created": 2100})
    row = await told_to(idle, idle.ada, row, "take-back")
    assert row["taken_back"] == {"taken_back": 2100}


async def test_a_chunk_is_written_once_however_often_its_task_runs(idle: Cast) -> None:
    row = await judged(idle, idle.ada, calls(1))
    row = await idle.ada.made(f"/v1/imports/{row['id']}/apply", {})
    standing = await running.standing(work_on(idle, row))
    assert standing
    places = await running.open_chunks(work_on(idle, row), standing)
    actor = await idle.server.actor_of(standing.person_id, standing.narrowed)
    for _ in range(2):
        assert await running.run_chunk(work_on(idle, row), standing, actor, places[0])
    row = await worked(idle, idle.ada, row)
    assert row["written"] == {"created": 1}
    assert await idle.server.database.pool.fetchval("SELECT count(*) FROM reminders") == 1


async def test_nobody_imports_more_than_they_may_write(idle: Cast) -> None:
    organization = (await approved(idle))["id"]
    row = await judged(idle, idle.cleo, "title\nClerk\n", "jobs", plan={"constants": {"organization_id": organization}})
    assert (row["judged"], (await rows(idle.cleo, row))[0]["faults"][0]["code"]) == ({"wrong": 1}, "denied")
    key = (await idle.ada.made("/v1/api-keys", {"name": "k", "permissions": ["imports.write", "imports.read"]}))["key"]
    headers = {"authorization": f"Bearer {key}"}
    answer = await idle.nobody.client.post("/v1/imports?resource=reminders", content=b"text\na\n", headers=headers)
    assert refusal(answer) == (403, "denied")
    assert await idle.server.files.names("imports/") == sorted(
        name for name in (unpacking.upload_of(row["id"]), unpacking.rows_of(row["id"]))
    )


async def test_uploads_that_are_none_are_refused_and_leave_nothing(idle: Cast) -> None:
    assert refusal(await send(idle.ada, b"")) == (422, "invalid")
    assert refusal(await send(idle.ada, b"a", "sessions")) == (400, "not-importable")
    assert refusal(await send(idle.ada, b"a", "nothing")) == (400, "not-importable")
    assert await idle.server.files.names() == []


async def test_the_same_upload_again_is_the_same_import(idle: Cast) -> None:
    headers = {"idempotency-key": "load-1"}
    path = "/v1/imports?resource=reminders"
    first = await idle.ada.client.post(path, content=b"text\nCall\n", headers=headers)
    again = await idle.ada.client.post(path, content=b"text\nCall\n", headers=headers)
    assert (again.json(), again.headers["idempotent-replayed"]) == (first.json(), "true")
    assert await idle.server.files.names() == [unpacking.upload_of(first.json()["id"])]


async def test_a_purged_import_takes_its_files_along_and_a_lost_upload_is_swept(idle: Cast) -> None:
    row = await brought(idle, idle.ada, "text\nCall Ben\n")
    old = "0181b3a4-0000-7000-8000-000000000000"
    for name in (unpacking.upload_of(old), unpacking.upload_of("0fffffff-0000-7000-8000-000000000000")):
        await idle.server.files.write(name, pieces())
    await idle.ada.delete(f"/v1/imports/{row['id']}")
    await idle.ada.post(f"/v1/imports/{row['id']}/purge")
    await running.remove_files(work_on(idle, row))
    await running.sweep(work_on(idle, row))
    assert await idle.server.files.names() == ["imports/0fffffff-0000-7000-8000-000000000000/upload"]


async def test_who_is_erased_leaves_no_file_behind(idle: Cast) -> None:
    await brought(idle, idle.ada, calls(1))
    farewell = {"email": "ada@example.org"}
    assert (await idle.otto.post(f"/v1/people/{idle.ada.id}/erase", farewell)).status_code == 204
    pool = idle.server.database.pool
    erased = await pool.fetch("SELECT row_id, verb FROM changes WHERE resource = 'imports' AND verb = 'erased'")
    assert [each["verb"] for each in erased] == ["erased"]
    await running.remove_files(work_on(idle, {"id": erased[0]["row_id"]}))
    assert await idle.server.files.names() == []
    assert await pool.fetchval("SELECT count(*) FROM import_chunks") == 0


async def pieces() -> AsyncIterator[bytes]:
    yield b"x"


async def test_rows_come_in_pages_and_wrong_questions_are_refused(idle: Cast) -> None:
    row = await judged(idle, idle.ada, calls(1005))
    path = f"/v1/imports/{row['id']}/rows"
    page = (await idle.ada.get(f"{path}?after=998&limit=3")).json()
    assert (told(page["data"], "n"), page["page"]) == (
        [999, 1000, 1001],
        {"next": "1001", "has_more": True, "limit": 3},
    )
    assert (await idle.ada.get(f"{path}?after=1003")).json()["page"] == {"next": "", "has_more": False, "limit": 50}
    for query in ("verdict=fine", "after=x", "limit=many", "outcome=x"):
        assert refusal(await idle.ada.get(f"{path}?{query}")) == (400, "wrong-rows-query")
    assert refusal(await idle.cleo.get(path)) == (404, "not-found")
    assert refusal(await idle.cleo.get(f"/v1/imports/{row['id']}/wrong-rows.csv")) == (404, "not-found")


async def test_secrets_are_not_made_by_an_import(idle: Cast) -> None:
    row = await told_to(idle, idle.ada, await judged(idle, idle.ada, "name\nmine\n", "api-keys"), "apply")
    assert (row["status"], row["problem"]["code"]) == ("failed", "shown-once")
    assert (await idle.ada.get("/v1/api-keys")).json()["data"] == []


async def test_an_import_does_not_change_under_way(idle: Cast) -> None:
    row = await told_to(idle, idle.ada, await judged(idle, idle.ada, calls(1)), "apply")
    answer = await idle.ada.patch(f"/v1/imports/{row['id']}", {"mode": "atomic"})
    assert refusal(answer) == (409, "import-under-way")
    fresh = await brought(idle, idle.ada, "text\nCall Ben\n")
    assert refusal(await idle.ada.post(f"/v1/imports/{fresh['id']}/apply")) == (409, "not-judged")
    assert (await now(idle.ada, fresh))["status"] == "ready"


async def test_what_is_as_before_already_or_is_gone_is_no_work_for_taking_back(idle: Cast, own: Told) -> None:
    row = await judged(idle, idle.ada, "title\nOne\nTwo\nThree\n", "jobs")
    row = await told_to(idle, idle.ada, row, "apply")
    one, two, three = [each["id"] for each in await rows(idle.ada, row)]
    for job in (one, two):
        await idle.ada.delete(f"/v1/jobs/{job}")
    await idle.ada.made(f"/v1/jobs/{three}/close", {})
    await idle.ada.made(f"/v1/jobs/{three}/undo", {})
    assert (await idle.ada.post(f"/v1/jobs/{two}/purge")).status_code == 204
    row = await told_to(idle, idle.ada, row, "take-back")
    assert row["taken_back"] == {"taken_back": 2, "gone": 1}, "a change that was undone is none"
    assert told(await rows(idle.ada, row), "taken_back") == ["taken_back", "gone", "taken_back"]


async def test_a_workbook_in_ones_own_language_comes_back_as_the_same_rows(idle: Cast) -> None:
    """Rows that are found by their ids are no duplicates of each other, whatever else they share."""
    for n in range(3):
        await idle.ada.made(
            "/v1/jobs", {"title": "Clerk", "external_id": "7", "city": "Cork", "closes_on": f"2030-01-0{n + 1}"}
        )
    for language, form in (("zh-TW", "xlsx"), ("en", "xlsx"), ("zh-TW", "csv")):
        book = await idle.ada.get(f"/v1/jobs:export?format={form}", accept_language=language)
        row = await judged(idle, idle.ada, book.content, "jobs", f"x.{form}")
        assert row["judged"] == {"same": 3}, await rows(idle.ada, row)
