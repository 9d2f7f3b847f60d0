"""Rows are asked which queries find them, and say what an index of them would."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guildhouse.app import HOUSE
from guildhouse.kernel.manifest import Synonyms
from guildhouse.kernel.scopes import AllBut
from guildhouse.kernel.searching.called import parse_asked
from guildhouse.kernel.searching.in_sight import Clause, found_in_sight
from guildhouse.kernel.searching.index_schema import Noun, NounSchema, noun_of, schema_of
from guildhouse.kernel.searching.percolating import RowWords, wording_of
from guildhouse.kernel.searching.query_building import QueryBuilder, no_synonyms
from guildhouse.kernel.searching.search_document import documents_of
from guildhouse.kernel.searching.search_index import READY, SearchIndex, Stand
from guildhouse.kernel.searching.search_query import NothingToSearch, Term

SCHEMA = schema_of(HOUSE)
JOBS, PEOPLE = SCHEMA.nouns["jobs"], SCHEMA.nouns["people"]
Rows = Sequence[dict[str, Any]]


class Strict(QueryBuilder):
    """Builds queries that forgive nothing."""

    def may_be_mistyped(self, term: Term) -> bool:
        """No word is."""
        return False


def record(n: int, scopes: tuple[str, ...] = ("public",), noun: Noun = JOBS, **values: Any) -> dict[str, Any]:
    empty: dict[str, Any] = dict.fromkeys(noun.resource.columns)
    lists = {"skills": [], "tags": [], "audience": {}}
    now = datetime(2026, 1, 1, tzinfo=UTC)
    about = {"posted_at": now, "created_at": now, "id": str(UUID(int=n)), "scopes": list(scopes)}
    return {name: value for name, value in {**empty, **lists, **about, **values}.items() if name in empty}


ROWS = [
    record(1, title="Registered nurse"),
    record(2, ("person:1",), title="Night nurse"),
    record(3, title="Purse maker", workplace="remote", employment_type="part_time"),
]
PARTED = [
    record(1, title="Clerk", skills=["machine learning", "data"], description="We cook\n- and serve\n\nEvery day"),
    record(2, title="文員", skills=["機器學習", "資料"], description="上大學，生活好\n\n安全地工作"),
]
PERSONS = [
    record(
        1, noun=PEOPLE, name="Ada Night", headline="Registered nurse", skills=["data"], audience={"skills": "public"}
    ),
    record(2, noun=PEOPLE, name="Ben", about="A nurse of machine learning", audience={"about": "me"}),
]


TEAM = "team:1"
OF_THE_TEAM = {"headline": AllBut(lambda row: [f"person:{row.id}"], lambda _row: [TEAM]), "about": lambda _row: [TEAM]}
# People of whom a team says something, also to whom of them is on it, and something that it does not say to them.
JUDGED = noun_of(replace(PEOPLE.resource, shapes=replace(PEOPLE.resource.shapes, audience=OF_THE_TEAM)))
JUDGEMENTS = [
    record(1, noun=JUDGED, name="Ada", headline="Registered nurse", about="A night of machine learning"),
    record(2, noun=JUDGED, name="Nurse Ben", headline="Night", about="Data"),
]


def indexed(noun: Noun, rows: Rows) -> SearchIndex:
    index = SearchIndex(NounSchema(noun))
    index.claim()
    index.write((), [each for row in rows for each in documents_of(noun, row)])
    index.commit(Stand("", 0, READY))
    return index


def found(query: str, *scopes: str, rows: Rows = ROWS) -> list[int]:
    wording = wording_of(parse_asked(JOBS.resource, query))
    held = set(scopes or ("public",))
    return [UUID(each["id"]).int for each in rows if RowWords(JOBS, each).are_found_by(wording, held)]


def test_a_query_finds_the_rows_that_it_fits() -> None:
    assert found("nurse") == [1]
    assert found("nurse -registered") == []
    assert found("carpenter") == []


def test_rows_are_found_by_what_their_choices_are_called() -> None:
    assert found("remote") == found("part time") == found("遠端 兼職") == found('"part time" purse') == [3]
    assert found("maker -remote") == found('maker -"part time"') == found("part") == found("full time") == []
    assert found("remote OR registered") == [1, 3]


def test_only_for_who_sees_them() -> None:
    assert found("nurse", "public", "person:1") == [1, 2]
    assert found("nurse", "members") == []


def test_a_word_that_is_nearly_the_same_is_another_word() -> None:
    assert found("murse") == []


def test_no_phrase_runs_over_from_one_item_or_paragraph_to_the_next() -> None:
    for phrase in ("machine learning", "we cook", "and serve", "every day"):
        assert found(f'"{phrase}"', rows=PARTED) == found(f'"{phrase}" clerk', rows=PARTED) == [1]
    for phrase in ("learning data", "cook and", "serve every"):
        assert found(f'"{phrase}"', rows=PARTED) == []
    assert found('skills:"machine learning"', rows=PARTED) == [1]
    assert found('skills:"learning data"', rows=PARTED) == []


def test_no_chinese_phrase_or_word_does_so_either() -> None:
    assert (
        found('"機器學習"', rows=PARTED) == found("机器学习", rows=PARTED) == found('"安全地工作"', rows=PARTED) == [2]
    )
    assert found('"學習資料"', rows=PARTED) == found('"好安全"', rows=PARTED) == []
    assert found("學生", rows=PARTED) == []


def test_what_may_not_be_seen_of_a_row_does_not_find_it() -> None:
    wording = wording_of(parse_asked(PEOPLE.resource, "learning"))
    words = RowWords(PEOPLE, PERSONS[1])
    assert words.are_found_by(wording, {"public", f"person:{PERSONS[1]['id']}"})
    assert not words.are_found_by(wording, {"public", "members"})


def test_what_is_said_of_somebody_on_the_team_is_found_by_the_others_of_it() -> None:
    ada, ben = (f"person:{each['id']}" for each in JUDGEMENTS)
    assert JUDGED.excepting == ("eyes",)
    for query, holding in (("registered", {ben}), ("learning", {ada, ben}), ("registered learning", {ben})):
        wording = wording_of(parse_asked(JUDGED.resource, query))
        for person in (ada, ben):
            held, words = {"public", TEAM, person}, RowWords(JUDGED, JUDGEMENTS[0])
            assert words.are_found_by(wording, held) == (person in holding)
            hits, _ = INDEXES["judged"].search(found_in_sight(INDEXES["judged"], held, having_words(query)), 10)
            assert [hit.number for hit in hits] == ([1] if person in holding else [])
        assert words.are_found_by(wording) and not words.are_found_by(wording, {"public"})


def having_words(query: str) -> Sequence[Clause]:
    """The documents that have all the words."""
    return list(QueryBuilder(INDEXES["judged"]).words(parse_asked(JUDGED.resource, query), any_word=False))


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("nurse", 2), ("carpenter", 0), ("purse registered", 1), ('"purse maker"', 1), ("nurse OR maker", 3),
        ("remote", 1), ("兼職 remote", 1), ("purse registered night", 2), ("-night", 3), ("nur*", 3), ("學生", 0),
    ],
)  # fmt: skip
def test_rows_that_lack_all_that_a_query_needs_are_known_at_a_glance(query: str, count: int) -> None:
    evidence = wording_of(parse_asked(JOBS.resource, query)).evidence
    assert sum(evidence is None or not evidence.isdisjoint(RowWords(JOBS, each).all) for each in ROWS) == count


WORDS = (
    "nurse", "registered", "night", "-night", "OR", '"registered nurse"', "nur*", "title:maker", "skills:data", "-data",
    "end-of-life", "machine", "learning", "rn", "about:nurse", "註冊護士", "護理師", "機器學習", "skills:機器學習",
    '"學習"', "資料", "-資料", "生活", "好", "Node.js", '"machine learning"', 'description:"and serve"', "night nu*",
    "it", "的", "remote", "part", "time", "part-time", "-remote", '"part time"', "兼職", "-兼職",
)  # fmt: skip
OF_JOBS = [*ROWS, *({**each, "id": str(UUID(int=n))} for n, each in enumerate(PARTED, 10))]
HELD_AGAINST = {"jobs": (JOBS, OF_JOBS), "people": (PEOPLE, PERSONS), "judged": (JUDGED, JUDGEMENTS)}
INDEXES = {name: indexed(noun, rows) for name, (noun, rows) in HELD_AGAINST.items()}
HOLDINGS = (
    ("public",),
    ("person:1",),
    ("public", "members", f"person:{PERSONS[1]['id']}"),
    ("public", TEAM, f"person:{JUDGEMENTS[0]['id']}"),
)


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.sampled_from(WORDS), min_size=1, max_size=7),
    st.sampled_from([no_synonyms, HOUSE.synonyms_of]),
    st.sampled_from(HOLDINGS),
)
def test_rows_say_what_an_index_of_them_would(words: list[str], synonyms: Synonyms, scopes: tuple[str, ...]) -> None:
    for name, (noun, rows) in HELD_AGAINST.items():
        try:
            asked = parse_asked(noun.resource, " ".join(words))
        except NothingToSearch:
            return
        wording = wording_of(asked, synonyms)
        said = {each["id"] for each in rows if RowWords(noun, each).are_found_by(wording, set(scopes))}
        index = INDEXES[name]
        hits, _ = index.search(Strict(index, synonyms).counted(asked, scopes, (), any_word=False), 100)
        assert said == {hit.row_id for hit in hits}
