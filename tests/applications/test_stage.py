"""An organization's own stages."""

import pytest

from tests.applications.hiring_scenes import opening
from tests.cast import Cast
from tests.organizations.scenes import ids, join, refusal

pytestmark = pytest.mark.anyio


async def test_recruiters_arrange_the_stages_and_everybody_reads_their_names(cast: Cast) -> None:
    scene = await opening(cast)
    body = {"organization_id": scene.organization["id"], "outcome": "screening"}
    call = await cast.ben.made("/v1/stages", {**body, "name": "Call", "position": 2})
    trial = await cast.ben.made("/v1/stages", {**body, "name": "Trial", "position": 1})
    for reader in (cast.ada, scene.eve):
        path = f"/v1/stages?organization_id={scene.organization['id']}"
        assert ids(await reader.get(path)) == [trial["id"], call["id"]]
    moved = await cast.ada.patch(f"/v1/stages/{call['id']}", {"name": "First call", "position": 0})
    assert (moved.json()["name"], moved.json()["position"]) == ("First call", 0)
    assert (await cast.ada.delete(f"/v1/stages/{trial['id']}")).status_code == 204


async def test_others_do_not(cast: Cast) -> None:
    scene = await opening(cast)
    stage = await scene.own_stage()
    ivy = await cast.join("Ivy")
    await join(cast, scene.organization, ivy, "interviewer")
    for other in (ivy, scene.eve, cast.cleo, cast.otto):
        body = {"organization_id": scene.organization["id"], "name": "x", "outcome": "hired"}
        assert refusal(await other.post("/v1/stages", body)) == (403, "denied")
        assert refusal(await other.patch(f"/v1/stages/{stage['id']}", {"name": "x"})) == (403, "denied")
        assert refusal(await other.delete(f"/v1/stages/{stage['id']}")) == (403, "denied")
    assert (await cast.nobody.get("/v1/stages")).status_code == 401


async def test_names_are_given_once_and_outcomes_stay(cast: Cast) -> None:
    scene = await opening(cast)
    stage = await scene.own_stage("Call")
    body = {"organization_id": scene.organization["id"], "name": "Call", "outcome": "offered"}
    assert refusal(await cast.ada.post("/v1/stages", body)) == (409, "already-exists")
    assert refusal(await cast.ada.patch(f"/v1/stages/{stage['id']}", {"outcome": "hired"})) == (400, "unknown-fields")
    for outcome in ("draft", "withdrawn", "maybe"):
        assert refusal(await cast.ada.post("/v1/stages", {**body, "outcome": outcome})) == (422, "invalid")
