"""A search as one more condition of a whole list: for what is exported, or written, as far as `q` finds it."""

from collections.abc import Mapping
from typing import Any

from guildhouse.kernel.actor import Actor
from guildhouse.kernel.db import Connection
from guildhouse.kernel.fields import Selection
from guildhouse.kernel.filters import Condition
from guildhouse.kernel.pages import parse_sort
from guildhouse.kernel.resource import Resource
from guildhouse.kernel.searching.called import parse_asked
from guildhouse.kernel.searching.engine import Engine
from guildhouse.kernel.searching.finding import Finding
from guildhouse.kernel.searching.ranking import DEEPEST
from guildhouse.kernel.searching.sought import Sought
from guildhouse.kernel.select import LIVE, Listing


async def search_conditions(
    engine: Engine,
    connection: Connection,
    actor: Actor,
    resource: Resource[Any],
    params: Mapping[str, str],
    state: Condition = LIVE,
) -> list[Condition]:
    """The rows that `q` finds, if it is given: the best ones, as many as are ranked; or in the trash, if that is asked for.

    Raises `SearchTooSlow`.
    """
    text = params.get("q")
    if text is None or not resource.find.text:
        return []
    sought = Sought(parse_asked(resource, text), (), highlights=False, by_relevance=True)
    listing = Listing(Selection(("id",)), (state,), parse_sort(resource, None), DEEPEST)
    return [await Finding(engine, connection, resource, actor, listing, sought).condition()]
