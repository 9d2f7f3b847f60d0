"""Passwords, tokens, keys: what is stored of them, and what is told from their form."""

import pytest

from guildhouse.accounts import secrets
from guildhouse.accounts.secrets import (
    NOBODYS_HASH,
    checksum,
    hash_password,
    hash_token,
    hasher,
    looks_like_key,
    new_key,
    new_token,
    password_fits,
    verify,
)

pytestmark = pytest.mark.anyio


async def test_a_password_fits_its_own_hash_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "hasher", hasher)  # with all the work that it takes
    first, second = await hash_password("correct horse battery"), await hash_password("correct horse battery")
    assert first != second
    assert first.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert await password_fits("correct horse battery", first)
    assert not await password_fits("Correct horse battery", first)
    assert not await password_fits("correct horse battery", None)


@pytest.mark.parametrize("damaged", ["", "x", "$argon2id$v=19$m=65536,t=3,p=4$", "$argon2id$" * 3])
def test_a_damaged_hash_fits_nothing(damaged: str) -> None:
    assert not verify("", damaged)
    assert not verify("x", damaged)


def test_who_has_no_account_is_checked_as_slowly_as_anybody() -> None:
    assert not hasher.check_needs_rehash(NOBODYS_HASH), (
        "made with other parameters than those of accounts: make one anew"
    )
    assert not verify("", NOBODYS_HASH)


def test_tokens_have_256_bits_and_leave_a_hash() -> None:
    made = {new_token() for _ in range(100)}
    assert len(made) == 100
    assert {len(each) for each in made} == {43}
    assert len(hash_token("x")) == 64
    assert hash_token("x") != hash_token("X")


def test_a_key_is_known_by_its_form() -> None:
    key = new_key()
    assert looks_like_key(key)
    body = key.removeprefix("gh_")
    assert (len(body), checksum(body[:32])) == (40, body[32:])
    for n in range(3, len(key)):
        other = "b" if key[n] != "b" else "c"
        assert not looks_like_key(key[:n] + other + key[n + 1 :]), n
    for wrong in ("", body, f"gh_{body}0", f"GH_{body}", f"gh_gh_{body}"):
        assert not looks_like_key(wrong)
