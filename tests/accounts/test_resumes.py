"""A résumé that comes in is one's own profile; what has no field becomes part of `about`."""

import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from guildhouse.accounts.resumes import json_resume_profile
from tests.cast import Cast
from tests.kernel.importing.intake import judged, rows, told_to

pytestmark = pytest.mark.anyio
RESUME = {
    "basics": {"name": "Ada Byron", "label": "Analyst", "email": "old@example.com", "phone": "+886 2 1234", "url": "https://ada.example",
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
