"""Errors: every refusal is a problem (RFC 9457). The class gives the status, its name the code, its docstring the message.

class JobNotOpen(Conflict):
    \"\"\"This job is {status} and takes no applications. Look for one whose status is open.\"\"\"

raise JobNotOpen(status=job.status)
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from inspect import cleandoc
from typing import Any, ClassVar, Self


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a request: where (a JSON pointer, or a parameter's name), a stable code, and words.

    `values` fill the places of a translation.
    """

    pointer: str
    code: str
    detail: str
    values: Mapping[str, object] = field(default_factory=dict)


class NotDone(Exception):
    """Why something is not done that whoever runs the server asked for, in words, with what to do instead."""


class Problem(Exception):
    """Something went wrong."""

    status: ClassVar[int] = 500
    retryable: ClassVar[bool] = False

    def __init__(
        self, *, faults: Sequence[Fault] = (), headers: Mapping[str, str] | None = None, **values: object
    ) -> None:
        self.faults = tuple(faults)
        self.headers = dict(headers or {})
        self.values = values
        super().__init__(self.detail())

    @classmethod
    def code(cls) -> str:
        """The stable code, from the class's name: `JobNotOpen` is `job-not-open`."""
        return kebab(cls.__name__)

    @classmethod
    def title(cls) -> str:
        """The code in words."""
        return cls.code().replace("-", " ").capitalize()

    @classmethod
    def message(cls) -> str:
        """The message, with the places of its values still in braces."""
        return cleandoc(cls.__doc__ or "").split("\n\n")[0].replace("\n", " ")

    def detail(self, template: str | None = None) -> str:
        """The message filled in; `template` is its translation."""
        return (template or self.message()).format_map(Filled(self.values))


class Filled(dict[str, object]):
    """Values of a message; a value that was not given reads as its name, so that an error never hides behind another."""

    def __missing__(self, key: str) -> str:
        return key


class Reason(str):
    """Words within a message that have places themselves: `Reason("it takes one of {known}", known="a, b")`.

    Such words, and those without places, are translated in the section `reasons`, by what they are in English.
    """

    template: str
    values: Mapping[str, object]

    def __new__(cls, template: str, **values: object) -> Self:
        made = super().__new__(cls, template.format_map(Filled(values)))
        made.template, made.values = template, values
        return made


class BadRequest(Problem):
    """The request is malformed: {why}."""

    status = 400


class Unauthenticated(Problem):
    """Sign in, or send an API key: `Authorization: Bearer ...`. The one that was sent, if any, is not valid (any more)."""

    status = 401


class Denied(Problem):
    """You may see this, but you may not do this to it."""

    status = 403


class NotFound(Problem):
    """Nothing is here that you may see."""

    status = 404


class MethodNotAllowed(Problem):
    """This address answers {allowed} only."""

    status = 405


class NotAcceptable(Problem):
    """None of the formats asked for can be served here. Ask for one of: {formats}."""

    status = 406


class Conflict(Problem):
    """The request does not fit the present state."""

    status = 409


class Gone(Problem):
    """What this speaks of is not there any more."""

    status = 410


class PreconditionFailed(Problem):
    """The row has changed since you read it: it is now at version {version}. Read it again, then repeat your change."""

    status = 412


class TooLarge(Problem):
    """The body is larger than {limit} bytes. Send less at once, or use a batch with an NDJSON body."""

    status = 413


class UnsupportedMediaType(Problem):
    """This address does not read {got}. Send one of: {wanted}."""

    status = 415


class Invalid(Problem):
    """The request is well-formed, but something in it is wrong; `errors` says what and where."""

    status = 422


class PreconditionRequired(Problem):
    """Say which version you change: send `If-Match` with the ETag of the row that you read."""

    status = 428


class TooManyRequests(Problem):
    """Too many requests. Wait {seconds} seconds, then try again."""

    status = 429
    retryable = True


class InternalError(Problem):
    """Something broke on our side, and nothing of your request was kept. The trace id finds it in the server's log."""

    status = 500


class Unavailable(Problem):
    """The server cannot answer just now ({why}), and nothing of your request was kept. Try again in a moment."""

    status = 503
    retryable = True

    def __init__(self, *, why: str) -> None:
        super().__init__(headers={"Retry-After": "2"}, why=why)


class UnknownParameter(BadRequest):
    """`{name}` is not a parameter here. Known are: {known}."""


class AlreadyExists(Conflict):
    """There is already one with the same {what}."""


def kebab(name: str) -> str:
    """`JobNotOpen` -> `job-not-open`."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def subclasses(of: type[Problem] = Problem) -> Iterator[type[Problem]]:
    """Every kind of problem that is loaded."""
    for kind in of.__subclasses__():
        yield kind
        yield from subclasses(kind)


def raise_if(faults: Sequence[Fault]) -> None:
    """Raise `Invalid` with these faults, if there are any."""
    if faults:
        raise Invalid(faults=faults)


def invalid(pointer: str, code: str, detail: str, **values: Any) -> Invalid:
    """An `Invalid` for one place of the body: `raise invalid("/closes_at", "too-early", "...")`."""
    return Invalid(faults=[Fault(pointer, code, detail.format_map(Filled(values)), values)])
