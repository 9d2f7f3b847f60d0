"""The posting: what search engines read of an open job, in the words of schema.org, and gone when the job closes."""

from datetime import date, timedelta
from typing import Any

import pytest

from tests.cast import Cast
from tests.jobs.openings import hiring, posted, tracked

pytestmark = pytest.mark.anyio

# The properties that schema.org knows, of each type that a posting uses.
SCHEMA_ORG = {
    "JobPosting": {
        "title", "description", "identifier", "datePosted", "validThrough", "employmentType", "hiringOrganization",
        "jobLocation", "jobLocationType", "applicantLocationRequirements", "baseSalary", "directApply", "skills", "url",
    },
    "Organization": {"name", "sameAs", "logo"},
    "PropertyValue": {"name", "value"},
    "Place": {"address", "geo"},
    "PostalAddress": {"addressLocality", "addressRegion", "addressCountry"},
    "GeoCoordinates": {"latitude", "longitude"},
    "Country": {"name"},
    "MonetaryAmount": {"currency", "value"},
    "QuantitativeValue": {"value", "minValue", "maxValue", "unitText"},
}  # fmt: skip
# What Google's rich results demand: https://developers.google.com/search/docs/appearance/structured-data/job-posting
REQUIRED = {"title", "description", "datePosted", "hiringOrganization"}
WHOLE = {
    "description": "Build engines.\n\nBring <tools> & care\nevery day", "employment_type": "full_time", "city": "臺南",
    "region": "TNN", "country": "TW", "latitude": 22.99, "longitude": 120.21, "workplace": "hybrid",
    "salary_min": 60000, "salary_max": 80000.5, "salary_currency": "TWD", "salary_period": "month",
    "closes_on": "2030-01-31", "posted_at": "2026-01-02T03:04:05Z", "external_id": "R-7", "skills": ["python", "sql"],
}  # fmt: skip


async def posting(cast: Cast, job_id: str) -> Any:
    response = await cast.nobody.get(f"/v1/jobs/{job_id}", accept="application/ld+json")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/ld+json"
    return response.json()


def check_names(value: Any) -> None:
    """Every thing has a type of schema.org, and only properties of that type."""
    if isinstance(value, dict):
        allowed = SCHEMA_ORG[value["@type"]]
        assert set(value) - {"@type", "@context"} <= allowed, value
        for each in value.values():
            check_names(each)


async def test_all_that_is_known_is_told_in_the_words_of_schema_org(cast: Cast) -> None:
    organization = await hiring(cast)
    await cast.ada.patch(f"/v1/organizations/{organization['id']}", {"website": "https://engines.example.org"})
    job = await posted(cast, organization, **WHOLE)
    told = await posting(cast, job["id"])
    check_names(told)
    assert told["@context"] == "https://schema.org/"
    assert told["description"] == "<p>Build engines.</p><p>Bring &lt;tools&gt; &amp; care<br>every day</p>"
    assert told["datePosted"] == "2026-01-02T03:04:05Z"
    assert told["validThrough"] == "2030-01-31T23:59:59-12:00"
    assert told["employmentType"] == "FULL_TIME"
    assert told["hiringOrganization"] == {
        "@type": "Organization", "name": organization["name"], "sameAs": "https://engines.example.org",
    }  # fmt: skip
    assert told["jobLocation"]["address"] == {
        "@type": "PostalAddress", "addressLocality": "臺南", "addressRegion": "TNN", "addressCountry": "TW",
    }  # fmt: skip
    assert told["jobLocation"]["geo"]["latitude"] == 22.99
    assert told["baseSalary"]["currency"] == "TWD"
    value = told["baseSalary"]["value"]
    assert (value["minValue"], value["maxValue"], value["unitText"]) == (60000, 80000.5, "MONTH")
    assert told["identifier"]["value"] == "R-7" and told["directApply"] is True
    assert told["url"].endswith(f"/v1/jobs/{job['id']}")


async def test_the_least_that_is_known_is_still_a_posting(cast: Cast) -> None:
    organization = await hiring(cast)
    await cast.ada.patch(f"/v1/organizations/{organization['id']}", {"city": "Tainan", "country": "TW"})
    told = await posting(cast, (await posted(cast, organization, title="<b>Baker</b>"))["id"])
    check_names(told)
    assert set(told) >= REQUIRED
    assert told["description"] == "<p>&lt;b&gt;Baker&lt;/b&gt;</p>"
    assert told["jobLocation"]["address"]["addressLocality"] == "Tainan"
    assert "baseSalary" not in told and "validThrough" not in told and "null" not in str(told)


@pytest.mark.parametrize("country", ["DE", None])
async def test_work_from_anywhere_names_no_place(cast: Cast, country: str | None) -> None:
    job = await posted(cast, await hiring(cast), workplace="remote", city="Berlin", country=country)
    told = await posting(cast, job["id"])
    assert told["jobLocationType"] == "TELECOMMUTE" and "jobLocation" not in told
    wanted = {"@type": "Country", "name": "DE"} if country else None
    assert told.get("applicantLocationRequirements") == wanted


@pytest.mark.parametrize(("low", "high", "value"), [
    (5, 5, {"value": 5}), (5, None, {"minValue": 5}), (None, 7, {"maxValue": 7}),
])  # fmt: skip
async def test_salaries_of_every_form(cast: Cast, low: Any, high: Any, value: dict[str, Any]) -> None:
    pay = {"salary_min": low, "salary_max": high, "salary_currency": "EUR", "salary_period": "hour"}
    told = await posting(cast, (await posted(cast, await hiring(cast), **pay))["id"])
    assert told["baseSalary"]["value"] == {"@type": "QuantitativeValue", "unitText": "HOUR", **value}


async def test_a_posting_cannot_end_the_script_that_it_is_put_in(cast: Cast) -> None:
    job = await posted(cast, await hiring(cast), title="</script><script>alert(1)</script>")
    response = await cast.nobody.get(f"/v1/jobs/{job['id']}?format=jsonld")
    assert "<" not in response.text
    assert response.json()["title"] == "</script><script>alert(1)</script>"


async def test_it_is_gone_when_the_job_closes(cast: Cast) -> None:
    job = await posted(cast, await hiring(cast))
    address = f"/v1/jobs/{job['id']}?format=jsonld"
    first = await cast.nobody.get(address)
    assert (await cast.nobody.get(address, if_none_match=first.headers["etag"])).status_code == 304
    await cast.ada.patch(f"/v1/jobs/{job['id']}", {"title": "Other"})
    assert (await cast.nobody.get(address, if_none_match=first.headers["etag"])).status_code == 200
    await cast.ada.made(f"/v1/jobs/{job['id']}/close", {})
    gone = await cast.nobody.get(address, if_none_match=first.headers["etag"])
    assert (gone.status_code, gone.json()["code"]) == (410, "not-posted")
    assert (await cast.nobody.get(f"/v1/jobs/{job['id']}")).json()["status"] == "closed"


async def test_it_is_gone_when_the_last_day_is_over_everywhere(cast: Cast) -> None:
    organization = await hiring(cast)
    late = await posted(cast, organization, closes_on=str(date.today() - timedelta(days=3)))
    assert (await cast.nobody.get(f"/v1/jobs/{late['id']}?format=jsonld")).status_code == 410
    today = await posted(cast, organization, closes_on=str(date.today()))
    assert (await cast.nobody.get(f"/v1/jobs/{today['id']}?format=jsonld")).status_code == 200


async def test_only_what_an_organization_posts_has_one(cast: Cast) -> None:
    own = await tracked(cast.cleo)
    assert (await cast.cleo.get(f"/v1/jobs/{own['id']}?format=jsonld")).status_code == 404
    organization = await hiring(cast)
    draft = await posted(cast, organization, status="draft")
    assert (await cast.nobody.get(f"/v1/jobs/{draft['id']}?format=jsonld")).status_code == 404
    assert (await cast.ada.get(f"/v1/jobs/{draft['id']}?format=jsonld")).json()["code"] == "not-posted"


async def test_which_form_is_answered(cast: Cast) -> None:
    path = f"/v1/jobs/{(await posted(cast, await hiring(cast)))['id']}"
    for accept, kind in {
        "application/ld+json;q=0.5, application/json": "application/json",
        "application/json;q=0.5, application/ld+json": "application/ld+json",
        "text/html, application/ld+json;q=0.1": "application/ld+json",
        "*/*": "application/json",
    }.items():
        assert (await cast.nobody.get(path, accept=accept)).headers["content-type"] == kind, accept
    assert (await cast.nobody.get(f"{path}?format=json", accept="application/ld+json")).json()["version"]
    assert (await cast.nobody.get(f"{path}?format=jsonld&fields=id")).status_code == 400
    assert (await cast.ada.get(f"{path}?as_of=1&fields=title")).json() == {"title": "Engine programmer"}
