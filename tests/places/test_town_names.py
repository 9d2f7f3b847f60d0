"""Town names: a town is called by its names in both languages, and no other town is."""

import pytest

from guildhouse.places.locating import candidates
from guildhouse.places.town_names import names_of_towns, other_names


@pytest.mark.parametrize(
    ("said", "other"),
    [
        ("台北", "taipei"), ("臺北", "taipei"), ("臺北市", "taipei"), ("Taipei", "台北"), ("高雄", "kaohsiung"),
        ("new york", "紐約"), ("纽约", "new york"), ("New Taipei", "新北"), ("舊金山", "san francisco"), ("London", "倫敦"),
    ],
)  # fmt: skip
def test_a_town_has_names_in_both_languages(said: str, other: str) -> None:
    assert other in other_names(said)


@pytest.mark.parametrize("said", ["", "nurse", "大學", "🙂", "Tacoma", "portland", "springfield"])
def test_what_is_no_town_or_has_no_chinese_name_has_none(said: str) -> None:
    assert other_names(said) == ()


def test_every_name_means_that_town_alone() -> None:
    for name, names in names_of_towns().items():
        assert name in names and len(candidates(name)) == 1
