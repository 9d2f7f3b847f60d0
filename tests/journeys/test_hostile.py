"""Hostile requests at every door: each gets a problem that says what to do; nothing is half-written; never a 5xx."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import pytest

from guildhouse.app import HOUSE
from guildhouse.kernel.headers import Edge
from guildhouse.kernel.http import doors_of
from tests.cast import Caller, Cast

pytestmark = pytest.mark.anyio
DOORS = doors_of(HOUSE)
ID = "01912345-6789-7abc-8def-0123456789ab"

PLAIN: Mapping[str, str] = {}
JSON = {"content-type": "application/json"}

BODIES = {
    "empty": b"",
    "not JSON": b"{",
    "NaN": b'{"title": NaN}',
    "infinity": b'{"salary_min": Infinity}',
    "1e400": b'{"salary_min": 1e400}',
    "lone surrogate": b'{"title": "\\ud800"}',
    "NUL": b'{"title": "a\\u0000b", "name": "\\u0000", "text": "\\u0000"}',
    "Latin-1": '{"title": "café"}'.encode("latin-1"),
    "UTF-16": '{"title": "x"}'.encode("utf-16"),
    "10,000 deep": b"[" * 10_000 + b"]" * 10_000,
    "deep object": b'{"a":' * 900 + b"1" + b"}" * 900,
    "array": b"[1, 2, 3]",
    "number": b"12345678901234567890123",
    "null": b"null",
    "wrong types": b'{"title": {}, "name": [], "email": 5, "id": {}, "ops": "x", "mode": 3, "version": "x"}',
    "unknown field": b'{"no such field": 1}',
    "prototype": b'{"__proto__": {"a": 1}, "constructor": 1, "__class__": 1}',
    "huge number": b'{"salary_min": 1e308, "position": 99999999999999999999}',
    "SQL": b'{"title": "\'; DROP TABLE jobs; --", "name": "\'||(SELECT 1)||\'"}',
}
QUERIES = [
    "limit=0", "limit=-1", "limit=x", "limit=99999999999999999999", "limit=%F0%9F%92%A9", "limit=1&limit=2",
    "cursor=x", "cursor=%00", "cursor=" + "A" * 5000, "sort=nothing", "sort=-", "sort=id;drop", "fields=,,,", "fields=%27",
    "expand=scopes", "expand=__class__", "format=exe", "trash=all", "created_at[gte]=x", "status[in]=", "status[zz]=1",
    "status[", "status]=1", "[eq]=1", "a[b][c]=1", "status=%00", "status=%ff", "as_of=x", "as_of=-1", "as_of=99999999999",
    "as_of=0001-01-01T00:00:00%2B14:00", "as_of=zzz.1", "salary_min[gte]=nan", "salary_min[between]=1", "id=1",
    "q=" + "x" * 9000,
    "posted_at[within]=99999w", "posted_at[within]=1y", "title[contains]=%25%5C", "organization_id=1", "skills[contains]=",
]  # fmt: skip
HEADERS = [
    {"if-match": "nonsense"}, {"if-match": '"' + "9" * 50 + '"'}, {"if-match": ""}, {"if-none-match": '"' + "x" * 5000},
    {"accept": "a/b;q=zz, */*;q=0"}, {"accept": "text/html"}, {"accept-language": "zh-TW;q=x,,;;,*"},
    {"authorization": "Bearer "}, {"authorization": "Basic eDp5"}, {"authorization": "Bearer a.b.c"},
    {"authorization": "Bearer gh_" + "a" * 40}, {"prefer": "tx=maybe"}, {"prefer": "max-affected=x"}, {"prefer": ",,=,;"},
    {"wait-for": "x"}, {"wait-for": "abc.99999999999999999999"}, {"idempotency-key": "a\x7fb"},
    {"idempotency-key": "x" * 300},
    {"content-type": "text/plain"}, {"content-type": "application/json; charset=utf-16"}, {"change-reason": "%00%ff%zz"},
    {"x-request-id": "a\tb" * 50}, {"content-type": ""}, {"content-length": "x"},
]  # fmt: skip


@pytest.mark.parametrize("door", DOORS, ids=lambda door: f"{door.method} {door.path}")
async def test_no_body_query_or_header_breaks_a_door(cast: Cast, door: Any) -> None:
    path = door.path.replace("{id}", ID)
    for caller in (cast.ada, cast.nobody):
        if door.method in ("POST", "PATCH"):
            for name, body in BODIES.items():
                await refused(cast.edge, caller, door.method, path, name, JSON, body)
        for query in QUERIES:
            await refused(cast.edge, caller, door.method, f"{path}?{query}", query)
        for headers in HEADERS:
            await refused(cast.edge, caller, door.method, path, str(headers), headers)


async def refused(
    app: Edge,
    caller: Caller,
    method: str,
    target: str,
    name: str,
    headers: Mapping[str, str] = PLAIN,
    body: bytes = b"",
) -> None:
    status, said, content = await sent(app, caller, method, target, headers, body)
    assert status < 500, f"{method} {target} {name}: {content!r}"
    if status >= 400:
        problem = json.loads(content)
        assert said[b"content-type"] == b"application/problem+json"
        assert problem["status"] == status and problem["detail"] and problem["code"]


async def sent(
    app: Edge, caller: Caller, method: str, target: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, dict[bytes, bytes], bytes]:
    """A request as it would come from the wire, and its answer: a client takes longer to write it than all the rest,
    and may put right what is wrong with it."""
    path, _, query = target.partition("?")
    known = {name: caller.client.headers[name] for name in ("authorization",) if name in caller.client.headers}
    named = {"host": "guildhouse.test", "content-length": str(len(body)), "accept": "*/*", **known, **headers}
    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "scheme": "http", "method": method,
        "path": unquote(path), "raw_path": path.encode(), "query_string": query.encode(), "root_path": "",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in named.items()],
        "server": ("guildhouse.test", 80), "client": ("127.0.0.1", 123),
    }  # fmt: skip
    parts, answer, over = [{"type": "http.request", "body": body}], list[dict[str, Any]](), asyncio.Event()

    async def receive() -> dict[str, Any]:
        if parts:
            return parts.pop()
        await over.wait()
        return {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        answer.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            over.set()

    await app(scope, receive, send)
    start, *rest = answer
    return start["status"], dict(start["headers"]), b"".join(each.get("body", b"") for each in rest)


@pytest.mark.parametrize(
    "path",
    ["/v1", "/v1/", "/v1/nothing", f"/v1/jobs/{ID}/nothing", "/v1/jobs/", "/v1//jobs", "/v1/jobs/x", "/v1/jobs/%00", "/%ff",
     f"/v1/jobs/{ID}/history/x", "/" + "x" * 7000, "/v1/jobs:nothing"],
)  # fmt: skip
async def test_addresses_that_do_not_exist_are_problems(cast: Cast, path: str) -> None:
    for method in ("GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HEAD", "TRACE"):
        response = await cast.ada.client.request(method, path)
        assert response.status_code in (400, 404, 405), f"{method} {path}: {response.status_code} {response.text}"


async def test_a_huge_body_is_refused_before_it_is_read(cast: Cast) -> None:
    sent = 0

    async def endless() -> Any:
        nonlocal sent
        while sent < 10**9:
            sent += 65536
            yield b"x" * 65536

    response = await cast.ada.client.post("/v1/jobs", content=endless(), headers={"content-type": "application/json"})
    assert (response.status_code, response.json()["code"]) == (413, "too-large")
    assert sent <= cast.server.config.max_body + 2 * 65536


async def test_what_was_refused_left_nothing_behind(cast: Cast, wrote: Any) -> None:
    for body in BODIES.values():
        await cast.ada.client.post("/v1/jobs", content=body, headers={"content-type": "application/json"})
    await wrote()
