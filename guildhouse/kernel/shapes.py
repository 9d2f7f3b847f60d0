"""Shapes: the base of every body, and the types that fields are made of. Strict: nothing is guessed, nothing ignored."""

from datetime import date, datetime
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints
from pydantic_core import PydanticCustomError

from guildhouse.kernel.ids import as_id


class Shape(BaseModel):
    """A body. Unknown fields are refused (400), wrong values, too (422)."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class ReadShape(Shape):
    """A row as it is read: what every resource's row has. `version` is in the ETag and grows with every change."""

    id: str
    version: int
    created_at: datetime
    updated_at: datetime


# What a field says that takes a secret: `Field(json_schema_extra=SECRET)`. It is stored nowhere, not even for an hour.
SECRET: dict[str, Any] = {"writeOnly": True}


def secrets_of(shape: type[BaseModel] | None) -> list[str]:
    """The fields of a body that take a secret."""
    fields = shape.model_fields if shape else {}
    return [name for name, field in fields.items() if field.json_schema_extra == SECRET]


def must_be_text(value: Any) -> Any:
    """Times and dates are written as text; a number is not taken for one."""
    if not isinstance(value, str | datetime | date):
        raise PydanticCustomError("iso_8601", "write it in ISO 8601, such as 2026-11-20 or 2026-11-20T08:00:00Z")
    return value


def must_be_id(value: str) -> str:
    """An id in its canonical form."""
    found = as_id(value)
    if found is None:
        raise PydanticCustomError("id", "this is no id; ids are UUIDs")
    return found


def must_be_web_address(value: str) -> str:
    """An http(s) address with a host, and no credentials in it."""
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        raise PydanticCustomError("web_address", "write a whole address that starts with https:// or http://")
    return value


def two_decimals(value: float) -> float:
    """Money is kept to two decimals."""
    return round(value, 2)


Id = Annotated[str, AfterValidator(must_be_id)]
Line = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200)]
Prose = Annotated[str, StringConstraints(max_length=50_000)]
Tag = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=80)]
Url = Annotated[str, StringConstraints(strip_whitespace=True, max_length=2000), AfterValidator(must_be_web_address)]
Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(must_be_text)]
Day = Annotated[date, Field(strict=False), BeforeValidator(must_be_text)]
Money = Annotated[float, Field(ge=0, le=9_999_999_999), AfterValidator(two_decimals)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
Country = Annotated[str, StringConstraints(pattern=r"^[A-Z]{2}$")]
