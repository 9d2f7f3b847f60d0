"""Résumés as other programs keep them (JSON Resume, LinkedIn's data export), as the profile of the one who imports.

Pure functions of a document. What has no field of its own, such as work and education, becomes part of `about`.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from guildhouse.kernel.importing.documents import ForeignShape

Record = dict[str, Any]
MOST_SKILLS = 100


def said(**fields: Any) -> Record:
    """The fields that have a value, of one's own row."""
    return {"id": "me", **{name: value for name, value in fields.items() if value not in (None, "", [], {})}}


def is_json_resume(document: Any) -> bool:
    """A résumé of JSON Resume 1.x."""
    return isinstance(document["basics"], Mapping)


def json_resume_profile(document: Any) -> Iterator[Record]:
    """The one profile of the document."""
    basics = document["basics"]
    place = basics.get("location") or {}
    words = [
        word for each in document.get("skills") or () for word in [each.get("name"), *(each.get("keywords") or ())]
    ]
    work = rows(document, "work", "position", "name", "company", "startDate", "endDate")
    education = rows(document, "education", "studyType", "area", "institution", "startDate", "endDate")
    yield said(
        name=basics.get("name"),
        headline=basics.get("label"),
        about=about(basics.get("summary"), {"Work": work, "Education": education}),
        phone=basics.get("phone"),
        city=place.get("city"),
        country=place.get("countryCode"),
        website=basics.get("url") or basics.get("website"),
        skills=once(words),
    )


def rows(document: Any, name: str, *fields: str) -> list[tuple[Any, ...]]:
    """These fields of each entry of a list."""
    return [tuple(each.get(field) for field in fields) for each in document.get(name) or ()]


def about(summary: str | None, lists: Mapping[str, Iterable[tuple[Any, ...]]]) -> str:
    """The summary, and below it what was done, a line for each."""
    parts = [summary] if summary else []
    for title, entries in lists.items():
        lines = [", ".join(str(part) for part in entry if part) for entry in entries]
        if any(lines):
            parts.append("\n".join([title, *(f"- {line}" for line in lines if line)]))
    return "\n\n".join(parts)


def once(words: Iterable[Any]) -> list[str]:
    """Each word once, in their order."""
    return list(dict.fromkeys(str(word).strip() for word in words if word and str(word).strip()))[:MOST_SKILLS]


def table(document: Any, name: str) -> list[Mapping[str, str]]:
    """A table of a LinkedIn data export; none, where it is not in it."""
    return next((rows for place, rows in document.items() if place.rpartition("/")[2] == name), [])


def is_linkedin_profile(document: Any) -> bool:
    """A LinkedIn data export with a profile in it."""
    return "First Name" in table(document, "Profile.csv")[0]


def linkedin_profile(document: Any) -> Iterator[Record]:
    """The profile of the export."""
    profile = table(document, "Profile.csv")[0]
    work = [(row.get("Title"), row.get("Company Name"), row.get("Started On"), row.get("Finished On"))
            for row in table(document, "Positions.csv")]  # fmt: skip
    education = [(row.get("Degree Name"), row.get("School Name"), row.get("Start Date"), row.get("End Date"))
                 for row in table(document, "Education.csv")]  # fmt: skip
    phones = [row.get("Number") for row in table(document, "PhoneNumbers.csv")]
    yield said(
        name=" ".join(filter(None, (profile.get("First Name"), profile.get("Last Name")))),
        headline=(profile.get("Headline") or "")[:200],
        about=about(profile.get("Summary"), {"Work": work, "Education": education}),
        phone=next(filter(None, phones), None),
        city=(profile.get("Geo Location") or "").partition(",")[0],
        skills=once(row.get("Name") for row in table(document, "Skills.csv")),
    )


JSON_RESUME = ForeignShape("json-resume", is_json_resume, json_resume_profile)
LINKEDIN_PROFILE = ForeignShape("linkedin-export", is_linkedin_profile, linkedin_profile)
