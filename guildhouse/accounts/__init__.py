"""Accounts: who people are, how they prove it, and what they may do at all.

Owns people (account and profile), sessions, API keys, the roles of the site, and the way from a token to an actor.
Does not own memberships of organizations: those give scopes of their own, as a grant.
"""

from guildhouse.accounts import erasing, first_admin, person, session
from guildhouse.accounts.api_key import api_keys
from guildhouse.kernel.manifest import Manifest

manifest = Manifest(
    "accounts",
    resources=(person.people, session.sessions, api_keys),
    verbs=(*person.verbs, *session.verbs),
    tasks=erasing.tasks,
    doors=(*session.doors, *erasing.doors),
    pages=(first_admin.router,),
)
