"""Sight: which scopes the persons who search hold now. Kept in memory, and forgotten as soon as the log says so."""

from collections.abc import Collection, Iterable, Sequence

from guildhouse.accounts.person import people
from guildhouse.accounts.roles import scopes_of
from guildhouse.kernel.db import Connection
from guildhouse.kernel.log.changes import Change
from guildhouse.kernel.manifest import House
from guildhouse.kernel.scopes import PERSON, PUBLIC, excepted, persons_in, scope, sees

ROLES = f"SELECT id, role FROM \"{people.name}\" WHERE id = ANY($1) AND status = 'active' AND deleted_at IS NULL"
# A change of a person that touches none of these changes nothing of what they see.
DECIDING = {"role", "status", "deleted_at"}


class Sight:
    """Who sees what. Roles are asked for many at once; what the domains grant, only where a row could be seen by it."""

    def __init__(self, house: House) -> None:
        self.house = house
        self.watched = {people.name, *(each.name for grant in house.grants for each in grant.resources)}
        self.plain: dict[str, frozenset[str]] = {}
        self.granted: dict[str, frozenset[str]] = {}

    def forget_all(self) -> None:
        """Know nothing of anybody."""
        self.plain.clear()
        self.granted.clear()

    def forget(self, batch: Sequence[Change]) -> set[str]:
        """Forget those of whom something has changed that decides what they see; says who they are."""
        touched = {person for change in batch if change.resource in self.watched for person in concerned(change)}
        for person in touched:
            self.plain.pop(person, None)
            self.granted.pop(person, None)
        return touched

    async def meet(self, connection: Connection, persons: Iterable[str]) -> None:
        """Learn the roles of those who are not known yet; who has no active account sees nothing."""
        unknown = set(persons) - self.plain.keys()
        if not unknown:
            return
        roles = {record["id"]: record["role"] for record in await connection.fetch(ROLES, list(unknown))}
        for person in unknown:
            own = {PUBLIC, scope("person", person), *scopes_of(roles[person])} if person in roles else ()
            self.plain[person] = frozenset(own)

    async def sees(self, connection: Connection, person: str, scopes: Collection[str]) -> bool:
        """Whether a person, who was met, sees a row of these scopes."""
        own = self.plain[person]
        if not own or all(each.startswith(PERSON) for each in scopes if each not in own):
            return sees(own, scopes)
        if not own.isdisjoint(scopes) and not excepted(scopes):
            return True
        return sees(await self.scopes_of(connection, person), scopes)

    async def scopes_of(self, connection: Connection, person: str) -> frozenset[str]:
        """All scopes of a person who was met and has an active account."""
        if person not in self.granted:
            self.granted[person] = self.plain[person] | await self.house.scopes_of(connection, person)
        return self.granted[person]


def concerned(change: Change) -> set[str]:
    """The persons who may see other rows after this change: of an account its person, of another row all whom it names."""
    if change.resource == people.name:
        said = {*(change.before or ()), *(change.after or ())}
        return {change.row_id} if said & DECIDING or change.scopes_after is None else set()
    named = persons_in([*(change.scopes_before or ()), *(change.scopes_after or ())])
    return {each.removeprefix(PERSON) for each in named}
