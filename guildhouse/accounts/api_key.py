"""API keys: for programs that act as a person, with as few of the person's permissions as they need."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from pydantic import Field, StringConstraints
from sqlalchemy import ForeignKey, Index, Uuid, bindparam, select
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.accounts.roles import NOUNS_OF_ROLES
from guildhouse.accounts.secrets import hash_token, new_key
from guildhouse.kernel.actor import covers
from guildhouse.kernel.context import Context
from guildhouse.kernel.errors import Denied, invalid
from guildhouse.kernel.may import is_person, signed_in
from guildhouse.kernel.resource import Carry, Find, Keep, Log, May, Resource, Shapes
from guildhouse.kernel.row import Row
from guildhouse.kernel.scopes import scope
from guildhouse.kernel.shapes import Line, Moment, ReadShape, Shape

PREFIX_LENGTH = 11


Permission = Annotated[str, StringConstraints(pattern=r"^(\*|\*\.[a-z-]+|[a-z_]+\.(\*|[a-z-]+))$")]


class KeyTooWide(Denied):
    """A key cannot make a key that may do more than itself; it does not hold {permissions}."""


class ApiKey(Row):
    """A key for a program. The key itself is shown once, when it is made; to revoke it is to remove it."""

    __tablename__ = "api_keys"

    person_id: Mapped[str] = mapped_column(Uuid(as_uuid=False), ForeignKey("people.id", ondelete="CASCADE"))
    name: Mapped[str]
    prefix: Mapped[str]
    key_hash: Mapped[str]
    permissions: Mapped[list[str]]
    expires_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]

    __table_args__ = (
        Index("uq_api_keys_key_hash", "key_hash", unique=True),
        Index("ix_api_keys_person_id", "person_id"),
        Index("ix_api_keys_created_at_id", "created_at", "id"),
        Index("ix_api_keys_scopes", "scopes", postgresql_using="gin"),
    )


class Read(ReadShape):
    """A key, known by its first characters. `last_used_at` is exact to the hour."""

    person_id: str
    name: str
    prefix: str
    permissions: list[str]
    expires_at: datetime | None
    last_used_at: datetime | None


class Create(Shape):
    """A new key. `permissions` read `jobs.read`, `jobs.*`, `*.read` or `*`; the key never holds more than its person."""

    name: Line = Field(examples=["nightly import"])
    permissions: list[Permission] = Field(default=["*.read"], min_length=1, max_length=100)
    expires_at: Moment | None = None


class Update(Shape):
    """Rename a key."""

    name: Line = ""


async def derive(ctx: Context, before: ApiKey | None, after: ApiKey) -> Mapping[str, Any]:
    """A new key belongs to who makes it; only its hash is kept."""
    if before is not None:
        return {}
    if after.expires_at is not None and after.expires_at <= ctx.now:
        raise invalid("/expires_at", "in-the-past", "choose a time in the future")
    key = new_key()
    ctx.reveal({"key": key})
    return {"person_id": ctx.actor.id, "prefix": key[:PREFIX_LENGTH], "key_hash": hash_token(key)}


def permissions_name_something(ctx: Context, before: ApiKey | None, after: ApiKey) -> None:
    """A permission that is misspelt would open nothing, and nobody would be told why."""
    known = {"*", *ctx.house.resources, *NOUNS_OF_ROLES}
    for n, each in enumerate(after.permissions if before is None else ()):
        if each.partition(".")[0] not in known:
            names = ", ".join(sorted(known))
            raise invalid(f"/permissions/{n}", "unknown-noun", "before the point stands one of {known}", known=names)


def keys_do_not_grow(ctx: Context, before: ApiKey | None, after: ApiKey) -> None:
    """Who acts by a key gives no more permissions than that key has; also not by bringing back a key that was revoked."""
    held = ctx.actor.narrowed
    if held is None or (before is not None and (before.deleted_at is None or after.deleted_at is not None)):
        return
    if wider := [each for each in after.permissions if not covers(held, each)]:
        raise KeyTooWide(permissions=", ".join(wider))


api_keys = Resource(
    table=ApiKey,
    shapes=Shapes(read=Read, create=Create, update=Update, derive=derive),
    scopes=lambda row: [scope("person", row.person_id)],
    may=May(create=signed_in, change=is_person("person_id"), remove=is_person("person_id")),
    rules=(permissions_name_something, keys_do_not_grow),
    find=Find(sort=("created_at",)),
    log=Log(hidden=("key_hash",)),
    carry=Carry(stays=True),
    keep=Keep(trash_days=30),
)

BY_HASH = select(ApiKey).where(ApiKey.key_hash == bindparam("hash"), ApiKey.deleted_at.is_(None))
