"""Accounts: who people are, how they prove it, and what they may do at all.

Owns people (account and profile), sessions, API keys, the roles of the site, the way from a token to an actor, and what a
person takes out to another server and brings from one. Does not own memberships of organizations: those give scopes of
their own, as a grant.
"""

from guildhouse.accounts import first_admin, person, session
from guildhouse.accounts.api_key import api_keys
from guildhouse.accounts.leaving import erasing, packing, takeout
from guildhouse.accounts.moving_in import arrival, settling, welcome, welcome_page
from guildhouse.kernel.manifest import Manifest
from guildhouse.vocabulary import keeper

manifest = Manifest(
    "accounts",
    resources=(person.people, session.sessions, api_keys, takeout.takeouts, arrival.arrivals),
    verbs=(*person.verbs, *session.verbs, *takeout.verbs, *arrival.verbs),
    readers=(keeper("profile-words", person.people, person.WORDS),),
    doors=(*session.doors, *erasing.doors, *takeout.doors, *arrival.doors, *welcome.doors),
    tasks=(*erasing.tasks, *packing.tasks, *settling.tasks),
    schedules=(*packing.schedules, *settling.schedules),
    pages=(first_admin.router, welcome_page.router),
)
