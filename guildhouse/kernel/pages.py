"""Pages: order, limit and keyset cursors. A cursor is opaque, authenticated, and bound to the query it came from."""

import hmac
import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from hashlib import blake2b
from typing import Any

import orjson
import sqlalchemy as sa

from guildhouse.kernel.errors import BadRequest
from guildhouse.kernel.filters import Condition, parser
from guildhouse.kernel.resource import Resource

DEFAULT_LIMIT = 50
MOST = 200
TAG_BYTES = 12
WHOLE = re.compile(r"[0-9]{1,100}")


class UnknownSort(BadRequest):
    """One cannot sort by `{name}` here. One can by: {known}; put a minus before it to turn the order round."""


class CursorMismatch(BadRequest):
    """This cursor does not belong to this query. Start again without `cursor`, and change nothing else while paging."""


class WrongLimit(BadRequest):
    """`limit` takes a whole number from 1 on; more than 200 is served as 200."""


@dataclass(frozen=True, slots=True)
class Order:
    """One column to sort by, or with its type what is computed. Rows without a value come last, whichever way round."""

    column: str
    descending: bool
    nullable: bool
    kind: sa.types.TypeEngine[Any] | None = None

    def sql(self, backwards: bool) -> str:
        """The ORDER BY term, turned round to read the page before."""
        down = self.descending != backwards
        nulls = (" NULLS FIRST" if backwards else " NULLS LAST") if self.nullable else ""
        return f'"{self.column}" {"DESC" if down else "ASC"}{nulls}'


def ordered_by(order: Sequence[Order], *, backwards: bool = False, of: str = "") -> str:
    """The ORDER BY clause; `of` is what the columns are looked for in, where several tables have them."""
    return " ORDER BY " + ", ".join(f"{of}{each.sql(backwards)}" for each in order)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page starts: after (or before) the row with these values of the columns one sorts by."""

    values: tuple[Any, ...]
    backwards: bool = False


def parse_limit(text: str | None, usual: int = DEFAULT_LIMIT, most: int = MOST) -> int:
    """The number of rows of a page, the `usual` one where none is asked for, coerced down to the most."""
    if text is None:
        return usual
    if not WHOLE.fullmatch(text) or not text.strip("0"):
        raise WrongLimit
    return min(int(text), most)


def parse_sort(
    resource: Resource[Any], text: str | None, computed: Mapping[str, Order] | None = None
) -> tuple[Order, ...]:
    """`sort=-posted_at,title`; the id comes last of itself, so that the order is total. What is `computed` has one way."""
    found: dict[str, Order] = {}
    computed = computed or {}
    for term in (text or resource.find.default).split(","):
        name = term.strip().removeprefix("-")
        if term.strip() in computed:
            found.setdefault(name, computed[name])
            continue
        if name != "id" and name not in resource.find.sort:
            raise UnknownSort(name=name, known=", ".join([*computed, *resource.find.sort]))
        found.setdefault(name, Order(name, term.strip().startswith("-"), bool(resource.columns[name].nullable)))
    last = next(reversed(found.values()))
    found.setdefault("id", Order("id", last.descending, False))
    return tuple(found.values())


def stretches(order: tuple[Order, ...], cursor: Cursor | None) -> list[tuple[list[Condition], tuple[Order, ...]]]:
    """The stretches that a list is read in from a cursor on, one behind the other: their conditions, and their orders.

    Where the first column may be empty, the rows with a value are one and those without another: each of them stands in
    an index as it is wanted, while no index has both, whichever way round, with the empty ones at the end.
    """
    first, *rest = order
    if not first.nullable or first.kind is not None:
        return [([after(order, cursor)] if cursor else [], order)]
    plain = (replace(first, nullable=False), *rest)
    valued, empty = (Condition(f'"{first.column}" IS {what}', ()) for what in ("NOT NULL", "NULL"))
    if cursor is None:
        return [([valued], plain), ([empty], plain)]
    if cursor.values[0] is None:
        here = [empty, after(rest, replace(cursor, values=cursor.values[1:]))], plain
        return [here, ([valued], plain)] if cursor.backwards else [here]
    here = [valued, after(plain, cursor)], plain
    return [here] if cursor.backwards else [here, ([empty], plain)]


def after(order: Sequence[Order], cursor: Cursor) -> Condition:
    """The condition that holds for the rows behind a cursor."""
    directions = {each.descending for each in order}
    if len(directions) == 1 and not any(each.nullable for each in order):
        return row_comparison(order, cursor, directions.pop())
    return lexicographic(order, cursor)


def row_comparison(order: Sequence[Order], cursor: Cursor, descending: bool) -> Condition:
    """`(a, id) < (?, ?)`: one index range, as quick on the last page as on the first."""
    columns = ", ".join(f'"{each.column}"' for each in order)
    sign = "<" if descending != cursor.backwards else ">"
    marks = ", ".join("?" for _ in order)
    return Condition(f"({columns}) {sign} ({marks})", cursor.values)


def lexicographic(order: Sequence[Order], cursor: Cursor) -> Condition:
    """The same where directions differ or values are missing: a > ?, or a = ? and b > ?, and so on."""
    branches: list[str] = []
    values: list[Any] = []
    for n, each in enumerate(order):
        terms = [equal(order[i].column, cursor.values[i]) for i in range(n)]
        terms.append(beyond(each, cursor.values[n], cursor.backwards))
        branches.append(" AND ".join(term.sql for term in terms))
        values.extend(value for term in terms for value in term.values)
    return Condition("(" + " OR ".join(f"({branch})" for branch in branches) + ")", tuple(values))


def equal(column: str, value: Any) -> Condition:
    """The column has this value, or none."""
    return Condition(f'"{column}" IS NULL', ()) if value is None else Condition(f'"{column}" = ?', (value,))


def beyond(order: Order, value: Any, backwards: bool) -> Condition:
    """The column comes strictly after this value in the order that is being read."""
    nulls_last = not backwards
    if value is None:
        return Condition("FALSE" if nulls_last else f'"{order.column}" IS NOT NULL', ())
    sign = "<" if order.descending != backwards else ">"
    tail = f' OR "{order.column}" IS NULL' if order.nullable and nulls_last else ""
    return Condition(f'("{order.column}" {sign} ?{tail})', (value,))


def seal(secret: bytes, binding: bytes, cursor: Cursor) -> str:
    """The cursor as text that only this server makes, for this query."""
    body = orjson.dumps([cursor.backwards, *map(plain, cursor.values)])
    return urlsafe_b64encode(tag(secret, binding, body) + body).decode().rstrip("=")


def unseal(secret: bytes, binding: bytes, text: str, kinds: tuple[Sequence[Order], Resource[Any]] | None) -> Cursor:
    """The cursor that a text holds; raises `CursorMismatch` for one that is forged, damaged or of another query.

    `kinds` are the columns whose values it has; None for one of a search, whose values are plain.
    """
    try:
        raw = urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except ValueError as error:
        raise CursorMismatch from error
    body = raw[TAG_BYTES:]
    if not hmac.compare_digest(raw[:TAG_BYTES], tag(secret, binding, body)):
        raise CursorMismatch
    backwards, *values = orjson.loads(body)
    if kinds is None:
        return Cursor(tuple(values), backwards)
    order, resource = kinds
    if len(values) != len(order):
        raise CursorMismatch  # of the same query, when it was answered in another way
    return Cursor(revived(resource, order, values), backwards)


def revived(resource: Resource[Any], order: Sequence[Order], values: Sequence[Any]) -> tuple[Any, ...]:
    """The values that `plain` made plain, each as what one sorts by."""
    types = [each.kind or resource.columns[each.column].type for each in order]
    return tuple(revive(kind, value) for kind, value in zip(types, values, strict=True))


def tag(secret: bytes, binding: bytes, body: bytes) -> bytes:
    """The authentication of a cursor's body."""
    return blake2b(binding + b"\0" + body, key=secret, digest_size=TAG_BYTES).digest()


def plain(value: Any) -> Any:
    """A value as JSON holds it exactly."""
    return value.isoformat() if isinstance(value, datetime | date) else value


def revive(kind: sa.types.TypeEngine[Any], value: Any) -> Any:
    """The value that `plain` made plain, as its column's type."""
    return parser("cursor", kind)(value) if isinstance(value, str) else value
