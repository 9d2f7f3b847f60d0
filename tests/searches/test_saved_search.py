"""Saved searches: one's own, and checked as the list checks what it is asked."""

import pytest

from guildhouse.searches import saved_search
from tests.cast import Cast
from tests.organizations.scenes import Wrote, ids, refusal
from tests.searches.looking import saved

pytestmark = pytest.mark.anyio


async def test_a_saved_search_is_its_persons_own(cast: Cast) -> None:
    made = await saved(cast.cleo, status="open", country="TW")
    assert (made["person_id"], made["status"], made["alert"]) == (cast.cleo.id, "active", "none")
    for other in (cast.ada, cast.otto):
        assert ids(await other.get("/v1/saved-searches")) == []
        assert (await other.get(f"/v1/saved-searches/{made['id']}")).status_code == 404
        assert (await other.post(f"/v1/saved-searches/{made['id']}/pause")).status_code == 404
    assert (await cast.nobody.get("/v1/saved-searches")).status_code == 401


async def test_its_address_runs_it(cast: Cast) -> None:
    made = await saved(
        cast.cleo, **{"status": "open", "salary_max[gte]": "50000", "city": "臺北 & more", "sort": "title"}
    )
    assert made["query"] == {"status": "open", "salary_max[gte]": "50000", "city": "臺北 & more", "sort": "title"}
    answer = await cast.cleo.get(made["address"])
    assert (answer.status_code, answer.json()["data"]) == (200, [])
    assert (await saved(cast.cleo))["address"] == "/v1/jobs"
    assert (await saved(cast.cleo, "saved-searches"))["resource"] == "saved_searches"


async def test_equal_questions_have_equal_addresses(cast: Cast) -> None:
    first = await saved(cast.cleo, status="open", country="TW")
    second = await saved(cast.ben, country="TW", status="open")
    assert first["address"] == second["address"] == "/v1/jobs?country=TW&status=open"


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ({"colour": "red"}, "/query/colour", "unknown-parameter"),
        ({"status": "opne"}, "/query/status", "wrong-filter-value"),
        ({"salary_max[gte]": "much"}, "/query/salary_max[gte]", "wrong-filter-value"),
        ({"salary_max[like]": "1"}, "/query/salary_max[like]", "wrong-operator"),
        ({"posted_at[within]": "soon"}, "/query/posted_at[within]", "wrong-filter-value"),
        ({"sort": "colour"}, "/query/sort", "unknown-sort"),
        ({"limit": "5"}, "/query/limit", "unknown-parameter"),
        ({"near": "Nowhere at all", "radius": "5km"}, "/query/near", "unknown-place"),
        ({"near": "25.03,121.56", "radius": "far"}, "/query/radius", "wrong-radius"),
        ({"near": "25.03,121.56", "remote": "maybe"}, "/query/remote", "wrong-remote"),
        ({"radius": "5km"}, "/query/radius", "near-is-missing"),
        ({"pay[gte]": "50000"}, "/query/pay[gte]", "half-measure"),
        ({"pay[gte]": "much", "pay_in": "USD/year"}, "/query/pay[gte]", "wrong-filter-value"),
        ({"sort": "distance"}, "/query/sort", "unknown-sort"),
        ({"cursor": "x"}, "/query/cursor", "unknown-parameter"),
        ({"a/b~c": "x"}, "/query/a~1b~0c", "unknown-parameter"),
        ({"title": "a\0b"}, None, "wrong-json"),
    ],
)
async def test_what_the_list_would_refuse_is_refused_at_its_place(
    cast: Cast, query: dict[str, str], pointer: str | None, code: str
) -> None:
    response = await cast.cleo.post("/v1/saved-searches", {"name": "x", "resource": "jobs", "query": query})
    if pointer is None:
        assert refusal(response) == (400, code)
        return
    assert refusal(response) == (422, "invalid")
    assert [(each["pointer"], each["code"]) for each in response.json()["errors"]] == [(pointer, code)]
    assert response.json()["errors"][0]["detail"]


async def test_all_faults_are_told_at_once_and_in_the_callers_language(cast: Cast) -> None:
    body = {"name": "x", "resource": "jobs", "query": {"colour": "red", "status": "opne", "country": "TW"}}
    response = await cast.cleo.post("/v1/saved-searches", body, accept_language="zh-TW")
    faults = response.json()["errors"]
    assert [each["pointer"] for each in faults] == ["/query/colour", "/query/status"]
    assert all(any("\u4e00" <= sign <= "\u9fff" for sign in each["detail"]) for each in faults)


async def test_only_lists_that_people_look_into_can_be_kept(cast: Cast) -> None:
    for noun in ("sessions", "operations", "search-matches", "nothing", ""):
        response = await cast.cleo.post("/v1/saved-searches", {"name": "x", "resource": noun})
        assert refusal(response) == (422, "invalid"), noun
        assert response.json()["errors"][0]["pointer"] == "/resource"
    narrow = await cast.cleo.made("/v1/api-keys", {"name": "k", "permissions": ["saved_searches.*"]})
    by_key = {"authorization": f"Bearer {narrow['key']}"}
    response = await cast.nobody.client.post(
        "/v1/saved-searches", json={"name": "x", "resource": "jobs"}, headers=by_key
    )
    assert refusal(response) == (403, "denied")


async def test_a_change_of_the_query_is_merged_and_checked(cast: Cast) -> None:
    made = await saved(cast.cleo, status="open", country="TW")
    address = f"/v1/saved-searches/{made['id']}"
    changed = (await cast.cleo.patch(address, {"query": {"country": None, "city": "Tainan"}})).json()
    assert changed["query"] == {"status": "open", "city": "Tainan"}
    assert changed["address"] == "/v1/jobs?city=Tainan&status=open"
    assert refusal(await cast.cleo.patch(address, {"query": {"city[gte]": "x", "x": "y"}})) == (422, "invalid")
    undone = (await cast.cleo.post(f"{address}/undo")).json()
    assert (undone["query"], undone["address"]) == (made["query"], made["address"])


async def test_it_pauses_and_resumes(cast: Cast, wrote: Wrote) -> None:
    made = await saved(cast.cleo, status="open")
    address = f"/v1/saved-searches/{made['id']}"
    assert (await cast.cleo.made(f"{address}/pause", {}))["status"] == "paused"
    assert (await cast.cleo.made(f"{address}/pause", {}))["version"] == 2
    assert (await cast.cleo.made(f"{address}/resume", {}))["status"] == "active"
    assert refusal(await cast.cleo.post(f"{address}/resume")) == (403, "denied")
    await wrote("saved_search.created", "saved_search.paused", "saved_search.resumed")


async def test_a_person_keeps_so_many_and_no_more(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_search, "MOST", 2)
    first, _ = await saved(cast.cleo), await saved(cast.cleo)
    body = {"name": "one more", "resource": "jobs"}
    assert refusal(await cast.cleo.post("/v1/saved-searches", body)) == (409, "too-many-saved-searches")
    await saved(cast.ben)
    await cast.cleo.delete(f"/v1/saved-searches/{first['id']}")
    await cast.cleo.made("/v1/saved-searches", body)
    restore = f"/v1/saved-searches/{first['id']}/restore"
    assert refusal(await cast.cleo.post(restore)) == (409, "too-many-saved-searches")


@pytest.mark.parametrize(
    ("query", "pointer", "code"),
    [
        ({"q": "x" * 1_001}, "/query/q", "query-too-long"),
        ({"q": "?!"}, "/query/q", "nothing-to-search"),
        ({"sort": "relevance"}, "/query/sort", "nothing-to-rank"),
        ({"q": "nurse", "facets": "country"}, "/query/facets", "unknown-parameter"),
        ({"q": "nurse", "colour": "red"}, "/query/colour", "unknown-parameter"),
    ],
)
async def test_words_are_checked_as_the_search_checks_them(
    cast: Cast, query: dict[str, str], pointer: str, code: str
) -> None:
    response = await cast.cleo.post("/v1/saved-searches", {"name": "x", "resource": "jobs", "query": query})
    assert refusal(response) == (422, "invalid")
    assert [(each["pointer"], each["code"]) for each in response.json()["errors"]] == [(pointer, code)]


async def test_words_need_a_list_that_has_text(cast: Cast) -> None:
    made = await saved(cast.cleo, q="nurse -night", sort="relevance")
    assert made["address"] == "/v1/jobs?q=nurse+-night&sort=relevance"
    assert (await cast.cleo.get(made["address"])).status_code == 200
    response = await cast.cleo.post("/v1/saved-searches", {"name": "x", "resource": "stages", "query": {"q": "x"}})
    assert [each["pointer"] for each in response.json()["errors"]] == ["/query/q"]


async def test_a_batch_keeps_so_many_and_no_more(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(saved_search, "MOST", 2)
    ops = [{"op": "create", "data": {"name": f"No. {n}", "resource": "jobs"}} for n in range(4)]
    answer = await cast.cleo.made("/v1/saved-searches:batch", {"ops": ops})
    found = [each.get("problem", {}).get("code") or each["status"] for each in answer["results"]]
    assert found == ["created", "created", "too-many-saved-searches", "too-many-saved-searches"]
