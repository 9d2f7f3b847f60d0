"""The edge: the outermost layer of the server. What every answer carries, and what no answer may do without.

Every request gets an id (its own, if it brings a sane one), every answer the security headers; what escapes from below
becomes a problem; while the server drains, new requests are sent away and streams are told to end.

    uvicorn -> Edge -> CORS -> Api (the doors) -> FastAPI (hand-written routes)

Let uvicorn run with `server_header=False` and `access_log=False`: the one says nothing useful, the other is `telemetry`.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import replace
from random import getrandbits
from time import perf_counter
from typing import Any

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.middleware.body_limit import MAX_BODY_SIZE_SCOPE_KEY
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from guildhouse.config import Config
from guildhouse.kernel import problems
from guildhouse.kernel.answer import Answer, problem_answer
from guildhouse.kernel.errors import (
    BadRequest,
    Denied,
    Fault,
    InternalError,
    Invalid,
    MethodNotAllowed,
    NotFound,
    Problem,
    TooLarge,
    Unauthenticated,
    Unavailable,
)
from guildhouse.kernel.i18n import choose_language
from guildhouse.kernel.request import UnknownFields, WrongJson, fault_of
from guildhouse.kernel.telemetry import count_request, route_of

log = structlog.get_logger(__name__)

RawHeaders = list[tuple[bytes, bytes]]

OWN_ID = re.compile(rb"[A-Za-z0-9._-]{8,64}")
TRACE_PARENT = re.compile(rb"[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}")
BROKEN_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
# Asked while the server drains, too: by those who wait for its end.
ALWAYS_OPEN = frozenset({"/health", "/ready", "/metrics"})
SERVICE_RESTART = 1012

EVERYWHERE = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
}
API_ONLY = {"Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'"}
PAGES_ONLY = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "font-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), payment=(), usb=()",
}
SECURE = {"Strict-Transport-Security": "max-age=31536000"}

SENT = [
    "Authorization",
    "Content-Type",
    "If-Match",
    "If-None-Match",
    "Idempotency-Key",
    "Prefer",
    "Wait-For",
    "Change-Reason",
    "Last-Event-ID",
    "X-Request-Id",
    "traceparent",
]
SHOWN = [
    "Content-Disposition",
    "ETag",
    "Link",
    "Location",
    "Log-Position",
    "Total-Count",
    "Content-Language",
    "Preference-Applied",
    "Idempotent-Replayed",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "Deprecation",
    "Sunset",
    "X-Request-Id",
]


class WrongTarget(BadRequest):
    """The address is malformed: write it percent-encoded, as UTF-8, and without NUL."""


class WrongParameters(BadRequest):
    """Parameters of the request are missing or wrong; `errors` says which, and what they take."""


class Edge:
    """The outermost ASGI application. `draining` is set once, by `drain`; streams wait on it (`scope["draining"]`)."""

    def __init__(self, app: ASGIApp, config: Config) -> None:
        self.app = app
        self.draining = asyncio.Event()
        self.slow = config.slow_ms / 1000
        everywhere = {**EVERYWHERE, **(SECURE if config.address.startswith("https://") else {})}
        self.for_api = encoded({**everywhere, **API_ONLY})
        self.for_pages = encoded({**everywhere, **PAGES_ONLY})

    def drain(self) -> None:
        """Send new requests away from now on, and tell the streams to end."""
        self.draining.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        scope["request_id"] = request_id_of(scope["headers"])
        scope["draining"] = self.draining
        if scope["type"] == "http":
            is_api = scope["path"].startswith("/v1/")
            await self.answer(scope, receive, Reply(scope, send, self.for_api if is_api else self.for_pages, self.slow))
        elif self.draining.is_set():
            await send({"type": "websocket.close", "code": SERVICE_RESTART})
        else:
            await self.app(scope, receive, send)

    async def answer(self, scope: Scope, receive: Receive, reply: "Reply") -> None:
        """Let the application answer; answer for it where it cannot."""
        try:
            if b"%" in scope.get("raw_path", b"") and is_malformed(scope):
                raise WrongTarget
            if self.draining.is_set() and scope["path"] not in ALWAYS_OPEN:
                raise Unavailable(why="it is shutting down")
            await self.app(scope, receive, reply)
        except Exception as error:
            problem = explained(error, scope)
            if not reply.began:
                await answer_of(problem, scope).send(reply, without_body=scope["method"] == "HEAD")
            elif not reply.ended:
                raise  # half an answer is out: only closing the connection tells the reader that it is not whole


class Reply:
    """The `send` of one request: puts the house's headers on its answer, and counts it when it begins."""

    __slots__ = ("arrived", "began", "ended", "extra", "scope", "send", "slow")

    def __init__(self, scope: Scope, send: Send, extra: RawHeaders, slow: float) -> None:
        self.scope, self.send, self.extra, self.slow = scope, send, extra, slow
        self.arrived = perf_counter()
        self.began = self.ended = False

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.began = True
            request_id = (b"x-request-id", self.scope["request_id"].encode())
            message["headers"] = [*message.get("headers", ()), *self.extra, request_id]
            self.count(message["status"])
        elif message["type"] == "http.response.body":
            self.ended = not message.get("more_body", False)
        await self.send(message)

    def count(self, status: int) -> None:
        """Count the answer, and log it if it was slow."""
        seconds = perf_counter() - self.arrived
        count_request(self.scope, status, seconds)
        if seconds > self.slow:
            log.warning("request.slow", seconds=round(seconds, 3), status=status, **about(self.scope))


def encoded(headers: dict[str, str]) -> RawHeaders:
    """Headers as ASGI takes them."""
    return [(name.lower().encode(), value.encode()) for name, value in headers.items()]


def request_id_of(headers: Sequence[tuple[bytes, bytes]]) -> str:
    """The id that the request brings (`X-Request-Id`, or the trace id of a W3C `traceparent`), else a new one."""
    for name, value in headers:
        if name == b"x-request-id" and OWN_ID.fullmatch(value):
            return value.decode()
        if name == b"traceparent" and (trace := TRACE_PARENT.fullmatch(value)):
            return trace[1].decode()
    return f"{getrandbits(128):032x}"  # `os.urandom` would let another thread go first, with every request


def is_malformed(scope: Scope) -> bool:
    """Whether a percent-encoded address is broken, or says what no address may."""
    path = scope["path"]
    return "\0" in path or "\ufffd" in path or BROKEN_ESCAPE.search(scope["raw_path"]) is not None


def explained(error: Exception, scope: Scope) -> Problem:
    """The error as a problem; one of our own fault is logged with its traceback."""
    if isinstance(error, Problem):
        return error
    problem = problems.from_driver(error)
    if problem.status >= 500:
        log.error("request.failed", status=problem.status, exc_info=error, **about(scope))
    return problem


def about(scope: Scope) -> dict[str, str]:
    """What the log says of a request; never its query, which may hold what nobody should read."""
    return {"method": scope["method"], "route": route_of(scope), "request_id": scope["request_id"]}


def answer_of(problem: Problem, scope: Scope) -> Answer:
    """The problem as an answer to this request."""
    accepted = next((value for name, value in scope["headers"] if name == b"accept-language"), b"")
    language = choose_language(accepted.decode("latin-1"))
    return problem_answer(problem, language, scope.get("request_id", ""), scope["path"])


def with_cors(app: ASGIApp, config: Config) -> ASGIApp:
    """Let browser apps of the origins in `config.cors` call the API. Keys travel in a header, so cookies never do."""
    if not config.cors:
        return app
    return CORSMiddleware(
        app,
        allow_origins=config.cors,
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=SENT,
        expose_headers=SHOWN,
        max_age=7200,
    )


def install_problem_handlers(app: FastAPI) -> None:
    """Let hand-written routes refuse as the doors do: with a problem, whatever was raised."""
    app.add_exception_handler(RequestValidationError, answer_wrong_request)
    app.add_exception_handler(HTTPException, answer_http_error)
    kinds: list[Any] = [Problem, *(kind for kinds, _ in problems.MEANINGS for kind in kinds), Exception]
    for kind in kinds:
        app.add_exception_handler(kind, answer_error)


async def answer_error(request: Request, error: Exception) -> Response:
    """A problem, an error of the driver, or anything else. The edge logs the last itself, as it comes by again."""
    known = isinstance(error, Problem) or type(problems.from_driver(error)) is not InternalError
    return response(request, explained(error, request.scope) if known else InternalError())


async def answer_http_error(request: Request, error: Exception) -> Response:
    """What the framework itself refuses: unknown addresses, wrong methods, bodies that are too large."""
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if headers.get("Allow") == "GET":  # HEAD is answered wherever GET is, see `http.Api`
        headers["Allow"] = "GET, HEAD"
    problem = problem_of_status(HTTPException(error.status_code, error.detail, headers), request.scope)
    problem.headers |= headers
    return response(request, problem)


def problem_of_status(error: HTTPException, scope: Scope) -> Problem:
    """The problem that a plain status stands for."""
    simple = {401: Unauthenticated, 403: Denied, 404: NotFound}
    if error.status_code in simple:
        return simple[error.status_code]()
    if error.status_code == 405:
        return MethodNotAllowed(allowed=(error.headers or {}).get("Allow", "other methods"))
    if error.status_code == 413:
        return TooLarge(limit=scope.get(MAX_BODY_SIZE_SCOPE_KEY, "allowed"))
    return InternalError() if error.status_code >= 500 else BadRequest(why=str(error.detail))


async def answer_wrong_request(request: Request, error: Exception) -> Response:
    """Parameters or a body that do not fit the route's shapes."""
    assert isinstance(error, RequestValidationError)
    return response(request, problem_of_faults(list(error.errors())))


def problem_of_faults(errors: Sequence[dict[str, Any]]) -> Problem:
    """400 for what is malformed or unknown, 404 for an id that is none, 422 for a body that is wrong."""
    places = {each["loc"][0] for each in errors}
    faults = [fault_in_request(each) for each in errors]
    unknown = [fault for fault in faults if fault.code == "extra-forbidden"]
    if "path" in places:
        return NotFound()
    if places != {"body"}:
        return WrongParameters(faults=faults)
    if errors[0]["type"] == "json_invalid":
        return WrongJson(why=errors[0].get("ctx", {}).get("error", "it does not parse"))
    return UnknownFields(faults=unknown) if unknown else Invalid(faults=faults)


def fault_in_request(error: dict[str, Any]) -> Fault:
    """One of pydantic's errors as ours: a place in the body as a pointer, a parameter by its name."""
    where, *place = error["loc"]
    fault = fault_of({**error, "loc": place})
    return fault if where == "body" else replace(fault, pointer=fault.pointer.removeprefix("/"))


def response(request: Request, problem: Problem) -> Response:
    """The problem as the framework sends it."""
    answer = answer_of(problem, request.scope)
    return Response(answer.body, answer.status, answer.headers, answer.media_type)
