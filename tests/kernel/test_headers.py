"""The edge: what every answer carries, what escapes from below, and how a server goes down without cutting anybody off."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

import asyncpg
import orjson
import pytest
from fastapi import FastAPI, HTTPException, Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from structlog.testing import capture_logs

from guildhouse.config import load
from guildhouse.kernel.errors import Conflict, NotFound
from guildhouse.kernel.headers import Edge, install_problem_handlers, request_id_of, with_cors
from guildhouse.kernel.shapes import Shape

pytestmark = pytest.mark.anyio
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"


class Answered:
    """What came out of an application."""

    def __init__(self) -> None:
        self.messages: list[Message] = []

    async def __call__(self, message: Message) -> None:
        self.messages.append(message)

    @property
    def status(self) -> int:
        return int(self.messages[0]["status"])

    @property
    def headers(self) -> dict[str, str]:
        return {name.decode(): value.decode() for name, value in self.messages[0]["headers"]}

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.messages)

    @property
    def code(self) -> str:
        assert self.headers["content-type"] == "application/problem+json"
        return str(orjson.loads(self.body)["code"])


async def ask(
    asgi: ASGIApp,
    path: str = "/v1/gadgets",
    method: str = "GET",
    raw_path: bytes = b"",
    body: bytes = b"",
    **headers: str,
) -> Answered:
    """One request, straight into an application."""
    raw = [(name.replace("_", "-").encode(), value.encode("latin-1")) for name, value in headers.items()]
    scope = {"type": "http", "method": method, "path": path, "raw_path": raw_path or path.encode(), "headers": raw}
    answered = Answered()

    async def receive() -> Message:
        return {"type": "http.request", "body": body}

    await asgi({**scope, "query_string": b"", "root_path": "", "client": ("10.0.0.1", 1)}, receive, answered)
    return answered


async def hello(scope: Scope, receive: Receive, send: Send) -> None:
    """Answers everything."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
    await send({"type": "http.response.body", "body": b"{}"})


def raising(error: Exception, after: Sequence[Message] = ()) -> ASGIApp:
    """Sends some of an answer, then fails."""

    async def fail(scope: Scope, receive: Receive, send: Send) -> None:
        for message in after:
            await send(message)
        raise error

    return fail


def edge(asgi: ASGIApp = hello, **settings: Any) -> Edge:
    return Edge(asgi, load(**settings))


async def test_every_answer_of_the_api_carries_the_security_headers() -> None:
    headers = (await ask(edge())).headers
    assert headers["content-security-policy"] == "default-src 'none'; frame-ancestors 'none'"
    assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "no-referrer"
    assert headers["cross-origin-resource-policy"] == "same-origin"
    assert "strict-transport-security" not in headers and "server" not in headers


async def test_pages_may_load_what_is_their_own_and_nothing_else() -> None:
    headers = (await ask(edge(), "/docs")).headers
    policy = dict(each.strip().split(" ", 1) for each in headers["content-security-policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert headers["cross-origin-opener-policy"] == "same-origin" and "camera=()" in headers["permissions-policy"]


async def test_https_is_insisted_on_where_people_use_it() -> None:
    assert "strict-transport-security" in (await ask(edge(base_url="https://guild.example.org"))).headers
    assert "strict-transport-security" not in (await ask(edge(base_url="http://guild.example.org"))).headers


@pytest.mark.parametrize(
    ("headers", "request_id"),
    [
        ({"x_request_id": "a1b2c3d4"}, "a1b2c3d4"),
        ({"traceparent": f"00-{TRACE}-00f067aa0ba902b7-01"}, TRACE),
        ({"x_request_id": "short"}, None),
        ({"x_request_id": "a" * 65}, None),
        ({"x_request_id": 'evil"id here'}, None),
        ({"x_request_id": "a1b2c3d4\n"}, None),
        ({"traceparent": f"00-{TRACE}"}, None),
        ({}, None),
    ],
)
async def test_a_sane_id_of_the_request_is_kept_and_any_other_made_anew(
    headers: dict[str, str], request_id: str | None
) -> None:
    found = (await ask(edge(), **headers)).headers["x-request-id"]
    assert found == request_id if request_id else (len(found) == 32 and found not in headers.values())


@given(st.lists(st.tuples(st.sampled_from([b"x-request-id", b"traceparent", b"host"]), st.binary())))
def test_no_header_makes_an_id_that_a_log_line_or_a_header_could_not_hold(headers: list[tuple[bytes, bytes]]) -> None:
    found = request_id_of(headers)
    assert 8 <= len(found) <= 64 and found.isascii() and not set(found) & set(' \r\n"')


async def test_the_application_knows_the_id() -> None:
    seen: list[Any] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["request_id"])
        await hello(scope, receive, send)

    assert [(await ask(edge(look))).headers["x-request-id"]] == seen


@pytest.mark.parametrize(
    ("path", "raw_path"),
    [("/v1/%zz", b"/v1/%zz"), ("/v1/\0", b"/v1/%00"), ("/v1/\ufffd", b"/v1/%ff"), ("/v1/%", b"/v1/%")],
)
async def test_a_malformed_address_is_a_400(path: str, raw_path: bytes) -> None:
    answered = await ask(edge(), path, raw_path=raw_path)
    assert (answered.status, answered.code) == (400, "wrong-target")


async def test_a_well_formed_address_goes_through() -> None:
    assert (await ask(edge(), "/v1/\u8077\u7f3a", raw_path=b"/v1/%E8%81%B7%e7%bc%ba")).status == 200


async def test_what_escapes_is_logged_and_becomes_an_internal_error_that_tells_nothing() -> None:
    with capture_logs() as logs:
        answered = await ask(edge(raising(RuntimeError("the secret"))), accept_language="zh-TW")
    assert (answered.status, answered.code) == (500, "internal-error")
    assert "secret" not in answered.body.decode() and answered.headers["content-language"] == "zh-TW"
    assert logs[0]["event"] == "request.failed" and isinstance(logs[0]["exc_info"], RuntimeError)
    assert logs[0]["request_id"] == answered.headers["x-request-id"] == orjson.loads(answered.body)["trace_id"]


async def test_an_escaped_problem_is_answered_as_it_is() -> None:
    assert (await ask(edge(raising(NotFound())))).code == "not-found"
    assert (await ask(edge(raising(asyncpg.DeadlockDetectedError("x"))))).code == "raced"


async def test_after_half_an_answer_the_connection_is_cut() -> None:
    start: Message = {"type": "http.response.start", "status": 200, "headers": []}
    half: Message = {"type": "http.response.body", "body": b"{", "more_body": True}
    with capture_logs() as logs, pytest.raises(RuntimeError):
        await ask(edge(raising(RuntimeError(), [start, half])))
    assert logs[0]["event"] == "request.failed"


async def test_a_failure_after_the_whole_answer_is_only_logged() -> None:
    start: Message = {"type": "http.response.start", "status": 201, "headers": []}
    with capture_logs() as logs:
        answered = await ask(edge(raising(RuntimeError(), [start, {"type": "http.response.body"}])))
    assert answered.status == 201 and len(answered.messages) == 2 and logs[0]["event"] == "request.failed"


async def test_a_head_request_is_refused_without_a_body() -> None:
    answered = await ask(edge(raising(NotFound())), method="HEAD")
    assert (answered.status, answered.body) == (404, b"") and int(answered.headers["content-length"]) > 0


async def test_a_slow_request_is_logged_with_its_route_but_not_its_address() -> None:
    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        scope["template"] = "/v1/gadgets/{id}"
        await asyncio.sleep(0.01)
        await hello(scope, receive, send)

    with capture_logs() as logs:
        await ask(edge(slow, slow_ms=1), "/v1/gadgets/7")
        await ask(edge(slow), "/v1/gadgets/7")
    assert [(each["event"], each["route"]) for each in logs] == [("request.slow", "/v1/gadgets/{id}")]


async def test_a_draining_server_sends_new_requests_away_and_still_says_how_it_is() -> None:
    found = edge()
    found.drain()
    refused = await ask(found)
    assert (refused.status, refused.code, refused.headers["retry-after"]) == (503, "unavailable", "2")
    assert [(await ask(found, path)).status for path in ("/health", "/ready", "/metrics")] == [200] * 3


async def test_a_draining_server_tells_its_streams_and_lets_them_end() -> None:
    async def stream(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await scope["draining"].wait()
        await send({"type": "http.response.body", "body": b"bye"})

    found = edge(stream)
    running = asyncio.create_task(ask(found, "/v1/stream"))
    await asyncio.sleep(0)
    found.drain()
    assert (await asyncio.wait_for(running, 1)).body == b"bye"


async def test_a_websocket_is_turned_away_while_draining_and_let_in_before() -> None:
    entered: list[str] = []

    async def socket(scope: Scope, receive: Receive, send: Send) -> None:
        entered.append(scope["request_id"])

    found, answered = edge(socket), Answered()
    scope = {"type": "websocket", "path": "/v1/live", "headers": []}
    await found(dict(scope), receive_nothing, answered)
    found.drain()
    await found(dict(scope), receive_nothing, answered)
    assert len(entered) == 1 and answered.messages == [{"type": "websocket.close", "code": 1012}]


async def receive_nothing() -> Message:
    return {"type": "websocket.connect"}


async def test_the_lifespan_goes_through_untouched() -> None:
    seen: list[str] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(scope["type"])

    await edge(look)({"type": "lifespan"}, receive_nothing, Answered())
    assert seen == ["lifespan"]


async def test_browser_apps_of_named_origins_may_call_and_see_our_headers() -> None:
    config = load(cors="https://app.example.org, https://other.example.org")
    asgi = with_cors(hello, config)
    asked = {"origin": "https://app.example.org", "access_control_request_method": "PATCH"}
    preflight = await ask(asgi, method="OPTIONS", access_control_request_headers="if-match, prefer", **asked)
    assert preflight.status == 200
    assert preflight.headers["access-control-allow-origin"] == "https://app.example.org"
    answered = await ask(asgi, origin="https://other.example.org")
    assert "Log-Position" in answered.headers["access-control-expose-headers"]
    assert "access-control-allow-credentials" not in answered.headers


async def test_other_origins_may_not_and_without_any_nothing_is_added() -> None:
    answered = await ask(with_cors(hello, load(cors="https://app.example.org")), origin="https://evil.example.org")
    assert "access-control-allow-origin" not in answered.headers
    assert with_cors(hello, load()) is hello


class Sent(Shape):
    """A body for a hand-written route."""

    title: str = Field(min_length=2)


def routes() -> FastAPI:
    """Hand-written routes that refuse in every way."""
    made = FastAPI(openapi_url=None, redirect_slashes=False, max_body_size=64)
    install_problem_handlers(made)

    @made.post("/sent")
    async def sent(body: Sent) -> str:
        return body.title

    @made.get("/of/{number}")
    async def of(number: int, limit: int) -> int:
        return number + limit

    return made


FAILURES: dict[str, Exception] = {
    "/conflict": Conflict(),
    "/taken": asyncpg.UniqueViolationError("x"),
    "/gone": ConnectionResetError(),
    "/teapot": HTTPException(418, "no tea here"),
    "/forbidden": HTTPException(403),
    "/closed": HTTPException(401, headers={"X-Realm": "guild"}),
    "/broken": HTTPException(502),
    "/bug": ZeroDivisionError("the secret"),
}


def failing(error: Exception) -> Callable[[Request], Awaitable[None]]:
    async def fail(_request: Request) -> None:
        raise error

    return fail


@pytest.fixture(scope="module")
def web() -> Edge:
    made = routes()
    for path, error in FAILURES.items():
        made.add_api_route(path, failing(error))
    return edge(made)


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("/conflict", 409, "conflict"),
        ("/taken", 409, "already-exists"),
        ("/gone", 503, "unavailable"),
        ("/teapot", 400, "bad-request"),
        ("/forbidden", 403, "denied"),
        ("/closed", 401, "unauthenticated"),
        ("/broken", 500, "internal-error"),
        ("/bug", 500, "internal-error"),
        ("/nothing", 404, "not-found"),
        ("/bug/", 404, "not-found"),
        ("/of/one", 404, "not-found"),
        ("/of/1", 400, "wrong-parameters"),
    ],
)
async def test_hand_written_routes_refuse_as_the_doors_do(web: Edge, path: str, status: int, code: str) -> None:
    with capture_logs() as logs:
        answered = await ask(web, path)
    assert (answered.status, answered.code) == (status, code)
    assert "secret" not in answered.body.decode()
    assert len(logs) == (1 if path in ("/gone", "/bug") else 0), "a failure of ours is logged, and once"


async def test_a_wrong_method_says_which_are_right(web: Edge) -> None:
    answered = await ask(web, "/sent", "DELETE")
    assert (answered.status, answered.code, answered.headers["allow"]) == (405, "method-not-allowed", "POST")


@pytest.mark.parametrize(
    ("body", "status", "code", "faults"),
    [
        (b'{"title": "x"}', 422, "invalid", [("/title", "string-too-short")]),
        (b'{"title": 7}', 422, "invalid", [("/title", "string-type")]),
        (b"{}", 422, "invalid", [("/title", "missing")]),
        (b'{"title": "ok", "b": 1}', 400, "unknown-fields", [("/b", "extra-forbidden")]),
        (b'{"title"', 400, "wrong-json", []),
        (b"", 422, "invalid", [("", "missing")]),
        (b'{"title": "' + b"x" * 64 + b'"}', 413, "too-large", []),
    ],
)
async def test_a_wrong_body_is_told_place_by_place(
    web: Edge, body: bytes, status: int, code: str, faults: list[tuple[str, str]]
) -> None:
    answered = await ask(web, "/sent", "POST", body=body, content_type="application/json")
    assert (answered.status, answered.code) == (status, code)
    assert [(each["pointer"], each["code"]) for each in orjson.loads(answered.body)["errors"]] == faults


async def test_a_wrong_parameter_is_told_by_its_name(web: Edge) -> None:
    errors = orjson.loads((await ask(web, "/of/1")).body)["errors"]
    assert [(each["pointer"], each["code"]) for each in errors] == [("limit", "missing")]
