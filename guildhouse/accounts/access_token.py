"""Access tokens: signed and short-lived (RFC 7519), so that most requests are known without asking the database."""

from dataclasses import dataclass
from time import time
from typing import TYPE_CHECKING, Protocol

from guildhouse.kernel.errors import Unauthenticated
from guildhouse.kernel.ids import new_id
from guildhouse.kernel.server import Server

if TYPE_CHECKING:
    from joserfc.jwk import OctKey

ACCESS_SECONDS = 900
ALGORITHM = "HS256"


class SignedIn(Protocol):
    """What a token is made of."""

    id: str
    person_id: str


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token says: whose session, and until when (Unix seconds)."""

    session_id: str
    person_id: str
    expires: int


def make_access_token(server: Server, session: SignedIn) -> str:
    """A token for the next 15 minutes of a session."""
    from joserfc import jwt  # noqa: PLC0415 - cryptography comes with it; a command that signs nobody in does without

    now = int(time())
    claims = {
        "sub": session.person_id,
        "sid": session.id,
        "jti": new_id(),
        "iat": now,
        "exp": now + ACCESS_SECONDS,
    }
    return jwt.encode({"alg": ALGORITHM}, claims, key_of(server))


def read_access_token(server: Server, token: str) -> Claims:
    """What a token says; raises `Unauthenticated` for one that is forged, damaged or over."""
    from joserfc import jwt  # noqa: PLC0415 - as above
    from joserfc.errors import JoseError  # noqa: PLC0415

    try:
        claims = jwt.decode(token, key_of(server), algorithms=[ALGORITHM]).claims
        found = Claims(str(claims["sid"]), str(claims["sub"]), int(claims["exp"]))
    except (JoseError, KeyError, ValueError) as error:
        raise Unauthenticated from error
    if found.expires <= time():
        raise Unauthenticated
    return found


def key_of(server: Server) -> "OctKey":
    """The key that access tokens are signed with."""
    from joserfc.jwk import OctKey  # noqa: PLC0415 - as above

    return OctKey.import_key(server.key("access-token"))
