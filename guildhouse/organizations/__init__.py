"""Organizations: who offers work, and who acts for them.

Owns organizations, memberships with their roles, and invitations; gives people the scopes of their organizations.
Does not own what an organization offers (jobs) or decides (applications), nor accounts and the roles of the site.
"""

from guildhouse.kernel.manifest import Manifest
from guildhouse.organizations import founding, invitation, membership, organization

manifest = Manifest(
    "organizations",
    resources=(organization.organizations, membership.memberships, invitation.invitations),
    verbs=(*organization.verbs, *membership.verbs, *invitation.verbs),
    doors=(*founding.doors, *invitation.doors),
    grants=(membership.grant,),
)
