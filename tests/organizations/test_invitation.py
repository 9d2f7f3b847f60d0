"""Invitations: made by owners, known by their token, used once."""

import asyncio
from datetime import datetime, timedelta

import pytest

from tests.cast import Cast
from tests.organizations.scenes import Wrote, approved, ids, invite, join, refusal

pytestmark = pytest.mark.anyio


async def test_an_invited_person_becomes_a_member(cast: Cast) -> None:
    organization = await approved(cast)
    membership = await join(cast, organization, cast.ben, "interviewer")
    assert (membership["person_id"], membership["role"]) == (cast.ben.id, "interviewer")
    invitation = (await cast.ada.get("/v1/invitations")).json()["data"][0]
    assert (invitation["status"], invitation["person_id"]) == ("accepted", cast.ben.id)


async def test_the_token_is_shown_once_and_kept_nowhere(cast: Cast) -> None:
    organization = await approved(cast)
    invitation = await invite(cast, organization)
    token = invitation["token"]
    assert invitation["link"] == f"/invitation#{token}"
    days = datetime.fromisoformat(invitation["expires_at"]) - datetime.fromisoformat(invitation["created_at"])
    assert days == timedelta(days=14)
    address = f"/v1/invitations/{invitation['id']}"
    for path in (address, "/v1/invitations", f"{address}/history"):
        text = (await cast.ada.get(path)).text
        assert token not in text
        assert "token_hash" not in text
    row = await cast.server.database.pool.fetchrow("SELECT * FROM invitations")
    log = await cast.server.database.pool.fetch("SELECT after FROM changes WHERE resource = 'invitations'")
    assert row
    assert token not in str(dict(row))
    assert row["token_hash"] not in str(log)


async def test_only_owners_invite_and_see_invitations(cast: Cast) -> None:
    organization = await approved(cast)
    await join(cast, organization, cast.ben, "recruiter")
    body = {"organization_id": organization["id"], "email": "eve@example.org", "role": "owner"}
    for who in (cast.ben, cast.cleo, cast.otto):
        assert refusal(await who.post("/v1/invitations", body)) == (403, "denied")
        assert ids(await who.get("/v1/invitations")) == []
    assert (await cast.nobody.post("/v1/invitations", body)).status_code == 401


async def test_an_invitation_is_used_once(cast: Cast) -> None:
    organization = await approved(cast)
    token = (await invite(cast, organization))["token"]
    await cast.ben.made("/v1/invitations:accept", {"token": token})
    again = await cast.cleo.post("/v1/invitations:accept", {"token": token})
    assert refusal(again) == (409, "invitation-used")
    assert "accepted" in again.json()["detail"]


async def test_of_two_people_with_the_same_link_one_comes_in(cast: Cast) -> None:
    organization = await approved(cast)
    token = (await invite(cast, organization))["token"]
    answers = await asyncio.gather(
        *(who.post("/v1/invitations:accept", {"token": token}) for who in (cast.ben, cast.cleo))
    )
    assert sorted(each.status_code for each in answers) == [200, 409]
    assert await cast.server.database.pool.fetchval("SELECT count(*) FROM memberships") == 2


async def test_one_person_with_two_links_at_once_is_a_member_once(cast: Cast) -> None:
    organization = await approved(cast)
    tokens = [(await invite(cast, organization, role))["token"] for role in ("viewer", "owner")]
    answers = await asyncio.gather(*(cast.ben.post("/v1/invitations:accept", {"token": token}) for token in tokens))
    assert sorted(each.status_code for each in answers) == [200, 409]
    assert await cast.server.database.pool.fetchval("SELECT count(*) FROM memberships") == 2


async def test_who_belongs_already_does_not_use_the_invitation_up(cast: Cast) -> None:
    organization = await approved(cast)
    token = (await invite(cast, organization))["token"]
    assert refusal(await cast.ada.post("/v1/invitations:accept", {"token": token})) == (409, "already-member")
    await cast.ben.made("/v1/invitations:accept", {"token": token})


async def test_who_left_can_be_invited_again(cast: Cast) -> None:
    organization = await approved(cast)
    membership = await join(cast, organization, cast.ben)
    await cast.ben.delete(f"/v1/memberships/{membership['id']}")
    assert (await join(cast, organization, cast.ben, "owner"))["role"] == "owner"


async def test_an_invitation_ends_after_14_days(cast: Cast) -> None:
    organization = await approved(cast)
    invitation = await invite(cast, organization)
    await cast.server.database.pool.execute("UPDATE invitations SET expires_at = now(), version = version + 1")
    for verb in ("accept", "decline"):
        response = await cast.ben.post(f"/v1/invitations:{verb}", {"token": invitation["token"]})
        assert refusal(response) == (409, "invitation-expired")
    renewed = await cast.ada.made(f"/v1/invitations/{invitation['id']}/renew", {})
    old = await cast.ben.post("/v1/invitations:accept", {"token": invitation["token"]})
    assert refusal(old) == (404, "unknown-invitation")
    await cast.ben.made("/v1/invitations:accept", {"token": renewed["token"]})


async def test_a_declined_invitation_is_over(cast: Cast, wrote: Wrote) -> None:
    organization = await approved(cast)
    token = (await invite(cast, organization))["token"]
    declined = await cast.ben.made("/v1/invitations:decline", {"token": token})
    assert (declined["status"], declined["person_id"]) == ("declined", cast.ben.id)
    assert refusal(await cast.ben.post("/v1/invitations:accept", {"token": token})) == (409, "invitation-used")
    await wrote(
        "organization.founded", "membership.joined", "organization.approved", "invitation.created",
        "invitation.declined",
    )  # fmt: skip


async def test_a_revoked_invitation_is_over(cast: Cast) -> None:
    organization = await approved(cast)
    invitation = await invite(cast, organization)
    address = f"/v1/invitations/{invitation['id']}"
    assert refusal(await cast.cleo.post(f"{address}/revoke")) == (404, "not-found")
    await cast.ada.made(f"{address}/revoke", {})
    response = await cast.ben.post("/v1/invitations:accept", {"token": invitation["token"]})
    assert refusal(response) == (409, "invitation-used")
    assert refusal(await cast.ada.post(f"{address}/renew")) == (403, "denied")


async def test_a_removed_invitation_opens_nothing_until_it_is_restored(cast: Cast) -> None:
    invitation = await invite(cast, await approved(cast))
    address = f"/v1/invitations/{invitation['id']}"
    await cast.ada.delete(address)
    response = await cast.ben.post("/v1/invitations:accept", {"token": invitation["token"]})
    assert refusal(response) == (404, "unknown-invitation")
    await cast.ada.made(f"{address}/restore", {})
    await cast.ben.made("/v1/invitations:accept", {"token": invitation["token"]})


@pytest.mark.parametrize("token", ["", "x" * 43, "\u00e9"])
async def test_a_token_that_is_none_finds_nothing(cast: Cast, token: str) -> None:
    for verb in ("accept", "decline"):
        response = await cast.ben.post(f"/v1/invitations:{verb}", {"token": token})
        assert refusal(response) == (404, "unknown-invitation")


async def test_who_is_not_signed_in_can_not_use_a_token(cast: Cast) -> None:
    token = (await invite(cast, await approved(cast)))["token"]
    assert (await cast.nobody.post("/v1/invitations:accept", {"token": token})).status_code == 401


async def test_nobody_joins_an_organization_that_is_gone(cast: Cast) -> None:
    organization = await approved(cast)
    token = (await invite(cast, organization))["token"]
    await cast.ada.delete(f"/v1/organizations/{organization['id']}")
    response = await cast.ben.post("/v1/invitations:accept", {"token": token})
    assert refusal(response) == (404, "unknown-invitation")


async def test_a_dry_run_uses_nothing_up(cast: Cast) -> None:
    token = (await invite(cast, await approved(cast)))["token"]
    would = await cast.ben.made("/v1/invitations:accept", {"token": token}, prefer="tx=rollback")
    assert [each["event"] for each in would["changes"]] == ["invitation.accepted", "membership.joined"]
    await cast.ben.made("/v1/invitations:accept", {"token": token})


async def test_a_batch_shows_the_links_of_its_invitations_and_renewing_gives_others(cast: Cast) -> None:
    organization = await approved(cast)
    people = [{"organization_id": organization["id"], "email": f"p{n}@example.org"} for n in range(3)]
    batch = {"ops": [{"op": "create", "data": data} for data in people]}
    made = await cast.ada.made("/v1/invitations:batch", batch)
    assert made["created"] == 3
    assert [each["n"] for each in made["revealed"]] == [0, 1, 2]
    renewed = await cast.ada.made(f"/v1/invitations/{made['results'][0]['id']}/renew", {})
    assert (await cast.ben.made("/v1/invitations:accept", {"token": renewed["token"]}))["role"] == "viewer"
    second = made["revealed"][1]["token"]
    assert (await cast.cleo.made("/v1/invitations:accept", {"token": second}))["role"] == "viewer"
