"""Roles in an organization, what they give sight of, and the owner who must stay."""

import asyncio

import pytest

from tests.cast import Caller, Cast
from tests.organizations.scenes import Body, Wrote, approved, heard, ids, join, refusal

pytestmark = pytest.mark.anyio


async def membership_of(cast: Cast, who: Caller) -> Body:
    found: Body = (await who.get(f"/v1/memberships?person_id={who.id}")).json()["data"][0]
    return found


async def test_members_see_each_other_and_strangers_see_nobody(cast: Cast) -> None:
    organization = await approved(cast)
    ben = await join(cast, organization, cast.ben)
    ada = await membership_of(cast, cast.ada)
    for member in (cast.ada, cast.ben):
        assert sorted(ids(await member.get("/v1/memberships"))) == sorted([ada["id"], ben["id"]])
    for stranger in (cast.cleo, cast.otto):
        assert ids(await stranger.get("/v1/memberships")) == []
        assert (await stranger.get(f"/v1/memberships/{ben['id']}")).status_code == 404
    assert (await cast.nobody.get("/v1/memberships")).status_code == 401


async def test_an_owner_gives_roles(cast: Cast, wrote: Wrote) -> None:
    organization = await approved(cast)
    ben = await join(cast, organization, cast.ben)
    await cast.ada.made(f"/v1/memberships/{ben['id']}/assign-role", {"role": "recruiter"})
    assert (await membership_of(cast, cast.ben))["role"] == "recruiter"
    await wrote(
        "organization.founded", "membership.joined", "organization.approved", "invitation.created",
        "invitation.accepted", "membership.joined", "membership.role_assigned",
    )  # fmt: skip


@pytest.mark.parametrize("role", ["viewer", "interviewer", "recruiter"])
async def test_others_give_no_roles(cast: Cast, role: str) -> None:
    organization = await approved(cast)
    ben = await join(cast, organization, cast.ben, role)
    for who, answer in ((cast.ben, (403, "denied")), (cast.cleo, (404, "not-found"))):
        assert refusal(await who.post(f"/v1/memberships/{ben['id']}/assign-role", {"role": "owner"})) == answer
    assert refusal(await cast.ada.post(f"/v1/memberships/{ben['id']}/assign-role", {"role": "king"})) == (
        422,
        "invalid",
    )


async def test_nobody_makes_a_membership_by_hand(cast: Cast) -> None:
    organization = await approved(cast)
    body = {"organization_id": organization["id"], "person_id": cast.cleo.id, "role": "owner"}
    assert (await cast.cleo.post("/v1/memberships", body)).status_code == 405
    assert (await cast.ada.post("/v1/memberships:batch", {"ops": [{"op": "create", "data": body}]})).status_code == 404


async def test_an_owner_removes_a_member_who_then_sees_no_more(cast: Cast) -> None:
    organization = await approved(cast)
    ben = await join(cast, organization, cast.ben, "recruiter")
    removed = await cast.ada.delete(f"/v1/memberships/{ben['id']}")
    assert removed.status_code == 204
    await cast.server.tail.wait_for(removed.headers["log-position"])
    assert ids(await cast.ben.get("/v1/memberships")) == []


async def test_a_member_leaves_but_does_not_come_back_alone(cast: Cast) -> None:
    organization = await approved(cast)
    ben = await join(cast, organization, cast.ben, "recruiter")
    address = f"/v1/memberships/{ben['id']}"
    left = await cast.ben.delete(address)
    await cast.server.tail.wait_for(left.headers["log-position"])
    for way_back in ("restore", "undo"):
        assert refusal(await cast.ben.post(f"{address}/{way_back}")) == (403, "not-back-by-yourself")
    await heard(cast, await cast.ada.post(f"{address}/restore"))
    assert ben["id"] in ids(await cast.ben.get("/v1/memberships"))


async def test_members_do_not_remove_each_other(cast: Cast) -> None:
    organization = await approved(cast)
    ada = await membership_of(cast, cast.ada)
    await join(cast, organization, cast.ben, "recruiter")
    assert refusal(await cast.ben.delete(f"/v1/memberships/{ada['id']}")) == (403, "denied")


async def test_the_last_owner_stays(cast: Cast) -> None:
    organization = await approved(cast)
    ada = await membership_of(cast, cast.ada)
    await join(cast, organization, cast.ben, "recruiter")
    address = f"/v1/memberships/{ada['id']}"
    assert refusal(await cast.ada.post(f"{address}/assign-role", {"role": "viewer"})) == (409, "last-owner")
    assert refusal(await cast.ada.delete(address)) == (409, "last-owner")
    await join(cast, organization, await cast.join("Dora"), "owner")
    assert (await cast.ada.delete(address)).status_code == 204


async def test_of_two_owners_who_leave_at_once_one_stays(cast: Cast) -> None:
    organization = await approved(cast)
    ben = await join(cast, organization, cast.ben, "owner")
    ada = await membership_of(cast, cast.ada)
    answers = await asyncio.gather(
        cast.ada.delete(f"/v1/memberships/{ada['id']}"), cast.ben.delete(f"/v1/memberships/{ben['id']}")
    )
    assert sorted(each.status_code for each in answers) == [204, 409]
    sql = "SELECT count(*) FROM memberships WHERE role = 'owner' AND deleted_at IS NULL"
    assert await cast.server.database.pool.fetchval(sql) == 1


async def test_an_owner_of_one_organization_has_no_say_in_another(cast: Cast) -> None:
    await approved(cast, "Ada's")
    other = await approved(cast, "Cleo's", founder=cast.cleo)
    cleo = await membership_of(cast, cast.cleo)
    assert (await cast.ada.delete(f"/v1/memberships/{cleo['id']}")).status_code == 404
    assert refusal(await cast.ada.patch(f"/v1/organizations/{other['id']}", {"name": "Ours"})) == (403, "denied")


async def test_an_owner_whose_account_is_gone_does_not_keep_the_last_one_who_can_act_from_being_the_last(
    cast: Cast,
) -> None:
    organization = await approved(cast)
    await join(cast, organization, cast.ben, "owner")
    ada = await membership_of(cast, cast.ada)
    await heard(cast, await cast.otto.post(f"/v1/people/{cast.ben.id}/suspend"))
    assert refusal(await cast.ada.delete(f"/v1/memberships/{ada['id']}")) == (409, "last-owner")
    await heard(cast, await cast.otto.post(f"/v1/people/{cast.ben.id}/reinstate"))
    assert (await cast.ada.delete(f"/v1/memberships/{ada['id']}")).status_code == 204


@pytest.mark.parametrize("gone", ["removed", "suspended"])
async def test_where_no_owner_can_act_the_sites_staff_appoints_one(cast: Cast, wrote: Wrote, gone: str) -> None:
    organization = await approved(cast)
    path = f"/v1/organizations/{organization['id']}"
    if gone == "removed":
        await cast.ada.delete(f"/v1/people/{cast.ada.id}")
    else:
        await cast.otto.made(f"/v1/people/{cast.ada.id}/suspend", {})
    await heard(cast, await cast.otto.post(f"{path}/appoint-owner", {"person_id": cast.ben.id}))
    assert (await membership_of(cast, cast.ben))["role"] == "owner"
    await heard(cast, await cast.ben.patch(path, {"city": "Tainan"}))
    again = await cast.otto.post(f"{path}/appoint-owner", {"person_id": cast.cleo.id})
    assert refusal(again) == (409, "owner-stands")
    await wrote(
        "organization.founded", "membership.joined", "organization.approved", f"person.{gone}", "membership.joined",
        "organization.changed",
    )  # fmt: skip


async def test_a_member_who_is_appointed_keeps_their_membership(cast: Cast) -> None:
    organization = await approved(cast)
    ben = await join(cast, organization, cast.ben)
    await cast.otto.made(f"/v1/people/{cast.ada.id}/suspend", {})
    await cast.otto.made(f"/v1/organizations/{organization['id']}/appoint-owner", {"person_id": cast.ben.id})
    found = await membership_of(cast, cast.ben)
    assert (found["id"], found["role"], found["version"]) == (ben["id"], "owner", 2)


async def test_nobody_but_the_staff_appoints_and_nobody_without_an_account_is_appointed(cast: Cast) -> None:
    organization = await approved(cast)
    path = f"/v1/organizations/{organization['id']}/appoint-owner"
    for who in (cast.ada, cast.cleo):
        assert refusal(await who.post(path, {"person_id": cast.ben.id})) == (403, "denied")
    await cast.otto.made(f"/v1/people/{cast.ada.id}/suspend", {})
    await cast.otto.made(f"/v1/people/{cast.ben.id}/suspend", {})
    for nobody in (cast.ben.id, cast.ada.id, organization["id"]):
        refused = await cast.otto.post(path, {"person_id": nobody})
        assert refusal(refused) == (422, "invalid")
        assert refused.json()["errors"][0]["pointer"] == "/person_id"
