"""The doors of searching over all nouns at once: `/v1/search`, and `/v1/search/suggest` while one types."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import cache
from itertools import chain
from time import perf_counter
from typing import Any, TypeAlias
from urllib.parse import urlencode

from guildhouse.kernel.answer import Answer
from guildhouse.kernel.db import Connection
from guildhouse.kernel.door import Door
from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.fields import Selection
from guildhouse.kernel.formats import JSON, dumps
from guildhouse.kernel.may import anyone
from guildhouse.kernel.pages import parse_limit, parse_sort
from guildhouse.kernel.request import Call
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.called import parse_asked
from guildhouse.kernel.searching.completing import Suggestion, complete, likeliest
from guildhouse.kernel.searching.finding import DATABASE, INDEX, Finding, Found, ranked_together
from guildhouse.kernel.searching.forgiving import FEW, complete_forgiving, with_forgiven
from guildhouse.kernel.searching.heard import hear_search
from guildhouse.kernel.searching.index_schema import Noun
from guildhouse.kernel.searching.ranking import Ranking
from guildhouse.kernel.searching.search_answer import hits, notice, spelled_right
from guildhouse.kernel.searching.search_answering import etag_of_search, kept_or_made, wait_for_index
from guildhouse.kernel.searching.search_index import SearchIndex
from guildhouse.kernel.searching.search_shapes import SearchResults, Suggestions
from guildhouse.kernel.searching.sought import Sought
from guildhouse.kernel.searching.tokens import stems
from guildhouse.kernel.select import LIVE, Listing, Page, rendered

OF_EACH, MOST = 5, 20
CALLED_SO = 0.5  # of the words of a title: whoever types so many of them means it
Completes: TypeAlias = Callable[[SearchIndex, Collection[str], str, int], list[Suggestion]]


class UnknownKind(BadRequest):
    """`{name}` is not searched. These are, as far as you may read them: {known}."""


def asked_of(call: Call) -> tuple[list[Noun], int, str]:
    """The nouns to look into, how many of each, and the text. Raises for what is no parameter here, or a wrong one."""
    call.refuse_others(("q", "kinds", "limit"))
    return nouns_of(call), parse_limit(call.param("limit") or None, OF_EACH, MOST), call.param("q") or ""


def nouns_of(call: Call) -> list[Noun]:
    """The nouns that `kinds=jobs,people` names, or all that the actor may read. Raises `UnknownKind`."""
    nouns = call.server.search.schema.nouns.values()
    open_ = {each.resource.path: each for each in nouns if each.resource.is_open_to(call.actor)}
    wanted = [each.strip() for each in (call.param("kinds") or "").split(",") if each.strip()]
    for name in wanted:
        if name not in open_:
            raise UnknownKind(name=name, known=", ".join(open_))
    return [open_[name] for name in dict.fromkeys(wanted or open_)]


async def search(call: Call) -> Answer:
    """Search all nouns at once."""
    begun = perf_counter()
    nouns, limit, text = asked_of(call)
    await wait_for_index(call)
    etag = etag_of_search(call, [noun.name for noun in nouns], JSON)
    answer = await kept_or_made(call, etag, lambda: found_answer(call, nouns, text, limit))
    hear_search(call, None, begun, answer)
    return answer


async def found_answer(call: Call, nouns: Sequence[Noun], text: str, limit: int) -> Answer:
    """What is found, noun by noun. What is nearly the same is told only where nobody has written the words themselves."""
    async with call.server.database.reading() as connection:
        findings = [finding_of(call, connection, noun, text, limit) for noun in nouns]
        rankings = await ranked_together(findings) if findings else ()
        looked = [await look_for(each, ranking) for each, ranking in zip(findings, rankings, strict=True)]
    as_written = [each for each in looked if each[1].ranking and each[1].ranking.hits and not each[1].ranking.mistyped]
    meant = None if as_written else await meant_in_any([(finding, found) for finding, found, _ in looked])
    groups = [told for *_, told in as_written or looked]
    typed = frozenset(stems(text))
    full = sorted(
        (each for each in groups if each["hits"]), key=lambda each: fitness(each["hits"][0], typed), reverse=True
    )
    totals = [each["total"] for each in groups]
    engine = DATABASE if any(found.engine == DATABASE for _, found, _ in looked) else INDEX
    why = notice("building", call.language) if engine == DATABASE else None
    body = {"data": full, "did_you_mean": meant, "engine": engine, "notice": why}
    headers = {"Cache-Control": "private, no-cache"}
    if None not in totals:
        headers["Total-Count"] = str(sum(totals))
    return Answer(200, dumps(body), headers=headers, rows=sum(len(each["hits"]) for each in groups))


def fitness(hit: Mapping[str, Any], typed: Collection[str]) -> tuple[float, float]:
    """How well the best hit of a noun fits. What is called by what was typed comes first, as a person by their name: scores
    of different nouns are hardly alike, and tell only where neither is."""
    words = stems(hit["title"] or "")
    said = sum(each in typed for each in words) / (len(words) or 1)
    return (said if said >= CALLED_SO else 0.0), hit["score"]


async def meant_in_any(looked: Sequence[tuple[Finding, Found]]) -> str | None:
    """The query as somebody wrote it of one of the nouns."""
    for finding, found in looked:
        if found.ranking and (spelled := await spelled_right(finding, found.ranking)):
            return spelled
    return None


def finding_of(call: Call, connection: Connection, noun: Noun, text: str, limit: int) -> Finding:
    """The search for one noun: a few of its rows, with what is highlighted of them."""
    sought = Sought(parse_asked(noun.resource, text), (), highlights=True, by_relevance=True)
    return Finding(call.server.search, connection, noun.resource, call.actor, some_of(noun.resource, limit), sought)


@cache
def some_of(resource: Resource[Any], limit: int) -> Listing:
    """A few rows of a noun, with the text of them that is shown."""
    fields = tuple(dict.fromkeys(["id", *(name for name in resource.find.text if name in resource.readable)]))
    return Listing(Selection(fields), (LIVE,), parse_sort(resource, None), limit)


async def look_for(finding: Finding, ranking: Ranking | None) -> tuple[Finding, Found, dict[str, Any]]:
    """What is found of one noun, and how it is told. Of most there is nothing: that costs nothing more."""
    resource, noun = finding.resource, finding.noun
    if ranking and not ranking.hits:
        return finding, Found(Page((), None, None), ranking), {"total": ranking.total, "hits": []}
    found = await finding.find_best(ranking)
    rows = await rendered(
        finding.engine.house, finding.connection, resource, finding.actor, found.page.rows, finding.listing.selection
    )
    told = {
        "kind": resource.path,
        "total": found.total,
        "more": f"/v1/{resource.path}?{urlencode({'q': finding.asked.text})}",
        "hits": [told_hit(noun, row, hit) for row, hit in zip(rows, hits(finding, found, rows), strict=True)],
    }
    return finding, found, told


def told_hit(noun: Noun, row: Mapping[str, Any] | Any, hit: Mapping[str, Any]) -> dict[str, Any]:
    """A hit with its title and address."""
    return {"id": row["id"], "title": row[noun.title], "url": f"/v1/{noun.resource.path}/{row['id']}", **hit}


async def suggest(call: Call) -> Answer:
    """What may be about to be typed."""
    nouns, limit, text = asked_of(call)
    await wait_for_index(call)
    names = [noun.name for noun in nouns]

    async def looked_up(how: Completes) -> list[Suggestion]:
        found = await call.server.search.run_each(names, lambda index: how(index, call.actor.scopes, text, limit), text)
        return likeliest(chain.from_iterable(found), text)

    async def suggested() -> Answer:
        told = await looked_up(complete)
        if sum(each["count"] for each in told) < FEW:
            told = with_forgiven(told, await looked_up(complete_forgiving))
        return Answer(200, dumps({"data": told}), headers={"Cache-Control": "private, max-age=30"})

    return await kept_or_made(call, etag_of_search(call, names, JSON), suggested)


def search_doors(host: Resource[Any]) -> tuple[Door, ...]:
    """The two doors; in the documentation they stand with this noun."""
    permission = f"{host.name}.read"
    return (
        Door("GET", "/v1/search", permission, "Search everything that you may see", search, host, kind="read",
             cost=10, open_to=anyone, gives=SearchResults),
        Door("GET", "/v1/search/suggest", permission, "What may be about to be typed", suggest, host, kind="read",
             cost=2, open_to=anyone, gives=Suggestions),
    )  # fmt: skip
