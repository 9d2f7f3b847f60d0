"""Scopes: who may see a row. A row carries some, an actor holds some; a row is seen if and only if the sets meet."""

PUBLIC = "public"
MEMBERS = "members"
ADMINS = "admins"


def scope(kind: str, key: str, part: str = "") -> str:
    """The scope of one thing or of one part of it: `scope("person", id)`, `scope("organization", id, "recruiters")`."""
    return f"{kind}:{key}:{part}" if part else f"{kind}:{key}"
