"""Search quality: how good a ranking is by the words alone, on judged queries that nobody here wrote.

    python -m bench.search_quality --scifact DIRECTORY --onet DIRECTORY --usajobs jobs.csv

SciFact (BEIR layout: corpus.jsonl, queries.jsonl, qrels.tsv): nDCG@10 over its claims, each abstract searched as if it
were a job's title and description. O*NET and USAJOBS: an alternate title is searched for, and relevant are the postings
whose title is the main title of its occupation; told is the mean reciprocal rank of the first one.
"""

import argparse
import csv
import math
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson

from guildhouse.app import HOUSE
from guildhouse.kernel.searching.called import parse_asked
from guildhouse.kernel.searching.index_schema import schema_of
from guildhouse.kernel.searching.query_building import QueryBuilder
from guildhouse.kernel.searching.search_document import documents_of
from guildhouse.kernel.searching.search_index import READY, SearchIndex, Stand
from guildhouse.kernel.searching.search_query import NothingToSearch, QueryTooLong
from guildhouse.kernel.searching.tokens import stems

SCHEMA = schema_of(HOUSE)
JOBS = SCHEMA.nouns["jobs"]
SEEN = ("public",)
DEEP = 10
MOST_QUERIES = 1_000


class Shelf:
    """Texts in an index as if they were jobs."""

    def __init__(self, rows: Iterable[tuple[str, str]]) -> None:
        self.index = SearchIndex(SCHEMA.schemas[JOBS.name])
        self.index.claim()
        now = datetime(2026, 1, 1, tzinfo=UTC)
        empty: dict[str, Any] = dict.fromkeys(JOBS.resource.columns) | {"scopes": list(SEEN), "created_at": now}
        for n, (title, text) in enumerate(rows):
            record = {**empty, "id": str(UUID(int=n)), "title": title, "description": text, "posted_at": now}
            self.index.write((), documents_of(JOBS, record))
        self.index.commit(Stand("", 0, READY))

    def find(self, text: str) -> list[int]:
        """The numbers of the best texts."""
        try:
            asked = parse_asked(JOBS.resource, text)
        except (NothingToSearch, QueryTooLong):
            return []
        builder = QueryBuilder(self.index, HOUSE.synonyms_of)
        hits, _ = self.index.search(builder.ranked(asked, SEEN), DEEP)
        if not hits:
            hits, _ = self.index.search(builder.ranked(asked, SEEN, any_word=True), DEEP)
        return [UUID(hit.row_id).int for hit in hits]


def ndcg(found: Sequence[str], relevant: Mapping[str, int]) -> float:
    """The normalised discounted cumulative gain of the first ten."""
    gained = sum(relevant.get(each, 0) / math.log2(n + 2) for n, each in enumerate(found[:DEEP]))
    best = sum(gain / math.log2(n + 2) for n, gain in enumerate(sorted(relevant.values(), reverse=True)[:DEEP]))
    return gained / best


def scifact(place: Path) -> float:
    """The mean nDCG@10 over the claims."""
    corpus = [orjson.loads(line) for line in (place / "corpus.jsonl").read_bytes().splitlines()]
    queries = {
        each["_id"]: each["text"] for each in map(orjson.loads, (place / "queries.jsonl").read_bytes().splitlines())
    }
    judged: dict[str, dict[str, int]] = defaultdict(dict)
    for query, document, score in csv.reader((place / "qrels.tsv").read_text().splitlines()[1:], delimiter="\t"):
        judged[query][document] = int(score)
    shelf = Shelf((each["title"], each["text"]) for each in corpus)
    gains = [ndcg([corpus[n]["_id"] for n in shelf.find(queries[q])], relevant) for q, relevant in judged.items()]
    return sum(gains) / len(gains)


def alternate_titles(onet: Path, usajobs: Path) -> tuple[float, int]:
    """The mean reciprocal rank of the first posting of the occupation, and over how many queries."""
    with usajobs.open(encoding="utf-8") as file:
        postings = list(csv.DictReader(file))
    by_title: dict[tuple[str, ...], set[int]] = defaultdict(set)
    for n, each in enumerate(postings):
        by_title[tuple(stems(each["position_title"]))].add(n)
    mains = {
        row["O*NET-SOC Code"]: by_title.get(tuple(stems(row["Title"]))) for row in table(onet / "occupation_data.txt")
    }
    asked = [
        (row["Alternate Title"], relevant)
        for row in table(onet / "alternate_titles.txt")
        if (relevant := mains.get(row["O*NET-SOC Code"])) and not by_title.get(tuple(stems(row["Alternate Title"])))
    ]
    chosen = random.Random(1).sample(asked, min(MOST_QUERIES, len(asked)))
    shelf = Shelf((each["position_title"], each["agency"]) for each in postings)
    ranks = [
        next((n + 1 for n, each in enumerate(shelf.find(title)) if each in relevant), 0) for title, relevant in chosen
    ]
    return sum(1 / rank for rank in ranks if rank) / len(ranks), len(ranks)


def table(path: Path) -> list[dict[str, str]]:
    """A text table of O*NET."""
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def main() -> None:
    """Tell what the data allow."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scifact", type=Path)
    parser.add_argument("--onet", type=Path)
    parser.add_argument("--usajobs", type=Path)
    options = parser.parse_args()
    if options.scifact:
        print(f"SciFact, words alone: nDCG@10 {scifact(options.scifact):.4f} (aim 0.69)")
    if options.onet and options.usajobs:
        rank, queries = alternate_titles(options.onet, options.usajobs)
        print(f"postings by alternate titles: MRR@10 {rank:.4f} over {queries} queries")


if __name__ == "__main__":
    main()
