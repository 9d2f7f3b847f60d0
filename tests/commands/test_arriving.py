"""A person's archive from the command line, in the name of an admin: judged, loaded, and refused in words."""

import asyncio
import zipfile
from pathlib import Path

import pytest

from guildhouse.accounts.moving_in.unzipping import is_cut, is_takeout
from guildhouse.commands import arriving
from guildhouse.commands.joining import NotDone
from guildhouse.config import Config
from tests.accounts.test_arrival import archive_of, changed
from tests.accounts.test_takeout import lived
from tests.cast import Cast
from tests.commands.test_import_command import ask

pytestmark = pytest.mark.anyio
ADMIN = (
    "INSERT INTO people (id, email, name, role, status, language, skills, listed, audience, scopes) VALUES "
    "(gen_random_uuid(), '{0}@example.org', '{0}', '{1}', 'active', 'en', '{{}}', true, '{{}}', '{{members}}')"
)


async def test_an_archive_is_judged_and_loaded_by_an_admin_only(
    cast: Cast, dsn: str, config: Config, tmp_path: Path
) -> None:
    await lived(cast)
    file = tmp_path / "cleo.zip"
    file.write_bytes(await archive_of(cast.cleo))
    assert is_takeout(file) and not is_takeout(Path(__file__))
    await asyncio.to_thread(ask, dsn, ADMIN.format("olga", "admin"))
    await asyncio.to_thread(ask, dsn, ADMIN.format("dora", "member"))
    said: list[str] = []
    with pytest.raises(NotDone, match="for admins"):
        await arriving.bring(config, dsn, file, "dora@example.org", said.append, apply=True)
    with pytest.raises(NotDone, match="Nobody here"):
        await arriving.bring(config, dsn, file, "nobody@example.org", said.append, apply=True)
    await arriving.bring(config, dsn, file, "olga@example.org", said.append, apply=False)
    assert said[0].startswith("It is the take-out of Cleo, made by http://127.0.0.1:8000 at 2")
    assert "people (1 create)" in said[1] and "notes (2 create)" in said[1]
    assert await asyncio.to_thread(ask, dsn, "SELECT count(*) FROM notes") == [(0,)]
    await arriving.bring(config, dsn, file, "olga@example.org", said.append, apply=True)
    assert any(each.startswith("Applied:") and "notes (2 created)" in each for each in said)
    assert await asyncio.to_thread(ask, dsn, "SELECT count(*) FROM notes") == [(2,)]
    file.write_bytes(changed(file.read_bytes(), "reminders", lambda row: row.update(text="Obey")))
    said.clear()
    await arriving.bring(config, dsn, file, "olga@example.org", said.append, apply=True)
    faults = [each for each in said if each.startswith("  data/reminders.guildhouse.ndjson, line 2: id a row")]
    assert [each.partition("; ")[2] for each in faults] == ["it is not overwritten"]
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(NotDone, match="cut off"):
        await arriving.bring(config, dsn, file, "olga@example.org", said.append, apply=True)


def test_an_archive_of_another_program_is_no_take_out_that_was_cut_off(tmp_path: Path) -> None:
    export = tmp_path / "linkedin.zip"
    with zipfile.ZipFile(export, "w") as archive:
        archive.writestr("Profile.csv", "First Name\nAda\n")
    assert not is_takeout(export) and not is_cut(export)
    export.write_bytes(export.read_bytes()[:-30])
    assert not is_takeout(export) and is_cut(export)
    assert not is_cut(Path(__file__))
