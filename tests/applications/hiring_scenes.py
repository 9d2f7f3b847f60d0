"""What tests of applications begin with: Ada hires, Ben is on her team, Eve applies, and Cleo must see nothing of it."""

from dataclasses import dataclass
from typing import Any

from tests.cast import Caller, Cast
from tests.jobs.openings import hiring, posted
from tests.organizations.scenes import Body


@dataclass
class Opening:
    """An open job of Ada's organization, and Eve, who wants it."""

    cast: Cast
    organization: Body
    job: Body
    eve: Caller

    async def draft(self, **values: Any) -> Body:
        """Eve's application, not handed in yet."""
        return await self.eve.made("/v1/applications", {"job_id": self.job["id"], **values})

    async def submitted(self, **values: Any) -> Body:
        """Eve's application, handed in."""
        return await self.draft(stage="submitted", **values)

    async def own_stage(self, name: str = "Call with the team", outcome: str = "screening") -> Body:
        """A stage of the organization's own."""
        body = {"organization_id": self.organization["id"], "name": name, "outcome": outcome}
        return await self.cast.ada.made("/v1/stages", body)


async def opening(cast: Cast) -> Opening:
    """The scene of most tests."""
    organization = await hiring(cast)
    return Opening(cast, organization, await posted(cast, organization), await cast.join("Eve"))


def at(application: Body, verb: str = "") -> str:
    """The address of an application, or of one of its verbs."""
    return f"/v1/applications/{application['id']}" + (f"/{verb}" if verb else "")
