"""Identity: from the token of a request to the actor. Remembered in memory, and forgotten as soon as the log says so."""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from time import monotonic, time

from guildhouse.accounts.access_token import read_access_token
from guildhouse.accounts.api_key import BY_HASH, ApiKey, api_keys
from guildhouse.accounts.person import Person, people
from guildhouse.accounts.roles import permissions_of, scopes_of
from guildhouse.accounts.secrets import hash_token, looks_like_key
from guildhouse.accounts.session import sessions
from guildhouse.kernel import store
from guildhouse.kernel.actor import ANONYMOUS, HOUSE, Actor
from guildhouse.kernel.context import Context
from guildhouse.kernel.db import Connection, Note, fetch
from guildhouse.kernel.errors import NotFound, Unauthenticated
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.manifest import House
from guildhouse.kernel.request import Call
from guildhouse.kernel.scopes import PUBLIC, persons_in, scope

MOST = 10_000
# A second line of defence: the log invalidates within milliseconds, but a node may be cut off from it.
SECONDS = 30
KEY_USE_EVERY = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Known:
    """An actor who was found out, and until when that holds (on the monotonic clock)."""

    actor: Actor
    until: float


class Memory:
    """Actors by the hash of their token, those used last kept longest."""

    def __init__(self, house: House) -> None:
        self.known: OrderedDict[str, Known] = OrderedDict()
        self.house = house
        grants = [each.name for grant in house.grants for each in grant.resources]
        self.watched = {people.name, sessions.name, api_keys.name, *grants}

    def get(self, token: str) -> Actor | None:
        """The actor of a token, if it is known and still good."""
        found = self.known.get(token)
        if found is None or found.until < monotonic():
            return None
        return found.actor

    def put(self, token: str, actor: Actor, seconds: float) -> None:
        """Remember an actor, for some seconds at most."""
        self.known[token] = Known(actor, monotonic() + min(seconds, SECONDS))
        self.known.move_to_end(token)
        if len(self.known) > MOST:
            self.known.popitem(last=False)

    def hear(self, changes: Sequence[Change]) -> None:
        """Forget the actors whose account, session, key or grants have changed."""
        self.forget([(each.resource, [*(each.scopes_before or ()), *(each.scopes_after or ())]) for each in changes])

    def forget(self, rows: Sequence[tuple[str, list[str]]]) -> None:
        """Forget the persons among the scopes of these rows (table, scopes), where the table is one that matters."""
        watched = [scopes for name, scopes in rows if name in self.watched]
        touched = {person for scopes in watched for person in persons_in(scopes)}
        if touched:
            self.known = OrderedDict((t, k) for t, k in self.known.items() if k.actor.scopes.isdisjoint(touched))

    def forget_all(self) -> None:
        """Forget everybody: the log was started over."""
        self.known.clear()


def is_use_to_note(key: ApiKey) -> bool:
    """Whether the last noted use of a key is long enough ago."""
    return key.last_used_at is None or datetime.now(UTC) - key.last_used_at >= KEY_USE_EVERY


class Accounts:
    """Who calls: the kernel's `Identity` out of sessions and API keys."""

    def __init__(self, house: House) -> None:
        self.memory = Memory(house)
        self.house = house

    async def identify(self, call: Call) -> Actor:
        """The actor of a request; anonymous without a token, `Unauthenticated` for one that is not valid."""
        header = call.headers.get(b"authorization")
        if header is None:
            return ANONYMOUS
        kind, _, token = header.decode("latin-1").partition(" ")
        if kind.lower() != "bearer" or not token:
            raise Unauthenticated
        actor = self.memory.get(token)
        return actor if actor else await self.find_out(call, token.strip())

    async def find_out(self, call: Call, token: str) -> Actor:
        """Ask the database, and remember the answer."""
        if looks_like_key(token):
            return await self.of_key(call, token)
        claims = read_access_token(call.server, token)
        async with call.server.database.reading() as connection:
            live = await connection.fetchval(
                "SELECT true FROM sessions WHERE id = $1 AND deleted_at IS NULL", claims.session_id
            )
            if not live:
                raise Unauthenticated
            actor = replace(await self.signed_in(connection, claims.person_id), session_id=claims.session_id)
        self.memory.put(token, actor, claims.expires - time())
        return actor

    async def of_key(self, call: Call, token: str) -> Actor:
        """The person of an API key, narrowed to the key's permissions."""
        async with call.server.database.reading() as connection:
            records = await fetch(connection, BY_HASH, hash=hash_token(token))
            if not records:
                raise Unauthenticated
            key = ApiKey.of(records[0])
            left = (key.expires_at - datetime.now(UTC)).total_seconds() if key.expires_at else SECONDS
            if left <= 0:
                raise Unauthenticated
            person = await self.signed_in(connection, key.person_id)
        actor = replace(person, narrowed=frozenset(key.permissions))
        self.memory.put(token, actor, left)
        await self.note_use(call, key)
        return actor

    async def note_use(self, call: Call, key: ApiKey) -> None:
        """Write down that a key was used, at most once an hour."""
        if not is_use_to_note(key):
            return
        async with call.server.database.writing(Note(request_id=call.request_id)) as connection:
            ctx = Context(self.house, connection, HOUSE, Note(request_id=call.request_id))
            row = await ctx.find(api_keys, key.id, lock=True)
            if row and is_use_to_note(row):
                await store.change(ctx, api_keys, row, {"last_used_at": ctx.now}, verb="used")

    def wrote(self, rows: Sequence[tuple[str, list[str]]]) -> None:
        """Whoever has just founded an organization acts as its owner in the next request to this process."""
        self.memory.forget(rows)

    async def signed_in(self, connection: Connection, person_id: str) -> Actor:
        """The actor that a person is, for a request of theirs."""
        try:
            return await self.actor_of(connection, person_id)
        except NotFound as error:
            raise Unauthenticated from error

    async def actor_of(self, connection: Connection, person_id: str) -> Actor:
        """The actor that an active person is now; raises `NotFound`."""
        record = await connection.fetchrow(
            "SELECT * FROM people WHERE id = $1 AND status = 'active' AND deleted_at IS NULL", person_id
        )
        if record is None:
            raise NotFound
        person = Person.of(record)
        granted = await self.house.scopes_of(connection, person_id)
        scopes = frozenset({PUBLIC, scope("person", person_id), *scopes_of(person.role), *granted})
        return Actor(person_id, scopes, permissions_of(person.role), language=person.language)
