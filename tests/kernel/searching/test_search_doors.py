"""Searching everything at once, and completion."""

from typing import Any
from urllib.parse import quote

import pytest

from guildhouse.kernel.searching.finding import Finding
from guildhouse.kernel.searching.search_doors import fitness
from guildhouse.kernel.searching.tokens import stems
from tests.cast import Cast
from tests.kernel.searching.scenes import opened

pytestmark = pytest.mark.anyio

JOBS = [
    {"title": "Registered nurse", "skills": ["Python", "PostgreSQL"], "city": "Taipei"},
    {"title": "Registrar", "city": "Tainan"},
    {"title": "Registrar", "city": "Tainan"},
    {"title": "\u8b77\u7406\u5e2b"},
]


async def test_everything_is_found_at_once_noun_by_noun(cast: Cast) -> None:
    organization = await opened(cast, [*JOBS, {"title": "Engineer of engines"}])
    body = (await cast.ada.get(f"/v1/search?q={quote(organization['name'])}")).json()
    kinds = {each["kind"]: each for each in body["data"]}
    hit = kinds["organizations"]["hits"][0]
    assert (hit["title"], hit["url"]) == (organization["name"], f"/v1/organizations/{organization['id']}")
    assert hit["highlights"]["name"]["marks"]
    assert kinds["jobs"]["more"].startswith("/v1/jobs?q=")
    assert body["engine"] == "index"


async def test_of_a_noun_that_has_nothing_no_row_is_asked_for(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    await opened(cast, [{"title": "Cartographer"}])
    asked: list[str] = []
    find_best = Finding.find_best

    async def noted(finding: Finding, ranking: Any) -> Any:
        asked.append(finding.resource.name)
        return await find_best(finding, ranking)

    monkeypatch.setattr(Finding, "find_best", noted)
    answer = await cast.ada.get("/v1/search?q=cartographer")
    assert [each["kind"] for each in answer.json()["data"]] == ["jobs"]
    assert (asked, answer.headers["total-count"]) == (["jobs"], "1")
    nothing = await cast.ada.get("/v1/search?q=cartograhper+zeppelin&kinds=people")
    assert (nothing.json()["data"], nothing.headers["total-count"]) == ([], "0")


async def test_what_is_called_so_comes_before_what_speaks_of_it(cast: Cast) -> None:
    rows = [{"title": "Ada expert", "description": "Ada, Ada and Byron's Engines."}, {"title": "Ada developer in Ada"}]
    organization = await opened(cast, [*rows, *JOBS])

    async def kinds(text: str) -> list[str]:
        body = (await cast.otto.get(f"/v1/search?q={quote(text)}&kinds=jobs,people,organizations")).json()
        return [each["kind"] for each in body["data"]]

    assert (await kinds(organization["name"]))[0] == "organizations"
    assert (await kinds(cast.ada.name))[0] == "people"
    assert (await kinds("Tainan registrar"))[0] == "jobs"


@pytest.mark.parametrize(
    ("title", "typed", "said"),
    [
        ("Ada Byron", "ada", 0.5), ("Ada Byron", "byron ada", 1.0), ("Tacoma Teachers Guild", "teacher", 0.0),
        ("王小明", "王小明", 1.0), ("", "ada", 0.0),
    ],
)  # fmt: skip
def test_whoever_types_half_of_a_title_means_it(title: str, typed: str, said: float) -> None:
    assert fitness({"title": title, "score": 7.0}, stems(typed)) == (said, 7.0)


async def test_kinds_narrow_it_and_those_that_one_may_not_read_are_unknown(cast: Cast) -> None:
    await opened(cast, JOBS)
    body = (await cast.nobody.get("/v1/search?q=nurse&kinds=jobs")).json()
    assert [each["kind"] for each in body["data"]] == ["jobs"]
    for kind in ("people", "sessions", "nothing"):
        response = await cast.nobody.get(f"/v1/search?q=nurse&kinds={kind}")
        assert (response.status_code, response.json()["code"]) == (400, "unknown-kind")


@pytest.mark.parametrize("query", ["q=nurse&limit=0", "q=nurse&limit=x", "q=nurse&page=2", ""])
async def test_what_it_does_not_know_is_refused(cast: Cast, query: str) -> None:
    assert (await cast.nobody.get(f"/v1/search?{query}")).status_code == 400


async def test_titles_are_completed_word_by_word_with_how_many_there_are(cast: Cast) -> None:
    await opened(cast, JOBS)
    body = (await cast.nobody.get("/v1/search/suggest?q=regist&kinds=jobs")).json()["data"]
    assert [(each["text"], each["count"]) for each in body] == [("Registrar", 2), ("Registered nurse", 1)]
    body = (await cast.nobody.get("/v1/search/suggest?q=nurse+reg&kinds=jobs")).json()["data"]
    assert [each["text"] for each in body] == ["Registered nurse"]


async def test_skills_places_and_chinese_are_completed(cast: Cast) -> None:
    await opened(cast, JOBS)

    async def texts(text: str) -> list[tuple[str, str]]:
        body = (await cast.nobody.get(f"/v1/search/suggest?q={quote(text)}&kinds=jobs")).json()["data"]
        return [(each["field"], each["text"]) for each in body]

    assert await texts("p") == [("skills", "PostgreSQL"), ("skills", "Python")]
    assert await texts("tai") == [("city", "Tainan"), ("city", "Taipei")]
    assert ("title", "\u8b77\u7406\u5e2b") in await texts("\u8b77\u7406")
    assert await texts("") == []


async def test_a_person_out_of_sight_is_not_suggested(cast: Cast) -> None:
    await cast.ada.patch(f"/v1/people/{cast.ada.id}", {"name": "Zenobia", "listed": False})
    written = await cast.ben.patch(f"/v1/people/{cast.ben.id}", {"name": "Zebedee"})
    position = written.headers["log-position"]
    await cast.ben.get("/v1/people?q=ze", wait_for=position)
    body = (await cast.cleo.get("/v1/search/suggest?q=ze&kinds=people")).json()["data"]
    assert [(each["text"], each["count"]) for each in body] == [("Zebedee", 1)]


async def test_what_was_meant_is_never_a_word_out_of_sight(cast: Cast) -> None:
    patched = await cast.ada.patch(
        f"/v1/people/{cast.ada.id}", {"headline": "Archaeologist", "audience": {"headline": "me"}}
    )
    position = patched.headers["log-position"]
    mine = (await cast.ada.get("/v1/people?q=archaeologst", wait_for=position)).json()["search"]
    others = (await cast.cleo.get("/v1/people?q=archaeologst", wait_for=position)).json()["search"]
    assert mine["did_you_mean"] == "archaeologist"
    assert others["did_you_mean"] is None


@pytest.mark.parametrize("door", ["search?q=registrar", "search/suggest?q=registr"])
async def test_an_answer_is_kept_until_something_in_sight_changes(cast: Cast, door: str) -> None:
    organization = await opened(cast, JOBS)
    first = await cast.nobody.get(f"/v1/{door}&kinds=jobs")
    kept = cast.server.search.answers.found
    again = await cast.nobody.get(f"/v1/{door}&kinds=jobs")
    assert (again.content, cast.server.search.answers.found) == (first.content, kept + 1)
    known = await cast.nobody.get(f"/v1/{door}&kinds=jobs", if_none_match=first.headers["etag"])
    assert (known.status_code, known.content) == (304, b"")
    values = {"organization_id": organization["id"], "title": "Registrar of ships", "status": "open"}
    written = await cast.ada.post("/v1/jobs", values)
    position = written.headers["log-position"]
    new = await cast.nobody.get(f"/v1/{door}&kinds=jobs", if_none_match=first.headers["etag"], wait_for=position)
    assert "Registrar of ships" in new.text
