"""What a search answers beside its rows: how they were found, facets, what may have been meant, and what to highlight."""

from collections.abc import Mapping, Sequence
from typing import Any

from guildhouse.kernel.i18n import translated
from guildhouse.kernel.row import Values
from guildhouse.kernel.searching.counting import Counting
from guildhouse.kernel.searching.finding import DATABASE, Finding, Found
from guildhouse.kernel.searching.highlights import highlight, marked
from guildhouse.kernel.searching.ranking import Ranking
from guildhouse.kernel.searching.search_index import SearchIndex
from guildhouse.kernel.searching.spelling import did_you_mean

NOTICES: Mapping[str, str] = {
    "building": "The search index is being built: until it is there, the newest rows with all words are found.",
    "trash": "The trash is in no index: the newest rows with all words are found.",
}


async def about_search(finding: Finding, found: Found | None, rows: Sequence[Values], language: str) -> dict[str, Any]:
    """The member `search` of a page."""
    told: dict[str, Any] = {}
    if found:
        told |= await how_found(finding, found, language)
        if finding.sought.highlights:
            told["hits"] = hits(finding, found, rows)
    if finding.sought.facets:
        told["facets"] = await Counting(finding, finding.sought.facets, found).count()
    return told


async def how_found(finding: Finding, found: Found, language: str) -> dict[str, Any]:
    """By what, and whether the words were those that people write."""
    if found.engine == DATABASE:
        return {"engine": DATABASE, "notice": notice("building" if finding.is_in_index else "trash", language)}
    assert found.ranking
    spelled = None if finding.listing.cursor else await spelled_right(finding, found.ranking)
    return {"engine": found.engine, "any_word": found.ranking.any_word, "did_you_mean": spelled}


async def spelled_right(finding: Finding, ranking: Ranking) -> str | None:
    """The query as others would have written it, where nobody has written a word of it, or nothing is found."""
    if ranking.hits and not ranking.mistyped:
        return None
    doubtful = [each.said for each in finding.asked.needed]
    return await finding.engine.run(finding.resource.name, lambda index: meant(finding, index, doubtful))


def notice(why: str, language: str) -> str:
    """Why the database searched, and what is missing then."""
    return translated("search", why, language) or NOTICES[why]


def meant(finding: Finding, index: SearchIndex, words: Sequence[str]) -> str | None:
    """The query as others would have written it."""
    return did_you_mean(index, finding.actor.scopes, finding.asked.text, words)


def hits(finding: Finding, found: Found, rows: Sequence[Values]) -> list[dict[str, Any]]:
    """How well each row fits, and where the words are in the text that the actor sees of it."""
    if not rows:
        return []
    mistyped = found.ranking.mistyped if found.ranking else ()
    marks = marked(finding.asked, finding.engine.house.synonyms_of, mistyped)
    scores = found.scores or [0.0] * len(rows)
    told = []
    for row, record, score in zip(rows, found.page.rows, scores, strict=True):
        shown = {
            name: row[name] if name in finding.resource.shapes.audience else record[name] for name in seen(finding, row)
        }
        places = {name: highlight(value, marks) for name, value in shown.items()}
        kept = {name: place for name, place in places.items() if place}
        told.append({"id": record["id"], "score": round(score, 4), "highlights": kept})
    return told


def seen(finding: Finding, row: Values) -> list[str]:
    """The text columns to look into: one with an audience only where the answer has it, judged already."""
    audience = finding.resource.shapes.audience
    return [name for name in finding.resource.find.text if name not in audience or name in row]
