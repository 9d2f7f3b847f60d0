"""Hearing: what is asked of a list or of all lists is what is remembered and counted."""

from typing import Any

import pytest

from tests.cast import Caller, Cast
from tests.jobs.openings import hiring, posted
from tests.searches.looking import told

pytestmark = pytest.mark.anyio


async def searched(cast: Cast, caller: Caller, address: str) -> None:
    """A search of what is in the index by now."""
    response = await caller.get(address, wait_for=str(cast.server.tail.position))
    assert response.status_code == 200, response.text


async def recent(cast: Cast, caller: Caller) -> list[tuple[Any, ...]]:
    await told(cast)
    rows = (await caller.get("/v1/recent-searches?sort=searched_at")).json()["data"]
    return [(each["resource"], each["q"], each["query"], each["found"], each["times"]) for each in rows]


async def totals(cast: Cast) -> dict[Any, tuple[int, int]]:
    await told(cast)
    data = (await cast.otto.get("/v1/search-statistics")).json()["data"]
    return {each["resource"]: (each["searches"], each["found_nothing"]) for each in data}


async def test_a_search_of_a_list_is_remembered_with_what_it_asked_and_found(cast: Cast) -> None:
    organization = await hiring(cast)
    for n in range(3):
        await posted(cast, organization, title=f"Nurse {n}", country="TW")
    await searched(cast, cast.cleo, "/v1/jobs?q=nurse&country=TW&sort=-posted_at&limit=2&fields=title&highlights=true")
    await searched(cast, cast.cleo, "/v1/jobs?q=alchemist")
    await searched(cast, cast.cleo, "/v1/jobs?country=TW")
    assert await recent(cast, cast.cleo) == [
        ("jobs", "nurse", {"country": "TW", "sort": "-posted_at"}, 3, 1), ("jobs", "alchemist", {}, 0, 1),
    ]  # fmt: skip
    assert await totals(cast) == {"jobs": (2, 1)}
    row = (await cast.cleo.get("/v1/recent-searches")).json()["data"][0]
    assert (await cast.cleo.get(row["address"])).status_code == 200


async def test_later_pages_are_of_the_same_search(cast: Cast) -> None:
    organization = await hiring(cast)
    for n in range(3):
        await posted(cast, organization, title=f"Nurse {n}")
    address = "/v1/jobs?q=nurse&limit=1"
    first = await cast.cleo.get(address, wait_for=str(cast.server.tail.position))
    await searched(cast, cast.cleo, f"{address}&cursor={first.json()['page']['next']}")
    assert await totals(cast) == {"jobs": (1, 0)}


async def test_an_answer_out_of_memory_is_a_search_as_well(cast: Cast) -> None:
    await posted(cast, await hiring(cast), title="Nurse")
    for _ in range(3):
        await searched(cast, cast.nobody, "/v1/jobs?q=nurse")
    assert await totals(cast) == {"jobs": (3, 0)}
    ranks = (await cast.otto.get("/v1/search-statistics")).json()["data"][0]["ranks"]
    assert [(each["rank"], each["shown"]) for each in ranks] == [(1, 3)]


async def test_a_search_of_all_lists_is_one_search(cast: Cast) -> None:
    await posted(cast, await hiring(cast), title="Nurse")
    await searched(cast, cast.cleo, "/v1/search?q=nurse")
    await searched(cast, cast.cleo, "/v1/search?q=alchemist&kinds=jobs")
    assert await recent(cast, cast.cleo) == [
        (None, "nurse", {}, 1, 1), (None, "alchemist", {"kinds": "jobs"}, 0, 1),
    ]  # fmt: skip
    assert await totals(cast) == {None: (2, 1)}


async def test_what_is_refused_is_no_search(cast: Cast) -> None:
    for address in ("/v1/jobs?q=%3F", "/v1/jobs?q=nurse&colour=red", "/v1/jobs?q=", "/v1/search?q=nurse&kinds=nothing"):
        assert (await cast.cleo.get(address)).status_code == 400, address
    assert await recent(cast, cast.cleo) == []
    assert await totals(cast) == {}
