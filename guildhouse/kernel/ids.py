"""Identifiers: UUID version 7 (RFC 9562), as lower-case text everywhere in Python; they sort by when they were made."""

import os
import re
import time
from uuid import UUID

CANONICAL = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def new_id() -> str:
    """A new UUIDv7: 48 bits of Unix milliseconds, then 74 random bits."""
    value = (time.time_ns() // 1_000_000) << 80 | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | 0x7 << 76
    value = value & ~(0x3 << 62) | 0x2 << 62
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def as_id(text: str) -> str | None:
    """The canonical form of an identifier that a client wrote, or None when it is none."""
    if CANONICAL.fullmatch(text):
        return text
    try:
        return str(UUID(text)) if len(text) == 36 else None
    except ValueError:
        return None
