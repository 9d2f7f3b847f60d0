"""Rankings: the order in which a search found its rows, kept for a while, so that its pages fit together.

Scores move whenever a row is written anywhere. A ranking that is kept does not: no row comes twice, and none that stays
as it is is left out. Where it was given up for others, the next page goes on behind the score that it had come to.
"""

from collections import OrderedDict
from dataclasses import dataclass, field
from secrets import token_urlsafe
from uuid import UUID

from guildhouse.kernel.searching.facet_kinds import Facets
from guildhouse.kernel.searching.search_index import Hit

FIRST = 20  # hits that a first page ranks, or two pages of them: to tell what each is takes longer than to find them
FURTHER = 10  # times as many are ranked once somebody turns so many pages
DEEPEST = 10_000  # hits that are ranked at all: who wants more narrows the search, or sorts it by a column
KEPT = 300_000  # hits in all rankings of a process


@dataclass
class Ranking:
    """Hits in their order; `total` rows were found in all, and where it is `whole`, these are all that are paged through.

    So many hits were asked for: its `depth`. With them the values of some columns may have been `counted`.
    """

    hits: list[Hit]
    total: int
    whole: bool
    depth: int = DEEPEST
    any_word: bool = False
    mistyped: list[str] = field(default_factory=list)
    scopes: frozenset[str] = frozenset()  # of whom it was made for
    counted: Facets | None = None

    @property
    def ids(self) -> list[str]:
        """The rows in their order."""
        return [hit.row_id for hit in self.hits]

    def extend(self, further: "Ranking") -> None:
        """Go on with the hits of a deeper ranking that are not here yet."""
        known = {hit.number for hit in self.hits}
        self.hits.extend(hit for hit in further.hits if hit.number not in known)
        self.whole, self.depth = further.whole, further.depth

    def place_behind(self, score: float, row_id: str) -> int:
        """Where to go on behind this hit: behind it, or where it has gone, behind all with a better score."""
        number = UUID(row_id).int
        for place, hit in enumerate(self.hits):
            if hit.number == number:
                return place + 1
        return next((place for place, hit in enumerate(self.hits) if hit.score < score), len(self.hits))


class Rankings:
    """The rankings of a process by key, those used last kept longest."""

    def __init__(self, most: int = KEPT) -> None:
        self._kept: OrderedDict[str, Ranking] = OrderedDict()
        self._most, self._held = most, 0
        self._own, self._made = token_urlsafe(9), 0  # another process has other keys

    def keep(self, ranking: Ranking, key: str = "") -> str:
        """Keep a ranking, again where it has grown; returns its key."""
        self._made += not key
        key = key or f"{self._own}{self._made}"
        self._drop(key)
        self._kept[key] = ranking
        self._held += len(ranking.hits)
        while self._held > self._most and len(self._kept) > 1:
            self._drop(next(iter(self._kept)))
        return key

    def get(self, key: str, scopes: frozenset[str]) -> Ranking | None:
        """The ranking, if it is still here, and was made for somebody who sees the same."""
        found = self._kept.get(key)
        if found is None or found.scopes != scopes:
            return None
        self._kept.move_to_end(key)
        return found

    def _drop(self, key: str) -> None:
        gone = self._kept.pop(key, None)
        if gone:
            self._held -= len(gone.hits)
