"""Access tokens: only our own, whole, and only for their time."""

import base64
import json
from dataclasses import dataclass
from time import time
from typing import Any

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey

from guildhouse.accounts.access_token import ACCESS_SECONDS, make_access_token, read_access_token
from guildhouse.kernel.errors import Unauthenticated
from tests.cast import Cast

pytestmark = pytest.mark.anyio


@dataclass
class Keys:
    """As much of a server as has keys."""

    secret: bytes = b"s" * 32

    def key(self, purpose: str) -> bytes:
        return self.secret + purpose.encode()


@dataclass
class Session:
    """What a token is made of."""

    id: str = "session"
    person_id: str = "person"


SERVER: Any = Keys()


def encoded(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()


def signed(claims: dict[str, Any], key: bytes = b"", algorithm: str = "HS256") -> str:
    return jwt.encode({"alg": algorithm}, claims, OctKey.import_key(key or SERVER.key("access-token")), [algorithm])


def claims(**changed: Any) -> dict[str, Any]:
    now = int(time())
    return {"sub": "p", "sid": "s", "iat": now, "exp": now + 60, **changed}


def test_a_token_says_whose_session_it_is_and_until_when() -> None:
    found = read_access_token(SERVER, make_access_token(SERVER, Session()))
    assert (found.session_id, found.person_id) == ("session", "person")
    assert abs(found.expires - time() - ACCESS_SECONDS) < 5


FORGED = {
    "over": signed(claims(exp=int(time()) - 1)),
    "at its end": signed(claims(exp=int(time()))),
    "of another key": signed(claims(), b"another key of 32 bytes or more.."),
    "of another purpose": signed(claims(), SERVER.key("cursor")),
    "of another algorithm": signed(claims(), algorithm="HS512"),
    "not signed": f"{encoded({'alg': 'none'})}.{encoded(claims())}.",
    "not signed in capitals": f"{encoded({'alg': 'NONE'})}.{encoded(claims())}.",
    "without a session": signed({k: v for k, v in claims().items() if k != "sid"}),
    "without an end": signed({k: v for k, v in claims().items() if k != "exp"}),
    "with a wrong end": signed(claims()).replace(".", "..", 1),
    "of one part": "x",
    "of no part": "",
    "of a list": signed(claims()).split(".")[0] + "." + base64.urlsafe_b64encode(b"[]").decode() + ".AAAA",
    "not ASCII": "é.é.é",
}


@pytest.mark.parametrize("token", FORGED.values(), ids=FORGED.keys())
def test_any_other_token_is_refused(token: str) -> None:
    with pytest.raises(Unauthenticated):
        read_access_token(SERVER, token)


def test_no_character_of_a_token_can_be_another() -> None:
    token = signed(claims())
    head, body, signature = token.split(".")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    others = [f"{head}.{body}.{signature[:-1]}{last}" for last in alphabet if last != signature[-1]]
    others += [f"{token}=", f"{token} ", f"{head}.{body[:-1]}{'A' if body[-1] != 'A' else 'B'}.{signature}"]
    for other in others:
        with pytest.raises(Unauthenticated):
            read_access_token(SERVER, other)


async def test_a_token_of_another_server_or_for_nobody_opens_nothing(cast: Cast) -> None:
    forged = make_access_token(SERVER, Session(cast.ada.id, cast.ada.id))
    unknown = make_access_token(cast.server, Session(cast.ada.id, cast.ada.id))
    for token in (forged, unknown):
        assert (await cast.nobody.get("/v1/people", authorization=f"Bearer {token}")).status_code == 401
    for header in ("Bearer", "Bearer ", f"Basic {forged}", forged, "bearer \t"):
        assert (await cast.nobody.get("/v1/jobs", authorization=header)).status_code == 401
