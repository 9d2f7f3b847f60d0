"""From an address to a door, and what stands between them."""

import pytest

from guildhouse.app import HOUSE
from guildhouse.kernel.http import doors_of, one_of
from tests.cast import Cast
from tests.kernel.uploads import reminders
from tests.organizations.scenes import refusal

pytestmark = pytest.mark.anyio
UNKNOWN = "019a9f3c-7c00-7000-8000-000000000001"
BODY = reminders(1)[0]["data"]


def test_every_door_is_there_once_and_permits_by_its_noun() -> None:
    doors = doors_of(HOUSE)
    places = [(door.method, door.path) for door in doors]
    assert len(places) == len(set(places))
    for door in doors:
        assert door.permission.partition(".")[0] == (door.resource.name if door.resource else "")
        assert door.permission.endswith((".read", ".write"))
        assert (door.method == "GET") == door.permission.endswith(".read")


def test_nouns_have_their_article() -> None:
    assert [one_of(HOUSE.resources[name]) for name in ("api_keys", "jobs", "organizations")] == [
        "an api key", "a job", "an organization",
    ]  # fmt: skip


@pytest.mark.parametrize("row_id", ["x", "0", UNKNOWN[:-1], f"{UNKNOWN}0", "%00", "..", "null"])
async def test_an_id_that_is_none_is_not_found(cast: Cast, row_id: str) -> None:
    for method in ("GET", "PATCH", "DELETE"):
        response = await cast.ada.call(method, f"/v1/reminders/{row_id}", {} if method == "PATCH" else None)
        assert response.status_code in (400, 404), (method, row_id)


async def test_an_id_is_read_in_any_case(cast: Cast) -> None:
    row = await cast.ada.made("/v1/reminders", BODY)
    assert (await cast.ada.get(f"/v1/reminders/{row['id'].upper()}")).json() == row


async def test_a_wrong_method_is_told_the_right_ones(cast: Cast) -> None:
    refused = await cast.ada.call("PUT", "/v1/reminders", BODY)
    assert refusal(refused) == (405, "method-not-allowed")
    assert refused.headers["allow"] == "GET, POST"


async def test_head_is_get_without_a_body(cast: Cast) -> None:
    made = await cast.ada.post("/v1/reminders", BODY)
    await cast.server.tail.wait_for(made.headers["log-position"])
    row = made.json()
    for path in ("/v1/reminders", f"/v1/reminders/{row['id']}", f"/v1/reminders/{UNKNOWN}"):
        head, get = await cast.ada.call("HEAD", path), await cast.ada.get(path)
        assert (head.status_code, head.content) == (get.status_code, b"")
        assert head.headers.get("etag") == get.headers.get("etag")
        assert head.headers["content-type"] == get.headers["content-type"]


async def test_an_answer_may_be_without_a_body_if_one_prefers(cast: Cast) -> None:
    made = await cast.ada.post("/v1/reminders", BODY, prefer="return=minimal")
    assert (made.status_code, made.content) == (201, b"")
    changed = await cast.ada.patch(made.headers["location"], {"text": "Write"}, prefer="return=minimal")
    assert (changed.status_code, changed.content, changed.headers["etag"]) == (204, b"", '"2"')
    key = await cast.ada.post("/v1/api-keys", {"name": "k"}, prefer="return=minimal")
    assert key.json()["key"].startswith("gh_")


async def test_a_precondition_that_nothing_exists_is_one_on_the_key(cast: Cast) -> None:
    account = {"email": "eve@example.org", "name": "Eve", "password": "correct horse battery staple"}
    assert (await cast.nobody.post("/v1/people", account, if_none_match="*")).status_code == 201
    assert refusal(await cast.nobody.post("/v1/people", account, if_none_match="*")) == (412, "precondition-failed")
    assert refusal(await cast.nobody.post("/v1/people", account)) == (409, "already-exists")


async def test_a_preference_that_is_none_is_refused_where_it_would_write(cast: Cast) -> None:
    assert refusal(await cast.ada.post("/v1/reminders", BODY, prefer="tx=maybe")) == (400, "wrong-preference")
    assert (await cast.ada.get("/v1/reminders")).json()["data"] == []


async def test_a_failure_of_ours_tells_its_trace_id_and_nothing_else(lone_cast: Cast) -> None:
    cast = lone_cast  # the table is broken afterwards
    await cast.server.database.pool.execute("ALTER TABLE reminders RENAME COLUMN text TO words")
    refused = await cast.ada.post("/v1/reminders", BODY, x_request_id="a-trace-id")
    assert refusal(refused) == (500, "internal-error")
    assert refused.json()["trace_id"] == refused.headers["x-request-id"] == "a-trace-id"
    assert "words" not in refused.text and "reminders" not in refused.json()["detail"]


async def test_a_role_that_may_not_write_is_denied_before_anything_is_read(cast: Cast) -> None:
    guest = await cast.join("Gus", "guest")
    assert refusal(await guest.post("/v1/reminders", {"nonsense": 1})) == (403, "denied")
    assert refusal(await cast.nobody.post("/v1/reminders", {"nonsense": 1})) == (401, "unauthenticated")
