"""Rankings are kept, so that pages fit together."""

from uuid import UUID

from guildhouse.kernel.searching.ranking import Ranking, Rankings
from guildhouse.kernel.searching.search_index import Hit

SEEN = frozenset({"public"})


def row_of(name: str) -> str:
    """The id of a row by this letter."""
    return f"00000000-0000-7000-8000-00000000000{name}"


def ranking(*names: str, whole: bool = False) -> Ranking:
    hits = [Hit(float(len(names) - n), UUID(row_of(name)).int) for n, name in enumerate(names)]
    return Ranking(hits, len(names), whole, scopes=SEEN)


def test_a_ranking_is_found_again_by_who_sees_the_same() -> None:
    kept = Rankings()
    key = kept.keep(ranking("a", "b"))
    assert kept.get(key, SEEN)
    assert kept.get(key, frozenset({"public", "members"})) is None
    assert kept.get("other", SEEN) is None


def test_the_oldest_gives_way() -> None:
    kept = Rankings(most=4)
    first, second = kept.keep(ranking("a", "b")), kept.keep(ranking("c", "d"))
    assert kept.get(first, SEEN)  # used: now it is the younger one
    kept.keep(ranking("e"))
    assert kept.get(second, SEEN) is None
    assert kept.get(first, SEEN)


def test_one_that_has_grown_takes_the_place_of_itself() -> None:
    kept = Rankings(most=10)
    grown = ranking("a")
    assert not grown.whole
    key = kept.keep(grown)
    grown.extend(ranking("b", "a", "c", whole=True))
    assert kept.keep(grown, key) == key
    assert grown.ids == [row_of("a"), row_of("b"), row_of("c")]
    assert grown.whole


def test_one_goes_on_behind_a_hit_or_behind_its_score_where_it_has_gone() -> None:
    found = ranking("a", "b", "c")
    assert found.place_behind(2.0, row_of("b")) == 2
    assert found.place_behind(2.5, row_of("9")) == 1
    assert found.place_behind(0.0, row_of("9")) == 3
