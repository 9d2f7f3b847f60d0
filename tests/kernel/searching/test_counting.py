"""Facets: counts over what is found, and over what is seen."""

from typing import Any

import pytest

from guildhouse.kernel.searching.engine import Engine
from tests.cast import Cast
from tests.kernel.searching.scenes import found, opened

pytestmark = pytest.mark.anyio

JOBS = [
    {"title": f"Clerk {n}", "country": ["TW", "US", "DE"][n % 3], "workplace": ["remote", "on_site"][n % 2],
     "skills": ["filing", "typing"][: n % 3]} for n in range(12)
]  # fmt: skip


def counts(body: dict[str, Any], name: str) -> dict[str, int]:
    return {each["value"]: each["count"] for each in body["search"]["facets"][name]}


async def test_values_are_counted_the_most_frequent_first(cast: Cast) -> None:
    await opened(cast, JOBS)
    body = await found(cast.nobody, "facets=country,skills&limit=1")
    assert counts(body, "country") == {"TW": 4, "US": 4, "DE": 4}
    assert list(counts(body, "skills").items()) == [("filing", 8), ("typing", 4)]


async def test_a_facet_respects_all_filters_but_its_own(cast: Cast) -> None:
    await opened(cast, JOBS)
    body = await found(cast.nobody, "facets=country,workplace&workplace=remote")
    assert counts(body, "country") == {"TW": 2, "US": 2, "DE": 2}
    assert counts(body, "workplace") == {"remote": 6, "on_site": 6}


async def test_words_narrow_what_is_counted(cast: Cast) -> None:
    await opened(cast, [*JOBS, {"title": "Nurse", "country": "FR"}])
    assert counts(await found(cast.nobody, "q=nurse&facets=country"), "country") == {"FR": 1}


async def test_a_first_page_is_counted_in_one_turn_with_its_hits_and_a_later_one_alike(
    cast: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    await opened(cast, [{"title": "Clerk", "city": city} for city in ("Taipei", "Taipei", "Tainan")])
    turns: list[str] = []
    run = Engine.run

    async def noted(engine: Engine, noun: str, search: Any, text: str | None = None) -> Any:
        turns.append(noun)
        return await run(engine, noun, search, text)

    monkeypatch.setattr(Engine, "run", noted)
    first = await found(cast.nobody, "q=clerk&limit=2&facets=city,country")
    assert turns == ["jobs"]
    second = await found(cast.nobody, f"q=clerk&limit=2&facets=city,country&cursor={first['page']['next']}")
    assert first["search"]["facets"]["city"] == [{"value": "Taipei", "count": 2}, {"value": "Tainan", "count": 1}]
    assert second["search"]["facets"] == first["search"]["facets"]


async def test_where_any_word_is_enough_to_find_it_is_enough_to_be_counted(cast: Cast) -> None:
    await opened(cast, [{"title": "Clerk", "city": "Taipei"}, {"title": "Nurse", "city": "Tainan"}])
    body = await found(cast.nobody, "q=clerk+nurse&facets=city")
    assert body["search"]["any_word"]
    assert {each["value"]: each["count"] for each in body["search"]["facets"]["city"]} == {"Taipei": 1, "Tainan": 1}


async def test_a_time_is_counted_by_how_long_ago_it_is(cast: Cast) -> None:
    await opened(cast, [{"posted_at": "2020-01-01T00:00:00Z"}, {}, {}])
    ago = counts(await found(cast.nobody, "facets=posted_at"), "posted_at")
    assert (ago["1d"], ago["90d"]) == (2, 2)


async def test_an_id_has_the_name_of_its_row_as_a_label(cast: Cast) -> None:
    organization = await opened(cast, JOBS)
    (value,) = (await found(cast.nobody, "facets=organization_id"))["search"]["facets"]["organization_id"]
    assert value == {"value": organization["id"], "count": 12, "label": organization["name"]}


@pytest.mark.parametrize("query", ["", "&q=clerk", "&q=clerk&workplace=remote", "&country=TW", "&skills[in]=filing"])
async def test_the_database_counts_the_same_as_the_index(cast: Cast, query: str) -> None:
    await opened(cast, JOBS)
    asked = f"facets=country,workplace,skills,posted_at,organization_id{query}"
    by_index = await found(cast.nobody, asked)
    in_trash = await found(cast.nobody, f"{asked}&title[contains]=clerk")  # what the index cannot judge
    for name, values in by_index["search"]["facets"].items():
        others = in_trash["search"]["facets"][name]
        key = lambda each: str(each["value"])  # noqa: E731
        assert sorted(values, key=key) == sorted(others, key=key), name


async def test_nothing_is_told_in_the_counts_of_rows_out_of_sight(cast: Cast) -> None:
    organization = await opened(cast, JOBS)
    await cast.ada.post("/v1/jobs", {"organization_id": organization["id"], "title": "Spy", "country": "RU"})
    body = await found(cast.nobody, "facets=country")
    assert "RU" not in counts(body, "country")
