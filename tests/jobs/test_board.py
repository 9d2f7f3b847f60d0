"""Boards and feeds: an organization's open jobs as others read them, the same for all callers, and gone when they close."""

import re
from typing import Any
from xml.etree import ElementTree as ET

import orjson
import pytest

from guildhouse.jobs.board_job import BoardJob
from guildhouse.jobs.feeds import element, without_entities
from guildhouse.jobs.open_jobs import as_html, number_of
from tests.cast import Cast
from tests.contracts.conftest import settled
from tests.jobs.openings import hiring, posted, tracked

pytestmark = pytest.mark.anyio

# What a program that reads Greenhouse's boards finds in each job.
GREENHOUSE = {
    "absolute_url": str, "data_compliance": list, "internal_job_id": int, "location": dict, "id": int,
    "updated_at": str, "requisition_id": str, "title": str, "company_name": str, "first_published": str,
}  # fmt: skip
HOSTILE = "a]]>b &amp; <p>\x01\x0b\x00c\ufffe".replace("\x00", "") + " 臺北 👩‍💻 \u202eabc"
PAY = {"salary_min": 60000, "salary_max": 80000.5, "salary_currency": "TWD", "salary_period": "month"}


async def board(cast: Cast, organization: dict[str, Any], tail: str = "/jobs") -> Any:
    response = await cast.nobody.get(f"/v1/boards/{organization['slug']}{tail}")
    assert response.status_code == 200, response.text
    return response.json()


async def feed(cast: Cast, organization: dict[str, Any], name: str) -> ET.Element:
    response = await cast.nobody.get(f"/v1/boards/{organization['slug']}/{name}.xml")
    assert response.headers["content-type"] == "application/xml; charset=utf-8"
    return ET.fromstring(response.content)


async def test_a_board_has_the_shape_that_programs_know(cast: Cast) -> None:
    organization = await hiring(cast)
    job = await posted(
        cast, organization, city="Tainan", country="TW", unit="Engines", description="Two\n\nparts & <b>"
    )
    told = await board(cast, organization)
    assert told["meta"] == {"total": 1}
    (one,) = told["jobs"]
    assert {name: type(one[name]) for name in GREENHOUSE} == GREENHOUSE
    assert one["metadata"] is None and "content" not in one
    assert one["location"] == {"name": "Tainan, TW"} and one["absolute_url"].endswith(f"/v1/jobs/{job['id']}")
    assert 0 < one["id"] < 2**53
    (whole,) = (await board(cast, organization, "/jobs?content=true"))["jobs"]
    assert whole["content"] == "&lt;p&gt;Two&lt;/p&gt;&lt;p&gt;parts &amp;amp; &amp;lt;b&amp;gt;&lt;/p&gt;"
    assert [each["name"] for each in whole["departments"]] == ["Engines"]
    assert [each["location"] for each in whole["offices"]] == ["Tainan, TW"]
    assert whole["id"] == one["id"]
    assert (await board(cast, organization, ""))["name"] == organization["name"]


async def one(cast: Cast, organization: dict[str, Any], number: object, query: str = "", **headers: str) -> Any:
    return await cast.nobody.get(f"/v1/boards/{organization['slug']}/jobs/{number}{query}", **headers)


async def test_one_job_of_a_board_is_told_as_the_board_tells_it(cast: Cast) -> None:
    organization = await hiring(cast)
    await posted(cast, organization, title="Another")
    await posted(cast, organization, city="Tainan", country="TW", unit="Engines", description="Oil & <b>", **PAY)
    first, second = (await board(cast, organization, "/jobs?content=true"))["jobs"]
    for told in (first, second):
        answer = await one(cast, organization, told["id"])
        assert (answer.status_code, answer.json()) == (200, told)
        assert answer.headers["access-control-allow-origin"] == "*"
    paid = (await one(cast, organization, first["id"], "?pay_transparency=true&questions=true")).json()
    assert paid["pay_input_ranges"] == [
        {"min_cents": 6_000_000, "max_cents": 8_000_050, "currency_type": "TWD", "title": "per month", "blurb": None}
    ]
    assert BoardJob.model_validate_json(orjson.dumps(paid)).location == {"name": "Tainan, TW"}
    assert paid["questions"] == [] and {name: paid[name] for name in first} == first
    assert (await one(cast, organization, second["id"], "?pay_transparency=true")).json()["pay_input_ranges"] == []


async def test_one_job_has_an_etag_and_is_gone_once_it_is_not_open(cast: Cast) -> None:
    organization = await hiring(cast)
    job = await posted(cast, organization)
    number = number_of(job["id"])
    await settled(cast)
    etag = (await one(cast, organization, number)).headers["etag"]
    assert (await one(cast, organization, number, if_none_match=etag)).status_code == 304
    for verb, status in (("pause", 410), ("resume", 200), ("close", 410)):
        await cast.ada.made(f"/v1/jobs/{job['id']}/{verb}", {})
        await settled(cast)
        answer = await one(cast, organization, number, if_none_match=etag)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (status, "*"), verb
    assert answer.json()["code"] == "not-posted" and "closed" in answer.json()["detail"]
    assert (await cast.ada.delete(f"/v1/jobs/{job['id']}")).status_code == 204
    assert (await one(cast, organization, number)).status_code == 410


async def test_a_number_of_no_job_of_this_board_is_not_found(cast: Cast) -> None:
    organization = await hiring(cast)
    draft = await posted(cast, organization, status="draft")
    late = await posted(cast, organization, closes_on="2020-01-01")
    mine = await tracked(cast.ada)
    for number in (
        number_of(draft["id"]),
        number_of(mine["id"]),
        0,
        "x",
        "-1",
        "9" * 16,
        "9" * 40,
        late["id"],
        "%C2%B2",
    ):
        answer = await one(cast, organization, number)
        assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (404, "*"), number
    assert (await one(cast, organization, number_of(late["id"]))).status_code == 410
    assert (await one(cast, {"slug": "nobody"}, number_of(late["id"]))).status_code == 404
    assert (await one(cast, organization, number_of(late["id"]), "?questions=no")).json()["code"] == "wrong-addition"
    assert (await one(cast, organization, number_of(late["id"]), "?content=true")).json()["code"] == "unknown-parameter"
    address = f"/v1/boards/{organization['slug']}/jobs/{number_of(late['id'])}"
    assert (await cast.nobody.post(address, {})).status_code == 405
    assert (await cast.nobody.get(f"{address}/more")).status_code == 404


async def test_jobs_by_unit_and_by_place(cast: Cast) -> None:
    organization = await hiring(cast)
    for title, unit, city in [("a", "Engines", "Tainan"), ("b", "Engines", "Taipei"), ("c", None, "Taipei")]:
        await posted(cast, organization, title=title, unit=unit, city=city)
    units = (await board(cast, organization, "/departments"))["departments"]
    assert {each["name"]: sorted(job["title"] for job in each["jobs"]) for each in units} == {
        "Engines": ["a", "b"], "No Department": ["c"],
    }  # fmt: skip
    places = (await board(cast, organization, "/offices"))["offices"]
    assert {each["name"]: len(each["departments"]) for each in places} == {"Taipei": 2, "Tainan": 1}
    assert len({each["id"] for each in [*units, *places]}) == 4


async def test_only_open_jobs_of_this_organization_are_told_and_the_same_to_everybody(cast: Cast) -> None:
    organization = await hiring(cast)
    job = await posted(cast, organization)
    for state in ("draft", "paused", "late"):
        other = await posted(cast, organization, title=state, status="draft" if state == "draft" else "open",
                             closes_on="2020-01-01" if state == "late" else None)  # fmt: skip
        if state == "paused":
            await cast.ada.made(f"/v1/jobs/{other['id']}/pause", {})
    await tracked(cast.ada)
    for caller in (cast.nobody, cast.cleo, cast.ada, cast.otto):
        told = (await caller.get(f"/v1/boards/{organization['slug']}/jobs")).json()
        assert [each["title"] for each in told["jobs"]] == [job["title"]]


async def test_an_etag_holds_until_something_of_it_changes(cast: Cast) -> None:
    organization = await hiring(cast)
    job = await posted(cast, organization)
    await settled(cast)
    for tail in ("", "/jobs", "/departments", "/offices", "/indeed.xml", "/linkedin.xml"):
        address = f"/v1/boards/{organization['slug']}{tail}"
        first = await cast.nobody.get(address)
        etag = first.headers["etag"]
        assert etag.startswith('"') and first.headers["cache-control"] == "public, no-cache"
        assert (await cast.nobody.get(address, if_none_match=etag)).status_code == 304
        await tracked(cast.cleo)
        await settled(cast)
        assert (await cast.nobody.get(address, if_none_match=etag)).status_code == 304
        assert (await cast.nobody.get(address)).content == first.content
        await cast.ada.patch(f"/v1/jobs/{job['id']}", {"title": f"Changed {tail}"})
        await settled(cast)
        assert (await cast.nobody.get(address, if_none_match=etag)).status_code == 200


async def test_a_job_that_closes_is_taken_away_everywhere(cast: Cast) -> None:
    organization = await hiring(cast)
    job = await posted(cast, organization)
    await settled(cast)
    etag = (await cast.nobody.get(f"/v1/boards/{organization['slug']}/indeed.xml")).headers["etag"]
    await cast.ada.made(f"/v1/jobs/{job['id']}/fill", {})
    await settled(cast)
    again = await cast.nobody.get(f"/v1/boards/{organization['slug']}/indeed.xml", if_none_match=etag)
    assert again.status_code == 200 and not ET.fromstring(again.content).findall("job")
    assert (await board(cast, organization)) == {"jobs": [], "meta": {"total": 0}}
    assert not (await feed(cast, organization, "linkedin")).findall("job")


async def test_a_board_that_is_not_there_or_not_public(cast: Cast) -> None:
    organization = await hiring(cast)
    await posted(cast, organization)
    for slug in ("nobody", "%27%22", "a" * 300):
        for tail in ("", "/jobs", "/indeed.xml"):
            assert (await cast.nobody.get(f"/v1/boards/{slug}{tail}")).status_code == 404
    await cast.otto.made(f"/v1/organizations/{organization['id']}/suspend", {"reason": "unreachable"})
    assert (await cast.nobody.get(f"/v1/boards/{organization['slug']}/jobs")).status_code == 404


async def test_what_is_unknown_is_refused(cast: Cast) -> None:
    organization = await hiring(cast)
    for query, code in [("content=yes", "wrong-content"), ("colour=red", "unknown-parameter")]:
        response = await cast.nobody.get(f"/v1/boards/{organization['slug']}/jobs?{query}")
        assert (response.status_code, response.json()["code"]) == (400, code)
    assert (await cast.nobody.post(f"/v1/boards/{organization['slug']}/jobs", {})).status_code == 405


async def test_what_indeed_reads(cast: Cast) -> None:
    organization = await hiring(cast)
    job = await posted(cast, organization, title=HOSTILE, description=HOSTILE, city="Tainan", country="TW", unit="Engines",
                       employment_type="full_time", workplace="remote", closes_on="2030-01-31",
                       posted_at="2026-01-02T03:04:05Z", **PAY)  # fmt: skip
    (one,) = (await feed(cast, organization, "indeed")).findall("job")
    told = {child.tag: child.text for child in one}
    assert told["title"] == "a]]>b &amp; <p>c 臺北 👩‍💻 \u202eabc"
    assert told["date"] == "2026-01-02T03:04:05+00:00" and told["referencenumber"] == job["id"]
    assert told["company"] == organization["name"] and told["country"] == "TW"
    assert told["salary"] == "TWD 60000 - 80000.50 per month"
    assert (told["jobtype"], told["remotetype"], told["category"]) == ("fulltime", "Fully remote", "Engines")
    assert str(told["description"]).startswith("<p>a]]>b &amp; <p>c 臺北")  # its entities would be told as they are


@pytest.mark.parametrize("text", ["R&D", "5 < 6 > 4", "A\n\nB & C\nD", "&lt;", "<b>", "a &amp; b"])
def test_no_entity_is_in_what_indeed_reads(text: str) -> None:
    told = without_entities(as_html(text))
    assert re.sub("</?p>|<br>", "", told).replace("\n", "") == text.replace("\n", "")


async def test_what_linkedin_reads(cast: Cast) -> None:
    organization = await hiring(cast)
    job = await posted(cast, organization, description="x" * 200, city="Tainan", region="TNN", country="TW",
                       workplace="hybrid", skills=["sql", "a]]>b"], employment_type="internship", **PAY)  # fmt: skip
    root = await feed(cast, organization, "linkedin")
    assert root.findtext("expectedJobCount") == "1"
    (one,) = root.findall("job")
    assert one.findtext("partnerJobId") == job["id"].replace("-", "")
    assert one.find("companyId") is None
    await cast.ada.patch(f"/v1/organizations/{organization['id']}", {"linkedin_id": "1035"})
    assert [each.text for each in (await feed(cast, organization, "linkedin")).findall("job/companyId")] == ["1035"]
    assert one.findtext("location") == "Tainan, TNN, TW" and one.findtext("workplaceTypes") == "Hybrid"
    assert one.findtext("jobtype") == "INTERNSHIP"
    assert [each.text for each in one.findall("skills/skill")] == ["sql", "a]]>b"]
    assert one.findtext("salaries/salary/highEnd/amount") == "80000.50"
    assert one.findtext("salaries/salary/period") == "MONTHLY"


@pytest.mark.parametrize("sign", [*map(chr, range(1, 32)), "\x7f", "\x85", "\ufffe", "\uffff", "\U0010ffff", "]]>"])
def test_every_sign_makes_an_element_that_can_be_read(sign: str) -> None:
    assert ET.fromstring(element("t", f"a{sign}b")).text is not None
    assert element("t", "") == "" == element("t", None)
