"""`guildhouse retention`: what would leave by itself, in words."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from guildhouse.commands.forecasting import forecast, tell, told
from guildhouse.config import load
from guildhouse.kernel.retaining.outlook import NounOutlook, Outlook
from tests.cast import Cast
from tests.jobs.openings import tracked

pytestmark = pytest.mark.anyio


def noun(resource: str = "jobs", **values: object) -> NounOutlook:
    blank = {
        "total_days": None, "to_remove": 0, "trash_days": 30, "in_trash": 0, "to_purge": 0, "oldest": None, "held": 0,
        "held_by": [], "is_shelved": False,
    }  # fmt: skip
    return NounOutlook.model_validate({"resource": resource, **blank, **values})


def words(found: Outlook) -> list[str]:
    said: list[str] = []
    tell(found, said.append)
    return said


def test_each_noun_of_which_something_would_go_has_a_line() -> None:
    oldest = datetime(2026, 9, 2, tzinfo=UTC)
    both = noun(to_purge=1204, oldest=oldest, held=3, total_days=365, to_remove=7)
    assert told(both) == (
        "jobs: 7 into the trash (older than 365 days), 1,204 for good (in the trash for more than 30 days, the oldest "
        "since 2026-09-02); 3 of them are held and stay."
    )
    said = words(Outlook(keep_purged_days=90, files_to_remove=2, nouns=[both, noun("stages"), noun("notes")]))
    assert said[1:] == [
        "Nothing would go of stages, notes.",
        "What is purged is kept as files for 90 days. Files whose time is over: 2.",
    ]


def test_where_nothing_goes_and_nothing_is_kept_that_is_said() -> None:
    assert words(Outlook(keep_purged_days=0, files_to_remove=0, nouns=[noun("notes")])) == [
        "Nothing would go of notes.", "What is purged is not kept as files. Files whose time is over: 0.",
    ]  # fmt: skip


async def test_it_is_read_from_the_database(lone_cast: Cast, tmp_path: Path) -> None:
    job = await tracked(lone_cast.ada)
    await lone_cast.ada.delete(f"/v1/jobs/{job['id']}")
    await lone_cast.server.database.pool.execute("UPDATE jobs SET deleted_at = now() - interval '31 days'")
    found = await forecast(load(data=tmp_path, keep_purged_days=7), lone_cast.server.database.dsn)
    assert [(each.resource, each.to_purge, each.is_shelved) for each in found.nouns if each.to_purge] == [
        ("jobs", 1, True)
    ]
