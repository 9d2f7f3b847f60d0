"""Locating: names as people write them, in English and Chinese; what may be several towns is asked, never guessed."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from guildhouse.kernel.errors import BadRequest
from guildhouse.places.gazetteer import Place, gazetteer
from guildhouse.places.locating import ManyPlaces, UnknownPlace, completed, locate, place_of
from guildhouse.places.place_names import fold, is_in, parted

TAIPEI = (25.053, 121.526)
LONDON = (51.509, -0.126)


def about(point: tuple[float, float]) -> tuple[float, float]:
    return round(point[0], 1), round(point[1], 1)


@pytest.mark.parametrize(
    "text",
    [
        "Taipei",
        "taipei",
        " TAIPEI ",
        "台北",
        "臺北",
        "台北市",
        "臺北市",
        "Taipei, TW",
        "Taipei, Taiwan",
        "台北，台灣",
        "Taipei City",
    ],
)
def test_a_town_is_found_by_each_of_its_names(text: str) -> None:
    assert locate(text) == TAIPEI


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("台中", (24.1, 120.7)), ("高雄市", (22.6, 120.3)), ("新竹", (24.8, 121.0)), ("新北市", (25.1, 121.5)),
        ("花蓮縣", (24.0, 121.6)), ("東京", (35.7, 139.7)), ("东京", (35.7, 139.7)), ("紐約", (40.7, -74.0)),
        ("倫敦", (51.5, -0.1)), ("舊金山", (37.8, -122.4)), ("香港", (22.3, 114.2)), ("New York", (40.7, -74.0)),
        ("New York City", (40.7, -74.0)), ("NYC", (40.7, -74.0)), ("Munich", (48.1, 11.6)), ("MÜNCHEN", (48.1, 11.6)),
        ("sao paulo", (-23.5, -46.6)), ("St Louis", (38.6, -90.2)), ("Saint Louis", (38.6, -90.2)),
        ("L\u2019Aquila", (42.4, 13.4)), ("Laquila", (42.4, 13.4)), ("Lodz", (51.8, 19.5)), ("Łódź", (51.8, 19.5)),
    ],
)  # fmt: skip
def test_case_accents_and_script_do_not_matter(text: str, point: tuple[float, float]) -> None:
    assert about(locate(text)) == point


@pytest.mark.parametrize(
    ("text", "point"),
    [
        ("Portland, OR", (45.5, -122.7)), ("Portland, Oregon", (45.5, -122.7)), ("Portland, US-ME", (43.7, -70.3)),
        ("Portland, OR, USA", (45.5, -122.7)), ("Springfield, US-IL", (39.8, -89.6)), ("London", (51.5, -0.1)),
        ("London, UK", (51.5, -0.1)), ("London, Canada", (43.0, -81.2)), ("London, ON", (43.0, -81.2)),
        ("Paris, Texas", (33.7, -95.6)), ("Perth", (-32.0, 115.9)), ("Cambridge, Massachusetts", (42.4, -71.1)),
        ("Mühlhausen, Thuringia", (51.2, 10.5)),
    ],
)  # fmt: skip
def test_what_stands_behind_a_comma_tells_towns_apart(text: str, point: tuple[float, float]) -> None:
    assert about(locate(text)) == point


def test_a_name_of_several_towns_is_asked_back_with_all_of_them() -> None:
    with pytest.raises(ManyPlaces) as caught:
        locate("Portland")
    said = caught.value.detail()
    assert "Portland, US-OR" in said and "Portland, US-ME" in said and "12 places" in said
    for fault in caught.value.faults:
        assert abs(locate(fault.detail)[0]) > 0


def test_towns_that_no_region_tells_apart_are_told_by_coordinates() -> None:
    with pytest.raises(ManyPlaces) as caught:
        locate("San Vicente, PH")
    assert "(San Vicente, PH)" in caught.value.faults[0].detail


@pytest.mark.parametrize(
    "text", ["Atlantisville", "Taipei, France", "Portland, 台灣", ",", ", Taiwan", "!!", "x" * 500]
)
def test_what_nobody_knows_is_said_to_be_unknown(text: str) -> None:
    with pytest.raises(UnknownPlace):
        locate(text)


@settings(deadline=None)  # the first look-up loads the table
@given(st.text(max_size=60))
def test_any_text_is_a_place_or_a_400(text: str) -> None:
    try:
        latitude, longitude = locate(text)
    except BadRequest:
        return
    assert abs(latitude) <= 90 and abs(longitude) <= 180


@pytest.mark.parametrize(
    ("city", "country", "region", "label"),
    [
        ("Taipei", None, None, "Taipei, TW"),
        ("臺北", "TW", "大安區", "Taipei, TW"),  # a region that nobody knows is passed over
        ("Portland", "US", "Oregon", "Portland, US-OR"),
        ("Portland", "US", "ME", "Portland, US-ME"),
        ("Portland", "GB", None, "Portland, GB-ENG"),
        ("Portland", "US", None, None),
        ("Portland", None, None, None),
        ("Portland", "TW", None, None),
        ("London", None, None, "London, GB-ENG"),
        ("London", "CA", None, "London, CA-ON"),
        ("London", "US", None, None),
        ("Remote", None, None, None),
        ("", None, None, None),
    ],
)
def test_a_row_names_one_town_or_none(city: str, country: str | None, region: str | None, label: str | None) -> None:
    found = place_of(city, country, region)
    assert (found.label if found else None) == label


def labels(start: str, country: str | None = None, most: int = 5) -> list[str]:
    return [each.label for each in completed(start, country, most)]


def test_names_are_completed_with_the_known_ones_first() -> None:
    assert labels("tai")[:4] == ["Taipei, TW", "Tainan, TW", "Taitung, TW", "Taichung, TW"]
    assert set(labels("台")) == {"Taipei, TW", "Tainan, TW", "Taitung, TW", "Taichung, TW"}
    assert labels("臺北") == ["Taipei, TW"] == labels("taipei")[:1]
    assert labels("new yo")[0] == "New York City, US-NY"
    assert labels("St. Lo")[0] == labels("saint lou")[0] == "St. Louis, US-MO"
    assert labels("S")[0].startswith("S") and "Stockholm, SE" in labels("st", most=10)


def test_completion_stays_in_a_country_and_within_its_number() -> None:
    assert labels("s", "TW") and all(each.endswith(", TW") for each in labels("s", "TW"))
    assert labels("Portl, oregon") == ["Portland, US-OR"]
    assert labels("s", "ZZ") == labels("", None) == labels("!") == labels("qqqq") == []
    assert len(labels("san", most=50)) == 50
    assert len({(each.name, each.latitude) for each in completed("new york", None, 20)}) == len(
        labels("new york", most=20)
    )


def test_a_label_is_itself_understood() -> None:
    for start in ("b", "ca", "m", "w"):
        for each in completed(start, None, 20):
            assert place_of(each.name, each.country) is None or locate(each.label) is not None


def test_names_are_read_as_they_are_looked_up() -> None:
    assert [fold(each) for each in ("Sant'Angelo", "Biel/Bienne", "Straße", "ÎLE", "Ft. Worth", "Aix-en-Provence")] == [
        "santangelo", "biel bienne", "strasse", "ile", "fort worth", "aix en provence",
    ]  # fmt: skip
    assert fold("st", whole=False) == "st" and fold("st") == "saint" and fold("St. Lo", whole=False) == "saint lo"
    assert parted("台北，台灣") == ("台北", ("台灣",)) and parted("Bonn") == ("Bonn", ())
    assert is_in("US", "OR", "us-or") and is_in("US", "OR", "United States") and not is_in("US", "OR", "US-ME")
    assert not is_in("TW", "04", "04")


def test_the_gazetteer_is_all_there() -> None:
    towns = gazetteer()
    assert towns.size > 171_000 and len(towns.known) > 700
    assert [towns.key(n) for n in range(0, towns.size, 997)] == sorted(towns.key(n) for n in range(0, towns.size, 997))
    for n in range(0, towns.size, 499):
        place = towns.place(n)
        assert isinstance(place, Place) and abs(place.latitude) <= 90 and abs(place.longitude) <= 180
        assert place in list(towns.named(towns.key(n)))


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 171_000), st.integers(1, 12))
def test_every_town_is_completed_from_the_beginning_of_its_name(n: int, letters: int) -> None:
    towns = gazetteer()
    key = towns.key(n)[:letters].strip()
    regions = range(len(towns.regions))
    found = next(towns.beginning(key, regions))
    assert fold(found.name).startswith(key) or any(other == found for other in towns.beginning(key, regions))
    assert towns.place(n) in towns.beginning(key, regions)


def test_a_country_is_its_own_and_not_a_region_of_that_code() -> None:
    assert place_of("London", "CA") != place_of("London", "US", "CA")
    assert {each.country for each in completed("london", "CA", 20)} == {"CA"}
    with pytest.raises(ManyPlaces):
        locate("London, CA")  # Canada, or California
