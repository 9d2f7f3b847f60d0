"""The door of occupations: open to everybody, the same for everybody, and kept by whoever asked."""

import pytest

from tests.cast import Cast
from tests.jobs.openings import tracked
from tests.organizations.scenes import refusal

pytestmark = pytest.mark.anyio


async def test_the_code_of_a_job_leads_to_its_occupation(cast: Cast) -> None:
    job = await tracked(cast.ada, title="Front End Developer")
    found = (await cast.nobody.get(f"/v1/occupations/{job['occupation']}")).json()
    assert (found["code"], found["title"]) == ("15-1254.00", "Web Developers")
    assert found["near"][0] == {"code": "15-1255.00", "title": "Web and Digital Interface Designers"}
    assert {"name": "JavaScript", "hot": True, "in_demand": True} in found["tools"]
    assert "前端工程師" in found["names"] and "Webmaster" in found["names"]


async def test_every_tool_and_every_occupation_that_it_names_can_be_asked_for(cast: Cast) -> None:
    found = (await cast.cleo.get("/v1/occupations/29-1141.00")).json()
    other = await cast.cleo.get(f"/v1/occupations/{found['near'][0]['code']}")
    assert other.status_code == 200
    job = await tracked(cast.ada, skills=[each["name"] for each in found["tools"]][:5])
    assert job["found_skills"] == [each["name"] for each in found["tools"]][:5]


async def test_it_is_not_sent_twice(cast: Cast) -> None:
    first = await cast.nobody.get("/v1/occupations/15-1252.00")
    again = await cast.nobody.get("/v1/occupations/15-1252.00", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    assert "max-age" in first.headers["cache-control"]


@pytest.mark.parametrize("code", ["15-9999.00", "nobody", "%F0%9F%99%82", "15-1252"])
async def test_a_code_that_nobody_has_is_not_found(cast: Cast, code: str) -> None:
    assert refusal(await cast.nobody.get(f"/v1/occupations/{code}")) == (404, "not-found")


async def test_a_parameter_is_refused(cast: Cast) -> None:
    assert refusal(await cast.nobody.get("/v1/occupations/15-1252.00?q=x")) == (400, "unknown-parameter")


async def test_there_is_no_list_and_no_writing(cast: Cast) -> None:
    assert (await cast.ada.get("/v1/occupations")).status_code == 404
    assert (await cast.ada.post("/v1/occupations/15-1252.00", {})).status_code == 405
