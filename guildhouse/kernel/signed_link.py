"""Signed links: who has one may do one thing about one row, until the link is over. Nothing of it is kept.

A token is `<row id>.<end, in seconds since 1970>.<signature>`. It stands behind the # of the link to a page of its purpose's
name, as browsers send that to no server. What is signed may say more of the row than its id, so that the link ends with it.
"""

import hmac
import time
from dataclasses import dataclass
from datetime import UTC, datetime

from guildhouse.kernel.answer import Answer
from guildhouse.kernel.formats import dumps
from guildhouse.kernel.ids import as_id
from guildhouse.kernel.server import Server
from guildhouse.kernel.shapes import Shape


class SignedLink(Shape):
    """A link for one person alone: whoever has it first may use it. `token` is what stands behind its `#`."""

    token: str
    link: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Token:
    """What a token says, be it true or not."""

    row_id: str
    expires: int
    signature: str

    @classmethod
    def parse(cls, text: str) -> "Token | None":
        """Read a token; None for what is none, and for one that is over."""
        row_id, _, rest = text.partition(".")
        expires, _, signature = rest.partition(".")
        if as_id(row_id) != row_id or not (expires.isascii() and expires.isdecimal() and len(expires) < 13):
            return None
        return cls(row_id, int(expires), signature) if int(expires) >= time.time() else None

    def is_signed(self, server: Server, purpose: str, about: str) -> bool:
        """Whether this server has made it, for this purpose and below this."""
        return hmac.compare_digest(server.signature(purpose, about, self.expires).encode(), self.signature.encode())


def link_answer(server: Server, purpose: str, row_id: str, about: str, seconds: int) -> Answer:
    """A new link, good for so many seconds; no cache keeps it."""
    expires = int(time.time()) + seconds
    token = f"{row_id}.{expires}.{server.signature(purpose, about, expires)}"
    body = SignedLink(token=token, link=f"/{purpose}#{token}", expires_at=datetime.fromtimestamp(expires, UTC))
    return Answer(200, dumps(body.model_dump()), headers={"Cache-Control": "no-store"})
