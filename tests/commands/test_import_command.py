"""Importing from the command line, in the name of a person: judged, applied, gone on with, taken back."""

import asyncio
import re
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest

from guildhouse.commands import importing
from guildhouse.config import Config
from guildhouse.kernel.errors import NotDone, Problem

Brings = Callable[..., str]
CALLS = "What,Due\nCall Ben,2030/01/02\nCall Cleo,some day\n"


@pytest.fixture
def brings(dsn: str, config: Config, tmp_path: Path) -> Brings:
    """Import a file as Ada; what is said."""
    person = (
        "INSERT INTO people (id, email, name, role, status, language, skills, listed, audience, scopes) VALUES "
        "(gen_random_uuid(), 'ada@example.org', 'Ada', 'member', 'active', 'en', '{}', true, '{}', '{members}')"
    )
    ask(dsn, person)

    def bring(text: str = CALLS, resource: str = "reminders", person: str = "ada@example.org", *constants: str,
              wrong: Path | None = None, apply: bool = False, **more: list[str]) -> str:  # fmt: skip
        file = tmp_path / "calls.csv"
        file.write_text(text)
        said: list[str] = []
        asked = importing.Asked(file, resource, person, constants, "ask", wrong, apply, **more)
        asyncio.run(importing.bring(config, dsn, asked, said.append))
        return "\n".join(said)

    return bring


def ask(dsn: str, sql: str) -> list[tuple[object, ...]]:
    async def run() -> list[tuple[object, ...]]:
        connection = await asyncpg.connect(dsn)
        try:
            return [tuple(record) for record in await connection.fetch(sql)]
        finally:
            await connection.close()

    return asyncio.run(run())


def test_a_file_is_judged_applied_and_taken_back(brings: Brings, dsn: str, config: Config, tmp_path: Path) -> None:
    said = brings()
    assert "Read 2 rows as csv: What -> text, Due -> due_at." in said and "Judged: 1 create, 1 wrong." in said
    assert ask(dsn, "SELECT count(*) FROM reminders") == [(0,)]
    wrong = tmp_path / "wrong.csv"
    said = brings(apply=True, wrong=wrong)
    assert "Applied: 1 created, 1 failed." in said
    assert "Call Cleo,some day,Due: write a day" in wrong.read_text(encoding="utf-8-sig")
    written = ask(
        dsn, "SELECT r.text, c.actor = p.id::text FROM reminders r JOIN changes c ON c.row_id = r.id, people p"
    )
    assert written == [("Call Ben", True)]
    import_id = re.findall(r"import ([0-9a-f-]{36})", said)[0]
    back: list[str] = []
    asyncio.run(importing.take_back(config, dsn, import_id, back.append))
    assert back == ["Taken back: 1 taken_back."]
    assert ask(dsn, "SELECT count(*) FROM reminders WHERE deleted_at IS NULL") == [(0,)]


def test_what_was_not_seen_is_said_and_what_is_left_out_is_told(brings: Brings) -> None:
    text = "x,y,z\nWhat,When,Colour\nCall Ben,03/04/2030,red\n"
    said = brings(text)
    assert "Left out: x, y, z." in said and "  Line 2: text: Field required" in said
    said = brings(text, options=["header_line=2"], columns=["when=due_at:dmy"])
    assert "What -> text." in said and "Left out: When, Colour." in said and "Judged: 1 create." in said


def test_an_import_that_was_cut_off_goes_on(brings: Brings, dsn: str, config: Config) -> None:
    import_id = re.findall(r"import ([0-9a-f-]{36})", brings())[0]
    ask(dsn, f"UPDATE imports SET status = 'applying' WHERE id = '{import_id}'")
    said: list[str] = []
    asyncio.run(importing.go_on(config, dsn, import_id, said.append))
    assert said == ["Applied: 1 created, 1 failed."]


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"resource": "nothing"}, "can be imported into"),
        ({"person": "cleo@example.org"}, "Nobody here"),
        ({"text": ""}, "empty"),
        ({"options": ["colour=red"]}, "colour"),
        ({"options": ["header_line=0"]}, "greater than"),
        ({"columns": ["Colour=text"]}, "The file has no column Colour. There are: What, Due."),
        ({"columns": ["What=colour"]}, "the fields are"),
    ],
)
def test_what_cannot_be_done_is_said_in_words(brings: Brings, given: dict[str, str], why: str) -> None:
    with pytest.raises((NotDone, Problem), match=why):
        brings(**given)


def test_wrong_constants_and_unknown_imports(brings: Brings, dsn: str, config: Config) -> None:
    with pytest.raises(NotDone, match="field=value"):
        brings(CALLS, "reminders", "ada@example.org", "text")
    with pytest.raises(NotDone, match="the fields are"):
        brings(CALLS, "reminders", "ada@example.org", "nothing=1")
    with pytest.raises(NotDone, match="no import"):
        asyncio.run(importing.take_back(config, dsn, "x", print))


def test_a_file_in_the_houses_own_format_says_itself_what_it_holds(dsn: str, config: Config, brings: Brings) -> None:
    with pytest.raises(NotDone, match="--resource"):
        brings(resource="")
    ask(dsn, "UPDATE people SET role = 'admin', scopes = '{members,moderators}'")
    person = ask(dsn, "SELECT id FROM people")[0][0]
    about = '{"guildhouse":1,"resource":"reminders","fields":["id","created_at","person_id","text","due_at"]}'
    row = (
        f'{{"id":"019a9f3c-7c00-7000-8000-000000000001","created_at":"2025-01-02T03:04:05Z","person_id":"{person}",'
        '"text":"Call Ben","due_at":"2030-01-02T00:00:00Z"}'
    )
    said = brings(f"{about}\n{row}\n", "", apply=True)
    assert "Read 1 rows as guildhouse" in said and "Applied: 1 created." in said
    assert ask(dsn, "SELECT text, created_at::date::text FROM reminders") == [("Call Ben", "2025-01-02")]
