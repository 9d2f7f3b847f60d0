"""Tables of the kernel that are no resources: nobody reads them by the API, and the log does not keep them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from guildhouse.kernel.row import Base


class Secret(Base):
    """A secret of the server: the one its keys are derived from, and the hash of the first admin's link."""

    __tablename__ = "secrets"

    name: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[bytes] = mapped_column(LargeBinary)
    made_at: Mapped[datetime] = mapped_column(server_default=text("now()"))


class IdempotencyKey(Base):
    """The answer to a request, kept in case the request comes again."""

    __tablename__ = "idempotency_keys"

    owner: Mapped[str] = mapped_column(primary_key=True)
    key: Mapped[str] = mapped_column(primary_key=True)
    fingerprint: Mapped[bytes] = mapped_column(LargeBinary)
    status: Mapped[int]
    headers: Mapped[dict[str, Any]]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    media_type: Mapped[str]
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"), index=True)


class TaskAttempt(Base):
    """How often a task of the queue was started."""

    __tablename__ = "task_attempts"

    task_id: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    started: Mapped[int]


# All tables of the house, these included.
METADATA = Base.metadata
