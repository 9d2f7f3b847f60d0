"""Beginning: an operation is stored with its input, in the transaction that answers 202. A task then works it off."""

from collections.abc import Iterable
from typing import Any

from pydantic import BaseModel

from guildhouse.kernel import store
from guildhouse.kernel.answer import Answer
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import BadRequest, Invalid
from guildhouse.kernel.operating.chunks import Chunk, keep_chunks
from guildhouse.kernel.operation import Operation, operations
from guildhouse.kernel.request import Call
from guildhouse.kernel.shapes import secrets_of
from guildhouse.kernel.writing import is_dry, row_answer


class WrongMaxAffected(BadRequest):
    """`Prefer: max-affected=` takes a whole number."""


class SecretSent(Invalid):
    """`{fields}` is a secret, which no operation may store. Send it as a JSON batch, or to one row after the other."""


def refuse_secrets(shape: type[BaseModel] | None) -> None:
    """Raise `SecretSent` where a body takes secrets: an operation's input is kept until it is worked off."""
    if fields := secrets_of(shape):
        raise SecretSent(fields=", ".join(fields))


def max_affected(call: Call) -> int | None:
    """`Prefer: max-affected=N`."""
    text = call.prefer.get("max-affected")
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise WrongMaxAffected
    return int(text)


async def begin(call: Call, ctx: Context, chunks: Iterable[Chunk], **values: Any) -> Operation:
    """Store an operation of the caller's: its row with these values, and its input."""
    row = await store.create(ctx, operations, {
        "mode": "each", **values, "person_id": call.actor.id, "narrowed": call.actor.key_permissions,
        "dry_run": is_dry(call), "most": max_affected(call),
    }, verb="created")  # fmt: skip
    await keep_chunks(ctx, row.id, chunks)
    return row


def accepted(call: Call, ctx: Context, row: Operation) -> Answer:
    """The operation and its address: 202."""
    answer = row_answer(call, ctx, operations, row, 202)
    answer.headers["Location"] = f"/v1/operations/{row.id}"
    if row.dry_run:
        answer.headers["Preference-Applied"] = "tx=rollback"
    return answer
