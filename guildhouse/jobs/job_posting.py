"""The job posting: one open job as schema.org's JobPosting in JSON-LD, as search engines read it out of a page."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from guildhouse.jobs.job import Job, jobs, today_everywhere
from guildhouse.jobs.open_jobs import as_html, last_moment, url_of
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import Gone, NotFound
from guildhouse.kernel.etag import matches, row_etag
from guildhouse.kernel.following import read_or_follow
from guildhouse.kernel.formats import ACCEPTED, by_weight, dumps
from guildhouse.kernel.may import anyone
from guildhouse.kernel.request import Call
from guildhouse.kernel.select import fetch_one
from guildhouse.organizations.organization import Organization, organizations

MEDIA_TYPE = "application/ld+json"
FORMAT = "jsonld"
EMPLOYMENT = {
    "full_time": "FULL_TIME",
    "part_time": "PART_TIME",
    "contract": "CONTRACTOR",
    "temporary": "TEMPORARY",
    "internship": "INTERN",
    "apprenticeship": "OTHER",
    "volunteer": "VOLUNTEER",
    "seasonal": "TEMPORARY",
    "other": "OTHER",
}


class NotPosted(Gone):
    """This job is {status}: it is not advertised, or not any more. Take it out of your listing."""


async def read_job(call: Call) -> Answer:
    """A job: its row, or where the caller asks for JSON-LD, its posting."""
    return await read_posting(call) if wants_posting(call) else await read_or_follow(call, jobs)


def wants_posting(call: Call) -> bool:
    """Whether `format`, or else the most wanted media type that is served here, is the posting's."""
    if (wanted := call.param("format")) is not None:
        return wanted == FORMAT
    served = (media for media in by_weight(call.header("accept") or "") if media in ACCEPTED or media == MEDIA_TYPE)
    return next(served, "") == MEDIA_TYPE


async def read_posting(call: Call) -> Answer:
    """The posting of an open job of an organization; 410 when it is not open (any more)."""
    call.refuse_others(["format"])
    async with call.server.database.reading() as connection:
        record = await fetch_one(connection, jobs, call.actor, call.row_id, "*")
        if record is None or record["organization_id"] is None:
            raise NotFound
        job = Job.of(record)
        owner = await fetch_one(connection, organizations, call.actor, record["organization_id"], "*")
    if owner is None or job.status != "open" or is_over(job):
        raise NotPosted(status="closed" if job.status == "open" else job.status)
    etag = row_etag(job.version, f"{FORMAT} {owner['version']}")
    headers = {"ETag": etag, "Vary": "Accept, Authorization", "Cache-Control": "private, no-cache"}
    if matches(call.header("if-none-match"), etag):
        return Answer(304, headers=headers)
    body = dumps(posting_of(job, Organization.of(owner), call.server.config.address))
    return Answer(200, body.replace(b"<", b"\\u003c"), MEDIA_TYPE, headers)  # so that it fits into a script element


def is_over(job: Job) -> bool:
    """Whether the last day to apply is over for everybody."""
    return job.closes_on is not None and job.closes_on < today_everywhere(datetime.now(UTC))


def posting_of(job: Job, organization: Organization, address: str) -> dict[str, Any]:
    """The posting, with what is known of it."""
    found = {
        "@context": "https://schema.org/",
        "@type": "JobPosting",
        "title": job.title,
        "description": as_html(job.description) or as_html(job.title),
        "identifier": thing("PropertyValue", name=organization.name, value=job.external_id or job.id),
        "datePosted": job.posted_at,
        "validThrough": last_moment(job.closes_on) if job.closes_on else None,
        "employmentType": EMPLOYMENT.get(job.employment_type or ""),
        "hiringOrganization": thing("Organization", name=organization.name, sameAs=organization.website),
        "skills": ", ".join(job.skills) or None,
        "baseSalary": salary_of(job),
        "url": url_of(address, job),
        "directApply": job.url is None,
        **whereabouts(job, organization),
    }
    return known(found)


def known(values: Mapping[str, Any]) -> dict[str, Any]:
    """Only what has a value."""
    return {name: value for name, value in values.items() if value is not None}


def thing(kind: str, **values: Any) -> dict[str, Any]:
    """One of schema.org's things."""
    return {"@type": kind, **known(values)}


def whereabouts(job: Job, organization: Organization) -> dict[str, Any]:
    """Where one works: a place, or from anywhere in a country; a job that names no place is where its organization is."""
    if job.workplace == "remote":
        country = job.country or organization.country
        required = thing("Country", name=country) if country else None
        return {"jobLocationType": "TELECOMMUTE", "applicantLocationRequirements": required}
    home: Job | Organization = job if job.city or job.region or job.country else organization
    address = thing(
        "PostalAddress", addressLocality=home.city, addressRegion=home.region,
        addressCountry=home.country or organization.country,
    )  # fmt: skip
    geo = None
    if job.latitude is not None:
        geo = thing("GeoCoordinates", latitude=job.latitude, longitude=job.longitude)
    place = thing("Place", address=address if len(address) > 1 else None, geo=geo)
    return {"jobLocation": place if len(place) > 1 else None}


def salary_of(job: Job) -> dict[str, Any] | None:
    """What is paid, as a range, or as one value where both ends are the same."""
    if job.salary_min is None and job.salary_max is None:
        return None
    unit = (job.salary_period or "").upper()
    if job.salary_min == job.salary_max:
        value = thing("QuantitativeValue", value=job.salary_min, unitText=unit)
    else:
        value = thing("QuantitativeValue", minValue=job.salary_min, maxValue=job.salary_max, unitText=unit)
    return thing("MonetaryAmount", currency=job.salary_currency, value=value)


doors = (
    Door("GET", "/v1/jobs/{id}", "jobs.read", "Read a job", read_job, jobs, kind="read", open_to=anyone,
         media=(MEDIA_TYPE,)),
)  # fmt: skip
