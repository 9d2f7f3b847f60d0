"""Résumés as other programs keep them (JSON Resume, LinkedIn's data export), as the profile of the one who imports.

Pure functions of a document. What has no field of its own, such as work and education, becomes part of `about`.
"""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from guildhouse.kernel.importing.documents import ForeignShape
from guildhouse.kernel.importing.values import whole_name

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
    words = [word for each in entries(document, "skills") for word in [each.get("name"), *(each.get("keywords") or ())]]
    profiles = [each.get("url") for each in entries(basics, "profiles")]
    yield said(
        name=basics.get("name"),
        headline=basics.get("label"),
        about=about(
            basics.get("summary"), {title: rows(document, *path) for title, path in SECTIONS.items()}, profiles
        ),
        phone=basics.get("phone"),
        city=place.get("city"),
        country=place.get("countryCode"),
        website=basics.get("url") or basics.get("website"),
        skills=once(words),
    )


# The parts of a résumé that have no field of their own: the list, and what of an entry goes into its line.
SECTIONS: Mapping[str, tuple[str, ...]] = {
    "Work": ("work", "position", "name", "company", "startDate", "endDate"),
    "Education": ("education", "studyType", "area", "institution", "startDate", "endDate", "score"),
    "Volunteering": ("volunteer", "position", "organization", "startDate", "endDate"),
    "Projects": ("projects", "name", "entity", "startDate", "endDate", "url"),
    "Certificates": ("certificates", "name", "issuer", "date"),
    "Awards": ("awards", "title", "awarder", "date"),
    "Publications": ("publications", "name", "publisher", "releaseDate", "url"),
    "Languages": ("languages", "language", "fluency"),
    "Interests": ("interests", "name"),
    "References": ("references", "name", "reference"),
}
TEXTS = ("summary", "description", "highlights", "courses", "roles")  # of an entry, below its line
Entry = tuple[Sequence[Any], Sequence[str]]


def entries(document: Any, name: str) -> list[Mapping[str, Any]]:
    """The entries of a list; one that is a word alone is its name."""
    found = document.get(name) or ()
    return [each if isinstance(each, Mapping) else {"name": each} for each in found if isinstance(each, Mapping | str)]


def rows(document: Any, name: str, *fields: str) -> list[Entry]:
    """These fields of each entry of a list, and the sentences that follow."""
    return [([each.get(field) for field in fields], sentences(each)) for each in entries(document, name)]


def sentences(entry: Mapping[str, Any]) -> list[str]:
    """What an entry tells at length."""
    told = [text for name in TEXTS for text in [entry.get(name)] if text]
    return [str(each) for text in told for each in (text if isinstance(text, list) else [text]) if each]


def about(summary: str | None, lists: Mapping[str, Iterable[Entry]], links: Iterable[Any] = ()) -> str:
    """The summary, and below it what was done, a line for each and what it tells under it."""
    parts = [summary] if summary else []
    for title, found in lists.items():
        lines = [
            "\n".join([f"- {', '.join(str(part) for part in entry if part)}", *(f"  {one}" for one in below)])
            for entry, below in found
            if any(entry) or below
        ]
        if lines:
            parts.append("\n".join([title, *lines]))
    if addresses := [str(each) for each in links if each]:
        parts.append("\n".join(addresses))
    return "\n\n".join(parts)


def once(words: Iterable[Any]) -> list[str]:
    """Each word once, in their order."""
    return list(dict.fromkeys(str(word).strip() for word in words if word and str(word).strip()))[:MOST_SKILLS]


def table(document: Any, name: str) -> list[Mapping[str, str]]:
    """A table of a LinkedIn data export; none, where it is not in it."""
    place = next((each for each in document if each.rpartition("/")[2] == name), None)
    return document[place] if place else []


def is_linkedin_profile(document: Any) -> bool:
    """A LinkedIn data export with a profile in it."""
    return "First Name" in table(document, "Profile.csv")[0]


# The tables of an export that have no field of their own, and which columns go into a line.
TABLES: Mapping[str, tuple[str, ...]] = {
    "Work": ("Positions.csv", "Title", "Company Name", "Location", "Started On", "Finished On"),
    "Education": ("Education.csv", "Degree Name", "School Name", "Start Date", "End Date"),
    "Volunteering": ("Volunteering.csv", "Role", "Company Name", "Started On", "Finished On"),
    "Projects": ("Projects.csv", "Title", "Url", "Started On", "Finished On"),
    "Certificates": ("Certifications.csv", "Name", "Authority", "Started On", "Finished On"),
    "Awards": ("Honors.csv", "Title", "Issued On"),
    "Publications": ("Publications.csv", "Name", "Publisher", "Published On", "Url"),
    "Languages": ("Languages.csv", "Name", "Proficiency"),
}
BELOW = ("Description", "Notes", "Activities")


def linkedin_profile(document: Any) -> Iterator[Record]:
    """The profile of the export."""
    profile = table(document, "Profile.csv")[0]
    lists = {title: table_rows(document, *path) for title, path in TABLES.items()}
    phones = [row.get("Number") for row in table(document, "PhoneNumbers.csv")]
    sites = re.findall(r"https?://[^\s,\]]+", profile.get("Websites") or "")
    yield said(
        name=whole_name(profile.get("First Name") or "", profile.get("Last Name") or ""),
        headline=(profile.get("Headline") or "")[:200],
        about=about(profile.get("Summary"), lists, sites[1:]),
        phone=next(filter(None, phones), None),
        city=(profile.get("Geo Location") or "").partition(",")[0],
        website=next(iter(sites), None),
        skills=once(row.get("Name") for row in table(document, "Skills.csv")),
    )


def table_rows(document: Any, name: str, *columns: str) -> list[Entry]:
    """These columns of each row of a table, and the sentences that follow."""
    return [
        ([row.get(each) for each in columns], [row[each] for each in BELOW if row.get(each)])
        for row in table(document, name)
    ]


JSON_RESUME = ForeignShape("json-resume", is_json_resume, json_resume_profile)
LINKEDIN_PROFILE = ForeignShape("linkedin-export", is_linkedin_profile, linkedin_profile)
