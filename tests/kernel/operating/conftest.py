"""For what must be seen before it is worked off, or stepwise. All else is on the shared server, whose worker does it."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.cast import Cast


@pytest.fixture
async def idle(starting: Any) -> AsyncIterator[Cast]:
    """A server whose tasks wait to be run by hand."""
    async with starting(workers="none") as cast:
        yield cast
