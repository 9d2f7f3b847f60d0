"""What tests of jobs and of all above them begin with: an approved organization of Ada's, and jobs in it."""

from typing import Any

from tests.cast import Caller, Cast
from tests.organizations.scenes import Body, approved, heard, join


async def hiring(cast: Cast) -> Body:
    """Ada's approved organization, in which Ben is a recruiter."""
    organization = await approved(cast)
    await join(cast, organization, cast.ben, "recruiter")
    return organization


async def posted(cast: Cast, organization: Body, by: Caller | None = None, **values: Any) -> Body:
    """An open job; Ada posts it unless somebody else is named."""
    body = {"organization_id": organization["id"], "title": "Engine programmer", "status": "open", **values}
    return await heard(cast, await (by or cast.ada).post("/v1/jobs", body))


async def tracked(caller: Caller, **values: Any) -> Body:
    """A job that somebody found elsewhere."""
    return await caller.made("/v1/jobs", {"title": "Lighthouse keeper", "organization_name": "The Coast", **values})
