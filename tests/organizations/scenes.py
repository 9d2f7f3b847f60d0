"""What tests of organizations and of all above them begin with: an organization, and people who have joined it."""

from collections.abc import Awaitable, Callable
from typing import Any

from httpx2 import Response

from tests.cast import Caller, Cast

Body = dict[str, Any]
# The fixture `wrote`: claims the events that a test has written.
Wrote = Callable[..., Awaitable[None]]


async def heard(cast: Cast, response: Response) -> Body:
    """The body of a write that succeeded, once its changes have reached those who remember who may see what."""
    assert response.status_code in (200, 201), response.text
    await cast.server.tail.wait_for(response.headers["log-position"])
    body: Body = response.json()
    return body


async def found(cast: Cast, name: str = "Analytical Engines", founder: Caller | None = None, **values: Any) -> Body:
    """An organization that waits for approval; Ada founds it unless somebody else is named."""
    founder = founder or cast.ada
    return await heard(cast, await founder.post("/v1/organizations", {"name": name, **values}))


async def approved(cast: Cast, name: str = "Analytical Engines", founder: Caller | None = None) -> Body:
    """An organization that Otto has approved."""
    organization = await found(cast, name, founder)
    return await heard(cast, await cast.otto.post(f"/v1/organizations/{organization['id']}/approve"))


async def invite(cast: Cast, organization: Body, role: str = "viewer", email: str = "ben@example.org") -> Body:
    """An invitation by Ada, with its token."""
    body = {"organization_id": organization["id"], "email": email, "role": role}
    return await cast.ada.made("/v1/invitations", body)


async def join(cast: Cast, organization: Body, who: Caller, role: str = "viewer") -> Body:
    """The membership of somebody whom Ada invited."""
    token = (await invite(cast, organization, role))["token"]
    return await heard(cast, await who.post("/v1/invitations:accept", {"token": token}))


async def suspend(cast: Cast, organization: Body) -> Body:
    """Otto suspends an organization."""
    path = f"/v1/organizations/{organization['id']}/suspend"
    return await heard(cast, await cast.otto.post(path, {"reason": "It asks applicants for money."}))


def refusal(response: Response) -> tuple[int, str]:
    """The status and the code of a problem."""
    return response.status_code, response.json()["code"]


def ids(response: Response) -> list[str]:
    """The ids of a list's rows."""
    assert response.status_code == 200, response.text
    return [row["id"] for row in response.json()["data"]]
