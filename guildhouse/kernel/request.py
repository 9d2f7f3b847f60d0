"""A request at a door: what was asked, by whom, and the parsed pieces that every door needs."""

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property
from typing import TYPE_CHECKING, Any, TypeVar, get_args
from urllib.parse import parse_qsl, unquote_to_bytes

import orjson
from pydantic import BaseModel, ValidationError
from starlette.types import Receive, Scope

from guildhouse.kernel.actor import ANONYMOUS, Actor
from guildhouse.kernel.db import Note
from guildhouse.kernel.errors import BadRequest, Fault, Invalid, TooLarge, UnknownParameter, UnsupportedMediaType
from guildhouse.kernel.i18n import choose_language

if TYPE_CHECKING:
    from guildhouse.kernel.server import Server

S = TypeVar("S", bound=BaseModel)
WRITABLE = 250  # levels that JSON may nest and be written
# One preference with its parameters: up to a comma that is in no quotes.
PREFERENCE = re.compile(r'(?:[^,"]|"(?:[^"\\]|\\.)*")+')


class WrongJson(BadRequest):
    """The body is not JSON as RFC 8259 has it, in UTF-8: {why}."""


class UnknownFields(BadRequest):
    """The body has fields that do not exist here; `errors` names them. Nothing was written."""


class WrongParameter(BadRequest):
    """The query string is malformed: {why}."""


@dataclass
class Call:
    """One request. `actor` is set once the caller is known; `row_id` when the address names a row.

    `number` is what the address names one thing of that row by, as it was sent. `metered` are the headers that tell what
    is left of the caller's quota.
    """

    server: "Server"
    scope: Scope
    receive: Receive
    request_id: str = ""
    actor: Actor = ANONYMOUS
    row_id: str = ""
    number: str = ""
    raw_body: bytes | None = None
    metered: Mapping[str, str] = field(default_factory=dict)

    @property
    def method(self) -> str:
        """GET, POST..."""
        return str(self.scope["method"])

    @cached_property
    def headers(self) -> dict[bytes, bytes]:
        """Request headers by lower-case name. One that comes in several lines is one list (RFC 9110, 5.3)."""
        lines: Sequence[tuple[bytes, bytes]] = self.scope["headers"]
        found = dict(lines)
        if len(found) < len(lines):
            return {name: b", ".join([value for each, value in lines if each == name]) for name in found}
        return found

    def header(self, name: str) -> str | None:
        """One header as text, or None."""
        value = self.headers.get(name.encode())
        return value.decode("latin-1") if value is not None else None

    @cached_property
    def client(self) -> str:
        """The caller's address; behind a proxy of one's own (`trust_proxy`), the last one that the proxy names."""
        forwarded = self.header("x-forwarded-for") if self.server.config.trust_proxy else None
        if forwarded:
            return forwarded.rpartition(",")[2].strip()
        client = self.scope.get("client")
        return str(client[0]) if client else "local"

    @property
    def client_network(self) -> str:
        """What limits count as one caller: an IPv4 address, or the /64 that an IPv6 caller has to themselves."""
        return ":".join(self.client.split(":")[:4]) if ":" in self.client else self.client

    @cached_property
    def query(self) -> list[tuple[str, str]]:
        """The parameters in their order, each at most once; NUL and broken UTF-8 are refused."""
        raw = self.scope["query_string"]
        if not raw:
            return []
        try:
            pairs = parse_qsl(raw.decode("ascii"), keep_blank_values=True, errors="strict", max_num_fields=100)
        except ValueError as error:
            raise WrongParameter(why="it must be percent-encoded UTF-8 with at most 100 parameters") from error
        names = [name for name, _ in pairs]
        if len(set(names)) != len(names):
            raise WrongParameter(why="a parameter may come once; give several values with commas and [in]")
        if any("\0" in name or "\0" in value for name, value in pairs):
            raise WrongParameter(why="it holds a NUL character")
        return pairs

    def param(self, name: str) -> str | None:
        """One parameter of the query string, or None."""
        return self.params.get(name)

    @cached_property
    def params(self) -> dict[str, str]:
        """The parameters by name."""
        return dict(self.query)

    def refuse_others(self, known: Iterable[str]) -> None:
        """Raise `UnknownParameter` for the first parameter that is not among these."""
        names = list(known)
        for name, _ in self.query:
            if name not in names:
                raise UnknownParameter(name=name, known=", ".join(names) or "none")

    @cached_property
    def prefer(self) -> Mapping[str, str]:
        """The preferences of RFC 7240: `Prefer: tx=rollback, count=exact`. Of one that comes twice, the first counts."""
        found: dict[str, str] = {}
        for term in PREFERENCE.findall(self.header("prefer") or ""):
            name, _, value = term.partition(";")[0].partition("=")
            found.setdefault(name.strip().lower(), value.strip().strip('"'))
        return found

    @cached_property
    def language(self) -> str:
        """The language to answer in: what the request asks for, else what the actor chose, else English."""
        return choose_language(self.header("accept-language"), self.actor.language)

    def note(self) -> Note:
        """What the log will say of this request's writes."""
        reason = self.headers.get(b"change-reason")
        said = in_any_script(unquote_to_bytes(reason))[:500].replace("\0", "") if reason else None
        return Note(actor=self.actor.id, request_id=self.request_id, reason=said or None)

    async def body(self) -> bytes:
        """The whole body; raises `TooLarge` before it is all read."""
        if self.raw_body is None:
            self.raw_body = b"".join([chunk async for chunk in self.chunks(self.server.config.max_body)])
        return self.raw_body

    async def chunks(self, limit: int) -> AsyncIterator[bytes]:
        """The body as it comes in, at most `limit` bytes of it."""
        declared = self.header("content-length")
        if declared and declared.isascii() and declared.isdigit() and int(declared) > limit:
            raise TooLarge(limit=limit)
        size, more = 0, True
        while more:
            message = await self.receive()
            if message["type"] == "http.disconnect":
                raise BadRequest(why="the connection ended in the middle of the body")
            chunk = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise TooLarge(limit=limit)
            more = message.get("more_body", False)
            yield chunk

    def content_type(self) -> str:
        """The media type of the body, without parameters; JSON where none is given."""
        return (self.header("content-type") or "application/json").partition(";")[0].strip().lower()

    async def json(self) -> Any:
        """The body as JSON values; strict."""
        kind = self.content_type()
        if kind not in ("application/json", "application/merge-patch+json"):
            raise UnsupportedMediaType(got=kind[:80], wanted="application/json")
        return parse_json(await self.body())

    async def shaped(self, shape: type[S], *, optional: bool = False) -> S:
        """The body as a shape; raises `UnknownFields` (400) or `Invalid` (422) with every fault at its place.

        Where the body is `optional`, none at all means an empty object.
        """
        return conform(shape, {} if optional and not await self.body() else await self.json())


def in_any_script(raw: bytes) -> str:
    """The text of a header that people write: UTF-8, percent-encoded or as it is; else Latin-1, as headers once were."""
    try:
        return raw.decode()
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def parse_json(raw: bytes) -> Any:
    """JSON as PostgreSQL and every client can hold it: no NaN, Infinity, lone surrogates, NUL, or bottomless nesting."""
    try:
        value = orjson.loads(raw)
    except orjson.JSONDecodeError as error:
        raise WrongJson(why=str(error).partition(":")[0]) from error
    if b"\\u0000" in raw and holds_nul(value):
        raise WrongJson(why="a string holds a NUL character")
    if raw.count(b"{") + raw.count(b"[") > WRITABLE and not is_writable(value):
        raise WrongJson(why="depth limit exceeded")
    return value


def is_writable(value: Any) -> bool:
    """Whether a JSON value can be written again: what is read may nest deeper than what is written."""
    try:
        orjson.dumps(value)
    except orjson.JSONEncodeError:
        return False
    return True


def holds_nul(value: Any) -> bool:
    """Whether a NUL is anywhere in the text of a JSON value, however deep."""
    waiting = [value]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str) and "\0" in each:
            return True
        if isinstance(each, dict):
            waiting += [*each, *each.values()]
        elif isinstance(each, list):
            waiting += each
    return False


def conform(shape: type[S], value: Any) -> S:
    """The value as a shape; raises with every fault at its place, and never repeats the input."""
    try:
        return shape.model_validate(value)
    except ValidationError as error:
        faults = [fault_of(each) for each in error.errors(include_url=False, include_input=False)]
    unknown = [fault for fault in faults if fault.code == "extra-forbidden"]
    raise UnknownFields(faults=unknown) if unknown else Invalid(faults=faults)


def values_of(model: BaseModel, *, only_set: bool = False) -> dict[str, Any]:
    """The values of a body by their names; `only_set` leaves out what the client did not send."""
    if not is_flat(type(model)):
        return model.model_dump(exclude_unset=only_set)
    sent = model.model_fields_set
    return {name: value for name, value in model.__dict__.items() if not only_set or name in sent}


@cache
def is_flat(shape: type[BaseModel]) -> bool:
    """Whether no field of a shape holds another shape, so that its values are what they are."""
    return not any(holds_shape(each.annotation) for each in shape.model_fields.values())


def holds_shape(kind: Any) -> bool:
    """Whether a type is a shape, or is made of one: `list[Part]`, `Part | None`."""
    parts = get_args(kind)
    return any(map(holds_shape, parts)) if parts else isinstance(kind, type) and issubclass(kind, BaseModel)


def fault_of(error: Any) -> Fault:
    """One of pydantic's errors as ours."""
    pointer = "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in error["loc"])
    values = dict(error.get("ctx", {}))
    if "expected" in values:  # a list that is right in any language
        values["expected"] = str(values["expected"]).replace(" or ", ", ")
    return Fault(pointer[:200], error["type"].replace("_", "-"), error["msg"], values)
