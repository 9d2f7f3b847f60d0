"""The server: what a running process shares between its requests. Made once by `app.py`."""

import hmac
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

from guildhouse.config import Config
from guildhouse.kernel.actor import Actor
from guildhouse.kernel.db import Connection, Database
from guildhouse.kernel.files import Files
from guildhouse.kernel.limits import Limits
from guildhouse.kernel.log.readers.tail import Tail
from guildhouse.kernel.log.readers.watchers import Watchers
from guildhouse.kernel.manifest import House
from guildhouse.kernel.remembered import Remembered
from guildhouse.kernel.searching.engine import Engine
from guildhouse.kernel.searching.heard import Ear

if TYPE_CHECKING:
    from guildhouse.kernel.request import Call


class Identity(Protocol):
    """Who calls, and who a person is. The accounts domain has the one implementation."""

    async def identify(self, call: "Call") -> Actor:
        """The actor of a request; anonymous without a token. Raises `Unauthenticated` for one that is not valid."""

    async def actor_of(self, connection: Connection, person_id: str) -> Actor:
        """The actor that a person is now; for work that goes on after their request. Raises `NotFound`."""

    def wrote(self, rows: Sequence[tuple[str, list[str]]]) -> None:
        """A hint that a request of this process wrote these rows (table, scopes), before the log comes round with it."""


@dataclass
class Server:
    """Settings, the house, its database, the follower of the log, who can tell who calls, and where files are kept.

    `secret` is 32 random bytes that are made once and kept in the database; `ear` takes what is searched.
    """

    config: Config
    house: House
    database: Database
    tail: Tail
    limits: Limits
    identity: Identity
    secret: bytes
    files: Files
    keys: dict[str, bytes] = field(default_factory=dict)
    remembered: Remembered = field(default_factory=Remembered)
    ear: Ear = field(default_factory=Ear)

    @cached_property
    def search(self) -> Engine:
        """The search of this process."""
        return Engine(self.house)

    @cached_property
    def watchers(self) -> Watchers:
        """Who waits for a change in this process."""
        return Watchers(self.tail)

    async def actor_of(self, person_id: str, key_permissions: Collection[str] | None) -> Actor:
        """The person whose work goes on after their request, as they are now, with the key that they asked with."""
        async with self.database.reading() as connection:
            return (await self.identity.actor_of(connection, person_id)).within(key_permissions)

    def key(self, purpose: str) -> bytes:
        """A key for one purpose, derived from the server's secret."""
        if purpose not in self.keys:
            self.keys[purpose] = hmac.digest(self.secret, purpose.encode(), "sha256")
        return self.keys[purpose]

    def signature(self, purpose: str, row_id: str, expires: int) -> str:
        """What only this server can write below a row's id and a time (seconds since 1970), for one purpose."""
        return hmac.new(self.key(purpose), f"{row_id}.{expires}".encode(), "sha256").hexdigest()
