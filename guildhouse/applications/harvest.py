"""Harvest: candidates and applications as Greenhouse's own interface for its customers gives them, by our fields.

Pure functions of a document: the list that `GET /candidates` or `GET /applications` answers (v1 and v2; of v3, what has
kept its name). A list of candidates carries their applications inside, so it can be brought in as either.
Source of the shapes: https://developers.greenhouse.io/harvest.html
"""

from collections.abc import Iterator, Mapping
from typing import Any

from guildhouse.kernel.importing.documents import ForeignShape, said, within
from guildhouse.kernel.importing.values import words_of

Record = dict[str, Any]
SOURCE = "greenhouse"  # jobs by the number of their posting, as the public board has it
JOBS_SOURCE = "greenhouse-harvest"  # jobs by their number inside
# Why somebody is not hired, in the words of other systems.
REASONS: Mapping[str, tuple[str, ...]] = {
    "qualifications": ("lacking qualifications", "underqualified", "under qualified", "資格不符"),
    "experience": ("lacking experience", "not enough experience", "經驗不足"),
    "skills": ("lacking skills", "lacking skill(s)/qualification(s)", "技能不符"),
    "location": ("relocation", "地點"),
    "salary": ("compensation", "薪資"),
    "work_permit": ("work authorization", "visa", "工作許可"),
    "another_person": ("hired another candidate", "hired other candidate", "hired internally", "已錄取他人"),
    "job_cancelled": ("position closed", "job closed", "職缺取消"),
    "no_answer": ("no response", "unresponsive", "沒有回應"),
    "other": ("其他",),
}
PROFILES = ("linkedin.com/", "github.com/", "xing.com/")


def listed(document: Any) -> list[Mapping[str, Any]]:
    """The objects of a list, or the one that the document is."""
    return [each for each in (document if isinstance(document, list) else [document]) if isinstance(each, Mapping)]


def is_candidates(document: Any) -> bool:
    """A list of candidates: people with addresses of several kinds."""
    first = listed(document)[0]
    return "email_addresses" in first and "last_name" in first


def candidates_in(document: Any) -> Iterator[Record]:
    """The candidates. Of several e-mail addresses and numbers the first counts."""
    for one in listed(document):
        web = [address(each) for name in ("social_media_addresses", "website_addresses") for each in values(one, name)]
        profile = next((each for mark in PROFILES for each in web if mark in each), None)
        yield said(
            source=SOURCE,
            external_id=text(one.get("id")),
            first_name=one.get("first_name"),
            last_name=one.get("last_name"),
            email=next(iter(values(one, "email_addresses")), None),
            phone=next(iter(values(one, "phone_numbers")), None),
            headline=one.get("title"),
            company=one.get("company"),
            city=next(iter(values(one, "addresses")), "").strip().partition("\n")[0][:200] or None,
            profile_url=profile,
            links=[each for each in dict.fromkeys(web) if each != profile][:20],
            tags=[each for each in map(name_of, one.get("tags") or ()) if each],
        )


def values(candidate: Mapping[str, Any], name: str) -> list[str]:
    """The values of a list of addresses or numbers."""
    return [str(each["value"]) for each in candidate.get(name) or () if within(each, "value")]


def address(value: str) -> str:
    """An address of the web, whole; people leave the beginning out."""
    return value if value.startswith(("http://", "https://")) else f"https://{value}"


def name_of(tag: Any) -> str | None:
    """A tag, which is its name or has one."""
    return within(tag, "name") if isinstance(tag, Mapping) else text(tag)


def text(value: Any) -> str | None:
    """A number or a name as text."""
    return str(value) if isinstance(value, int | str) and value != "" else None


def applications_of(document: Any) -> list[Mapping[str, Any]]:
    """The applications of a list of either."""
    inside = [each for one in listed(document) for each in one.get("applications") or ()]
    return inside or [one for one in listed(document) if "candidate_id" in one]


def is_applications(document: Any) -> bool:
    """A list of applications, or of candidates with theirs."""
    first = applications_of(document)[0]
    return "candidate_id" in first and not {"jobs", "job_post_id", "job_id"}.isdisjoint(first)


def applications_in(document: Any) -> Iterator[Record]:
    """The applications. Those of prospects, who applied for no job, are told as wrong: they are candidates only."""
    for one in applications_of(document):
        yield said(
            **job_of(one),
            **{"candidate.source": SOURCE, "candidate.external_id": text(one.get("candidate_id"))},
            stage=stage_of(one),
            submitted_at=one.get("applied_at") or one.get("created_at"),
            decided_at=one.get("rejected_at") or one.get("hired_at"),
            rejection_reason=reason_of(one),
            source=within(one, "source", "public_name"),
            documents=documents_of(one),
            team_note=note_of(one),
        )


def job_of(one: Mapping[str, Any]) -> Record:
    """The job by the number of its posting, which the public board has, or by its number inside Greenhouse."""
    if one.get("job_post_id"):
        return {"job.source": SOURCE, "job.external_id": text(one["job_post_id"])}
    inside = text(one.get("job_id") or within(one.get("jobs"), 0, "id"))
    return {"job.source": JOBS_SOURCE, "job.external_id": inside} if inside else {}


def stage_of(one: Mapping[str, Any]) -> str | None:
    """How it ended, or else the stage that it is in, in the words of the organization."""
    status = text(one.get("status"))
    if status in ("rejected", "hired"):
        return status
    return within(one, "current_stage", "name") or text(one.get("stage_name")) or status


def reason_of(one: Mapping[str, Any]) -> str | None:
    """Why it was rejected: the organization's own words as one of ours, or `other`; the note keeps the words."""
    name = within(one, "rejection_reason", "name")
    if not name:
        return None
    return next((ours for ours, words in REASONS.items() if words_of(name) in map(words_of, (ours, *words))), "other")


def documents_of(one: Mapping[str, Any]) -> list[Record]:
    """The attachments by their addresses, which are good for some days only."""
    return [
        {"title": str(each.get("filename") or each.get("type") or "document")[:200], "url": each["url"]}
        for each in one.get("attachments") or ()
        if str(within(each, "url") or "").startswith("https://")
    ][:20]


def note_of(one: Mapping[str, Any]) -> str | None:
    """What has no field of its own, for the team: who recommended them, why they were rejected, what they answered."""
    lines = [
        *([f"Credited to: {name}"] if (name := within(one, "credited_to", "name")) else []),
        *([f"Rejected: {name}"] if (name := within(one, "rejection_reason", "name")) else []),
        *([f"Last stage: {name}"] if one.get("rejected_at") and (name := within(one, "current_stage", "name")) else []),
        *(f"{each['question']}: {each['answer']}" for each in one.get("answers") or () if within(each, "answer")),
    ]
    return "\n".join(lines) or None


CANDIDATES = ForeignShape("greenhouse-harvest-candidates", is_candidates, candidates_in)
APPLICATIONS = ForeignShape("greenhouse-harvest-applications", is_applications, applications_in)
