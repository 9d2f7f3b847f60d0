"""Lists that are searched, over HTTP."""

from typing import Any
from urllib.parse import quote

import pytest

from guildhouse.kernel.searching.search_index import SearchIndex
from tests.cast import Cast
from tests.kernel.searching.scenes import add, found, indexed, opened, titles

pytestmark = pytest.mark.anyio

JOBS = [
    {"title": "Registered nurse", "description": "Care for patients at night.", "skills": ["triage"], "country": "TW"},
    {"title": "Ward clerk", "description": "Help every nurse of the ward.", "country": "US", "workplace": "on_site"},
    {"title": "Software engineer", "description": "Build engines of search in Python.", "skills": ["Python", "SQL"]},
    {"title": "後端工程師", "description": "機器學習與資料庫，軟體開發", "city": "台北"},
    {"title": "Night watch", "description": "Registered guards only.", "workplace": "remote"},
]  # fmt: skip


async def test_a_word_in_the_title_comes_before_one_in_the_text(cast: Cast) -> None:
    await opened(cast, JOBS)
    assert await titles(cast.nobody, "q=nurses") == ["Registered nurse", "Ward clerk"]


async def test_one_word_alone_finds_titles_with_it_before_those_with_another_of_its_stem(cast: Cast) -> None:
    await opened(
        cast, [{"title": "Development officer"}, {"title": "Senior lead developer"}, {"title": "Mechanical aid"}]
    )
    assert await titles(cast.nobody, "q=developers") == ["Senior lead developer", "Development officer"]
    assert await titles(cast.nobody, "q=development") == ["Development officer", "Senior lead developer"]
    assert await titles(cast.nobody, "q=mechanic") == ["Mechanical aid"]


EVERYDAY = [
    "公車司機",
    "Truck driver",
    "Chauffeur",
    "國小教師",
    "Math instructor",
    "High school teacher",
    "英文老師",
    "Line cook",
]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        ("driver", {"公車司機", "Truck driver", "Chauffeur"}), ("司机", {"公車司機", "Truck driver", "Chauffeur"}),
        ("trucker", {"Truck driver"}), ("老師", {"國小教師", "Math instructor", "High school teacher", "英文老師"}),
        ("educators", {"國小教師", "Math instructor", "High school teacher", "英文老師"}), ("chef", {"Line cook"}),
        ("math teacher", {"Math instructor"}), ("公車 driver", {"公車司機"}),
    ],
)  # fmt: skip
async def test_everyday_words_find_their_kin_in_both_languages(cast: Cast, words: str, wanted: set[str]) -> None:
    await opened(cast, [{"title": each} for each in EVERYDAY])
    body = await found(cast.nobody, f"q={quote(words)}")
    assert {row["title"] for row in body["data"]} == wanted
    assert body["search"]["did_you_mean"] is None


async def test_a_word_that_the_vocabulary_knows_is_no_typing_error(cast: Cast) -> None:
    await opened(cast, [{"title": "Mail carrier"}, {"title": "Room attendant"}])
    body = await found(cast.nobody, "q=maid")
    assert [row["title"] for row in body["data"]] == ["Room attendant"]
    assert body["search"]["did_you_mean"] is None


async def test_of_two_words_both_are_needed_and_of_more_all_but_one(cast: Cast) -> None:
    await opened(cast, JOBS)
    assert await titles(cast.nobody, "q=registered+nurse") == ["Registered nurse"]
    assert "Registered nurse" in await titles(cast.nobody, "q=registered+nurse+somewhere")


async def test_where_no_row_has_enough_of_the_words_any_is_enough(cast: Cast) -> None:
    await opened(cast, JOBS)
    body = await found(cast.nobody, "q=python+triage")
    assert {row["title"] for row in body["data"]} == {"Software engineer", "Registered nurse"}
    assert body["search"]["any_word"] is True


async def test_phrases_exclusions_columns_beginnings_and_alternatives(cast: Cast) -> None:
    await opened(cast, JOBS)
    assert await titles(cast.nobody, 'q="registered guards"') == ["Night watch"]
    assert await titles(cast.nobody, 'q="guards registered"') == []
    assert await titles(cast.nobody, "q=nurse+-clerk") == ["Registered nurse"]
    assert await titles(cast.nobody, "q=title:nurse") == ["Registered nurse"]
    assert await titles(cast.nobody, "q=description:nurse") == ["Ward clerk"]
    assert await titles(cast.nobody, 'q=description:"every nurse"') == ["Ward clerk"]
    assert await titles(cast.nobody, "q=softw*") == ["Software engineer"]
    assert set(await titles(cast.nobody, "q=python+OR+guards")) == {"Software engineer", "Night watch"}


@pytest.mark.parametrize("word", ["工程師", "工程师", "機器學習", "机器学习", "软件", "台北", "臺北"])
async def test_chinese_is_found_in_either_script(cast: Cast, word: str) -> None:
    await opened(cast, JOBS)
    assert (await titles(cast.nobody, f"q={quote(word)}"))[0] == "後端工程師"


async def test_a_typing_error_finds_what_was_meant_and_says_so(cast: Cast) -> None:
    await opened(cast, JOBS)
    body = await found(cast.nobody, "q=sofware")
    assert [row["title"] for row in body["data"]] == ["Software engineer"]
    assert body["search"]["did_you_mean"] == "software"


async def test_a_letter_that_should_be_double_is_an_error_though_the_word_has_the_stem_of_others(cast: Cast) -> None:
    await opened(
        cast, [*[{"title": "Program manager"}] * 2, {"title": "Senior programmer"}, {"title": "Baggage handler"}]
    )
    body = await found(cast.nobody, "q=programer&highlights=true")
    assert body["search"]["did_you_mean"] == "programmer"
    assert [row["title"] for row in body["data"]] == ["Senior programmer", "Program manager", "Program manager"]
    assert body["search"]["hits"][0]["highlights"]["title"]["marks"] == [[7, 17]]
    assert (await found(cast.nobody, "q=senior+programer"))["search"]["did_you_mean"] == "senior programmer"
    assert (await found(cast.nobody, "q=bagage"))["search"]["did_you_mean"] == "baggage"
    for right in ("program", "programs", "programmers", '"programer"', "manager", "-programer+manager"):
        assert (await found(cast.nobody, f"q={quote(right)}"))["search"]["did_you_mean"] is None, right


async def test_what_is_one_word_of_the_dictionary_and_nobody_wrote_so_is_looked_for_in_parts(cast: Cast) -> None:
    rows = [{"title": "護理師", "city": "台北"}, {"title": "護理師", "city": "高雄"}, {"title": "廚師", "city": "台北"}]
    await opened(cast, rows)
    assert [row["city"] for row in (await found(cast.nobody, f"q={quote('台北護理師')}"))["data"]] == ["台北"]
    assert await titles(cast.nobody, f"q={quote('人力資源')}") == []


async def test_a_town_is_found_by_its_name_in_the_other_language(cast: Cast) -> None:
    await opened(
        cast,
        [
            {"title": "Nurse", "city": "Taipei"},
            {"title": "護理師", "city": "台北"},
            {"title": "Cook", "city": "Tainan"},
        ],
    )
    for words in ("台北", "臺北", "taipei", "台北 nurse", "taipei 護士"):
        assert set(await titles(cast.nobody, f"q={quote(words)}")) == {"Nurse", "護理師"}, words


async def test_of_its_parts_any_is_enough_where_no_row_has_both(cast: Cast) -> None:
    await opened(cast, [{"title": "護理師", "city": "高雄"}, {"title": "廚師", "city": "台北"}, {"title": "木工"}])
    assert set(await titles(cast.nobody, f"q={quote('台北護理師')}")) == {"護理師", "廚師"}


async def test_it_before_a_word_is_information_technology(cast: Cast) -> None:
    await opened(
        cast, [{"title": "IT specialist"}, {"title": "Paralegal specialist", "description": "We like it here."}]
    )
    for words in ("it specialist", "IT specialist", "specialist it"):
        assert (await titles(cast.nobody, f"q={quote(words)}"))[0] == "IT specialist", words
    assert await titles(cast.nobody, "q=it+paralegal") == ["Paralegal specialist"]


@pytest.mark.parametrize("typed", ["attorny", "attorneey", "manger"])
async def test_an_error_that_leaves_another_stem_is_forgiven_too(cast: Cast, typed: str) -> None:
    wanted = ["Trial attorney"] if typed.startswith("a") else ["Office manager"]
    await opened(cast, [{"title": "Trial attorney"}, {"title": "Office manager"}])
    assert await titles(cast.nobody, f"q={typed}") == wanted


async def test_what_may_be_meant_ends_as_the_typed_word_does_and_every_word_of_the_query_is_put_right(
    cast: Cast,
) -> None:
    titles_ = ["Electrician", *["Electrical engineer"] * 3, "Software engineer"]
    await opened(cast, [{"title": each} for each in titles_])
    for typed, meant in (("electrican", "electrician"), ("sofware+enginer", "software engineer")):
        assert (await found(cast.nobody, f"q={typed}"))["search"]["did_you_mean"] == meant


async def test_nothing_else_is_meant_where_filters_leave_no_row_that_has_the_words(cast: Cast) -> None:
    await opened(cast, [{"title": "Engineer"}, {"title": "Engineers"}, {"title": "Engines"}])
    for word in ("engineer", "engineers"):
        body = await found(cast.nobody, f"q={word}&country=TW")
        assert (body["data"], body["search"]["did_you_mean"]) == ([], None)


async def test_words_that_come_near_are_marked_and_come_first_in_a_title(cast: Cast) -> None:
    await opened(cast, [{"title": "Clerk", "description": "Helps the accountant."}, {"title": "Accountant"}])
    body = await found(cast.nobody, "q=acountant&highlights=true&fields=title")
    assert [row["title"] for row in body["data"]] == ["Accountant", "Clerk"]
    first, second = (each["highlights"] for each in body["search"]["hits"])
    assert first["title"]["marks"] == [[0, 10]] and second["description"]["marks"] == [[10, 20]]


async def test_the_word_itself_comes_before_other_words_for_it_however_rare_these_are(cast: Cast) -> None:
    rows = [{"title": "會計 A"}, *({"title": f"Accountant {n}"} for n in range(9)), {"title": "Software developer"}]
    await opened(cast, [*rows, *({"title": f"Software engineer {n}"} for n in range(3))])
    assert (await titles(cast.nobody, "q=accountant"))[-1] == "會計 A"
    assert (await titles(cast.nobody, "q=software+engineer"))[-1] == "Software developer"


async def test_units_and_tags_are_searched_and_a_chinese_place_in_its_column(cast: Cast) -> None:
    await opened(
        cast, [{"title": "Clerk", "unit": "Census Bureau", "tags": ["veterans"]}, {"title": "Cook", "city": "高雄"}]
    )
    for query in ("census+bureau", "veterans", "unit:census", "tags:veteran"):
        assert await titles(cast.nobody, f"q={query}") == ["Clerk"]
    for query in ("高雄", "city:高雄", "city:高雄 cook"):
        assert await titles(cast.nobody, f"q={quote(query)}") == ["Cook"]


async def test_filters_of_every_operator_go_with_words(cast: Cast) -> None:
    pay = {"salary_currency": "TWD", "salary_period": "month"}
    rows = [{"title": f"Clerk {n}", "salary_max": n, "country": "TW" if n % 2 else "US", **pay} for n in range(1, 6)]
    await opened(cast, [{**row, "skills": ["a", "b"] if n < 2 else []} for n, row in enumerate(rows)])

    async def which(query: str) -> str:
        return "".join(sorted(title[-1] for title in await titles(cast.nobody, f"q=clerk&{query}")))

    assert await which("salary_max[gte]=3") == "345"
    assert await which("salary_max[gt]=3") == "45"
    assert await which("salary_max[lt]=3") == "12"
    assert await which("salary_max[lte]=3") == "123"
    assert await which("salary_max=3") == "3"
    assert await which("salary_max[ne]=3") == "1245"
    assert await which("salary_max[in]=1,5") == "15"
    assert await which("salary_max[nin]=1,5") == "234"
    assert await which("salary_max[between]=2,4") == "234"
    assert await which("country=TW") == "135"
    assert await which("country[ne]=TW") == "24"
    assert await which("country[in]=TW,US") == "12345"
    assert await which("country[nin]=TW") == "24"
    assert await which("country[isnull]=true") == ""
    assert await which("salary_min[isnull]=true") == "12345"
    assert await which("salary_min[isnull]=false") == ""
    assert await which("skills[contains]=a,b") == "12"
    assert await which("skills[in]=b,c") == "12"
    assert await which("posted_at[within]=1d") == "12345"
    assert await which("title[contains]=erk%204") == "4"
    assert await which("title[startswith]=clerk%205") == "5"


async def test_words_with_an_order_are_sorted_by_it(cast: Cast) -> None:
    rows = [{"title": f"Clerk {n}", "posted_at": f"2026-01-0{n}T00:00:00Z"} for n in (3, 1, 4, 2)]
    await opened(
        cast,
        [{**row, "closes_on": f"2030-01-0{row['title'][-1]}"} if row["title"] > "Clerk 2" else row for row in rows],
    )
    assert await titles(cast.nobody, "q=clerk&sort=-posted_at") == ["Clerk 4", "Clerk 3", "Clerk 2", "Clerk 1"]
    assert await titles(cast.nobody, "q=clerk&sort=posted_at") == ["Clerk 1", "Clerk 2", "Clerk 3", "Clerk 4"]
    assert await titles(cast.nobody, "q=clerk&sort=-title") == ["Clerk 4", "Clerk 3", "Clerk 2", "Clerk 1"]
    assert (await titles(cast.nobody, "q=clerk&sort=closes_on"))[:2] == ["Clerk 3", "Clerk 4"]
    assert len(await titles(cast.nobody, "q=clerk&sort=relevance")) == 4


@pytest.mark.parametrize("order", ["posted_at", "-posted_at", "-posted_at,id", "salary_max,-title", "-salary_max"])
async def test_rows_of_one_value_stand_as_in_the_list_without_words(cast: Cast, order: str) -> None:
    day, pay = "2026-01-0{}T00:00:00Z", {"salary_min": 1, "salary_currency": "TWD", "salary_period": "month"}
    rows = [{"title": f"Clerk {n}", "posted_at": day.format(1 + n % 2)} for n in range(12)]
    await opened(cast, [{**row, **({**pay, "salary_max": n % 3 + 1} if n % 4 else {})} for n, row in enumerate(rows)])
    listed = await titles(cast.nobody, f"sort={order}")
    assert len(listed) == 12
    assert await titles(cast.nobody, f"q=clerk&sort={order}") == listed
    first = await found(cast.nobody, f"q=clerk&limit=5&sort={order}")
    rest = await titles(cast.nobody, f"q=clerk&limit=5&sort={order}&cursor={first['page']['next']}")
    assert [row["title"] for row in first["data"]] + rest == listed[:10]


async def test_a_row_that_moved_in_the_order_is_shown_once_by_an_index_that_is_behind(cast: Cast) -> None:
    organization = await opened(cast, [])
    rows = [{"title": f"Clerk {n}", "posted_at": f"2026-01-0{n}T00:00:00Z"} for n in (1, 2, 3)]
    first, *_ = await add(cast, organization, rows)
    pool = cast.server.database.pool
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute("SET LOCAL session_replication_role = replica")  # neither log nor index hear of it
        await connection.execute("UPDATE jobs SET posted_at = '2026-02-01' WHERE id = $1", first)
        await connection.execute("UPDATE jobs SET scopes = '{nobody}' WHERE title = 'Clerk 2'")
    assert sorted(await titles(cast.nobody, "q=clerk&sort=-posted_at")) == ["Clerk 1", "Clerk 3"]


@pytest.mark.parametrize("order", ["", "&sort=-posted_at"])
async def test_the_further_one_turns_the_more_hits_are_ranked_and_each_comes_once(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, order: str
) -> None:
    monkeypatch.setattr("guildhouse.kernel.searching.finding.FIRST", 2)
    monkeypatch.setattr("guildhouse.kernel.searching.finding.FURTHER", 2)
    asked: list[int] = []
    search = SearchIndex.search

    def noted(index: SearchIndex, query: Any, limit: int, *others: Any) -> Any:
        asked.append(limit)
        return search(index, query, limit, *others)

    monkeypatch.setattr(SearchIndex, "search", noted)
    await opened(cast, [{"title": f"Clerk {n:02}"} for n in range(15)])
    body = await found(cast.nobody, f"q=clerk&limit=2{order}")
    seen = [row["title"] for row in body["data"]]
    while body["page"]["next"]:
        body = await found(cast.nobody, f"q=clerk&limit=2{order}&cursor={body['page']['next']}")
        seen += [row["title"] for row in body["data"]]
    assert sorted(seen) == [f"Clerk {n:02}" for n in range(15)]
    assert asked == [4, 8, 16]


@pytest.mark.parametrize("order", ["", "&sort=-posted_at", "&sort=title"])
async def test_pages_are_walked_whole_while_rows_are_written(cast: Cast, order: str) -> None:
    organization = await opened(cast, [{"title": f"Clerk {n:03}"} for n in range(260)])
    seen: list[str] = []
    body = await found(cast.nobody, f"q=clerk&limit=50{order}")
    while True:
        seen += [row["title"] for row in body["data"]]
        await add(cast, organization, [{"title": "Clerk of the new", "description": "clerk " * 20}])
        if not body["page"]["next"]:
            break
        body = await found(cast.nobody, f"q=clerk&limit=50{order}&cursor={body['page']['next']}")
    old = [title for title in seen if title != "Clerk of the new"]
    assert sorted(old) == [f"Clerk {n:03}" for n in range(260)]


async def test_pages_go_on_where_the_ranking_is_not_kept_any_more(cast: Cast) -> None:
    await opened(cast, [{"title": f"Clerk {n}"} for n in range(12)])
    body = await found(cast.nobody, "q=clerk&limit=5")
    seen = [row["id"] for row in body["data"]]
    while body["page"]["next"]:
        cast.server.search.rankings.__init__()  # type: ignore[misc]
        body = await found(cast.nobody, f"q=clerk&limit=5&cursor={body['page']['next']}")
        seen += [row["id"] for row in body["data"]]
    assert len(seen) == len(set(seen)) == 12


async def test_one_goes_back_to_the_page_before(cast: Cast) -> None:
    await opened(cast, [{"title": f"Clerk {n}"} for n in range(9)])
    first = await found(cast.nobody, "q=clerk&limit=3")
    second = await found(cast.nobody, f"q=clerk&limit=3&cursor={first['page']['next']}")
    back = await found(cast.nobody, f"q=clerk&limit=3&cursor={second['page']['prev']}")
    assert back["data"] == first["data"]
    assert first["page"]["prev"] is None
    assert first["page"]["total"] == 9


async def test_a_cursor_of_a_search_is_of_no_use_elsewhere(cast: Cast) -> None:
    await opened(cast, [{"title": f"Clerk {n}"} for n in range(9)])
    body = await found(cast.nobody, "q=clerk&limit=3")
    for query in ("q=nurse&limit=3", "limit=3"):
        response = await cast.nobody.get(f"/v1/jobs?{query}&cursor={body['page']['next']}")
        assert (response.status_code, response.json()["code"]) == (400, "cursor-mismatch")


async def test_a_change_moves_a_row_in_and_out_of_what_is_found(cast: Cast) -> None:
    organization = await opened(cast, [])
    (job,) = await add(cast, organization, [{"title": "Nurse"}])
    changed = await cast.ada.patch(f"/v1/jobs/{job}", {"title": "Doctor"})
    position = changed.headers["log-position"]
    assert (await cast.nobody.get("/v1/jobs?q=nurse", wait_for=position)).json()["data"] == []
    assert [row["id"] for row in (await found(cast.nobody, "q=doctor"))["data"]] == [job]


async def test_what_one_wrote_one_finds_with_its_position(cast: Cast) -> None:
    organization = await opened(cast, [])
    for n in range(5):
        made = await cast.ada.post(
            "/v1/jobs", {"organization_id": organization["id"], "title": f"Nurse {n}", "status": "open"}
        )
        position = made.headers["log-position"]
        response = await cast.nobody.get("/v1/jobs?q=nurse&limit=200", wait_for=position)
        assert len(response.json()["data"]) == n + 1


async def test_a_row_that_moved_out_of_sight_is_not_shown_even_by_an_index_that_is_behind(cast: Cast) -> None:
    organization = await opened(cast, JOBS)
    nurse = (await found(cast.nobody, "q=registered+nurse"))["data"][0]
    statement = "UPDATE jobs SET scopes = ARRAY['organization:' || organization_id || ':members'] WHERE id = $1"
    pool = cast.server.database.pool
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            "SET LOCAL session_replication_role = replica"
        )  # behind the log's and the index's back
        await connection.execute(statement, nurse["id"])
    assert await titles(cast.nobody, "q=registered+nurse&limit=7") == []
    assert organization


async def test_highlights_say_where_the_words_are(cast: Cast) -> None:
    await opened(cast, JOBS)
    hit, _ = (await found(cast.nobody, "q=nurse&highlights=true&fields=id"))["search"]["hits"]
    title = hit["highlights"]["title"]
    assert [title["text"][low:high] for low, high in title["marks"]] == ["Registered nurse"]  # another name for a nurse
    assert hit["score"] > 0


async def test_other_formats_carry_the_rows_that_were_found(cast: Cast) -> None:
    await opened(cast, JOBS)
    for form in ("csv", "ndjson", "msgpack"):
        response = await cast.nobody.get(f"/v1/jobs?q=nurse&format={form}&fields=title")
        assert b"Registered nurse" in response.content
        assert response.headers["total-count"] == "2"
    exported = await cast.ada.get("/v1/jobs:export?q=nurse&format=csv&fields=title")
    assert set(exported.text.splitlines()) == {"title", "Registered nurse", "Ward clerk"}


async def test_what_is_done_to_many_rows_may_be_searched_for(cast: Cast) -> None:
    await opened(cast, JOBS)
    body = {"filter": {"q": "nurse"}, "op": "pause"}
    response = await cast.ada.post("/v1/jobs:batch", body, prefer="tx=rollback")
    assert response.json()["body"]["total"] == 2, response.text


async def test_a_list_without_text_knows_no_q(cast: Cast) -> None:
    response = await cast.ada.get("/v1/sessions?q=x")
    assert (response.status_code, response.json()["code"]) == (400, "unknown-parameter")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("q=", "nothing-to-search"),
        ("q=%F0%9F%98%80", "nothing-to-search"),
        ("sort=relevance", "nothing-to-rank"),
        ("highlights=true", "nothing-to-rank"),
        ("q=a&highlights=yes", "wrong-filter-value"),
        ("facets=title", "unknown-facet"),
        (f"q={'x' * 1001}", "query-too-long"),
        ("q=%00", "wrong-parameter"),
    ],
)
async def test_what_cannot_be_searched_is_refused_in_words(cast: Cast, query: str, code: str) -> None:
    response = await cast.nobody.get(f"/v1/jobs?{query}")
    assert (response.status_code, response.json()["code"]) == (400, code)


HOSTILE = [
    "+-&|!(){}[]^\"~*?:\\/", "((((((((((", '"' * 99, "title:" * 40, "*" * 50, "a* b* c* d*", "OR OR OR", "--------x",
        "(a+)+$ " * 20, "\u202e\u0645\u0631\u062d\u0628\u0627",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\U00020000\U0002ffff", "\u0301" * 30,
    "' OR 1=1 --", "\ud7ff", "x" * 999, "\u4e00" * 999, "title:\u4e00*", "-\u4e00 \u4e01", "scopes:public", "a\tb\nc",
]  # fmt: skip


@pytest.mark.parametrize("text", HOSTILE)
async def test_hostile_text_gives_results_or_a_clear_refusal(cast: Cast, text: str) -> None:
    for path in ("/v1/jobs?highlights=true&facets=country,posted_at&q=", "/v1/search?q=", "/v1/search/suggest?q="):
        response = await cast.nobody.get(f"{path}{quote(text)}")
        assert response.status_code in (200, 400), response.text


async def test_a_kept_answer_is_given_again_until_something_changes(cast: Cast) -> None:
    organization = await opened(cast, JOBS)
    kept = cast.server.search.answers
    before = kept.found
    first = await found(cast.nobody, "q=nurse&limit=9")
    assert await found(cast.nobody, "q=nurse&limit=9") == first
    assert kept.found == before + 1
    await add(cast, organization, [{"title": "Nurse of the new"}])
    assert len((await found(cast.nobody, "q=nurse&limit=9"))["data"]) == 3
    etag = (await cast.nobody.get("/v1/jobs?q=nurse&limit=9")).headers["etag"]
    assert (await cast.nobody.get("/v1/jobs?q=nurse&limit=9", if_none_match=etag)).status_code == 304


async def test_one_of_several_people_finds_others_by_what_they_let_them_see(cast: Cast) -> None:
    await cast.ada.patch(f"/v1/people/{cast.ada.id}", {"about": "I play the bassoon.", "skills": ["weaving"]})
    shown = await cast.ada.patch(f"/v1/people/{cast.ada.id}", {"audience": {"about": "me"}})
    await indexed(cast, shown.headers["log-position"])

    async def finders(word: str) -> list[int]:
        answers = [await caller.get(f"/v1/people?q={word}") for caller in (cast.ada, cast.ben)]
        return [len(each.json()["data"]) for each in answers]

    assert await finders("weaving") == [1, 1]
    assert await finders("bassoon") == [1, 0]
    assert await finders("ada+weaving") == [1, 1]


@pytest.mark.parametrize(
    ("near", "wanted"),
    [
        (
            "near=25.05,121.53&radius=25km&remote=include",
            {"Engineer of all that is near", "Engineer from anywhere at all"},
        ),
        ("near=25.05,121.53&radius=25km", {"Engineer of all that is near"}),
        ("near=0.5,179.999&radius=50km", {"Engineer at the line of dates", "Engineer behind the line of dates"}),
    ],
)
async def test_what_is_near_is_looked_for_among_all_hits_and_not_only_among_the_best(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, near: str, wanted: set[str]
) -> None:
    monkeypatch.setattr("guildhouse.kernel.searching.finding.DEEPEST", 3)
    rows = [
        *({"title": "Engineer", "latitude": 48.0, "longitude": 11.0 + n} for n in range(9)),
        {"title": "Engineer of all that is near", "latitude": 25.04, "longitude": 121.5},
        {"title": "Engineer from anywhere at all", "latitude": 48.0, "longitude": 11.0, "workplace": "remote"},
        {"title": "Engineer at the line of dates", "latitude": 0.5, "longitude": 179.9},
        {"title": "Engineer behind the line of dates", "latitude": 0.5, "longitude": -179.9},
    ]
    await opened(cast, rows)
    assert set(await titles(cast.nobody, f"q=engineer&{near}")) == wanted
    body = await found(cast.nobody, f"q=engineer&{near}&facets=workplace&limit=1")
    assert sum(each["count"] for each in body["search"]["facets"]["workplace"]) == ("remote" in near)


async def test_words_are_highlighted_in_the_trash_too_and_in_columns_that_are_not_answered(cast: Cast) -> None:
    await opened(cast, JOBS)
    (watch,) = (await found(cast.ada, "q=watch"))["data"]
    gone = await cast.ada.delete(f"/v1/jobs/{watch['id']}")
    assert gone.status_code == 204, gone.text
    body = await found(cast.ada, "q=watch&trash=only&highlights=true&fields=city")
    assert body["data"] == [{"city": None}]
    assert body["search"]["hits"][0]["id"] == watch["id"]
    assert body["search"]["hits"][0]["highlights"]["title"]["marks"] == [[6, 11]]
