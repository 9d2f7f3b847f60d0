"""A résumé that comes in is one's own profile; what has no field becomes part of `about`."""

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from guildhouse.accounts.resumes import json_resume_profile, linkedin_profile
from tests.cast import Cast
from tests.kernel.importing.intake import judged, rows, told_to

pytestmark = pytest.mark.anyio
RESUME = {
    "basics": {"name": "Ada Byron", "label": "Analyst", "email": "old@example.com",
    "phone": "+886 2 1234", "url": "https://ada.example",
               "summary": "I count.", "location": {"city": "臺北", "countryCode": "TW"}},
    "work": [{"name": "Acme", "position": "Engineer", "startDate": "2019", "endDate": "2022"}],
    "education": [{"institution": "Tunghai", "area": "Maths", "studyType": "BSc"}],
    "skills": [{"name": "Python", "keywords": ["asyncio", "Python"]}],
}  # fmt: skip
TABLES = {
    "Profile.csv": 'First Name,Last Name,Headline,Summary,Geo Location\nAda,Byron,Analyst,I count.,"Taipei, Taiwan"\n',
    "Skills.csv": "Name\nPython\nGo\n",
    "Positions.csv": "Company Name,Title,Started On,Finished On\nAcme,Engineer,Jan 2019,\n",
    "PhoneNumbers.csv": "Extension,Number,Type\n,+886 2 1234,Mobile\n",
}


@pytest.fixture
async def idle(starting: Any, tmp_path: Path) -> AsyncIterator[Cast]:
    async with starting(workers="none", data=tmp_path) as cast:
        yield cast


def export() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, text in TABLES.items():
            archive.writestr(name, text)
    return made.getvalue()


def test_nothing_of_a_json_resume_is_lost() -> None:
    [profile] = json_resume_profile(RESUME)
    assert profile["about"] == "I count.\n\nWork\n- Engineer, Acme, 2019, 2022\n\nEducation\n- BSc, Maths, Tunghai"
    assert (profile["id"], profile["skills"]) == ("me", ["Python", "asyncio"])


def test_what_a_json_resume_tells_at_length_stands_in_about() -> None:
    [profile] = json_resume_profile({
        "basics": {"name": "Ada", "profiles": [{"network": "GitHub", "url": "https://github.com/ada"}, {}]},
        "work": [{"name": "Acme", "summary": "Engines", "highlights": ["Fast", "", "Good"]}, {}],
        "volunteer": [{"organization": "Red Cross", "position": "Driver"}], "projects": [{"name": "Notes",
        "description": "G"}],
        "certificates": [{"name": "CPA", "issuer": "Board", "date": "2026"}], "awards": None, "references": [],
        "languages": [{"language": "中文", "fluency": "native"},
        "English"], "skills": ["SQL", {"name": None, "keywords": None}, 7],
    })  # fmt: skip
    assert profile["about"] == (
        "Work\n- Acme\n  Engines\n  Fast\n  Good\n\nVolunteering\n- Driver, Red Cross\n\nProjects\n- Notes\n  G\n\n"
        "Certificates\n- CPA, Board, 2026\n\nLanguages\n- 中文, native\n\nhttps://github.com/ada"
    )
    assert profile["skills"] == ["SQL"]


def test_what_else_a_linkedin_export_tells_of_a_person_is_kept() -> None:
    [profile] = linkedin_profile({
        "Basic/Profile.csv": [{"First Name": "小明", "Last Name": "王",
        "Websites": "[PORTFOLIO:https://a.example,BLOG:https://b.example]"}],
        "Basic/Positions.csv": [{"Title": "Cook", "Company Name": "Acme", "Location": "Tainan", "Description": "Soup"}],
        "Basic/Languages.csv": [{"Name": "English", "Proficiency": "Native"}],
        "Basic/Certifications.csv": [{"Name": "Food safety", "Authority": "City"}],
    })  # fmt: skip
    assert profile == {
        "id": "me", "name": "王小明", "website": "https://a.example",
        "about": "Work\n- Cook, Acme, Tainan\n  Soup\n\nCertificates\n- Food safety, City\n\nLanguages\n- English, Native"
        "\n\nhttps://b.example",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("content", "name", "shape", "city"),
    [
        (orjson.dumps(RESUME), "resume.json", "json-resume", "臺北"),
        (export(), "export.zip", "linkedin-export", "Taipei"),
    ],
)
async def test_a_resume_changes_ones_own_profile_and_can_be_taken_back(
    idle: Cast, content: bytes, name: str, shape: str, city: str
) -> None:
    before = (await idle.ada.get(f"/v1/people/{idle.ada.id}")).json()
    row = await judged(idle, idle.ada, content, "people", name)
    assert (row["found"]["shape"], row["judged"]) == (shape, {"change": 1})
    assert (await rows(idle.ada, row))[0]["diff"]["headline"] == [None, "Analyst"]
    await told_to(idle, idle.ada, row, "apply")
    after = (await idle.ada.get(f"/v1/people/{idle.ada.id}")).json()
    assert [after[each] for each in ("name", "headline", "city", "email")] == [
        "Ada Byron",
        "Analyst",
        city,
        before["email"],
    ]
    assert "Python" in after["skills"]
    row = await told_to(idle, idle.ada, row, "take-back")
    same = before.keys() - {"version", "updated_at"}
    restored = (await idle.ada.get(f"/v1/people/{idle.ada.id}")).json()
    assert {each: restored[each] for each in same} == {each: before[each] for each in same}
