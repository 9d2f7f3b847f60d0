"""The actor: who acts, what they see (scopes) and what they may do at all (permissions)."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from guildhouse.kernel.scopes import PUBLIC, sees


@dataclass(frozen=True, slots=True)
class Actor:
    """A person, a key of theirs, or nobody. Permissions read `jobs.read`, `*.write`, `organizations.approve` or `*`.

    `narrowed` are the permissions of the API key in use: an action needs to be in both sets. None narrows nothing.
    """

    id: str | None
    scopes: frozenset[str]
    permissions: frozenset[str]
    narrowed: frozenset[str] | None = None
    session_id: str | None = None
    language: str | None = None

    @property
    def signed_in(self) -> bool:
        """Whether this is somebody."""
        return self.id is not None

    def can(self, permission: str) -> bool:
        """Whether the role, and the key where there is one, hold this permission."""
        return covers(self.permissions, permission) and (self.narrowed is None or covers(self.narrowed, permission))

    def within(self, permissions: Collection[str] | None) -> "Actor":
        """The actor with a key of these permissions, as `key_permissions` told them; None narrows nothing."""
        return self if permissions is None else replace(self, narrowed=frozenset(permissions))

    @property
    def key_permissions(self) -> list[str] | None:
        """The permissions of the API key in use, to be kept for work that goes on after the request."""
        return None if self.narrowed is None else sorted(self.narrowed)

    def sees(self, scopes: Iterable[str]) -> bool:
        """Whether the actor sees what has these scopes."""
        return sees(self.scopes, scopes)


ANONYMOUS = Actor(None, frozenset({PUBLIC}), frozenset({"*.read"}))
# Acts for the house itself: schedules, readers, repairs. It sees nothing by scopes; the code that uses it asks for rows.
HOUSE = Actor(None, frozenset(), frozenset({"*"}))


def covers(held: frozenset[str], permission: str) -> bool:
    """Whether a set of permissions, with `*` for a whole noun, a whole action or everything, contains one."""
    noun, _, action = permission.partition(".")
    return permission in held or "*" in held or f"*.{action}" in held or f"{noun}.*" in held
