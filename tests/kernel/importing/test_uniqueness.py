"""Rows of one file that are in each other's way: the dry run says it before the apply is refused."""

import pytest

from guildhouse.app import HOUSE
from guildhouse.kernel.importing.uniqueness import once_only
from guildhouse.searches.saved_search import MOST
from tests.cast import Cast
from tests.jobs.openings import tracked
from tests.kernel.importing.intake import judged, rows, told, told_to
from tests.organizations.scenes import approved

pytestmark = pytest.mark.anyio


def test_what_is_unique_beside_the_key_counts_and_secrets_do_not() -> None:
    found = {name: once_only(HOUSE.resources[name]) for name in ("stages", "applications", "jobs", "invitations")}
    assert found == {
        "stages": (("organization_id", "name"),),
        "applications": (("applicant_id", "job_id"),),
        "jobs": (),
        "invitations": (),
    }


async def test_a_stage_of_a_name_that_is_taken_is_a_duplicate_of_the_one_here_or_earlier_in_the_file(
    idle: Cast,
) -> None:
    place = (await approved(idle))["id"]
    body = {"organization_id": place, "name": "Call", "outcome": "interviewing", "position": 1}
    here = await idle.ada.made("/v1/stages", body)
    table = "organization_id,name,outcome,position\n" + "".join(
        f"{place},{name},interviewing,{n}\n" for n, name in enumerate(("Call", "Task", "Task", "Offer"))
    )
    row = await judged(idle, idle.ada, table, "stages", "stages.csv")
    assert row["judged"] == {"duplicate": 2, "create": 2}
    why = ["organization_id", "name"]
    assert told(await rows(idle.ada, row), "duplicate")[:3] == [
        {"id": here["id"], "why": why},
        None,
        {"row": 1, "why": why},
    ]
    await idle.ada.patch(f"/v1/imports/{row['id']}", {"duplicates": "change"})
    row = await told_to(idle, idle.ada, row, "apply")
    assert row["written"] == {"changed": 2, "created": 2}


async def test_a_job_that_one_applies_for_twice_in_a_file_is_told_once(idle: Cast) -> None:
    jobs = [(await tracked(idle.ada))["id"] for _ in range(2)]
    table = "job_id,excitement\n" + "".join(f"{each},4\n" for each in (jobs[0], jobs[1], jobs[0]))
    row = await judged(idle, idle.ada, table, "applications", "mine.csv")
    assert told(await rows(idle.ada, row), "verdict") == ["create", "create", "duplicate"]


async def test_what_a_rule_counts_is_counted_with_the_rows_before_and_nothing_of_it_is_written(
    idle: Cast,
) -> None:
    table = "name,resource\n" + "".join(f"Search {n},jobs\n" for n in range(MOST + 3))
    row = await judged(idle, idle.ada, table, "saved-searches", "searches.csv")
    assert row["judged"] == {"create": MOST, "wrong": 3}
    [*_, last] = await rows(idle.ada, row, "&verdict=wrong")
    assert (last["n"], [each["code"] for each in last["faults"]]) == (MOST + 2, ["too-many-saved-searches"])
    assert (await idle.ada.get("/v1/saved-searches")).json()["data"] == []
    logged = "SELECT count(*) FROM changes WHERE resource = 'saved_searches'"
    assert await idle.server.database.pool.fetchval(logged) == 0
    row = await told_to(idle, idle.ada, row, "apply")
    assert row["written"] == {"created": MOST, "failed": 3}


async def test_taken_names_of_others_are_not_told(idle: Cast) -> None:
    place = (await approved(idle))["id"]
    await idle.ada.made(
        "/v1/stages", {"organization_id": place, "name": "Call", "outcome": "interviewing", "position": 1}
    )
    table = f"organization_id,name,outcome,position\n{place},Call,interviewing,1\n"
    row = await judged(idle, idle.cleo, table, "stages", "stages.csv")
    assert [each["code"] for each in (await rows(idle.cleo, row))[0]["faults"]] == ["denied"]
