"""Every contract is tried on every resource.

The tests of one resource come one after the other, and find the stage as the one before has left it, if that wrote
nothing: a sample of its own for each test took longer than most of them.
"""

from dataclasses import dataclass, replace
from typing import Any

import pytest

from guildhouse import app
from guildhouse.app import HOUSE
from guildhouse.kernel.resource import Resource
from tests.cast import Cast
from tests.contracts.samples import SAMPLES, Sample
from tests.emptying import Standing, cleared, log_end


@dataclass
class Scene:
    """What stands on the stage of this worker: everybody, the sample of a resource, and the log's end with them."""

    resource: str
    cast: Cast
    sample: Sample
    end: int

    async def is_untouched(self) -> bool:
        """Whether nobody has written anything since, nor will because of what was searched."""
        return not self.cast.server.ear.heard and await log_end(self.cast.server) == self.end


@pytest.fixture(params=sorted(HOUSE.resources), scope="module")
def resource(request: pytest.FixtureRequest) -> Resource[Any]:
    return HOUSE.resources[request.param]


@pytest.fixture(scope="session")
def scenes() -> list[Scene]:
    """The scene that was set last."""
    return []


@pytest.fixture
async def scene(stage: app.Running, standing: Standing, resource: Resource[Any], scenes: list[Scene]) -> Scene:
    if not (scenes and scenes[-1].resource == resource.name and await scenes[-1].is_untouched()):
        scenes[:] = [await set_scene(await cleared(stage, standing), resource)]
    return scenes[-1]


async def set_scene(cast: Cast, resource: Resource[Any]) -> Scene:
    sample = await SAMPLES[resource.name](cast)
    await settled(cast)
    return Scene(resource.name, cast, sample, await log_end(cast.server))


@pytest.fixture
def cast(scene: Scene) -> Cast:
    return scene.cast


@pytest.fixture
def sample(scene: Scene) -> Sample:
    return replace(scene.sample, row=dict(scene.sample.row))


async def settled(cast: Cast) -> None:
    """Wait until the log's followers have heard all there is."""
    end = await cast.server.database.pool.fetchval("SELECT max(xid::text::bigint) FROM changes")
    await cast.server.tail.wait_for(f"{cast.server.tail.epoch}.x{end}")
