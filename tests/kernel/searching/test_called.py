"""Choices: what people call the values of a column finds the rows that have them, in both languages, by every rule."""

from urllib.parse import quote

import pytest

from guildhouse.app import HOUSE
from guildhouse.jobs.job import jobs
from guildhouse.kernel.filters import values_known
from guildhouse.kernel.searching.called import choices_of, parse_asked
from guildhouse.kernel.searching.search_query import Term
from tests.cast import Cast
from tests.kernel.searching.scenes import found, opened, titles

JOBS = [
    {"title": "Registered nurse", "workplace": "on_site", "employment_type": "part_time"},
    {"title": "Night nurse", "workplace": "on_site", "employment_type": "full_time"},
    {"title": "Backend developer", "workplace": "remote", "employment_type": "full_time"},
    {"title": "平面設計師", "workplace": "remote", "employment_type": "contract"},
    {"title": "Support officer (remote)", "description": "A part-time post."},
    {"title": "Internal auditor", "workplace": "hybrid"},
    {"title": "Summer help", "employment_type": "internship"},
]
FOUND = [
    ("part time", {"Registered nurse", "Support officer (remote)"}),
    ("part-time nurse", {"Registered nurse"}),
    ("parttime", {"Registered nurse", "Support officer (remote)"}),
    ("兼職", {"Registered nurse", "Support officer (remote)"}),
    ("兼职护士", {"Registered nurse"}),
    ("remote", {"Backend developer", "平面設計師", "Support officer (remote)"}),
    ("work from home", {"Backend developer", "平面設計師", "Support officer (remote)"}),
    ("遠端", {"Backend developer", "平面設計師", "Support officer (remote)"}),
    ("遠端 設計師", {"平面設計師"}),
    ("远程设计师", {"平面設計師"}),
    ('"part time"', {"Registered nurse", "Support officer (remote)"}),
    ("officer -remote", set()),
    ('nurse -"part time"', {"Night nurse"}),
    ("nurse -兼職", {"Night nurse"}),
    ("full time nurse", {"Night nurse"}),
    ("hybrid OR contract", {"Internal auditor", "平面設計師"}),
    ("title:remote", {"Support officer (remote)"}),
    ("internship", {"Summer help"}),
    ("interns", {"Summer help"}),
]


def terms(text: str) -> list[Term]:
    return list(parse_asked(jobs, text).terms)


def chosen(text: str) -> list[list[str]]:
    return [[each.value for each in term.choices] for term in terms(text)]


def test_words_that_together_are_what_a_choice_is_called_are_one_term() -> None:
    nurse, part_time = terms("nurse part time")
    assert (nurse.words, nurse.choices) == (("nurs",), ())
    assert (part_time.said, part_time.words, [each.value for each in part_time.choices]) == (
        "part time", ("part", "time"), ["part_time"],
    )  # fmt: skip
    assert chosen("part nurse time") == [[], [], []]


def test_the_longest_name_counts() -> None:
    assert chosen("hybrid remote") == [["hybrid"]]
    assert chosen("remote") == [["remote"]]
    assert chosen("部分遠端") == [["hybrid"]]


@pytest.mark.parametrize("text", ["遠端", "远程", "遠距", "在家工作", "WFH", "Remote", "telework"])
def test_a_choice_has_several_names_in_both_scripts(text: str) -> None:
    assert chosen(text) == [["remote"]]


def test_a_word_that_only_has_the_stem_of_a_name_is_none() -> None:
    assert chosen("internal") == [[]]
    assert chosen("interns intern internships") == [["internship"]] * 3


def test_an_or_a_column_or_a_minus_keeps_words_apart() -> None:
    assert chosen("part OR time") == [[]]
    assert chosen("-part time") == [[], []]
    assert chosen("title:remote") == [[]]
    assert chosen("remot*") == [[]]
    (either,) = terms("remote OR part time")
    assert [[each.value for each in term.choices] for term in either.either] == [["remote"], ["part_time"]]


def test_every_choice_that_is_named_can_be_had_and_no_name_stands_for_two() -> None:
    for resource in HOUSE.resources.values():
        for column, values in resource.find.words.items():
            assert set(values) <= set(values_known(resource, column))
        assert all(len(each) == 1 for each in choices_of(resource).values())


@pytest.mark.anyio
async def test_rows_are_found_by_what_their_choices_are_called(cast: Cast) -> None:
    await opened(cast, JOBS)
    for q, wanted in FOUND:
        body = await found(cast.nobody, f"q={quote(q)}")
        assert {row["title"] for row in body["data"]} == wanted, q
        assert body["search"]["engine"] == "index" and body["search"]["did_you_mean"] is None, q


@pytest.mark.anyio
async def test_the_database_finds_them_so_while_there_is_no_index(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    await opened(cast, JOBS)
    monkeypatch.setattr(cast.server.search, "indexes", None)
    for q in (
        "remote",
        "遠端",
        "part time",
        '"part time"',
        "officer -remote",
        'nurse -"part time"',
        "hybrid OR contract",
    ):
        body = await found(cast.nobody, f"q={quote(q)}&limit=20")
        assert body["search"]["engine"] == "database"
        wanted = dict(FOUND)[q]
        if not q.isascii():  # without an index, nothing is found by its other names in the text
            wanted -= {"Support officer (remote)"}
        assert {row["title"] for row in body["data"]} == wanted, q


@pytest.mark.anyio
async def test_a_choice_and_a_text_that_says_so_come_before_one_of_them(cast: Cast) -> None:
    await opened(cast, [{"title": "Clerk", "workplace": "remote"}, {"title": "Remote clerk", "workplace": "remote"}])
    assert await titles(cast.nobody, "q=remote") == ["Remote clerk", "Clerk"]


@pytest.mark.anyio
async def test_a_choice_narrows_and_the_other_words_rank(cast: Cast) -> None:
    rows = [
        {"title": "Cashier", "city": "Tacoma", "employment_type": "part_time"},
        {"title": "Assistant (part-time)", "city": "Tacoma", "employment_type": "full_time"},
        {"title": "Clerk (part time)"},
        {"title": "Part-time help", "employment_type": "part_time"},
    ]
    await opened(cast, rows)
    assert (await titles(cast.nobody, "q=part-time+cashier+in+tacoma"))[0] == "Cashier"
    assert (await titles(cast.nobody, "q=part+time"))[0] == "Part-time help"


@pytest.mark.anyio
async def test_only_words_of_a_text_are_marked(cast: Cast) -> None:
    await opened(cast, JOBS)
    told = await found(cast.nobody, f"q={quote('遠端')}&highlights=true")
    marks = {row["title"]: hit["highlights"] for row, hit in zip(told["data"], told["search"]["hits"], strict=True)}
    assert marks["Backend developer"] == {}
    assert marks["Support officer (remote)"]["title"]["marks"] == [[17, 23]]


@pytest.mark.anyio
async def test_the_search_over_everything_knows_them_too(cast: Cast) -> None:
    await opened(cast, JOBS)
    body = (await cast.nobody.get(f"/v1/search?q={quote('兼職')}&kinds=jobs")).json()
    assert {hit["title"] for kind in body["data"] for hit in kind["hits"]} == dict(FOUND)["兼職"]
