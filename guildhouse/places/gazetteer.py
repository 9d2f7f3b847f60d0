"""The gazetteer: every town of GeoNames in one file of the package, read when it is first asked for.

171,000 towns and their other names take 5 MB of memory, and 20 MB for the 0.2 s in which they are loaded: lines that are
sorted by the name as it is looked up, and three columns of numbers. A name is found by bisection in some 20 microseconds.
`tools/build_gazetteer.py` makes the file.
"""

import lzma
import sys
from array import array
from bisect import bisect_left
from collections.abc import Container, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.resources import files
from itertools import accumulate

import orjson

from guildhouse.kernel.at_hand import Once
from guildhouse.places.place_names import label_of

KNOWN = 1 << 16  # in the column of regions: this town is meant where only its name is said
GRID = 1000  # coordinates are kept in thousandths of a degree, which are 110 m
AFTER_ALL = "\U0010ffff"


@dataclass(frozen=True, slots=True)
class Place:
    """A town. `known` is one that is meant where only its name is said, whoever else has it."""

    name: str
    country: str
    region: str
    latitude: float
    longitude: float
    known: bool

    @property
    def label(self) -> str:
        """The town with what tells it apart: `Portland, US-OR`."""
        return label_of(self.name, self.country, self.region)


class Gazetteer:
    """The towns in the order of their names. A line is the name as it is looked up, and behind a tab how it is written."""

    def __init__(self, packed: bytes) -> None:
        head, _, rest = lzma.decompress(packed).partition(b"\n")
        about = orjson.loads(head)
        self.regions: Sequence[tuple[str, str, int, int]] = [tuple(each) for each in about["regions"]]
        self.lines = rest[: about["bytes"]]
        lengths = (len(line) + 1 for line in self.lines.split(b"\n"))
        self.starts = array("I", accumulate(lengths, initial=0))
        self.size = len(self.starts) - 1
        planes = rest[about["bytes"] :]
        column = 4 * self.size
        self.region, self.north, self.east = (unwoven(planes[n : n + column]) for n in (0, column, 2 * column))

    def key(self, n: int) -> str:
        """The name of a town as it is looked up."""
        return self.line(n).partition("\t")[0]

    def line(self, n: int) -> str:
        """The line of a town."""
        return self.lines[self.starts[n] : self.starts[n + 1] - 1].decode()

    def place(self, n: int) -> Place:
        """A town."""
        key, _, name = self.line(n).partition("\t")
        country, region, south, west = self.regions[self.region[n] & ~KNOWN]
        latitude = (south + self.north[n]) / GRID
        longitude = ((west + self.east[n] + 180 * GRID) % (360 * GRID) - 180 * GRID) / GRID
        return Place(name or key.title(), country, region, latitude, longitude, bool(self.region[n] & KNOWN))

    def named(self, key: str) -> Iterator[Place]:
        """The towns of a name."""
        n = bisect_left(range(self.size), key, key=self.key)
        while n < self.size and self.key(n) == key:
            yield self.place(n)
            n += 1

    def beginning(self, start: str, regions: Container[int]) -> Iterator[Place]:
        """The towns in these regions whose names begin so: those that are `known` first, then by name."""
        first = bisect_left(range(self.size), start, key=self.key)
        last = bisect_left(range(self.size), start + AFTER_ALL, key=self.key)
        known = self.known[bisect_left(self.known, first) : bisect_left(self.known, last)]
        for n in (*sorted(known, key=lambda n: len(self.key(n))), *range(first, last)):
            if self.region[n] & ~KNOWN in regions:
                yield self.place(n)

    @cached_property
    def known(self) -> Sequence[int]:
        """The towns that are meant where only their name is said, in order."""
        return array("I", (n for n, region in enumerate(self.region) if region & KNOWN))


def unwoven(planes: bytes) -> Sequence[int]:
    """Numbers of four bytes whose first bytes stand together, then their second bytes: so they pack better."""
    size = len(planes) // 4
    woven = bytearray(len(planes))
    for n in range(4):
        woven[n::4] = planes[n * size : (n + 1) * size]
    found = array("I", bytes(woven))
    if sys.byteorder == "big":
        found.byteswap()
    return found


@Once
def gazetteer() -> Gazetteer:
    """The one that ships."""
    return Gazetteer(files("guildhouse.places").joinpath("gazetteer.xz").read_bytes())
