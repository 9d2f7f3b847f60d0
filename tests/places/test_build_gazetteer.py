"""Building the gazetteer: what goes in comes out, the same table makes the same bytes, and a wrong line stops it."""

import lzma
from pathlib import Path

import pytest

from guildhouse.places.gazetteer import Gazetteer
from tools import build_gazetteer
from tools.build_gazetteer import KNOWN_PLACES, Town, pack, towns_of, with_known

ROWS = [
    {"name": "Springfield", "country": "US", "admin1": "IL", "lat": "39.80172", "lng": "-89.64371"},
    {"name": "Springfield", "country": "US", "admin1": "MA", "lat": "42.10148", "lng": "-72.58981"},
    {"name": "Anadyr", "country": "RU", "admin1": "15", "lat": "64.73333", "lng": "177.51667"},
    {"name": "Provideniya", "country": "RU", "admin1": "15", "lat": "64.41667", "lng": "-173.23333"},
    {"name": "McMurdo", "country": "AQ", "admin1": "", "lat": "-77.846", "lng": "166.676"},
    {"name": "San José", "country": "CR", "admin1": "01", "lat": "10.952", "lng": "-85.136"},
    {"name": "San José", "country": "CR", "admin1": "08", "lat": "9.93333", "lng": "-84.08333"},
    {"name": "!", "country": "XX", "admin1": "", "lat": "0", "lng": "0"},
]
KNOWN = ["# a comment", "", "US-IL\tSpringfield\t春田;Springfield City", "CR@9.9,-84.1\tSan José\t", "RU\tAnadyr\t"]


def made(known: list[str] = KNOWN) -> Gazetteer:
    return Gazetteer(pack(with_known(list(towns_of(ROWS)), known)))


def test_what_goes_in_comes_out() -> None:
    found = {(each.label, each.latitude, each.longitude, each.known) for each in map(made().place, range(made().size))}
    assert found == {
        ("Springfield, US-IL", 39.802, -89.644, True),
        ("Springfield, US-MA", 42.101, -72.59, False),
        ("Anadyr, RU", 64.733, 177.517, True),
        ("Provideniya, RU", 64.417, -173.233, False),
        ("McMurdo, AQ", -77.846, 166.676, False),
        ("San José, CR", 10.952, -85.136, False),
        ("San José, CR", 9.933, -84.083, True),
    }


def test_other_names_lead_to_the_same_town() -> None:
    towns = made()
    assert [each.label for each in towns.named("春田")] == ["Springfield, US-IL"]
    assert [each.label for each in towns.named("springfield city")] == ["Springfield, US-IL"]
    assert {each.known for each in towns.named("springfield")} == {True, False}
    assert list(towns.named("spring")) == list(towns.named("zzz")) == []


def test_the_same_table_makes_the_same_bytes_in_any_order() -> None:
    towns = with_known(list(towns_of(ROWS)), KNOWN)
    assert pack(towns) == pack(list(reversed(towns)))
    assert len(lzma.decompress(pack(towns))) > 0


@pytest.mark.parametrize("line", ["FR\tSpringfield\t", "US\tSpringfield\t", "CR\tSan José\t"])
def test_a_line_that_names_no_single_town_stops_it(line: str) -> None:
    with pytest.raises(SystemExit, match="towns"):
        made([line])


def test_the_lines_by_hand_name_each_town_once() -> None:
    lines = [line for line in KNOWN_PLACES.read_text(encoding="utf-8").splitlines() if line and line[0] != "#"]
    assert all(line.count("\t") == 2 for line in lines)
    places = [tuple(line.split("\t")[:2]) for line in lines]
    assert len(set(places)) == len(places) > 300


def test_a_town_is_on_a_grid_of_a_thousandth_degree() -> None:
    assert next(towns_of(ROWS)) == Town("springfield", "Springfield", "US", "IL", 39802, -89644)


def test_the_command_writes_the_file_that_ships(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    table = tmp_path / "cities.csv"
    lines = [
        "name,country,admin1,admin2,lat,lng",
        "Springfield,US,IL,167,39.80172,-89.64371",
        "Anadyr,RU,15,,64.7,177.5",
    ]
    table.write_text("\n".join(lines), encoding="utf-8")
    known = tmp_path / "known.tsv"
    known.write_text("# by hand\nRU\tAnadyr\t阿納德爾\n", encoding="utf-8")
    monkeypatch.setattr(build_gazetteer, "SHIPPED", tmp_path / "gazetteer.xz")
    monkeypatch.setattr(build_gazetteer, "KNOWN_PLACES", known)
    build_gazetteer.main(str(table))
    assert capsys.readouterr().out.startswith("2 towns, 3 names, ")
    towns = Gazetteer((tmp_path / "gazetteer.xz").read_bytes())
    assert [each.label for each in towns.named("阿納德爾")] == ["Anadyr, RU"]
