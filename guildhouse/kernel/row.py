"""The row: what every table of the house has, and a row's life as a read-only value between the database and a rule.

Rows are declared with SQLAlchemy so that a column is typed once: `Job.status` is an expression in a statement and
`job.status` is a value. No ORM session exists; a row that was read cannot be assigned to. `kernel/store.py` writes.
"""

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from typing import Any, ClassVar, Self, TypeAlias, cast

from asyncpg import Record
from sqlalchemy import DateTime, Integer, MetaData, Text, Uuid, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}

# A row's values by column name: as rules handle them, or as the driver hands them over.
Values: TypeAlias = Mapping[str, Any] | Record


class Base(DeclarativeBase):
    """The one metadata of the house: tables of the kernel and of the domains."""

    metadata = MetaData(naming_convention=NAMING)
    type_annotation_map: ClassVar[dict[Any, Any]] = {
        str: Text(),
        datetime: DateTime(timezone=True),
        list[str]: ARRAY(Text()),
        dict[str, Any]: JSONB(),
    }


class Row(Base):
    """What every resource's row has. `version` counts its writes from 1; `scopes` says who sees it."""

    __abstract__ = True

    id: Mapped[str] = mapped_column(Uuid(as_uuid=False), primary_key=True)
    version: Mapped[int] = mapped_column(Integer, server_default=text("1"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    updated_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    deleted_at: Mapped[datetime | None]
    scopes: Mapped[list[str]] = mapped_column(server_default=text("'{}'"))

    @classmethod
    def of(cls, values: Values) -> Self:
        """The row that holds these values (column name to value); reading a column that was not given raises."""
        row = plain(cls)()  # without the ORM's per-instance state: a batch makes thousands of these
        row.__dict__.update(values)
        return cast("Self", row)

    def values(self) -> dict[str, Any]:
        """A copy of the row's values by column name."""
        return dict(self.__dict__)


class Plain:
    """What a row is as a value: its columns are there to be read and no more, and without asking the ORM for each."""

    values = Row.values

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a row that was read is not assigned to: {name}")


@cache
def plain(table: type[Row]) -> type[Plain]:
    """The class of a table's rows as values."""
    return type(table.__name__, (Plain,), {"__doc__": table.__doc__})


BASE_COLUMNS = ("id", "version", "created_at", "updated_at", "deleted_at", "scopes")
