"""Jobs of other programs: what their documents say, by our fields, and all the way into the database."""

import html
import io
import re
import zipfile
from importlib import import_module
from pathlib import Path
from typing import Any

import orjson
import pytest

from guildhouse.app import HOUSE
from guildhouse.jobs import boards
from guildhouse.jobs.job import jobs
from guildhouse.kernel.importing.converting import convert, imported
from guildhouse.kernel.importing.sources import SourceRow, Unreadable
from tests.kernel.importing.intake import judged, rows, told_to

pytestmark = pytest.mark.anyio
CONTENT = (
    "<div><h2>Who &amp; what</h2><p>You build\n<b>engines</b>.</p><ul><li>Python</li><li>C&#43;&#43;</li></ul></div>"
)
GREENHOUSE = {
    "jobs": [
        {
            "id": 4001, "title": "Engine programmer", "absolute_url": "https://boards.greenhouse.io/acme/jobs/4001",
            "location": {"name": "Taipei, Taiwan"}, "updated_at": "2026-11-01T08:00:00-04:00", "requisition_id": "R-1",
            "first_published": "2026-10-01T08:00:00-04:00", "company_name": "Acme", "content": html.escape(CONTENT),
            "departments": [{"id": 1, "name": "Engines"}], "offices": [],
        }
    ],
    "meta": {"total": 1},
}  # fmt: skip
LEVER = [
    {
        "id": "0b1f", "text": "Bookkeeper", "hostedUrl": "https://jobs.lever.co/acme/0b1f", "createdAt": 1793491200000,
        "categories": {"commitment": "Part-time", "team": "Finance", "location": "Galway"}, "country": "IE",
        "descriptionPlain": "We count.", "workplaceType": "hybrid",
        "lists": [{"text": "Requirements", "content": "<li>Accuracy</li><li>Patience</li>"}],
        "additionalPlain": "Write to us.",
        "salaryRange": {"min": 30000, "max": 40000, "currency": "EUR", "interval": "per-year-salary"},
    }
]  # fmt: skip
ASHBY = {
    "apiVersion": "1",
    "jobs": [
        {
            "title": "Nurse", "jobUrl": "https://jobs.ashbyhq.com/acme/77", "isListed": True, "isRemote": False,
            "location": "Cork office", "employmentType": "FullTime", "publishedAt": "2026-11-01T08:00:00.000+00:00",
            "descriptionHtml": "<p>Nights</p>", "team": "Ward", "workplaceType": "OnSite",
            "address": {"postalAddress": {"addressLocality": "Cork", "addressCountry": "Ireland"}},
            "compensation": {"summaryComponents": [
                {"compensationType": "Salary", "interval": "1 YEAR",
                "currencyCode": "EUR", "minValue": 1, "maxValue": 2}]},
        },
        {"title": "Hidden", "jobUrl": "https://jobs.ashbyhq.com/acme/78", "isListed": False},
    ],
}  # fmt: skip
SCHEMA_ORG = {
    "@context": "https://schema.org", "@type": "JobPosting", "title": "Clerk", "description": "<p>Files</p>",
    "identifier": {"@type": "PropertyValue", "name": "Acme", "value": 12}, "datePosted": "2026-11-01",
    "validThrough": "2030-12-31T00:00", "employmentType": ["FULL_TIME", "CONTRACTOR"], "jobLocationType": "TELECOMMUTE",
    "hiringOrganization": {"name": "Acme"},
    "jobLocation": {"address": {"addressLocality": "Berlin", "addressCountry": {"name": "DE"}}},
    "baseSalary": {"currency": "EUR", "value": {"minValue": 3000, "maxValue": 4000, "unitText": "MONTH"}},
}  # fmt: skip
RESUME_JOB = {
    "title": "Cook", "company": "Acme", "type": "Full-time", "remote": "None", "salary": "40000",
    "location": {"city": "Paris", "countryCode": "FR"}, "responsibilities": ["Soup"], "skills": [{"name": "Knives"}],
}  # fmt: skip


def linkedin(**tables: str) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in tables.items():
            archive.writestr(f"{name.replace('_', ' ')}.csv".replace("Jobs ", "Jobs/", 1), text)
        archive.writestr("photo.jpg", b"\xff\xd8")
    return made.getvalue()


def read(tmp_path: Path, content: bytes, name: str = "x.json", **said: Any) -> tuple[str | None, list[dict[str, Any]]]:
    """The shape of a document and its records."""
    (tmp_path / "file").write_bytes(content)
    found: list[SourceRow] = []
    summary = convert(
        tmp_path / "file", name, said, lambda: [imported(each) for each in jobs.carry.shapes], found.append
    )
    names = [each["name"] for each in summary["columns"]]
    return summary["found"]["shape"], [
        {name: cell for name, cell in zip(names, row.cells, strict=False) if cell != ""} for row in found
    ]


def test_greenhouse_escapes_its_content_twice(tmp_path: Path) -> None:
    shape, [job] = read(tmp_path, orjson.dumps(GREENHOUSE))
    assert shape == "greenhouse-board"
    assert job == {
        "source": "greenhouse", "external_id": "4001", "title": "Engine programmer", "organization_name": "Acme",
        "unit": "Engines", "description": "Who & what\n\nYou build engines.\n- Python\n- C++", "city": "Taipei, Taiwan",
        "posted_at": "2026-10-01T08:00:00-04:00", "url": "https://boards.greenhouse.io/acme/jobs/4001",
    }  # fmt: skip


@pytest.mark.parametrize(
    "markup", ["<b>Hi</b> &amp; <i>you</i>", "<p>a &lt;p&gt; b</p>", "no tags &amp; lines", "<p>R&amp;D&nbsp;lead</p>"]
)
def test_what_greenhouse_escaped_is_read_as_it_was_written(markup: str) -> None:
    [told] = boards.greenhouse_jobs(
        {"jobs": [{"id": 1, "title": "x", "absolute_url": "https://x.org", "content": html.escape(markup)}]}
    )
    assert told["description"] == " ".join(html.unescape(re.sub("</?[bip]>", "", markup)).split())


def test_lever_says_what_it_requires_in_lists_only(tmp_path: Path) -> None:
    shape, [job] = read(tmp_path, orjson.dumps(LEVER))
    assert (shape, job["description"]) == (
        "lever-postings", "We count.\n\nRequirements\n\n- Accuracy\n- Patience\n\nWrite to us.",
    )  # fmt: skip
    assert job["posted_at"] == "2026-11-01T00:00:00+00:00"
    assert [job[name] for name in ("salary_min", "salary_period", "workplace")] == [30000, "year", "hybrid"]


def test_ashby_schema_org_and_json_resume(tmp_path: Path) -> None:
    shape, [job] = read(tmp_path, orjson.dumps(ASHBY))
    assert (shape, job["city"], job["country"], job["external_id"]) == ("ashby-board", "Cork", "Ireland", "77")
    page = b"<!doctype html><script type='application/ld+json'>" + orjson.dumps({"@graph": [SCHEMA_ORG]}) + b"</script>"
    for content, name in ((orjson.dumps(SCHEMA_ORG), "x.json"), (page, "x.html")):
        shape, [job] = read(tmp_path, content, name)
        assert (shape, job["title"], job["country"], job["external_id"]) == (
            "schema-org-job-posting",
            "Clerk",
            "DE",
            "12",
        )
    shape, [job] = read(tmp_path, orjson.dumps(RESUME_JOB))
    assert (shape, job["description"], job["pay"]) == ("json-resume-job", "Responsibilities\n- Soup", "40000")


GRAPH: dict[str, Any] = {
    "@context": "https://schema.org",
    "@graph": [
        {"@type": "WebPage", "name": "Jobs", "mainEntity": {"@id": "#job"}},
        {"@type": "Organization", "@id": "#acme", "name": "Acme &amp; Sons"},
        {"@type": "Place", "@id": "#hall", "address": {"@type": "PostalAddress", "@id": "#there"}},
        {"@id": "#there", "addressLocality": "Taipei", "addressRegion": "TPE", "addressCountry": "TW"},
        {
            "@type": ["Thing", "JobPosting"], "@id": "#job", "title": "Cook &amp; baker", "identifier": "R-7",
            "hiringOrganization": {"@id": "#acme"}, "jobLocation": [{"@id": "#hall"}, {"address": "Tainan"}],
            "employmentType": [], "skills": [{"@type": "DefinedTerm", "name": "Soup"}, "Bread", {"@id": "#none"}],
            "baseSalary": {"currency": "TWD", "value": {"value": "40,000", "unitText": "MON"}},
            "url": ["https://acme.example/7"],
        },
    ],
}  # fmt: skip


def test_a_posting_is_whole_where_its_parts_stand_elsewhere_in_the_page() -> None:
    assert list(boards.schema_org_jobs(GRAPH)) == [{
        "source": "schema.org", "external_id": "R-7", "title": "Cook & baker", "organization_name": "Acme & Sons",
        "city": "Taipei", "region": "TPE", "country": "TW", "salary_min": "40,000", "salary_max": "40,000",
        "salary_currency": "TWD", "salary_period": "month", "skills": ["Soup",
        "Bread"], "url": "https://acme.example/7",
    }]  # fmt: skip


@pytest.mark.parametrize(("part", "told"), [
    ({"jobLocation": "Taipei, Taiwan"}, {"city": "Taipei, Taiwan"}), ({"jobLocation": [{"address": "Tainan"}]},
    {"city": "Tainan"}),
    ({"jobLocation": [], "hiringOrganization": []}, {}), ({"hiringOrganization": [{"name": "A"}, {"name": "B"}]},
    {"organization_name": "A"}),
    ({"hiringOrganization": "Acme"}, {"organization_name": "Acme"}), ({"hiringOrganization": {"@id": "#unknown"}}, {}),
    ({"baseSalary": 30000}, {"salary_min": 30000, "salary_max": 30000}), ({"baseSalary": "NT$30k"},
    {"salary_min": "NT$30k", "salary_max": "NT$30k"}),
    ({"baseSalary": {"currency": "EUR", "value": 12}}, {"salary_min": 12, "salary_max": 12, "salary_currency": "EUR"}),
    ({"identifier": 7}, {"source": "schema.org", "external_id": "7"}), ({"identifier": {"value": ""}}, {}),
    ({"identifier": {"name": "Acme", "value": 0}}, {"source": "Acme", "external_id": "0"}),
    ({"skills": "a, b"}, {"skills": "a, b"}), ({"description": {"@id": "x"}, "url": {"@id": "x"}}, {}),
    ({"jobLocationType": ["TELECOMMUTE"]}, {"workplace": "remote"}),
])  # fmt: skip
def test_each_part_of_a_posting_in_the_forms_that_pages_have(part: dict[str, Any], told: dict[str, Any]) -> None:
    assert list(boards.schema_org_jobs({"@type": "JobPosting", "title": "Cook", **part})) == [{"title": "Cook", **told}]


@pytest.mark.parametrize(("remote", "place", "told"), [
    (True, "Hybrid", "Hybrid"), (True, None, "remote"), (True, "Remote", "Remote"), (False, "OnSite", "OnSite"),
    (False, None, None),
])  # fmt: skip
def test_ashby_says_hybrid_where_some_days_are_remote(remote: bool, place: str | None, told: str | None) -> None:
    job = {"title": "Nurse", "jobUrl": "https://jobs.ashbyhq.com/acme/77", "isRemote": remote, "workplaceType": place}
    assert [each.get("workplace") for each in boards.ashby_jobs({"jobs": [job]})] == [told]


def test_what_else_is_in_a_linkedin_export_may_be_broken(tmp_path: Path) -> None:
    listed = "Application Date,Company Name,Job Title,Job Url\n1/2/26,Acme,Clerk,http://www.linkedin.com/jobs/view/1\n"
    made = io.BytesIO(linkedin(Jobs_Job_Applications=listed))
    with zipfile.ZipFile(made, "a") as archive:
        archive.writestr("more.json", "{broken")
        archive.writestr("__MACOSX/Jobs/._Job Applications.csv", b"\0\5\x16\7")
        archive.writestr("messages.csv", "CONTENT\n" + "x" * 200_000)
    assert [each["title"] for each in read(tmp_path, made.getvalue(), "export.zip")[1]] == ["Clerk"]


def test_linkedin_export(tmp_path: Path) -> None:
    listed = "Application Date,Company Name,Job Title,Job Url\n1/2/26,Acme,Clerk,http://www.linkedin.com/jobs/view/1\n"
    saved = listed.replace("Application Date", "Saved Date").replace("view/1", "view/2")
    export = linkedin(Jobs_Job_Applications=listed, Jobs_Saved_Jobs=saved + saved.splitlines()[1])
    shape, found = read(tmp_path, export, "Basic_LinkedInDataExport.zip")
    assert shape == "linkedin-export"
    assert [each["url"][-1] for each in found] == ["1", "2"]


def test_what_is_of_no_known_shape_is_flattened_and_a_broken_one_says_so(tmp_path: Path) -> None:
    shape, [job] = read(tmp_path, b'{"jobs": [{"title": "Clerk"}]}')
    assert (shape, job) == (None, {"title": "Clerk"})
    with pytest.raises(Unreadable, match="wrong-shape"):
        read(tmp_path, orjson.dumps({"jobs": [{**GREENHOUSE["jobs"][0], "id": None, "title": 1}, 5]}))  # type: ignore[index]
    with pytest.raises(Unreadable, match="wrong-shape"):
        read(tmp_path, b'{"a": 1}', shape="lever-postings")


def test_every_declared_shape_is_there() -> None:
    for resource in HOUSE.resources.values():
        for place in resource.carry.shapes:
            module, _, name = place.partition(":")
            assert getattr(import_module(module), name).name


@pytest.mark.parametrize(
    "document", [GREENHOUSE, LEVER, ASHBY, SCHEMA_ORG, RESUME_JOB], ids=lambda each: str(each)[:20]
)
async def test_a_board_becomes_jobs_that_are_tracked(starting: Any, tmp_path: Path, document: Any) -> None:
    # What JSON Resume has for a salary is a number alone: its currency and period are said for all rows.
    more = {"salary_currency": "EUR", "salary_period": "year"} if document is RESUME_JOB else {}
    server: Any = starting(workers="none", data=tmp_path)
    async with server as cast:
        row = await judged(cast, cast.ada, orjson.dumps(document), "jobs", "board.json", plan={"constants": more})
        assert row["judged"] == {"create": 1}, await rows(cast.ada, row)
        row = await told_to(cast, cast.ada, row, "apply")
        assert row["written"] == {"created": 1}
        again = await judged(cast, cast.ada, orjson.dumps(document), "jobs", "board.json", plan={"constants": more})
        assert again["judged"] == {"duplicate": 1}


def test_the_shapes_are_listed_in_the_declaration() -> None:
    declared = {place.rpartition(":")[2] for place in jobs.carry.shapes}
    assert declared == {name for name in dir(boards) if isinstance(getattr(boards, name), boards.ForeignShape)}
