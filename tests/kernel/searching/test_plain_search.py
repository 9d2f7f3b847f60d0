"""Searching where the index is not: in the trash, by lists, facets, exports, and what is done to many rows."""

from typing import Any
from urllib.parse import quote

import pytest

from guildhouse.kernel.searching import finding, plain_search
from tests.cast import Cast
from tests.kernel.searching.scenes import found, indexed
from tests.kernel.uploads import worked
from tests.organizations.scenes import refusal

pytestmark = pytest.mark.anyio

THROWN_AWAY = [
    {"title": "Old nurse", "skills": ["machine learning", "data"], "city": "Taipei"},
    {"title": "Old clerk", "description": "Helps every nurse.", "city": "Tainan"},
    {"title": "舊的護理師"},
    {"title": "Old cook"},
]


async def thrown_away(cast: Cast) -> None:
    """Tracked jobs of Ada's in the trash, and a live one that has the same words. No answer of before is kept any more."""
    ops = [{"op": "create", "data": each} for each in (*THROWN_AWAY, {"title": "New nurse"})]
    made = (await cast.ada.post("/v1/jobs:batch", {"ops": ops})).json()["results"]
    ops = [{"op": "remove", "id": each["id"]} for each in made[:-1]]
    gone = await cast.ada.post("/v1/jobs:batch", {"ops": ops})
    assert gone.status_code == 200
    await indexed(cast, gone.headers["log-position"])


async def titles(cast: Cast, q: str, more: str = "") -> list[str]:
    return sorted(row["title"] for row in (await found(cast.ada, f"trash=only&q={quote(q)}{more}"))["data"])


async def restoring(cast: Cast, prefer: str | None = None, **query: str) -> Any:
    headers = {"prefer": prefer} if prefer else {}
    return await cast.ada.post("/v1/jobs:batch", {"filter": query, "op": "restore"}, **headers)


async def test_a_list_of_the_trash_is_searched(cast: Cast) -> None:
    await thrown_away(cast)
    assert await titles(cast, "nurses") == ["Old clerk", "Old nurse"]
    assert await titles(cast, "护理师") == ["舊的護理師"]
    assert await titles(cast, "nurse", "&city=Tainan") == ["Old clerk"]
    assert await titles(cast, '"machine learning"') == ["Old nurse"]
    assert await titles(cast, '"learning data"') == []
    told = (await found(cast.ada, "trash=only&q=nurse&facets=city"))["search"]
    assert told["engine"] == "database" and {each["value"] for each in told["facets"]["city"]} == {"Taipei", "Tainan"}
    assert (await found(cast.ben, "trash=only&q=nurse"))["data"] == []


async def test_the_trash_is_searched_for_choices_and_a_blank_may_be_a_hyphen(cast: Cast) -> None:
    rows = [
        {"title": "Nurse at home", "workplace": "remote", "employment_type": "part_time"},
        {"title": "Nurse, part-time", "workplace": "on_site"},
        {"title": "Nurse of the apartment"},
    ]
    ops = [{"op": "create", "data": each} for each in rows]
    made = (await cast.ada.post("/v1/jobs:batch", {"ops": ops})).json()["results"]
    gone = [{"op": "remove", "id": each["id"]} for each in made]
    assert (await cast.ada.post("/v1/jobs:batch", {"ops": gone})).status_code == 200
    assert await titles(cast, "遠端") == await titles(cast, "work from home nurse") == ["Nurse at home"]
    assert await titles(cast, "part time") == await titles(cast, '"part time"') == ["Nurse at home", "Nurse, part-time"]
    assert await titles(cast, "nurse -part-time") == ["Nurse of the apartment"]
    assert await titles(cast, "remote OR apartment") == ["Nurse at home", "Nurse of the apartment"]


async def test_rows_that_are_searched_for_are_brought_back_out_of_the_trash(cast: Cast) -> None:
    await thrown_away(cast)
    tried = await restoring(cast, "tx=rollback", q="nurse")
    assert tried.json()["body"]["total"] == 2, tried.text
    answer = await restoring(cast, q="nurse", city="Taipei")
    after = await worked(cast, cast.ada, answer.json())
    assert (after["status"], after["restored"], after["failed"]) == ("done", 1, 0)
    assert await titles(cast, "nurse") == ["Old clerk"]
    gone = await restoring(cast, "tx=rollback", q="zeppelin")
    assert gone.json()["body"]["total"] == 0


async def test_live_rows_do_not_take_the_places_of_those_in_the_trash(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(plain_search, "DEEPEST", 4)
    for n in range(4):
        await cast.ada.made("/v1/jobs", {"title": f"Nurse {n}"})
    await thrown_away(cast)
    assert len(await titles(cast, "nurse")) == 2
    assert (await restoring(cast, "tx=rollback", q="nurse")).json()["body"]["total"] == 2


async def test_a_search_of_the_trash_has_its_time_and_no_more(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    await thrown_away(cast)
    monkeypatch.setattr(finding, "PATIENCE", 0.0)
    assert refusal(await restoring(cast, q="nurse")) == (400, "search-too-slow")
    assert refusal(await cast.ada.get("/v1/jobs:export?trash=only&q=nurse&format=csv")) == (400, "search-too-slow")
    monkeypatch.undo()
    assert await titles(cast, "cook") == ["Old cook"]


async def test_exports_of_the_trash_are_of_what_is_searched(cast: Cast) -> None:
    await thrown_away(cast)
    exported = await cast.ada.get("/v1/jobs:export?trash=only&q=nurse&format=csv&fields=title&sort=title")
    assert exported.text.splitlines() == ["title", "Old clerk", "Old nurse"]
    live = await cast.ada.get("/v1/jobs:export?q=nurse&format=json&fields=title")
    assert "Old" not in live.text


@pytest.mark.parametrize("q", ["a\0b", "nurse%_\\", "'; DROP TABLE jobs --", "(nurse", "x" * 999])
async def test_hostile_words_find_nothing_in_the_trash(cast: Cast, q: str) -> None:
    await thrown_away(cast)
    answer = await restoring(cast, "tx=rollback", q=q)
    assert answer.status_code == 400 or answer.json()["body"]["total"] <= 2, answer.text
    assert answer.status_code < 500
