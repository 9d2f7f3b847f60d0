"""Identifiers: UUID version 7 (RFC 9562), as lower-case text everywhere in Python; they sort by when they were made."""

import os
import re
import time
from datetime import UTC, datetime
from uuid import UUID

CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new_id() -> str:
    """A new UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    when, chance = f"{time.time_ns() // 1_000_000:012x}", os.urandom(10).hex()
    variant = "89ab"[int(chance[3], 16) & 3]
    return f"{when[:8]}-{when[8:]}-7{chance[:3]}-{variant}{chance[4:7]}-{chance[7:19]}"


def made_at(id_: str) -> datetime:
    """When an id was made: it says so itself."""
    return datetime.fromtimestamp(int(id_.replace("-", "")[:12], 16) / 1000, UTC)


def as_id(text: str) -> str | None:
    """The canonical form of an identifier that a client wrote, or None when it is none."""
    if CANONICAL.fullmatch(text):
        return text
    try:
        return str(UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None
