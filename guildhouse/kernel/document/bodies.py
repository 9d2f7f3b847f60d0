"""The bodies that all doors share, as shapes: for the API document, and for tests that hold the doors to it."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from guildhouse.kernel.shapes import Shape


class FaultBody(Shape):
    """One thing that is wrong in a request."""

    pointer: str = Field(description="Where: a JSON pointer into the body, or a parameter's name.", examples=["/kind"])
    code: str = Field(description="What, for programs: stable.", examples=["string-too-short"])
    detail: str = Field(
        description="What, for people, in their language.", examples=["String should have at least 1 character"]
    )


class ProblemBody(Shape):
    """Why a request was refused (RFC 9457). `errors` says it place by place, where there are places."""

    type: str = Field(description="The page that explains this problem.", examples=["/docs/errors/invalid"])
    title: str
    status: int = Field(examples=[422])
    detail: str = Field(description="What to do, in the reader's language.")
    instance: str | None = Field(description="The address that was asked.", examples=["/v1/operations"])
    code: str = Field(description="For programs: stable.", examples=["invalid"])
    errors: list[FaultBody]
    trace_id: str = Field(
        description="Finds the request in the server's log.", examples=["5d41402abc4b2a76b9719d911017c592"]
    )
    retryable: bool = Field(description="Whether the same request may succeed later.", examples=[False])
    results: list["OutcomeBody"] | None = Field(
        default=None, description="Of a refused atomic batch: the writes that failed."
    )


class PageBody(Shape):
    """Where a page of a list stands. An empty `next` is the end, and the only one."""

    next: str | None = Field(description="The cursor of the next page.", examples=["b3BhcXVl"])
    prev: str | None = Field(description="The cursor of the page before.", examples=[None])
    has_more: bool
    limit: int = Field(examples=[50])
    total: int | None = Field(
        default=None, description="With `Prefer: count=exact` or `count=planned`.", examples=[128]
    )


class DifferenceBody(Shape):
    """What one field was, and what it became."""

    before: Any = Field(alias="from", examples=["queued"])
    after: Any = Field(alias="to", examples=["cancelled"])


class EntryBody(Shape):
    """One change of a row."""

    version: int = Field(description="The version that the change made.", examples=[3])
    event: str = Field(description="What happened: the noun and the verb.", examples=["operation.cancelled"])
    at: datetime
    actor_id: str | None = Field(description="Who did it; null where it was the server itself.", examples=[None])
    reason: str | None = Field(
        description="What they said in `Change-Reason`.", examples=["The file was the wrong one"]
    )
    request_id: str | None = Field(examples=["5d41402abc4b2a76b9719d911017c592"])
    position: str | None = Field(
        description="Its position in the log; null for a moment after the write.", examples=["9c1e02f4.5120"]
    )
    changes: dict[str, DifferenceBody] = Field(examples=[{"status": {"from": "queued", "to": "cancelled"}}])


class HistoryPageBody(Shape):
    """Where a page of a history stands."""

    next: str | None = Field(description="The cursor of the changes before these; null at the first.", examples=[None])
    has_more: bool = Field(examples=[False])
    limit: int = Field(examples=[200])


class HistoryBody(Shape):
    """A row's changes, newest first."""

    data: list[EntryBody]
    page: HistoryPageBody


class OutcomeBody(Shape):
    """What became of one write of a batch."""

    n: int = Field(description="Its place in the batch, from 0.", examples=[0])
    status: Literal["created", "changed", "unchanged", "removed", "restored", "failed"]
    id: str | None = Field(default=None, examples=["019a9f3c-7c00-7000-8000-000000000001"])
    version: int | None = Field(default=None, examples=[1])
    key: dict[str, str] | None = Field(
        default=None, description="Of one that failed: the key that its data named the row by.", examples=[None]
    )
    problem: ProblemBody | None = Field(default=None, examples=[None])


class BatchBody(Shape):
    """What became of a batch: how many writes ended in which way, and each of them."""

    mode: Literal["each", "atomic"]
    created: int = Field(examples=[1])
    changed: int = Field(examples=[0])
    unchanged: int = Field(examples=[0])
    removed: int = Field(examples=[0])
    restored: int = Field(examples=[0])
    failed: int = Field(examples=[0])
    results: list[OutcomeBody]
    revealed: list[dict[str, Any]] = Field(
        default_factory=list,
        description="What is shown this once, such as a new key's secret; `n` says of which write.",
    )


class WouldBody(Shape):
    """A change that a dry run would have logged."""

    event: str = Field(examples=["operation.created"])
    id: str = Field(examples=["019a9f3c-7c00-7000-8000-000000000001"])
    fields: list[str] = Field(examples=[["kind", "status"]])


class DryRunBody(Shape):
    """What a write with `Prefer: tx=rollback` would have answered and logged. Nothing was kept of it."""

    dry_run: Literal[True]
    status: int = Field(description="The status it would have had.", examples=[201])
    body: Any = Field(description="The body it would have had; null where it has none.", examples=[None])
    changes: list[WouldBody]
