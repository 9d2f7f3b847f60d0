"""ETags: a row's from its version, a list's from the position of the log up to which the actor would see a difference."""

from collections.abc import Iterable
from hashlib import blake2b

from guildhouse.kernel.errors import BadRequest, PreconditionFailed


class WrongEtag(BadRequest):
    """`If-Match` takes the ETag of the row that you read, such as `"3"`, or `*`."""


def row_etag(version: int, variant: str = "") -> str:
    """The ETag of a row; `variant` tells apart representations (fields, format, what this actor sees of it)."""
    return f'"{version}-{digest(variant)}"' if variant else f'"{version}"'


def list_etag(position: int, *parts: str) -> str:
    """The ETag of a list: unchanged as long as nothing that the actor sees changed."""
    return f'"{position}-{digest(*parts)}"'


def digest(*parts: str) -> str:
    """A short fingerprint of text."""
    return blake2b("\0".join(parts).encode(), digest_size=8).hexdigest()


def matches(header: str | None, etag: str) -> bool:
    """Whether an If-None-Match header names this ETag (weak comparison)."""
    if header is None:
        return False
    tags = {tag.strip().removeprefix("W/") for tag in header.split(",")}
    return etag in tags or "*" in tags


def version_of(tag: str) -> int:
    """The version inside a row's ETag."""
    number = tag.strip().removeprefix("W/").strip('"').partition("-")[0]
    if not (number.isascii() and number.isdigit() and len(number) < 10):
        raise WrongEtag
    return int(number)


def check_match(header: str | None, version: int) -> None:
    """Raise `PreconditionFailed` unless an If-Match header, when there is one, names this version."""
    if header is None or header.strip() == "*":
        return
    if version not in versions_of(header.split(",")):
        raise PreconditionFailed(version=version)


def versions_of(tags: Iterable[str]) -> set[int]:
    """The versions that some ETags name."""
    return {version_of(tag) for tag in tags}
