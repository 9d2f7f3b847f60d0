"""Founding an organization, its approval, and who sees it when."""

import orjson
import pytest

from tests.cast import Cast
from tests.organizations.scenes import Wrote, approved, found, heard, ids, join, refusal, suspend

pytestmark = pytest.mark.anyio


async def test_a_founder_is_the_first_owner(cast: Cast) -> None:
    organization = await found(cast, website="https://engines.example.org", country="GB")
    assert organization["status"] == "pending"
    assert organization["founder_id"] == cast.ada.id
    memberships = (await cast.ada.get("/v1/memberships?expand=organization")).json()["data"]
    assert [(each["person_id"], each["role"]) for each in memberships] == [(cast.ada.id, "owner")]
    assert memberships[0]["organization"]["name"] == "Analytical Engines"


async def test_founding_writes_the_organization_and_the_membership(cast: Cast, wrote: Wrote) -> None:
    await found(cast)
    await wrote("organization.founded", "membership.joined")


async def test_founding_answers_with_the_address_and_keeps_nothing_of_a_refusal(cast: Cast) -> None:
    response = await cast.ada.post("/v1/organizations", {"name": "Guild of Weavers"})
    assert (response.status_code, response.headers["location"]) == (201, f"/v1/organizations/{response.json()['id']}")
    again = await cast.cleo.post("/v1/organizations", {"name": "Guild of Weavers"})
    assert refusal(again) == (409, "already-exists")
    assert [fault["pointer"] for fault in again.json()["errors"]] == ["/slug"]
    assert ids(await cast.cleo.get("/v1/memberships")) == []


async def test_nobody_founds_without_signing_in(cast: Cast) -> None:
    assert (await cast.nobody.post("/v1/organizations", {"name": "Nemo"})).status_code == 401


@pytest.mark.parametrize(
    ("name", "slug"),
    [("Café des Arts", "cafe-des-arts"), ("  A & B, Ltd. ", "a-b-ltd"), ("x" * 200, "x" * 80)],
)
async def test_the_slug_is_made_from_the_name(cast: Cast, name: str, slug: str) -> None:
    assert (await found(cast, name))["slug"] == slug


async def test_a_name_without_latin_letters_gets_its_id_as_slug(cast: Cast) -> None:
    organization = await found(cast, "青年職涯協會")
    assert organization["slug"] == organization["id"]


async def test_its_number_on_linkedin_is_a_number_and_leaves_with_it(cast: Cast) -> None:
    organization = await found(cast, linkedin_id="1035")
    address = f"/v1/organizations/{organization['id']}"
    for wrong in ("linkedin.com/company/1035", "0", "01", "", " 1035", "1" * 20, 1035):
        answer = await cast.ada.patch(address, {"linkedin_id": wrong})
        assert [fault["pointer"] for fault in answer.json()["errors"]] == ["/linkedin_id"], wrong
    content = (await cast.ada.get("/v1/organizations:export?format=guildhouse")).content
    assert orjson.loads(content.splitlines()[1])["linkedin_id"] == "1035"
    assert (await cast.ada.patch(address, {"linkedin_id": None})).json()["linkedin_id"] is None


async def test_a_slug_is_free_again_when_its_organization_is_gone(cast: Cast) -> None:
    organization = await found(cast)
    await cast.ada.delete(f"/v1/organizations/{organization['id']}")
    assert (await found(cast, founder=cast.cleo))["slug"] == organization["slug"]
    assert refusal(await cast.ada.post(f"/v1/organizations/{organization['id']}/restore")) == (409, "already-exists")


async def test_a_pending_organization_is_seen_by_its_members_and_moderators_only(cast: Cast) -> None:
    address = f"/v1/organizations/{(await found(cast))['id']}"
    assert (await cast.ada.get(address)).status_code == 200
    assert (await cast.otto.get(address)).status_code == 200
    for stranger in (cast.cleo, cast.nobody):
        assert (await stranger.get(address)).status_code == 404
        assert ids(await stranger.get("/v1/organizations")) == []


async def test_an_approved_organization_is_public(cast: Cast) -> None:
    organization = await approved(cast)
    assert organization["status"] == "approved"
    assert ids(await cast.nobody.get("/v1/organizations?status=approved&sort=name")) == [organization["id"]]


async def test_only_moderators_approve(cast: Cast) -> None:
    organization = await found(cast)
    moderator = await cast.join("Mona", "moderator")
    assert refusal(await cast.ada.post(f"/v1/organizations/{organization['id']}/approve")) == (403, "denied")
    assert refusal(await cast.cleo.post(f"/v1/organizations/{organization['id']}/approve")) == (404, "not-found")
    assert (await moderator.post(f"/v1/organizations/{organization['id']}/approve")).status_code == 200


async def test_a_rejected_organization_reads_why_and_may_be_submitted_again(cast: Cast) -> None:
    organization = await found(cast)
    address = f"/v1/organizations/{organization['id']}"
    await cast.otto.made(f"{address}/reject", {"reason": "No such street"})
    assert (await cast.ada.get(address)).json()["status_reason"] == "No such street"
    assert refusal(await cast.otto.post(f"{address}/resubmit")) == (403, "denied")
    await join(cast, organization, cast.ben, "recruiter")
    assert refusal(await cast.ben.post(f"{address}/resubmit")) == (403, "denied")
    again = await cast.ada.made(f"{address}/resubmit", {})
    assert (again["status"], again["status_reason"]) == ("pending", None)
    assert (await cast.otto.made(f"{address}/approve", {}))["status"] == "approved"


async def test_a_suspended_organization_is_out_of_sight_until_it_is_reinstated(cast: Cast) -> None:
    organization = await approved(cast)
    address = f"/v1/organizations/{organization['id']}"
    await suspend(cast, organization)
    assert (await cast.cleo.get(address)).status_code == 404
    assert (await cast.ada.get(address)).json()["status_reason"] == "It asks applicants for money."
    await heard(cast, await cast.otto.post(f"{address}/reinstate"))
    assert (await cast.cleo.get(address)).json()["status_reason"] is None


@pytest.mark.parametrize(
    ("steps", "verb", "answer"),
    [
        ([], "suspend", (409, "move-not-allowed")),
        ([], "reinstate", (403, "denied")),
        (["approve"], "approve", (403, "denied")),
        (["approve"], "reject", (409, "move-not-allowed")),
        (["approve", "suspend"], "approve", (403, "denied")),
        (["reject"], "approve", (403, "denied")),
        (["reject"], "suspend", (409, "move-not-allowed")),
    ],
)
async def test_illegal_moves_are_refused(cast: Cast, steps: list[str], verb: str, answer: tuple[int, str]) -> None:
    address = f"/v1/organizations/{(await found(cast))['id']}"
    for step in steps:
        await cast.otto.made(f"{address}/{step}", reason_for(step))
    assert refusal(await cast.otto.post(f"{address}/{verb}", reason_for(verb))) == answer


def reason_for(verb: str) -> dict[str, str]:
    return {"reason": "why"} if verb in ("reject", "suspend") else {}


async def test_the_reason_of_a_suspension_is_not_public_even_afterwards(cast: Cast) -> None:
    organization = await approved(cast)
    await suspend(cast, organization)
    await heard(cast, await cast.otto.post(f"/v1/organizations/{organization['id']}/reinstate"))
    assert refusal(await cast.cleo.get(f"/v1/organizations/{organization['id']}/history")) == (403, "denied")
    told = await cast.ada.get(f"/v1/organizations/{organization['id']}/history")
    assert [each["event"] for each in told.json()["data"]] == [
        "organization.reinstated",
        "organization.suspended",
        "organization.approved",
        "organization.founded",
    ]


async def test_owners_change_their_organization_and_nobody_else(cast: Cast) -> None:
    organization = await approved(cast)
    address = f"/v1/organizations/{organization['id']}"
    await join(cast, organization, cast.ben, "recruiter")
    changed = await cast.ada.patch(address, {"description": "We compute.", "city": "London"})
    assert changed.json()["city"] == "London"
    for other in (cast.ben, cast.cleo, cast.otto):
        assert refusal(await other.patch(address, {"city": "Paris"})) == (403, "denied")
        assert refusal(await other.delete(address)) == (403, "denied")


async def test_status_and_founder_can_not_be_set_by_hand(cast: Cast) -> None:
    organization = await found(cast)
    for field, value in (("status", "approved"), ("founder_id", cast.cleo.id), ("scopes", ["public"])):
        response = await cast.ada.patch(f"/v1/organizations/{organization['id']}", {field: value})
        assert refusal(response) == (400, "unknown-fields"), field
    response = await cast.ada.post("/v1/organizations", {"name": "Sneaky", "status": "approved"})
    assert refusal(response) == (400, "unknown-fields")


async def test_an_owner_does_not_undo_a_decision_of_the_moderators(cast: Cast) -> None:
    organization = await approved(cast)
    await suspend(cast, organization)
    response = await cast.ada.post(f"/v1/organizations/{organization['id']}/undo")
    assert refusal(response) == (403, "move-not-yours")
    assert (await cast.ada.get(f"/v1/organizations/{organization['id']}")).json()["status"] == "suspended"
