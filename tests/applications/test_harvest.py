"""Greenhouse's own lists of candidates, jobs and applications: read by our fields, and all the way into the database."""

import copy
from typing import Any

import orjson
import pytest

from guildhouse.applications.candidate import candidates
from guildhouse.applications.harvest import applications_in, candidates_in, is_applications, is_candidates
from guildhouse.jobs.boards import harvest_jobs, is_harvest
from guildhouse.kernel.importing.likeness import mark_of
from tests.cast import Cast
from tests.jobs.openings import hiring
from tests.kernel.importing.intake import Told, judged, rows, told, told_to
from tests.organizations.scenes import Body

pytestmark = pytest.mark.anyio
REJECTED: dict[str, Any] = {
    "id": 985314, "candidate_id": 53883394, "prospect": False, "applied_at": "2026-03-26T20:11:39.000Z",
    "rejected_at": "2026-08-17T21:08:29.686Z", "last_activity_at": "2026-08-27T16:13:15.000Z",
    "source": {"id": 1871, "public_name": "Happy Hour"}, "credited_to": {"id": 4080, "name": "Kate Austen"},
    "rejection_reason": {"id": 8, "name": "Hired another candidate", "type": {"id": 1, "name": "We rejected them"}},
    "jobs": [{"id": 123, "name": "Accounting Manager"}], "job_post_id": None, "status": "rejected",
    "current_stage": {"id": 62828, "name": "Recruiter Phone Screen"},
    "answers": [{"question": "How did you hear about this job?", "answer": "From a former colleague."}],
    "attachments": [{"filename": "resume.pdf", "url": "https://files.example.org/resume.pdf", "type": "resume"},
                    {"filename": "x", "url": "javascript:alert(1)", "type": "other"}],
}  # fmt: skip
ACTIVE = {
    "id": 985315, "candidate_id": 53883395, "prospect": False, "applied_at": "2026-09-01T00:00:00.000Z",
    "rejected_at": None, "source": None, "jobs": [{"id": 123, "name": "Accounting Manager"}], "status": "active",
    "current_stage": {"id": 7, "name": "Face to Face"}, "answers": [],
}  # fmt: skip
PROSPECT = {"id": 3, "candidate_id": 53883395, "prospect": True, "jobs": [], "status": "active", "current_stage": None}
CANDIDATES: list[dict[str, Any]] = [
    {
        "id": 53883394, "first_name": "John", "last_name": "Locke", "company": "The Tustin Box Company", "title": "Clerk",
        "phone_numbers": [{"value": "+1 (555) 010-0199", "type": "mobile"}], "application_ids": [985314],
        "email_addresses": [{"value": "john@example.org", "type": "personal"}, {"value": "j@example.com", "type": "work"}],
        "addresses": [{"value": "Tustin, California\nUSA", "type": "home"}],
        "website_addresses": [{"value": "locke.example.org", "type": "personal"}],
        "social_media_addresses": [{"value": "https://www.linkedin.com/in/john-locke/"}],
        "tags": ["Walkabout", {"name": "Boxes"}], "applications": [REJECTED],
    },
    {
        "id": 53883395, "first_name": "小美", "last_name": "陳", "company": None, "title": None, "phone_numbers": [],
        "email_addresses": [], "addresses": [], "website_addresses": [], "social_media_addresses": [], "tags": [],
        "applications": [ACTIVE, PROSPECT],
    },
]  # fmt: skip
JOBS = [
    {
        "id": 123, "name": "Accounting Manager", "requisition_id": "A-1", "status": "closed", "confidential": False,
        "departments": [{"id": 1, "name": "Finance"}], "opened_at": "2026-01-11T14:42:58Z", "custom_fields": {},
        "offices": [{"id": 175, "name": "SF", "location": {"name": "San Francisco, CA"}}],
        "closed_at": "2026-09-12T14:42:58Z",
    }
]  # fmt: skip


@pytest.fixture
async def own(idle: Cast) -> Body:
    """What is the same for all rows that Ada brings in: her organization."""
    return {"constants": {"organization_id": (await hiring(idle))["id"]}}


async def applied(cast: Cast, document: Any, noun: str, **said: Any) -> Told:
    """An import of Ada's that was written as far as it could be."""
    row = await judged(cast, cast.ada, orjson.dumps(document), noun, "greenhouse.json", **said)
    return await told_to(cast, cast.ada, row, "apply")


def test_a_candidate_is_read_whole() -> None:
    john, mei = candidates_in(CANDIDATES)
    assert john == {
        "source": "greenhouse", "external_id": "53883394", "first_name": "John", "last_name": "Locke",
        "email": "john@example.org", "phone": "+1 (555) 010-0199", "headline": "Clerk", "company": "The Tustin Box Company",
        "city": "Tustin, California", "profile_url": "https://www.linkedin.com/in/john-locke/",
        "links": ["https://locke.example.org"], "tags": ["Walkabout", "Boxes"],
    }  # fmt: skip
    assert mei == {"source": "greenhouse", "external_id": "53883395", "first_name": "小美", "last_name": "陳"}


def test_an_application_is_read_whole() -> None:
    rejected, active, prospect = applications_in(CANDIDATES)
    assert rejected == {
        "job.source": "greenhouse-harvest", "job.external_id": "123", "candidate.source": "greenhouse",
        "candidate.external_id": "53883394", "stage": "rejected", "submitted_at": "2026-03-26T20:11:39.000Z",
        "decided_at": "2026-08-17T21:08:29.686Z", "rejection_reason": "another_person", "source": "Happy Hour",
        "documents": [{"title": "resume.pdf", "url": "https://files.example.org/resume.pdf"}],
        "team_note": "Credited to: Kate Austen\nRejected: Hired another candidate\nLast stage: Recruiter Phone Screen\n"
                     "How did you hear about this job?: From a former colleague.",
    }  # fmt: skip
    assert (active["stage"], "decided_at" in active) == ("Face to Face", False)
    assert not any(name.startswith("job.") for name in prospect)


def test_a_posting_is_known_by_its_number_and_a_reason_unheard_of_is_other() -> None:
    one = {**REJECTED, "job_post_id": 4001, "rejection_reason": {"name": "The stars"}}
    (row,) = applications_in([one])
    assert (row["job.source"], row["job.external_id"], row["rejection_reason"]) == ("greenhouse", "4001", "other")
    assert "Rejected: The stars" in row["team_note"]
    (flat,) = applications_in(
        [{"id": 1, "candidate_id": 2, "job_id": 3, "status": "in_process", "created_at": "2026-01-01"}]
    )
    assert flat["job.external_id"] == "3" and flat["stage"] == "in_process" and flat["submitted_at"] == "2026-01-01"


def test_each_list_is_known_by_its_shape() -> None:
    assert is_candidates(CANDIDATES) and is_applications(CANDIDATES) and is_applications([ACTIVE])
    assert not is_candidates([ACTIVE]) and is_harvest(JOBS) and not is_harvest([ACTIVE])
    assert [job["status"] for job in harvest_jobs(JOBS)] == ["draft"]


@pytest.mark.parametrize(
    ("name", "one", "other", "same"),
    [
        ("phone", "+886 912-345-678", "0912345678", True),
        ("phone", "0912345678", "0912345679", False),
        ("phone", "101", "101", False),  # an extension tells nobody
        ("profile_url", "https://www.LinkedIn.com/in/mary/?trk=x", "http://linkedin.com/in/mary", True),
        ("profile_url", "https://linkedin.com/in/mary", "https://linkedin.com/in/mary-2", False),
        ("email", "Mary@Example.org", "mary@example.org", True),
    ],
)
def test_people_are_told_by_address_number_and_profile(name: str, one: str, other: str, same: bool) -> None:
    marks = {mark_of(candidates, name, one), mark_of(candidates, name, other)}
    assert (len(marks) == 1 and marks != {""}) == same


async def test_a_hiring_system_moves_in_and_a_second_load_changes_nothing(idle: Cast, own: Body) -> None:
    assert (await applied(idle, JOBS, "jobs", plan=own))["written"] == {"created": 1}
    assert (await applied(idle, CANDIDATES, "candidates", plan=own))["written"] == {"created": 2}
    row = await applied(idle, CANDIDATES, "applications")
    assert row["written"] == {"created": 2, "failed": 1}
    assert (await rows(idle.ada, row))[2]["faults"][0]["pointer"] == "/job_id"  # the prospect applied for nothing
    found = (await idle.ben.get("/v1/applications?expand=candidate,job&sort=submitted_at")).json()["data"]
    assert [(each["stage"], each["candidate"]["name"], each["job"]["title"]) for each in found] == [
        ("rejected", "John Locke", "Accounting Manager"), ("interviewing", "陳小美", "Accounting Manager"),
    ]  # fmt: skip
    assert found[0]["submitted_at"].startswith("2026-03-26") and found[0]["rejection_reason"] == "another_person"
    assert (await applied(idle, CANDIDATES, "candidates", plan=own))["written"] == {"unchanged": 2}
    assert (await applied(idle, CANDIDATES, "applications"))["written"] == {"unchanged": 2, "failed": 1}
    row = await told_to(idle, idle.ada, row, "take-back")
    assert row["taken_back"] == {"taken_back": 2}
    assert (await idle.ben.get("/v1/applications")).json()["data"] == []


async def test_an_application_whose_job_or_candidate_is_not_here_says_which(idle: Cast, own: Body) -> None:
    row = await judged(idle, idle.ada, orjson.dumps([REJECTED]), "applications", "greenhouse.json")
    (wrong,) = await rows(idle.ada, row)
    assert {(each["pointer"], each["code"], each["column"]) for each in wrong["faults"]} == {
        ("/job_id", "names-nothing", "job.external_id"), ("/candidate_id", "names-nothing", "candidate.external_id"),
    }  # fmt: skip
    chinese = await idle.ada.client.get(f"/v1/imports/{row['id']}/rows", headers={"accept-language": "zh-TW"})
    assert "請先匯入" in chinese.json()["data"][0]["faults"][0]["detail"]


async def test_another_organizations_rows_are_named_by_nobody(idle: Cast, own: Body) -> None:
    await applied(idle, JOBS, "jobs", plan=own)
    await applied(idle, CANDIDATES, "candidates", plan=own)
    row = await judged(idle, idle.cleo, orjson.dumps([REJECTED]), "applications", "greenhouse.json")
    assert row["judged"] == {"wrong": 1}


async def test_a_key_that_names_several_is_asked_for_more(idle: Cast, own: Body) -> None:
    for source in ("one", "two"):
        await idle.ada.made("/v1/jobs", {"title": source, "source": source, "external_id": "7", **own["constants"]})
    await applied(idle, CANDIDATES, "candidates", plan=own)
    table = "Job ID,Candidate ID,Status\n7,53883394,Phone Screen\n"
    row = await judged(idle, idle.ada, table, "applications", "list.csv")
    (wrong,) = await rows(idle.ada, row)
    assert [each["code"] for each in wrong["faults"]] == ["names-several"]
    plan = {"constants": {"job.source": "two"}}
    row = await judged(idle, idle.ada, table, "applications", "list.csv", plan=plan)
    assert row["judged"] == {"create": 1}, await rows(idle.ada, row)


@pytest.mark.parametrize(
    ("table", "why"),
    [
        ("Student Name,E-mail\nJ. Locke,JOHN@example.org\n", "email"),
        ("First name,Last name,Mobile\nJ.,Locke,555 010 0199\n", "phone"),
        ("Name,LinkedIn\nJ. Locke,http://linkedin.com/in/john-locke\n", "profile_url"),
    ],
)
async def test_a_candidate_who_is_here_already_is_a_duplicate_by(idle: Cast, own: Body, table: str, why: str) -> None:
    await applied(idle, copy.deepcopy(CANDIDATES), "candidates", plan=own)
    row = await judged(idle, idle.ada, table, "candidates", "people.csv", plan=own)
    (found,) = told(await rows(idle.ada, row), "duplicate")
    assert found["why"] == [why, "organization_id"], found
    row = await judged(idle, idle.ada, table + table.partition("\n")[2], "candidates", "people.csv", plan=own)
    assert row["judged"] == {"duplicate": 2}


async def test_one_person_twice_in_a_file_is_found_by_any_of_the_marks(idle: Cast, own: Body) -> None:
    table = "Name,Email,Phone\nMary,m@example.org,0912345678\nM. S.,m@example.com,+886912345678\nEve,e@example.org,\n"
    row = await judged(idle, idle.ada, table, "candidates", "people.csv", plan=own)
    assert row["judged"] == {"create": 2, "duplicate": 1}
    again = told(await rows(idle.ada, row), "duplicate")[1]
    assert (again["row"], again["why"]) == (0, ["phone", "organization_id"])


async def test_a_tracker_moves_in_with_the_stages_that_people_write(idle: Cast) -> None:
    jobs = "Title,Company,External ID\nClerk,Coast,1\nNurse,Ward,2\n"
    await told_to(idle, idle.cleo, await judged(idle, idle.cleo, jobs, "jobs", "jobs.csv"), "apply")
    table = "Job ID,狀態,應徵日期,Notes\n1,面試中,2026/03/01,nice\n2,Wishlist,,\n2,daydreaming,,\n"
    row = await judged(idle, idle.cleo, table, "applications", "tracker.csv")
    assert row["judged"] == {"create": 2, "wrong": 1}, await rows(idle.cleo, row)
    row = await told_to(idle, idle.cleo, row, "apply")
    found = (await idle.cleo.get("/v1/applications?sort=created_at")).json()["data"]
    assert {(each["stage"], each["private_note"]) for each in found} == {("interviewing", "nice"), ("draft", None)}
