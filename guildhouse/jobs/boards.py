"""Boards: jobs as other programs publish them (Greenhouse, Lever, Ashby, schema.org, JSON Resume, LinkedIn), by our fields.

Pure functions of a document. What a board does not say is left out, so that it changes nothing; values stay in the words
of the board where `carried.py` knows those.
"""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from html import unescape
from typing import Any

from guildhouse.kernel.importing.documents import ForeignShape, said, within
from guildhouse.kernel.importing.markup import plain_text

Record = dict[str, Any]


def names(records: Any) -> str | None:
    """The names of some things in one line."""
    return ", ".join(str(each["name"]) for each in records or () if within(each, "name")) or None


def joined(*parts: str | None) -> str | None:
    """The parts of a description that there are."""
    return "\n\n".join(part for part in parts if part) or None


# ---- Greenhouse ----


def is_greenhouse(document: Any) -> bool:
    """Greenhouse's job board: a list of jobs that have an `absolute_url`."""
    return "absolute_url" in document["jobs"][0]


def greenhouse_jobs(document: Any) -> Iterator[Record]:
    """Its jobs. `content` is escaped twice."""
    for job in document["jobs"]:
        yield said(
            source="greenhouse",
            external_id=str(job["id"]),
            title=job["title"],
            organization_name=job.get("company_name"),
            unit=names(job.get("departments")),
            description=plain_text(unescape(job.get("content") or "")),
            city=within(job, "location", "name"),
            posted_at=job.get("first_published") or job.get("updated_at"),
            url=job["absolute_url"],
        )


def is_harvest(document: Any) -> bool:
    """Greenhouse's list of jobs for its customers, with the numbers that applications name jobs by."""
    return all(name in document[0] for name in ("name", "status", "departments", "offices"))


def harvest_jobs(document: Any) -> Iterator[Record]:
    """Its jobs; what is closed there stays a draft here, so that old applications have a job to belong to."""
    for job in document:
        place = within(job, "offices", 0, "location", "name") or within(job, "offices", 0, "name")
        yield said(
            source="greenhouse-harvest",
            external_id=str(job["id"]),
            title=job["name"],
            unit=names(job.get("departments")),
            city=place,
            status="open" if job["status"] == "open" else "draft",
            posted_at=job.get("opened_at") or job.get("created_at"),
        )


# ---- Lever ----


def is_lever(document: Any) -> bool:
    """Lever's postings: a list of what has a `hostedUrl` and `categories`."""
    return "hostedUrl" in document[0] and "categories" in document[0]


def lever_jobs(document: Any) -> Iterator[Record]:
    """Its postings. What is required stands in `lists` alone."""
    for job in document:
        lists = [joined(each["text"], plain_text(f"<ul>{each['content']}</ul>")) for each in job.get("lists", ())]
        opening = job.get("descriptionPlain") or plain_text(job.get("description"))
        closing = job.get("additionalPlain") or plain_text(job.get("additional"))
        salary = job.get("salaryRange") or {}
        yield said(
            source="lever",
            external_id=job["id"],
            title=job["text"],
            unit=within(job, "categories", "team") or within(job, "categories", "department"),
            description=joined(opening, *lists, closing),
            employment_type=within(job, "categories", "commitment"),
            workplace=None if job.get("workplaceType") == "unspecified" else job.get("workplaceType"),
            city=within(job, "categories", "location"),
            country=job.get("country"),
            salary_min=salary.get("min"),
            salary_max=salary.get("max"),
            salary_currency=salary.get("currency"),
            salary_period=str(salary.get("interval") or "").removeprefix("per-").partition("-")[0],
            posted_at=datetime.fromtimestamp(job["createdAt"] / 1000, UTC).isoformat()
            if job.get("createdAt")
            else None,
            url=job["hostedUrl"],
        )


# ---- Ashby ----


def is_ashby(document: Any) -> bool:
    """Ashby's job board: a list of jobs that have a `jobUrl`."""
    return "jobUrl" in document["jobs"][0]


def ashby_jobs(document: Any) -> Iterator[Record]:
    """Its jobs that are listed."""
    for job in document["jobs"]:
        if job.get("isListed") is False:
            continue
        address = within(job, "address", "postalAddress") or {}
        parts = within(job, "compensation", "summaryComponents") or []
        pay: Mapping[str, Any] = next((each for each in parts if each.get("compensationType") == "Salary"), {})
        yield said(
            source="ashby",
            external_id=job.get("id") or job["jobUrl"].rpartition("/")[2],
            title=job["title"],
            unit=job.get("team") or job.get("department"),
            description=job.get("descriptionPlain") or plain_text(job.get("descriptionHtml")),
            employment_type={"Intern": "internship"}.get(job.get("employmentType"), job.get("employmentType")),
            workplace=job.get("workplaceType") or ("remote" if job.get("isRemote") else None),
            city=address.get("addressLocality") or job.get("location"),
            region=address.get("addressRegion"),
            country=address.get("addressCountry"),
            salary_min=pay.get("minValue"),
            salary_max=pay.get("maxValue"),
            salary_currency=pay.get("currencyCode"),
            salary_period=str(pay.get("interval") or "").rpartition(" ")[2].lower(),
            posted_at=job.get("publishedAt"),
            url=job["jobUrl"],
        )


# ---- schema.org ----


def postings_in(document: Any) -> Iterator[Mapping[str, Any]]:
    """The objects of type JobPosting, wherever they stand in a document."""
    if isinstance(document, list):
        for each in document:
            yield from postings_in(each)
    elif isinstance(document, Mapping):
        kinds = document.get("@type")
        if "JobPosting" in (kinds if isinstance(kinds, list) else [kinds]):
            yield document
        else:
            for each in document.values():
                yield from postings_in(each)


def is_schema_org(document: Any) -> bool:
    """Whether there is a JobPosting in it."""
    return next(postings_in(document), None) is not None


def schema_org_jobs(document: Any) -> Iterator[Record]:
    """The postings of a page. What a posting only points at, by `@id`, stands elsewhere in the page."""
    known = {str(each["@id"]): each for each in things_in(document) if each.keys() - {"@type"} > {"@id"}}
    for job in postings_in(document):
        place = told(first(job.get("jobLocation")), known)
        address = told(within(place, "address"), known) or {}
        pay = within(job, "baseSalary", "value")
        pay = pay if isinstance(pay, Mapping) else {"value": pay if pay else as_number(job.get("baseSalary"))}
        name = within(told(first(job.get("hiringOrganization")), known), "name")
        yield said(
            source=within(job, "identifier", "name") or ("schema.org" if identifier_of(job) else None),
            external_id=identifier_of(job),
            title=in_words(job.get("title") or job.get("name")),
            organization_name=in_words(name or text_or_none(job.get("hiringOrganization"))),
            description=plain_text(text_or_none(job.get("description"))),
            employment_type=first(job.get("employmentType")),
            workplace="remote" if first(job.get("jobLocationType")) == "TELECOMMUTE" else None,
            city=within(address, "addressLocality") or text_or_none(address) or text_or_none(place),
            region=text_or_none(within(address, "addressRegion")),
            country=within(address, "addressCountry", "name") or text_or_none(within(address, "addressCountry")),
            salary_min=pay.get("minValue") or pay.get("value"),
            salary_max=pay.get("maxValue") or pay.get("value"),
            salary_currency=within(job, "baseSalary", "currency") or job.get("salaryCurrency"),
            salary_period=UNITS.get(str(pay.get("unitText") or "").upper(), str(pay.get("unitText") or "").lower()),
            skills=skills_of(job.get("skills")),
            posted_at=job.get("datePosted"),
            closes_on=job.get("validThrough"),
            url=text_or_none(first(job.get("url"))),
        )


UNITS = {"HUR": "hour", "DAY": "day", "WEE": "week", "MON": "month", "ANN": "year"}  # the codes of UN/CEFACT


def things_in(document: Any) -> Iterator[Mapping[str, Any]]:
    """Every object of a document."""
    if isinstance(document, Mapping):
        yield document
    inside = document.values() if isinstance(document, Mapping) else document if isinstance(document, list) else ()
    for each in inside:
        yield from things_in(each)


def first(value: Any) -> Any:
    """The first of several, where there are several; None of none."""
    return next(iter(value), None) if isinstance(value, list) else value


def told(thing: Any, known: Mapping[str, Any]) -> Any:
    """A thing, or what it only points at."""
    points = isinstance(thing, Mapping) and thing.keys() - {"@type"} == {"@id"}
    return known.get(str(thing["@id"]), thing) if points else thing


def as_number(value: Any) -> Any:
    """What is paid, where it is no object."""
    return value if isinstance(value, int | float | str) else None


def identifier_of(job: Mapping[str, Any]) -> str | None:
    """The number of a posting, which some give without an object around it."""
    found = job.get("identifier")
    value = within(found, "value") if isinstance(found, Mapping) else found
    return str(value) if isinstance(value, str | int) and value != "" else None


def skills_of(value: Any) -> Any:
    """The skills, by their names where they are things."""
    if not isinstance(value, list):
        return within(value, "name") or text_or_none(value)
    return [name for each in value if (name := within(each, "name") or text_or_none(each))]


def in_words(value: Any) -> str | None:
    """A line of text; entities in it are none that a reader should see."""
    return unescape(value).strip() if isinstance(value, str) else None


def text_or_none(value: Any) -> str | None:
    """The value if it is text."""
    return value if isinstance(value, str) else None


# ---- JSON Resume's job, LinkedIn's lists ----


def is_json_resume_job(document: Any) -> bool:
    """A job description of JSON Resume."""
    return {"title", "company"} <= document.keys() and not {"responsibilities", "qualifications"}.isdisjoint(document)


def json_resume_jobs(document: Any) -> Iterator[Record]:
    """The one job of the document."""
    responsibilities, qualifications = document.get("responsibilities"), document.get("qualifications")
    yield said(
        title=document["title"],
        organization_name=document["company"],
        description=joined(document.get("description"), bullets("Responsibilities", responsibilities),
                           bullets("Qualifications", qualifications)),
        employment_type=document.get("type"),
        workplace={"Full": "remote", "Hybrid": "hybrid", "None": "on_site"}.get(str(document.get("remote"))),
        city=within(document, "location", "city"),
        region=within(document, "location", "region"),
        country=within(document, "location", "countryCode"),
        pay=document.get("salary"),
        skills=[each["name"] for each in document.get("skills") or () if within(each, "name")],
        posted_at=document.get("date"),
    )  # fmt: skip


def bullets(title: str, lines: Any) -> str | None:
    """A list under its title."""
    return "\n".join([title, *(f"- {line}" for line in lines)]) if lines else None


LINKEDIN_LISTS = ("Job Applications.csv", "Saved Jobs.csv")


def linkedin_lists(document: Any) -> list[Mapping[str, str]]:
    """The jobs that a person has applied for or saved, of a LinkedIn data export."""
    lists = [name for name in document if name.rpartition("/")[2] in LINKEDIN_LISTS or "Job Applications_" in name]
    return [row for name in lists for row in document[name]]


def is_linkedin(document: Any) -> bool:
    """A LinkedIn data export with jobs in it."""
    return "Job Title" in linkedin_lists(document)[0]


def linkedin_jobs(document: Any) -> Iterator[Record]:
    """The jobs that a person has applied for or saved, each once: to be tracked."""
    met: set[str] = set()
    for row in linkedin_lists(document):
        mark = row.get("Job Url") or f"{row.get('Job Title')} {row.get('Company Name')}"
        if mark not in met:
            met.add(mark)
            url = row.get("Job Url", "").replace("http://", "https://")
            yield said(
                title=row.get("Job Title"), organization_name=row.get("Company Name"), url=url, tags=["LinkedIn"]
            )


GREENHOUSE = ForeignShape("greenhouse-board", is_greenhouse, greenhouse_jobs)
GREENHOUSE_HARVEST = ForeignShape("greenhouse-harvest-jobs", is_harvest, harvest_jobs)
LEVER = ForeignShape("lever-postings", is_lever, lever_jobs)
ASHBY = ForeignShape("ashby-board", is_ashby, ashby_jobs)
SCHEMA_ORG = ForeignShape("schema-org-job-posting", is_schema_org, schema_org_jobs)
JSON_RESUME_JOB = ForeignShape("json-resume-job", is_json_resume_job, json_resume_jobs)
LINKEDIN_JOBS = ForeignShape("linkedin-export", is_linkedin, linkedin_jobs)
