"""How each door of searching answers: once the index has what is waited for, and from what is kept, where that holds."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from time import time

from guildhouse.kernel.answer import Answer
from guildhouse.kernel.etag import matches
from guildhouse.kernel.reading import VARY, PositionNotReached, etag_of_list, position_of, wait_for_position
from guildhouse.kernel.request import Call


async def wait_for_index(call: Call) -> None:
    """`Wait-For`, of a search: answer only once the index has all that this process has seen of the log."""
    await wait_for_position(call)
    if call.header("wait-for") is None:
        return
    if not await call.server.search.has_reached(call.server.tail.epoch, call.server.tail.pos):
        raise PositionNotReached


def etag_of_search(call: Call, nouns: Sequence[str], form: str) -> str:
    """The ETag of a search. It shows no more than the index has: where that is behind, its position stands for it.

    Two keys of a person see the same rows, but one may read nouns that the other may not.
    """
    position, engine = position_of(call, nouns), call.server.search
    position = min(position, engine.pos) if engine.indexes else -position
    minute = str(int(time() // 60))  # facets count by how long ago something is
    permissions = call.actor.key_permissions or ["*"]
    return etag_of_list(call, form, position, minute, call.language, *nouns, *permissions)


async def kept_or_made(call: Call, etag: str, make: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer of this ETag: the client's own, the one that is kept, or a new one, which is kept from then on.

    Who asks the same at the same time gets the same: it is made once.
    """
    if matches(call.header("if-none-match"), etag):
        return Answer(304, headers={"ETag": etag, "Vary": VARY})
    engine = call.server.search

    async def made() -> Answer:
        async with engine.turns:
            answer = await make()
        answer.headers |= {"ETag": etag, "Vary": VARY}
        return answer

    answer = await engine.answers.get((call.scope["path"], etag), made)
    return replace(answer, headers=dict(answer.headers))  # each client's own are added to them
