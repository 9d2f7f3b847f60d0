"""Problems as answers: the RFC 9457 body of every refusal, in the reader's language, and what the driver's errors mean."""

from collections.abc import Callable, Mapping
from typing import Any

import asyncpg
import orjson

from guildhouse.kernel.errors import (
    AlreadyExists,
    Conflict,
    Fault,
    Filled,
    InternalError,
    Invalid,
    Problem,
    Reason,
    Unavailable,
)
from guildhouse.kernel.i18n import ENGLISH, translated

MEDIA_TYPE = "application/problem+json"


class StillReferenced(Conflict):
    """Other rows still lead to this one ({what}). Remove or change them first."""


class Held(Conflict):
    """This is held: it cannot be deleted for good before an admin releases the hold {hold}, or its time is over."""


class Raced(Conflict):
    """Somebody else was changing the same rows at the same moment, and nothing of your request was kept. Try again."""

    retryable = True


def body_of(problem: Problem, language: str, request_id: str, instance: str | None = None) -> dict[str, Any]:
    """The problem's body. The same in answers, batch results and task failures."""
    code = problem.code()
    body: dict[str, Any] = {
        "type": f"/docs/errors/{code}",
        "title": translated("titles", code, language) or problem.title(),
        "status": problem.status,
        "detail": told(problem, language),
        "instance": instance,
        "code": code,
        "errors": [fault_body(fault, language) for fault in problem.faults],
        "trace_id": request_id,
        "retryable": problem.retryable,
    }
    return body


def told(problem: Problem, language: str) -> str:
    """The message, in the reader's language as far as there is a translation."""
    template = translated("problems", problem.code(), language)
    return template.format_map(said(problem.values, language)) if template else problem.detail()


def said(values: Mapping[str, object], language: str) -> Filled:
    """The values of a translated message: words among them are translated, too."""
    return Filled({name: in_words(each, language) if isinstance(each, str) else each for name, each in values.items()})


def in_words(text: str, language: str) -> str:
    """Words within a message in the reader's language; what has no translation, such as a name, as it is."""
    if isinstance(text, Reason):
        return (translated("reasons", text.template, language) or text.template).format_map(Filled(text.values))
    return translated("reasons", text, language) or text


def fault_body(fault: Fault, language: str) -> Mapping[str, str]:
    """One fault, in the reader's language where there is a translation of its kind, or of the problem that it was."""
    told = [translated(section, fault.code, language) for section in ("faults", "problems")]
    detail = next(filter(None, told), None) if language != ENGLISH else None
    return {
        "pointer": fault.pointer,
        "code": fault.code,
        "detail": detail.format_map(said(fault.values, language)) if detail else fault.detail,
    }


def encoded(problem: Problem, language: str, request_id: str, instance: str | None = None) -> bytes:
    """The body as bytes."""
    return orjson.dumps(body_of(problem, language, request_id, instance))


def from_driver(error: BaseException) -> Problem:
    """What an error of PostgreSQL, of its driver or of the network means to the one who asked."""
    for kinds, mean in MEANINGS:
        if isinstance(error, kinds):
            return mean(error)
    return InternalError()


def already_exists(error: Any) -> Problem:
    """A unique constraint: says which columns."""
    columns = columns_of(error)
    faults = [Fault(f"/{name}", "already-exists", "this value is taken") for name in columns]
    return AlreadyExists(what=", ".join(columns) or "key", faults=faults)


def reference_wrong(error: Any) -> Problem:
    """A foreign key, or a hold: what is meant does not exist, others still lead to what would go, or it must not go."""
    if error.constraint_name == "held":
        return Held(hold=error.detail)
    if "still referenced" in (error.detail or ""):
        return StillReferenced(what=(error.table_name or "rows").replace("_", " "))
    faults = [Fault(f"/{name}", "not-found", "nothing with this id exists") for name in columns_of(error)]
    return Invalid(faults=faults)


def value_missing(error: Any) -> Problem:
    """A column that must have a value."""
    return Invalid(faults=[Fault(f"/{error.column_name}", "required", "this field must have a value")])


def check_failed(error: Any) -> Problem:
    """A check constraint: named for its column, or for what it demands."""
    name = (error.constraint_name or "").removeprefix(f"ck_{error.table_name}_")
    return Invalid(faults=[Fault(f"/{name}", "out-of-range", f"this breaks the rule `{name}`")])


def columns_of(error: Any) -> list[str]:
    """The columns of a violated key, out of `Key (a, b)=(...)`; never the values."""
    detail = error.detail or ""
    if not detail.startswith("Key ("):
        return []
    return [name.strip().strip('"') for name in detail[5 : detail.index(")")].split(",")]


def raced(_error: Any) -> Problem:
    """Two transactions in each other's way."""
    return Raced()


def wrong_value(_error: Any) -> Problem:
    """A value that a column cannot hold."""
    return Invalid(faults=[Fault("", "out-of-range", "a value is outside of what its field can hold")])


def unavailable(why: str) -> Callable[[Any], Problem]:
    """A 503 with this reason."""
    return lambda _error: Unavailable(why=why)


MEANINGS: list[tuple[tuple[type[BaseException], ...], Callable[[Any], Problem]]] = [
    ((asyncpg.UniqueViolationError, asyncpg.ExclusionViolationError), already_exists),
    ((asyncpg.ForeignKeyViolationError, asyncpg.RestrictViolationError), reference_wrong),
    ((asyncpg.NotNullViolationError,), value_missing),
    ((asyncpg.CheckViolationError,), check_failed),
    ((asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.LockNotAvailableError), raced),
    ((asyncpg.DataError,), wrong_value),
    ((asyncpg.DiskFullError,), unavailable("the disk is full")),
    ((asyncpg.TooManyConnectionsError,), unavailable("the database has too many connections")),
    ((asyncpg.QueryCanceledError,), unavailable("the database took too long")),
    ((asyncpg.CannotConnectNowError,), unavailable("the database is starting")),
    ((asyncpg.AdminShutdownError, asyncpg.CrashShutdownError), unavailable("the database is restarting")),
    ((asyncpg.PostgresConnectionError, asyncpg.InterfaceError), unavailable("the database is not reachable")),
    ((ConnectionError, TimeoutError, FileNotFoundError), unavailable("the database is not reachable")),
    # The driver's word when the server's last message, that it dies, arrived while the connection was idle.
    ((asyncpg.InternalClientError,), unavailable("the database is restarting")),
]
