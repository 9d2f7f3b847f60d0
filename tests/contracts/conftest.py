"""Every contract is tried on every resource."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from guildhouse.app import HOUSE
from guildhouse.kernel.resource import Resource
from tests.cast import Cast
from tests.contracts.samples import SAMPLES, Sample


@pytest.fixture(params=sorted(HOUSE.resources))
def resource(request: pytest.FixtureRequest) -> Resource[Any]:
    return HOUSE.resources[request.param]


@pytest.fixture
async def sample(cast: Cast, resource: Resource[Any]) -> AsyncIterator[Sample]:
    made = await SAMPLES[resource.name](cast)
    await settled(cast)
    yield made


async def settled(cast: Cast) -> None:
    """Wait until the log's followers have heard all there is."""
    end = await cast.server.database.pool.fetchval("SELECT max(xid::text::bigint) FROM changes")
    await cast.server.tail.wait_for(f"{cast.server.tail.epoch}.x{end}")
