"""Asked rows: filters, amounts and a point in one query string; each is known where it is declared, and only there."""

from dataclasses import replace

import pytest

from guildhouse.app import HOUSE
from guildhouse.jobs.job import jobs
from guildhouse.kernel.asked_rows import asked_rows
from guildhouse.kernel.errors import UnknownParameter
from guildhouse.kernel.manifest import House, Manifest
from guildhouse.kernel.measures import HalfMeasure
from guildhouse.kernel.nearby import Around, NearIsMissing
from guildhouse.kernel.resource import Resource
from guildhouse.organizations.organization import organizations
from tests.kernel.gadget import gadgets
from tests.kernel.gadget import house as small_house

NONE: frozenset[str] = frozenset()
WHOLE = [
    ("status", "open"), ("near", "25.03,121.56"), ("radius", "5km"), ("remote", "exclude"),
    ("pay[gte]", "100"), ("pay_in", "EUR/hour"), ("limit", "5"),
]  # fmt: skip


def test_all_of_a_query_string_is_asked_for_at_once() -> None:
    around, found = asked_rows(HOUSE, jobs, WHOLE, frozenset({"limit"}))
    assert around == Around(jobs, 25.03, 121.56, 5000.0, "exclude")
    said = " AND ".join(each.sql for each in found)
    for piece in (
        '"status" = ?',
        '"yearly_pay_max" >= ?',
        '"latitude" BETWEEN ? AND ?',
        '"workplace" IS DISTINCT FROM ?',
    ):
        assert piece in said
    assert said.count("?") == sum(len(each.values) for each in found)


def test_nothing_is_asked_for_by_nothing() -> None:
    assert asked_rows(HOUSE, jobs, [], NONE) == (None, [])
    assert asked_rows(HOUSE, jobs, [("limit", "5")], frozenset({"limit"})) == (None, [])


def test_half_of_a_question_is_asked_back() -> None:
    for missing, problem in (("near", NearIsMissing), ("pay[gte]", HalfMeasure), ("pay_in", HalfMeasure)):
        with pytest.raises(problem):
            asked_rows(HOUSE, jobs, [each for each in WHOLE if each[0] != missing], frozenset({"limit"}))


@pytest.mark.parametrize("resource", [gadgets, organizations], ids=lambda each: each.name)
@pytest.mark.parametrize(
    "query", [("near", "1,2"), ("radius", "5km"), ("remote", "include"), ("pay[gte]", "1"), ("pay_in", "x")]
)
def test_what_is_not_declared_is_unknown(resource: Resource[object], query: tuple[str, str]) -> None:
    with pytest.raises(UnknownParameter) as caught:
        asked_rows(HOUSE, resource, [query], NONE)
    assert "near" not in caught.value.detail().partition("Known are")[2]


def test_what_is_declared_is_told_to_who_asks_for_something_else() -> None:
    with pytest.raises(UnknownParameter) as caught:
        asked_rows(HOUSE, jobs, [("nearby", "1,2")], NONE)
    for name in ("near", "radius", "remote", "pay[gte]", "pay_in"):
        assert name in caught.value.detail()


def test_rows_that_have_a_place_and_are_nowhere_everywhere_take_no_remote() -> None:
    bound = replace(jobs, find=replace(jobs.find, everywhere=None))
    with pytest.raises(UnknownParameter):
        asked_rows(HOUSE, bound, [("near", "1,2"), ("remote", "include")], NONE)
    around, found = asked_rows(HOUSE, bound, [("near", "1,2")], NONE)
    assert around is not None and "workplace" not in " ".join(each.sql for each in found)


def test_the_first_domain_that_knows_places_is_asked() -> None:
    assert small_house.locate is None

    def here(_name: str) -> tuple[float, float]:
        return 1.0, 2.0

    def there(_name: str) -> tuple[float, float]:
        return 3.0, 4.0

    house = House((Manifest("plain"), Manifest("one", locate=here), Manifest("other", locate=there)))
    assert house.locate is here
    around, _ = asked_rows(house, jobs, [("near", "Somewhere")], NONE)
    assert around == Around(jobs, 1.0, 2.0)
