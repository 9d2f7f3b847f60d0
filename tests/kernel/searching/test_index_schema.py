"""The index's schema follows from the declarations."""

from datetime import UTC, date, datetime

from guildhouse.app import HOUSE
from guildhouse.kernel.searching.index_schema import as_indexed, schema_of


def test_every_noun_with_text_is_in_it_and_no_other() -> None:
    wanted = {name for name, each in HOUSE.resources.items() if each.find.text}
    assert set(schema_of(HOUSE).nouns) == wanted


def test_its_digest_is_always_the_same() -> None:
    assert schema_of(HOUSE).digest == schema_of(HOUSE).digest


def test_what_not_everybody_sees_has_no_values() -> None:
    people = schema_of(HOUSE).nouns["people"]
    assert "skills" in people.split
    assert not set(people.values) & set(people.resource.shapes.audience)


def test_values_stand_as_the_index_sorts_them() -> None:
    assert as_indexed(True) == "true"
    assert as_indexed(date(1, 1, 2)) == 2
    assert as_indexed(datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC)) == 1_000_000
    assert as_indexed("open") == "open"
