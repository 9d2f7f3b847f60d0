"""Limits: how much one caller may ask for, by GCRA (the generic cell rate algorithm), in this process's memory.

Each class of request has a quota of units and a window; a costly request takes more units. A caller who was quiet may
burst up to the whole quota; units come back evenly.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from math import ceil

from guildhouse.kernel.errors import TooManyRequests

MOST_CALLERS = 100_000


@dataclass(frozen=True, slots=True)
class Quota:
    """`units` in every `window` seconds."""

    units: int
    window: int


QUOTAS = {
    "read": Quota(3000, 60),
    "write": Quota(600, 60),
    "batch": Quota(60, 60),
    "sign-in": Quota(60, 300),
    "account": Quota(10, 300),
}
# Several people may share one address, but an address is cheap to have many of.
ANONYMOUS_SHARE = 0.2


class Limits:
    """The meter of one process. `factor` stretches every quota; 0 means no limits. `key` names the caller."""

    def __init__(self, factor: float = 1, clock: Callable[[], float] = time.monotonic) -> None:
        self.factor = factor
        self.clock = clock
        self.full_at: dict[tuple[str, str], float] = {}

    def take(self, kind: str, key: str, cost: int = 1, share: float = 1.0) -> dict[str, str]:
        """Take `cost` units; returns the answer's headers, or raises `TooManyRequests` with the wait in seconds.

        `full_at` is GCRA's theoretical arrival time: when the caller's quota would be whole again.
        """
        if not self.factor:
            return {}
        quota = QUOTAS[kind]
        units = max(1, int(quota.units * share * self.factor))
        now, per_unit = self.clock(), quota.window / units
        full_at = max(self.full_at.get((kind, key), now), now) + cost * per_unit
        wait = full_at - now - quota.window
        if wait > 0:
            raise TooManyRequests(seconds=ceil(wait), headers=headers(kind, units, quota.window, 0, ceil(wait)))
        self.remember((kind, key), full_at, now)
        return headers(kind, units, quota.window, int((quota.window - (full_at - now)) / per_unit), 0)

    def remember(self, caller: tuple[str, str], full_at: float, now: float) -> None:
        """Keep the caller's meter; when there are too many, forget whose quota is whole, then who came first."""
        if len(self.full_at) >= MOST_CALLERS and caller not in self.full_at:
            self.full_at = {each: at for each, at in self.full_at.items() if at > now}
            while len(self.full_at) > MOST_CALLERS // 2:
                del self.full_at[next(iter(self.full_at))]
        self.full_at[caller] = full_at


def headers(kind: str, units: int, window: int, remaining: int, wait: int) -> dict[str, str]:
    """The two fields of the IETF draft, and Retry-After for a refusal."""
    fields = {
        "RateLimit-Policy": f'"{kind}";q={units};w={window}',
        "RateLimit": f'"{kind}";r={remaining};t={wait or window}',
    }
    return {**fields, "Retry-After": str(wait)} if wait else fields
