"""Idempotency: a request repeated with its `Idempotency-Key` is answered again, not done again.

The answer is stored in the transaction of the write itself, so that there is never one without the other. Failures are
not stored: after one, the same key tries again. Kept for 24 hours.
"""

from hashlib import sha256

import orjson

from guildhouse.kernel.answer import Answer
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import BadRequest, Conflict, Invalid
from guildhouse.kernel.request import Call

HOURS = 24


class WrongIdempotencyKey(BadRequest):
    """`Idempotency-Key` takes 1 to 255 printable ASCII characters, best a random UUID."""


class IdempotencyKeyReused(Invalid):
    """This `Idempotency-Key` was already used for a different request. Use a new key for each new request."""


class StillRunning(Conflict):
    """The first request with this `Idempotency-Key` is still running. Ask again in a moment."""

    retryable = True


def key_of(call: Call) -> str | None:
    """The request's key, or None."""
    key = call.header("idempotency-key")
    if key is not None and not (1 <= len(key) <= 255 and key.isascii() and key.isprintable()):
        raise WrongIdempotencyKey
    return key


def owner_of(call: Call) -> str:
    """Whose key it is, and of which address: the same key elsewhere is another key."""
    client = call.actor.id or f"at {call.client}"
    return f"{client} {call.method} {call.scope['path']}"


async def replayed(call: Call, ctx: Context, key: str, fingerprint: bytes) -> Answer | None:
    """The stored answer to this key, or None when this is the first; holds the key until the transaction ends."""
    lock = int.from_bytes(sha256(f"{owner_of(call)}\0{key}".encode()).digest()[:8], "big", signed=True)
    if not await ctx.connection.fetchval("SELECT pg_try_advisory_xact_lock($1)", lock):
        raise StillRunning
    record = await ctx.connection.fetchrow(
        "SELECT fingerprint, status, headers, body, media_type FROM idempotency_keys "
        "WHERE owner = $1 AND key = $2 AND created_at > now() - make_interval(hours => $3)",
        owner_of(call),
        key,
        HOURS,
    )
    if record is None:
        return None
    if record["fingerprint"] != fingerprint:
        raise IdempotencyKeyReused
    headers = {**record["headers"], "Idempotent-Replayed": "true"}
    return Answer(record["status"], record["body"], record["media_type"], headers)


async def keep(call: Call, ctx: Context, key: str, fingerprint: bytes, answer: Answer) -> None:
    """Store the answer for the next time; what it reveals only once is left out."""
    body = answer.body
    if ctx.revealed:
        body = orjson.dumps({k: v for k, v in orjson.loads(body).items() if k not in ctx.revealed})
    await ctx.connection.execute(
        "INSERT INTO idempotency_keys (owner, key, fingerprint, status, headers, body, media_type) "
        "VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (owner, key) DO UPDATE SET fingerprint = excluded.fingerprint, "
        "status = excluded.status, headers = excluded.headers, body = excluded.body, created_at = now()",
        owner_of(call),
        key,
        fingerprint,
        answer.status,
        answer.headers,
        body,
        answer.media_type,
    )


async def forget(ctx: Context, actor_id: str) -> None:
    """Delete the answers that were kept for somebody."""
    await ctx.connection.execute("DELETE FROM idempotency_keys WHERE starts_with(owner, $1)", f"{actor_id} ")


def fingerprint_of(call: Call, body: bytes) -> bytes:
    """What makes a request the same request: its query, its precondition and its body."""
    query: bytes = call.scope["query_string"]
    return sha256(b"\0".join([query, call.headers.get(b"if-match", b""), body])).digest()
