"""Roles of the site, from least to most: each is a named set of permissions and holds those of the roles below it."""

ROLES = ("guest", "member", "coach", "moderator", "admin")

# What each role adds to the one below. What one may do to a single row is the row's own declaration's to say.
ADDED = {
    "guest": {"*.read"},
    "member": {"*.write"},
    "coach": {"people.coach", "searches.statistics"},
    "moderator": {"people.moderate", "organizations.approve", "jobs.moderate", "log.audit"},
    "admin": {"*"},
}
# What permissions are of besides the nouns of the house.
NOUNS_OF_ROLES = ("log", "metrics", "searches")
# The scope that the role gives sight through; those above hold it, too.
SCOPE = {"member": "members", "coach": "coaches", "moderator": "moderators", "admin": "admins"}


def up_to(role: str) -> tuple[str, ...]:
    """The role and all roles below it."""
    return ROLES[: ROLES.index(role) + 1]


def permissions_of(role: str) -> frozenset[str]:
    """Every permission that a role holds."""
    return frozenset().union(*(ADDED[each] for each in up_to(role)))


def scopes_of(role: str) -> frozenset[str]:
    """Every scope that a role holds."""
    return frozenset(SCOPE[each] for each in up_to(role) if each in SCOPE)
