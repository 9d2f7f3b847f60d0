"""Secrets of people: passwords (argon2), random tokens and their hashes, API keys with a prefix and a checksum."""

import asyncio
import secrets
from base64 import b32encode
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from zlib import crc32

from argon2 import PasswordHasher
from argon2.exceptions import Argon2Error, InvalidHashError

KEY_PREFIX = "gh_"
hasher = PasswordHasher()
# Two at a time: each takes 64 MiB and a whole core, and sign-ins must not starve the server.
threads = ThreadPoolExecutor(2, thread_name_prefix="argon2")
# Compared with when no account has the address, so that a guess takes as long as a miss. It is of a random word that
# nobody has kept, by the parameters of `hasher`; to make one at each start would cost what a sign-in costs.
NOBODYS_HASH = "$argon2id$v=19$m=65536,t=3,p=4$FWaFO2oD4+84s8s/STyVCQ$AcyLJB8fkU/90JvshBhog/dmOpoAihXhqC8E88QFtwI"


async def hash_password(password: str) -> str:
    """The argon2id hash of a password."""
    return await asyncio.get_running_loop().run_in_executor(threads, hasher.hash, password)


async def password_fits(password: str, hashed: str | None) -> bool:
    """Whether a password is the one that was hashed; as slow for an account that does not exist."""
    fits = await asyncio.get_running_loop().run_in_executor(threads, verify, password, hashed or NOBODYS_HASH)
    return fits and hashed is not None


def verify(password: str, hashed: str) -> bool:
    """Argon2's own check; a damaged hash fits nothing."""
    try:
        return hasher.verify(hashed, password)
    except (Argon2Error, InvalidHashError):
        return False


def new_token() -> str:
    """256 random bits as text."""
    return secrets.token_urlsafe(32)


def hash_token(token: str) -> str:
    """What is stored of a random token. It has full entropy, so a plain hash is as good as a slow one."""
    return sha256(token.encode()).hexdigest()


def new_key() -> str:
    """An API key: `gh_`, 160 random bits in base 32, and a checksum that tells a mistyped key from a revoked one."""
    body = b32encode(secrets.token_bytes(20)).decode().lower()
    return f"{KEY_PREFIX}{body}{checksum(body)}"


def checksum(body: str) -> str:
    """CRC-32 as 8 hexadecimal digits."""
    return f"{crc32(body.encode()):08x}"


def looks_like_key(token: str) -> bool:
    """Whether a token has the form and the checksum of an API key; no database is asked about one that has not."""
    body = token.removeprefix(KEY_PREFIX)
    return token.startswith(KEY_PREFIX) and len(body) == 40 and checksum(body[:32]) == body[32:]
