"""From an address to a door, and what stands between them."""

from typing import Any

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
    assert refused.headers["allow"] == "GET, HEAD, OPTIONS, POST"
    assert "GET, HEAD, OPTIONS, POST" in refused.json()["detail"]


@pytest.mark.parametrize(
    ("path", "methods"),
    [
        ("/v1/reminders", "GET, HEAD, OPTIONS, POST"),
        (f"/v1/reminders/{UNKNOWN}", "DELETE, GET, HEAD, OPTIONS, PATCH"),
        (f"/v1/reminders/{UNKNOWN}/complete", "OPTIONS, POST"),
        ("/v1/reminders:batch", "OPTIONS, POST"),
    ],
)
async def test_options_tells_the_methods_to_anybody(cast: Cast, path: str, methods: str) -> None:
    told = await cast.nobody.call("OPTIONS", path)
    assert (told.status_code, told.content, told.headers["allow"]) == (204, b"", methods)


@pytest.mark.parametrize("path", ["/health", "/ready", "/metrics", "/docs", "/openapi.json", "/nowhere"])
async def test_a_page_answers_head_as_it_answers_get(cast: Cast, path: str) -> None:
    head, get = await cast.nobody.call("HEAD", path), await cast.nobody.get(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    assert head.headers["content-type"] == get.headers["content-type"]


async def test_a_page_tells_other_methods_that_it_answers_head_too(cast: Cast) -> None:
    refused = await cast.nobody.post("/health")
    assert refusal(refused) == (405, "method-not-allowed")
    assert refused.headers["allow"] == "GET, HEAD" and "GET, HEAD" in refused.json()["detail"]


async def test_a_page_that_is_asked_for_by_head_is_counted_by_its_route(cast: Cast) -> None:
    await cast.nobody.call("HEAD", "/health")
    assert 'method="HEAD",route="/health"' in (await cast.otto.get("/metrics")).text


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/v1/reminders?dry_run=true"),
        ("POST", "/v1/reminders:batch?mode=atomic"),
        ("POST", "/v1/reminders:batch?atomic=true"),
        ("PATCH", f"/v1/reminders/{UNKNOWN}?fields=id"),
        ("DELETE", f"/v1/reminders/{UNKNOWN}?force"),
        ("POST", f"/v1/reminders/{UNKNOWN}/complete?version=1"),
        ("GET", f"/v1/reminders/{UNKNOWN}/history?after=1"),
        ("GET", f"/v1/applications/{UNKNOWN}/durations?stage=draft"),
    ],
)
async def test_a_parameter_that_no_door_knows_is_refused_where_nothing_would_come_of_it(
    cast: Cast, method: str, path: str
) -> None:
    refused = await cast.ada.call(method, path, None if method in ("GET", "DELETE") else BODY)
    assert refusal(refused) == (400, "unknown-parameter")
    assert (await cast.ada.get("/v1/reminders")).json()["data"] == []


async def test_a_refusal_tells_what_is_left_of_the_quota(starting: Any) -> None:
    async with starting(limits=1) as cast:
        left = [
            (await cast.ada.get(path)).headers["ratelimit"].partition("r=")[2].partition(";")[0]
            for path in (f"/v1/reminders/{UNKNOWN}", "/v1/reminders?nonsense=1", "/v1/holds")
        ]
        assert [int(each) for each in left] == sorted(map(int, left), reverse=True)
        unknown = await cast.nobody.call("GET", "/v1/reminders", authorization="Bearer nonsense")
        assert unknown.status_code == 401 and unknown.headers["ratelimit-policy"].startswith('"read"')


async def test_a_key_that_lacks_what_its_person_holds_is_told_which_permission(cast: Cast) -> None:
    key = (await cast.ada.made("/v1/api-keys", {"name": "k", "permissions": ["jobs.read"]}))["key"]
    refused = await cast.nobody.call("POST", "/v1/reminders", BODY, authorization=f"Bearer {key}")
    assert refusal(refused) == (403, "denied")
    assert refused.headers["www-authenticate"] == 'Bearer error="insufficient_scope", scope="reminders.write"'
    guest = await cast.join("Gus", "guest")
    assert "www-authenticate" not in (await guest.post("/v1/reminders", BODY)).headers


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
    refused = await cast.nobody.post("/v1/people", account, if_none_match="*", accept_language="zh-TW")
    assert refusal(refused) == (412, "precondition-failed") and "目前是版本 1 或更新的版本" in refused.json()["detail"]
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
